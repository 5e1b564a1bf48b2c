/**
 * Into whose hands a request goes: another person of the same role, the level above, or whoever takes all of it over.
 * Deadlines stay as they are: handing it on gives nobody more time. Pure: imports only from domain.
 */
import { claimFirst, standingIn, type Acting } from './acting';
import { fitFor } from './asked';
import { channelsNow, over, tellOne } from './channels';
import type { Owed } from './events';
import { after } from './json';
import { describeEnd, openLevel, tellAsked, whatIsNext } from './ladder';
import type { Move } from './moves';
import { dueNow } from './standstill';
import type { ApprovalState, SignOffState } from './state';
import { nameOf, Story, type Context } from './story';
import { proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';
import type { Level, SignOff } from './plan';

type TakeOver = Extract<Move, { type: 'take_over' }>;
type Reassign = Extract<Move, { type: 'reassign' }>;
type PassUp = Extract<Move, { type: 'pass_up' }>;

export function takeOver(state: ApprovalState, command: MoveCommand, { reason }: TakeOver, acting: Acting, context: Context): Decision {
  const { role } = acting;
  const by = command.body.person;
  const dueAt = after(context.now, context.plan.takeoverMs);
  const what = `${nameOf(context.directory, by)} (${role}) has taken it over`;
  return tell(state, context, (story) => {
    claimFirst(story, acting, command);
    const owed = tellAsked(state, by, what);
    const directory = context.directory.hash;
    story.tell({ type: 'taken_over', by, role, ...standingIn(acting), reason, dueAt, directory, owed, proof: proofOf(command) });
  });
}

/**
 * Gives an open sign-off to another person who may be asked for it. `role`: under which it is done, the asked one or an operator's. Who
 * may do so has been checked by the caller.
 */
export function reassign(
  state: ApprovalState,
  command: MoveCommand,
  { to, reason }: Pick<Reassign, 'to' | 'reason'>,
  { open, signOff, role }: Pick<Acting, 'open' | 'signOff' | 'role'>,
  context: Context,
): Decision {
  const { directory, plan, now } = context;
  const by = command.body.person;
  if (!reason.trim()) return refuse('reason_required', 'Say why it goes to somebody else: they are told');
  const from = open.claimedBy ?? (open.asked.some((a) => a.person === by) ? by : (open.owner ?? ''));
  const fit = fitFor(state, context, open, signOff, to);
  if (typeof fit === 'string') return refuse('assignee_unfit', `${fit}; name somebody else who may be asked`);
  const dueAt = dueNow(open, context) ?? now;
  const name = (id: string): string => nameOf(directory, id);
  const told = state.signOffs.find((s) => s.id === open.id)?.asked.find((a) => a.person === from) ?? { person: from, role: fit.role };
  const owed: Owed[] = [
    question(state, context, open, signOff, dueAt)(fit),
    ...(from === by || from === '' ? [] : [tellOne(state, plan, told, `${name(by)} has given it to ${name(to)}`)]),
  ];
  return tell(state, context, (story) =>
    story.tell({ type: 'reassigned', signOff: open.id, by, role, from, to: fit, reason, directory: directory.hash, owed, proof: proofOf(command) }),
  );
}

/** The question of an open level, or the page of a hold, as it goes to one more person. */
export function question(state: ApprovalState, { plan }: Context, open: SignOffState, signOff: SignOff, dueAt: string): (to: Ask['to']) => Owed {
  const channels = over(channelsNow(state, plan, open.id));
  if (open.hold) {
    const next = describeEnd(open.hold.then, plan);
    return (to) => ({ kind: 'page_backup', to, ...channels, dueAt, next });
  }
  const level: Level | undefined = signOff.ladder[open.level];
  const next = whatIsNext(plan, signOff, open.level);
  return (to) => ({ kind: 'ask', to, ...channels, level: level?.name ?? '', dueAt, next });
}

type Ask = Extract<Owed, { kind: 'ask' }>;

/** By hand to the next level; from the last one to the hold, where the row holds. Never past what somebody is there for. */
export function passUp(state: ApprovalState, command: MoveCommand, { reason }: PassUp, acting: Acting, context: Context): Decision {
  const { open, signOff, role } = acting;
  const by = command.body.person;
  if (!reason.trim()) return refuse('reason_required', 'Say why it goes to the level above: they are told');
  const story = new Story(state, context.now);
  claimFirst(story, acting, command);
  story.tell({
    type: 'passed_up',
    signOff: open.id,
    level: open.level,
    by,
    role,
    ...standingIn(acting),
    reason,
    directory: context.directory.hash,
    proof: proofOf(command),
  });
  if (!open.hold) openLevel(story, context, signOff, open.level + 1);
  const last = story.events.at(-1)?.type;
  if (last === 'level_opened' || last === 'held') return { events: story.events };
  const where = open.hold ? `who is paged while it is held` : `${signOff.ladder[open.level]?.name ?? 'this level'}`;
  return refuse('nobody_above', `Nobody can be asked above ${where}; decide it, reassign it, or take it over`);
}
