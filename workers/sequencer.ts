/**
 * Gives the entries of every tenant their one order and signs the tree's head, off the path of decisions.
 * Any worker may run it: the store's lock lets one at a time.
 */
import type { Deps } from '../activities/deps';
import { databaseTime } from '../record/store/database';
import { sequence } from '../record/store/sequencer';

/** How long an entry waits for its place in the log, in milliseconds. */
const EVERY_MS = 1000;

export function startSequencer(deps: Deps): { stop(): Promise<void> } {
  let stopped = false;
  let wake: () => void = () => undefined;
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, EVERY_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const running = (async () => {
    while (!stopped) {
      try {
        await sequence(deps.db, deps.keys, await databaseTime(deps.db));
      } catch (error) {
        // The store is away, or an entry's seal does not hold: said each time, until somebody looks.
        deps.log.error({ error }, 'the record could not be sequenced');
      }
      await pause();
    }
  })();
  return {
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}
