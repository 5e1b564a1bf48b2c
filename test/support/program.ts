/** Runs one of our programs and waits for what it says. Whatever a test leaves running is killed at its end. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Program {
  readonly pid: number;
  /** All it has said, on both streams. */
  output(): string;
  /** The match, said already or still to come. Rejects when it ends without it. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Its exit code; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

const root = resolve(__dirname, '..', '..');
const running = new Set<Program>();

afterEach(async () => {
  for (const program of running) program.kill('SIGKILL');
  await Promise.all([...running].map((program) => program.ended));
});

export function runProgram(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Program {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let over = false;
  const listeners = new Set<() => void>();
  const tell = (): void => listeners.forEach((listener) => listener());
  const take = (chunk: string): void => {
    output += chunk;
    tell();
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const ended = new Promise<number | null>((done) =>
    child.once('close', (code) => {
      over = true;
      running.delete(program);
      tell();
      done(code);
    }),
  );
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((done, reject) => {
      const look = (): void => {
        const match = pattern.exec(output);
        if (match === null && !over) return;
        listeners.delete(look);
        if (match) done(match);
        else reject(new Error(`The program ended without saying ${String(pattern)}:\n${output}`));
      };
      listeners.add(look);
      look();
    });
  const program: Program = { pid: child.pid ?? 0, output: () => output, says, ended, kill: (signal) => void child.kill(signal) };
  running.add(program);
  return program;
}

/** One of our TypeScript programs, by its path in the repository. */
export const runTs = (file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Program =>
  runProgram(['--import', 'tsx', file, ...args], env);

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Returns when it holds; the test's own timeout bounds it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}
