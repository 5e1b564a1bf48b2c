/**
 * Whether a verified decision allows the very action that is about to be executed, under the conditions it was approved with.
 *
 * Promises: only an outcome that allows; only the action as approved, but for the params that a condition is about; those within their
 * condition; before the yes ends; for the option that was chosen. A condition that is not understood is not met.
 * Needs the token's claims and nothing else: no store, no network, no clock of its own. Must not import activities, workers or Node built-ins.
 *
 * @example
 * const claims = await verifyDecisionToken(result.token, keys, { agent: 'refund-bot', tenant: 'acme', now: new Date() });
 * requireExecutable(claims, { action: { ...action, params: { ...action.params, amount } }, now: new Date() });
 */
import { actionWithout, readGranted } from '../../domain/conditions';
import { ms, type Json, type JsonObject } from '../../domain/json';
import { formatMoney, isMoney } from '../../domain/money';
import { EXECUTABLE } from '../../domain/outcome';
import type { TokenClaims } from '../../domain/token';
import { digest } from '../../record/canonical';

export interface Execution {
  /** Exactly what is about to be done, written as it was submitted: with the amount, the recipients and so on that will be used. */
  readonly action: { readonly type: string; readonly params: JsonObject };
  /** Which of the offered options it carries out, where one was chosen. */
  readonly option?: string;
  readonly now: Date;
}

export type ExecutionCode =
  'outcome_forbids' | 'action_differs' | 'condition_unknown' | 'amount_above' | 'recipient_outside' | 'yes_expired' | 'option_missing' | 'option_differs';

/** Do not execute: why, and how to mend it. */
export class NotExecutable extends Error {
  constructor(
    readonly code: ExecutionCode,
    message: string,
  ) {
    super(message);
    this.name = 'NotExecutable';
  }
}

/** Throws {@link NotExecutable} unless exactly this may be executed now. `claims` are those of a verified token. */
export function requireExecutable(claims: TokenClaims, { action, option, now }: Execution): void {
  const no = (code: ExecutionCode, message: string): NotExecutable => new NotExecutable(code, message);
  if (!EXECUTABLE.includes(claims.outcome)) throw no('outcome_forbids', `The outcome is ${claims.outcome}, which allows nothing.`);
  const conditional = claims.outcome === 'approved_with_conditions';
  const granted = conditional ? readGranted(claims.conditions) : null;
  if (conditional ? granted === null : Object.keys(claims.conditions).length > 0)
    throw no('condition_unknown', 'The token holds a condition that is not understood here; take a newer version of this check.');
  const { amount_at_most: amount, only_recipients: recipients, expires_at: expiresAt, option: chosen, params } = granted ?? { params: {} };
  const names = [params.amount_at_most, params.only_recipients].filter((name) => name !== undefined);
  const same = names.length === 0 ? digestOf(action) === claims.action_digest : digestOf(actionWithout(action, names)) === claims.action_rest_digest;
  if (!same) throw no('action_differs', 'This is not the action that was approved; ask for the one that you mean.');
  if (amount !== undefined) {
    const used = valueOf(action.params, params.amount_at_most);
    if (!isMoney(used) || used.currency !== amount.currency || used.minor < 0 || used.minor > amount.minor)
      throw no('amount_above', `The yes is for at most ${formatMoney(amount)} of ${params.amount_at_most ?? ''}; lower it, or ask again.`);
  }
  if (recipients !== undefined) {
    const used = valueOf(action.params, params.only_recipients);
    const outside = Array.isArray(used) ? (used as readonly Json[]).find((one) => typeof one !== 'string' || !recipients.includes(one)) : '';
    if (!Array.isArray(used) || used.length === 0 || outside !== undefined)
      throw no('recipient_outside', `The yes is for some of ${params.only_recipients ?? ''} only (${recipients.join(', ')}); leave the others out.`);
  }
  if (expiresAt !== undefined && now.getTime() >= ms(expiresAt)) throw no('yes_expired', `The yes was given until ${expiresAt}; ask again.`);
  if (chosen === undefined && option !== undefined) throw no('option_differs', `No option was chosen, so ${option} was not.`);
  if (chosen !== undefined && option === undefined) throw no('option_missing', `The yes is for the option ${chosen}; say that it is the one carried out.`);
  if (chosen !== option) throw no('option_differs', `The yes is for the option ${chosen ?? ''}, and not for ${option ?? ''}.`);
}

const valueOf = (params: JsonObject, name: string | undefined): Json | undefined =>
  name !== undefined && Object.hasOwn(params, name) ? params[name] : undefined;

/** What has no digest is not what was approved. */
function digestOf(value: Json): string | null {
  try {
    return digest(value);
  } catch {
    return null;
  }
}
