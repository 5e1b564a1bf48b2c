/**
 * One PostgreSQL data directory: made once, whole or not at all; started as a process of its own; healed after a hard stop.
 * What is on the disk is never removed here, whatever its state: it may be the only copy of the record.
 * Imports Node, its neighbours and the watchdog only.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isFull } from '../disk';
import { endWithUs } from '../engine/watchdog';
import { StoreError } from './errors';
import type { Programs, RunAs } from './places';
import { isAlive, isPostgresOn, postgresIn, stopPostgres, waitUntilGone } from './processes';

export const ADMIN = 'countersign_admin';
/** The major version whose programs we bring. */
const MAJOR = '18';

export interface Cluster {
  readonly root: string;
  readonly data: string;
  readonly programs: Programs;
  readonly as: RunAs | null;
  readonly durable: boolean;
}

/** Nothing of our own environment: no PG* variable, locale or zone may change what the store does. */
const spawnOptions = ({ as }: Cluster) => ({ env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' }, cwd: '/', ...(as ?? {}) });

function makeDir(path: string, as: RunAs | null): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (as) chownSync(path, as.uid, as.gid);
}

const tail = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(-20).join(' | ');
  } catch {
    return '';
  }
};

/** A failure of PostgreSQL in one sentence: the full disk by name, wherever it shows, and else its own words. */
export function failed(cluster: Cluster, what: string, said: string, cause?: unknown): StoreError {
  if (/no space left|disk quota exceeded/i.test(said) || isFull(cluster.root))
    return new StoreError('store_disk_full', `The disk that holds ${cluster.root} is full, and PostgreSQL ${what}; free some space there and start again`, {
      cause,
    });
  if (/could not look up effective user ID/.test(said))
    return new StoreError(
      'store_no_user',
      'PostgreSQL runs only as a user that the system knows by name, and this one has none; give it a line in /etc/passwd, run as another user, or set DATABASE_URL',
      { cause },
    );
  const words = said.split('\n').filter((line) => /error|fatal|panic|could not/i.test(line));
  return new StoreError('store_failed', `PostgreSQL ${what}: ${(words[0] ?? said.split('\n').at(-1) ?? '').trim()}`, { cause });
}

/** Initialises aside and renames, so that an interrupted first start leaves nothing that looks like a store. */
export async function initialise(cluster: Cluster, password: string): Promise<void> {
  for (const left of readdirSync(cluster.root)) {
    // A first start that was killed may still be writing into it for a moment.
    if (left.startsWith('new-')) rmSync(join(cluster.root, left), { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
  if (existsSync(cluster.data)) return;
  const aside = join(cluster.root, `new-${randomBytes(6).toString('hex')}`);
  const data = join(aside, 'data');
  try {
    makeDir(aside, cluster.as);
    makeDir(data, cluster.as);
    await initdb(cluster, aside, data, password);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    throw error instanceof StoreError ? error : failed(cluster, `could not prepare ${cluster.data}`, String(error), error);
  }
  renameSync(data, cluster.data);
  rmSync(aside, { recursive: true, force: true });
  if (cluster.durable) syncDir(cluster.root);
}

async function initdb(cluster: Cluster, aside: string, data: string, password: string): Promise<void> {
  const passwordFile = join(aside, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (cluster.as) chownSync(passwordFile, cluster.as.uid, cluster.as.gid);
  const sync = cluster.durable ? [] : ['--no-sync'];
  const args = ['-D', data, '-U', ADMIN, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', ...sync];
  const child = spawn(cluster.programs.initdb, args, { ...spawnOptions(cluster), stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const callOff = child.pid === undefined ? () => undefined : endWithUs(child.pid);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await exitOf(child).finally(callOff);
  if (code !== 0) throw failed(cluster, `could not prepare ${cluster.data}`, said.trim() || `exit ${String(code)}`);
}

/**
 * Refuses data that PostgreSQL could not, or must not, be started on, before it is touched: its own words for these send people to the wrong place.
 */
export function inspect({ root, data, as }: Cluster): void {
  const stat = statSync(data);
  if (!stat.isDirectory()) throw broken(root, data, 'it is no directory');
  const owner = process.platform === 'win32' ? null : (as?.uid ?? process.getuid?.() ?? null);
  if (owner !== null && stat.uid !== owner)
    throw new StoreError(
      'store_not_ours',
      `The store's data in ${data} belongs to user ${String(stat.uid)}, and PostgreSQL runs as user ${String(owner)} here; ` +
        `start as the user it belongs to, or give it to this one with "chown -R ${String(owner)} ${data}"`,
    );
  // Copies and backups often lose the mode; PostgreSQL refuses any other.
  if (owner !== null && (stat.mode & 0o777 & ~0o750) !== 0) chmodSync(data, 0o700);
  let version: string;
  try {
    version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (cause) {
    throw broken(root, data, 'it has no PG_VERSION', cause);
  }
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(version)) throw broken(root, data, 'its PG_VERSION holds no version');
  if (version !== MAJOR)
    throw new StoreError(
      'store_other_version',
      `The store in ${data} was made by PostgreSQL ${version}, and this Countersign brings PostgreSQL ${MAJOR}; ` +
        `start the Countersign that made it and carry the data over with pg_dump, or set DATABASE_URL to a server of that version`,
    );
}

/** What cannot be mended by starting again. Nothing is removed. */
export const broken = (root: string, data: string, why: string, cause?: unknown): StoreError =>
  new StoreError(
    'store_broken',
    `The store's data in ${data} cannot be used (${why}); put a backup of ${root} in its place, or move ${root} away to begin anew without what was recorded`,
    { cause },
  );

function syncDir(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

/** How long the last words of a process that has ended may take. */
const LAST_WORDS_MS = 1_000;

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new StoreError('store_failed', `PostgreSQL could not be started: ${cause.message}`, { cause }));
    });
    // Its last words may come after it is gone. A child of its own may hold its output open for longer: that is not waited for.
    child.once('exit', (code) => {
      const late = setTimeout(() => resolve(code), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(late);
        resolve(code);
      });
    });
  });

/**
 * Stops what a killed process left running on the data, children of a killed server too. A lock file of a dead server is PostgreSQL's to judge;
 * one whose number another program has by now is forgotten, since PostgreSQL would wait for that program for ever.
 */
export async function heal({ data }: Cluster, say: (line: string) => void): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  const named = existsSync(lock) ? Number(readFileSync(lock, 'utf8').split('\n')[0]) : Number.NaN;
  const ours = Number.isSafeInteger(named) && named > 1 && isPostgresOn(named, data);
  const left = postgresIn(data);
  if (ours || left.length > 0) say('The store still runs from before; stopping it to take it over');
  if (ours) await stopPostgres(named);
  // A server that was killed leaves children; one that was just started has no lock file yet.
  for (const pid of left) if (!(await waitUntilGone(pid, 1_000))) await stopPostgres(pid);
  if (!ours && existsSync(lock) && (!Number.isSafeInteger(named) || named <= 1 || isAlive(named))) rmSync(lock, { force: true });
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new StoreError('store_failed', 'This machine gave no free port'));
      });
    });
  });

export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });

export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Set once it has gone. */
  readonly gone: () => boolean;
  /** The last words of its log. */
  readonly lastWords: () => string;
}

/** In a session of its own, so that Ctrl-C in our terminal does not stop it under its clients; its log is a file, which outlives us. */
export function launch(cluster: Cluster, port: number): Running {
  const file = join(cluster.root, 'store.log');
  const log = openSync(file, 'w', 0o600);
  chmodSync(file, 0o600);
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(cluster.durable ? { fsync: 'on', synchronous_commit: 'on' } : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const args = ['-D', cluster.data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const child = spawn(cluster.programs.postgres, args, { ...spawnOptions(cluster), stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  let gone = false;
  child.once('exit', () => (gone = true));
  child.once('error', () => (gone = true));
  child.unref();
  return { pid: child.pid ?? -1, child, gone: () => gone, lastWords: () => tail(file) };
}
