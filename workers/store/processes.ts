/**
 * Questions about processes that are not our children: alive, and still the one that was meant.
 * Imports Node only.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process beyond the reuse of its number: with the time it started, where the system tells. */
export interface ProcessName {
  readonly pid: number;
  readonly startedAt: string | null;
}

const statOf = (pid: number): readonly string[] | null => {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The command's name stands in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
};

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  // A zombie has a number but does nothing any more.
  return statOf(pid)?.[0] !== 'Z';
}

export const nameOf = (pid: number): ProcessName => ({ pid, startedAt: statOf(pid)?.[19] ?? null });

export const isStill = (name: ProcessName): boolean => isAlive(name.pid) && (name.startedAt === null || nameOf(name.pid).startedAt === name.startedAt);

/** Whether the process runs PostgreSQL on that data directory. Where the system does not tell, a live process counts as it. */
export function isPostgresOn(pid: number, dataDir: string): boolean {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') return true;
  try {
    const command = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
    return command.includes(dataDir) && /postgres/.test(command[0] ?? readlinkSync(`/proc/${String(pid)}/exe`));
  } catch {
    return false;
  }
}

/** Waits until the process has gone; false when it has not within `withinMs`. */
export async function waitUntilGone(pid: number, withinMs: number): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await sleep(20)) if (!isAlive(pid)) return true;
  return !isAlive(pid);
}

/** PostgreSQL's fast shutdown (sessions end, a checkpoint is written); if it hangs, the immediate one, which recovers at the next start. */
export async function stopPostgres(pid: number): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 10_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isAlive(pid)) return;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (await waitUntilGone(pid, patience)) return;
  }
}
