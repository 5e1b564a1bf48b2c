/**
 * What is asked of the engine from outside a workflow: start an approval, look whether one runs, knock, tell an agent's
 * workflow how it ended. Temporal carries ids and outcomes, nothing that allows. Must not import client.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { SearchAttributeType, WorkflowIdReusePolicy, defineSearchAttributeKey } from '@temporalio/common';
import type { ApprovalResult } from '../domain/outcome';
import {
  APPROVAL_WORKFLOW,
  COMMAND_SIGNAL,
  NUDGE_SIGNAL,
  OUTCOME_SIGNAL,
  approvalWorkflowId,
  type ApprovalInput,
  type CommandMessage,
} from '../workflows/protocol';

export interface StartApproval {
  readonly tenant: string;
  readonly approvalId: string;
  readonly lane: string;
  /** What is asked, in one sentence that makes sense alone. */
  readonly headline: string;
  /** After an end that was none (terminated, failed): start again under the same id, from the record. */
  readonly again?: boolean;
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
  const input: ApprovalInput = { tenant: start.tenant, approvalId: start.approvalId, timeScale: options.timeScale };
  try {
    await client.workflow.start(APPROVAL_WORKFLOW, {
      workflowId: approvalWorkflowId(start.tenant, start.approvalId),
      taskQueue: options.taskQueue,
      args: [input],
      workflowIdReusePolicy: start.again ? WorkflowIdReusePolicy.ALLOW_DUPLICATE : WorkflowIdReusePolicy.REJECT_DUPLICATE,
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

/** Whether the approval's workflow is open, closed (with or without a result), or unknown to the engine. */
export async function statusOf(client: Client, tenant: string, approvalId: string): Promise<'open' | 'closed' | 'unknown'> {
  try {
    const { status } = await client.workflow.getHandle(approvalWorkflowId(tenant, approvalId)).describe();
    return status.name === 'RUNNING' || status.name === 'PAUSED' ? 'open' : 'closed';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown';
    throw error;
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

/** Tells an agent's workflow how its request ended. */
export async function signalOutcome(client: Client, workflowId: string, result: ApprovalResult): Promise<'done' | 'gone'> {
  try {
    await client.workflow.getHandle(workflowId).signal<[ApprovalResult]>(OUTCOME_SIGNAL, result);
    return 'done';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'gone';
    throw error;
  }
}
