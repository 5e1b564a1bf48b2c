/**
 * A calendar as a policy writes it, compiled: zone, opening hours by weekday, closed days.
 * Pure. One that is wrong is reported, and stands in as well as it can.
 */
import moment from 'moment-timezone';
import type { Calendar } from '../domain/plan';
import { isRegion, isZone } from './calendar';
import { placeOf, type At } from './declare';
import type { Report } from './report';
import type { CalendarDocument } from './schema';

/** Minutes since local midnight. */
type Span = readonly [number, number];

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const WHOLE_DAY: Span = [0, 1440];

export function compileCalendar(name: string, doc: CalendarDocument, at: At, report: Report): Calendar {
  const { region = null, dates = [] } = doc.holidays ?? {};
  const knownZone = isZone(doc.zone);
  const knownRegion = region === null || isRegion(region);
  if (!knownZone) report.error('bad_calendar', placeOf(at, 'zone'), null, `${doc.zone} is no time zone; use a name such as Europe/Berlin or America/New_York`);
  if (!knownRegion)
    report.error(
      'bad_calendar',
      placeOf(at, 'holidays', 'region'),
      null,
      `${region} is no region whose holidays are known; use a country such as DE, or a part of one such as DE-BE`,
    );
  for (const [i, date] of dates.entries()) {
    if (!moment.utc(date, 'YYYY-MM-DD', true).isValid())
      report.error('bad_calendar', placeOf(at, 'holidays', 'dates', i), null, `${date} is no date; write it as 2026-12-24`);
  }
  return { zone: knownZone ? doc.zone : 'UTC', week: weekOf(name, doc.hours, at, report), closed: dates, region: knownRegion ? region : null };
}

function weekOf(name: string, hours: CalendarDocument['hours'], at: At, report: Report): Calendar['week'] {
  const week: (readonly Span[])[] = DAYS.map(() => []);
  for (const [days, text] of Object.entries(hours)) {
    const here = placeOf(at, 'hours', days);
    const numbers = daysOf(days);
    const spans = spansOf(text);
    if (!numbers) report.error('bad_calendar', here, null, `${days} names no days; write mon to sun, or a range such as mon-fri`);
    else if (!spans) report.error('bad_calendar', here, null, `${text} are no opening hours; write 09:00-17:00, or several in order: 09:00-12:30, 13:30-18:00`);
    else
      for (const day of numbers) {
        if ((week[day] ?? []).length > 0)
          report.error('bad_calendar', here, null, `The calendar ${name} gives the hours of ${DAYS[day] ?? ''} twice; remove one of the two`);
        week[day] = spans;
      }
  }
  if (week.some((spans) => spans.length > 0)) return week;
  report.error(
    'bad_calendar',
    placeOf(at, 'hours'),
    null,
    `The calendar ${name} never opens, so its deadlines would never come; write for example hours: { mon-fri: "09:00-17:00" }`,
  );
  return DAYS.map(() => [WHOLE_DAY]);
}

/** Weekdays by number, Monday 0: `fri` or `mon-fri`; undefined for what cannot be read. */
function daysOf(text: string): readonly number[] | undefined {
  const names = text.split('-');
  const [first = -1, last = first] = names.map((name) => DAYS.findIndex((day) => day === name));
  if (names.length > 2 || first < 0 || last < first) return undefined;
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Ascending and apart; undefined for what cannot be read. `24:00` is the end of the day. */
function spansOf(text: string): readonly Span[] | undefined {
  const spans: Span[] = [];
  for (const part of text.split(',')) {
    const [, fromHour = 99, fromMinute = 99, toHour = 99, toMinute = 99] = (/^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(part.trim()) ?? []).map(Number);
    const from = fromHour * 60 + fromMinute;
    const to = toHour * 60 + toMinute;
    if (fromMinute > 59 || toMinute > 59 || to > 1440 || from >= to || from < (spans.at(-1)?.[1] ?? 0)) return undefined;
    spans.push([from, to]);
  }
  return spans;
}
