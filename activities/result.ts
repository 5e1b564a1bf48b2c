/**
 * The outcome as the agent gets it, with its decision token. Pure but for the minting it is handed.
 */
import { actionWithout, conditionedParams } from '../domain/conditions';
import { isOutcome, type ApprovalResult } from '../domain/outcome';
import type { ApprovalState } from '../domain/state';
import { digest } from '../record/canonical';
import type { Submitted } from './approvals';
import type { Tokens } from './tokens';

export type Mint = Tokens['mint'];

/** The result of an ended state; null while it is open. `entry` is the sequence of the entry that ended it. */
export async function resultOf(mint: Mint, submitted: Submitted, state: ApprovalState): Promise<ApprovalResult | null> {
  const { ended } = state;
  if (!ended || !isOutcome(state.state)) return null;
  const { tenant, approvalId, agent, plan, body, actionDigest } = submitted;
  const outcome = state.state;
  const { why: reason, deciders, conditions, next, at: decidedAt } = ended;
  const conditioned = conditionedParams(conditions);
  const token = await mint({
    id: `${approvalId}-${ended.seq}`,
    tenant,
    approvalId,
    agent,
    outcome,
    actionDigest,
    conditions,
    ...(conditioned.length === 0 ? {} : { actionRestDigest: digest(actionWithout(body.action, conditioned)) }),
    policy: { ...plan.policy, rows: plan.rows.map((r) => r.id) },
    deciders,
    entry: ended.seq,
    issuedAt: decidedAt,
  });
  return { approvalId, tenant, outcome, reason, decidedAt, deciders, conditions, next, policy: plan.policy, actionDigest, token };
}
