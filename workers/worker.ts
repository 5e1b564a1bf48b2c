/**
 * One worker over given parts: the process of workers/main.ts and the tests use the same.
 */
import type { Client } from '@temporalio/client';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { Runtime, Worker, type NativeConnection, type WorkerDeploymentOptions, type WorkflowBundle } from '@temporalio/worker';
import { tolerant } from '../activities/codec/codec';
import type { ApprovalActivities } from '../workflows/protocol';
import { RECONCILE_WORKFLOW, reconcileScheduleId } from '../workflows/protocol';
import { holdSecrets } from '../workflows/payload-converter';
import { bundleWorkflows, FAILURE_CONVERTER, PAYLOAD_CONVERTER } from './bundle';

/** Which release this worker is of. A run of ours goes on under whichever version is current when its next task is due. */
export interface Deployment {
  readonly name: string;
  readonly buildId: string;
}

/** Workflow tasks at a time: some more than the worker has connections to the store, which nearly every task needs. */
const TASKS_MAX = 16;

/** After this many milliseconds a stopping worker waits for nothing any more: the engine gives what is left to another. */
export const FORCE_MS = 30_000;

export interface CreateWorker {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: ApprovalActivities;
  /** Built ahead; without it the workflows are bundled now, which takes a few seconds. */
  readonly bundle?: WorkflowBundle;
  /** Encrypts payloads and failures; without it they lie in the engine's histories in clear. */
  readonly dataConverter?: DataConverter;
  /** Worker versioning; without it the worker takes whatever the queue holds. */
  readonly deployment?: Deployment;
}

/** What cannot be read must fail no task of a workflow. */
const converterOf = (given: DataConverter | undefined): DataConverter => ({
  payloadConverterPath: PAYLOAD_CONVERTER,
  failureConverterPath: FAILURE_CONVERTER,
  payloadCodecs: (given?.payloadCodecs ?? []).map((codec) =>
    tolerant(codec, (error) => {
      // Nothing unusual: what an agent's worker with keys of its own sends comes like that.
      Runtime.instance().logger.info('A message cannot be read, and counts as one that says nothing', { error: String(error) });
    }),
  ),
});

export async function createWorker({ connection, namespace, taskQueue, activities, bundle, dataConverter, deployment }: CreateWorker): Promise<Worker> {
  if (dataConverter?.payloadCodecs?.length) holdSecrets();
  return await Worker.create({
    connection,
    namespace,
    taskQueue,
    activities,
    dataConverter: converterOf(dataConverter),
    workflowBundle: bundle ?? (await bundleWorkflows()),
    ...(deployment ? { workerDeploymentOptions: versioned(deployment) } : {}),
    // Half a megabyte each. What is at work just now stays; what waits for a person is read again in a task of a few milliseconds.
    maxCachedWorkflows: 100,
    // What waits at the engine for a hand loses no time; what waits here for the processor or the store uses up the time of its task, and
    // after an outage everything waits at once.
    maxConcurrentWorkflowTaskExecutions: TASKS_MAX,
    // After a kill the next worker gets the task this soon; a live one that is slower only replays.
    stickyQueueScheduleToStartTimeout: '3s',
    // Signs of life go out as they come. Left to itself the SDK holds them back for most of the time in which they are missed.
    maxHeartbeatThrottleInterval: '1s',
    // An attempt at an agent may take 20 s; a shutdown waits for it, so that nothing is tried twice.
    shutdownGraceTime: '25s',
    shutdownForceTime: FORCE_MS,
  });
}

/** Every workflow of ours may move to a newer version, and back: they change only under `patched()`. */
const versioned = ({ name, buildId }: Deployment): WorkerDeploymentOptions => ({
  version: { deploymentName: name, buildId },
  useWorkerVersioning: true,
  defaultVersioningBehavior: 'AUTO_UPGRADE',
});

/** After a worker is killed the next one gets the sweep's task this soon, in milliseconds. */
const TASK_MS = 5_000;

/** The slow sweep of invariant 9. Idempotent; true when it was not there. */
export async function ensureReconcileSchedule(client: Client, taskQueue: string, everySeconds: number): Promise<boolean> {
  try {
    await client.schedule.create({
      scheduleId: reconcileScheduleId(taskQueue),
      spec: { intervals: [{ every: `${everySeconds}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: RECONCILE_WORKFLOW,
        taskQueue,
        args: [],
        staticSummary: 'The engine catches up with the record',
        workflowTaskTimeout: TASK_MS,
      },
    });
    return true;
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await keepPace(client, taskQueue, everySeconds);
    return false;
  }
}

/** A schedule that an older release made goes on as often as this one means it. Whether it is paused stays as it is. */
async function keepPace(client: Client, taskQueue: string, everySeconds: number): Promise<void> {
  const schedule = client.schedule.getHandle(reconcileScheduleId(taskQueue));
  try {
    const { spec, action } = await schedule.describe();
    if (spec.intervals?.[0]?.every === everySeconds * 1000 && action.workflowTaskTimeout === TASK_MS) return;
    await schedule.update((before) => ({
      ...before,
      spec: { intervals: [{ every: `${everySeconds}s` }] },
      action: { ...before.action, workflowTaskTimeout: TASK_MS },
    }));
  } catch {
    // What it says of itself may be encrypted with a key that this worker lacks. Then it keeps its pace: it sweeps all the same.
  }
}
