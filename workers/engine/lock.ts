/**
 * A lock between processes: one file that names its holder. A holder that died is found out and its lock taken over.
 * Promises that two live processes never hold it together; must not know what it guards.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createHash, randomUUID } from 'node:crypto';
import { isStill, nameOf, type ProcessName } from '../store/processes';
import { systemCode } from './errors';

/** Who has it, beyond the reuse of its number. */
export type Holder = ProcessName;

const read = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

function holderIn(text: string): Holder | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, startedAt: 'startedAt' in value && typeof value.startedAt === 'string' ? value.startedAt : null };
  } catch {
    return null;
  }
}

/** The one file through which a holder that died is succeeded: its name comes from what the dead one wrote. */
const successorOf = (path: string, text: string): string => `${path}.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;

/** From the lock's text on: who lives in the line of its successors, or the names of their files up to the first that is missing. */
function line(path: string, found: string): { readonly living: Holder | null; readonly successors: readonly string[] } {
  const successors: string[] = [];
  for (let text: string | null = found; text !== null;) {
    const holder = holderIn(text);
    if (holder !== null && isStill(holder)) return { living: holder, successors };
    const next = successorOf(path, text);
    if (successors.includes(next)) {
      // The same rubbish twice, as a power cut leaves it, names nobody.
      rmSync(next, { force: true });
      return { living: null, successors: [] };
    }
    successors.push(next);
    text = read(next);
  }
  return { living: null, successors };
}

/**
 * Takes the lock and returns how to give it back, or says who holds it.
 * Whoever succeeds a dead holder links a file that only one can link, sees that the lock still is the dead one's, and puts its own name over it.
 * Should it die in between, it is succeeded in the same way. So no live lock is ever moved, however many come at once.
 */
export function tryLock(path: string): { readonly release: () => void } | { readonly heldBy: Holder } {
  mkdirSync(dirname(path), { recursive: true });
  const text = JSON.stringify({ ...nameOf(process.pid), id: randomUUID() });
  const mine = `${path}.${process.pid}.${randomUUID()}`;
  // A link appears whole or not at all: nobody ever reads a lock without its holder.
  const place = (at: string): boolean => {
    try {
      linkSync(mine, at);
      return true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      return false;
    }
  };
  const release = (): void => {
    if (read(path) === text) rmSync(path, { force: true });
  };
  try {
    writeFileSync(mine, text);
    for (;;) {
      if (place(path)) return { release };
      const found = read(path);
      if (found === null) continue; // Given back just now.
      const { living, successors } = line(path, found);
      if (living !== null && read(path) === found) return { heldBy: living };
      const successor = successors.at(-1);
      if (living !== null || successor === undefined || !place(successor)) continue;
      if (read(path) !== found) {
        rmSync(successor, { force: true });
        continue;
      }
      renameSync(mine, path);
      for (const done of successors) rmSync(done, { force: true });
      return { release };
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

export interface LockOptions {
  /** Called while another process holds it. */
  readonly onWait?: (holder: Holder, seconds: number) => void;
  readonly everyMs?: number;
}

/** Runs `work` while holding the lock, waiting for it as long as its holder lives. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const started = Date.now();
  let told = 0;
  for (;;) {
    const taken = tryLock(path);
    if ('release' in taken) {
      try {
        return await work();
      } finally {
        taken.release();
      }
    }
    if (Date.now() >= told) {
      options.onWait?.(taken.heldBy, Math.round((Date.now() - started) / 1000));
      told = Date.now() + 5_000;
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 250));
  }
}
