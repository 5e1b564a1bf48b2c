/**
 * Dual control: two people choose, and neither sees the other's choice before making their own. Until all of them have chosen it is told of
 * nobody what they said, and nothing follows from it.
 * Pure: imports only from domain. Whoever shows an approval to somebody asks here what is not to be shown yet.
 */
import type { ApprovalEvent } from './events';
import type { Decider } from './outcome';
import type { Plan, SignOff } from './plan';
import { hasEnded, type ApprovalState, type SignOffState } from './state';

/** Whether a sign-off is chosen unseen. Taking over an escalation is no choice between yes and no. */
export const isDual = ({ tier, effect }: Pick<Plan, 'tier' | 'effect'>, signOff: Pick<SignOff, 'quorum'> | undefined): boolean =>
  tier === 'dual' && effect === 'approval' && (signOff?.quorum ?? 1) >= 2;

/** Who has said yes or no to a sign-off, as they said it. */
export const choicesOf = ({ given, refused = [] }: Pick<SignOffState, 'given' | 'refused'>): readonly Decider[] =>
  [...given, ...refused].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));

/** How many people are still to choose. In dual control a no is a choice as well; elsewhere it leaves a yes missing. */
export function missingOf(state: Pick<ApprovalState, 'signOffs'>, signOff: SignOff, plan: Plan): number {
  const one = state.signOffs.find((s) => s.id === signOff.id);
  return signOff.quorum - (one === undefined ? 0 : isDual(plan, signOff) ? choicesOf(one).length : one.given.length);
}

/** A sign-off of which something has been chosen that nobody may see yet. */
export interface Sealed {
  readonly signOff: string;
  /** How many have chosen, and how many there are to be. */
  readonly chosen: number;
  readonly of: number;
}

/** What is sealed now: nothing once it has ended. */
export function sealedOf(state: ApprovalState, plan: Plan): readonly Sealed[] {
  if (hasEnded(state)) return [];
  return state.signOffs.flatMap((one): Sealed[] => {
    const signOff = plan.signOffs.find((s) => s.id === one.id);
    const chosen = choicesOf(one).length;
    return signOff && isDual(plan, signOff) && one.status === 'open' && chosen > 0 ? [{ signOff: one.id, chosen, of: signOff.quorum }] : [];
  });
}

/** Whether something is sealed, of one sign-off or of any. */
export const isSealed = (state: ApprovalState, plan: Plan, signOff?: string): boolean =>
  sealedOf(state, plan).some((s) => signOff === undefined || s.signOff === signOff);

/**
 * Who counts as having said yes to a sign-off, for what follows elsewhere: whom it lifts over a limit, who may still be asked. While it is
 * sealed everyone who has chosen, or what follows would tell what they chose; one no among them ends all of it.
 */
export const countedOf = (state: ApprovalState, plan: Plan, one: SignOffState): readonly Decider[] =>
  isSealed(state, plan, one.id) ? choicesOf(one) : one.given;

/** All that may be said of it: `1 of 2 has chosen`. */
export const sealedWords = ({ chosen, of }: Sealed): string => `${String(chosen)} of ${String(of)} ${chosen === 1 ? 'has' : 'have'} chosen`;

/**
 * Whether a person (null: nobody in particular) may see what an event says: all but others' choices that are sealed. While somebody may
 * still choose unseen, a yes or a no of somebody else that was refused is sealed as well: what they tried to say tells what they will say.
 */
export function unsealedFor(person: string | null, state: ApprovalState, plan: Plan): (event: ApprovalEvent) => boolean {
  const sealed = sealedOf(state, plan).map(({ signOff }) => signOff);
  const isDualOpen = (one: SignOffState): boolean =>
    one.status === 'open' &&
    isDual(
      plan,
      plan.signOffs.find((s) => s.id === one.id),
    );
  const choosing = !hasEnded(state) && state.signOffs.some(isDualOpen);
  return (event) => {
    if ('by' in event && event.by === person) return true;
    if (event.type === 'refused') return !choosing || (event.move !== 'approve' && event.move !== 'deny');
    return !((event.type === 'signed_off' || event.type === 'said_no') && sealed.includes(event.signOff));
  };
}
