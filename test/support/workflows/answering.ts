/** Agents that are asked for information while they wait: one that answers and adds evidence, and one of before there were any questions. */
import { condition, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import { follow } from '../../../client/sdk/follow';
import type { ApprovalResult } from '../../../workflows/protocol';
import { useCountersign, type AgentRequest } from '../../../workflows/request-approval';

export const receiptSignal = defineSignal<[string]>('receipt');
export const heardQuery = defineQuery<Heard>('heard');

export interface Heard {
  /** What it was asked, in order, with the step. */
  readonly questions: readonly string[];
  readonly meanwhile: string;
  /** Codes of refusals that its evidence met. */
  readonly refused: readonly string[];
}

const refundOf = (order: string): AgentRequest => ({
  action: {
    type: 'refund.issue',
    summary: `Refund order ${order}`,
    params: { order, amount: { minor: 48_000, currency: 'USD' } },
    system: 'billing',
    reversibility: 'hard',
    audience: { reach: 'one_customer', count: 1 },
  },
  reason: 'The parcel never came',
});

/** Answers all but what it calls a secret; each receipt it is sent becomes evidence. */
export async function answeringAgent(order: string, countersignQueue: string): Promise<ApprovalResult> {
  const heard = { questions: [] as string[], meanwhile: '', refused: [] as string[] };
  const receipts: string[] = [];
  setHandler(heardQuery, () => heard);
  setHandler(receiptSignal, (content) => void receipts.push(content));
  const { requestApproval, addEvidence } = useCountersign({
    taskQueue: countersignQueue,
    onQuestion: ({ step, question, text }) => {
      heard.questions.push(`${step} ${question}: ${text}`);
      if (text.includes('broken')) throw new Error('The agent cannot tell');
      return text.includes('secret') ? null : `The parcel of ${order} was lost`;
    },
  });
  let over = false;
  const adding = (async () => {
    for (;;) {
      await condition(() => receipts.length > 0 || over);
      const content = receipts.shift();
      if (content === undefined) return;
      try {
        await addEvidence('refund', { name: 'receipt', title: 'The receipt', content });
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        heard.refused.push(typeof cause === 'object' && cause !== null && 'type' in cause ? String(cause.type) : String(error));
      }
    }
  })();
  const result = await requestApproval('refund', refundOf(order), {
    onMeanwhile: (directive) => {
      heard.meanwhile = follow(directive, { park_item: () => 'parked', block: () => 'blocked' });
    },
  });
  over = true;
  await adding;
  return result;
}

/** Knows of no questions. */
export async function silentAgent(order: string, countersignQueue: string): Promise<ApprovalResult> {
  const { requestApproval } = useCountersign({ taskQueue: countersignQueue });
  return await requestApproval('refund', refundOf(order));
}
