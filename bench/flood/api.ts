/**
 * The API as a program, with what the flood compares: the two doors or none, and a Temporal priority for new approvals or none. No caller
 * is limited by the minute, since here one caller stands for many.
 */
import { Client, Connection, type WorkflowClientInterceptor } from '@temporalio/client';
import { readConfig } from '../../activities/config';
import { engineAccess } from '../../activities/connect';
import { openCore } from '../../activities/open';
import { createLog } from '../../activities/telemetry/log';
import { DOORS, type Doors } from '../../client/api/admission';
import { apiDeps } from '../../client/api/compose';
import { buildApi } from '../../client/api/server';

const EVERYONE = { places: 1_000_000, line: 1_000_000 };
const NO_DOORS: Doors = { requests: EVERYONE, moves: EVERYONE };

/** Below the default of 3: what is older, and may be decided, goes first. All tasks of a workflow have its priority. */
const later: WorkflowClientInterceptor = {
  start: (input, next) => next({ ...input, options: { ...input.options, priority: { priorityKey: 4 } } }),
};

async function main(): Promise<void> {
  const config = readConfig(process.env, 'api');
  const { core, db } = openCore(config, createLog('api', config.logLevel), 'bench-api');
  const connection = await Connection.connect(engineAccess(config));
  const interceptors = process.env['BENCH_PRIORITY'] === 'true' ? { workflow: [later] } : {};
  const client = new Client({ connection, namespace: config.temporalNamespace, interceptors });
  const doors = process.env['BENCH_DOORS'] === 'true' ? DOORS : NO_DOORS;
  const app = await buildApi(apiDeps(core, { client, taskQueue: config.taskQueue, rateLimit: 1_000_000, doors }));
  await app.listen({ host: config.apiHost, port: config.apiPort });
  process.once('SIGTERM', () => {
    void app
      .close()
      .then(() => Promise.allSettled([connection.close(), db.destroy()]))
      .then(() => process.exit(0));
  });
  process.send?.({ ready: true });
}

void main();
