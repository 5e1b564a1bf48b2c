/**
 * The state machine: state and command at an instant give events, or a refusal with a code.
 * Time, people and signatures' validity are arguments. Pure: imports only from domain.
 *
 * A chain of several events is built by folding each into the state that the next one sees, so that what is decided
 * here and what a reader of the record folds later are one and the same.
 */
import { compareMoney, CurrencyMismatch, formatMoney } from './money';
import { holds, personOf, rosterOf, type Directory } from './directory';
import type { ApprovalEvent, Asked, Owed, Proof } from './events';
import { after, ms, type Instant } from './json';
import { DECIDING, type Command, type CommandBody, type Refusal, type RefusalCode } from './moves';
import type { Decider, Outcome } from './outcome';
import type { Level, Plan, SignOff, TimeoutEnd } from './plan';
import { apply, hasEnded, openSignOff, type ApprovalState, type SignOffState } from './state';

/** What a decision may depend on, beside the state. */
export interface Context {
  readonly now: Instant;
  readonly plan: Plan;
  readonly directory: Directory;
  /** The requester's side: they are neither asked nor may they decide. */
  readonly requesters: readonly string[];
  /** How the agent resumes, and who the request concerns: what the end owes to whom. */
  readonly resume: { readonly type: 'callback'; readonly url: string } | { readonly type: 'workflow'; readonly workflowId: string } | { readonly type: 'poll' };
  readonly hasCustomerAddress: boolean;
  readonly hasRequesterAddress: boolean;
  /** The instant `withinMs` after `now` on a calendar (null: elapsed time). */
  readonly dueAt: (now: Instant, withinMs: number, calendar: string | null) => Instant;
}

export type Decision = { readonly events: readonly ApprovalEvent[] } | { readonly refusal: Refusal };

/** How long before a decision a sign-in may lie for tier strong and dual, in milliseconds. */
export const STRONG_SIGN_IN_MS = 15 * 60_000;

const refuse = (code: RefusalCode, message: string): Decision => ({ refusal: { code, message } });

/** Collects events, keeping the state they lead to. */
class Story {
  readonly events: ApprovalEvent[] = [];
  constructor(public state: ApprovalState, private readonly now: Instant) {}
  tell(event: ApprovalEvent): void {
    this.events.push(event);
    this.state = apply(this.state, { seq: this.state.seq + 1, at: this.now, event });
  }
}

/** What happens to `state` when `command` arrives at `context.now`. */
export function decide(state: ApprovalState, command: Command, context: Context): Decision {
  switch (command.type) {
    case 'open':
      return state.state === 'routing' ? tell(state, context, (story) => openNext(story, context)) : { events: [] };
    case 'clock':
      return tell(state, context, (story) => tick(story, context));
    case 'withdraw':
      return hasEnded(state)
        ? { events: [] }
        : tell(state, context, (story) => end(story, context, { outcome: 'withdrawn', why: `Withdrawn by ${command.by}: ${command.reason}`, path: 'stop' }));
    case 'move':
      return move(state, command, context);
  }
}

function tell(state: ApprovalState, context: Context, narrate: (story: Story) => void): Decision {
  const story = new Story(state, context.now);
  narrate(story);
  return { events: story.events };
}

// ---------------------------------------------------------------- the clock

/** The next instant at which something happens by itself; null when nothing will. */
export function nextInstant(state: ApprovalState): Instant | null {
  if (hasEnded(state)) return null;
  if (state.takeover) return state.takeover.dueAt;
  if (state.hold) return state.hold.dueAt;
  const open = openSignOff(state);
  if (!open?.dueAt) return null;
  return open.reminders[0] !== undefined && open.reminders[0] < open.dueAt ? open.reminders[0] : open.dueAt;
}

/** Whether the time of whoever has it now is over, though no clock has said so yet. */
export function isPastDeadline(state: ApprovalState, now: Instant): boolean {
  const deadline = hasEnded(state) ? null : (state.takeover?.dueAt ?? state.hold?.dueAt ?? openSignOff(state)?.dueAt ?? null);
  return deadline !== null && ms(now) >= ms(deadline);
}

function tick(story: Story, context: Context): void {
  const at = nextInstant(story.state);
  if (at === null || ms(context.now) < ms(at)) return;
  const { takeover, hold } = story.state;
  if (takeover) {
    story.tell({ type: 'takeover_lapsed', by: takeover.by, dueAt: takeover.dueAt });
    return endBySilence(story, context, true);
  }
  if (hold) return finishSilence(story, context, hold.then, `Held for ${context.plan.onTimeout.hold?.role ?? 'a backup'} and nobody decided`);
  const open = openSignOff(story.state);
  const signOff = planned(context.plan, open);
  const level = open && signOff?.ladder[open.level];
  if (!open || !signOff || !level || !open.dueAt) return;
  if (ms(context.now) < ms(open.dueAt)) {
    // One reminder for all that are due: a worker that was away does not send a burst.
    const due = open.reminders.filter((r) => ms(r) <= ms(context.now));
    const last = due[due.length - 1];
    if (last === undefined) return;
    const next = whatIsNext(context.plan, signOff, open.level);
    const dueAt = open.dueAt;
    const to = open.claimedBy ? [{ person: open.claimedBy, role: level.role }] : open.asked.filter((a) => !open.given.some((d) => d.person === a.person));
    const owed = to.flatMap((asked) => level.channels.map((channel): Owed => ({ kind: 'remind', to: asked, channel, level: level.name, dueAt, next })));
    story.tell({ type: 'reminded', signOff: open.id, level: open.level, at: last, owed });
    return;
  }
  story.tell({ type: 'level_timed_out', signOff: open.id, level: open.level, name: level.name, role: level.role, owner: open.owner ?? '', dueAt: open.dueAt });
  openLevel(story, context, signOff, open.level + 1);
}

// ---------------------------------------------------------------- ladders

const planned = (plan: Plan, signOff: SignOffState | undefined): SignOff | undefined => plan.signOffs.find((s) => s.id === signOff?.id);

/** Who may not be asked: the requester's side, and whoever signed before, unless a row allows it. */
function excluded(state: ApprovalState, context: Context): string[] {
  const signed = context.plan.samePersonAllowed ? openSignOff(state)?.given ?? [] : state.signOffs.flatMap((s) => s.given);
  return [...context.requesters, ...signed.map((d) => d.person)];
}

/** Opens the first sign-off not yet given; ends the approval when there is none. A plan that nobody signs is never approved. */
function openNext(story: Story, context: Context): void {
  const { signOffs } = story.state;
  const next = signOffs.find((s) => s.status !== 'given');
  if (!next && signOffs.length > 0) return approved(story, context);
  const signOff = planned(context.plan, next);
  if (!signOff) return finishSilence(story, context, 'deny', 'The plan names nobody who could say yes');
  openLevel(story, context, signOff, 0);
}

/** Opens level `index`, or the first after it for which somebody is there; past the last, silence has the word. */
function openLevel(story: Story, context: Context, signOff: SignOff, index: number): void {
  for (let i = index; i < signOff.ladder.length; i += 1) {
    const level = signOff.ladder[i];
    if (!level) continue;
    const missing = signOff.quorum - (story.state.signOffs.find((s) => s.id === signOff.id)?.given.length ?? 0);
    const roster = rosterOf(context.directory, level.role, context.now, excluded(story.state, context));
    if (roster.length < missing) {
      const anyone = rosterOf(context.directory, level.role, context.now, []).length > 0;
      const why = anyone
        ? `Not enough people hold ${level.role} beside the requester and those who signed already`
        : `Nobody holds ${level.role} and is present`;
      story.tell({ type: 'level_skipped', signOff: signOff.id, level: i, name: level.name, role: level.role, why, directory: context.directory.hash });
      continue;
    }
    const asked: Asked[] = roster.slice(0, missing).map((person) => ({ person: person.id, role: level.role }));
    const dueAt = context.dueAt(context.now, level.withinMs, level.calendar);
    const span = ms(dueAt) - ms(context.now);
    const next = whatIsNext(context.plan, signOff, i);
    story.tell({
      type: 'level_opened', signOff: signOff.id, level: i, name: level.name, role: level.role, lane: signOff.lane,
      owner: asked[0]?.person ?? '', asked, dueAt,
      reminders: level.reminders.map((fraction) => after(context.now, Math.round(span * fraction))),
      next, directory: context.directory.hash,
      owed: asked.flatMap((to) => level.channels.map((channel): Owed => ({ kind: 'ask', to, channel, level: level.name, dueAt, next }))),
    });
    return;
  }
  endBySilence(story, context, false);
}

/** One phrase: what comes after this level if nobody answers. */
export function whatIsNext(plan: Plan, signOff: SignOff, index: number): string {
  const level = signOff.ladder[index + 1];
  if (level) return `${level.name} is asked`;
  return describeEnd(plan.onTimeout.end, plan);
}

/** One phrase for the end that silence has. */
export function describeEnd(end: TimeoutEnd, plan: Plan): string {
  switch (end) {
    case 'expire':
      return plan.onTimeout.ticket ? 'the request expires and a ticket opens for manual review' : 'the request expires';
    case 'deny':
      return 'the request is denied';
    case 'hold':
      return `the request is held and ${plan.onTimeout.hold?.role ?? 'the backup'} is paged`;
    case 'safe_alternative':
      return `the request expires and the agent does this instead: ${plan.onTimeout.alternative?.summary ?? ''}`;
  }
}

// ---------------------------------------------------------------- ends

interface End {
  readonly outcome: Outcome;
  readonly why: string;
  readonly path: string;
  readonly deciders?: readonly Decider[];
  readonly end?: TimeoutEnd;
}

/** Nobody answered: what the row says. A hold comes once, and never after a takeover lapsed. */
function endBySilence(story: Story, context: Context, lapsed: boolean): void {
  const { onTimeout } = context.plan;
  const why = lapsed ? 'The person who took over did not finish in time' : 'Nobody answered in time';
  if (onTimeout.end !== 'hold') return finishSilence(story, context, onTimeout.end, why);
  if (!onTimeout.hold || lapsed || story.state.hold) return finishSilence(story, context, onTimeout.hold?.then ?? 'deny', why);
  const { role, forMs, then } = onTimeout.hold;
  const backup = rosterOf(context.directory, role, context.now, excluded(story.state, context))[0];
  if (!backup) return finishSilence(story, context, then, `${why}, and nobody holds ${role} to page`);
  const asked = [{ person: backup.id, role }];
  const dueAt = after(context.now, forMs);
  const next = then === 'expire' ? 'the request expires' : 'the request is denied';
  story.tell({ type: 'held', role, owner: backup.id, asked, dueAt, then, owed: [{ kind: 'page_backup', to: { person: backup.id, role }, channel: 'email', dueAt, next }] });
}

function finishSilence(story: Story, context: Context, by: TimeoutEnd, why: string): void {
  if (by === 'deny') return end(story, context, { outcome: 'denied', why, path: context.plan.onDeny.path, end: by });
  const path = by === 'safe_alternative' ? 'take the declared safe alternative' : 'take no action; submit again if it is still wanted';
  end(story, context, { outcome: 'expired', why, path, end: by });
}

const approved = (story: Story, context: Context): void => {
  const deciders = story.state.signOffs.flatMap((s) => s.given);
  const why = `Approved by ${deciders.map((d) => `${nameOf(context.directory, d.person)} (${d.role})`).join(' and ')}`;
  end(story, context, { outcome: 'approved', why, path: 'execute the action exactly as approved', deciders });
};

function end(story: Story, context: Context, how: End): void {
  const { plan } = context;
  const silent = how.end !== undefined;
  const alternative = how.end === 'safe_alternative' ? plan.onTimeout.alternative : undefined;
  story.tell({
    type: 'ended', outcome: how.outcome, why: how.why, end: how.end ?? null, deciders: how.deciders ?? [], conditions: {},
    next: alternative ? { path: how.path, alternative } : { path: how.path },
    owed: owedAtEnd(story.state, context, how, silent),
  });
}

/** Who must know how it ended: the agent first, then the world outside, then everyone who was asked. */
function owedAtEnd(state: ApprovalState, context: Context, how: End, silent: boolean): Owed[] {
  const { plan, resume } = context;
  const owed: Owed[] = [];
  if (resume.type === 'callback') owed.push({ kind: 'callback', url: resume.url });
  if (resume.type === 'workflow') owed.push({ kind: 'signal_workflow', workflowId: resume.workflowId });
  if (silent && plan.onTimeout.ticket) owed.push({ kind: 'open_ticket', ...plan.onTimeout.ticket });
  const notice = silent ? plan.onTimeout.tellCustomer : how.outcome === 'denied' ? plan.onDeny.tellCustomer : undefined;
  if (notice && context.hasCustomerAddress) owed.push({ kind: 'tell_customer', ...notice });
  if (how.outcome === 'denied' && plan.onDeny.tellRequester && context.hasRequesterAddress) owed.push({ kind: 'tell_requester', what: '' });
  // Who made the last move knows; everyone else who was asked is told.
  const last = how.deciders?.at(-1)?.person;
  for (const to of everyoneAsked(state).filter((a) => a.person !== last)) owed.push({ kind: 'tell_asked', to, channel: 'email', what: '' });
  return owed;
}

/** Everyone to whom a question went out, each once. */
function everyoneAsked(state: ApprovalState): Asked[] {
  const asked = state.owed.flatMap(({ owed }) => (owed.kind === 'ask' || owed.kind === 'page_backup' ? [owed.to] : []));
  return asked.filter((a, i) => asked.findIndex((b) => b.person === a.person) === i);
}

const nameOf = (directory: Directory, id: string): string => personOf(directory, id)?.name ?? id;

// ---------------------------------------------------------------- moves of people

type MoveCommand = Extract<Command, { type: 'move' }>;

const proofOf = ({ body, signature, keyId }: MoveCommand): Proof => ({
  commandId: body.commandId, packetDigest: body.packetDigest, signedInAt: body.signedInAt, issuedAt: body.issuedAt, expiresAt: body.expiresAt, signature, keyId,
});

/** A person acts. The signature has been verified by the caller; everything else about the person is checked here. */
function move(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const { body } = command;
  if (ms(context.now) >= ms(body.expiresAt)) return refuse('command_expired', `The command was valid until ${body.expiresAt}; send it again`);
  if (hasEnded(state)) return refuse('already_decided', `It ended as ${state.state}: ${state.ended?.why ?? ''}`);
  if (!personOf(context.directory, body.person)) return refuse('not_a_person', `${body.person} is not in the directory`);
  if (context.requesters.includes(body.person)) return refuse('requester_may_not_decide', 'This request was made by you, for you, or by an agent you answer for; someone else decides it');
  if (DECIDING.includes(body.move.type) && body.packetDigest !== state.packetDigest) {
    return refuse('stale_packet', 'You decided on a version of the packet that is no longer current; read it again and decide anew');
  }
  return state.takeover ? moveOnTakeover(state, command, state.takeover.by, context) : moveOnLevel(state, command, context);
}

function moveOnTakeover(state: ApprovalState, command: MoveCommand, holder: string, context: Context): Decision {
  const { body } = command;
  const proof = proofOf(command);
  if (body.person !== holder) return refuse('taken_over_by_another', `${nameOf(context.directory, holder)} has taken this over`);
  const role = state.takeover?.role ?? '';
  const decider: Decider = { person: body.person, role, at: context.now };
  if (body.move.type === 'hand_back' || body.move.type === 'resolve') {
    // Taking over gives time, not a role: who lost it meanwhile decides nothing, and the takeover lapses by itself.
    if (!holds(context.directory, body.person, role)) return refuse('role_not_held', `${nameOf(context.directory, body.person)} does not hold ${role} any more`);
    const ceremony = checkCeremony(body, context);
    if (ceremony) return ceremony;
  }
  switch (body.move.type) {
    case 'hand_back': {
      const { instructions } = body.move;
      if (!instructions.trim()) return refuse('reason_required', 'Say how the agent should go on');
      return tell(state, context, (story) => {
        story.tell({ type: 'handed_back', by: body.person, role, instructions, proof });
        end(story, context, { outcome: 'handed_back', why: `Handed back by ${nameOf(context.directory, body.person)} (${role})`, path: instructions, deciders: [decider] });
      });
    }
    case 'resolve': {
      const { result } = body.move;
      if (!result.trim()) return refuse('reason_required', 'Say what was done');
      return tell(state, context, (story) => {
        story.tell({ type: 'resolved', by: body.person, role, result, proof });
        end(story, context, { outcome: 'resolved_by_person', why: `Done by hand by ${nameOf(context.directory, body.person)} (${role}): ${result}`, path: 'do not execute; it was done by hand', deciders: [decider] });
      });
    }
    case 'claim': case 'release': case 'approve': case 'deny': case 'take_over':
      return refuse('taken_over_by_another', 'It is taken over: hand it back or resolve it');
  }
}

/** The role under which a person may act on the open level, a hold included; undefined if none. */
function actingRole(state: ApprovalState, body: CommandBody, context: Context): { role: string; level: Level | undefined } | undefined {
  if (state.hold) return holds(context.directory, body.person, state.hold.role) ? { role: state.hold.role, level: undefined } : undefined;
  const open = openSignOff(state);
  const level = open && planned(context.plan, open)?.ladder[open.level];
  return level && holds(context.directory, body.person, level.role) ? { role: level.role, level } : undefined;
}

function moveOnLevel(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const { body } = command;
  const open = openSignOff(state);
  const signOff = planned(context.plan, open);
  if (!open || !signOff || open.level < 0) return refuse('not_open', 'Nobody has been asked yet; try again in a moment');
  const acting = actingRole(state, body, context);
  if (!acting) {
    const wanted = state.hold?.role ?? signOff.ladder[open.level]?.role ?? signOff.role;
    return refuse('role_not_held', `${nameOf(context.directory, body.person)} does not hold ${wanted}, who is asked now`);
  }
  const { role } = acting;
  if (open.claimedBy && open.claimedBy !== body.person) return refuse('claimed_by_another', `${nameOf(context.directory, open.claimedBy)} has claimed it; it can be released or will pass to the next level`);
  if (open.given.some((d) => d.person === body.person)) return refuse('already_signed', 'Your yes is already on the record; another person has to give the next one');
  if (!context.plan.samePersonAllowed && state.signOffs.some((s) => s.given.some((d) => d.person === body.person))) {
    return refuse('same_person', 'You gave an earlier sign-off of this chain; two sign-offs are two people');
  }
  const ceremony = checkCeremony(body, context);
  if (ceremony) return ceremony;
  const proof = proofOf(command);
  const by = body.person;
  const directory = context.directory.hash;
  const claimFirst = (story: Story): void => {
    if (open.owner !== by) story.tell({ type: 'claimed', by, role, implicit: true, proof });
  };
  switch (body.move.type) {
    case 'claim':
      if (open.claimedBy === by) return { events: [] };
      return tell(state, context, (story) => story.tell({ type: 'claimed', by, role, implicit: false, proof }));
    case 'release':
      if (open.claimedBy !== by) return refuse('not_claimed', 'You have not claimed it');
      return tell(state, context, (story) => story.tell({ type: 'released', by, role, proof }));
    case 'deny': {
      const { reason } = body.move;
      return tell(state, context, (story) => {
        claimFirst(story);
        story.tell({ type: 'denied', signOff: open.id, by, role, reason, directory, proof });
        end(story, context, { outcome: 'denied', why: `Denied by ${nameOf(context.directory, by)} (${role}): ${reason}`, path: context.plan.onDeny.path, deciders: [{ person: by, role, at: context.now }] });
      });
    }
    case 'take_over': {
      const { reason } = body.move;
      const dueAt = after(context.now, context.plan.takeoverMs);
      const others = everyoneAsked(state).filter((a) => a.person !== by);
      const what = `${nameOf(context.directory, by)} (${role}) has taken it over`;
      return tell(state, context, (story) => {
        claimFirst(story);
        story.tell({ type: 'taken_over', by, role, reason, dueAt, directory, owed: others.map((to): Owed => ({ kind: 'tell_asked', to, channel: 'email', what })), proof });
      });
    }
    case 'approve': {
      if (context.plan.effect === 'escalation') return refuse('approval_needs_takeover', 'This is an escalation: take it over, then resolve it or hand it back');
      const authority = authorityFor(role, signOff, state, context.plan);
      if (typeof authority !== 'string') return { refusal: authority };
      const { reason } = body.move;
      return tell(state, context, (story) => {
        claimFirst(story);
        const complete = open.given.length + 1 >= signOff.quorum;
        story.tell({ type: 'signed_off', signOff: open.id, by, role, authority, reason, complete, directory, proof });
        if (complete) openNext(story, context);
      });
    }
    case 'hand_back': case 'resolve':
      return refuse('not_taken_over', 'Take it over first');
  }
}

/** What the tier asks of the deciding person. */
function checkCeremony(body: CommandBody, context: Context): Decision | null {
  if (body.move.type === 'deny' && !body.move.reason.trim()) return refuse('reason_required', 'Say why not: the agent and the requester are told');
  if (!DECIDING.includes(body.move.type)) return null;
  if (context.plan.tier !== 'strong' && context.plan.tier !== 'dual') return null;
  if (body.move.type === 'approve' && !body.move.reason.trim()) return refuse('reason_required', `Tier ${context.plan.tier} asks for a reason with a yes`);
  if (ms(context.now) - ms(body.signedInAt) > STRONG_SIGN_IN_MS && ms(body.issuedAt) - ms(body.signedInAt) > STRONG_SIGN_IN_MS) {
    return refuse('sign_in_too_old', `Tier ${context.plan.tier} asks for a sign-in within 15 minutes; sign in again`);
  }
  return null;
}

/** Whether a yes by `role` reaches the amount, or endorses it before or after one that does; else the refusal. */
function authorityFor(role: string, signOff: SignOff, state: ApprovalState, plan: Plan): 'full' | 'endorsement' | Refusal {
  if (plan.amount === null) return 'full';
  try {
    if (reaches(role, plan)) return 'full';
    if (state.signOffs.some((s) => s.given.some((d) => reaches(d.role, plan)))) return 'endorsement';
    const later = plan.signOffs.slice(plan.signOffs.findIndex((s) => s.id === signOff.id) + 1);
    if (later.some((s) => s.ladder.every((l) => reaches(l.role, plan)))) return 'endorsement';
    return { code: 'authority_exceeded', message: `${formatMoney(plan.amount)} is above what ${role} may sign for${limitOf(role, plan)}; it has to go to a role whose authority reaches it` };
  } catch (error) {
    if (!(error instanceof CurrencyMismatch)) throw error;
    return { code: 'authority_exceeded', message: `The authority of ${role} is in another currency than ${formatMoney(plan.amount)}` };
  }
}

function reaches(role: string, plan: Plan): boolean {
  if (plan.amount === null) return true;
  if (!Object.hasOwn(plan.authority, role)) return false;
  const limit = plan.authority[role] ?? null;
  return limit === null || compareMoney(plan.amount, limit) <= 0;
}

function limitOf(role: string, plan: Plan): string {
  const limit = Object.hasOwn(plan.authority, role) ? plan.authority[role] : undefined;
  return limit ? ` (up to ${formatMoney(limit)})` : '';
}
