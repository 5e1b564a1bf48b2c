/**
 * The API process: reads its settings, serves until it is told to stop, then lets what has begun come to its end.
 * Says what is wrong in one sentence, without a stack.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { ConfigError, readConfig, type Config } from '../../activities/config';
import { cipherOf, dataConverterOf, engineAccess, type EngineAccess } from '../../activities/connect';
import type { Core } from '../../activities/core';
import { explainRefusal, explainUnreachable } from '../../activities/diagnose';
import { openCore } from '../../activities/open';
import { exposition } from '../../activities/telemetry/exposition';
import { createGauges } from '../../activities/telemetry/gauges';
import { createLog } from '../../activities/telemetry/log';
import { serveTelemetry } from '../../activities/telemetry/server';
import { apiDeps } from './compose';
import { PATIENCE } from './deps';
import type { PayloadAccess } from './deps';
import { buildApi } from './server';

/** How long requests in flight get after the signal; a move's own patience is shorter. */
const CLOSE_MS = 30_000;

async function main(): Promise<void> {
  const config = readConfig(process.env, 'api');
  const log = createLog('api', config.logLevel);
  const { apiPort: port, drainMs } = config;
  const { core, db, close } = openCore(config, log, 'countersign-api');
  // Lazy: requests are recorded also while the engine is away.
  const access = engineAccess(config);
  const connection = Connection.lazy(access);
  const dataConverter = dataConverterOf(config);
  const client = new Client({ connection, namespace: config.temporalNamespace, ...(dataConverter ? { dataConverter } : {}) });
  let draining = false;
  const app = await buildApi(apiDeps(core, { client, taskQueue: config.taskQueue, payloads: payloadsOf(config), draining: () => draining }));
  const gauges = createGauges(core.deps);
  const watchers =
    config.apiMetricsPort === null
      ? null
      : await serveTelemetry({
          host: config.metricsHost,
          port: config.apiMetricsPort,
          setting: 'COUNTERSIGN_API_METRICS_PORT',
          metrics: async () => exposition([...app.families(), ...(await gauges())]),
        });
  closeWithGrace(
    {
      delay: drainMs + CLOSE_MS,
      logger: false,
      onSecondSignal: () => log.warn('the API stops at once, as it was told twice; what is stored counts, and callers ask again'),
      onTimeout: () => log.error('the API did not come to an end in time and is stopped; what is stored counts, and callers ask again'),
    },
    async ({ err }) => {
      if (err) log.error({ err }, 'the API stops after an error');
      draining = true;
      // Whoever spreads the load has to see that it is not ready before its door closes.
      await sleep(drainMs);
      await app.close();
      await Promise.allSettled([connection.close(), db.destroy(), close(), watchers?.close()]);
      log.info('API stopped');
    },
  );
  await app.listen({ host: config.apiHost, port });
  log.info({ port }, 'API listens');
  process.send?.({ ready: true });
  await sayIfUnroutable(log, core);
  await sayIfUnreachable(log, client, access);
}

/** Nothing is allowed then, and no older policy holds; whoever starts a process learns it before the first agent does. */
async function sayIfUnroutable(log: Logger, { active, deps }: Core): Promise<void> {
  try {
    for (const { tenant, why } of await active.unroutable(deps.db)) log.error({ tenant }, why);
  } catch (error) {
    log.error({ err: error }, 'the store does not say which policy holds: requests are refused until it answers');
  }
}

/** Requests are recorded all the same; whoever set the settings learns early what is wrong with them. */
async function sayIfUnreachable(log: Logger, client: Client, access: EngineAccess): Promise<void> {
  try {
    await client.withDeadline(Date.now() + PATIENCE.engineMs, () => client.connection.workflowService.getSystemInfo({}));
  } catch (error) {
    log.warn({ engine: access.address }, explainRefusal(access, client.options.namespace, error) ?? (await explainUnreachable(access)));
  }
}

function payloadsOf(config: Config): PayloadAccess | null {
  const cipher = cipherOf(config);
  const { payloadsPlain, temporalUiOrigin: uiOrigin, operatorTenant } = config;
  return cipher && { cipher, encrypts: !payloadsPlain, uiOrigin, operatorTenant };
}

function say(error: unknown): string {
  if (error instanceof ConfigError) return `${error.code}: ${error.message}`;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
    return 'port_in_use: The port of the API is taken by another program; stop it, or set COUNTERSIGN_API_PORT to another port';
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`${say(error)}\n`);
  // Open connections would keep a process alive that cannot work.
  process.exit(1);
});
