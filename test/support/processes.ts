/**
 * Programs of ours as real processes, for tests that kill them: started with what `npm start` gives them, ready when they say so.
 * Must not import anything of the product: a test of a process goes through its environment and its signals.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
/** Compiling on a busy machine takes a while; a program that says nothing for longer is broken. */
const READY_MS = 180_000;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly pid: number;
  /** Settles when the process has gone. */
  readonly ended: Promise<Ended>;
  /** What it said last. */
  output(): string;
  /** Ends it without a chance to do anything. */
  kill(): Promise<Ended>;
  /** Asks it to end, and waits until what it has begun is done. */
  stop(): Promise<Ended>;
}

/** Starts a program of the repository, in TypeScript or compiled ahead, and waits until it sends `{ready: true}`. */
export async function startProgram(file: string, env: NodeJS.ProcessEnv): Promise<Program> {
  const child = spawn(process.execPath, file.endsWith('.js') ? [file] : ['--import', 'tsx', file], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: 'UTC', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const said = listen(child);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const end = async (signal: NodeJS.Signals): Promise<Ended> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return await ended;
  };
  await ready(child, ended, file, said);
  return { pid: child.pid ?? 0, ended, output: said, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

function listen(child: ChildProcess): () => string {
  let kept = '';
  const take = (chunk: string): void => {
    kept = (kept + chunk).slice(-1_000_000);
  };
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  return () => kept;
}

async function ready(child: ChildProcess, ended: Promise<Ended>, file: string, said: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const told = new Promise<'ready'>((resolve) =>
    child.on('message', (message) => {
      if (typeof message === 'object' && 'ready' in message) resolve('ready');
    }),
  );
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, READY_MS, 'late')));
  const first = await Promise.race([told, late, ended]);
  clearTimeout(timer);
  if (first === 'ready') return;
  child.kill('SIGKILL');
  const why = first === 'late' ? `was not ready after ${String(READY_MS / 1000)} s` : `ended (${String(first.code ?? first.signal)})`;
  throw new Error(`${file} ${why}; it said:\n${said()}`);
}

/** Looks again, a few times a second, until it holds; the runner's own time limit bounds it. */
export async function until<T>(look: () => Promise<T | null | undefined | false> | T | null | undefined | false, what: string, limitMs = 120_000): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`It did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
