/**
 * Runs a tool to its end, keeping what it printed. Promises that the tool does not outlive the given time.
 * Must not know which tool it is.
 */
import { spawn } from 'node:child_process';

export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly onLine?: (line: string) => void;
}

const KEPT = 64 * 1024;

/** Rejects only when the program cannot be started at all (`ENOENT`). */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let partial = '';
    const take = (chunk: string): void => {
      output = (output + chunk).slice(-KEPT);
      const lines = (partial + chunk).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) options.onLine?.(line);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

/** Calls `say` every few seconds with the seconds passed, until `work` settles. */
export async function withTicks<T>(say: (seconds: number) => void, work: () => Promise<T>, everyMs = 5_000): Promise<T> {
  const started = Date.now();
  const timer = setInterval(() => say(Math.round((Date.now() - started) / 1000)), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
