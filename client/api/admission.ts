/**
 * Two doors, with places and a line of their own: one for the requests of agents, one for the moves of people. A flood at the one waits
 * there and is at last turned away; nobody at the other waits for it, neither here nor, since few are let in at once, in the engine.
 * Promises: who is turned away (`busy`) has had nothing done for them, and may ask again in the same words. Pure: no clock, no I/O.
 */
import { createLimiter, LineFull } from './limiter';
import { ApiError } from './problems';

interface Places {
  /** So many at once. */
  readonly places: number;
  /** So many wait for a place; the next one is turned away. */
  readonly line: number;
}

export interface Doors {
  readonly requests: Places;
  readonly moves: Places;
}

/**
 * What is let in is what the engine has before it at most: a request until somebody is asked, a move until it is answered. Fewer places
 * than a process can fill would cost speed, more let the one flood stand before the other in the engine.
 */
export const DOORS: Doors = { requests: { places: 16, line: 600 }, moves: { places: 16, line: 600 } };

/** Agents answer questions and add evidence by a door of their own, so that they keep no person waiting: few at once, each is short. */
export const AGENT_MOVES: Places = { places: 4, line: 200 };

/** Of the ten connections to the store that the API keeps, submits, each a transaction, take so many at most. */
export const SUBMITS_MAX = 6;

/** When who was turned away may ask again, in seconds. */
export const BUSY_SECONDS = 5;

/**
 * Runs `work` when there is a place, which is kept until `after` has come to its end as well; the answer does not wait for that. Throws
 * {@link ApiError} `busy` where the line is full.
 */
type Enter = <T>(work: () => Promise<T>, after?: (done: T) => Promise<void>) => Promise<T>;

export function createDoor({ places, line }: Places, whose: string): Enter {
  const limiter = createLimiter(places, line);
  const placed: Enter = (work, after) =>
    new Promise((resolve, reject) => {
      limiter
        .run('', async () => {
          const done = await work();
          resolve(done);
          await after?.(done);
        })
        .catch(reject);
    });
  return async (work, after) => {
    try {
      return await placed(work, after);
    } catch (error) {
      if (!(error instanceof LineFull)) throw error;
      const what = `Too many ${whose} wait already and nothing was done with this one`;
      throw new ApiError('busy', `${what}; send the same again after ${String(BUSY_SECONDS)} seconds`);
    }
  };
}
