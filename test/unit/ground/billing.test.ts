/** Billable actions are counted by the table in docs/billing.md: the count and the table are one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { countActions, type BillableAction } from '../../support/billing';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
const { EventType } = temporal.api.enums.v1;
const of = (eventType: temporal.api.enums.v1.EventType, attributes: Partial<HistoryEvent> = {}): HistoryEvent => ({ eventType, ...attributes });
const marker = (workflowTaskCompletedEventId: number): HistoryEvent =>
  of(EventType.EVENT_TYPE_MARKER_RECORDED, {
    markerRecordedEventAttributes: { markerName: 'core_local_activity', workflowTaskCompletedEventId: workflowTaskCompletedEventId as unknown as Long },
  });
type Long = NonNullable<NonNullable<HistoryEvent['markerRecordedEventAttributes']>['workflowTaskCompletedEventId']>;
const attributes = (...names: string[]): HistoryEvent =>
  of(EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, {
    upsertWorkflowSearchAttributesEventAttributes: { searchAttributes: { indexedFields: Object.fromEntries(names.map((name) => [name, {}])) } },
  });

describe('counting billable actions', () => {
  it('of a small life: started, a timer, a decision, its marker, an activity, the attributes', () => {
    expect(
      countActions([
        of(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
        of(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED),
        of(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED),
        of(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        marker(4),
        attributes('ApprovalState', 'ApprovalDue'),
        of(EventType.EVENT_TYPE_TIMER_STARTED),
        of(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
        of(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, { activityTaskStartedEventAttributes: { attempt: 1 } }),
        of(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED),
        of(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED),
        marker(12),
        of(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED),
        of(EventType.EVENT_TYPE_TIMER_CANCELED),
        of(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED),
      ]),
    ).toEqual({
      total: 7,
      byAction: { 'workflow started': 1, 'markers of a workflow task': 2, 'search attribute upsert': 1, 'timer started': 1, 'activity attempt': 1, update: 1 },
    });
  });

  it('takes all markers of one workflow task as one', () => {
    expect(countActions([marker(4), marker(4), marker(4), marker(9)]).byAction).toEqual({ 'markers of a workflow task': 2 });
  });

  it('counts every attempt of an activity', () => {
    expect(countActions([of(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, { activityTaskStartedEventAttributes: { attempt: 3 } })]).total).toBe(3);
  });

  it('counts a child as two, at its parent', () => {
    expect(countActions([of(EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED)]).total).toBe(2);
    const started = of(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, {
      workflowExecutionStartedEventAttributes: { parentWorkflowExecution: { workflowId: 'agent-7' } },
    });
    expect(countActions([started]).total).toBe(0);
  });

  it('takes several attributes in one upsert as one, and the version marker’s own as none', () => {
    expect(countActions([attributes('ApprovalState', 'ApprovalOwner', 'ApprovalDue')]).total).toBe(1);
    expect(countActions([attributes('TemporalChangeVersion')]).total).toBe(0);
  });

  it('names every action as the published table does', () => {
    const actions: Record<BillableAction, true> = {
      'workflow started': true,
      'child workflow': true,
      'timer started': true,
      'activity attempt': true,
      'markers of a workflow task': true,
      signal: true,
      update: true,
      'search attribute upsert': true,
      'execution options updated': true,
      'nexus operation': true,
    };
    const table = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'billing.md'), 'utf8');
    const named = [...table.matchAll(/^\| ([a-z ]+) \| `/gm)].map((row) => row[1]);
    expect(named.sort()).toEqual(Object.keys(actions).sort());
  });
});
