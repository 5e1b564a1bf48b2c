/**
 * Questions about processes that are not our children: alive, and still the one that was meant.
 * Imports Node only.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
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

/** What `ps` says of a process, where there is no /proc. */
function ps(pid: number, column: 'lstart' | 'command'): string | null {
  if (process.platform === 'linux' || process.platform === 'win32') return null;
  try {
    const said = execFileSync('ps', ['-ww', '-o', `${column}=`, '-p', String(pid)], { env: { LC_ALL: 'C', TZ: 'UTC' }, stdio: ['ignore', 'pipe', 'ignore'] });
    return said.toString().trim() || null;
  } catch {
    return null;
  }
}

const bornAt = (pid: number): string | null => statOf(pid)?.[19] ?? ps(pid, 'lstart');

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  // A zombie has a number but does nothing any more.
  return statOf(pid)?.[0] !== 'Z';
}

export const nameOf = (pid: number): ProcessName => ({ pid, startedAt: bornAt(pid) });

export const isStill = (name: ProcessName): boolean => isAlive(name.pid) && (name.startedAt === null || bornAt(name.pid) === name.startedAt);

/** Whether the process runs PostgreSQL on that data directory: a number that another program has by now does not. */
export function isPostgresOn(pid: number, dataDir: string): boolean {
  if (!isAlive(pid)) return false;
  try {
    const command =
      process.platform === 'linux'
        ? readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8')
            .split('\0')
            .join(' ')
        : (ps(pid, 'command') ?? '');
    const [program = '', rest = ''] = [command.slice(0, command.indexOf(' -D ')), command.slice(command.indexOf(' -D '))];
    return program.includes('postgres') && rest.startsWith(` -D ${dataDir} `);
  } catch {
    return false;
  }
}

/**
 * Every process of PostgreSQL that works in the data directory, the server's children among them: they outlive a killed server for a moment,
 * and a second server beside them would ruin the data. Known on Linux only; elsewhere PostgreSQL's own check of its shared memory stands alone.
 */
export function postgresIn(dataDir: string): readonly number[] {
  if (process.platform !== 'linux' || !existsSync(dataDir)) return [];
  const dir = realpathSync(dataDir);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${String(pid)}/cwd`) === dir && readlinkSync(`/proc/${String(pid)}/exe`).includes('postgres') && isAlive(pid);
      } catch {
        return false;
      }
    });
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
