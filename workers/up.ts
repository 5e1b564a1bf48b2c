/**
 * `npm start`: the Temporal server, the store, the mailbox, the worker and the API, brought up in that order and taken down in the reverse one.
 * Promises: one of it per home directory; what stands at the end says where it is; whatever fails leaves nothing behind and says one sentence.
 * For development on one machine: a production installation runs workers/main and client/api/main by itself.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { openDatabase, roleOf } from '../record/store/database';
import { migrate } from '../record/store/migrate';
import { accessFrom, OPEN, startEngine, type Access } from './engine';
import { tryLock } from './engine/lock';
import { assertPortFree } from './engine/port';
import { endWithUs } from './engine/watchdog';
import { startMailSink } from './mail-sink';
import { startStore } from './store';
import { UpError, sentenceOf } from './up/errors';
import { greeting } from './up/greeting';
import { keysFile } from './up/keys-file';
import { startPart } from './up/parts';
import { seed, type Seeded } from './up/seed';
import { aboutOf, helpText, readSettings, variableOf, type FlagName, type UpSettings } from './up/settings';

export interface Up {
  readonly settings: UpSettings;
  readonly apiUrl: string;
  readonly stop: () => Promise<void>;
}

export interface UpOptions {
  readonly settings: UpSettings;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  /** Called off in the middle: what was started is stopped again. */
  readonly signal?: AbortSignal;
}

const ROOT = resolve(__dirname, '..');
const NAMESPACE = 'default';
const TASK_QUEUE = 'countersign';

export async function up(options: UpOptions): Promise<Up> {
  const { settings, say } = options;
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) {
      await last().catch((error: unknown) => say(`While stopping: ${sentenceOf(error)}`));
    }
  };
  try {
    await bringUp(options, undo);
    return { settings, apiUrl: `http://localhost:${settings.apiPort}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function bringUp({ settings, env, say, signal }: UpOptions, undo: (() => Promise<void>)[]): Promise<void> {
  const { home } = settings;
  const step = (line?: string): void => {
    signal?.throwIfAborted();
    if (line !== undefined) say(line);
  };
  undo.push(await takeHome(settings, env));

  step();
  const store = env['DATABASE_URL'] ? null : await startStore({ dir: join(home, 'store'), onProgress: say });
  if (store !== null) {
    // PostgreSQL ends its sessions at once on INT; on TERM it would wait for them.
    const callOff = endWithUs(store.pid, 'INT');
    undo.push(() => store.stop().then(callOff));
  }
  const appUrl = store?.appUrl ?? env['DATABASE_URL'] ?? '';
  const adminUrl = store?.adminUrl ?? env['DATABASE_ADMIN_URL'];
  if (adminUrl) await migrate(adminUrl, roleOf(appUrl));

  step();
  const engine = await startEngine({
    env,
    dbFile: join(home, 'temporal.db'),
    port: settings.temporalPort,
    uiPort: settings.temporalUiPort,
    namespace: env['TEMPORAL_NAMESPACE'] || NAMESPACE,
    onProgress: say,
  });
  undo.push(engine.stop);

  step();
  const mail = env['SMTP_URL']
    ? null
    : await startMailSink({
        port: settings.smtpPort,
        httpPort: settings.mailPort,
        dir: join(home, 'mail'),
        onMail: ({ to, subject }) => say(`Mail to ${to.join(', ')}: ${subject}`),
      });
  if (mail !== null) undo.push(() => mail.stop());

  const keys = keysFile(join(home, 'keys.json'));
  const agentFile = join(home, 'agent.env');
  const db = openDatabase(appUrl, { max: 1, name: 'countersign-up' });
  let seeded: Seeded;
  try {
    seeded = await seed({ db, keys, sample: settings.sample, agentFile });
  } finally {
    await db.destroy();
  }

  step();
  const apiUrl = `http://localhost:${settings.apiPort}`;
  const taskQueue = env['COUNTERSIGN_TASK_QUEUE'] || TASK_QUEUE;
  const partEnv: NodeJS.ProcessEnv = {
    ...env,
    TZ: 'UTC',
    COUNTERSIGN_ENV: 'development',
    DATABASE_URL: appUrl,
    TEMPORAL_ADDRESS: engine.address,
    TEMPORAL_NAMESPACE: engine.namespace,
    COUNTERSIGN_TASK_QUEUE: taskQueue,
    COUNTERSIGN_KEYS_FILE: join(home, 'keys.json'),
    COUNTERSIGN_API_PORT: String(settings.apiPort),
    COUNTERSIGN_PUBLIC_URL: env['COUNTERSIGN_PUBLIC_URL'] || apiUrl,
    COUNTERSIGN_ALLOW_LOOPBACK: 'true',
    SMTP_URL: mail?.smtpUrl ?? env['SMTP_URL'],
  };
  // The owner's password is for migrations alone.
  delete partEnv['DATABASE_ADMIN_URL'];
  joinFile(join(home, 'up.env'), partEnv);
  const part = (name: string, file: string, ready: () => Promise<boolean>, graceMs: number): ReturnType<typeof startPart> =>
    startPart({ name, args: ['--import', 'tsx', file], cwd: ROOT, env: partEnv, logFile: join(home, 'logs', `${name}.log`), say, ready, graceMs });
  const access = engine.origin === 'given' ? accessFrom(env) : OPEN;
  step('Starting the worker');
  const worker = await part('worker', join('workers', 'main.ts'), () => polls(engine.address, engine.namespace, access, taskQueue), 35_000);
  undo.push(worker.stop);
  step('Starting the API');
  const api = await part('api', join('client', 'api', 'main.ts'), () => answers(`http://127.0.0.1:${settings.apiPort}/readyz`), 10_000);
  undo.push(api.stop);

  step();
  const shown = (path: string): string => (path.startsWith(process.cwd()) ? relative(process.cwd(), path) : path);
  say(
    greeting({
      apiUrl,
      temporalAddress: engine.address,
      temporalUiUrl: engine.uiUrl,
      mailUrl: mail?.webUrl ?? null,
      home: shown(home),
      agentFile: shown(agentFile),
      joinFile: shown(join(home, 'up.env')),
      seeded,
    }),
  );
}

/** What another program needs to join in here, such as `countersign record verify`. */
function joinFile(path: string, env: NodeJS.ProcessEnv): void {
  const names = [
    'COUNTERSIGN_ENV',
    'DATABASE_URL',
    'COUNTERSIGN_KEYS_FILE',
    'COUNTERSIGN_PUBLIC_URL',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'COUNTERSIGN_TASK_QUEUE',
  ];
  const lines = [...names.map((name) => [name, env[name] ?? '']), ['COUNTERSIGN_URL', env['COUNTERSIGN_PUBLIC_URL'] ?? '']];
  writeFileSync(path, lines.map((line) => `${line.join('=')}\n`).join(''), { mode: 0o600 });
}

/** Makes this the only one in its home, with its ports free. Returns how to give the home back. */
async function takeHome(settings: UpSettings, env: NodeJS.ProcessEnv): Promise<() => Promise<void>> {
  const { home } = settings;
  try {
    mkdirSync(join(home, 'logs'), { recursive: true });
    // The store's own user must pass through to its directory; secrets in here have modes of their own.
    chmodSync(home, 0o711);
  } catch (cause) {
    throw new UpError('bad_home', `The directory ${home} cannot be written (${sentenceOf(cause)}): mend its permissions, or set COUNTERSIGN_HOME to another.`, {
      cause,
    });
  }
  const path = join(home, 'up.lock');
  const unclean = existsSync(path);
  const lock = tryLock(path);
  if ('heldBy' in lock) {
    throw new UpError(
      'already_running',
      `Countersign already runs here as process ${lock.heldBy.pid}, with its data in ${home}: use that one, or set COUNTERSIGN_HOME and other ports for a second.`,
    );
  }
  const wanted: FlagName[] = ['apiPort'];
  if (!env['TEMPORAL_ADDRESS']) wanted.push('temporalPort', 'temporalUiPort');
  if (!env['SMTP_URL']) wanted.push('smtpPort', 'mailPort');
  try {
    // What a killed run left is just being ended by its watchdogs.
    const until = Date.now() + (unclean ? 15_000 : 0);
    for (const name of wanted) await freeBy(until, () => assertPortFree(Number(settings[name]), aboutOf(name), variableOf(name)));
  } catch (error) {
    lock.release();
    throw error;
  }
  return () => Promise.resolve(lock.release());
}

async function freeBy(until: number, check: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() >= until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const answers = async (url: string): Promise<boolean> => (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok;

/** Whether some worker asks the engine for work on our queue. */
async function polls(address: string, namespace: string, access: Access, taskQueue: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: '2s', tls: access.tls, ...(access.apiKey === null ? {} : { apiKey: access.apiKey }) });
  try {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    });
    return pollers.length > 0;
  } finally {
    await connection.close();
  }
}

async function main(): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const settings = readSettings(process.argv.slice(2), process.env, ROOT);
  if (settings.help) return say(helpText());
  const asked = new AbortController();
  let first = 0;
  const stopped = new Promise<void>((resolve) => {
    const onSignal = (): void => {
      // npm and the terminal may both pass on the same Ctrl-C.
      if (first !== 0 && Date.now() - first > 2_000) process.exit(130);
      if (first !== 0) return;
      first = Date.now();
      say('\nStopping (once more to stop at once)');
      asked.abort(new UpError('part_failed', 'Stopped before everything ran.'));
      resolve();
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
    // The command that started us has died without a word.
    process.on('disconnect', onSignal);
  });
  try {
    const running = await up({ settings, env: process.env, say, signal: asked.signal });
    await stopped;
    await running.stop();
  } catch (error) {
    if (first === 0) throw error;
  }
  say('Stopped.');
}

if (require.main === module) {
  main().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${sentenceOf(error)}\n`);
      process.exit(1);
    },
  );
}
