/**
 * Working time for the model tests: the same opening hours on every day, so that a reader can reckon along. Written for itself, not taken
 * from the policy's calendars. Must not import anything but the domain's instants.
 */
import { instant, ms, type Instant } from '../../../domain/json';

/** From and to as hours of each day, UTC. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

export const ROUND_THE_CLOCK: Hours = { from: 0, to: 24 };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Working time since some day long ago: only differences of it mean anything. */
function worked({ from, to }: Hours, at: number): number {
  const day = Math.floor(at / DAY_MS);
  const today = at - day * DAY_MS;
  return day * (to - from) * HOUR_MS + Math.min(Math.max(today - from * HOUR_MS, 0), (to - from) * HOUR_MS);
}

/** How much working time lies between two instants; none where the second is not after the first. */
export const workedIn = (hours: Hours, start: Instant, end: Instant): number => Math.max(0, worked(hours, ms(end)) - worked(hours, ms(start)));

/** The first instant by which so much working time has passed. */
export function dueIn({ from, to }: Hours, start: Instant, milliseconds: number): Instant {
  if (milliseconds <= 0) return start;
  const each = (to - from) * HOUR_MS;
  const goal = worked({ from, to }, ms(start)) + milliseconds;
  // The whole days before the goal, and of the last one what is still missing: more than none of it, and at most all.
  const days = Math.ceil(goal / each) - 1;
  return instant(days * DAY_MS + from * HOUR_MS + (goal - days * each));
}
