/**
 * The sweep of invariant 9, started by a schedule: one activity, whose report is its result.
 * Must not import anything but the protocol.
 */
import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { ApprovalActivities, ReconcileReport } from './protocol';

/** A sweep looks at a bounded page of open approvals. */
const { reconcile: sweep } = proxyActivities<ApprovalActivities>({ startToCloseTimeout: '2m', retry: { maximumAttempts: 3 } });

export async function reconcile(): Promise<ReconcileReport> {
  const report = await sweep({ workflowTime: Date.now() });
  setCurrentDetails(
    `started ${report.started}, restarted ${report.restarted}, nudged ${report.nudged}, failed ${report.failed}, overdue ${report.overdue.length}`,
  );
  return report;
}
