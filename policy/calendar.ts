/**
 * Working time: when a deadline falls that is counted in the opening hours of a calendar.
 * Promises: the same answer for the same zone data on every machine; a day that clocks go forward or back counts what it really has.
 * Pure: the instant is an argument. Zone data come from moment-timezone and never from Node, whose versions differ.
 */
import Holidays from 'date-holidays';
import moment from 'moment-timezone';
import { after, instant, ms, type Instant } from '../domain/json';
import type { Calendar } from '../domain/plan';

/** Far beyond any deadline: a week with one open minute has it many times over. */
const DAYS_MAX = 3_660;

export const isZone = (zone: string): boolean => moment.tz.zone(zone) !== null;

/** A country without parts has no list of them, whatever the types say. */
const has = (list: object | undefined, name: string): boolean => list !== undefined && Object.hasOwn(list, name);

/** `DE`, `DE-BE`, `US-ca-la`: a country whose public holidays are known, and its parts. */
export function isRegion(region: string): boolean {
  const [country = '', ...parts] = region.split('-');
  const known = new Holidays();
  if (!has(known.getCountries(), country)) return false;
  const [state, place, ...more] = parts;
  if (state === undefined) return true;
  if (!has(known.getStates(country), state)) return false;
  return place === undefined || (more.length === 0 && has(known.getRegions(country, state), place));
}

/** The instant at which `withinMs` of working time have passed after `from`; not before the calendar opens. Null: elapsed time. */
export function workingTimeAfter(calendar: Calendar | null, from: Instant, withinMs: number): Instant {
  if (calendar === null) return after(from, withinMs);
  let left = withinMs;
  const first = moment.tz(ms(from), calendar.zone).format('YYYY-MM-DD');
  for (let day = 0; day < DAYS_MAX; day += 1) {
    const date = dayAfter(first, day);
    for (const [opens, closes] of openSpans(calendar, date)) {
      const start = Math.max(at(calendar.zone, date, opens), ms(from));
      const length = at(calendar.zone, date, closes) - start;
      if (length <= 0) continue;
      if (left <= length) return instant(start + left);
      left -= length;
    }
  }
  throw new Error(`The calendar in ${calendar.zone} has no opening hours in ten years`);
}

/** How much working time lies between two instants, in milliseconds: as much as {@link workingTimeAfter} the first takes to the second. */
export function workingTimeBetween(calendar: Calendar | null, from: Instant, to: Instant): number {
  if (calendar === null) return Math.max(0, ms(to) - ms(from));
  const first = moment.tz(ms(from), calendar.zone).format('YYYY-MM-DD');
  let sum = 0;
  for (let day = 0; day < DAYS_MAX; day += 1) {
    const date = dayAfter(first, day);
    if (at(calendar.zone, date, 0) >= ms(to)) return sum;
    for (const [opens, closes] of openSpans(calendar, date)) {
      const start = Math.max(at(calendar.zone, date, opens), ms(from));
      const end = Math.min(at(calendar.zone, date, closes), ms(to));
      sum += Math.max(0, end - start);
    }
  }
  return sum;
}

const dayAfter = (date: string, days: number): string => moment.utc(date).add(days, 'days').format('YYYY-MM-DD');

/** The instant of a wall time, in milliseconds. One that a change of clocks leaves out is the same distance after midnight's offset. */
function at(zone: string, date: string, minutes: number): number {
  // The end of a day is the next one's midnight, which a zone may not have at 24:00 by name.
  if (minutes === 1440) return moment.tz(dayAfter(date, 1), zone).valueOf();
  const time = `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  return moment.tz(`${date} ${time}`, zone).valueOf();
}

function openSpans(calendar: Calendar, date: string): Calendar['week'][number] {
  if (calendar.closed.includes(date) || publicHolidays(calendar.region, Number(date.slice(0, 4))).has(date)) return [];
  return calendar.week[moment.utc(date).isoWeekday() - 1] ?? [];
}

const computed = new Map<string, ReadonlySet<string>>();

/** Local dates that are public holidays. Kept by region and year: computing a year takes some milliseconds. */
function publicHolidays(region: string | null, year: number): ReadonlySet<string> {
  if (region === null) return new Set();
  const key = `${region} ${String(year)}`;
  const known = computed.get(key);
  if (known) return known;
  const dates = new Set<string>();
  const [country = '', ...parts] = region.split('-');
  const [state, place] = parts;
  const source = state === undefined ? new Holidays(country) : place === undefined ? new Holidays(country, state) : new Holidays(country, state, place);
  for (const { date, start, end, type } of source.getHolidays(year)) {
    if (type !== 'public') continue;
    const days = Math.max(1, Math.round((end.getTime() - start.getTime()) / 86_400_000));
    for (let day = 0; day < days; day += 1) dates.add(dayAfter(date.slice(0, 10), day));
  }
  computed.set(key, dates);
  return dates;
}
