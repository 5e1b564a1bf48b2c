/**
 * The API process: reads its settings, serves until it is told to stop, then lets what has begun come to its end.
 * Says what is wrong in one sentence, without a stack.
 */
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import pino from 'pino';
import { ConfigError, clockOf, engineOptions, readConfig } from '../../activities/config';
import { createCore } from '../../activities/core';
import { parseStrict } from '../../record/canonical';
import { keysFromJson } from '../../record/keys';
import { openDatabase } from '../../record/store/database';
import { apiDeps } from './compose';
import { buildApi } from './server';

/** How long requests in flight get after the signal; a move's own patience is shorter. */
const CLOSE_MS = 30_000;

async function main(): Promise<void> {
  const config = readConfig(process.env, 'api');
  const log = pino({ name: 'api', level: config.logLevel });
  const port = config.apiPort;
  const keys = keysFromJson(parseStrict(readFileSync(config.keysFile, 'utf8')));
  const db = openDatabase(config.databaseUrl, {
    name: 'countersign-api',
    onError: (err) => log.warn({ err }, 'a connection to the store broke; it is replaced'),
  });
  const core = createCore({
    db,
    keys,
    log,
    clock: clockOf(config),
    publicUrl: config.publicUrl,
    development: config.development,
    allowLoopback: config.allowLoopback,
  });
  // Lazy: requests are recorded also while the engine is away.
  const connection = Connection.lazy(engineOptions(config));
  const client = new Client({ connection, namespace: config.temporalNamespace });
  const app = await buildApi(apiDeps(core, { client, taskQueue: config.taskQueue }));
  closeWithGrace({ delay: CLOSE_MS, logger: false }, async ({ err }) => {
    if (err) log.error({ err }, 'the API stops after an error');
    await app.close();
    await connection.close();
    await db.destroy();
    log.info('API stopped');
  });
  await app.listen({ host: config.apiHost, port });
  log.info({ port }, 'API listens');
  process.send?.({ ready: true });
}

function say(error: unknown): string {
  if (error instanceof ConfigError) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
    return 'port_in_use: The port of the API is taken by another program; stop it, or set COUNTERSIGN_API_PORT to another port';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${say(error)}\n`);
  // Open connections would keep a process alive that cannot work.
  process.exit(1);
});
