/**
 * The clock's half of the state machine: which level is open and until when, who is asked next, and how it ends.
 * Time and people are arguments. Pure: imports only from domain.
 */
import { channelsLeft, over } from './channels';
import { personOf, rosterOf, type Directory } from './directory';
import type { ApprovalEvent, Asked, Owed } from './events';
import { after, ms, type Instant } from './json';
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

/** Collects events, keeping the state they lead to. */
export class Story {
  readonly events: ApprovalEvent[] = [];
  constructor(
    public state: ApprovalState,
    private readonly now: Instant,
  ) {}
  tell(event: ApprovalEvent): void {
    this.events.push(event);
    this.state = apply(this.state, { seq: this.state.seq + 1, at: this.now, event });
  }
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

export function tick(story: Story, context: Context): void {
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
    const owed = to.map((asked): Owed => ({ kind: 'remind', to: asked, ...over(level.channels), level: level.name, dueAt, next }));
    story.tell({ type: 'reminded', signOff: open.id, level: open.level, at: last, owed });
    return;
  }
  story.tell({ type: 'level_timed_out', signOff: open.id, level: open.level, name: level.name, role: level.role, owner: open.owner ?? '', dueAt: open.dueAt });
  openLevel(story, context, signOff, open.level + 1);
}

// ---------------------------------------------------------------- ladders

export const planned = (plan: Plan, signOff: SignOffState | undefined): SignOff | undefined => plan.signOffs.find((s) => s.id === signOff?.id);

/** Who may not be asked: the requester's side, and whoever signed before, unless a row allows it. */
function excluded(state: ApprovalState, context: Context): string[] {
  const signed = context.plan.samePersonAllowed ? (openSignOff(state)?.given ?? []) : state.signOffs.flatMap((s) => s.given);
  return [...context.requesters, ...signed.map((d) => d.person)];
}

/** Opens the first sign-off not yet given; ends the approval when there is none. A plan that nobody signs is never approved. */
export function openNext(story: Story, context: Context): void {
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
    const dueAt = dueOf(level, context, 1);
    const next = whatIsNext(context.plan, signOff, i);
    story.tell({
      type: 'level_opened',
      signOff: signOff.id,
      level: i,
      name: level.name,
      role: level.role,
      lane: signOff.lane,
      owner: asked[0]?.person ?? '',
      asked,
      dueAt,
      reminders: level.reminders.map((fraction) => dueOf(level, context, fraction)),
      next,
      directory: context.directory.hash,
      owed: asked.map((to): Owed => ({ kind: 'ask', to, ...over(level.channels), level: level.name, dueAt, next })),
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
export function endBySilence(story: Story, context: Context, lapsed: boolean): void {
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
  // A hold has no level of its own: its page goes out as the last question did.
  const open = openSignOff(story.state);
  const channels = (open && planned(context.plan, open)?.ladder[open.level]?.channels) ?? [];
  story.tell({
    type: 'held',
    role,
    owner: backup.id,
    asked,
    dueAt,
    then,
    owed: [{ kind: 'page_backup', to: { person: backup.id, role }, ...over(channels), dueAt, next }],
  });
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

export function end(story: Story, context: Context, how: End): void {
  const { plan } = context;
  const silent = how.end !== undefined;
  const alternative = how.end === 'safe_alternative' ? plan.onTimeout.alternative : undefined;
  story.tell({
    type: 'ended',
    outcome: how.outcome,
    why: how.why,
    end: how.end ?? null,
    deciders: how.deciders ?? [],
    conditions: {},
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
  return [...owed, ...tellAsked(state, last, '')];
}

/** A word to everyone to whom a question went out, but for one, each once: over the channel that the question reached them on, or those after it. */
export function tellAsked(state: ApprovalState, except: string | undefined, what: string): Owed[] {
  const asked = state.owed.flatMap((debt) =>
    debt.owed.kind === 'ask' || debt.owed.kind === 'page_backup' ? [{ to: debt.owed.to, channels: channelsLeft(debt) }] : [],
  );
  return asked
    .filter(({ to }, i) => to.person !== except && asked.findIndex((b) => b.to.person === to.person) === i)
    .map(({ to, channels }): Owed => ({ kind: 'tell_asked', to, ...over(channels), what }));
}

export const nameOf = (directory: Directory, id: string): string => personOf(directory, id)?.name ?? id;

/** When a fraction of a level's time has passed: on its calendar, and the earliest of its deadlines. */
function dueOf(level: Level, context: Context, fraction: number): Instant {
  const limits = level.limits ?? [level];
  return limits
    .map(({ withinMs, calendar }) => context.dueAt(context.now, Math.round(withinMs * fraction), calendar))
    .reduce((a, b) => (ms(a) < ms(b) ? a : b));
}
