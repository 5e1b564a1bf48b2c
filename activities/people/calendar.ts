/**
 * Who has duty now by a calendar (RFC 5545) that is kept elsewhere, and when that changes.
 * An event names people by their addresses (ATTENDEE; else SUMMARY) or by their ids (SUMMARY). Of events at the same time the one that began
 * last comes first: that is how an exception is written over a rotation.
 * Promises: however hostile the text, it comes back: with an answer, or with a {@link CalendarError}.
 * Pure but for that limit of time: the text and the instant are arguments.
 */
import { runInNewContext } from 'node:vm';
import ICAL from 'ical.js';
import moment from 'moment-timezone';
import { instant, ms, type Instant } from '../../domain/json';

/** One sentence, which begins with what cannot be used: "is no calendar". */
export class CalendarError extends Error {
  override readonly name = 'CalendarError';
}

interface Roster {
  /** Ids and addresses as they are written, who is first first. */
  readonly who: readonly string[];
  readonly until: Instant;
}

const DAY_MS = 86_400_000;
/** How far ahead it is looked for the next change; who asks again by then misses nothing. */
const AHEAD_MS = 7 * DAY_MS;
const EVENTS_MAX = 5_000;
/** Occurrences that are walked through, of all events together: a daily one since 1990 has 13,000. */
const STEPS_MAX = 100_000;
/** A rule that never comes true keeps any walk busy for ever. Far more than a calendar of the largest size takes. */
const WORK_MS = 10_000;

export function rosterAt(text: string, { now, zone }: { readonly now: Instant; readonly zone: string }): Roster {
  try {
    // The limit holds for all that is called from within.
    return runInNewContext('work()', { work: () => read(text, ms(now), zone) }, { timeout: WORK_MS }) as Roster;
  } catch (cause) {
    if (cause instanceof CalendarError) throw cause;
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw new CalendarError('has a rule that never comes true', { cause });
    throw new CalendarError('is no calendar that can be read', { cause });
  }
}

/** What the library knows of one of an event's turns; it declares the type where it cannot be found. */
interface Details {
  readonly item: ICAL.Event;
  readonly startDate: ICAL.Time;
  readonly endDate: ICAL.Time;
}

interface Occurrence {
  readonly start: number;
  readonly end: number;
  readonly event: ICAL.Component;
}

function read(text: string, now: number, zone: string): Roster {
  const calendar = calendarOf(text);
  const toMs = clockOf(calendar, zoneOf(calendar, zone));
  const found: Occurrence[] = [];
  const take = (start: ICAL.Time, end: ICAL.Time, event: ICAL.Component): number => {
    const occurrence = { start: toMs(start, event), end: toMs(end, event), event };
    if (occurrence.end > now && occurrence.start < now + AHEAD_MS && occurrence.start < occurrence.end) found.push(occurrence);
    return occurrence.start;
  };
  const events = calendar.getAllSubcomponents('vevent');
  if (events.length > EVENTS_MAX) throw new CalendarError(`has more than ${String(EVENTS_MAX)} events`);
  const isException = (event: ICAL.Component): boolean => event.hasProperty('recurrence-id');
  const uidOf = (event: ICAL.Component): string => String(event.getFirstPropertyValue('uid') ?? '');
  let steps = 0;
  for (const component of events) {
    const exceptions = isException(component) ? [] : events.filter((other) => isException(other) && uidOf(other) === uidOf(component));
    const event = new ICAL.Event(component, { exceptions });
    // An exception stands for itself, wherever it was moved to.
    if (isException(component) || !event.isRecurring()) {
      if (!isCancelled(component)) take(event.startDate, event.endDate, component);
      continue;
    }
    const walk = event.iterator();
    for (let next = walk.next() as ICAL.Time | null; next; next = walk.next() as ICAL.Time | null) {
      if ((steps += 1) > STEPS_MAX) throw new CalendarError('repeats too often');
      const { item, startDate, endDate } = event.getOccurrenceDetails(next) as Details;
      const isOwn = item === event || item.modifiesFuture();
      const start = isOwn && !isCancelled(item.component) ? take(startDate, endDate, item.component) : toMs(next, component);
      if (start >= now + AHEAD_MS) break;
    }
  }
  const current = found.filter(({ start }) => start <= now).sort((a, b) => b.start - a.start || (uidOf(a.event) < uidOf(b.event) ? -1 : 1));
  const changes = found.map(({ start, end }) => (start > now ? start : end));
  return { who: [...new Set(current.flatMap(({ event }) => namedBy(event)))], until: instant(Math.min(now + AHEAD_MS, ...changes)) };
}

function calendarOf(text: string): ICAL.Component {
  const parsed: unknown = ICAL.parse(text);
  const jcal = Array.isArray(parsed) && Array.isArray(parsed[0]) ? (parsed as unknown[])[0] : parsed;
  const calendar = Array.isArray(jcal) && jcal[0] === 'vcalendar' ? new ICAL.Component(jcal) : null;
  if (!calendar) throw new CalendarError('is no calendar that can be read');
  return calendar;
}

/** Of events that name none: as the calendar says, which is no standard but custom. */
function zoneOf(calendar: ICAL.Component, given: string): string {
  const own = calendar.getFirstPropertyValue('x-wr-timezone');
  return typeof own === 'string' && moment.tz.zone(own) ? own : given;
}

/** What a time of an event is in milliseconds. Zones that everybody knows count as everybody knows them; others as the calendar says. */
function clockOf(calendar: ICAL.Component, floating: string): (time: ICAL.Time, event: ICAL.Component) => number {
  return (time, event) => {
    if (time.zone === ICAL.Timezone.utcTimezone) return time.toUnixTime() * 1000;
    const named: unknown = event.getFirstProperty('dtstart')?.getFirstParameter('tzid');
    const tzid = typeof named === 'string' && named !== '' ? named : null;
    const wall = [time.year, time.month - 1, time.day, time.hour, time.minute, time.second];
    if (tzid === null || time.isDate) return moment.tz(wall, floating).valueOf();
    if (moment.tz.zone(tzid)) return moment.tz(wall, tzid).valueOf();
    // Whatever its declaration says: null where the calendar does not define it.
    if ((calendar.getTimeZoneByID(tzid) as ICAL.Timezone | null) !== null) return time.toUnixTime() * 1000;
    throw new CalendarError(`names the zone ${tzid.slice(0, 60)}, which is not known and which it does not define`);
  };
}

const isCancelled = (event: ICAL.Component): boolean => String(event.getFirstPropertyValue('status') ?? '').toUpperCase() === 'CANCELLED';

const ADDRESS = /[^\s<>()[\],;:"]+@[^\s<>()[\],;:"]+/g;

/** Who is invited and has not declined; else the addresses in the summary; else its parts, which may be ids. */
function namedBy(event: ICAL.Component): string[] {
  const invited = event.getAllProperties('attendee').flatMap((attendee) => {
    const parameter = (name: string): string => ((attendee.getFirstParameter(name) as string | undefined) ?? '').toUpperCase();
    const address = /^mailto:(.+)$/i.exec(String(attendee.getFirstValue() ?? ''))?.[1];
    const isPerson = ['', 'INDIVIDUAL'].includes(parameter('cutype'));
    return address !== undefined && isPerson && parameter('partstat') !== 'DECLINED' ? [address.trim()] : [];
  });
  if (invited.length > 0) return invited;
  const summary = String(event.getFirstPropertyValue('summary') ?? '');
  const addresses = summary.match(ADDRESS) ?? [];
  return addresses.length > 0
    ? addresses
    : summary
        .split(/[,;/&+]/)
        .map((part) => part.trim())
        .filter((part) => part !== '');
}
