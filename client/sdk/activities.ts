/**
 * The activities that an agent's own worker registers, so that its workflows can ask (workflows/request-approval).
 * They hold the agent's key; no workflow and no history sees it. Submitting is idempotent, so Temporal may retry it freely.
 *
 * @example
 * await Worker.create({ taskQueue: 'refund-agent', workflowsPath, activities: createAgentActivities({ url, key }) });
 */
import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { AgentActivities } from '../../workflows/protocol';
import { createCountersign, CountersignError, type CountersignOptions } from './index';

/** Header-safe and of bounded length; a workflow id may be neither, and is then named by its digest. */
export const headerKey = (key: string): string => (/^[\x21-\x7e]{1,200}$/.test(key) ? key : `sha256-${createHash('sha256').update(key, 'utf8').digest('hex')}`);

export function createAgentActivities(options: CountersignOptions): AgentActivities {
  const countersign = createCountersign(options);
  return {
    submitApprovalRequest: ({ idempotencyKey, request }) =>
      asFailure(async () => {
        const { approvalId, tenant, needsWorkflow, result, headline, timeScale } = await countersign.submit(request, {
          idempotencyKey: headerKey(idempotencyKey),
        });
        return { approvalId, tenant, needsWorkflow, result, headline, timeScale };
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
