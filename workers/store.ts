/**
 * The embedded store: a real PostgreSQL 18 as a process of its own, for a machine that has none. With DATABASE_URL set, nobody calls this.
 * Promises: what was committed is on the disk (fsync on); an interrupted start, a kill -9 of this process or of PostgreSQL heals at the next start;
 * one process runs a directory at a time; passwords are generated and kept in the directory, readable by its owner only.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { ADMIN, freePort, heal, initialise, isFree, launch, type Cluster, type Running } from './store/cluster';
import { StoreError } from './store/errors';
import { own } from './store/owner';
import { programs, reachableDir, runAs } from './store/places';
import { stopPostgres, waitUntilGone } from './store/processes';

export { StoreError, type StoreErrorCode } from './store/errors';

const DATABASE = 'countersign';
const APP = 'countersign_app';
const START_MS = 120_000;

export interface StoreOptions {
  /** Where the data lies; made if missing. */
  readonly dir: string;
  /** A free one unless told. */
  readonly port?: number;
  readonly onProgress?: (line: string) => void;
  /** False only in tests: faster, and a power cut loses data. */
  readonly durable?: boolean;
}

export interface Store {
  /** Owner of the database: migrations. */
  readonly adminUrl: string;
  /** The application role: no DDL, and nothing of the record to change. */
  readonly appUrl: string;
  readonly port: number;
  /** Where the data really lies. */
  readonly dir: string;
  readonly pid: number;
  /** A fast, clean shutdown. Twice is once. */
  stop(): Promise<void>;
}

/** Starts the store and answers when it takes connections. */
export async function startStore(options: StoreOptions): Promise<Store> {
  const say = options.onProgress ?? (() => undefined);
  const as = runAs();
  const root = reachableDir(options.dir, as, say);
  mkdirSync(root, { recursive: true, mode: 0o755 });
  // The other user passes through, and reads nothing here.
  chmodSync(root, as ? 0o711 : 0o700);
  const disown = own(root);
  try {
    const cluster: Cluster = { root, data: join(root, 'data'), programs: programs(as, say), as, durable: options.durable ?? true };
    const passwords = passwordsOf(cluster);
    if (!existsSync(cluster.data)) say('Preparing the store (once, a few seconds)');
    await initialise(cluster, passwords.admin);
    await heal(cluster, say);
    const { running, port } = await launchOnPort(cluster, passwords.admin, options.port);
    try {
      await ensureDatabase(port, passwords);
      return storeOf(cluster, running, port, passwords, disown);
    } catch (error) {
      await stopPostgres(running.pid);
      throw error;
    }
  } catch (error) {
    disown();
    throw error;
  }
}

interface Passwords {
  readonly admin: string;
  readonly app: string;
}

const urlOf = (role: string, password: string, port: number, database: string): string =>
  `postgresql://${role}:${password}@127.0.0.1:${String(port)}/${database}`;

function storeOf(cluster: Cluster, running: Running, port: number, passwords: Passwords, disown: () => void): Store {
  // The last resort when this process ends without stop(): ask it to go; what it cannot finish it recovers.
  const onExit = (): void => {
    if (!running.gone()) running.child.kill('SIGINT');
    disown();
  };
  process.once('exit', onExit);
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    if (!running.gone()) await stopPostgres(running.pid);
    process.off('exit', onExit);
    disown();
  };
  return {
    adminUrl: urlOf(ADMIN, passwords.admin, port, DATABASE),
    appUrl: urlOf(APP, passwords.app, port, DATABASE),
    port,
    dir: cluster.root,
    pid: running.pid,
    stop: () => (stopped ??= stop()),
  };
}

/** Hex, so that they need no escaping anywhere. Written before the data, because the data cannot be opened without them. */
function passwordsOf({ root, data }: Cluster): Passwords {
  const file = join(root, 'passwords.json');
  if (existsSync(file)) {
    const { admin, app } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Passwords>;
    if (admin !== undefined && app !== undefined) return { admin, app };
  }
  if (existsSync(data))
    throw new StoreError(
      'store_broken',
      `The store in ${root} has lost its passwords (${file}); restore that file from a backup, or remove the directory to begin anew`,
    );
  const made = { admin: randomBytes(24).toString('hex'), app: randomBytes(24).toString('hex') };
  writeFileSync(`${file}.new`, JSON.stringify(made), { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return made;
}

/** Another process may take a free port before PostgreSQL does: then the next one is tried. */
async function launchOnPort(cluster: Cluster, password: string, wanted: number | undefined): Promise<{ running: Running; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    if (wanted !== undefined && !(await isFree(wanted))) throw portInUse(wanted);
    const running = launch(cluster, port);
    const failure = await untilReady(running, port, password);
    if (failure === null) return { running, port };
    const taken = /address already in use|could not create any TCP\/IP sockets/i.test(failure);
    if (taken && wanted !== undefined) throw portInUse(wanted);
    if (!taken || attempt === 5) throw new StoreError('store_failed', `PostgreSQL did not start on ${cluster.data}: ${failure}`);
  }
}

const portInUse = (port: number): StoreError =>
  new StoreError('store_port_in_use', `Port ${String(port)}, which the store should use, is in use; stop what uses it, or give another port`);

/** Null when it answers, else what it said. */
async function untilReady(running: Running, port: number, password: string): Promise<string | null> {
  for (const until = Date.now() + START_MS; Date.now() < until; await sleep(25)) {
    if (running.gone()) return running.lastWords();
    const client = new Client({ connectionString: urlOf(ADMIN, password, port, 'postgres'), connectionTimeoutMillis: 1_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      // Something else on this port could answer; only ours is the child of this launch.
      if (!running.gone()) return null;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === '28P01') {
        await stopPostgres(running.pid);
        return 'its passwords do not fit; restore passwords.json from a backup, or remove the directory to begin anew';
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  await stopPostgres(running.pid);
  await waitUntilGone(running.pid, 1_000);
  return `no answer within ${String(START_MS / 1000)} s; ${running.lastWords()}`;
}

async function ensureDatabase(port: number, passwords: Passwords): Promise<void> {
  const client = new Client({ connectionString: urlOf(ADMIN, passwords.admin, port, 'postgres') });
  await client.connect();
  try {
    const roles = await client.query('select 1 from pg_roles where rolname = $1', [APP]);
    if (roles.rowCount === 0) await client.query(`create role ${escapeIdentifier(APP)} login password ${escapeLiteral(passwords.app)}`);
    const databases = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (databases.rowCount === 0) await client.query(`create database ${escapeIdentifier(DATABASE)}`);
  } finally {
    await client.end();
  }
}
