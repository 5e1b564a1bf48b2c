/**
 * A whole Countersign to be measured, and the plain approval beside it: a durable store, an engine, the workers as processes of their own,
 * a mail server and agents that verify what they are sent. Nothing in it is a stand-in but the people.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { Client as Postgres } from 'pg';
import pino from 'pino';
import { createCore, type Core } from '../../activities/core';
import { databaseClock } from '../../domain/clock';
import { generateKeys, keysToJson } from '../../record/keys';
import { issueKey, registerAgent } from '../../record/store/agents';
import { openDatabase, roleOf, type Db } from '../../record/store/database';
import { migrate } from '../../record/store/migrate';
import { AGENT, publish, SECRET, TENANT } from '../../test/support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../../test/support/desk-policy';
import { startEngine, type Engine } from '../../workers/engine';
import { freePort } from '../../workers/engine/port';
import { startStore, type Store } from '../../workers/store';
import { TASK_QUEUE } from '../../workflows/protocol';
import type { Heard } from './outside';
import { startProgram, type Running } from './programs';

/** How the development server runs. */
export const ENGINES = {
  'as it comes': { tuned: false, file: false, says: 'temporal server start-dev without settings: in memory, 20 polls a second for each internal queue' },
  tuned: { tuned: true, file: false, says: 'in memory, poll limits of the internal queues lifted' },
  'npm start': { tuned: true, file: true, says: 'as npm start runs it: SQLite in a file in WAL mode, poll limits of the internal queues lifted' },
} as const;
export type EngineMode = keyof typeof ENGINES;

/** Store and outside world; several engines may come and go above them. */
export interface Ground {
  readonly store: Store;
  readonly core: Core;
  readonly outside: Running;
  readonly callbackUrl: { readonly countersign: string; readonly plain: string };
  /** What a process of ours is given. */
  readonly env: NodeJS.ProcessEnv;
  /** Waits for a mail about an approval, or its verified callback; when it came, in milliseconds of {@link nowMs}. */
  heard(kind: 'mail' | 'callback', id: string): Promise<number>;
  /** Callbacks that an agent refused; none is expected. */
  refused(): number;
  close(): Promise<void>;
}

export async function openGround(): Promise<Ground> {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  const store = await startStore({ dir: join(dir, 'store') });
  await migrate(store.adminUrl, roleOf(store.appUrl));
  await asOwner(store, 'create table bench_audit (id text primary key, outcome text not null, decided_by text, reason text not null, at timestamptz not null)');
  const keys = generateKeys();
  const keysFile = join(dir, 'keys.json');
  writeFileSync(keysFile, JSON.stringify(keysToJson(keys)), { mode: 0o600 });
  const db: Db = openDatabase(store.appUrl, { name: 'bench' });
  const log = pino({ level: 'silent' });
  const core = createCore({ db, clock: databaseClock, keys, log, publicUrl: 'http://localhost:8700', development: true, allowLoopback: true });
  // Nobody is reminded while a run lasts: ten thousand reminders at once would be another measurement.
  await publish({ db, keys }, DESK_POLICY.replaceAll('within: 30m', 'within: 24h'), DESK_DIRECTORY);
  await registerAgent(db, { ...AGENT, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
  const ears = listen();
  const outside = await startProgram('bench/support/outside.ts', { BENCH_JWKS: JSON.stringify(core.tokens.jwks()) }, ears.hear);
  const { smtpUrl, httpUrl } = ears.where();
  return {
    store,
    core,
    outside,
    callbackUrl: { countersign: `${httpUrl}/countersign`, plain: `${httpUrl}/plain` },
    env: {
      COUNTERSIGN_ENV: 'development',
      DATABASE_URL: store.appUrl,
      COUNTERSIGN_KEYS_FILE: keysFile,
      SMTP_URL: smtpUrl,
      COUNTERSIGN_ALLOW_LOOPBACK: 'true',
      LOG_LEVEL: 'info',
    },
    heard: ears.heard,
    refused: ears.refused,
    async close() {
      await outside.stop();
      await db.destroy();
      await store.stop();
      rmSync(store.dir, { recursive: true, force: true });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function asOwner(store: Store, statement: string): Promise<void> {
  const client = new Postgres({ connectionString: store.adminUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** What was told before anybody asked is kept until it is asked for; each is asked for once. */
function listen() {
  const early = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  let where: { smtpUrl: string; httpUrl: string } | undefined;
  let refused = 0;
  return {
    hear(message: unknown): void {
      const heard = message as Heard;
      if ('ready' in heard) where = heard;
      else if (heard.kind === 'refused') refused += 1;
      else {
        const key = `${heard.kind} ${heard.id}`;
        const told = waiting.get(key);
        if (told === undefined) return void early.set(key, heard.at);
        waiting.delete(key);
        told(heard.at);
      }
    },
    heard(kind: 'mail' | 'callback', id: string): Promise<number> {
      const key = `${kind} ${id}`;
      const at = early.get(key);
      early.delete(key);
      return at === undefined ? new Promise((resolve) => waiting.set(key, resolve)) : Promise.resolve(at);
    },
    refused: () => refused,
    where: () => where ?? { smtpUrl: '', httpUrl: '' },
  };
}

export interface Stack {
  readonly engine: Engine;
  readonly client: Client;
  readonly worker: Running;
  /** The plain approval's worker, where it was asked for. */
  readonly plain: Running | null;
  /** The HTTP API, where it was asked for. */
  readonly api: (Running & { readonly url: string; readonly agentKey: string }) | null;
  /** One line: which server this is. */
  readonly server: string;
  close(): Promise<void>;
}

export interface StackOptions {
  readonly mode: EngineMode;
  readonly plain?: boolean;
  readonly api?: boolean;
  /** The API's program, where it is not the product's own. */
  readonly apiProgram?: string;
  /** Beside what the product's own processes get. */
  readonly env?: NodeJS.ProcessEnv;
}

export async function openStack(
  ground: Ground,
  { mode, plain = false, api = false, apiProgram = 'client/api/main.ts', env = {} }: StackOptions,
): Promise<Stack> {
  const { tuned, file, says } = ENGINES[mode];
  const dir = mkdtempSync(join(tmpdir(), 'countersign-bench-engine-'));
  // A server given by TEMPORAL_ADDRESS would be another mode than the one that is printed.
  const engine = await startEngine({ tuned, env: { ...process.env, TEMPORAL_ADDRESS: '' }, ...(file ? { dbFile: join(dir, 'temporal.db') } : {}) });
  const connection = await Connection.connect({ address: engine.address });
  // As in production, where it is set: a worker that bundles at its start holds the bundler's memory from then on.
  const bundle = process.env['COUNTERSIGN_WORKFLOW_BUNDLE'];
  const built = bundle ? { COUNTERSIGN_WORKFLOW_BUNDLE: bundle } : {};
  const ours = { ...ground.env, TEMPORAL_ADDRESS: engine.address, COUNTERSIGN_TASK_QUEUE: TASK_QUEUE, ...built, ...env };
  const plainEnv = { TEMPORAL_ADDRESS: engine.address, SMTP_URL: ground.env['SMTP_URL'], DATABASE_URL: ground.store.adminUrl, CALLBACK_SECRET: SECRET };
  const worker = await startProgram('workers/main.ts', ours);
  const plainWorker = plain ? await startProgram('bench/plain/worker.ts', plainEnv) : null;
  const theApi = api ? await startApi(ground, apiProgram, ours) : null;
  return {
    engine,
    client: new Client({ connection }),
    worker,
    plain: plainWorker,
    api: theApi,
    server: `${mode}: ${says}${engine.settings.length > 0 ? ` (${engine.settings.join(', ')})` : ''}`,
    async close() {
      await Promise.all([worker.stop(), plainWorker?.stop(), theApi?.stop()]);
      await connection.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startApi(ground: Ground, program: string, env: NodeJS.ProcessEnv) {
  const port = await freePort('127.0.0.1');
  const api = await startProgram(program, { ...env, COUNTERSIGN_API_PORT: String(port) });
  const agentKey = await issueKey(ground.core.deps.db, { tenant: TENANT, agent: AGENT.agent, at: new Date().toISOString() });
  return { ...api, url: `http://127.0.0.1:${String(port)}`, agentKey };
}
