/**
 * Before the tests of the engine: one development server, in memory and tuned, and one bundle of the workflows, for all of them.
 * Their places go to the test processes through the environment; see ./engine.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBundle } from '../../workers/bundle';
import { startEngine, type Engine } from '../../workers/engine';
import { BUNDLE_VARIABLE, ENGINE_VARIABLE } from './engine';
import { holdPort } from './ports';

export interface Held {
  readonly engine: Engine;
  readonly dir: string;
}

export type WithHeld = typeof globalThis & { countersignHeld?: Held };

export default async function setUp(): Promise<void> {
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const dir = mkdtempSync(join(tmpdir(), 'countersign-tests-'));
  const path = join(dir, 'workflows.js');
  const [engine] = await Promise.all([startEngine({ port: await holdPort(), onProgress }), writeBundle(path)]);
  (globalThis as WithHeld).countersignHeld = { engine, dir };
  process.env[ENGINE_VARIABLE] = engine.address;
  process.env[BUNDLE_VARIABLE] = path;
}
