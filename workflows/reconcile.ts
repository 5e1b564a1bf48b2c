/**
 * The sweep of invariant 9, started by a schedule: one activity, whose report is its result. Each sweep goes on where the last one
 * stopped, which the schedule hands it with that one's result.
 * Must not import anything but the protocol.
 */
import { proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { ApprovalActivities, ReconcileCursor, ReconcileReport } from './protocol';

/** A sweep looks at a bounded page, and begins nothing new after a minute. It gives signs of life: a worker that dies in it is missed soon. */
const { reconcile: sweep } = proxyActivities<ApprovalActivities>({ startToCloseTimeout: '2m', heartbeatTimeout: '6s', retry: { maximumAttempts: 3 } });

export async function reconcile(): Promise<ReconcileReport> {
  const report = await sweep({ workflowTime: Date.now(), cursor: cursorOf(workflowInfo().lastResult) });
  setCurrentDetails(detailsOf(report));
  return report;
}

/** Anyone may start a sweep, and a result of an older version says less. */
function cursorOf(last: unknown): ReconcileCursor | undefined {
  const { record, engine } = ((last as Partial<ReconcileReport> | null | undefined)?.cursor ?? {}) as Partial<ReconcileCursor>;
  return typeof record === 'string' && typeof engine === 'string' ? { record, engine } : undefined;
}

/** Markdown for the operator's page. The report of an older version has fewer fields. */
function detailsOf(report: Partial<ReconcileReport>): string {
  const { started, restarted, nudged, handedOver, redelivered, failed, found } = report;
  const did = `started ${started}, restarted ${restarted}, nudged ${nudged}, handed over ${handedOver}, delivered again ${redelivered}, failed ${failed}`;
  const lists = (['overdue', 'paused', 'stuck', 'contradicting', 'unknown'] as const).filter((list) => (found?.[list] ?? 0) > 0);
  return [did, ...lists.map((list) => `- ${list} ${found?.[list]}: ${report[list]?.join(', ')}`)].join('\n');
}
