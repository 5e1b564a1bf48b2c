/**
 * Billable actions of a workflow history, counted by the table in docs/billing.md (Temporal Cloud's published list).
 * What a history does not show (queries, rejected updates, heartbeats, schedules) is not counted here; the document says so.
 * Must not import anything but the history's types.
 */
import { temporal } from '@temporalio/proto';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
const { EventType } = temporal.api.enums.v1;

/** The name of a billable action, as the document's table names it. */
export type BillableAction =
  | 'workflow started'
  | 'child workflow'
  | 'timer started'
  | 'activity attempt'
  | 'markers of a workflow task'
  | 'signal'
  | 'update'
  | 'search attribute upsert'
  | 'execution options updated'
  | 'nexus operation';

export interface ActionCount {
  readonly total: number;
  readonly byAction: { readonly [K in BillableAction]?: number };
}

/** Search attributes that the SDK itself upserts and that are exempt. */
const EXEMPT_ATTRIBUTE = 'TemporalChangeVersion';

function* actionsOf(event: HistoryEvent, markerTasks: Set<string>): Generator<readonly [BillableAction, number]> {
  switch (event.eventType) {
    case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
      // A child's start is counted where its parent asked for it.
      if (!event.workflowExecutionStartedEventAttributes?.parentWorkflowExecution?.workflowId) yield ['workflow started', 1];
      return;
    case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
      yield ['child workflow', 2];
      return;
    case EventType.EVENT_TYPE_TIMER_STARTED:
      yield ['timer started', 1];
      return;
    case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
      // Retries are not events of their own: the started event carries the number of the last attempt.
      yield ['activity attempt', Math.max(1, event.activityTaskStartedEventAttributes?.attempt ?? 1)];
      return;
    case EventType.EVENT_TYPE_MARKER_RECORDED: {
      // All markers (local activities among them) of one workflow task are one action.
      const task = String(event.markerRecordedEventAttributes?.workflowTaskCompletedEventId ?? '');
      if (!markerTasks.has(task)) yield ['markers of a workflow task', 1];
      markerTasks.add(task);
      return;
    }
    case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
      yield ['signal', 1];
      return;
    case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
      yield ['update', 1];
      return;
    case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: {
      const names = Object.keys(event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields ?? {});
      if (names.some((name) => name !== EXEMPT_ATTRIBUTE)) yield ['search attribute upsert', 1];
      return;
    }
    case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
      yield ['execution options updated', 1];
      return;
    case EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED:
    case EventType.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED:
      yield ['nexus operation', 1];
      return;
    default:
      return;
  }
}

/** Counts the billable actions of one run's history. Add the histories of a chain of runs. */
export function countActions(events: readonly HistoryEvent[]): ActionCount {
  const byAction: { [K in BillableAction]?: number } = {};
  const markerTasks = new Set<string>();
  let total = 0;
  for (const event of events) {
    for (const [action, count] of actionsOf(event, markerTasks)) {
      byAction[action] = (byAction[action] ?? 0) + count;
      total += count;
    }
  }
  return { total, byAction };
}
