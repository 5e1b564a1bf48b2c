/**
 * Starts the Temporal development server and stops it again. Promises: it serves when the call returns, its search attributes are there,
 * it does not outlive this process, and a Ctrl-C at the terminal does not reach it before us.
 * TEMPORAL_ADDRESS is read here and nowhere else in this folder: where it is set, nothing is started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Connection } from '@temporalio/client';
import { findEngine, type EngineOrigin } from './binary';
import type { Progress } from './cache';
import { EngineError } from './errors';
import { assertPortFree, freePort, portInUse } from './port';
import { accessFrom, registerSearchAttributes, SEARCH_ATTRIBUTES } from './search-attributes';
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
const TUNED = ['history.transferProcessorMaxPollRPS=1000', 'history.timerProcessorMaxPollRPS=1000', 'history.visibilityProcessorMaxPollRPS=1000'] as const;

/** An engine that serves: the one named by TEMPORAL_ADDRESS, else one of our own. */
export async function startEngine(options: StartEngine = {}): Promise<Engine> {
  const env = options.env ?? process.env;
  const namespace = options.namespace ?? env['TEMPORAL_NAMESPACE'] ?? 'default';
  const given = env['TEMPORAL_ADDRESS'];
  if (given !== undefined && given !== '') {
    await registerSearchAttributes(given, namespace, accessFrom(env));
    return { address: given, namespace, uiUrl: null, pid: null, origin: 'given', settings: [], stop: () => Promise.resolve() };
  }
  const onProgress = options.onProgress ?? (() => undefined);
  const { path, origin } = await findEngine({ env, onProgress });
  if (options.port !== undefined) await assertPortFree(options.port, 'the Temporal server', 'COUNTERSIGN_TEMPORAL_PORT', HOST);
  if (typeof options.uiPort === 'number') await assertPortFree(options.uiPort, "Temporal's UI", 'COUNTERSIGN_TEMPORAL_UI_PORT', HOST);
  const port = options.port ?? (await freePort(HOST));
  const uiPort = options.uiPort ?? null;
  const settings = options.tuned === false ? [] : TUNED;
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
    await serving(address, namespace, child, () => failure(port, uiPort, said()));
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

async function end(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(timer);
}

function failure(port: number, uiPort: number | null, output: string): EngineError {
  if (/address already in use/i.test(output)) {
    // Taken between our look and its start; the message names the port it could not have.
    if (uiPort !== null && output.includes(`:${uiPort}`)) return portInUse(uiPort, "Temporal's UI", 'COUNTERSIGN_TEMPORAL_UI_PORT');
    return portInUse(port, 'the Temporal server', 'COUNTERSIGN_TEMPORAL_PORT');
  }
  const last = output.split('\n').at(-1) ?? '';
  return new EngineError(
    'engine_failed',
    `The Temporal server on port ${port} stopped before it served${last === '' ? '' : ` (${last.trim()})`}: start again, or set TEMPORAL_ADDRESS to another.`,
  );
}

/** Returns when the namespace can be described, which is later than when the port answers. */
async function serving(address: string, namespace: string, child: ChildProcess, explain: () => EngineError): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw explain();
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' });
      try {
        await connection.workflowService.describeNamespace({ namespace });
        return;
      } finally {
        await connection.close();
      }
    } catch (cause) {
      if (Date.now() > deadline) {
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
