/**
 * Starts the Temporal development server and stops it again. Promises: it serves when the call returns, its search attributes are there,
 * it does not outlive this process, and a Ctrl-C at the terminal does not reach it before us.
 * TEMPORAL_ADDRESS is read here and nowhere else in this folder: where it is set, nothing is started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { Connection } from '@temporalio/client';
import { readReach } from '../../activities/config';
import { engineAccess } from '../../activities/connect';
import { isFull, saysFull } from '../disk';
import { findEngine, type EngineOrigin } from './binary';
import type { Progress } from './cache';
import { isDatabaseBroken, keepDatabase, readyDatabase, setAside } from './database';
import { EngineError } from './errors';
import { assertPortFree, freePort, portInUse } from './port';
import { registerSearchAttributes, SEARCH_ATTRIBUTES } from './search-attributes';
import { endWithUs } from './watchdog';

export interface StartEngine {
  /** Where it keeps its state; in memory if absent. Written in SQLite's WAL mode. */
  readonly dbFile?: string;
  /** A free one if absent. */
  readonly port?: number;
  /** No UI if absent or null. */
  readonly uiPort?: number | null;
  readonly namespace?: string;
  /** Lifts the poll limits of the single shard, which otherwise rule the speed. Default true. */
  readonly tuned?: boolean;
  /** More of the server's dynamic configuration, as `key=value`. */
  readonly settings?: readonly string[];
  readonly onProgress?: Progress;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Engine {
  readonly address: string;
  readonly namespace: string;
  readonly uiUrl: string | null;
  /** Null for a server that we did not start. */
  readonly pid: number | null;
  readonly origin: EngineOrigin | 'given';
  /** The settings that benchmarks must print. */
  readonly settings: readonly string[];
  readonly stop: () => Promise<void>;
}

const HOST = '127.0.0.1';
/**
 * A workflow task that timed out a few times is given ever more time before it counts as lost, up to ten minutes; after a series of kills
 * that is how long an approval would wait for nobody.
 */
const TASK_GROWTH = 'history.workflowTaskRetryMaxInterval="5s"';
const TUNED = ['history.transferProcessorMaxPollRPS=1000', 'history.timerProcessorMaxPollRPS=1000', 'history.visibilityProcessorMaxPollRPS=1000'] as const;

/** An engine that serves: the one named by TEMPORAL_ADDRESS, else one of our own. */
export async function startEngine(options: StartEngine = {}): Promise<Engine> {
  const env = options.env ?? process.env;
  const namespace = options.namespace ?? env['TEMPORAL_NAMESPACE'] ?? 'default';
  const given = env['TEMPORAL_ADDRESS'];
  if (given !== undefined && given !== '') {
    await registerSearchAttributes(given, namespace, engineAccess(readReach(env)));
    return { address: given, namespace, uiUrl: null, pid: null, origin: 'given', settings: [], stop: () => Promise.resolve() };
  }
  const onProgress = options.onProgress ?? (() => undefined);
  const { path, origin } = await findEngine({ env, onProgress });
  const launchOnce = (): Promise<Engine> => launch({ ...options, env, namespace, path, origin });
  const { dbFile } = options;
  if (dbFile === undefined) return await launchOnce();
  try {
    const existed = readyDatabase(dbFile);
    const engine = await launchOnce().catch(async (error: unknown) => {
      if (!existed || !(error instanceof EngineError) || error.code !== 'engine_database_broken') throw error;
      return await launchEmpty(dbFile, error, launchOnce, onProgress);
    });
    keepDatabase(dbFile);
    return engine;
  } catch (error) {
    if (!saysFull(error)) throw error;
    throw new EngineError('disk_full', fullSentence(dbFile), { cause: error });
  }
}

/** The engine holds nothing that the record does not: an unreadable file is moved aside, loudly, and the sweep starts what is open again. */
async function launchEmpty(dbFile: string, error: EngineError, launchOnce: () => Promise<Engine>, onProgress: Progress): Promise<Engine> {
  const aside = setAside(dbFile);
  try {
    readyDatabase(dbFile);
    const engine = await launchOnce();
    onProgress(
      `WARNING: ${error.message} It was moved to ${aside.path}, and the server starts empty: the record is untouched, and the sweep starts ` +
        'every open approval again from it within a minute. Workflows of your own agents that ran on this server are only in the file that was moved.',
    );
    return engine;
  } catch (second) {
    // Not the file, then.
    aside.restore();
    throw second;
  }
}

interface Launch extends StartEngine {
  readonly env: NodeJS.ProcessEnv;
  readonly namespace: string;
  readonly path: string;
  readonly origin: EngineOrigin;
}

async function launch(options: Launch): Promise<Engine> {
  const { env, namespace, path, origin } = options;
  if (options.port !== undefined) await assertPortFree(options.port, 'the Temporal server', 'COUNTERSIGN_TEMPORAL_PORT', HOST);
  if (typeof options.uiPort === 'number') await assertPortFree(options.uiPort, "Temporal's UI", 'COUNTERSIGN_TEMPORAL_UI_PORT', HOST);
  const port = options.port ?? (await freePort(HOST));
  const uiPort = options.uiPort ?? null;
  const settings = [...(options.tuned === false ? [] : [...TUNED, TASK_GROWTH]), ...(options.settings ?? [])];
  const args = ['server', 'start-dev', '--ip', HOST, '--port', String(port), '--namespace', namespace, '--log-level', 'error'];
  args.push(...(uiPort === null ? ['--headless'] : ['--ui-port', String(uiPort), '--ui-disable-news-fetch']));
  if (options.dbFile !== undefined) args.push('--db-filename', options.dbFile, '--sqlite-pragma', 'journal_mode=WAL');
  // Given at the start, they are known at once; added later, only after the server's next look at them.
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) args.push('--search-attribute', `${name}=${type}`);
  for (const setting of settings) args.push('--dynamic-config-value', setting);

  const child = spawn(path, args, { detached: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = keepOutput(child);
  const gone = ended(child);
  const pid = child.pid;
  if (pid === undefined) throw new EngineError('engine_failed', `The Temporal server at ${path} could not be started: ${(await gone).reason}.`);
  const callOff = endWithUs(pid);
  void gone.then(callOff);
  const stop = async (): Promise<void> => {
    await end(child, gone);
  };
  const address = `${HOST}:${port}`;
  try {
    await serving(address, namespace, child, { said, explain: () => failure({ port, uiPort, dbFile: options.dbFile ?? null, output: said() }) });
    await registerSearchAttributes(address, namespace);
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, namespace, uiUrl: uiPort === null ? null : `http://localhost:${uiPort}`, pid, origin, settings, stop };
}

function keepOutput(child: ChildProcess): () => string {
  let kept = '';
  const take = (chunk: string): void => {
    kept = (kept + chunk).slice(-8_192);
  };
  child.stdout?.setEncoding('utf8').on('data', take);
  child.stderr?.setEncoding('utf8').on('data', take);
  return () => kept.trim();
}

const ended = (child: ChildProcess): Promise<{ readonly reason: string }> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve({ reason: error.message }));
    child.once('exit', (code, signal) => resolve({ reason: signal === null ? `exit code ${code ?? 'unknown'}` : signal }));
  });

const runs = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

async function end(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  if (!runs(child)) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

interface Failed {
  readonly port: number;
  readonly uiPort: number | null;
  readonly dbFile: string | null;
  readonly output: string;
}

function failure({ port, uiPort, dbFile, output }: Failed): EngineError {
  if (/address already in use/i.test(output)) {
    // Taken between our look and its start; the message names the port it could not have.
    if (uiPort !== null && output.includes(`:${uiPort}`)) return portInUse(uiPort, "Temporal's UI", 'COUNTERSIGN_TEMPORAL_UI_PORT');
    return portInUse(port, 'the Temporal server', 'COUNTERSIGN_TEMPORAL_PORT');
  }
  const last = output.split('\n').at(-1)?.trim().slice(0, 300) ?? '';
  if (dbFile !== null && (/disk is full|no space left/i.test(output) || isFull(dirname(dbFile)))) return new EngineError('disk_full', fullSentence(dbFile));
  if (dbFile !== null && isDatabaseBroken(output))
    return new EngineError('engine_database_broken', `The Temporal server cannot use its database ${dbFile} (${reasonIn(output)}).`);
  return new EngineError(
    'engine_failed',
    `The Temporal server on port ${port} stopped before it served${last === '' ? '' : ` (${last})`}: start again, or set TEMPORAL_ADDRESS to another.`,
  );
}

const fullSentence = (dbFile: string): string =>
  `The disk that holds ${dirname(dbFile)} is full, and the Temporal server keeps its database there: free some space and start again.`;

/** The words that say what is wrong with the file, out of a line full of other things. */
const reasonIn = (output: string): string =>
  /(?:file is not a database|disk image is malformed|no such (?:table|column)[^("]*|[^:"]*has no column named \S+|unable to open database file)/i
    .exec(output)?.[0]
    .trim() ?? 'it is of another version';

interface Watch {
  readonly said: () => string;
  readonly explain: () => EngineError;
}

/** How long a server may complain of its database before that is the reason why it does not serve, in milliseconds. */
const COMPLAINTS_MS = 5_000;
const NOT_FOUND = 5;

/** Returns when the namespace can be described and runs can be looked up, which is later than when the port answers. */
async function serving(address: string, namespace: string, child: ChildProcess, { said, explain }: Watch): Promise<void> {
  const began = Date.now();
  for (;;) {
    if (!runs(child)) throw explain();
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' });
      try {
        await connection.workflowService.describeNamespace({ namespace });
        await connection.withDeadline(Date.now() + 2_000, () => looksUp(connection, namespace));
        // Something else on this port could answer; ours has gone then.
        if (runs(child)) return;
      } finally {
        await connection.close();
      }
    } catch (cause) {
      const waited = Date.now() - began;
      if (waited > COMPLAINTS_MS && isDatabaseBroken(said())) throw explain();
      if (waited > 60_000) {
        throw new EngineError(
          'engine_failed',
          `The Temporal server at ${address} was started but did not serve within 60 s: see that this machine is not overloaded, and start again.`,
          { cause },
        );
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Asks for runs that nobody has, by name and by number: only a server whose tables are whole can say that they are not there. */
async function looksUp(connection: Connection, namespace: string): Promise<void> {
  for (const runId of ['', '00000000-0000-4000-8000-000000000000']) {
    try {
      await connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId: 'countersign-no-such-run', runId } });
    } catch (error) {
      if (!(typeof error === 'object' && error !== null && 'code' in error && error.code === NOT_FOUND)) throw error;
    }
  }
}
