/**
 * The activities that an agent's own worker registers, so that its workflows can ask (workflows/request-approval).
 * They hold the agent's key; no workflow and no history sees it. Submitting is idempotent, so Temporal may retry it freely.
 *
 * @example
 * await Worker.create({ taskQueue: 'refund-agent', workflowsPath, activities: createAgentActivities({ url, key }) });
 */
import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { ApprovalResult } from '../../domain/outcome';
import type { RequestDraft } from '../../domain/request';
import { createCountersign, CountersignError, type CountersignOptions, type Meanwhile } from './index';

export interface SubmittedRequest {
  readonly approvalId: string;
  readonly tenant: string;
  readonly needsWorkflow: boolean;
  readonly result: ApprovalResult | null;
  readonly headline: string;
  readonly timeScale: number;
  readonly meanwhile: Meanwhile;
  readonly actionDigest: string;
}

export interface AgentActivities {
  submitApprovalRequest(input: { readonly idempotencyKey: string; readonly request: RequestDraft }): Promise<SubmittedRequest>;
  /** How it ended; null while it is open. */
  readApprovalResult(input: { readonly approvalId: string }): Promise<ApprovalResult | null>;
}

/** Header-safe and of bounded length; a workflow id may be neither, and is then named by its digest. */
export const headerKey = (key: string): string => (/^[\x21-\x7e]{1,200}$/.test(key) ? key : `sha256-${createHash('sha256').update(key, 'utf8').digest('hex')}`);

export function createAgentActivities(options: CountersignOptions): AgentActivities {
  const countersign = createCountersign(options);
  return {
    submitApprovalRequest: ({ idempotencyKey, request }) =>
      asFailure(async () => {
        const { approvalId, tenant, needsWorkflow, result, headline, timeScale, meanwhile, actionDigest } = await countersign.submit(request, { idempotencyKey: headerKey(idempotencyKey) });
        return { approvalId, tenant, needsWorkflow, result, headline, timeScale, meanwhile, actionDigest };
      }),
    readApprovalResult: ({ approvalId }) => asFailure(async () => (await countersign.get(approvalId)).result),
  };
}

/** A refusal will be a refusal again: it fails the activity for good, with its code as the type. All else is tried again. */
async function asFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    throw ApplicationFailure.create({ type: error.code, message: error.message, nonRetryable: !error.retryable, details: [...error.issues], cause: error });
  }
}
