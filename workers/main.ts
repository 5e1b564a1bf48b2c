/**
 * The worker process: reads its settings, refuses to run with a wrong engine, works until it is told to stop, and then lets
 * what has begun come to its end. Says what is wrong in one sentence, without a stack.
 */
import { readFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, type LogLevel } from '@temporalio/worker';
import pino, { type Logger } from 'pino';
import { ConfigError, clockOf, engineOptions, readConfig } from '../activities/config';
import { createCore } from '../activities/core';
import { parseStrict } from '../record/canonical';
import { keysFromJson } from '../record/keys';
import { openDatabase } from '../record/store/database';
import { createActivities } from './activities';
import { checkSearchAttributes, EngineError } from './engine';
import { startSequencer } from './sequencer';
import { createWorker, ensureReconcileSchedule } from './worker';

/** How often the reconciler sweeps, in seconds. */
const SWEEP_SECONDS = 30;

async function main(): Promise<void> {
  const config = readConfig(process.env, 'worker');
  const log = pino({ name: 'worker', level: config.logLevel });
  Runtime.install({ logger: temporalLogger(log) });
  const remote = engineOptions(config);
  await checkSearchAttributes(config.temporalAddress, config.temporalNamespace, { tls: config.temporalTls, apiKey: config.temporalApiKey });
  const keys = keysFromJson(parseStrict(readFileSync(config.keysFile, 'utf8')));
  const db = openDatabase(config.databaseUrl, { name: 'countersign-worker' });
  const core = createCore({
    db,
    keys,
    log,
    clock: clockOf(config),
    publicUrl: config.publicUrl,
    development: config.development,
    allowLoopback: config.allowLoopback,
  });
  const connection = await Connection.connect(remote);
  const native = await NativeConnection.connect(remote);
  const client = new Client({ connection, namespace: config.temporalNamespace });
  const { taskQueue } = config;
  const { activities, close } = createActivities(core, { client, taskQueue, smtpUrl: config.smtpUrl ?? '', mailFrom: config.mailFrom });
  const worker = await createWorker({ connection: native, namespace: config.temporalNamespace, taskQueue, activities });
  await ensureReconcileSchedule(client, taskQueue, SWEEP_SECONDS);
  const sequencer = startSequencer(core.deps);
  log.info({ taskQueue, engine: config.temporalAddress }, 'worker runs');
  process.send?.({ ready: true });
  await worker.run();
  await sequencer.stop();
  await close();
  await connection.close();
  await native.close();
  await db.destroy();
  log.info('worker stopped');
}

/** Temporal's own words, in the same structured log. */
function temporalLogger(log: Logger): DefaultLogger {
  const levels: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = {
    TRACE: 'trace',
    DEBUG: 'debug',
    INFO: 'debug',
    WARN: 'warn',
    ERROR: 'error',
  };
  return new DefaultLogger('INFO', ({ level, message, meta }) => log[levels[level]]({ ...meta }, message));
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigError || error instanceof EngineError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
  // The runtime's threads and open connections would keep a process alive that cannot work.
  process.exit();
});
