/**
 * One worker over given parts: the process of workers/main.ts and the tests use the same.
 */
import type { Client } from '@temporalio/client';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkflowBundle } from '@temporalio/worker';
import type { ApprovalActivities } from '../workflows/protocol';
import { RECONCILE_WORKFLOW, reconcileScheduleId } from '../workflows/protocol';

/** A bundle built ahead names it, too: the sandbox has its own copy. */
const PAYLOAD_CONVERTER = require.resolve('../workflows/payload-converter');

export interface CreateWorker {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: ApprovalActivities;
  /** Built ahead; without it the workflows are bundled now, which takes a few seconds. */
  readonly bundle?: WorkflowBundle;
}

export async function createWorker({ connection, namespace, taskQueue, activities, bundle }: CreateWorker): Promise<Worker> {
  return await Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    dataConverter: { payloadConverterPath: PAYLOAD_CONVERTER },
    ...(bundle ? { workflowBundle: bundle } : { workflowsPath: require.resolve('../workflows') }),
    maxCachedWorkflows: 500,
    // After a kill the next worker gets the task this soon; a live one that is slower only replays.
    stickyQueueScheduleToStartTimeout: '3s',
    // An attempt at an agent may take 20 s; a shutdown waits for it, so that nothing is tried twice.
    shutdownGraceTime: '25s',
  });
}

/** The slow sweep of invariant 9. Idempotent. */
export async function ensureReconcileSchedule(client: Client, taskQueue: string, everySeconds: number): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: reconcileScheduleId(taskQueue),
      spec: { intervals: [{ every: `${everySeconds}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: { type: 'startWorkflow', workflowType: RECONCILE_WORKFLOW, taskQueue, args: [], staticSummary: 'The engine catches up with the record' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
