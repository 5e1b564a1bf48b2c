/** An agent's workflow that begins anew in the middle of its wait whenever it is told to, as one with a long history does. */
import { CancellationScope, condition, continueAsNew, defineSignal, setHandler } from '@temporalio/workflow';
import type { ApprovalResult } from '../../../workflows/protocol';
import { useCountersign } from '../../../workflows/request-approval';

export async function restlessAgent(countersignQueue: string): Promise<ApprovalResult> {
  const { requestApproval } = useCountersign({ taskQueue: countersignQueue });
  let restless = false;
  setHandler(defineSignal('begin-anew'), () => {
    restless = true;
  });
  const decision = requestApproval('refund', {
    action: {
      type: 'refund.issue',
      summary: 'Refund order o1 to the customer',
      params: { order: 'o1', amount: { minor: 48_000, currency: 'USD' } },
      system: 'billing',
      reversibility: 'hard',
      audience: { reach: 'one_customer', count: 1 },
    },
    reason: 'The parcel never came',
  });
  // Cancelled, it waits for its withdrawal; only the helper knows when that is recorded.
  const anew = CancellationScope.nonCancellable(() => condition(() => restless)).then(() => null);
  const decided = await Promise.race([decision, anew]);
  return decided ?? (await continueAsNew<typeof restlessAgent>(countersignQueue));
}
