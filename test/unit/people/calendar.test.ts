/** Who has duty by a calendar that is kept elsewhere: repetition, exceptions, zones, and texts that mean harm. */
import { CalendarError, rosterAt } from '../../../activities/people/calendar';

const ics = (...events: readonly (readonly string[])[]): string =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//test//EN',
    ...events.flatMap((lines, i) => ['BEGIN:VEVENT', ...(lines.some((line) => line.startsWith('UID')) ? [] : [`UID:e${String(i)}`]), ...lines, 'END:VEVENT']),
    'END:VCALENDAR',
    '',
  ].join('\r\n');
const at = (text: string, now: string, zone = 'UTC') => rosterAt(text, { now, zone });

const WEEKLY = ['DTSTART;TZID=Europe/Madrid:20260105T090000', 'DTEND;TZID=Europe/Madrid:20260112T090000', 'RRULE:FREQ=WEEKLY;INTERVAL=2', 'SUMMARY:ann'];

describe('who an event names', () => {
  const DAY = ['DTSTART:20260301T000000Z', 'DTEND:20260302T000000Z'];
  const who = (...lines: string[]) => at(ics([...DAY, ...lines]), '2026-03-01T12:00:00.000Z').who;

  it.each<[string, string[], string[]]>([
    ['whoever is invited', ['ATTENDEE;CN=Ann:mailto:Ann@shop.example', 'SUMMARY:ben'], ['Ann@shop.example']],
    [
      'nobody who declined, and no room',
      ['ATTENDEE;PARTSTAT=DECLINED:mailto:ann@shop.example', 'ATTENDEE;CUTYPE=ROOM:mailto:desk@shop.example', 'SUMMARY:ben'],
      ['ben'],
    ],
    ['addresses in the summary', ['SUMMARY:On call: ann@shop.example (backup ben@shop.example)'], ['ann@shop.example', 'ben@shop.example']],
    ['ids in the summary, in order', ['SUMMARY:ann / ben'], ['ann', 'ben']],
    ['nobody where nobody is named', ['DESCRIPTION:ann'], []],
  ])('%s', (_, lines, expected) => {
    expect(who(...lines)).toEqual(expected);
  });

  it('is nobody when it was cancelled', () => {
    expect(who('SUMMARY:ann', 'STATUS:CANCELLED')).toEqual([]);
  });
});

describe('events that repeat', () => {
  it('are on duty in each of their turns, and the change is told', () => {
    expect(at(ics(WEEKLY), '2026-01-19T08:00:00.000Z')).toEqual({ who: ['ann'], until: '2026-01-26T08:00:00.000Z' });
    expect(at(ics(WEEKLY), '2026-01-14T00:00:00.000Z')).toEqual({ who: [], until: '2026-01-19T08:00:00.000Z' });
  });

  it('keep their hour when clocks change', () => {
    expect(at(ics(WEEKLY), '2026-03-30T06:59:59.000Z').who).toEqual([]);
    expect(at(ics(WEEKLY), '2026-03-30T07:00:00.000Z').who).toEqual(['ann']);
  });

  it('pass over what is excepted, and follow what was moved', () => {
    const exdate = [...WEEKLY, 'EXDATE;TZID=Europe/Madrid:20260119T090000', 'UID:w'];
    expect(at(ics(exdate), '2026-01-20T00:00:00.000Z').who).toEqual([]);
    const moved = [
      'UID:w',
      'RECURRENCE-ID;TZID=Europe/Madrid:20260119T090000',
      'DTSTART;TZID=Europe/Madrid:20260112T090000',
      'DTEND;TZID=Europe/Madrid:20260114T090000',
      'SUMMARY:ben',
    ];
    const text = ics([...WEEKLY, 'UID:w'], moved);
    expect(at(text, '2026-01-20T00:00:00.000Z').who).toEqual([]);
    expect(at(text, '2026-01-13T00:00:00.000Z')).toEqual({ who: ['ben'], until: '2026-01-14T08:00:00.000Z' });
  });

  it('leave exceptions of another event alone', () => {
    const stranger = ['UID:other', 'RECURRENCE-ID;TZID=Europe/Madrid:20260119T090000', 'DTSTART:20270101T000000Z', 'DTEND:20270102T000000Z', 'SUMMARY:ben'];
    expect(at(ics([...WEEKLY, 'UID:w'], stranger), '2026-01-20T00:00:00.000Z').who).toEqual(['ann']);
  });

  it('stop after their last', () => {
    const counted = WEEKLY.map((line) => line.replace('INTERVAL=2', 'INTERVAL=2;COUNT=2'));
    expect(at(ics(counted), '2026-01-20T00:00:00.000Z').who).toEqual(['ann']);
    expect(at(ics(counted), '2026-02-03T00:00:00.000Z').who).toEqual([]);
  });
});

describe('at the same time', () => {
  it('who began last is first: an exception over a rotation', () => {
    const cover = ['DTSTART:20260120T120000Z', 'DTEND:20260120T180000Z', 'SUMMARY:ben'];
    const text = ics(WEEKLY, cover);
    expect(at(text, '2026-01-20T11:00:00.000Z')).toEqual({ who: ['ann'], until: '2026-01-20T12:00:00.000Z' });
    expect(at(text, '2026-01-20T13:00:00.000Z')).toEqual({ who: ['ben', 'ann'], until: '2026-01-20T18:00:00.000Z' });
  });
});

describe('zones', () => {
  const floating = ics(['DTSTART:20260301T090000', 'DTEND:20260301T170000', 'SUMMARY:ann']);

  it('are those of the event, else of the calendar, else of the file', () => {
    expect(at(floating, '2026-03-01T14:00:00.000Z', 'America/New_York').who).toEqual(['ann']);
    expect(at(floating, '2026-03-01T13:59:59.000Z', 'America/New_York').who).toEqual([]);
    const own = floating.replace('VERSION:2.0', 'VERSION:2.0\r\nX-WR-TIMEZONE:Europe/Madrid');
    expect(at(own, '2026-03-01T08:00:00.000Z', 'America/New_York').who).toEqual(['ann']);
  });

  it('that the calendar defines itself count as it says', () => {
    const zone = [
      'BEGIN:VTIMEZONE',
      'TZID:Desk Time',
      'BEGIN:STANDARD',
      'DTSTART:19700101T000000',
      'TZOFFSETFROM:+0300',
      'TZOFFSETTO:+0300',
      'END:STANDARD',
      'END:VTIMEZONE',
    ];
    const text = ics(['DTSTART;TZID=Desk Time:20260301T090000', 'DTEND;TZID=Desk Time:20260301T170000', 'SUMMARY:ann']).replace(
      'BEGIN:VEVENT',
      `${zone.join('\r\n')}\r\nBEGIN:VEVENT`,
    );
    expect(at(text, '2026-03-01T06:00:00.000Z').who).toEqual(['ann']);
    expect(at(text, '2026-03-01T05:59:59.000Z').who).toEqual([]);
  });

  it('that nobody knows are refused, and not guessed at', () => {
    const text = ics(['DTSTART;TZID=Nowhere:20260301T090000', 'DTEND;TZID=Nowhere:20260301T170000', 'SUMMARY:ann']);
    expect(() => at(text, '2026-03-01T06:00:00.000Z')).toThrow(/names the zone Nowhere/);
  });

  it('make a whole day the day of that zone', () => {
    const text = ics(['DTSTART;VALUE=DATE:20260301', 'SUMMARY:ann']);
    expect(at(text, '2026-03-01T04:59:59.000Z', 'America/New_York').who).toEqual([]);
    expect(at(text, '2026-03-01T05:00:00.000Z', 'America/New_York')).toEqual({ who: ['ann'], until: '2026-03-02T05:00:00.000Z' });
  });
});

describe('a text that means harm', () => {
  const once = (rule: string) => ics(['DTSTART:20200101T000000Z', 'DTEND:20200101T010000Z', rule, 'SUMMARY:ann']);

  it.each<[string, string]>([
    ['no calendar', 'hello'],
    ['a page', '<html><body>Sign in</body></html>'],
    ['a calendar cut in half', ics(WEEKLY).slice(0, 120)],
    ['nothing', ''],
    ['what repeats every second since long ago', once('RRULE:FREQ=SECONDLY')],
    ['a day that never comes', once('RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30')],
    ['thousands of events', ics(...Array.from({ length: 5_001 }, () => ['DTSTART:20260301T000000Z', 'SUMMARY:ann']))],
  ])('is refused: %s', (_, text) => {
    expect(() => at(text, '2026-03-01T12:00:00.000Z')).toThrow(CalendarError);
  });

  it('still leaves the next one to be read', () => {
    expect(at(ics(WEEKLY), '2026-01-06T00:00:00.000Z').who).toEqual(['ann']);
  });
});
