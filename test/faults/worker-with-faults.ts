/**
 * The worker of workers/main.ts, made of the same parts, that dies by SIGKILL at one named point, once: a marker file that
 * exists says that it has died before. Only for tests: nothing of this ships.
 *
 * COUNTERSIGN_TEST_FAULT names the point as `<place>:<moment>:<kind>`:
 *   commit:before:<command>   before the transaction begins
 *   commit:inside:<command>   all is written, the transaction is not committed
 *   commit:after:<command>    committed, the result is not reported to the workflow
 *   effect:before:<activity>  the commit is reported, the effect has not begun
 *   effect:inside:<activity>  the other side has answered, the entry is not committed
 *   effect:after:<activity>   the entry is committed, the result is not reported
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import pino from 'pino';
import { createCore } from '../../activities/core';
import { databaseClock } from '../../domain/clock';
import { parseStrict } from '../../record/canonical';
import { keysFromJson } from '../../record/keys';
import { openDatabase } from '../../record/store/database';
import { createActivities } from '../../workers/activities';
import { readConfig } from '../../activities/config';
import { createWorker } from '../../workers/worker';
import { EFFECTS, type ApprovalActivities, type AttemptInput, type CommitInput, type EffectActivities } from '../../workflows/protocol';
import { sharedBundle } from '../support/world';

const POINT = process.env['COUNTERSIGN_TEST_FAULT'] ?? '';
const MARKER = process.env['COUNTERSIGN_TEST_FAULT_MARKER'] ?? '';

/** What runs now, for the log line that is written between the last statement and the commit. */
let running = '';

function dieAt(point: string): void {
  if (point !== POINT) return;
  try {
    writeFileSync(MARKER, point, { flag: 'wx' });
  } catch {
    return; // It has died here before.
  }
  process.kill(process.pid, 'SIGKILL');
}

async function through<T>(place: string, kind: string, work: () => Promise<T>): Promise<T> {
  dieAt(`${place}:before:${kind}`);
  running = kind;
  const result = await work();
  dieAt(`${place}:after:${kind}`);
  return result;
}

/** Both activities log once everything is written and before their transaction commits. */
const INSIDE: Readonly<Record<string, string>> = { 'move answered': 'commit', attempted: 'effect' };

async function main(): Promise<void> {
  const config = readConfig(process.env, 'worker');
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const log = pino({
    level: 'info',
    hooks: {
      logMethod(args, method) {
        const place = INSIDE[String(args[1])];
        if (place !== undefined) dieAt(`${place}:inside:${running}`);
        method.apply(this, args);
      },
    },
  });
  const keys = keysFromJson(parseStrict(readFileSync(config.keysFile, 'utf8')));
  const db = openDatabase(config.databaseUrl, { name: 'countersign-worker' });
  const core = createCore({ db, keys, log, clock: databaseClock, publicUrl: config.publicUrl, development: true, allowLoopback: config.allowLoopback });
  const connection = await Connection.connect({ address: config.temporalAddress });
  const native = await NativeConnection.connect({ address: config.temporalAddress });
  const client = new Client({ connection });
  const { taskQueue } = config;
  const { activities: real, close } = createActivities(core, { client, taskQueue, smtpUrl: config.smtpUrl ?? '', mailFrom: config.mailFrom });
  const activities: ApprovalActivities = {
    ...real,
    commit: (input: CommitInput) => through('commit', input.command.type, () => real.commit(input)),
    ...(Object.fromEntries(
      Object.values(EFFECTS).map((name) => [
        name,
        (input: AttemptInput) => through('effect', name === 'resumeAgent' ? name : 'attempt', () => real[name](input)),
      ]),
    ) as unknown as EffectActivities),
  };
  const bundle = sharedBundle();
  const worker = await createWorker({ connection: native, namespace: 'default', taskQueue, activities, ...(bundle ? { bundle } : {}) });
  process.send?.({ ready: true });
  await worker.run();
  await close();
  await connection.close();
  await native.close();
  await db.destroy();
  process.disconnect();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
