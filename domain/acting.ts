/**
 * Who acts on which open sign-off, as what, and what keeps them from it whatever they want to do there.
 * Pure: imports only from domain.
 */
import { askedRole, excludedFrom } from './asked';
import { refusersOf } from './authority';
import { actsAs } from './directory';
import { isDual } from './dual';
import { naming, planned, type Story } from './ladder';
import type { MoveType } from './moves';
import type { Decider } from './outcome';
import type { SignOff } from './plan';
import { idsOf, openSignOffs, type ApprovalState, type SignOffState } from './state';
import { nameOf, type Context } from './story';
import { checkCeremony, proofOf, refuse, type Decision, type MoveCommand } from './telling';

/** What a person's move is about: an open sign-off, and the role under which they act on it. */
export interface Acting {
  readonly open: SignOffState;
  readonly signOff: SignOff;
  readonly role: string;
  /** Whom they stand in for; absent where they hold the role themselves. */
  readonly for?: string;
}

/**
 * The open sign-off that a person acts on (`which`, where they say so): of several whose asked role they hold the one they claimed, else
 * one that they are asked for, else the first that is free.
 */
export function actingOn(
  state: ApprovalState,
  person: string,
  context: Pick<Context, 'plan' | 'directory' | 'requesters' | 'now'>,
  which?: string,
): Acting | undefined {
  const { plan, directory, now } = context;
  const rank = ({ open }: Acting): number => {
    if (open.claimedBy === person) return 0;
    if (open.given.some((d) => d.person === person)) return 4;
    if (open.claimedBy !== null) return 3;
    return open.asked.some((a) => a.person === person) ? 1 : 2;
  };
  return openSignOffs(state)
    .filter((open) => which === undefined || open.id === which)
    .flatMap((open): Acting[] => {
      const signOff = planned(plan, open);
      const role = askedRole(open, signOff);
      const as = role === undefined ? null : actsAs(directory, person, role, now, excludedFrom(state, context, open.id));
      return signOff && role !== undefined && as ? [{ open, signOff, role, ...as }] : [];
    })
    .sort((a, b) => rank(a) - rank(b))[0];
}

/** Moves by which an exception could come to be granted, or kept from who may grant it. */
const GRANTING: readonly MoveType[] = ['claim', 'approve', 'take_over', 'answer', 'ask', 'reassign', 'pass_up'];

/** The sign-off that a person's move is about; or why they may not move on any. */
export function actorOf(state: ApprovalState, { body }: MoveCommand, context: Context): Acting | { readonly refusal: Extract<Decision, { refusal: unknown }> } {
  const no = (...said: Parameters<typeof refuse>) => ({ refusal: refuse(...said) as Extract<Decision, { refusal: unknown }> });
  const { plan, directory } = context;
  const asked = openSignOffs(state).flatMap((open) => askedRole(open, planned(plan, open)) ?? []);
  if (asked.length === 0) return no('not_open', 'Nobody has been asked yet; try again in a moment');
  const which = 'sign_off' in body.move ? body.move.sign_off : undefined;
  if (which !== undefined && !openSignOffs(state).some((open) => open.id === which))
    return no(
      'not_open',
      `Sign-off ${which} is not open; leave it out, or name one of ${openSignOffs(state)
        .map(({ id }) => id)
        .join(', ')}`,
    );
  const acting = actingOn(state, body.person, context, which);
  if (!acting)
    return no(
      'role_not_held',
      `${nameOf(directory, body.person)} does not hold ${[...new Set(asked)].join(' or ')}, who ${asked.length > 1 ? 'are' : 'is'} asked now`,
    );
  const { open, signOff } = acting;
  const ids = idsOf([{ person: body.person, ...(acting.for === undefined ? {} : { for: acting.for }) }]);
  const among = (people: readonly Decider[] = []): boolean => idsOf(people).some((id) => ids.includes(id));
  if (open.claimedBy && open.claimedBy !== body.person)
    return no('claimed_by_another', `${nameOf(directory, open.claimedBy)} has claimed it; it can be released or will pass to the next level`);
  if (isDual(plan, signOff) && (among(open.given) || among(open.refused)))
    return no('already_chosen', 'You have chosen already; another person has to choose, without knowing what you chose');
  if (among(open.refused)) return no('already_chosen', 'You said no to it already; the level above yours decides now');
  if (among(open.given)) return no('already_signed', 'Your yes is already on the record; another person has to give the next one');
  if (!plan.samePersonAllowed && state.signOffs.some((s) => among(s.given)))
    return no('same_person', 'You gave an earlier sign-off of this chain; two sign-offs are two people');
  if (GRANTING.includes(body.move.type) && refusersOf(plan).some((id) => ids.includes(id)))
    return no('refuser_may_not_grant', 'You said no to what this is an exception to; another person grants it, with at least the authority that you had');
  const ceremony = checkCeremony(body, context);
  return ceremony && 'refusal' in ceremony ? { refusal: ceremony } : acting;
}

/** Whoever acts on what another one owns has it from then on: the claim goes before, on the record. */
export function claimFirst(story: Story, { open, role }: Acting, command: MoveCommand): void {
  const by = command.body.person;
  if (open.owner !== by) story.tell({ type: 'claimed', ...naming(story.state, open.id), by, role, implicit: true, proof: proofOf(command) });
}

/** As a decider is named on the record. */
export const deciderOf = ({ role, for: absent }: Acting, { body }: MoveCommand, { now }: Pick<Context, 'now'>): Decider => ({
  person: body.person,
  role,
  at: now,
  ...(absent === undefined ? {} : { for: absent }),
});

/** For whom it was done, as an event says it. */
export const standingIn = ({ for: absent }: Pick<Acting, 'for'>): { readonly for?: string } => (absent === undefined ? {} : { for: absent });
