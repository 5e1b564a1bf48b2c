/** A workflow that only waits: thirty timers of a day. Returns how long it took by the engine's clock. */
import { sleep } from '@temporalio/workflow';

export async function month(): Promise<number> {
  const began = Date.now();
  for (let day = 0; day < 30; day += 1) await sleep('1 day');
  return Date.now() - began;
}
