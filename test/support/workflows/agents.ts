/** Agents that do more while and after they wait than the sample does. For the worker of an agent. */
import { condition, continueAsNew, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import type { ApprovalResult } from '../../../workflows/protocol';
import { useCountersign, type AgentRequest } from '../../../workflows/request-approval';

export { refundAgent } from '../../../examples/temporal-agent/workflow';

export const goSignal = defineSignal('go');
export const roundsQuery = defineQuery<readonly string[]>('rounds');

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

/** Begins its run anew while it waits, as one with a long history does. */
export async function renewingAgent(order: string, countersignQueue: string): Promise<ApprovalResult> {
  const { requestApproval } = useCountersign({ taskQueue: countersignQueue });
  let told = false;
  setHandler(goSignal, () => void (told = true));
  const result = await Promise.race([requestApproval('refund', refundOf(order)), condition(() => told).then(() => null)]);
  return result ?? (await continueAsNew<typeof renewingAgent>(order, countersignQueue));
}

/** Does one round after the other, and asks in each; what it has done so far is its answer to `rounds`. */
export async function loopingAgent(orders: readonly string[], countersignQueue: string): Promise<readonly string[]> {
  const { requestApproval, untilResumed } = useCountersign({ taskQueue: countersignQueue });
  const done: string[] = [];
  setHandler(roundsQuery, () => done);
  for (const order of orders) {
    await untilResumed();
    const { outcome } = await requestApproval(order, refundOf(order));
    done.push(`${order}: ${outcome}`);
  }
  return done;
}

/** Has more to do after the decision, and so lives to see its approval close. */
export async function busyAgent(order: string, countersignQueue: string): Promise<ApprovalResult> {
  const { requestApproval } = useCountersign({ taskQueue: countersignQueue });
  let told = false;
  setHandler(goSignal, () => void (told = true));
  const result = await requestApproval('refund', refundOf(order));
  await condition(() => told);
  return result;
}
