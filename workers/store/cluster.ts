/**
 * One PostgreSQL data directory: made once, whole or not at all; started as a process of its own; healed after a hard stop.
 * Imports Node and ./processes, ./places only.
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
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { StoreError } from './errors';
import type { Programs, RunAs } from './places';
import { isPostgresOn, stopPostgres } from './processes';

export const ADMIN = 'countersign_admin';

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
    return readFileSync(file, 'utf8').trim().split('\n').slice(-3).join(' | ');
  } catch {
    return '';
  }
};

/** Initialises aside and renames, so that an interrupted first start leaves nothing that looks like a store. */
export async function initialise(cluster: Cluster, password: string): Promise<void> {
  for (const left of readdirSync(cluster.root)) if (left.startsWith('new-')) rmSync(join(cluster.root, left), { recursive: true, force: true });
  if (existsSync(cluster.data)) return;
  const aside = join(cluster.root, `new-${randomBytes(6).toString('hex')}`);
  makeDir(aside, cluster.as);
  const data = join(aside, 'data');
  makeDir(data, cluster.as);
  const passwordFile = join(aside, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (cluster.as) chownSync(passwordFile, cluster.as.uid, cluster.as.gid);
  const sync = cluster.durable ? [] : ['--no-sync'];
  const args = ['-D', data, '-U', ADMIN, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', ...sync];
  const child = spawn(cluster.programs.initdb, args, { ...spawnOptions(cluster), stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await exitOf(child);
  if (code !== 0) {
    rmSync(aside, { recursive: true, force: true });
    throw new StoreError(
      'store_failed',
      `PostgreSQL could not prepare ${cluster.data}: ${said.trim().split('\n').slice(-2).join(' | ') || `exit ${String(code)}`}`,
    );
  }
  renameSync(data, cluster.data);
  rmSync(aside, { recursive: true, force: true });
  if (cluster.durable) syncDir(cluster.root);
}

function syncDir(path: string): void {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new StoreError('store_failed', `PostgreSQL could not be started: ${cause.message}`, { cause }));
    });
    child.once('exit', resolve);
  });

/** Stops what a killed process left running on the data, and forgets a lock file whose process is gone or another's. */
export async function heal({ data }: Cluster, say: (line: string) => void): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number(readFileSync(lock, 'utf8').split('\n')[0]);
  if (Number.isSafeInteger(pid) && pid > 1 && isPostgresOn(pid, data)) {
    say('The store still runs from before; stopping it to take it over');
    await stopPostgres(pid);
  }
  rmSync(lock, { force: true });
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
