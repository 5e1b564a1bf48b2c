/**
 * The clock's half of the state machine: which level is open and until when, who is asked next, and how it ends.
 * Time and people are arguments. Pure: imports only from domain.
 */
import { refusersOf } from './authority';
import { channelsLeft, over } from './channels';
import { conditionWords, grantedOf } from './conditions';
import { personOf, rosterOf, type Directory } from './directory';
import type { ApprovalEvent, Asked, Owed } from './events';
import { after, ms, type Instant, type JsonObject } from './json';
import type { Decider, Outcome } from './outcome';
import type { Level, Plan, SignOff, TimeoutEnd } from './plan';
import { apply, hasEnded, openSignOff, openSignOffs, type ApprovalState, type SignOffState } from './state';

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
  return openSignOffs(state)
    .map(momentOf)
    .reduce<Instant | null>((a, b) => (a === null || (b !== null && b < a) ? b : a), null);
}

/** When something happens by itself to one open sign-off. */
export const momentOf = ({ dueAt, reminders }: SignOffState): Instant | null =>
  dueAt !== null && reminders[0] !== undefined && reminders[0] < dueAt ? reminders[0] : dueAt;

const isDue = ({ dueAt }: SignOffState, now: Instant): boolean => dueAt !== null && ms(now) >= ms(dueAt);

/** Whether the time of anyone who has it now is over, though no clock has said so yet. */
export function isPastDeadline(state: ApprovalState, now: Instant): boolean {
  if (hasEnded(state)) return false;
  if (state.takeover) return ms(now) >= ms(state.takeover.dueAt);
  return openSignOffs(state).some((open) => isDue(open, now));
}

export function tick(story: Story, context: Context): void {
  const at = nextInstant(story.state);
  if (at === null || ms(context.now) < ms(at)) return;
  const { takeover } = story.state;
  if (takeover) {
    story.tell({ type: 'takeover_lapsed', by: takeover.by, dueAt: takeover.dueAt });
    return endBySilence(story, context, null);
  }
  // Where several are open, in the order in which their times ran out: each moves by one step at most, and an end is one for all.
  const inTime = [...openSignOffs(story.state)].sort((a, b) => ((a.dueAt ?? '') < (b.dueAt ?? '') ? -1 : (a.dueAt ?? '') > (b.dueAt ?? '') ? 1 : 0));
  for (const { id } of inTime) {
    const open = hasEnded(story.state) ? undefined : openSignOff(story.state, id);
    if (open) tickOne(story, context, open);
  }
}

function tickOne(story: Story, context: Context, open: SignOffState): void {
  const { now, plan } = context;
  const signOff = planned(plan, open);
  if (!signOff || open.dueAt === null) return;
  if (!isDue(open, now)) return remind(story, context, open, signOff);
  if (open.hold) return finishSilence(story, context, open.hold.then, `Held for ${open.hold.role} and nobody decided`);
  const level = signOff.ladder[open.level];
  if (!level) return;
  story.tell({ type: 'level_timed_out', signOff: open.id, level: open.level, name: level.name, role: level.role, owner: open.owner ?? '', dueAt: open.dueAt });
  openLevel(story, context, signOff, open.level + 1);
}

function remind(story: Story, context: Context, open: SignOffState, signOff: SignOff): void {
  // One reminder for all that are due: a worker that was away does not send a burst.
  const due = open.reminders.filter((r) => ms(r) <= ms(context.now));
  const last = due[due.length - 1];
  const level = signOff.ladder[open.level];
  const { dueAt } = open;
  if (last === undefined || !level || dueAt === null) return;
  const next = whatIsNext(context.plan, signOff, open.level);
  const to = open.claimedBy ? [{ person: open.claimedBy, role: level.role }] : open.asked.filter((a) => !open.given.some((d) => d.person === a.person));
  const owed = to.map((asked): Owed => ({ kind: 'remind', to: asked, ...over(level.channels), level: level.name, dueAt, next }));
  story.tell({ type: 'reminded', signOff: open.id, level: open.level, at: last, owed });
}

// ---------------------------------------------------------------- ladders

export const planned = (plan: Plan, signOff: SignOffState | undefined): SignOff | undefined => plan.signOffs.find((s) => s.id === signOff?.id);

/** The sign-offs that open together with this one, itself included. */
export const stageOf = (plan: Plan, { id, stage }: SignOff): readonly SignOff[] =>
  plan.signOffs.filter((s) => s.id === id || (stage !== undefined && s.stage === stage));

/** Which of the open sign-offs an event is about: left out where there is no choice, as in every event from before there was one. */
export const naming = (state: ApprovalState, id: string): { readonly signOff?: string } => (openSignOffs(state).length > 1 ? { signOff: id } : {});

/** Who may not be asked to give a sign-off: the requester's side, whoever refused it before, and whoever signed before, unless a row allows it. */
function excluded(state: ApprovalState, context: Context, id: string): string[] {
  const signed = state.signOffs.filter((s) => s.id === id || !context.plan.samePersonAllowed).flatMap((s) => s.given);
  return [...context.requesters, ...refusersOf(context.plan), ...signed.map((d) => d.person)];
}

/** Who has another sign-off in hand just now: two sign-offs are two people, also side by side. */
function engaged(state: ApprovalState, context: Context, id: string): string[] {
  if (context.plan.samePersonAllowed) return [];
  return openSignOffs(state).flatMap((s) => (s.id === id ? [] : [...s.asked.map((a) => a.person), ...(s.claimedBy === null ? [] : [s.claimedBy])]));
}

/** Opens the next stage once all before it is given; ends the approval when there is none. A plan that nobody signs is never approved. */
export function openNext(story: Story, context: Context): void {
  const { signOffs } = story.state;
  const next = signOffs.find((s) => s.status !== 'given');
  if (!next && signOffs.length > 0) return approved(story, context);
  const signOff = planned(context.plan, next);
  if (!signOff) return finishSilence(story, context, 'deny', 'The plan names nobody who could say yes');
  for (const one of stageOf(context.plan, signOff)) {
    if (story.state.signOffs.some((s) => s.id === one.id && s.status === 'pending') && !hasEnded(story.state)) openLevel(story, context, one, 0);
  }
}

const missingOf = (state: ApprovalState, { id, quorum }: SignOff): number => quorum - (state.signOffs.find((s) => s.id === id)?.given.length ?? 0);

/** Opens level `index`, or the first after it for which somebody is there; past the last, silence has the word. */
function openLevel(story: Story, context: Context, signOff: SignOff, index: number): void {
  for (let i = index; i < signOff.ladder.length; i += 1) {
    const level = signOff.ladder[i];
    if (!level) continue;
    const missing = missingOf(story.state, signOff);
    const busy = engaged(story.state, context, signOff.id);
    const present = rosterOf(context.directory, level.role, context.now, excluded(story.state, context, signOff.id));
    const roster = present.filter((person) => !busy.includes(person.id));
    if (roster.length < missing) {
      const anyone = rosterOf(context.directory, level.role, context.now, []).length > 0;
      const beside = present.length < missing ? 'the requester and those who signed already' : 'those who are asked for another sign-off';
      const why = anyone ? `Not enough people hold ${level.role} beside ${beside}` : `Nobody holds ${level.role} and is present`;
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
  endBySilence(story, context, signOff);
}

/** One phrase: what comes after this level if nobody answers. */
export function whatIsNext(plan: Plan, signOff: SignOff, index: number): string {
  const level = signOff.ladder[index + 1];
  if (level) return `${level.name} is asked`;
  return describeEnd(plan.onTimeout.end, plan);
}

/** One phrase for the end that silence has, with what is done besides. */
export function describeEnd(end: TimeoutEnd, plan: Plan): string {
  const { pauseWorkflow, disableCredentials = [] } = plan.onTimeout;
  const besides = [
    ...(pauseWorkflow ? ['the agent is paused'] : []),
    ...disableCredentials.map(({ credential }) => `the credential ${credential} is disabled`),
  ];
  return [endWords(end, plan), ...besides].join('; ');
}

function endWords(end: TimeoutEnd, plan: Plan): string {
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
  readonly conditions?: JsonObject;
  /** What a person supplied. */
  readonly facts?: JsonObject;
}

/**
 * Nobody answered: what the row says, for the whole request. `signOff` is the one whose ladder ran out; null where a takeover lapsed, after
 * which there is no hold. Each sign-off is held once.
 */
function endBySilence(story: Story, context: Context, signOff: SignOff | null): void {
  const { onTimeout } = context.plan;
  const why = signOff === null ? 'The person who took over did not finish in time' : 'Nobody answered in time';
  if (onTimeout.end !== 'hold') return finishSilence(story, context, onTimeout.end, why);
  if (!onTimeout.hold || signOff === null) return finishSilence(story, context, onTimeout.hold?.then ?? 'deny', why);
  const { role, forMs, then } = onTimeout.hold;
  const present = rosterOf(context.directory, role, context.now, excluded(story.state, context, signOff.id));
  const busy = engaged(story.state, context, signOff.id);
  // Whoever has another sign-off in hand comes last: a backup can still say no, or take all of it over.
  const backups = [...present.filter((p) => !busy.includes(p.id)), ...present.filter((p) => busy.includes(p.id))];
  const asked = backups.slice(0, missingOf(story.state, signOff)).map((person): Asked => ({ person: person.id, role }));
  const [owner] = asked;
  if (!owner) return finishSilence(story, context, then, `${why}, and nobody holds ${role} to page`);
  const dueAt = after(context.now, forMs);
  const next = describeEnd(then, context.plan);
  // A hold has no level of its own: its page goes out as the last question did.
  const open = openSignOff(story.state, signOff.id);
  const channels = (open && signOff.ladder[open.level]?.channels) ?? [];
  story.tell({
    type: 'held',
    ...naming(story.state, signOff.id),
    role,
    owner: owner.person,
    asked,
    dueAt,
    then,
    owed: asked.map((to): Owed => ({ kind: 'page_backup', to, ...over(channels), dueAt, next })),
  });
}

function finishSilence(story: Story, context: Context, by: TimeoutEnd, why: string): void {
  if (by === 'deny') return end(story, context, { outcome: 'denied', why, path: context.plan.onDeny.path, end: by });
  const path = by === 'safe_alternative' ? 'take the declared safe alternative' : 'take no action; submit again if it is still wanted';
  end(story, context, { outcome: 'expired', why, path, end: by });
}

const approved = (story: Story, context: Context): void => {
  // As they were given; those of one instant in the order of the plan.
  const deciders = story.state.signOffs.flatMap((s) => s.given).sort((a, b) => ms(a.at) - ms(b.at));
  const why = `Approved by ${deciders.map((d) => `${nameOf(context.directory, d.person)} (${d.role})`).join(' and ')}`;
  const { conditions } = story.state;
  if (!conditions) return end(story, context, { outcome: 'approved', why, path: 'execute the action exactly as approved', deciders });
  const words = conditionWords(conditions, context.plan.offers?.options).join('; ');
  end(story, context, {
    outcome: 'approved_with_conditions',
    why: `${why}, with conditions: ${words}`,
    path: `execute the action under these conditions and no others: ${words}`,
    deciders,
    conditions: grantedOf(conditions, context.plan.offers) as unknown as JsonObject,
  });
};

export function end(story: Story, context: Context, how: End): void {
  const { plan } = context;
  const silent = how.end !== undefined;
  const alternative = how.end === 'safe_alternative' ? plan.onTimeout.alternative : undefined;
  const pause = silent ? plan.onTimeout.pauseWorkflow : undefined;
  story.tell({
    type: 'ended',
    outcome: how.outcome,
    why: how.why,
    end: how.end ?? null,
    deciders: how.deciders ?? [],
    conditions: how.conditions ?? {},
    next: {
      path: how.path,
      ...(alternative ? { alternative } : {}),
      ...(pause ? { pause: { reason: pause.reason } } : {}),
      ...(how.facts ? { facts: how.facts } : {}),
    },
    owed: owedAtEnd(story, context, how, silent),
  });
}

/** Who must know how it ended: the agent first, then the world outside, then everyone who was asked. */
function owedAtEnd({ state, events }: Story, context: Context, how: End, silent: boolean): Owed[] {
  const { plan, resume } = context;
  const { pauseWorkflow, disableCredentials = [] } = plan.onTimeout;
  const owed: Owed[] = [];
  if (resume.type === 'callback') owed.push({ kind: 'callback', url: resume.url });
  // Before it is told how it ended: what is paused does not go on from there.
  if (silent && pauseWorkflow && resume.type === 'workflow') owed.push({ kind: 'pause_workflow', workflowId: resume.workflowId, ...pauseWorkflow });
  if (resume.type === 'workflow') owed.push({ kind: 'signal_workflow', workflowId: resume.workflowId });
  if (silent) owed.push(...disableCredentials.map((one): Owed => ({ kind: 'disable_credential', ...one })));
  if (silent && plan.onTimeout.ticket) owed.push({ kind: 'open_ticket', ...plan.onTimeout.ticket });
  const notice = silent ? plan.onTimeout.tellCustomer : how.outcome === 'denied' ? plan.onDeny.tellCustomer : undefined;
  if (notice && context.hasCustomerAddress) owed.push({ kind: 'tell_customer', ...notice });
  if (how.outcome === 'denied' && plan.onDeny.tellRequester && context.hasRequesterAddress) owed.push({ kind: 'tell_requester', what: '' });
  // Who made the last move knows; everyone else who was asked is told.
  const last = how.deciders && (events.findLast((event) => event.type === 'signed_off')?.by ?? how.deciders.at(-1)?.person);
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
