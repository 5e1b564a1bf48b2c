/**
 * A process of ours that is kept running: started again when it dies, stopped when asked, never outliving us.
 * Its output goes to a file. Must not know what it runs.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { endWithUs } from '../engine/watchdog';
import { UpError } from './errors';

export interface PartOptions {
  /** For messages: "worker". */
  readonly name: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly say: (line: string) => void;
  /** True once it does its work. Asked again and again at the start only, after it has said itself that it is ready. */
  readonly ready: () => Promise<boolean>;
  /** The error for a code with which it ended by itself, where starting it again would not help. */
  readonly hopeless?: (code: string) => Error | null;
  /** How long an orderly stop may take before it is killed. */
  readonly graceMs: number;
}

export interface Part {
  readonly pid: () => number | null;
  readonly stop: () => Promise<void>;
}

const READY_MS = 120_000;
/** A part that dies this often before it was ever ready will not become so. */
const EARLY_DEATHS = 3;
const LOG_MAX = 20 * 1024 * 1024;

/** Starts it and returns once it is ready. */
export async function startPart(options: PartOptions): Promise<Part> {
  const { name, say, logFile } = options;
  const log = openSync(logFile, tooLarge(logFile) ? 'w' : 'a', 0o600);
  let child: ChildProcess | null = null;
  let stopping = false;
  let wasReady = false;
  let deaths = 0;
  // Its own word, since another program could answer on its port.
  const word = { ready: false };
  let pause: NodeJS.Timeout | undefined;

  const launch = (): void => {
    const began = Date.now();
    // A group of its own: a Ctrl-C at the terminal is ours to pass on, in order.
    const started = spawn(process.execPath, options.args, { cwd: options.cwd, env: options.env, detached: true, stdio: ['ignore', log, log, 'ipc'] });
    word.ready = false;
    started.on('message', (message) => {
      if (typeof message === 'object' && 'ready' in message) word.ready = true;
    });
    child = started;
    const callOff = started.pid === undefined ? () => undefined : endWithUs(started.pid);
    let over = false;
    const died = (how: string): void => {
      if (over) return;
      over = true;
      callOff();
      child = null;
      if (stopping) return;
      deaths = Date.now() - began > 30_000 ? 1 : deaths + 1;
      if (!wasReady && deaths >= EARLY_DEATHS) return;
      const waitMs = Math.min(10_000, 250 * 2 ** deaths);
      say(`The ${name} stopped (${how}); starting it again. Its log: ${logFile}`);
      pause = setTimeout(launch, waitMs);
    };
    started.once('error', (error) => died(error.message));
    started.once('exit', (code, signal) => died(signal ?? `exit code ${code ?? 'unknown'}`));
  };

  const stop = async (): Promise<void> => {
    stopping = true;
    clearTimeout(pause);
    const running = child;
    if (running?.pid !== undefined && running.exitCode === null && running.signalCode === null) {
      const gone = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGTERM');
      const timer = setTimeout(() => running.kill('SIGKILL'), options.graceMs);
      await gone;
      clearTimeout(timer);
    }
    closeSync(log);
  };

  const offset = statSync(logFile).size;
  writeSync(log, '');
  launch();
  const deadline = Date.now() + READY_MS;
  while (!(word.ready && (await options.ready().catch(() => false)))) {
    const words = deaths === 0 ? null : lastWords(logFile, offset);
    const refusal = words?.code == null ? null : (options.hopeless?.(words.code) ?? null);
    const early = deaths >= EARLY_DEATHS;
    if (refusal !== null || early || Date.now() > deadline) {
      await stop();
      if (refusal !== null) throw refusal;
      const said = (words ?? lastWords(logFile, offset)).sentence;
      throw new UpError(
        'part_failed',
        `The ${name} ${early ? 'stops as soon as it starts' : `was not ready within ${READY_MS / 1000} s`}${said === '' ? '' : ` (${said})`}; its log is ${logFile}.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  wasReady = true;
  return { pid: () => child?.pid ?? null, stop };
}

const tooLarge = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX;

interface LastWords {
  /** Of the sentence with which it ended by itself, as in `port_in_use: The port …`. */
  readonly code: string | null;
  readonly sentence: string;
}

/** The last line it wrote that reads like a sentence. */
function lastWords(file: string, offset: number): LastWords {
  const lines = readFileSync(file)
    .subarray(offset)
    .toString('utf8')
    .split('\n')
    .filter((line) => /^([A-Z{]|[a-z_]+: )/.test(line) && !line.startsWith('Node.js '));
  const [, code, coded] = /^([a-z]+_[a-z_]+): (.*)$/.exec(lines.findLast((line) => /^[a-z]+_[a-z_]+: /.test(line)) ?? '') ?? [];
  const sentence = (coded ?? lines.at(-1) ?? '').slice(0, 300).replace(/[.\s]+$/, '');
  return { code: code ?? null, sentence };
}
