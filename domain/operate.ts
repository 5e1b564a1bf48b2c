/**
 * What operators do with a request that is in other people's hands: give it to somebody else, extend a deadline, take it over, have a
 * delivery tried again; override and break the glass are in override.ts.
 * Promises: nobody operates through a deputy, nothing of it is done without a reason, and who is on the asking side has been turned away
 * before. Pure: imports only from domain.
 */
import { askedRole, excludedFrom } from './asked';
import { refusersOf } from './authority';
import { tellOne } from './channels';
import { actsAs, holds } from './directory';
import { choicesOf } from './dual';
import type { Asked } from './events';
import { reassign } from './handing';
import { after } from './json';
import { planned, tellAsked } from './ladder';
import type { Move } from './moves';
import { breakGlass, override } from './override';
import { OPERATORS, type Plan, type SignOff } from './plan';
import { earlier } from './standstill';
import { hasEnded, MOOT_AT_END, openSignOffs, type ApprovalState, type SignOffState } from './state';
import { nameOf, type Context } from './story';
import { takeoverEndsBy } from './takeover';
import { checkCeremony, proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

type Of<T extends Move['type']> = Extract<Move, { type: T }>;

export const operatorsOf = (plan: Plan): NonNullable<Plan['operators']> => plan.operators ?? OPERATORS;

/** The role under which a person operates, or null where they are no operator. */
export const operatorRole = (person: string, { plan, directory }: Pick<Context, 'plan' | 'directory'>): string | null =>
  operatorsOf(plan).roles.find((role) => holds(directory, person, role)) ?? null;

/**
 * What a move of an operator does. Null where it is none of an operator's moves, or one that a holder of the asked role may make as well
 * (reassign, take_over) and the person is no operator, or has it in hand: it is then looked at as theirs.
 */
export function operate(state: ApprovalState, command: MoveCommand, context: Context): Decision | null {
  const { person, move } = command.body;
  if (move.type === 'override') return override(state, command, move, context);
  if (move.type === 'break_glass') return breakGlass(state, command, move, context);
  if (move.type !== 'extend' && move.type !== 'reopen_delivery' && move.type !== 'reassign' && move.type !== 'take_over') return null;
  const role = operatorRole(person, context);
  if (role === null)
    return move.type === 'reassign' || move.type === 'take_over'
      ? null
      : refuse(
          'not_an_operator',
          `${nameOf(context.directory, person)} is no operator of this policy; ask somebody who is (${operatorsOf(context.plan).roles.join(', ') || 'it names none'})`,
        );
  if (move.type === 'reopen_delivery') return whyNoReason(move.reason) ?? reopen(state, command, move, role);
  if (move.type === 'extend') return whyNoReason(move.reason) ?? extend(state, command, move, role, context);
  if (hasInHand(state, person, context)) return null;
  return whyNoReason(move.reason) ?? hand(state, command, move, role, context);
}

const whyNoReason = (reason: string): Decision | null =>
  reason.trim() ? null : refuse('reason_required', 'Say why: it is on the record, and who is asked is told that you did it');

/** Whose own it is: they give it away, or take all of it over, as whoever is asked. */
function hasInHand(state: ApprovalState, person: string, context: Context): boolean {
  if (state.takeover) return state.takeover.by === person;
  return openSignOffs(state).some((open) => {
    const role = askedRole(open, planned(context.plan, open));
    const may = role !== undefined && actsAs(context.directory, person, role, context.now, excludedFrom(state, context, open.id)) !== null;
    return may && (open.claimedBy ?? open.owner) === person;
  });
}

/** Both may bring an exception into the hands of one who grants it. */
function hand(state: ApprovalState, command: MoveCommand, move: Of<'reassign'> | Of<'take_over'>, role: string, context: Context): Decision {
  if (refusersOf(context.plan).includes(command.body.person))
    return refuse('refuser_may_not_grant', 'You said no to what this is an exception to; another operator hands it on');
  return move.type === 'take_over' ? takeOver(state, command, move, role, context) : reassignAs(state, command, move, role, context);
}

/** The open sign-off that is meant: the only one, or the one that is named. */
function meant(
  state: ApprovalState,
  { plan, directory }: Context,
  which: string | undefined,
): { readonly open: SignOffState; readonly signOff: SignOff } | Decision {
  const { takeover } = state;
  if (takeover) return refuse('taken_over_by_another', `${nameOf(directory, takeover.by)} has taken it over; nobody is asked for it now`);
  const open = openSignOffs(state);
  if (open.length === 0) return refuse('not_open', 'Nobody has been asked yet; try again in a moment');
  const ids = open.map(({ id }) => id).join(', ');
  if (which === undefined && open.length > 1) return refuse('not_open', `Several sign-offs are open; name one of ${ids}`);
  const one = which === undefined ? open[0] : open.find(({ id }) => id === which);
  const signOff = planned(plan, one);
  return one && signOff ? { open: one, signOff } : refuse('not_open', `Sign-off ${which ?? ''} is not open; name one of ${ids}`);
}

function reassignAs(state: ApprovalState, command: MoveCommand, move: Of<'reassign'>, role: string, context: Context): Decision {
  const one = meant(state, context, move.sign_off);
  return 'open' in one ? reassign(state, command, move, { ...one, role }, context) : one;
}

/** From any open state, also from somebody who has taken it over: all of it together then takes no longer than one takeover may. */
function takeOver(state: ApprovalState, command: MoveCommand, { reason }: Of<'take_over'>, role: string, context: Context): Decision {
  const { plan, directory, now } = context;
  const { takeover } = state;
  const by = command.body.person;
  if (!takeover && openSignOffs(state).length === 0) return refuse('not_open', 'Nobody has been asked yet; try again in a moment');
  const ceremony = checkCeremony(command.body, context);
  if (ceremony) return ceremony;
  const dueAt = after(now, plan.takeoverMs);
  const what = `${nameOf(directory, by)} (${role}) has taken it over`;
  const before: readonly Asked[] = takeover && takeover.by !== by ? [{ person: takeover.by, role: takeover.role }] : [];
  const told = tellAsked(state, by, what);
  const asked = new Set(told.flatMap((one) => ('to' in one ? [one.to.person] : [])));
  return tell(state, context, (story) =>
    story.tell({
      type: 'taken_over',
      by,
      role,
      reason,
      dueAt: earlier(dueAt, takeover ? takeoverEndsBy(takeover, plan) : null) ?? dueAt,
      directory: directory.hash,
      owed: [...told, ...before.filter((one) => !asked.has(one.person)).map((one) => tellOne(state, plan, one, what))],
      proof: proofOf(command),
    }),
  );
}

/** More time for a level: plain elapsed minutes, and all of them together no more than the policy says. */
function extend(state: ApprovalState, command: MoveCommand, { minutes, reason, sign_off: which }: Of<'extend'>, role: string, context: Context): Decision {
  const { plan, directory } = context;
  const { extendAtMostMs } = operatorsOf(plan);
  const by = command.body.person;
  if (extendAtMostMs === undefined) return refuse('extension_not_allowed', 'The policy lets nobody extend a deadline; reassign it, or take it over');
  if (state.takeover) return refuse('extension_not_allowed', 'A takeover is not extended: who has it says by an update until when they need');
  const one = meant(state, context, which);
  if (!('open' in one)) return one;
  const { open } = one;
  if (open.hold || open.dueAt === null) return refuse('extension_not_allowed', 'It is held already, and a hold is not extended; decide it, or take it over');
  const before = open.extendedMinutes ?? 0;
  const atMost = Math.floor(extendAtMostMs / 60_000);
  if (!Number.isSafeInteger(minutes) || minutes < 1 || before + minutes > atMost)
    return refuse(
      'extension_too_long',
      `${String(minutes)} minutes are not among what the policy lets a level have: ${String(atMost)} in all, of which ${String(before)} were given; ${
        atMost > before ? `give 1 to ${String(atMost - before)}` : 'no more can be given'
      }`,
    );
  const from = open.dueAt;
  const what = `${nameOf(directory, by)} (${role}) has extended the deadline by ${String(minutes)} ${minutes === 1 ? 'minute' : 'minutes'}`;
  const owed = open.asked
    .filter(({ person }) => person !== by && !choicesOf(open).some((d) => d.person === person))
    .map((to) => tellOne(state, plan, to, what));
  return tell(state, context, (story) =>
    story.tell({
      type: 'extended',
      signOff: open.id,
      by,
      role,
      from,
      dueAt: after(from, minutes * 60_000),
      minutes,
      reason,
      owed,
      proof: proofOf(command),
    }),
  );
}

/** Also after the end, but for what nobody waits for any more then. */
function reopen(state: ApprovalState, command: MoveCommand, { owed_id: owedId, reason }: Of<'reopen_delivery'>, role: string): Decision {
  const debt = state.owed.find(({ id }) => id === owedId);
  if (!debt) return refuse('unknown_delivery', `Nothing with the id ${owedId} is owed to anybody here; the deliveries of this approval list theirs`);
  if (debt.status !== 'failed_for_good')
    return refuse(
      'delivery_not_given_up',
      `${owedId} ${debt.status === 'done' ? 'has been done' : 'is still being tried'}; only what was given up is opened again`,
    );
  if (hasEnded(state) && MOOT_AT_END.includes(debt.owed.kind))
    return refuse('delivery_not_given_up', `It has ended: ${owedId} (${debt.owed.kind}) has nobody to wait for it any more`);
  return { events: [{ type: 'delivery_reopened', owedId, by: command.body.person, role, reason, proof: proofOf(command) }] };
}
