/**
 * The embedded store: a real PostgreSQL 18 as a process of its own, for a machine that has none. With DATABASE_URL set, nobody calls this.
 * Promises: what was committed is on the disk (fsync on); an interrupted start, a kill -9 of this process or of PostgreSQL heals at the next start;
 * one process runs a directory at a time; passwords are generated and kept in the directory, readable by its owner only.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { saysFull, writeWhole } from './disk';
import { ADMIN, broken, failed, freePort, heal, initialise, inspect, isFree, launch, type Cluster, type Running } from './store/cluster';
import { StoreError } from './store/errors';
import { own } from './store/owner';
import { programs, reachableDir, runAs, userOf } from './store/places';
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
  const other = runAs();
  const root = reachableDir(options.dir, other, say);
  const as = other && userOf(join(root, 'data'), other);
  const disown = takeDir(root, as !== null);
  try {
    const cluster: Cluster = { root, data: join(root, 'data'), programs: programs(as, say), as, durable: options.durable ?? true };
    const passwords = passwordsOf(cluster);
    if (!existsSync(cluster.data)) say('Preparing the store (once, a few seconds)');
    await initialise(cluster, passwords.admin);
    inspect(cluster);
    await heal(cluster, say);
    const { running, port } = await launchOnPort(cluster, passwords.admin, options.port, say);
    try {
      await ensureDatabase(port, passwords);
      return storeOf(cluster, running, port, passwords, disown);
    } catch (error) {
      await stopPostgres(running.pid);
      throw error instanceof StoreError ? error : failed(cluster, `did not prepare its database in ${cluster.data}`, firstLine(error), error);
    }
  } catch (error) {
    disown();
    throw error;
  }
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';

/** The directory is there, and this process's alone. */
function takeDir(root: string, passable: boolean): () => void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o755 });
    // The other user passes through, and reads nothing here.
    chmodSync(root, passable ? 0o711 : 0o700);
    return own(root);
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    if (saysFull(cause)) throw new StoreError('store_disk_full', `The disk that holds ${root} is full; free some space there and start again`, { cause });
    throw new StoreError(
      'store_not_ours',
      `The store's directory ${root} cannot be written (${firstLine(cause)}); mend its owner and permissions, or name another`,
      {
        cause,
      },
    );
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
function passwordsOf(cluster: Cluster): Passwords {
  const { root, data } = cluster;
  const file = join(root, 'passwords.json');
  const kept = existsSync(file) ? readPasswords(file) : null;
  if (kept !== null) return kept;
  if (existsSync(data))
    throw new StoreError(
      'store_broken',
      `The store in ${root} has lost its passwords (${file}); restore that file from a backup, or remove the directory to begin anew`,
    );
  const made = { admin: randomBytes(24).toString('hex'), app: randomBytes(24).toString('hex') };
  try {
    writeWhole(file, JSON.stringify(made), 0o600);
  } catch (cause) {
    throw failed(cluster, `was not given its passwords in ${file}`, firstLine(cause), cause);
  }
  return made;
}

function readPasswords(file: string): Passwords | null {
  try {
    const { admin, app } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Passwords>;
    return typeof admin === 'string' && typeof app === 'string' ? { admin, app } : null;
  } catch (cause) {
    if (cause instanceof SyntaxError) return null;
    throw new StoreError('store_not_ours', `The store's passwords in ${file} cannot be read (${firstLine(cause)}); start as the user they belong to`, {
      cause,
    });
  }
}

/** Another process may take a free port before PostgreSQL does: then the next one is tried. */
async function launchOnPort(
  cluster: Cluster,
  password: string,
  wanted: number | undefined,
  say: (line: string) => void,
): Promise<{ running: Running; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    if (wanted !== undefined && !(await isFree(wanted))) throw portInUse(wanted);
    const running = launch(cluster, port);
    const failure = await untilReady(running, port, password);
    if (failure === null) return { running, port };
    const taken = /address already in use|could not create any TCP\/IP sockets/i.test(failure);
    if (taken && wanted !== undefined) throw portInUse(wanted);
    // A server that a killed start had just launched, or its last children, showed themselves only now.
    const held = /lock file "postmaster.pid" already exists|pre-existing shared memory block/i.test(failure);
    if (attempt === 5 || !(taken || held)) throw explain(cluster, failure);
    if (held) await heal(cluster, say);
  }
}

/** Words of PostgreSQL that mean: what is on the disk is damaged, and starting again will not mend it. */
const DAMAGED =
  /not a valid data directory|incompatible with server|invalid data in file|incorrect checksum|control file|checkpoint record|invalid page|could not (open|read|access) (file|directory)|is not a (known|valid)|missing or erroneous|does not exist|invalid magic/i;

const STARTING = /the database system is (starting up|not yet accepting connections|shutting down)/i;

function explain(cluster: Cluster, failure: string): StoreError {
  if (/no space left|disk quota/i.test(failure)) return failed(cluster, `did not start on ${cluster.data}`, failure);
  // Whoever knocks while it starts is told so, as FATAL too: the words that matter may come after.
  const fatal = [...failure.matchAll(/(?:FATAL|PANIC): {2}([^|\n]+)/g)].map(([, words = '']) => words.trim()).filter((words) => !STARTING.test(words));
  const damaged = fatal.find((words) => DAMAGED.test(words)) ?? (fatal.length === 0 && DAMAGED.test(failure) ? failure : undefined);
  if (damaged !== undefined) return broken(cluster.root, cluster.data, damaged);
  return failed(cluster, `did not start on ${cluster.data}`, (fatal[0] ?? failure).split(' | ').at(-1) ?? '');
}

const portInUse = (port: number): StoreError =>
  new StoreError('store_port_in_use', `Port ${String(port)}, which the store should use, is in use; stop what uses it, or give another port`);

/** PostgreSQL's code while it starts, recovers or stops: worth waiting for. */
const NOT_YET = '57P03';

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
      const refusal = refusalIn(error);
      if (refusal === null) continue;
      // What refused may be another server that took the port: then ours is about to go, and says so itself.
      await sleep(500);
      if (running.gone()) return running.lastWords();
      await stopPostgres(running.pid);
      return refusal;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  await stopPostgres(running.pid);
  await waitUntilGone(running.pid, 1_000);
  return `no answer within ${String(START_MS / 1000)} s; ${running.lastWords()}`;
}

/** What a server that answers says against us for good; null while it may still come. */
function refusalIn(error: unknown): string | null {
  if (!(error instanceof DatabaseError) || error.code === NOT_YET) return null;
  return error.code === '28P01' ? 'its passwords do not fit; restore passwords.json from a backup, or remove the directory to begin anew' : error.message;
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
