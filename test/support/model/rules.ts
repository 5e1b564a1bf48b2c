/**
 * What has to be true of an approval after every single step, whoever moved and whenever: read from the record and from what was sent, by
 * means that the state machine does not use (who stands in for whom, who could have said yes, what time was left are all found out here anew).
 * Must not import anything but the domain's types, its fold and what reads the state.
 */
import type { Directory, Person } from '../../../domain/directory';
import type { ApprovalEvent, Asked, EventType } from '../../../domain/events';
import { ms, type Instant } from '../../../domain/json';
import { nextInstant } from '../../../domain/ladder';
import { isOutcome, OPEN_STATES } from '../../../domain/outcome';
import type { Level, Plan, SignOff } from '../../../domain/plan';
import { apply, INITIAL, openQuestions, openSignOffs, type ApprovalState, type Recorded, type SignOffState } from '../../../domain/state';
import { viewOf } from '../../../domain/view';
import { MINUTE } from '../approval-play';
import { dueIn, ROUND_THE_CLOCK, workedIn, type Hours } from './hours';
import type { Stage, Step } from './stage';

class Broken extends Error {}

function must(holds: boolean, what: string, about: unknown = ''): asserts holds {
  if (!holds) throw new Broken(`${what}: ${JSON.stringify(about)}`);
}

type Of<T extends EventType> = Extract<ApprovalEvent, { type: T }>;
const all = <T extends EventType>(record: readonly Recorded[], ...types: readonly T[]): (Of<T> & { readonly seq: number; readonly at: Instant })[] =>
  record.flatMap(({ seq, at, event }) => ((types as readonly string[]).includes(event.type) ? [{ ...(event as Of<T>), seq, at }] : []));

// ---------------------------------------------------------------- who may act as what

const isAway = (person: Person, now: Instant) => person.absences.find(({ from, to }) => from <= now && now < to);

/** Who stands in for somebody who is away, the last of them present; nobody where the line ends, turns in a circle, or is too long. */
function lineOf(directory: Directory, id: string, now: Instant): readonly string[] {
  const line: string[] = [];
  let at = directory.people[id];
  while (at) {
    const away = isAway(at, now);
    if (!away) return line;
    const { deputy } = away as { readonly deputy?: string };
    if (deputy === undefined || deputy === id || line.includes(deputy) || line.length === 3) return [];
    line.push(deputy);
    at = directory.people[deputy];
  }
  return [];
}

/** As whom a person can act in a role: as themselves, and for each who is away and whose line they stand in. */
function asWhom(directory: Directory, id: string, role: string, now: Instant): readonly string[] {
  const own = directory.people[id]?.roles.includes(role) ? [id] : [];
  const others = Object.values(directory.people).filter((p) => p.id !== id && p.roles.includes(role) && lineOf(directory, p.id, now).at(-1) === id);
  return [...own, ...others.map((p) => p.id)];
}

/** Everybody that somebody counts as. */
const countsAs = ({ person, for: absent }: { readonly person: string; readonly for?: string }): readonly string[] =>
  absent === undefined ? [person] : [person, absent];

const levelOf = (plan: Plan, signOff: string, level: number): Level | undefined => plan.signOffs.find((s) => s.id === signOff)?.ladder[level];
const askedRole = (plan: Plan, open: SignOffState): string => open.hold?.role ?? levelOf(plan, open.id, open.level)?.role ?? '';
const hoursOf = (stage: Stage, level: Level | undefined): Hours => (level?.calendar === 'office' ? stage.hours : ROUND_THE_CLOCK);
const refusers = ({ exception }: Plan): readonly string[] => (exception?.by ?? []).map((one) => one.person);
const isSealed = ({ tier, effect }: Plan, { quorum }: SignOff): boolean => tier === 'dual' && effect === 'approval' && quorum >= 2;

function reaches(plan: Plan, role: string): boolean {
  if (plan.amount === null) return true;
  const limit = Object.hasOwn(plan.authority, role) ? plan.authority[role] : undefined;
  return limit === null || (limit !== undefined && limit.minor >= plan.amount.minor);
}

// ---------------------------------------------------------------- after every step

/** Moves by which somebody decides, or keeps it from who may. */
const ACTED: readonly EventType[] = [
  'claimed',
  'released',
  'signed_off',
  'denied',
  'said_no',
  'taken_over',
  'answered',
  'handed_back',
  'resolved',
  'worked',
  'commented',
  'information_asked',
  'reassigned',
  'passed_up',
  'extended',
  'override_proposed',
  'overridden',
  'glass_broken',
  'delivery_reopened',
];
const AFTER_END: readonly EventType[] = ['refused', 'attempted', 'delivery_reopened'];

/** Everything that is looked at after a step. `shadow`: the state of a reader who only ever saw the entries as JSON. */
export function checkStep(stage: Stage, step: Step, shadow: ApprovalState): ApprovalState {
  const { plan, record } = stage;
  const read = step.all.reduce((state, entry) => apply(state, JSON.parse(JSON.stringify(entry)) as Recorded), shadow);
  must(same(read, step.after), 'who reads the record sees another state', { read, state: step.after });
  if (step.refusal !== null || step.repeated) checkNothingChanged(step);
  checkEnd(stage, step);
  checkStanding(step.after, plan);
  checkInstants(stage, step);
  for (const { event, at } of step.added) checkActor(stage, step, event, at);
  checkPacket(step);
  if (step.added.length === 0) return read;
  checkYeses(stage);
  checkAsked(stage, step);
  checkClocks(stage, step);
  checkChoices(stage, step);
  checkBounds(stage, step);
  must(step.after.seq === record.length && step.all.every((e, i) => e.seq === step.first.seq + i + 1), 'entries are numbered in order', step.all);
  return read;
}

/** Whether two readers would see the same: what is absent and what is undefined are one. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, two] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  for (const key in one) if (!same(one[key], two[key])) return false;
  for (const key in two) if (two[key] !== undefined && one[key] === undefined) return false;
  return true;
}

function checkNothingChanged({ before, after, added, refusal, repeated }: Step): void {
  const { seq: _a, strays: _b, ...was } = before;
  const { seq: _c, strays: _d, ...is } = after;
  must(same(was, is), 'what is refused, or was answered before, changes nothing', { was, is });
  must(added.length === (repeated ? 0 : 1), 'a refusal is one entry, a repetition none', added);
  if (refusal) must(/^[A-Z].* .*[^.]$/.test(refusal.message) || /\w \w/.test(refusal.message), 'a refusal is a sentence', refusal);
}

/** One end, nothing after it, and what the first said stands. */
function checkEnd(stage: Stage, { first, before, after: state, all: told }: Step): void {
  const ends = all(stage.record, 'ended');
  must(ends.length <= 1, 'it ends once', ends);
  must((ends.length === 1) === isOutcome(state.state), 'it has ended when the record says so', state.state);
  must(isOutcome(state.state) || (OPEN_STATES as readonly string[]).includes(state.state), 'it is in a state that has a word', state.state);
  const [end] = ends;
  if (!end) return;
  const later = stage.record.slice(end.seq).filter((r) => !AFTER_END.includes(r.event.type));
  must(later.length === 0, 'nothing follows the end', later);
  if (isOutcome(first.state)) must(first.ended === state.ended && before.state === state.state, 'the first end stands');
  must(openQuestions(state).length === 0, 'nobody is asked anything after the end');
  if (told.some((e) => e.event.type === 'ended')) checkOutcome(stage, end, told);
}

/** Why it may have ended so: read from the whole record. */
function checkOutcome({ plan, record }: Stage, end: Of<'ended'>, told: readonly Recorded[]): void {
  const yes = all(record, 'signed_off');
  const overridden = all(record, 'overridden')[0];
  const glass = all(record, 'glass_broken')[0];
  if (end.outcome === 'approved' || end.outcome === 'approved_with_conditions') {
    must(glass !== undefined || overridden !== undefined || plan.effect === 'approval', 'an escalation is not approved', end);
    if (!glass && !overridden) {
      for (const s of plan.signOffs) must(yes.filter((e) => e.signOff === s.id).length === s.quorum, 'every sign-off has its quorum', s);
      must(
        yes.some((e) => reaches(plan, e.role)),
        'somebody’s authority reaches the amount',
        { yes, amount: plan.amount },
      );
      must(
        all(record, 'said_no').every((e) => e.then === 'next_level'),
        'a no among those who choose unseen ends it',
        end,
      );
      must(same(end.deciders.map((d) => d.person).sort(), yes.map((e) => e.by).sort()), 'who said yes decided', end);
    }
    if (overridden) must(overridden.decision === 'approve', 'an override says what becomes of it', overridden);
    if (end.outcome === 'approved_with_conditions')
      must(
        yes.some((e) => e.conditions),
        'conditions are somebody’s',
        end,
      );
  }
  if (end.outcome === 'denied' && end.end === null) {
    const over = overridden?.decision === 'deny' ? [overridden.by, overridden.first] : [];
    // Two who chose unseen may have said what cannot hold together.
    const apart = yes.filter((e) => plan.tier === 'dual' && !e.complete && e.conditions !== undefined).map((e) => e.by);
    const noes = [...all(record, 'denied', 'said_no').map((e) => e.by), ...over, ...apart];
    must(end.deciders.length > 0 && end.deciders.every((d) => noes.includes(d.person)), 'whoever is said to have denied said no', end);
  }
  if (['answered', 'resolved_by_person', 'handed_back'].includes(end.outcome)) must(end.deciders.length === 1, 'one person decided', end);
  if (end.outcome === 'answered') must(plan.asksFor !== undefined && plan.effect === 'escalation' && end.next.facts !== undefined, 'facts were asked for', end);
  if (end.end !== null) must(end.deciders.length === 0, 'nobody decided by silence', end);
  const paused = all(record, 'meanwhile_begun').flatMap((e) => e.owed.flatMap((o) => (o.kind === 'pause_credential' ? [o.credential] : [])));
  const disabled = end.owed.flatMap((o) => (o.kind === 'disable_credential' ? [o.credential] : []));
  const resumed = end.owed.flatMap((o) => (o.kind === 'resume_credential' ? [o.credential] : []));
  must(same(disabled, end.end === null ? [] : (plan.onTimeout.disableCredentials ?? []).map((c) => c.credential)), 'silence disables, and nothing else', end);
  must(same([...resumed].sort(), paused.filter((c) => !disabled.includes(c)).sort()), 'what was paused works again, but for what is disabled', { paused, end });
  const last = told.filter((e) => e.event.type !== 'refused').at(-1);
  must(last?.event.type === 'ended', 'the end is the last word', told);
}

/** A hold may page fewer than there are signatures missing: all of them may have had their word. */
const isSpent = ({ hold, asked, given, refused = [] }: SignOffState): boolean =>
  hold !== null && asked.every((a) => [...given, ...refused].some((d) => d.person === a.person));

/** Each open sign-off has one owner, and the word for the whole fits. */
function checkStanding(state: ApprovalState, plan: Plan): void {
  if (isOutcome(state.state) || state.state === 'routing') return;
  const open = openSignOffs(state);
  const asking = openQuestions(state);
  if (state.takeover) {
    must(state.state === 'taken_over', 'what was taken over is', state.state);
    return;
  }
  must(open.length > 0, 'something is open', state);
  for (const one of open) {
    must(one.dueAt !== null, 'an open sign-off has a deadline', one);
    const spent = isSpent(one);
    must(one.owner !== null || spent, 'an open sign-off has an owner', one);
    must(one.claimedBy === null || one.claimedBy === one.owner, 'who claimed it owns it', one);
    must(spent || one.claimedBy !== null || one.asked.some((a) => a.person === one.owner), 'the owner is one of those asked, or has claimed it', one);
    if (one.paused)
      must(
        asking.some((q) => q.id === one.paused?.question),
        'a clock stands still for an open question only',
        one,
      );
  }
  for (const q of asking)
    must(
      open.some((o) => o.id === q.signOff),
      'a question is of an open sign-off',
      { q, state },
    );
  const word = asking.length > 0 ? 'asked' : open.some((o) => o.hold) ? 'held' : 'waiting';
  must(state.state === word, `it is ${word}`, state.state);
  // Two sign-offs are two people, also while both are asked.
  if (!plan.samePersonAllowed) {
    const levels = open.filter((o) => o.hold === null).map((o) => o.asked.filter((a) => a.person !== o.claimedBy).flatMap(countsAs));
    for (const [i, mine] of levels.entries())
      for (const theirs of levels.slice(i + 1)) must(!mine.some((p) => theirs.includes(p)), 'nobody is asked for two sign-offs at once', open);
  }
}

/** It always goes on by itself, and the view says when. */
function checkInstants(stage: Stage, { command, before, after: state, added, refusal, context }: Step): void {
  const at = nextInstant(state);
  must((at === null) === (isOutcome(state.state) || state.state === 'routing'), 'an open request has an instant at which something happens by itself', state);
  const view = viewOf(state, stage.plan, stage.directory, stage.now, null);
  must((view.wake?.at ?? null) === at, 'the view waits for the next instant', view.wake);
  must(view.seq === state.seq && view.state === state.state, 'the view is of this state', view);
  if (at !== null && !openSignOffs(state).some(isSpent)) must(view.wake?.label !== '' && !view.details.includes('null'), 'the view says who has it', view);
  if (command.type !== 'clock' || refusal || added.length === 0) return;
  const due = nextInstant(before);
  if (!isUnsettled(stage, before)) must(due !== null && ms(context.now) >= ms(due), 'a clock that comes early does nothing', { due, now: context.now, added });
}

/** Whether who is asked, or until when, may have to be found out again: people come and go, and the calendar may be another. */
const isUnsettled = ({ directories, directory, hoursChanged }: Stage, state: ApprovalState): boolean =>
  directories.length > 1 ||
  hoursChanged ||
  // Or one who is asked for two, where one is held, has signed the other.
  openSignOffs(state).some(({ asked, id }) => asked.some((a) => state.signOffs.some((s) => s.id !== id && s.given.some((d) => d.person === a.person)))) ||
  openSignOffs(state).some(({ asked }) => asked.flatMap(countsAs).some((id) => (directory.people[id]?.absences.length ?? 0) > 0));

/** Who did it could do it at that moment: they held the role, or stood in for somebody who did, and are not of the requester's side. */
function checkActor(stage: Stage, { before, command }: Step, event: ApprovalEvent, now: Instant): void {
  const { plan, directory, requesters } = stage;
  if (!ACTED.includes(event.type) || !('by' in event) || !('role' in event)) return;
  const { by, role } = event;
  const absent = (event as { readonly for?: string }).for;
  const selves = absent === undefined ? [by] : [by, absent];
  must(!selves.some((p) => requesters.includes(p)), 'the requester’s side does nothing', event);
  must(directory.people[by] !== undefined, 'who moves is in the directory', event);
  must(command.type === 'move' && command.body.person === by, 'who moves is who signed', { event, command });
  // Taking over gives time: who has lost the role may still say where it stands and ask, and decides nothing.
  const onlyTalks = event.type === 'commented' || (before.takeover !== null && (event.type === 'worked' || event.type === 'information_asked'));
  if (!onlyTalks) must(asWhom(directory, by, role, now).length > 0, 'who acts holds the role, or stands in for who does', { event, now });
  if (absent !== undefined) must(asWhom(directory, by, role, now).includes(absent), 'who stands in does so now', { event, now });
  const { roles, override, breakGlass } = plan.operators ?? { roles: ['operator'] };
  const asked = openSignOffs(before).map((o) => askedRole(plan, o));
  const exact = { extended: roles, delivery_reopened: roles, override_proposed: override?.roles, overridden: override?.roles, glass_broken: breakGlass?.roles };
  if (event.type in exact) must(exact[event.type as keyof typeof exact]?.includes(role) === true, 'the policy names who operates', event);
  else if (['signed_off', 'denied', 'said_no', 'passed_up', 'claimed', 'released'].includes(event.type))
    must(asked.includes(role), 'the role is asked now', { event, asked });
  else if (['taken_over', 'reassigned'].includes(event.type)) must(asked.includes(role) || roles.includes(role), 'the role is asked now, or operates', event);
  if (['worked', 'handed_back', 'resolved'].includes(event.type)) must(before.takeover?.by === by, 'who took it over works on it', event);
  // A no they may say: it takes nothing back.
  if (['signed_off', 'taken_over', 'answered'].includes(event.type) || (event.type === 'claimed' && !event.implicit))
    must(!selves.some((p) => refusers(plan).includes(p)), 'who said no to it before does not grant it', event);
  if (event.type === 'glass_broken') must(plan.effect === 'approval' && event.owed.some((o) => o.kind === 'open_ticket'), 'it is reviewed', event);
  if (command.body.bulk !== undefined)
    must(
      plan.tier === 'lightweight' && ['claim', 'release', 'approve', 'deny', 'comment'].includes(command.body.move.type),
      'at once with others only where the tier allows it',
      command,
    );
}

/** The packet is another exactly when something was added to it. */
function checkPacket({ before, after: state, added }: Step): void {
  const supplements = added.filter((e) => e.event.type === 'information_given' || e.event.type === 'evidence_added').length;
  must(state.supplements.length - before.supplements.length === supplements, 'what is added is kept', state.supplements);
  must((state.packetDigest !== before.packetDigest) === supplements > 0, 'the packet is another exactly when something was added', added);
  if (supplements > 0) {
    const digests = state.supplements.map((s) => s.digest);
    must(new Set(digests).size === digests.length && digests[digests.length - 1] === state.packetDigest, 'each addition has a digest of its own', digests);
    const pieces = state.supplements.filter((s) => s.kind === 'evidence').length;
    must(pieces <= 20, 'there are not too many pieces of evidence', pieces);
  }
}

/** Two yeses are two people, whoever stood in for whom; never of the requester's side. */
function checkYeses({ plan, record, requesters }: Stage): void {
  const yes = all(record, 'signed_off').map((e) => ({ ...e, selves: countsAs({ person: e.by, ...('for' in e ? { for: e.for } : {}) }) }));
  for (const [i, one] of yes.entries()) {
    must(!one.selves.some((p) => requesters.includes(p)), 'the requester’s side does not sign', one);
    for (const other of yes.slice(i + 1))
      if (!plan.samePersonAllowed || one.signOff === other.signOff)
        must(!one.selves.some((p) => other.selves.includes(p)), 'two yeses are two people', { one, other });
    if (one.authority === 'full') must(reaches(plan, one.role), 'a full yes reaches the amount', one);
  }
  for (const s of plan.signOffs) must(yes.filter((e) => e.signOff === s.id).length <= s.quorum, 'no more sign than are needed', s);
}

/** Who is asked can be asked: present, in the role or for who holds it, of nobody's side, and never twice. */
function checkAsked(stage: Stage, { added, before }: Step): void {
  const { plan, record, requesters, directory } = stage;
  for (const { event, at, seq } of added) {
    const asked: readonly Asked[] =
      event.type === 'level_opened' || event.type === 'held' || event.type === 'resolved_anew' ? event.asked : event.type === 'reassigned' ? [event.to] : [];
    const fresh = asked.filter((a) => event.type !== 'resolved_anew' || !openSignOffs(before).some((o) => o.asked.some((b) => b.person === a.person)));
    for (const a of fresh) {
      must(!countsAs(a).some((p) => requesters.includes(p) || refusers(plan).includes(p)), 'nobody of the requester’s side is asked', event);
      const person = directory.people[a.person];
      // Or has claimed it before they went.
      const hasIt = event.type === 'resolved_anew' && openSignOffs(before).some((o) => o.claimedBy === a.person);
      must(person !== undefined && (hasIt || !isAway(person, at)), 'who is asked is there', { a, at });
      if (a.for === undefined) must(person.roles.includes(a.role), 'who is asked holds the role', { a });
      else must(a.for !== a.person && asWhom(directory, a.person, a.role, at).includes(a.for), 'who is asked stands in for who holds the role', { a, at });
    }
    if (event.type === 'level_opened' || event.type === 'held' || event.type === 'resolved_anew') {
      must(new Set(event.asked.map((a) => a.person)).size === event.asked.length, 'nobody is asked twice at once', event);
      must(event.owner !== '', 'a level has an owner', event);
    }
    if (event.type === 'level_opened') {
      const earlier = record.slice(0, seq - 1);
      const before = [
        ...all(earlier, 'level_opened', 'resolved_anew').flatMap((e) => (e.signOff === event.signOff ? e.asked : [])),
        ...all(earlier, 'reassigned').flatMap((e) => (e.signOff === event.signOff ? [e.to] : [])),
      ].map((a) => a.person);
      const done = all(earlier, 'passed_up', 'said_no').flatMap((e) => (e.signOff === event.signOff ? [e.by] : []));
      must(!event.asked.some((a) => before.includes(a.person) || done.includes(a.person)), 'nobody is asked twice for one sign-off', { event, before, done });
      // Where two choose unseen, a no is a choice as well.
      const unseen = all(earlier, 'said_no').filter((e) => e.signOff === event.signOff && e.then === 'second_choice').length;
      const given = all(earlier, 'signed_off').filter((e) => e.signOff === event.signOff).length;
      const quorum = plan.signOffs.find((s) => s.id === event.signOff)?.quorum ?? 0;
      must(event.asked.length === quorum - given - unseen, 'as many are asked as are missing', event);
    }
  }
}

/** No level is skipped or cut short, a question loses nobody's time, and what operators give is bounded. */
function checkClocks(stage: Stage, { first, caughtUp }: Step): void {
  const { plan, record } = stage;
  let state = first;
  for (const entry of record.slice(first.seq)) {
    const { event, at } = entry;
    if (event.type === 'level_opened' || event.type === 'level_skipped') {
      const was = state.signOffs.find((s) => s.id === event.signOff);
      // Or it is the open level itself that nobody is left for.
      const left = event.type === 'level_skipped' && was?.owner !== null && event.level === was?.level && isUnsettled(stage, state);
      must(left || event.level === (was?.level ?? -1) + 1, 'the next level follows', { event, was });
      const index = plan.signOffs.findIndex((s) => s.id === event.signOff);
      const stage0 = plan.signOffs[index]?.stage;
      for (const earlier of plan.signOffs.slice(0, index))
        if (earlier.stage === undefined || earlier.stage !== stage0)
          must(state.signOffs.find((s) => s.id === earlier.id)?.status === 'given', 'no stage opens before the one before it is given', event);
      const why = record.slice(0, entry.seq - 1).filter((r) => r.seq > first.seq && 'signOff' in r.event && r.event.signOff === event.signOff);
      const moved = why.some((r) => ['level_timed_out', 'level_skipped', 'passed_up', 'said_no'].includes(r.event.type));
      if (event.level > 0 && !left) must(moved, 'a level follows one that is over', { event, why });
      if (event.type === 'level_opened') {
        const level = levelOf(plan, event.signOff, event.level);
        must(event.dueAt === dueIn(hoursOf(stage, level), at, level?.withinMs ?? 0), 'a level has all of its time', { event, at });
      }
    }
    if (event.type === 'level_timed_out') {
      const was = state.signOffs.find((s) => s.id === event.signOff);
      must(was?.dueAt === event.dueAt && ms(at) >= ms(event.dueAt) && was.paused === undefined, 'a level ends when its time is over', { event, was, at });
    }
    if (event.type === 'information_asked') {
      const was = state.signOffs.find((s) => s.id === event.signOff);
      const { clock, withinMs, atMost } = plan.questions ?? { clock: 'runs', withinMs: 4 * 60 * MINUTE, atMost: 20 };
      must(state.questions.length < atMost, 'there are not too many questions', event);
      must(event.question === `q${String(state.questions.length + 1)}`, 'questions are numbered', event);
      must(ms(event.dueAt) <= ms(at) + withinMs && (!caughtUp || ms(event.dueAt) > ms(at)), 'a question has its time', event);
      if (was && clock === 'pauses' && was.hold === null && !state.takeover && was.paused === undefined) {
        const level = levelOf(plan, event.signOff, was.level);
        must(event.left?.dueMs === workedIn(hoursOf(stage, level), at, was.dueAt ?? at), 'what is left is kept', { event, was, at });
      } else {
        must(event.left === null, 'its clock runs', event);
        if (was && !state.takeover && was.paused === undefined)
          must(event.dueAt <= (was.dueAt ?? ''), 'a question does not outlast who asked it', { event, was });
      }
    }
    if ((event.type === 'information_given' || event.type === 'question_lapsed') && !state.takeover) {
      const was = openSignOffs(state).find((s) => s.paused?.question === event.question);
      const others = openQuestions(state).some((q) => q.signOff === was?.id && q.id !== event.question);
      must((event.resumed !== null) === (was !== undefined && !others), 'a clock that stood still for its last question runs on', { event, was });
      if (was?.paused && event.resumed) {
        const { dueMs, calendar } = was.paused.left;
        const hours = calendar === null ? ROUND_THE_CLOCK : stage.hours;
        // Noticed late, it runs on from when the question was over.
        const from = event.type === 'question_lapsed' ? event.dueAt : at;
        must(workedIn(hours, from, event.resumed.dueAt) === dueMs, 'a question costs nobody their time', { event, was, at });
        must(
          event.resumed.reminders.every((r) => r <= (event.resumed?.dueAt ?? '')),
          'reminders come before the end',
          event,
        );
      }
    }
    if (event.type === 'information_given') {
      const asked = state.questions.find((q) => q.id === event.question);
      must(asked?.status === 'open' && asked.of === (event.byAgent ? 'agent' : event.by), 'who was asked answers', { event, asked });
      must(!caughtUp || ms(at) < ms(asked.dueAt), 'an answer comes in time', { event, asked });
    }
    if (event.type === 'question_lapsed') must(ms(at) >= ms(event.dueAt), 'a question lapses when its time is over', event);
    if (event.type === 'extended') {
      const was = state.signOffs.find((s) => s.id === event.signOff);
      must(ms(event.dueAt) === ms(event.from) + event.minutes * MINUTE && event.from === was?.dueAt && event.minutes >= 1, 'more time is more', { event, was });
    }
    if (event.type === 'worked') {
      const began = state.takeover?.at ?? at;
      must(ms(event.dueAt) <= ms(began) + (plan.takeoverAtMostMs ?? plan.takeoverMs), 'a takeover is bounded', { event, began });
      must(ms(event.dueAt) > ms(at), 'the next word is to come', event);
    }
    if (event.type === 'takeover_lapsed') must(ms(at) >= ms(event.dueAt), 'a takeover lapses when its time is over', event);
    if (event.type === 'resolved_anew') {
      const was = state.signOffs.find((s) => s.id === event.signOff);
      must(
        !same([was?.asked, was?.owner, was?.dueAt, was?.reminders], [event.asked, event.owner, event.dueAt, event.reminders]),
        'what is found out again is told only where it is another',
        { event, was },
      );
      must(event.directory === stage.directory.hash, 'by the directory in force', event);
      must(was?.dueAt === event.dueAt || (was?.extendedMinutes === undefined && was?.hold === null), 'what was extended keeps its time', { event, was });
    }
    state = apply(state, entry);
  }
}

/** One no, two who choose unseen, two who override: what each choice may come to. */
function checkChoices({ plan, record, state }: Stage, { added, all: told, command }: Step): void {
  for (const s of plan.signOffs) {
    const chosen = [
      ...all(record, 'signed_off').filter((e) => e.signOff === s.id),
      ...all(record, 'said_no').filter((e) => e.signOff === s.id && e.then === 'second_choice'),
    ];
    if (!isSealed(plan, s)) must(!chosen.some((e) => e.type === 'said_no'), 'only two choose unseen', chosen);
    else {
      must(chosen.length <= s.quorum && new Set(chosen.map((e) => e.by)).size === chosen.length, 'each chooses once', chosen);
      if (!isOutcome(state.state) && chosen.some((e) => e.type === 'said_no')) must(chosen.length < s.quorum, 'all have chosen: it is decided', chosen);
    }
  }
  const up = all(added, 'said_no', 'passed_up').find((e) => e.type === 'passed_up' || e.then === 'next_level');
  if (up) {
    if (up.type === 'said_no') must(plan.onDeny.oneNo === 'next_level', 'one no ends it', up);
    const next = added.filter((e) => e.seq > up.seq).map((e) => e.event.type);
    must(['level_opened', 'level_skipped', 'held', 'ended'].includes(next[0] ?? ''), 'somebody else is asked at once', added);
  }
  const no = all(told, 'denied')[0];
  if (no) must(isOutcome(state.state), 'a no ends it', told);
  const over = all(added, 'overridden')[0];
  if (over) {
    const { override } = plan.operators ?? {};
    must(override?.may.includes(over.decision) === true && Object.hasOwn(override.reasons, over.because), 'the policy lets them, for a reason it names', over);
    must(isOutcome(state.state), 'an override decides', over);
    if (over.decision === 'approve') must(reaches(plan, over.role), 'an override has the authority', over);
    if (override.secondPerson) {
      const first = all(record, 'override_proposed').filter((e) => e.decision === over.decision && e.because === over.because && e.by === over.first);
      must(first.length > 0 && over.first !== over.by, 'two people override', { over, first });
    } else must(over.first === null, 'one is enough', over);
  }
  const proposed = all(added, 'override_proposed')[0];
  if (proposed) must(plan.operators?.override?.secondPerson === true && !isOutcome(state.state), 'a proposal changes nothing yet', proposed);
  if (command.type === 'move' && command.body.move.type === 'deny' && added.some((e) => e.event.type === 'claimed'))
    must(added.length > 1, 'a no is said', added);
}

/** What the policy bounds stays within. */
function checkBounds({ plan, record, state }: Stage, { added, before }: Step): void {
  for (const one of openSignOffs(state)) {
    const opened = all(record, 'level_opened')
      .filter((e) => e.signOff === one.id)
      .at(-1);
    const minutes = all(record, 'extended')
      .filter((e) => e.signOff === one.id && e.seq > (opened?.seq ?? 0))
      .reduce((sum, e) => sum + e.minutes, 0);
    must(minutes * MINUTE <= (plan.operators?.extendAtMostMs ?? 0), 'extensions are bounded', { one, minutes });
  }
  const begun = all(record, 'meanwhile_begun');
  const effects = Object.keys(plan.meanwhile.effects ?? {}).length;
  must(
    begun.length === (effects > 0 && record.some((r) => ['level_opened', 'level_skipped'].includes(r.event.type)) ? 1 : 0),
    'what is done meanwhile begins once',
    begun,
  );
  for (const { event } of added) {
    if (event.type === 'delivery_reopened')
      must(before.owed.find((o) => o.id === event.owedId)?.status === 'failed_for_good', 'what was given up is tried again', event);
    if (!('owed' in event)) continue;
    // No word of a person leaves with a notice: whoever may read it reads it on the page.
    for (const debt of event.owed)
      if (debt.kind === 'tell_asked') must(!debt.what.includes('there is a reason'), 'a notice says nothing of what was said', debt);
  }
}

// ---------------------------------------------------------------- who could have

/** Whether nothing at all speaks against this person's yes or no, as anybody would read the page: then it has to count. */
export function mayPlainly(stage: Stage, { before, command, context, repeated }: Step): boolean {
  const { plan, directory, requesters } = stage;
  if (command.type !== 'move' || repeated) return false;
  const { body } = command;
  const { move } = body;
  if (move.type !== 'approve' && move.type !== 'deny') return false;
  const open = openSignOffs(before);
  const [one] = open;
  if (isOutcome(before.state) || before.takeover || open.length !== 1 || !one) return false;
  const signOff = plan.signOffs.find((s) => s.id === one.id);
  const person = directory.people[body.person];
  if (!signOff || !person || body.agent !== undefined || body.bulk !== undefined || move.reason.trim() === '') return false;
  if (body.packetDigest !== before.packetDigest || body.expiresAt <= context.now || ms(context.now) - ms(body.signedInAt) > 10 * MINUTE) return false;
  if ((one.dueAt ?? '') <= context.now) return false;
  if (requesters.includes(person.id) || refusers(plan).includes(person.id) || isAway(person, context.now)) return false;
  const role = askedRole(plan, one);
  if (!person.roles.includes(role) || (one.claimedBy !== null && one.claimedBy !== person.id)) return false;
  const signed = before.signOffs.filter((s) => s.id === one.id || !plan.samePersonAllowed).flatMap((s) => s.given.flatMap(countsAs));
  const spoke = [...(one.refused ?? []).map((d) => d.person), ...(one.passed ?? [])];
  if (signed.includes(person.id) || spoke.includes(person.id)) return false;
  // Whoever stands in for somebody as well may count as them.
  if (asWhom(directory, person.id, role, context.now).length > 1) return false;
  return move.type === 'deny' || (plan.effect === 'approval' && plan.offers === undefined && move.conditions === undefined && reaches(plan, role));
}

/** What a yes or a no that nothing speaks against comes to. */
export function checkCounts(stage: Stage, step: Step): boolean {
  if (!mayPlainly(stage, step) || step.command.type !== 'move') return false;
  const { added, refusal, command } = step;
  const { person, move } = command.body;
  must(refusal === null, 'a yes or a no that nothing speaks against counts', { refusal, body: command.body });
  const types = move.type === 'approve' ? ['signed_off'] : ['denied', 'said_no'];
  must(
    added.some(({ event }) => types.includes(event.type) && 'by' in event && event.by === person),
    'what a person says is on the record as they said it',
    added,
  );
  return true;
}

/** More knocks than this cannot be left: every level with its reminders, a hold each, open questions, a takeover. */
export const knocksLeft = (plan: Plan, state: ApprovalState): number =>
  plan.signOffs.reduce((n, s) => n + s.ladder.reduce((m, l) => m + 1 + l.reminders.length, 0) + 1, 2) + state.questions.length;

/** The state of a reader who has seen nothing yet. */
export const reader = (record: readonly Recorded[]): ApprovalState =>
  record.reduce((state, entry) => apply(state, JSON.parse(JSON.stringify(entry)) as Recorded), INITIAL);
