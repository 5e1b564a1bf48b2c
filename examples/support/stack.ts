/**
 * A whole Countersign for an example: `npm start` in a directory of its own, on free ports, with time running faster.
 * Promises that whatever way it ends, its processes and its directory are gone. For development only.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import PostalMime from 'postal-mime';

export interface StackOptions {
  /** A folder with policy.yaml and directory.yaml. */
  readonly policy: string;
  /** How many times as fast as the wall clock time passes. */
  readonly scale: number;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface Stack {
  readonly apiUrl: string;
  /** The agent's key and callback secret. */
  readonly agent: { readonly key: string; readonly secret: string };
  /** The Temporal server, and the queue that is ours alone on it. */
  readonly temporal: { readonly address: string; readonly namespace: string; readonly taskQueue: string };
  /** Goes away with the stack. */
  readonly dir: string;
  /** Every mail that was sent, in order of arrival. */
  mails(): Promise<readonly Mail[]>;
  /** Runs the command line tool against this stack. */
  countersign(...args: string[]): Promise<{ readonly code: number; readonly output: string }>;
  /** What the worker and the API complained about last, for a run that went wrong. */
  complaints(): readonly string[];
  stop(): Promise<void>;
}

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

export const ROOT = resolve(__dirname, '..', '..');
const PORTS = ['api-port', 'temporal-port', 'temporal-ui-port', 'smtp-port', 'mail-port'] as const;
const STANDS = 'Countersign runs.';
export async function startStack({ policy, scale, say, signal }: StackOptions): Promise<Stack> {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-example-'));
  const ports = await freePorts(PORTS.length);
  const flags = PORTS.flatMap((name, i) => [`--${name}`, String(ports[i])]);
  const up = spawn(process.execPath, ['--import', 'tsx', 'workers/up.ts', '--home', dir, '--sample', policy, ...flags], {
    cwd: ROOT,
    env: environment(scale),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = new Promise<void>((done) => up.once('exit', () => done()));
  const callOff = endWithUs(up.pid ?? 0, dir);
  let asked = false;
  const ask = (): void => {
    // Once only: a second time would mean "at once".
    if (!asked && up.exitCode === null && up.signalCode === null) up.kill('SIGTERM');
    asked = true;
  };
  signal?.addEventListener('abort', ask);
  const stop = async (): Promise<void> => {
    ask();
    await ended;
    callOff();
    signal?.removeEventListener('abort', ask);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await stands(up, say);
  } catch (error) {
    await stop();
    throw error;
  }
  const { COUNTERSIGN_KEY: key = '', COUNTERSIGN_CALLBACK_SECRET: secret = '' } = settingsIn(join(dir, 'agent.env'));
  const joined = settingsIn(join(dir, 'up.env'));
  return {
    apiUrl: `http://127.0.0.1:${String(ports[0])}`,
    agent: { key, secret },
    temporal: { address: joined['TEMPORAL_ADDRESS'] ?? '', namespace: joined['TEMPORAL_NAMESPACE'] ?? '', taskQueue: joined['COUNTERSIGN_TASK_QUEUE'] ?? '' },
    dir,
    mails: () => mailsIn(join(dir, 'mail')),
    countersign: (...args) => run(['client/cli/bin.cjs', ...args], { ...process.env, ...joined }),
    complaints: () => complaintsIn(join(dir, 'logs')),
    stop,
  };
}

/** Stops it and clears its directory when we die, however we die. Returns how to call that off. */
function endWithUs(pid: number, dir: string): () => void {
  const script = 'cat >/dev/null; kill -TERM "$1" 2>/dev/null; while kill -0 "$1" 2>/dev/null; do sleep 1; done; rm -rf "$2"';
  const dog = spawn('/bin/sh', ['-c', script, 'watchdog', String(pid), dir], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  dog.once('error', () => undefined);
  dog.unref();
  return () => void dog.kill('SIGKILL');
}

/** Ours, without the servers that the user may have named for something else. A Temporal server of theirs is used, on a queue of our own. */
function environment(scale: number): NodeJS.ProcessEnv {
  const { DATABASE_URL: _url, DATABASE_ADMIN_URL: _admin, SMTP_URL: _smtp, COUNTERSIGN_PUBLIC_URL: _public, ...env } = process.env;
  return {
    ...env,
    COUNTERSIGN_CLOCK: 'scaled',
    COUNTERSIGN_CLOCK_ORIGIN: new Date().toISOString(),
    COUNTERSIGN_TIME_SCALE: String(scale),
    COUNTERSIGN_TASK_QUEUE: `example-${String(process.pid)}-${String(Date.now())}`,
  };
}

/** Returns once everything runs; else fails with what was said last. */
async function stands(up: ReturnType<typeof spawn>, say: (line: string) => void): Promise<void> {
  const said: string[] = [];
  let complaint = '';
  up.stderr?.on('data', (text: Buffer) => (complaint += text.toString('utf8')));
  let standing = false;
  await new Promise<void>((done, fail) => {
    up.once('error', fail);
    up.once('exit', () => fail(new Error(complaint.trim() || said.at(-1) || 'Countersign did not start.')));
    // Read to the end, so that a full pipe never holds it up.
    createInterface({ input: up.stdout ?? process.stdin }).on('line', (line) => {
      if (standing || line === '') return;
      standing = line === STANDS;
      if (standing) return done();
      said.push(line);
      say(line);
    });
  });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  // Held all at once, so that they differ.
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** NAME=value, one a line. */
const settingsIn = (path: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

/** Warnings and worse, and what is no log line at all, such as a stack; the last few. */
const complaintsIn = (dir: string): string[] =>
  readdirSync(dir).flatMap((name) =>
    readFileSync(join(dir, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !/^{"level":[123]0,/.test(line))
      .slice(-3)
      .map((line) => `${name}: ${line.slice(0, 600)}`),
  );

async function mailsIn(dir: string): Promise<Mail[]> {
  const files = readdirSync(dir)
    .filter((name) => name.endsWith('.eml'))
    .sort();
  return await Promise.all(
    files.map(async (name) => {
      const { to, subject, text } = await PostalMime.parse(readFileSync(join(dir, name)));
      return { to: (to ?? []).flatMap((each) => each.address ?? []).join(', '), subject: subject ?? '', text: text ?? '' };
    }),
  );
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString('utf8')));
    child.once('error', fail);
    child.once('close', (code) => done({ code: code ?? 1, output: output.trim() }));
  });
}
