/**
 * The activities that an agent's own worker registers, so that its workflows can ask (workflows/request-approval).
 * They hold the agent's key; no workflow and no history sees it. Submitting is idempotent, so Temporal may retry it freely.
 *
 * @example
 * await Worker.create({ taskQueue: 'refund-agent', workflowsPath, activities: createAgentActivities({ url, key }) });
 */
import { createHash } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import type { AgentActivities, AgentWords } from '../../workflows/protocol';
import { createCountersign, CountersignError, type CountersignOptions } from './index';

/** Header-safe and of bounded length; a workflow id may be neither, and is then named by its digest. */
export const headerKey = (key: string): string => (/^[\x21-\x7e]{1,200}$/.test(key) ? key : `sha256-${createHash('sha256').update(key, 'utf8').digest('hex')}`);

/** After which nobody waits for a reply any more. */
const TOO_LATE: readonly string[] = ['unknown_question', 'already_decided', 'not_open'];

export function createAgentActivities(options: CountersignOptions): AgentActivities & AgentWords {
  const countersign = createCountersign(options);
  return {
    submitApprovalRequest: ({ idempotencyKey, request }) =>
      asFailure(async () => {
        const { approvalId, tenant, needsWorkflow, result, headline, timeScale, meanwhile } = await countersign.submit(request, {
          idempotencyKey: headerKey(idempotencyKey),
        });
        return { approvalId, tenant, needsWorkflow, result, headline, timeScale, meanwhile };
      }),
    readApprovalResult: ({ approvalId }) => asFailure(async () => (await countersign.get(approvalId)).result),
    readQuestions: ({ approvalId }) =>
      asFailure(async () => {
        const { questions } = await countersign.get(approvalId);
        return questions.flatMap(({ id: question, of, status, text, dueAt }) =>
          of === 'agent' && status === 'open' ? [{ approvalId, question, text, dueAt }] : [],
        );
      }),
    replyToQuestion: ({ idempotencyKey, approvalId, question, text }) =>
      asFailure(async () => {
        try {
          await countersign.reply(approvalId, { question, text }, { idempotencyKey: headerKey(idempotencyKey) });
          return true;
        } catch (error) {
          if (error instanceof CountersignError && TOO_LATE.includes(error.code)) return false;
          throw error;
        }
      }),
    addApprovalEvidence: ({ idempotencyKey, approvalId, name, title, content }) =>
      asFailure(() => countersign.addEvidence(approvalId, { name, title, content }, { idempotencyKey: headerKey(idempotencyKey) })),
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
