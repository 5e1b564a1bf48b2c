/** Whose turn it is: shifts of days keep their hour when clocks change, shifts of hours keep their length. */
import fc from 'fast-check';
import { turnAt } from '../../../activities/people/rotation';

const weekly = { people: ['ann', 'ben', 'cem'], shift: '1w', start: '2026-01-05T09:00', zone: 'Europe/Madrid' };

it('goes round in order, each for one shift, the next in line behind', () => {
  expect(turnAt(weekly, '2026-01-05T08:00:00.000Z')).toEqual({ order: ['ann', 'ben', 'cem'], until: '2026-01-12T08:00:00.000Z' });
  expect(turnAt(weekly, '2026-01-12T08:00:00.000Z').order).toEqual(['ben', 'cem', 'ann']);
  expect(turnAt(weekly, '2026-01-26T07:59:59.999Z').order[0]).toBe('cem');
  expect(turnAt(weekly, '2026-01-26T08:00:00.000Z').order[0]).toBe('ann');
});

it('has nobody before the first turn, and says when that begins', () => {
  expect(turnAt(weekly, '2026-01-05T07:59:59.999Z')).toEqual({ order: [], until: '2026-01-05T08:00:00.000Z' });
});

it('hands over at nine on the clock of its zone, in summer and in winter', () => {
  // Clocks go forward on 29 March and back on 25 October 2026.
  expect(turnAt(weekly, '2026-03-25T12:00:00.000Z').until).toBe('2026-03-30T07:00:00.000Z');
  expect(turnAt(weekly, '2026-10-21T12:00:00.000Z').until).toBe('2026-10-26T08:00:00.000Z');
});

it('gives a day that lacks its hour the next one, and no later day another hour', () => {
  const nightly = { people: ['ann', 'ben'], shift: '1d', start: '2026-03-27T02:30', zone: 'Europe/Madrid' };
  expect(turnAt(nightly, '2026-03-28T12:00:00.000Z').until).toBe('2026-03-29T01:30:00.000Z');
  expect(turnAt(nightly, '2026-03-29T12:00:00.000Z').until).toBe('2026-03-30T00:30:00.000Z');
});

it('counts hours as they pass, whatever the clock says', () => {
  const halfDays = { people: ['ann', 'ben'], shift: '12h', start: '2026-03-28T20:00', zone: 'Europe/Madrid' };
  expect(turnAt(halfDays, '2026-03-28T19:00:00.000Z')).toEqual({ order: ['ann', 'ben'], until: '2026-03-29T07:00:00.000Z' });
});

it('always has exactly one turn at an instant, which ends after it and is followed by the next person', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('1h', '7h', '12h', '1d', '3d', '1w', '2w'),
      fc.constantFrom('Europe/Madrid', 'America/New_York', 'Australia/Lord_Howe', 'UTC', 'Asia/Kolkata'),
      fc.integer({ min: 0, max: 3 * 365 * 86_400 }),
      (shift, zone, seconds) => {
        const rotation = { ...weekly, shift, zone };
        const now = new Date(Date.parse('2026-01-06T12:00:00Z') + seconds * 1000).toISOString();
        const { order, until } = turnAt(rotation, now);
        expect(Date.parse(until)).toBeGreaterThan(Date.parse(now));
        expect([...order].sort()).toEqual(['ann', 'ben', 'cem']);
        expect(turnAt(rotation, until).order[0]).toBe(order[1]);
        expect(turnAt(rotation, new Date(Date.parse(until) - 1).toISOString()).order).toEqual(order);
      },
    ),
  );
});
