/**
 * The per-user cache of built things. Promises: a thing is either whole or absent under its final name (made aside, renamed into place),
 * a damaged one is made again, and two processes never make the same one twice.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isFull, saysFull } from '../disk';
import { EngineError, sayCause, systemCode } from './errors';
import { withLock } from './lock';

export type Progress = (line: string) => void;

/** The repository's root, from which the pinned modules are built. */
export const repositoryRoot = resolve(__dirname, '..', '..');

export const cacheRoot = (env: NodeJS.ProcessEnv): string => join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'countersign');

/** A name for what these files describe, on this platform. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\0`);
  for (const path of paths) hash.update(readFileSync(path)).update('\0');
  return hash.digest('hex').slice(0, 16);
}

export interface Cached {
  /** The directory that must be whole. */
  readonly dir: string;
  /** What is being made, for messages: "the Temporal server". */
  readonly what: string;
  /** True if the directory holds a working thing. */
  readonly verify: (dir: string) => Promise<boolean>;
  /** Fills an empty directory. */
  readonly make: (dir: string) => Promise<void>;
  readonly onProgress: Progress;
}

/** Returns the directory, making it first if it is absent or damaged. */
export async function cached(thing: Cached): Promise<string> {
  const { dir, what } = thing;
  if (await whole(thing)) return dir;
  const make = async (): Promise<string> => {
    if (await whole(thing)) return dir; // Made by whoever held the lock before us.
    const aside = `${dir}.making-${process.pid}`;
    // With the lock held, whatever lies half made here is of a process that died.
    for (const name of readdirSync(dirname(dir))) {
      if (name.startsWith(`${basename(dir)}.making-`)) remove(join(dirname(dir), name));
    }
    mkdirSync(aside);
    try {
      await thing.make(aside);
      if (!(await thing.verify(aside))) throw new EngineError('engine_failed', `What was made for ${what} in ${aside} does not run.`);
      remove(dir);
      renameSync(aside, dir);
    } catch (error) {
      // Before the half-made thing is removed, which makes room again.
      throw isFull(dirname(dir)) || saysFull(error) ? diskFull(dir, what, error) : error;
    } finally {
      remove(aside);
    }
    return dir;
  };
  const onWait = (holder: { readonly pid: number }, seconds: number): void =>
    thing.onProgress(`waiting for process ${holder.pid}, which is getting ${what} (${seconds} s)`);
  try {
    mkdirSync(dirname(dir), { recursive: true });
    return await withLock(`${dir}.lock`, make, { onWait });
  } catch (cause) {
    if (saysFull(cause)) throw diskFull(dir, what, cause);
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(systemCode(cause) ?? '')) throw cause;
    throw new EngineError(
      'cache_unusable',
      `The cache directory ${dir} cannot be written (${sayCause(cause)}): mend its permissions, or set XDG_CACHE_HOME to another place.`,
      { cause },
    );
  }
}

const remove = (path: string): void => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });

const diskFull = (dir: string, what: string, cause: unknown): EngineError =>
  new EngineError(
    'disk_full',
    `The disk that holds ${dirname(dir)} is full, so ${what} cannot be kept there: free some space, or set XDG_CACHE_HOME to a place with more.`,
    { cause },
  );

const whole = async (thing: Cached): Promise<boolean> => existsSync(thing.dir) && (await thing.verify(thing.dir));
