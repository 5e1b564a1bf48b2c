/**
 * A lock between processes: one file that names its holder. A holder that died is found out and its lock taken over.
 * Promises that two live processes never hold it together; must not know what it guards.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomUUID } from 'node:crypto';
import { systemCode } from './errors';

export interface Holder {
  readonly pid: number;
  /** When the kernel says that process began; tells a reused pid from its earlier owner. Null where it cannot be known. */
  readonly born: string | null;
}

const bornAt = (pid: number): string | null => {
  try {
    // The name in parentheses may hold spaces: count the fields after it. The 22nd of the line is the start time.
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? null
    );
  } catch {
    return null;
  }
};

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (systemCode(error) !== 'EPERM') return false;
  }
  return holder.born === null || bornAt(holder.pid) === holder.born;
}

function readHolder(path: string): Holder | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, born: 'born' in value && typeof value.born === 'string' ? value.born : null };
  } catch {
    return null;
  }
}

/** Takes the lock and returns how to give it back, or says who holds it. */
export function tryLock(path: string): { readonly release: () => void } | { readonly heldBy: Holder } {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}.${randomUUID()}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, born: bornAt(process.pid) } satisfies Holder));
  try {
    for (;;) {
      try {
        // A link appears whole or not at all: nobody ever reads a lock without its holder.
        linkSync(mine, path);
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
      const holder = readHolder(path);
      if (holder !== null && isAlive(holder)) return { heldBy: holder };
      retire(path);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Moves a dead lock away. If a live one took its place between our look and our move, it is put back. */
function retire(path: string): void {
  const aside = `${path}.${process.pid}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // Someone else was quicker.
  }
  const moved = readHolder(aside);
  if (moved !== null && isAlive(moved)) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process holds it now; the one we moved sees the work done when its turn ends.
    }
  }
  rmSync(aside, { force: true });
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
