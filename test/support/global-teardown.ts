/** After the tests of the engine: nothing stays. */
import { rmSync } from 'node:fs';
import type { WithHeld } from './global-setup';

export default async function tearDown(): Promise<void> {
  const held = (globalThis as WithHeld).countersignHeld;
  if (held === undefined) return;
  await held.engine.stop();
  rmSync(held.dir, { recursive: true, force: true });
}
