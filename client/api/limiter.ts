/**
 * At most so many at once per key; the others wait their turn, first come first served, and no more of them than it says.
 * More than 10 updates in flight on one workflow discard its running task, so the API keeps to 8 per approval.
 * Pure: no clock, no I/O.
 */
export const IN_FLIGHT_MAX = 8;

/** Nothing was begun: as many wait already as may. */
export class LineFull extends Error {
  override readonly name = 'LineFull';
}

export interface Limiter {
  /** Runs `work` when its turn comes; its result or failure is passed on. Throws {@link LineFull} where the line is. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

export function createLimiter(max: number, waitingMax = Number.POSITIVE_INFINITY): Limiter {
  const lanes = new Map<string, Lane>();
  return {
    async run(key, work) {
      const lane = lanes.get(key) ?? { running: 0, waiting: [] };
      if (lane.running >= max && lane.waiting.length >= waitingMax) throw new LineFull(`${String(waitingMax)} wait already`);
      lanes.set(key, lane);
      if (lane.running >= max) await new Promise<void>((turn) => lane.waiting.push(turn));
      else lane.running += 1;
      try {
        return await work();
      } finally {
        // The place passes straight to the next in line, so that nobody slips in between.
        const next = lane.waiting.shift();
        if (next) next();
        else {
          lane.running -= 1;
          if (lane.running === 0) lanes.delete(key);
        }
      }
    },
  };
}
