/**
 * Programs of ours as real processes: ready when they say so, heard over their channel, gone when we are.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { endWithUs } from '../../workers/engine/watchdog';
import { LEAN, TYPESCRIPT } from '../../workers/program';

const ROOT = join(__dirname, '..', '..');
const READY_MS = 120_000;

export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a TypeScript program (BENCH_NODE_FLAGS adds flags, `--cpu-prof` for one) and waits until it sends `{ready: true, …}`; what else it sends goes to `hear`. */
export async function startProgram(file: string, env: NodeJS.ProcessEnv, hear: (message: unknown) => void = () => undefined): Promise<Running> {
  const child = spawn(process.execPath, [...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? []), ...TYPESCRIPT, file], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: 'UTC', NO_COLOR: '1', ...LEAN, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  const take = (chunk: string): void => void (said = (said + chunk).slice(-10_000));
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  const pid = child.pid ?? 0;
  const callOff = endWithUs(pid);
  const gone = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      callOff();
      resolve(String(code ?? signal));
    });
  });
  const ready = new Promise<'ready'>((resolve) =>
    child.on('message', (message) => {
      if (typeof message === 'object' && 'ready' in message) resolve('ready');
      hear(message);
    }),
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, READY_MS, 'late')));
  const first = await Promise.race([ready, gone, late]);
  clearTimeout(timer);
  if (first !== 'ready') {
    child.kill('SIGKILL');
    throw new Error(`${file} was not ready (${first}); it said:\n${said}`);
  }
  return {
    pid,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), 35_000);
      await gone;
      clearTimeout(kill);
    },
  };
}
