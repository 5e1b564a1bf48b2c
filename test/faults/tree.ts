/**
 * A whole Countersign that is killed part by part: a durable store, an engine that keeps its state in a file, the worker and the API as their
 * own unchanged programs, each brought back at once on the same data and the same port. Beside it, and never killed with it, stands the world
 * outside (./outside), and whoever uses this: the agents and the people.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { createTokens } from '../../activities/tokens';
import { generateKeys, keysToJson } from '../../record/keys';
import { issueKey, registerAgent } from '../../record/store/agents';
import { openDatabase, roleOf } from '../../record/store/database';
import { migrate } from '../../record/store/migrate';
import { startEngine, type Engine } from '../../workers/engine';
import { startStore, type Store } from '../../workers/store';
import { postgresIn, waitUntilGone } from '../../workers/store/processes';
import { AGENT, publish, SECRET } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import type { Ground } from '../support/oracle';
import { startProgram, type Program } from '../support/processes';
import type { Address } from './outside';

const ROOT = join(__dirname, '..', '..');
const OUTSIDE = join(__dirname, 'outside.ts');
/** Below a folder like the repository, without their ending. */
const WORKER = join('workers', 'main');
const API = join('client', 'api', 'main');

export const TARGETS = ['worker', 'api', 'engine', 'store', 'tree'] as const;
export type Target = (typeof TARGETS)[number];

export interface Tree extends Omit<Ground, 'tenant'> {
  readonly dir: string;
  readonly apiUrl: string;
  /** A tenant of its own with the desk's policy and people: the agent's key, and where its agent is called back. */
  openTenant(tenant: string): Promise<{ readonly agentKey: string; readonly callbackUrl: string }>;
  /** Kills without a word, and returns when it runs again. `alsoChildren`: of the store, its children are killed at the same moment. */
  kill(target: Target, alsoChildren: boolean): Promise<void>;
  readonly kills: Readonly<Record<Target, number>>;
  /** What programs said that ended without having been killed. */
  readonly endedByThemselves: readonly string[];
  /** Processor time is not held for those who wait: stops everything, and leaves the journals where they are. */
  stop(): Promise<void>;
}

export interface TreeOptions {
  /** Where data and journals lie; a temporary folder, removed at the end, if absent. */
  readonly dir?: string;
  /** Workflows bundled ahead. */
  readonly bundle: string;
  /** A folder like the repository with the programs compiled ahead; as they lie in the repository, if absent. */
  readonly compiled?: string;
}

/**
 * Below the ports that systems hand out to callers: a caller that knocks again and again at a port whose server is away could be given that
 * very port, and would be connected to itself.
 */
async function portForLong(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

const killNow = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
};

/** A program that is started again whenever it has ended, until it is told to stop. */
interface Kept {
  kill(): void;
  /** When the one that runs now is ready. */
  running(): Promise<void>;
  stop(): Promise<void>;
}

function keep(file: string, env: NodeJS.ProcessEnv, onEnd: (said: string) => void): Kept {
  const wish = { stop: false, killed: false };
  let program: Program | null = null;
  const isOver = (): boolean => wish.stop;
  const wasKilled = (): boolean => wish.killed;
  const waiting: (() => void)[] = [];
  const loop = (async () => {
    while (!isOver()) {
      let next: Program;
      try {
        next = await startProgram(file, env);
      } catch {
        // It cannot begin while the engine or the store is away. A service manager tries again, and so is it here.
        await sleep(200);
        continue;
      }
      program = next;
      wish.killed = false;
      for (const tell of waiting.splice(0)) tell();
      const { code, signal } = await next.ended;
      program = null;
      if (!isOver() && !wasKilled()) onEnd(`${file} ended (${String(code ?? signal)}): ${next.output().slice(-2_000)}`);
    }
  })();
  return {
    kill() {
      if (!program) return; // It is on its way already.
      wish.killed = true;
      killNow(program.pid);
      program = null;
    },
    running: () => (program ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve))),
    async stop() {
      wish.stop = true;
      await program?.stop();
      await loop;
    },
  };
}

export async function openTree({ dir: given, bundle, compiled }: TreeOptions): Promise<Tree> {
  const dir = given ?? mkdtempSync(join(tmpdir(), 'countersign-tree-'));
  mkdirSync(dir, { recursive: true });
  const [storePort, enginePort, apiPort] = [await portForLong(), await portForLong(), await portForLong()];
  const keys = generateKeys();
  const keysFile = join(dir, 'keys.json');
  writeFileSync(keysFile, JSON.stringify(keysToJson(keys)), { mode: 0o600 });

  const openStore = (): Promise<Store> => again(() => startStore({ dir: join(dir, 'store'), port: storePort }));
  const openEngine = (): Promise<Engine> =>
    again(() => startEngine({ dbFile: join(dir, 'engine.db'), port: enginePort, env: { ...process.env, TEMPORAL_ADDRESS: '' } }));
  let store = await openStore();
  await migrate(store.adminUrl, roleOf(store.appUrl));
  let engine = await openEngine();

  const outside = await startProgram(OUTSIDE, { OUTSIDE_DIR: dir, OUTSIDE_JWKS: JSON.stringify(createTokens({ keys, issuer: '' }).jwks()) });
  const { smtpUrl, callbackUrl } = JSON.parse(readFileSync(join(dir, 'address.json'), 'utf8')) as Address;
  const env = {
    COUNTERSIGN_ENV: 'development',
    DATABASE_URL: store.appUrl,
    TEMPORAL_ADDRESS: engine.address,
    COUNTERSIGN_KEYS_FILE: keysFile,
    COUNTERSIGN_API_PORT: String(apiPort),
    SMTP_URL: smtpUrl,
    COUNTERSIGN_ALLOW_LOOPBACK: 'true',
    COUNTERSIGN_WORKFLOW_BUNDLE: bundle,
    LOG_LEVEL: 'error',
  };
  const endedByThemselves: string[] = [];
  const programOf = (path: string): string => (compiled === undefined ? join(ROOT, `${path}.ts`) : join(compiled, `${path}.js`));
  const worker = keep(programOf(WORKER), env, (said) => endedByThemselves.push(said));
  const api = keep(programOf(API), env, (said) => endedByThemselves.push(said));
  await Promise.all([worker.running(), api.running()]);

  const db = openDatabase(store.appUrl, { name: 'oracle', onError: () => undefined });
  const connection = Connection.lazy({ address: engine.address });
  const kills: Record<Target, number> = { worker: 0, api: 0, engine: 0, store: 0, tree: 0 };

  const killStore = (alsoChildren: boolean): void => {
    const children = alsoChildren ? postgresIn(join(store.dir, 'data')) : [];
    for (const pid of [store.pid, ...children]) killNow(pid);
  };
  const reviveStore = async (): Promise<void> => {
    await waitUntilGone(store.pid, 10_000);
    await store.stop();
    store = await openStore();
  };
  const killEngine = (): void => killNow(engine.pid ?? 0);
  const reviveEngine = async (): Promise<void> => {
    await waitUntilGone(engine.pid ?? 0, 10_000);
    engine = await openEngine();
  };

  return {
    db,
    keys,
    client: new Client({ connection }),
    dir,
    apiUrl: `http://127.0.0.1:${String(apiPort)}`,
    kills,
    endedByThemselves,
    async openTenant(tenant) {
      await publish({ db, keys }, DESK_POLICY, DESK_DIRECTORY, tenant);
      await registerAgent(db, { ...AGENT, tenant, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
      const agentKey = await issueKey(db, { tenant, agent: AGENT.agent, at: new Date().toISOString() });
      return { agentKey, callbackUrl: `${callbackUrl}/${tenant}` };
    },
    async kill(target, alsoChildren) {
      kills[target] += 1;
      const all = target === 'tree';
      // All at once, before anything is brought back.
      if (all || target === 'worker') worker.kill();
      if (all || target === 'api') api.kill();
      if (all || target === 'engine') killEngine();
      if (all || target === 'store') killStore(alsoChildren);
      await Promise.all([...(all || target === 'store' ? [reviveStore()] : []), ...(all || target === 'engine' ? [reviveEngine()] : [])]);
      await Promise.all([worker.running(), api.running()]);
    },
    async stop() {
      await Promise.all([worker.stop(), api.stop()]);
      await connection.close();
      await db.destroy();
      await Promise.all([engine.stop(), store.stop(), outside.stop()]);
      rmSync(store.dir, { recursive: true, force: true });
      if (given === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What was killed may hold its port or its lock for a moment longer. */
async function again<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === 10) throw error;
      await sleep(300);
    }
  }
}
