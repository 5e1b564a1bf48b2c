/**
 * People come and go, and calendars change, while somebody waits: who is asked, and until when, is found out again.
 * Promises: only by an event on the record, and only where something changes; afterwards everyone who is asked can be asked. A takeover
 * is not touched, and neither are instants that a question or an operator has moved. Pure: imports only from domain.
 */
import { askedRole, backupsFor, engagedBeside, excludedFrom, seatsFor } from './asked';
import { tellOne } from './channels';
import { actsAs, isAbsent, personOf, rosterOf, type Seat } from './directory';
import { choicesOf, missingOf } from './dual';
import type { Asked, Owed } from './events';
import { question } from './handing';
import type { Instant } from './json';
import { dueOf, moveOn, planned } from './ladder';
import type { SignOff } from './plan';
import { dueNow } from './standstill';
import { hasEnded, idsOf, openSignOff, openSignOffs, type ApprovalState, type SignOffState } from './state';
import { nameOf, type Context, type Story } from './story';

/** Looks at every open level with the directory and the calendars in force now. */
export function resolveAnew(story: Story, context: Context): void {
  if (hasEnded(story.state) || story.state.takeover) return;
  for (const { id } of openSignOffs(story.state)) {
    const open = hasEnded(story.state) ? undefined : openSignOff(story.state, id);
    const signOff = planned(context.plan, open);
    if (open && signOff) resolveOne(story, context, open, signOff);
  }
}

function resolveOne(story: Story, context: Context, open: SignOffState, signOff: SignOff): void {
  const { state } = story;
  const role = askedRole(open, signOff);
  if (role === undefined || open.dueAt === null) return;
  const found = people(state, context, open, signOff, role);
  if (found === null) return nobodyLeft(story, context, open, signOff, role);
  const { asked, owner, fresh, gone } = found;
  const times = timesOf(open, signOff, context);
  const later = times.dueAt !== open.dueAt || !sameTexts(times.reminders, open.reminders);
  // Nobody owns a hold whose backups have all signed and are too few.
  if (!later && owner === (open.owner ?? '') && sameAsked(asked, open.asked)) return;
  const { plan, directory } = context;
  // While its clock stands still it has what was left of it, whatever the instant says.
  const dueAt = dueNow({ ...open, dueAt: times.dueAt }, context) ?? times.dueAt;
  const asks = question(state, context, open, signOff, dueAt);
  const names = fresh.map(({ person }) => nameOf(directory, person)).join(' and ');
  const instead = names === '' ? 'You are not asked for it any more' : `You are not asked for it any more; ${names} ${fresh.length > 1 ? 'are' : 'is'}`;
  const kept = asked.filter(({ person }) => !fresh.some((one) => one.person === person) && !choicesOf(open).some((d) => d.person === person));
  const owed: Owed[] = [
    ...fresh.filter(({ person }) => person !== owner || owner !== open.claimedBy).map(asks),
    ...gone.filter(({ asked: { person } }) => personOf(directory, person)).map(({ asked: one }) => tellOne(state, plan, one, instead)),
    ...(times.dueAt === open.dueAt ? [] : kept.map((one) => tellOne(state, plan, one, `The calendar has changed: it is due at ${times.dueAt}`))),
  ];
  const why = [...gone.map((one) => one.why), ...(later ? ['the calendar has changed'] : [])].join('; ') || 'somebody else may be asked now';
  story.tell({ type: 'resolved_anew', signOff: open.id, level: open.level, why, owner, asked, ...times, directory: directory.hash, owed });
}

// ---------------------------------------------------------------- people

interface Found {
  readonly asked: readonly Asked[];
  readonly owner: string;
  /** Asked now and not before. */
  readonly fresh: readonly Asked[];
  /** Asked before and not now, and why. */
  readonly gone: readonly { readonly asked: Asked; readonly why: string }[];
}

/** Who is asked by the directory of now; null where too few are left. Who has chosen stays: they have had their word. */
function people(state: ApprovalState, context: Context, open: SignOffState, signOff: SignOff, role: string): Found | null {
  const chosen = new Set(choicesOf(open).map(({ person }) => person));
  const looked = open.asked.map((one) => (chosen.has(one.person) ? { one, asked: one } : { one, ...look(state, context, open, role, one) }));
  const gone = looked.flatMap(({ one, asked, ...rest }) => (asked === null ? [{ asked: one, why: 'why' in rest ? rest.why : '' }] : []));
  const kept = looked.flatMap(({ asked }) => (asked === null ? [] : [asked]));
  const claimer = claimerOf(state, context, open, role, kept);
  const waiting = kept.filter(({ person }) => !chosen.has(person)).length + (claimer && !kept.some(({ person }) => person === claimer.person) ? 1 : 0);
  // A hold pages whoever there is, be they fewer than are missing: one of them can still say no.
  const missing = open.hold && gone.length === 0 ? 0 : missingOf(state, signOff, context.plan) - waiting;
  const beside = [...kept.map(({ person }) => person), ...(claimer ? [claimer.person] : [])];
  const fresh = missing > 0 ? replacements(state, context, open, signOff, role, gone, beside).slice(0, missing) : [];
  if (fresh.length < missing && (!open.hold || waiting + fresh.length === 0)) return null;
  // Whoever has claimed it counts among the asked from now on, where somebody is replaced at all: so it has an owner also once they release it.
  const seated = claimer && gone.length > 0 && !kept.some(({ person }) => person === claimer.person) ? [claimer.asked] : [];
  const asked = [...kept, ...seated, ...fresh];
  const owner = claimer?.person ?? asked.find(({ person }) => !chosen.has(person))?.person ?? '';
  // The same people have the same first among them as before.
  const first = claimer || gone.length > 0 || fresh.length > 0 || open.claimedBy !== null ? owner : (open.owner ?? owner);
  return { asked, owner: first, fresh, gone };
}

/** As what somebody who is asked can still be asked, or why they cannot. */
function look(
  state: ApprovalState,
  context: Context,
  open: SignOffState,
  role: string,
  one: Asked,
): { readonly asked: Asked } | { readonly asked: null; readonly why: string } {
  const { directory, now } = context;
  const person = personOf(directory, one.person);
  const name = nameOf(directory, one.person);
  if (!person) return { asked: null, why: `${name} is not in the directory any more` };
  const excluded = excludedFrom(state, context, open.id);
  if (excluded.includes(one.person)) return { asked: null, why: `${name} may not decide it any more` };
  if (isAbsent(person, now) && open.claimedBy !== one.person) return { asked: null, why: `${name} is absent` };
  const as = actsAs(directory, one.person, role, now, excluded);
  return as ? { asked: { person: one.person, role, ...as } } : { asked: null, why: whyNotAs(one, role, name, context) };
}

const whyNotAs = ({ for: absent }: Asked, role: string, name: string, { directory }: Context): string =>
  absent === undefined ? `${name} does not hold ${role} any more` : `${name} does not stand in for ${nameOf(directory, absent)} any more`;

interface Claimer {
  readonly person: string;
  readonly asked: Asked;
}

/** Who has claimed it, as long as they may; being away takes it from nobody. */
function claimerOf(state: ApprovalState, context: Context, open: SignOffState, role: string, kept: readonly Asked[]): Claimer | null {
  const { claimedBy } = open;
  const person = claimedBy === null ? undefined : personOf(context.directory, claimedBy);
  if (claimedBy === null || !person) return null;
  const seat = kept.find((one) => one.person === claimedBy);
  // Who passed it up is not asked again, but may have claimed it above, as a holder of the role there.
  const signOffs = state.signOffs.map((one) => (one.id === open.id ? { ...one, passed: [] } : one));
  const found = seat ? { asked: seat } : look({ ...state, signOffs }, context, open, role, { person: claimedBy, role });
  return found.asked ? { person: claimedBy, asked: found.asked } : null;
}

/**
 * Who may be asked instead, the best first: for who is away their deputy, and who is back for theirs, although the one was asked in place of
 * the other; else as when a level opens.
 */
function replacements(
  state: ApprovalState,
  context: Context,
  open: SignOffState,
  signOff: SignOff,
  role: string,
  gone: Found['gone'],
  beside: readonly string[],
): readonly Asked[] {
  const engaged = engagedBeside(state, context, open.id);
  const succeeds = (seat: Seat): boolean =>
    gone.some(({ asked: was }) => {
      if (was.for !== undefined && seat.person === was.for) return true;
      return seat.for !== undefined && (seat.for === was.person || seat.for === was.for) && !open.before?.includes(seat.person);
    });
  const next = rosterOf(context.directory, role, context.now, excludedFrom(state, context, open.id)).filter(
    (seat) => succeeds(seat) && !idsOf([seat]).some((id) => engaged.includes(id)),
  );
  const others = open.hold ? backupsFor(state, context, signOff, role) : seatsFor(state, context, signOff, role, 0).seats;
  const seats = [...next, ...others].filter((seat, i, all) => all.findIndex((one) => one.person === seat.person) === i);
  return seats.filter(({ person }) => !beside.includes(person)).map((seat): Asked => ({ ...seat, role }));
}

/** As at the opening of a level for which nobody is there: the next has its turn at once, and a hold ends as the row says. */
function nobodyLeft(story: Story, context: Context, open: SignOffState, signOff: SignOff, role: string): void {
  const level = signOff.ladder[open.level];
  const why = `Too few of those who were asked for ${role} are still there, and nobody can be asked instead`;
  if (!open.hold && level)
    story.tell({ type: 'level_skipped', signOff: open.id, level: open.level, name: level.name, role, why, directory: context.directory.hash });
  moveOn(story, context, open, signOff, `Held for ${role}, and nobody who holds it is there any more`);
}

// ---------------------------------------------------------------- times

/** When a level ends and reminds by the calendars of now; as before where something else has moved it, and for a hold, which has none. */
function timesOf(open: SignOffState, signOff: SignOff, context: Context): { readonly dueAt: Instant; readonly reminders: readonly Instant[] } {
  const { openedAt, reminders, dueAt, hold, paused, stood, extendedMinutes } = open;
  const level = signOff.ladder[open.level];
  const same = { dueAt: dueAt ?? context.now, reminders };
  if (!level || openedAt === undefined || hold || paused || stood || extendedMinutes !== undefined) return same;
  const left = reminders.length === 0 ? [] : level.reminders.slice(-reminders.length);
  return { dueAt: dueOf(level, context, openedAt, 1), reminders: left.map((fraction) => dueOf(level, context, openedAt, fraction)) };
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((one, i) => one === b[i]);

const sameAsked = (a: readonly Asked[], b: readonly Asked[]): boolean =>
  a.length === b.length && a.every((one, i) => one.person === b[i]?.person && one.role === b[i].role && one.for === b[i].for);
