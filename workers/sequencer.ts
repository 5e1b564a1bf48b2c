/**
 * Gives the entries of every tenant their one order and signs the tree's head, off the path of decisions.
 * Any worker may run it: the store's lock lets one at a time.
 */
import type { Deps } from '../activities/deps';
import { databaseTime } from '../record/store/database';
import { sequence, type Refused, type Sequenced } from '../record/store/sequencer';

/** How long an entry waits for its place in the log, in milliseconds. */
const EVERY_MS = 1000;

/** `told`: of every round that went well. */
export function startSequencer(deps: Deps, told: (done: readonly Sequenced[]) => void = () => undefined): { stop(): Promise<void> } {
  let stopped = false;
  const sayRefused = namedOnce(deps);
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
        const done = await sequence(deps.db, deps.keys, await databaseTime(deps.db));
        for (const { tenant, refused } of done) sayRefused(tenant, refused);
        told(done);
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

/** An entry without a valid seal is met again every second; it is named once. */
function namedOnce({ log }: Deps): (tenant: string, refused: readonly Refused[]) => void {
  const named = new Set<string>();
  return (tenant, refused) => {
    for (const { approvalId, seq, why } of refused) {
      const key = JSON.stringify([tenant, approvalId, seq]);
      if (named.has(key)) continue;
      named.add(key);
      log.error({ tenant, approvalId, seq, why }, 'an entry gets no place in the log: look at it with countersign record verify');
    }
  };
}
