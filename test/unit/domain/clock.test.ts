/** The one injected clock, in its three forms. */
import { databaseClock, engineClock, scaledClock } from '../../../domain/clock';
import { after, instant, ms } from '../../../domain/json';

const database = '2026-11-23T09:00:10.000Z';
const workflowTime = ms('2026-11-24T00:00:00.000Z');

describe('the clock', () => {
  it('of production is the database’s, whatever the workflow reads', () => {
    expect(databaseClock.now({ database, workflowTime })).toBe(database);
    expect(databaseClock.scale).toBe(1);
  });

  it('under time skipping is the workflow’s, and the database’s where no workflow is', () => {
    expect(engineClock.now({ database, workflowTime })).toBe('2026-11-24T00:00:00.000Z');
    expect(engineClock.now({ database, workflowTime: null })).toBe(database);
  });

  it('of the demo runs faster from its origin on', () => {
    const clock = scaledClock('2026-11-23T09:00:00.000Z', 60);
    expect(clock.now({ database: '2026-11-23T09:00:00.000Z', workflowTime })).toBe('2026-11-23T09:00:00.000Z');
    expect(clock.now({ database, workflowTime })).toBe('2026-11-23T09:10:00.000Z');
    expect(clock.scale).toBe(60);
  });
});

describe('instants', () => {
  it('are UTC with milliseconds, and sort as text', () => {
    expect(instant(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(after('2026-12-31T23:59:59.999Z', 1)).toBe('2027-01-01T00:00:00.000Z');
    expect(after('2026-11-23T09:00:00.000Z', -1) < '2026-11-23T09:00:00.000Z').toBe(true);
  });
});
