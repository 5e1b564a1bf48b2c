/**
 * What is asked of the engine from outside a workflow: start an approval, look whether one runs, knock, tell an agent's
 * workflow that something ended. Temporal carries ids, nothing that allows. Must not import client.
 */
import { WorkflowClient, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { SearchAttributeType, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, defineSearchAttributeKey } from '@temporalio/common';
import type { OwedKind } from '../domain/events';
import {
  APPROVAL_WORKFLOW,
  COMMAND_SIGNAL,
  DELIVERY_WORKFLOW,
  NUDGE_SIGNAL,
  OUTCOME_SIGNAL,
  PAUSE_SIGNAL,
  QUESTION_SIGNAL,
  approvalWorkflowId,
  deliveryWorkflowId,
  type ApprovalInput,
  type Asking,
  type CommandMessage,
  type DeliveryInput,
  type Knock,
  type PauseMessage,
} from '../workflows/protocol';

export interface StartApproval {
  readonly tenant: string;
  readonly approvalId: string;
  readonly lane: string;
  /** What is asked, in one sentence that makes sense alone. */
  readonly headline: string;
  /** By the sweep, which has said why on the record: under the same id, whatever became of the run before. */
  readonly again?: boolean;
  /** Instead of a run that is open and does not get on, which is terminated by it. */
  readonly instead?: boolean;
}

/** The server caps the summary at 400 bytes. */
const SUMMARY_MAX = 200;
const STATE = defineSearchAttributeKey('ApprovalState', SearchAttributeType.KEYWORD);
const TENANT = defineSearchAttributeKey('ApprovalTenant', SearchAttributeType.KEYWORD);
const LANE = defineSearchAttributeKey('ApprovalLane', SearchAttributeType.KEYWORD_LIST);

/** Starts the approval workflow of a submitted request; one that runs already counts as started. */
export async function startApproval(
  client: Client,
  options: { readonly taskQueue: string; readonly timeScale: number },
  start: StartApproval,
): Promise<'started' | 'running'> {
  const input: ApprovalInput = {
    tenant: start.tenant,
    approvalId: start.approvalId,
    timeScale: options.timeScale,
    inTurn: true,
    ...(start.again ? { fromRecord: true } : {}),
  };
  try {
    await client.workflow.start(APPROVAL_WORKFLOW, {
      workflowId: approvalWorkflowId(start.tenant, start.approvalId),
      taskQueue: options.taskQueue,
      args: [input],
      workflowIdReusePolicy: start.again ? WorkflowIdReusePolicy.ALLOW_DUPLICATE : WorkflowIdReusePolicy.REJECT_DUPLICATE,
      ...(start.instead ? { workflowIdConflictPolicy: WorkflowIdConflictPolicy.TERMINATE_EXISTING } : {}),
      // After a worker is killed the next one gets the task this soon instead of after 10 s.
      workflowTaskTimeout: '5s',
      typedSearchAttributes: [
        { key: STATE, value: 'routing' },
        { key: TENANT, value: start.tenant },
        { key: LANE, value: [start.lane] },
      ],
      staticSummary: start.headline.slice(0, SUMMARY_MAX),
    });
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'running';
    throw error;
  }
}

/** What a delivery workflow carries out: the later attempts at one debt. */
export interface StartDelivery {
  readonly tenant: string;
  readonly approvalId: string;
  readonly owedId: string;
  readonly kind: OwedKind;
  readonly summary: string;
}

/** Takes up a delivery whose workflow was lost; one that runs already counts as started. */
export async function startDelivery(
  client: Client,
  options: { readonly taskQueue: string; readonly timeScale: number },
  { tenant, approvalId, owedId, kind, summary }: StartDelivery,
): Promise<void> {
  const input: DeliveryInput = { tenant, approvalId, owedId, kind, summary, timeScale: options.timeScale, firstInMs: 0 };
  try {
    await client.workflow.start(DELIVERY_WORKFLOW, {
      workflowId: deliveryWorkflowId(tenant, approvalId, owedId),
      taskQueue: options.taskQueue,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowTaskTimeout: '5s',
      staticSummary: summary.slice(0, SUMMARY_MAX),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

/** Makes an open approval look at the record and the clock again. */
export async function nudge(client: Client, tenant: string, approvalId: string): Promise<void> {
  await client.workflow.getHandle(approvalWorkflowId(tenant, approvalId)).signal(NUDGE_SIGNAL);
}

/** Hands over a stored command to a workflow that may not have heard of it; false when none is open. */
export async function signalCommand(client: Client, tenant: string, approvalId: string, commandId: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(approvalWorkflowId(tenant, approvalId)).signal<[CommandMessage]>(COMMAND_SIGNAL, { commandId });
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Knocks at an agent's workflow: something it asked for has ended. */
export const signalOutcome = (client: Client, workflowId: string, approvalId: string): Promise<'done' | 'gone'> =>
  signalAgent<Knock>(client, workflowId, OUTCOME_SIGNAL, { approvalId });

/** Tells an agent's workflow to stop until somebody resumes it. */
export const signalPause = (client: Client, workflowId: string, message: PauseMessage): Promise<'done' | 'gone'> =>
  signalAgent<PauseMessage>(client, workflowId, PAUSE_SIGNAL, message);

/** Tells an agent's workflow that somebody asks it for information. */
export const signalQuestion = (client: Client, workflowId: string, message: Asking): Promise<'done' | 'gone'> =>
  signalAgent<Asking>(client, workflowId, QUESTION_SIGNAL, message);

/** In clear, because an agent's worker has none of our keys. */
async function signalAgent<Message>(
  { connection, options: { namespace } }: Client,
  workflowId: string,
  name: string,
  message: Message,
): Promise<'done' | 'gone'> {
  const plain = new WorkflowClient({ connection, namespace });
  try {
    await plain.getHandle(workflowId).signal<[Message]>(name, message);
    return 'done';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}
