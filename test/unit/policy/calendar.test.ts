/** Working time: deadlines counted in opening hours, over nights, weekends, holidays and changes of clocks. */
import fc from 'fast-check';
import { compilePolicy, resolve, workingTimeAfter, workingTimeBetween, type RoutingInput } from '../../../policy';
import { instant, ms } from '../../../domain/json';
import type { Calendar } from '../../../domain/plan';
import { DESK_POLICY } from '../../support/desk-policy';

const HOUR = 3_600_000;
const office: Calendar = {
  zone: 'Europe/Berlin',
  week: [...Array.from({ length: 5 }, () => [[540, 1020]] as const), [], []],
  closed: ['2026-12-24'],
  region: 'DE-BE',
};
const always: Calendar = { zone: 'Europe/Berlin', week: Array.from({ length: 7 }, () => [[0, 1440]] as const), closed: [], region: null };
const split: Calendar = {
  ...office,
  week: [
    [
      [540, 750],
      [810, 1020],
    ],
    ...office.week.slice(1),
  ],
  closed: [],
  region: null,
};

describe('a deadline in working time', () => {
  it.each([
    ['within a day, 10:00 and two hours', office, '2026-11-23T09:00:00.000Z', 2 * HOUR, '2026-11-23T11:00:00.000Z'],
    ['to the minute of closing, and not a day later', office, '2026-11-23T14:00:00.000Z', 2 * HOUR, '2026-11-23T16:00:00.000Z'],
    ['over a night, Monday 16:00 and two hours', office, '2026-11-23T15:00:00.000Z', 2 * HOUR, '2026-11-24T09:00:00.000Z'],
    ['over a weekend, Friday 16:30 and one hour', office, '2026-11-20T15:30:00.000Z', HOUR, '2026-11-23T08:30:00.000Z'],
    ['asked on a Sunday it begins on Monday at nine', office, '2026-11-22T12:00:00.000Z', HOUR, '2026-11-23T09:00:00.000Z'],
    ['over Christmas Eve of the list and the holidays of Berlin', office, '2026-12-23T15:30:00.000Z', HOUR, '2026-12-28T08:30:00.000Z'],
    ['over a lunch break, Monday 12:00 and one hour', split, '2026-11-23T11:00:00.000Z', HOUR, '2026-11-23T13:00:00.000Z'],
    ["clocks go forward in the night: nine o'clock is an hour sooner", office, '2026-03-27T15:30:00.000Z', HOUR, '2026-03-30T07:30:00.000Z'],
    ["clocks go back in the night: nine o'clock is an hour later", office, '2026-10-23T14:30:00.000Z', HOUR, '2026-10-26T08:30:00.000Z'],
    ['a day that has 23 hours counts 23', always, '2026-03-28T23:00:00.000Z', 23 * HOUR, '2026-03-29T22:00:00.000Z'],
    ['a day that has 25 hours counts 25', always, '2026-10-24T22:00:00.000Z', 25 * HOUR, '2026-10-25T23:00:00.000Z'],
  ])('%s', (_, calendar, from, within, due) => {
    expect(workingTimeAfter(calendar, from, within)).toBe(due);
  });

  it('without a calendar it is elapsed time', () => {
    expect(workingTimeAfter(null, '2026-11-21T12:00:00.000Z', HOUR)).toBe('2026-11-21T13:00:00.000Z');
  });

  const minute = fc.integer({ min: ms('2026-01-01T00:00:00.000Z') / 60_000, max: ms('2027-12-31T00:00:00.000Z') / 60_000 }).map((m) => instant(m * 60_000));
  const span = fc.integer({ min: 1, max: 60 * 30 }).map((m) => m * 60_000);
  const calendar = fc.constantFrom(office, always, split);

  it.each([
    ['within a day', office, '2026-11-23T09:00:00.000Z', '2026-11-23T11:00:00.000Z', 2 * HOUR],
    ['over a night', office, '2026-11-23T15:00:00.000Z', '2026-11-24T09:00:00.000Z', 2 * HOUR],
    ['over Christmas Eve of the list and the holidays of Berlin', office, '2026-12-23T15:30:00.000Z', '2026-12-28T08:30:00.000Z', HOUR],
    ['over a lunch break', split, '2026-11-23T11:00:00.000Z', '2026-11-23T13:00:00.000Z', HOUR],
    ['of a day that has 23 hours', always, '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z', 23 * HOUR],
    ['of a day that has 25 hours', always, '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z', 25 * HOUR],
    ['while it is closed', office, '2026-11-21T00:00:00.000Z', '2026-11-22T00:00:00.000Z', 0],
    ['backwards', office, '2026-11-24T09:00:00.000Z', '2026-11-23T09:00:00.000Z', 0],
    ['without a calendar, elapsed time', null, '2026-11-21T12:00:00.000Z', '2026-11-21T13:00:00.000Z', HOUR],
    ['without a calendar, backwards', null, '2026-11-21T13:00:00.000Z', '2026-11-21T12:00:00.000Z', 0],
  ])('working time between two instants: %s', (_, calendar, from, to, time) => {
    expect(workingTimeBetween(calendar, from, to)).toBe(time);
  });

  it('what lies between is what leads from one to the other', () => {
    fc.assert(
      fc.property(calendar, minute, span, (c, from, within) => {
        expect(workingTimeBetween(c, from, workingTimeAfter(c, from, within))).toBe(within);
      }),
      { numRuns: 300 },
    );
  });

  it('two spans after one another are their sum', () => {
    fc.assert(
      fc.property(calendar, minute, span, span, (c, from, a, b) => {
        expect(workingTimeAfter(c, workingTimeAfter(c, from, a), b)).toBe(workingTimeAfter(c, from, a + b));
      }),
      { numRuns: 300 },
    );
  });

  it('is never before as much elapsed time, and later for who asks later', () => {
    fc.assert(
      fc.property(calendar, minute, span, span, (c, from, within, later) => {
        const due = ms(workingTimeAfter(c, from, within));
        expect(due).toBeGreaterThanOrEqual(ms(from) + within);
        expect(ms(workingTimeAfter(c, instant(ms(from) + later), within))).toBeGreaterThanOrEqual(due);
      }),
      { numRuns: 300 },
    );
  });
});

const CALENDARS = `
calendars:
  office: { zone: Europe/Berlin, hours: { mon-thu: "09:00-12:30, 13:30-18:00", fri: "09:00-15:00" }, holidays: { region: DE-BE, dates: ["2026-12-24"] } }
  desk: { zone: America/New_York, hours: { mon-sun: "00:00-24:00" } }
`;
const withCalendars = (policy: string, calendars = CALENDARS): string => `${policy.trimEnd()}\n${calendars}`;
const findingsOf = (text: string) => compilePolicy([{ path: 'policy.yaml', text }]).findings;
const refund: RoutingInput = {
  action: {
    type: 'refund.issue',
    summary: 'Refund order o1',
    params: { amount: { minor: 48_000, currency: 'USD' }, order: 'o1' },
    system: 'billing',
    reversibility: 'hard',
    audience: { reach: 'one_customer', count: 1 },
    data: [],
    artifacts: [],
  },
  facts: {},
  evidence: [],
  requester: { agent: 'bot', run: 'r', onBehalfOf: null },
  tenant: 'acme',
};

describe('calendars in a policy', () => {
  const LEVEL = '{ name: finance manager, role: finance_manager, within: 30m, reminders: [0.5] }';
  const onOffice = DESK_POLICY.replace(LEVEL, LEVEL.replace('within: 30m', 'within: 30m, calendar: office'));

  it('are pinned in the plan of a request whose level names one', () => {
    const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text: withCalendars(onOffice) }]);
    expect(findings.filter((f) => f.severity === 'error')).toEqual([]);
    const resolved = policy && resolve(policy, refund);
    if (!resolved?.ok) throw new Error('It was not routed');
    expect(resolved.plan.signOffs[0]?.ladder.map((l) => l.calendar)).toEqual(['office', null]);
    expect(resolved.plan.calendars).toEqual({
      office: {
        zone: 'Europe/Berlin',
        week: [
          ...Array.from({ length: 4 }, () => [
            [540, 750],
            [810, 1080],
          ]),
          [[540, 900]],
          [],
          [],
        ],
        closed: ['2026-12-24'],
        region: 'DE-BE',
      },
    });
  });

  it('are taken from the lane where a level names none, and not where it says elapsed', () => {
    const text = withCalendars(DESK_POLICY)
      .replace('finance: { owner: finance_manager }', 'finance: { owner: finance_manager, calendar: desk }')
      .replace('{ name: CFO, role: cfo, within: 2h }', '{ name: CFO, role: cfo, within: 2h, calendar: elapsed }');
    const { policy } = compilePolicy([{ path: 'policy.yaml', text }]);
    const resolved = policy && resolve(policy, refund);
    expect(resolved?.ok && resolved.plan.signOffs[0]?.ladder.map((l) => l.calendar)).toEqual(['desk', null]);
  });

  it('where two rows ask the same person on different calendars, both deadlines are kept: the earlier holds', () => {
    const second = `
  - id: refund_any
    when: action.type == "refund.issue"
    examples: { match: [{ action: { type: refund.issue, params: { amount: { minor: 1, currency: USD }, order: o1 } } }], no_match: [{ action: { type: banner.change } }] }
    lane: finance
    ladder: [{ name: finance manager, role: finance_manager, within: 20m, calendar: desk }]
`;
    const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text: `${onOffice.trimEnd()}\n${second}${CALENDARS}` }]);
    expect(findings.filter((f) => f.severity === 'error')).toEqual([]);
    const resolved = policy && resolve(policy, refund);
    expect(resolved?.ok && resolved.plan.signOffs[0]?.ladder[0]).toMatchObject({
      limits: [
        { withinMs: 30 * 60_000, calendar: 'office' },
        { withinMs: 20 * 60_000, calendar: 'desk' },
      ],
    });
    expect(Object.keys((resolved?.ok && resolved.plan.calendars) || {}).sort()).toEqual(['desk', 'office']);
  });

  it.each([
    ['an unknown zone', CALENDARS.replace('Europe/Berlin', 'Europe/Bärlin'), 'is no time zone'],
    ['an unknown region', CALENDARS.replace('DE-BE', 'XX'), 'is no region whose holidays are known'],
    ['a date that is none', CALENDARS.replace('2026-12-24', '2026-13-24'), 'is no date'],
    ['days that are none', CALENDARS.replace('mon-thu', 'mo-do'), 'names no days'],
    ['hours backwards', CALENDARS.replace('09:00-15:00', '15:00-09:00'), 'are no opening hours'],
    ['hours that overlap', CALENDARS.replace('12:30, 13:30', '14:30, 13:30'), 'are no opening hours'],
    ['a day twice', CALENDARS.replace('fri:', 'thu-fri:'), 'gives the hours of thu twice'],
    ['no hours at all', CALENDARS.replace('{ mon-sun: "00:00-24:00" }', '{}'), 'never opens'],
  ])('refuses %s, with what to write instead', (_, calendars, said) => {
    expect(findingsOf(withCalendars(onOffice, calendars))).toEqual(
      expect.arrayContaining([expect.objectContaining({ code: 'bad_calendar', severity: 'error', message: expect.stringContaining(said) as unknown })]),
    );
  });

  it('refuses a calendar that nobody declared, and warns of one that nobody uses', () => {
    expect(findingsOf(withCalendars(onOffice, ''))).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'unknown_calendar', severity: 'error' })]));
    expect(findingsOf(withCalendars(onOffice))).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'unused_calendar', severity: 'warning' })]));
  });

  it('warns of urgent work that waits for opening hours', () => {
    const urgent = onOffice.replace('    amount: action.params.amount\n', '    amount: action.params.amount\n    urgency: urgent\n');
    expect(findingsOf(withCalendars(urgent))).toEqual(
      expect.arrayContaining([expect.objectContaining({ code: 'urgent_on_hours', severity: 'warning', row: 'refund_over_250' })]),
    );
  });
});
