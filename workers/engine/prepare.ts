/**
 * `npm run engines`: gets the servers that the tests need into the per-user cache, telling how far it is. Starts nothing that stays.
 */
import { findEngine } from './binary';
import { EngineError } from './errors';
import { findTimeSkipping } from './time-skipping';

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const onProgress = (line: string): void => void process.stdout.write(`${line}\n`);
  if (env['TEMPORAL_ADDRESS']) onProgress(`The Temporal server is the one at ${env['TEMPORAL_ADDRESS']}`);
  else onProgress(`The Temporal server is here: ${(await findEngine({ env, onProgress })).path}`);
  onProgress(`The time-skipping server is here: ${await findTimeSkipping({ env, onProgress })}`);
}

main(process.env).then(
  // The SDK's native runtime would keep the process alive.
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof EngineError ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
