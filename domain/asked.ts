/**
 * Who may be asked for a sign-off: never the requester's side, nobody who has had their word on it, nobody who has another one in hand,
 * and at no level a person who was asked at an earlier one. Whoever acts for an absent person counts as both.
 * Pure: imports only from domain. Must not import ladder.ts, which uses this.
 */
import { refusersOf } from './authority';
import { isAbsent, personOf, rosterOf, type Seat } from './directory';
import { choicesOf, countedOf } from './dual';
import type { Asked } from './events';
import { idsOf, openSignOffs, type ApprovalState, type SignOffState } from './state';
import type { SignOff } from './plan';
import { nameOf, type Context } from './story';

/** Who is asked now for an open sign-off, its backup while it is held. */
export const askedRole = ({ hold, level }: SignOffState, signOff: SignOff | undefined): string | undefined => hold?.role ?? signOff?.ladder[level]?.role;

/**
 * Who may not be asked to give a sign-off: the requester's side, whoever refused it before, who said no to it or passed it up, and whoever
 * signed before, unless a row allows it.
 */
export function excludedFrom(state: ApprovalState, { plan, requesters }: Pick<Context, 'plan' | 'requesters'>, id: string): string[] {
  const one = state.signOffs.find((s) => s.id === id);
  const signed = state.signOffs.filter((s) => s.id === id || !plan.samePersonAllowed).flatMap((s) => countedOf(state, plan, s));
  return [...requesters, ...refusersOf(plan), ...idsOf(signed), ...idsOf(one?.refused ?? []), ...(one?.passed ?? [])];
}

/** Who has another sign-off in hand just now: two sign-offs are two people, also side by side. */
export function engagedBeside(state: ApprovalState, { plan }: Pick<Context, 'plan'>, id: string): string[] {
  if (plan.samePersonAllowed) return [];
  return openSignOffs(state).flatMap((s) => (s.id === id ? [] : [...idsOf(s.asked), ...(s.claimedBy === null ? [] : [s.claimedBy])]));
}

const isOneOf =
  (ids: readonly string[]) =>
  ({ person, for: absent }: Seat): boolean =>
    ids.includes(person) || (absent !== undefined && ids.includes(absent));

/** Who may be asked for it in a role now, in the order of duty; where they are fewer than `missing`, why. */
export function seatsFor(
  state: ApprovalState,
  context: Context,
  { id }: Pick<SignOff, 'id'>,
  role: string,
  missing: number,
): { readonly seats: readonly Seat[]; readonly why: string | null } {
  const { directory, now } = context;
  const present = rosterOf(directory, role, now, excludedFrom(state, context, id));
  const free = present.filter((seat) => !isOneOf(engagedBeside(state, context, id))(seat));
  const before = state.signOffs.find((s) => s.id === id)?.before ?? [];
  const seats = free.filter((seat) => !isOneOf(before)(seat));
  if (seats.length >= missing) return { seats, why: null };
  if (rosterOf(directory, role, now, []).length === 0) return { seats, why: `Nobody holds ${role} and is present` };
  const beside =
    present.length < missing
      ? 'the requester and those who signed already'
      : free.length < missing
        ? 'those who are asked for another sign-off'
        : 'those who were asked at an earlier level';
  return { seats, why: `Not enough people hold ${role} beside ${beside}` };
}

/**
 * Who is paged where the ladder has run out, the best first: those who were not asked before, and last who has another sign-off in hand.
 * A backup who was asked before may still say no, or take all of it over.
 */
export function backupsFor(state: ApprovalState, context: Context, { id }: Pick<SignOff, 'id'>, role: string): readonly Seat[] {
  const before = state.signOffs.find((s) => s.id === id)?.before ?? [];
  const rank = (seat: Seat): number => (isOneOf(engagedBeside(state, context, id))(seat) ? 2 : 0) + (isOneOf(before)(seat) ? 1 : 0);
  return [...rosterOf(context.directory, role, context.now, excludedFrom(state, context, id))].sort((a, b) => rank(a) - rank(b));
}

/** As what somebody may be asked for an open sign-off instead of who has it; else why not, in a sentence. */
export function fitFor(state: ApprovalState, context: Context, open: SignOffState, signOff: SignOff, to: string): Asked | string {
  const { directory, plan, requesters, now } = context;
  const person = personOf(directory, to);
  const role = askedRole(open, signOff);
  if (!person || role === undefined) return `${to} is not in the directory`;
  const name = nameOf(directory, to);
  if (open.claimedBy === to || open.owner === to || open.asked.some((a) => a.person === to)) return `${name} is asked for it already`;
  if (requesters.includes(to)) return `${name} is on the asking side`;
  if (refusersOf(plan).includes(to)) return `${name} said no to what this is an exception to`;
  if (idsOf(choicesOf(open)).includes(to)) return `${name} has had their word on it`;
  if (open.passed?.includes(to)) return `${name} has passed it up`;
  if (engagedBeside(state, context, open.id).includes(to)) return `${name} is asked for another sign-off`;
  if (excludedFrom(state, context, open.id).includes(to)) return `${name} gave another sign-off of this chain`;
  if (isAbsent(person, now)) return `${name} is absent`;
  const seat = rosterOf(directory, role, now, excludedFrom(state, context, open.id)).find((one) => one.person === to);
  return seat ? { ...seat, role } : `${name} does not hold ${role}, nor stand in for somebody who does`;
}
