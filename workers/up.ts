/**
 * `npm start`: the Temporal server, the store, the mailbox, the worker and the API, brought up in that order and taken down in the reverse one.
 * Promises: one of it per home directory; what stands at the end says where it is; whatever fails leaves nothing behind and says one sentence.
 * For development on one machine: a production installation runs workers/main and client/api/main by itself.
 */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { readReach } from '../activities/config';
import { engineAccess } from '../activities/connect';
import { openDatabase, roleOf } from '../record/store/database';
import { migrate } from '../record/store/migrate';
import { isFull, saysFull, writeWhole } from './disk';
import { OPEN, startEngine, type Access } from './engine';
import { systemCode } from './engine/errors';
import { tryLock } from './engine/lock';
import { assertPortFree, portInUse } from './engine/port';
import { endWithUs } from './engine/watchdog';
import { startMailSink } from './mail-sink';
import { LEAN, TYPESCRIPT } from './program';
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
    // Looked at before what we stop makes room again.
    const explained = fullDisk(error, settings.home);
    await stop();
    throw explained;
  }
}

/** What is said plainly already, whatever the disk's state. */
const PLAIN = ['already_running', 'bad_flags', 'bad_home', 'port_in_use', 'disk_full', 'store_disk_full', 'store_in_use'];

/** A full disk shows in many ways, most of which name anything but the disk. */
function fullDisk(error: unknown, home: string): unknown {
  if (PLAIN.includes(systemCode(error) ?? '')) return error;
  // 53100: PostgreSQL could not extend a file.
  if (!saysFull(error) && systemCode(error) !== '53100' && !isFull(home)) return error;
  return new UpError(
    'disk_full',
    `The disk that holds ${home} is full: free some space there, or set COUNTERSIGN_HOME to a place with more, and start again.`,
    {
      cause: error,
    },
  );
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
      }).catch((error: unknown) => {
        throw takenMeanwhile(error, settings, ['smtpPort', 'mailPort']) ?? error;
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
    COUNTERSIGN_TEMPORAL_UI_ORIGIN: env['COUNTERSIGN_TEMPORAL_UI_ORIGIN'] || `http://localhost:${settings.temporalUiPort}`,
    SMTP_URL: mail?.smtpUrl ?? env['SMTP_URL'],
  };
  // The owner's password is for migrations alone.
  delete partEnv['DATABASE_ADMIN_URL'];
  joinFile(join(home, 'up.env'), partEnv);
  const hopeless = (code: string): Error | null => (code === 'port_in_use' ? portInUse(settings.apiPort, aboutOf('apiPort'), variableOf('apiPort')) : null);
  const part = (name: string, file: string, ready: () => Promise<boolean>, graceMs: number): ReturnType<typeof startPart> => {
    const logFile = join(home, 'logs', `${name}.log`);
    return startPart({ name, args: [...TYPESCRIPT, file], cwd: ROOT, env: { ...LEAN, ...partEnv }, logFile, say, ready, hopeless, graceMs });
  };
  const access = engine.origin === 'given' ? engineAccess(readReach(env)) : OPEN;
  step('Starting the worker');
  const worker = await part('worker', join('workers', 'main.ts'), () => polls(engine.address, engine.namespace, access, taskQueue), 40_000);
  undo.push(worker.stop);
  step('Starting the API');
  const api = await part('api', join('client', 'api', 'main.ts'), () => answers(`http://127.0.0.1:${settings.apiPort}/readyz`), 35_000);
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
  writeWhole(path, lines.map((line) => `${line.join('=')}\n`).join(''), 0o600);
}

/** Makes this the only one in its home, with its ports free. Returns how to give the home back. */
async function takeHome(settings: UpSettings, env: NodeJS.ProcessEnv): Promise<() => Promise<void>> {
  const { home } = settings;
  try {
    mkdirSync(join(home, 'logs'), { recursive: true });
    // The store's own user must pass through to its directory; secrets in here have modes of their own.
    chmodSync(home, 0o711);
  } catch (cause) {
    if (saysFull(cause)) throw cause;
    throw badHome(home, cause);
  }
  const path = join(home, 'up.lock');
  const unclean = existsSync(path);
  const lock = lockHome(path, home);
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

function lockHome(path: string, home: string): ReturnType<typeof tryLock> {
  try {
    return tryLock(path);
  } catch (cause) {
    if (saysFull(cause)) throw cause;
    throw badHome(home, cause);
  }
}

const badHome = (home: string, cause: unknown): UpError =>
  new UpError(
    'bad_home',
    `The directory ${home} cannot be written (${sentenceOf(cause).replace(/\.$/, '')}): mend its owner and permissions, or set COUNTERSIGN_HOME to another.`,
    { cause },
  );

/** A port that was free a moment ago and is not any more, as the same sentence. */
function takenMeanwhile(error: unknown, settings: UpSettings, names: readonly FlagName[]): Error | null {
  const port = typeof error === 'object' && error !== null && 'port' in error ? error.port : null;
  const name = names.find((candidate) => settings[candidate] === port);
  return systemCode(error) === 'EADDRINUSE' && name !== undefined ? portInUse(Number(port), aboutOf(name), variableOf(name), error) : null;
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
  const connection = await Connection.connect({ ...access, address, connectTimeout: '2s' });
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

/** What runs on this machine is reached without a proxy, whatever the environment says of the world outside. */
function besideProxies(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const local = ['localhost', '127.0.0.1', '::1'];
  const list = [...new Set([...(env['no_proxy'] ?? env['NO_PROXY'] ?? '').split(',').filter(Boolean), ...local])].join(',');
  return { no_proxy: list, NO_PROXY: list };
}

async function main(): Promise<void> {
  // The engine's client reads them where it connects.
  Object.assign(process.env, besideProxies(process.env));
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
