/**
 * What approvals that are not settled wait for, and until when: read from the engine (attempts under way, gaps before the next one, timers,
 * tasks in a worker's hands) and from the record. A wait that has a limit ends by it however slow the machine is; what waits for nothing but
 * a free hand has none.
 */
import { WorkflowNotFoundError } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { OPEN_STATES } from '../../domain/outcome';
import { approvalWorkflowId, deliveryWorkflowId, reconcileScheduleId, TASK_QUEUE } from '../../workflows/protocol';
import type { Ground } from '../support/oracle';

export interface Wait {
  /** An approval, or `the sweep`. */
  readonly whose: string;
  /** In words, to be counted: `an attempt at resumeAgent`, `a lost task`, `the sweep`. */
  readonly what: string;
  /** The same while it is the same wait. */
  readonly id: string;
  /** On the wall clock, in milliseconds. `until` is null where no limit bounds it. */
  readonly since: number;
  readonly until: number | null;
}

/** What may still be open or owed. */
export interface Left {
  readonly approvalId: string;
  /** Null where it has ended. */
  readonly open: string | null;
  readonly owed: readonly string[];
  readonly updatedAt: number;
}

const { WorkflowExecutionStatus, PendingActivityState } = temporal.api.enums.v1;

type Looking = Pick<Ground, 'db' | 'client' | 'tenant'>;
type Run = Awaited<ReturnType<ReturnType<Ground['client']['workflow']['getHandle']>['describe']>>['raw'];
type Amount = { readonly seconds?: { toNumber(): number } | null; readonly nanos?: number | null };

const millis = (amount: Amount | null | undefined): number => (amount?.seconds?.toNumber() ?? 0) * 1000 + Math.round((amount?.nanos ?? 0) / 1e6);

/** From the fourth on, the engine gives a task that timed out this much more time, as it is set up here. */
const MORE_TIME = { from: 4, ms: 5_000 };
/** When the sweep comes, and how long it leaves alone what it would find, in milliseconds. */
const SWEEP = { every: 10_000, grace: 6_000 };
/** How many are looked at in one go. */
const AT_ONCE = 30;

/** Which of these are not settled: open, or owing something. */
export async function leftOf({ db, tenant }: Looking, approvalIds: readonly string[]): Promise<Left[]> {
  if (approvalIds.length === 0) return [];
  const rows = await db
    .selectFrom('approvals as a')
    .leftJoin('deliveries as d', (join) =>
      join.onRef('d.tenant', '=', 'a.tenant').onRef('d.approval_id', '=', 'a.approval_id').on('d.status', 'in', ['owed', 'failed_for_now']),
    )
    .select(['a.approval_id', 'a.state', 'a.updated_at', 'd.owed_id'])
    .where('a.tenant', '=', tenant)
    .where('a.approval_id', 'in', approvalIds)
    .where((eb) => eb.or([eb('a.state', 'in', [...OPEN_STATES]), eb('d.owed_id', 'is not', null)]))
    .execute();
  const left = new Map<string, Left>();
  for (const { approval_id: approvalId, state, updated_at, owed_id } of rows) {
    const before = left.get(approvalId)?.owed ?? [];
    const open = OPEN_STATES.some((each) => each === state) ? state : null;
    left.set(approvalId, { approvalId, open, owed: owed_id === null ? before : [...before, owed_id], updatedAt: Date.parse(updated_at) });
  }
  return [...left.values()];
}

export async function waitsOf(ground: Looking, left: readonly Left[]): Promise<Wait[]> {
  const waits = await Promise.all(left.slice(0, AT_ONCE).map((one) => ofApproval(ground, one)));
  return [...waits.flat(), ...(await ofSweep(ground))];
}

async function ofApproval({ client, tenant }: Looking, { approvalId, open, owed, updatedAt }: Left): Promise<Wait[]> {
  const own = await describe(client, approvalWorkflowId(tenant, approvalId));
  const deliveries = await Promise.all(owed.map((id) => describe(client, deliveryWorkflowId(tenant, approvalId, id))));
  const timers = await Promise.all(deliveries.flatMap((run) => (run ? [timersOf(client, run)] : [])));
  const waits = [
    ...[own, ...deliveries].flatMap((run) => (run ? ofRun(approvalId, run) : [])),
    ...timers.flat().map((timer) => ({ whose: approvalId, ...timer })),
  ];
  // A person's answer is waited for while it is open; what is owed is in somebody's hands, or the sweep finds that it is not.
  if (waits.length > 0 || (owed.length === 0 && open !== null && open !== 'routing')) return waits;
  return [{ whose: approvalId, what: 'the sweep', id: `${approvalId} ${String(updatedAt)}`, since: updatedAt, until: updatedAt + SWEEP.grace + SWEEP.every }];
}

async function ofSweep({ client }: Looking): Promise<Wait[]> {
  const { info } = await client.schedule.getHandle(reconcileScheduleId(TASK_QUEUE)).describe();
  const running = info.runningActions.map(({ workflow }) => workflow.workflowId);
  const runs = await Promise.all(running.map((workflowId) => describe(client, workflowId)));
  return runs.flatMap((run) => (run ? ofRun('the sweep', run) : []));
}

/** Null of one that does not run. */
async function describe(client: Looking['client'], workflowId: string): Promise<Run | null> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return raw.workflowExecutionInfo?.status === WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING ? raw : null;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

function ofRun(whose: string, { workflowExecutionInfo, executionConfig, pendingActivities, pendingWorkflowTask: task }: Run): Wait[] {
  const run = workflowExecutionInfo?.execution?.runId ?? '';
  const waits = (pendingActivities ?? []).map((activity): Wait => {
    const name = activity.activityType?.name ?? '';
    const id = `${run} ${activity.activityId ?? ''} ${String(activity.attempt)}`;
    const { startToCloseTimeout, heartbeatTimeout } = activity.activityOptions ?? {};
    if (activity.state === PendingActivityState.PENDING_ACTIVITY_STATE_STARTED) {
      const since = millis(activity.lastStartedTime);
      const beat = Math.max(since, millis(activity.lastHeartbeatTime));
      return {
        whose,
        what: `an attempt at ${name}`,
        id,
        since: beat,
        until: Math.min(since + millis(startToCloseTimeout), beat + (millis(heartbeatTimeout) || Infinity)),
      };
    }
    const until = activity.nextAttemptScheduleTime ? millis(activity.nextAttemptScheduleTime) : null;
    const since = millis(activity.lastAttemptCompleteTime ?? activity.scheduledTime);
    return { whose, what: until === null ? 'a free hand' : `the next attempt at ${name}`, id: `${id} next`, since, until };
  });
  if (!task) return waits;
  const more = (task.attempt ?? 1) >= MORE_TIME.from ? MORE_TIME.ms : 0;
  const since = millis(task.startedTime ?? task.scheduledTime);
  const limit = millis(executionConfig?.defaultWorkflowTaskTimeout) + more;
  const id = `${run} task ${String(since)}`;
  return [...waits, task.startedTime ? { whose, what: 'a task', id, since, until: since + limit } : { whose, what: 'a free hand', id, since, until: null }];
}

/** What a delivery sleeps for. */
async function timersOf(client: Looking['client'], { workflowExecutionInfo }: Run): Promise<Omit<Wait, 'whose'>[]> {
  const { workflowId, runId } = workflowExecutionInfo?.execution ?? {};
  const { events } = await client.workflow.getHandle(workflowId ?? '', runId ?? undefined).fetchHistory();
  const over = new Set((events ?? []).map((event) => event.timerFiredEventAttributes?.startedEventId?.toNumber()));
  return (events ?? []).flatMap((event) => {
    const timer = event.timerStartedEventAttributes;
    if (!timer || over.has(event.eventId?.toNumber())) return [];
    const since = millis(event.eventTime);
    return [{ what: 'a gap between attempts', id: `${runId ?? ''} ${String(event.eventId)}`, since, until: since + millis(timer.startToFireTimeout) }];
  });
}
