/**
 * Whose turn it is in a rotation, and until when.
 * Promises: shifts of days and weeks are handed over at the same hour on the clock of their zone, also when clocks go forward or back; shifts
 * of hours have as many hours as they say. The same answer on every machine: zone data come from moment-timezone, never from Node.
 * Pure: the instant is an argument.
 */
import moment, { type Moment } from 'moment-timezone';
import { instant, ms, type Instant } from '../../domain/json';
import type { Rotation } from '../../policy';

interface Turn {
  /** Who has the turn, then whose turns come next; empty before the first begins. */
  readonly order: readonly string[];
  readonly until: Instant;
}

const LOCAL = 'YYYY-MM-DDTHH:mm';
const UNITS = { h: ['hours', 3_600_000], d: ['days', 86_400_000], w: ['weeks', 604_800_000] } as const;

export function turnAt({ people, shift, start, zone }: Rotation, now: Instant): Turn {
  const first = moment.tz(start, LOCAL, zone);
  const count = Number.parseInt(shift, 10);
  const [unit, length] = UNITS[shift.endsWith('h') ? 'h' : shift.endsWith('d') ? 'd' : 'w'];
  // From the first, never from the one before: an hour that a day does not have moves one handover, to the next hour, and no other.
  const handover = (n: number): Moment =>
    unit === 'hours'
      ? first.clone().add(n * count, unit)
      : moment.tz(
          moment
            .utc(start, LOCAL)
            .add(n * count, unit)
            .format(LOCAL),
          LOCAL,
          zone,
        );
  const at = ms(now);
  if (at < first.valueOf()) return { order: [], until: instant(first.valueOf()) };
  let n = Math.floor((at - first.valueOf()) / (count * length));
  while (handover(n + 1).valueOf() <= at) n += 1;
  while (handover(n).valueOf() > at) n -= 1;
  const turn = n % people.length;
  return { order: [...people.slice(turn), ...people.slice(0, turn)], until: instant(handover(n + 1).valueOf()) };
}
