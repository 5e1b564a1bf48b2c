/**
 * An agent as a Temporal workflow: it asks before it refunds, waits as long as people take, and does what was decided.
 * Imports what any agent would: the helper, types, and its own activities.
 */
import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import { follow } from '../../client/sdk/follow';
import type { ApprovalResult } from '../../workflows/protocol';
import { useCountersign } from '../../workflows/request-approval';
import type { RefundActivities } from './activities';

export interface RefundTask {
  readonly order: string;
  /** In cents of a US dollar. */
  readonly cents: number;
  readonly reason: string;
  /** The task queue of Countersign's worker, if it is not the default. */
  readonly countersignQueue?: string;
}

export interface RefundReport {
  readonly did: 'refunded' | 'nothing' | 'as_told';
  readonly outcome: ApprovalResult['outcome'];
  readonly approvalId: string;
  readonly why: string;
}

export async function refundAgent(task: RefundTask): Promise<RefundReport> {
  const { requestApproval } = useCountersign({
    ...(task.countersignQueue === undefined ? {} : { taskQueue: task.countersignQueue }),
    // What somebody wants to know before they decide: this agent knows its task, and nothing else.
    onQuestion: () => `Order ${task.order}, USD ${(task.cents / 100).toFixed(2)}. The reason that I was given: ${task.reason}`,
  });
  const { issueRefund, logRefusal } = proxyActivities<RefundActivities>({ startToCloseTimeout: '30s' });

  setCurrentDetails(`Waiting for a decision on the refund of order ${task.order}`);
  const request = {
    action: {
      type: 'refund.issue',
      summary: `Refund order ${task.order} to the customer`,
      params: { order: task.order, amount: { minor: task.cents, currency: 'USD' } },
      system: 'billing',
      reversibility: 'hard',
      audience: { reach: 'one_customer', count: 1 },
    },
    reason: task.reason,
  } as const;
  const decision = await requestApproval('refund', request, {
    // It has one item and nothing else to do: parking that is all it can do, and what is stricter it does as well.
    onMeanwhile: (directive) =>
      setCurrentDetails(
        `The refund of order ${task.order} ${follow(directive, { park_item: () => 'is parked', pause_job: () => 'stops this agent', block: () => 'is blocked' })} until it is decided`,
      ),
  });
  setCurrentDetails(`**${decision.outcome}**: ${decision.reason}`);

  const { approvalId, outcome, reason: why, next } = decision;
  switch (outcome) {
    case 'allowed':
    case 'approved':
      // The token goes along: it proves to the billing system that this very action was decided.
      await issueRefund({ order: task.order, cents: task.cents, token: decision.token });
      return { did: 'refunded', outcome, approvalId, why };
    case 'handed_back':
    case 'resolved_by_person':
      return { did: 'as_told', outcome, approvalId, why: next.path };
    default:
      // Whatever is no yes is a no: the declared path, and a clean end.
      await logRefusal({ order: task.order, path: next.path, why });
      return { did: 'nothing', outcome, approvalId, why };
  }
}
