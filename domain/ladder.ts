/**
 * The clock's half of the state machine: which level is open and until when, who is asked next, and how it ends.
 * Time and people are arguments. Pure: imports only from domain.
 */
import { backupsFor, seatsFor } from './asked';
import { channelsLeft, over } from './channels';
import { conditionWords, grantedOf } from './conditions';
import { choicesOf, isDual, missingOf } from './dual';
import type { Asked, Owed } from './events';
import { after, ms, type Instant, type JsonObject } from './json';
import type { Decider, Outcome } from './outcome';
import type { Level, Plan, SignOff, TimeoutEnd } from './plan';
import { earlier, lapseQuestions, questionDue } from './standstill';
import { beginMeanwhile, resumedAtEnd } from './meanwhile';
import { hasEnded, openQuestions, openSignOff, openSignOffs, type ApprovalState, type Refuser, type SignOffState } from './state';
import { nameOf, type Context, type Story } from './story';

export { nameOf, Story, type Context } from './story';

// ---------------------------------------------------------------- the clock

/** The next instant at which something happens by itself; null when nothing will. */
export function nextInstant(state: ApprovalState): Instant | null {
  if (hasEnded(state)) return null;
  if (state.takeover) return earlier(state.takeover.dueAt, questionDue(state, ''));
  return openSignOffs(state).reduce<Instant | null>((at, open) => earlier(at, momentOf(state, open)), null);
}

/** When something happens by itself to one open sign-off: a question lapses, a reminder is due, or the time is over. */
export function momentOf(state: ApprovalState, { id, dueAt, reminders, paused }: SignOffState): Instant | null {
  const asked = questionDue(state, id);
  // While its clock stands still only the question has a time.
  if (paused) return asked;
  return earlier(asked, dueAt !== null && reminders[0] !== undefined && reminders[0] < dueAt ? reminders[0] : dueAt);
}

const isDue = ({ dueAt, paused }: SignOffState, now: Instant): boolean => dueAt !== null && !paused && ms(now) >= ms(dueAt);

/** Whether the time of anyone who has it now, or who was asked for information, is over, though no clock has said so yet. */
export function isPastDeadline(state: ApprovalState, now: Instant): boolean {
  if (hasEnded(state)) return false;
  if (openQuestions(state).some((q) => ms(now) >= ms(q.dueAt))) return true;
  if (state.takeover) return ms(now) >= ms(state.takeover.dueAt);
  return openSignOffs(state).some((open) => isDue(open, now));
}

export function tick(story: Story, context: Context): void {
  const at = nextInstant(story.state);
  if (at === null || ms(context.now) < ms(at)) return;
  lapseQuestions(story, context);
  const { takeover } = story.state;
  if (takeover) {
    if (ms(context.now) < ms(takeover.dueAt)) return;
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
  if (!signOff || open.dueAt === null || open.paused) return;
  if (!isDue(open, now)) return remind(story, context, open, signOff);
  if (open.hold) return moveOn(story, context, open, signOff, `Held for ${open.hold.role} and nobody decided`);
  const level = signOff.ladder[open.level];
  if (!level) return;
  story.tell({ type: 'level_timed_out', signOff: open.id, level: open.level, name: level.name, role: level.role, owner: open.owner ?? '', dueAt: open.dueAt });
  moveOn(story, context, open, signOff, '');
}

/** A level is over, or a hold (`why`), without the word of all who were asked: the next has its turn. */
export function moveOn(story: Story, context: Context, open: SignOffState, signOff: SignOff, why: string): void {
  // The second choice did not come: a no that was made unseen is one.
  const no = isDual(context.plan, signOff) ? (open.refused ?? []) : [];
  if (no.length > 0) return endByNo(story, context, no);
  if (open.hold) return finishSilence(story, context, open.hold.then, why);
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
  const to = open.claimedBy ? [{ person: open.claimedBy, role: level.role }] : open.asked.filter((a) => !choicesOf(open).some((d) => d.person === a.person));
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

/** Where it all begins. */
export function begin(story: Story, context: Context): void {
  beginMeanwhile(story, context);
  openNext(story, context);
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

/** Opens level `index`, or the first after it for which somebody is there; past the last, silence has the word. */
export function openLevel(story: Story, context: Context, signOff: SignOff, index: number): void {
  for (let i = index; i < signOff.ladder.length; i += 1) {
    const level = signOff.ladder[i];
    if (!level) continue;
    const missing = missingOf(story.state, signOff, context.plan);
    const { seats, why } = seatsFor(story.state, context, signOff, level.role, missing);
    if (why !== null) {
      story.tell({ type: 'level_skipped', signOff: signOff.id, level: i, name: level.name, role: level.role, why, directory: context.directory.hash });
      continue;
    }
    const asked: Asked[] = seats.slice(0, missing).map((seat) => ({ ...seat, role: level.role }));
    const dueAt = dueOf(level, context, context.now, 1);
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
      reminders: level.reminders.map((fraction) => dueOf(level, context, context.now, fraction)),
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
  const missing = missingOf(story.state, signOff, context.plan);
  const asked = backupsFor(story.state, context, signOff, role)
    .slice(0, missing)
    .map((seat): Asked => ({ ...seat, role }));
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

/** Those who said no have the word, all of whose choices are on the record by now. */
export function endByNo(story: Story, context: Context, no: readonly Refuser[]): void {
  const words = no.map(({ person, role, reason }) => `${nameOf(context.directory, person)} (${role}): ${reason}`);
  const deciders = no.map(({ reason: _, ...decider }): Decider => decider);
  end(story, context, { outcome: 'denied', why: `Denied by ${words.join(' and by ')}`, path: context.plan.onDeny.path, deciders });
}

const approved = (story: Story, context: Context): void => {
  // As they were given; those of one instant in the order of the plan.
  const deciders = story.state.signOffs.flatMap((s) => s.given).sort((a, b) => ms(a.at) - ms(b.at));
  allow(story, context, `Approved by ${deciders.map((d) => `${nameOf(context.directory, d.person)} (${d.role})`).join(' and ')}`, deciders);
};

/** Under the conditions that were given with a yes so far. `beside`: what the agent has to know, behind its path. */
export function allow(story: Story, context: Context, why: string, deciders: readonly Decider[], beside = ''): void {
  const { conditions } = story.state;
  if (!conditions) return end(story, context, { outcome: 'approved', why, path: `execute the action exactly as approved${beside}`, deciders });
  const words = conditionWords(conditions, context.plan.offers?.options).join('; ');
  end(story, context, {
    outcome: 'approved_with_conditions',
    why: `${why}, with conditions: ${words}`,
    path: `execute the action under these conditions and no others: ${words}${beside}`,
    deciders,
    conditions: grantedOf(conditions, context.plan.offers) as unknown as JsonObject,
  });
}

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
  owed.push(...resumedAtEnd(state, plan, silent));
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

/** When a fraction of the time of a level that opened at `from` has passed: on its calendar, and the earliest of its deadlines. */
export function dueOf(level: Level, context: Pick<Context, 'dueAt'>, from: Instant, fraction: number): Instant {
  const limits = level.limits ?? [level];
  return limits.map(({ withinMs, calendar }) => context.dueAt(from, Math.round(withinMs * fraction), calendar)).reduce((a, b) => (ms(a) < ms(b) ? a : b));
}
