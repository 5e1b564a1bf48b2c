/**
 * Authority: how far a role's yes reaches. Exact at the limit; an error across currencies is a refusal, never a guess.
 * Pure: imports only from domain.
 */
import { countedOf } from './dual';
import { CurrencyMismatch, compareMoney, formatMoney } from './money';
import type { Refusal } from './moves';
import type { Plan, SignOff } from './plan';
import type { ApprovalState } from './state';

/** Whether a yes by `role` reaches the amount, or endorses it before or after one that does; else the refusal. */
export function authorityFor(role: string, signOff: SignOff, state: ApprovalState, plan: Plan): 'full' | 'endorsement' | Refusal {
  try {
    if (reaches(role, plan)) return 'full';
    if (state.signOffs.some((s) => countedOf(state, plan, s).some((d) => lifts(d.role, plan)))) return 'endorsement';
    // Those that are not given yet: later ones, and in a stage of several those beside it.
    const missing = plan.signOffs.filter(({ id }) => id !== signOff.id && !state.signOffs.some((s) => s.id === id && s.status === 'given'));
    if (missing.some((s) => s.ladder.every((l) => lifts(l.role, plan)))) return 'endorsement';
    return exceeded(role, plan);
  } catch (error) {
    return inAnotherCurrency(error, role, plan);
  }
}

/** Why a yes by `role` does not stand for all that are asked for, as an override does: its own authority has to reach the amount. Null where it does. */
export function whyNotAlone(role: string, plan: Plan): Refusal | null {
  try {
    return lifts(role, plan) ? null : exceeded(role, plan);
  } catch (error) {
    return inAnotherCurrency(error, role, plan);
  }
}

const exceeded = (role: string, plan: Plan): Refusal => ({
  code: 'authority_exceeded',
  message:
    plan.amount === null || plan.exception?.below?.includes(role)
      ? `${role} has less authority than who refused this before; the exception has to go to a role with at least as much`
      : `${formatMoney(plan.amount)} is above what ${role} may sign for${limitOf(role, plan)}; it has to go to a role whose authority reaches it`,
});

function inAnotherCurrency(error: unknown, role: string, plan: Plan): Refusal {
  if (!(error instanceof CurrencyMismatch)) throw error;
  return {
    code: 'authority_exceeded',
    message: `The authority of ${role} is in another currency than ${plan.amount ? formatMoney(plan.amount) : 'the amount'}`,
  };
}

/** Who said no to what this is an exception to: they are not asked about it, and do not grant it, unless a row lets them. */
export const refusersOf = ({ exception }: Plan): readonly string[] => (exception?.refuserAllowed ? [] : (exception?.by ?? []).map(({ person }) => person));

function reaches(role: string, plan: Plan): boolean {
  // Whoever undoes a refusal has at least the authority of who made it.
  if (plan.exception?.below?.includes(role)) return false;
  if (plan.amount === null) return true;
  if (!Object.hasOwn(plan.authority, role)) return false;
  const limit = plan.authority[role] ?? null;
  return limit === null || compareMoney(plan.amount, limit) <= 0;
}

/** Whether a yes by `role` is what another one's yes may lean on: it reaches the amount, and was asked about it. */
const lifts = (role: string, plan: Plan): boolean => reaches(role, plan) && !(plan.unmeasured?.includes(role) ?? false);

function limitOf(role: string, plan: Plan): string {
  const limit = Object.hasOwn(plan.authority, role) ? plan.authority[role] : undefined;
  return limit ? ` (up to ${formatMoney(limit)})` : '';
}
