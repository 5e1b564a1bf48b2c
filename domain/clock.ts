/**
 * The one injected clock: the database's in production, the workflow's own under time skipping, a faster one in the demo.
 * Pure: the readings are arguments.
 */
import { instant, ms, type Instant } from './json';

export interface Clock {
  /** The domain's now, from the database's reading and, under time skipping, the workflow's (milliseconds). */
  now(reading: { readonly database: Instant; readonly workflowTime: number | null }): Instant;
  /** How many times as fast as the wall clock domain time passes. */
  readonly scale: number;
}

/** Production: the database decides what time it is. */
export const databaseClock: Clock = { scale: 1, now: ({ database }) => database };

/** Time skipping: the engine decides; without an engine's reading, the database's. */
export const engineClock: Clock = { scale: 1, now: ({ database, workflowTime }) => (workflowTime === null ? database : instant(workflowTime)) };

/** The demo: from `origin` on, time passes `scale` times as fast. Development only. */
export const scaledClock = (origin: Instant, scale: number): Clock => ({
  scale,
  now: ({ database }) => instant(ms(origin) + (ms(database) - ms(origin)) * scale),
});
