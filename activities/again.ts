/**
 * A conditional yes is routed again: the action as the conditions leave it, by the policy that the request is pinned to, with everything
 * else as it was when it was routed first.
 *
 * It promises: what that asks for beyond the chain is refused; a policy that cannot be read refuses, and no other one is asked.
 * Runs inside the caller's transaction. Must not import Temporal.
 */
import type { Transaction } from 'kysely';
import { tightened } from '../domain/conditions';
import { uncovered } from '../domain/covers';
import type { ApprovalEvent } from '../domain/events';
import type { JsonObject } from '../domain/json';
import type { Refusal } from '../domain/moves';
import type { Conditions } from '../domain/plan';
import { resolve, type CompiledPolicy, type RoutingInput } from '../policy';
import { digest } from '../record/canonical';
import type { Tables } from '../record/store/tables';
import type { Submitted } from './approvals';
import { SubmitError } from './errors';

/** A version of a policy by its hash; throws {@link SubmitError} where it cannot be read. */
export type VersionOf = (trx: Transaction<Tables>, tenant: string, hash: string) => Promise<CompiledPolicy>;

type RoutedAgain = NonNullable<Extract<ApprovalEvent, { type: 'signed_off' }>['routedAgain']>;

/** `conditions`: those of all who said yes, this one included. */
export async function routeAgain(
  versionOf: VersionOf,
  trx: Transaction<Tables>,
  submitted: Submitted,
  conditions: Conditions,
): Promise<{ readonly again: RoutedAgain } | { readonly refusal: Refusal }> {
  const { tenant, plan } = submitted;
  let policy: CompiledPolicy;
  try {
    policy = await versionOf(trx, tenant, plan.policy.hash);
  } catch (error) {
    if (!(error instanceof SubmitError)) throw error;
    return { refusal: { code: 'policy_unreadable', message: `A yes with conditions is routed again, and that cannot be done: ${error.message}` } };
  }
  const routed = resolve(policy, inputOf(submitted, conditions));
  const missing = routed.ok ? uncovered(plan, routed.plan, conditions) : routed.issues.map(({ message }) => message);
  if (!routed.ok || missing.length > 0)
    return {
      refusal: {
        code: 'condition_needs_more',
        message: `With these conditions the policy asks for what this chain does not have (${missing.join('; ')}); say yes without them, deny, or take it over`,
      },
    };
  return { again: { rows: routed.plan.rows.map((row) => row.id), planDigest: digest(routed.plan as unknown as JsonObject) } };
}

/** What the request was routed by, with the params that the conditions leave. Sums over recent requests stand as they were noted. */
function inputOf({ tenant, agent, body, plan }: Submitted, conditions: Conditions): RoutingInput {
  const { recent, provided, unavailable, exception } = plan;
  return {
    action: { ...body.action, params: tightened(body.action.params, conditions, plan.offers) },
    facts: body.facts,
    ...(recent ? { recent } : {}),
    ...(provided ? { provided } : {}),
    ...(unavailable ? { unavailable } : {}),
    ...(exception ? { exception: { of: exception.of, outcome: exception.outcome, rows: exception.rows, ...(exception.by ? { by: exception.by } : {}) } } : {}),
    evidence: body.evidence.map((e) => e.name),
    requester: { agent, run: body.run, onBehalfOf: body.on_behalf_of ?? null },
    tenant,
  };
}
