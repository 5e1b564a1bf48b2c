/**
 * The API process: reads its settings, serves until it is told to stop, then lets what has begun come to its end.
 * Says what is wrong in one sentence, without a stack.
 */
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import pino from 'pino';
import { createCore } from '../../activities/core';
import { databaseClock, engineClock, scaledClock, type Clock } from '../../domain/clock';
import { parseStrict } from '../../record/canonical';
import { keysFromJson } from '../../record/keys';
import { openDatabase } from '../../record/store/database';
import { apiDeps } from './compose';
import { ConfigError, readConfig, type ApiConfig } from './config';
import { buildApi } from './server';

/** How long requests in flight get after the signal; a move's own patience is shorter. */
const CLOSE_MS = 30_000;

function clockOf(config: ApiConfig): Clock {
  switch (config.COUNTERSIGN_CLOCK) {
    case 'database': return databaseClock;
    case 'engine': return engineClock;
    case 'scaled': return scaledClock(new Date(config.COUNTERSIGN_CLOCK_ORIGIN ?? '').toISOString(), config.COUNTERSIGN_TIME_SCALE);
  }
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = pino({ name: 'api', level: config.LOG_LEVEL });
  const port = config.COUNTERSIGN_API_PORT;
  const keys = keysFromJson(parseStrict(readFileSync(config.COUNTERSIGN_KEYS_FILE, 'utf8')));
  const db = openDatabase(config.DATABASE_URL, { name: 'countersign-api', onError: (err) => log.warn({ err }, 'a connection to the store broke; it is replaced') });
  const core = createCore({
    db, keys, log, clock: clockOf(config), publicUrl: (config.COUNTERSIGN_PUBLIC_URL ?? `http://localhost:${String(port)}`).replace(/\/+$/, ''),
    development: config.COUNTERSIGN_ENV === 'development', allowLoopback: config.COUNTERSIGN_ALLOW_LOOPBACK,
  });
  // Lazy: requests are recorded also while the engine is away.
  const connection = Connection.lazy({
    address: config.TEMPORAL_ADDRESS, ...(config.TEMPORAL_TLS || config.TEMPORAL_API_KEY !== undefined ? { tls: true } : {}), ...(config.TEMPORAL_API_KEY === undefined ? {} : { apiKey: config.TEMPORAL_API_KEY }),
  });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  const app = await buildApi(apiDeps(core, { client, taskQueue: config.COUNTERSIGN_TASK_QUEUE }));
  closeWithGrace({ delay: CLOSE_MS, logger: false }, async ({ err }) => {
    if (err) log.error({ err }, 'the API stops after an error');
    await app.close();
    await connection.close();
    await db.destroy();
    log.info('API stopped');
  });
  await app.listen({ host: config.COUNTERSIGN_API_HOST, port });
  log.info({ port }, 'API listens');
  process.send?.({ ready: true });
}

function say(error: unknown): string {
  if (error instanceof ConfigError) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return 'port_in_use: The port of the API is taken by another program; stop it, or set COUNTERSIGN_API_PORT to another port';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${say(error)}\n`);
  // Open connections would keep a process alive that cannot work.
  process.exit(1);
});
