/**
 * The stage of the fault tests: an engine and a store of their own, the worker as a real process that is brought back whenever it
 * dies, and a reference agent whose hands the test may hold.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApproval } from '../../activities/engine';
import type { RequestDraft } from '../../domain/request';
import { keysToJson } from '../../record/keys';
import { startEngine, type Engine } from '../../workers/engine';
import { startProgram, until, type Program } from '../support/processes';
import type { TestStore } from '../support/store';
import { TENANT, openWorld, type World, type WorldOptions } from '../support/world';

export interface Stage {
  readonly engine: Engine;
  readonly world: World;
  /** The settings of a worker's process on a queue of its own. */
  workerEnv(taskQueue: string, more?: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
  /** Submits; `start` starts the workflow on this queue, as the API does. */
  submit(taskQueue: string, request: RequestDraft): Promise<{ readonly approvalId: string; start(): Promise<void> }>;
  /** Both at once. */
  ask(taskQueue: string, request: RequestDraft): Promise<string>;
  /** Where the record says that it stands. */
  state(approvalId: string): Promise<string>;
  untilAsked(approvalId: string): Promise<void>;
  close(): Promise<void>;
}

export async function openStage(store: TestStore, options: Pick<WorldOptions, 'clock'> = {}): Promise<Stage> {
  const engine = await startEngine();
  const world = await openWorld({ store, address: engine.address, withoutWorker: true, ...options });
  const dir = mkdtempSync(join(tmpdir(), 'countersign-faults-'));
  const keysFile = join(dir, 'keys.json');
  writeFileSync(keysFile, JSON.stringify(keysToJson(store.keys)), { mode: 0o600 });
  const stage: Stage = {
    engine,
    world,
    workerEnv: (taskQueue, more = {}) => ({
      COUNTERSIGN_ENV: 'development',
      DATABASE_URL: store.appUrl,
      TEMPORAL_ADDRESS: engine.address,
      COUNTERSIGN_TASK_QUEUE: taskQueue,
      COUNTERSIGN_KEYS_FILE: keysFile,
      COUNTERSIGN_PUBLIC_URL: world.core.deps.publicUrl,
      SMTP_URL: world.mail.smtpUrl,
      COUNTERSIGN_ALLOW_LOOPBACK: 'true',
      LOG_LEVEL: 'warn',
      COUNTERSIGN_TEST_BUNDLE: process.env['COUNTERSIGN_TEST_BUNDLE'],
      ...more,
    }),
    async submit(taskQueue, request) {
      const { approvalId, plan, headline } = await world.submit(request);
      const about = { tenant: TENANT, approvalId, lane: plan.lane, headline };
      return { approvalId, start: async () => void (await startApproval(world.client, { taskQueue, timeScale: world.core.deps.clock.scale }, about)) };
    },
    async ask(taskQueue, request) {
      const { approvalId, start } = await stage.submit(taskQueue, request);
      await start();
      return approvalId;
    },
    state: async (approvalId) => (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state,
    untilAsked: async (approvalId) => void (await until(async () => (await stage.state(approvalId)) !== 'routing', `${approvalId} is asked`)),
    async close() {
      await world.close();
      await engine.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return stage;
}

export interface Supervised {
  /** How often the process was killed. */
  readonly deaths: () => number;
  /** Kills it where it stands; another one follows. */
  kill(): void;
  stop(): Promise<void>;
}

/** Keeps one worker alive: whenever it is killed, the next one is started. Any other end is a failure of the test. */
export async function supervise(file: string, env: NodeJS.ProcessEnv): Promise<Supervised> {
  let current: Program = await startProgram(file, env);
  let deaths = 0;
  const wish = { stop: false };
  const keeping = (async () => {
    for (;;) {
      const { code, signal } = await current.ended;
      if (wish.stop) return;
      if (signal !== 'SIGKILL') throw new Error(`The worker ended by itself (${String(code ?? signal)}):\n${current.output()}`);
      deaths += 1;
      current = await startProgram(file, env);
    }
  })();
  keeping.catch(() => undefined);
  return {
    deaths: () => deaths,
    kill: () => void process.kill(current.pid, 'SIGKILL'),
    async stop() {
      const program = current;
      wish.stop = true;
      await program.stop();
      await keeping;
    },
  };
}
