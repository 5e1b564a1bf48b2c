/**
 * The worker process: reads its settings, refuses to run with a wrong engine, works until it is told to stop, and then lets
 * what has begun come to its end. Says what is wrong in one sentence, without a stack.
 */
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { ConfigError, readConfig, type Config } from '../activities/config';
import { dataConverterOf, engineAccess } from '../activities/connect';
import { openCore } from '../activities/open';
import { exposition } from '../activities/telemetry/exposition';
import { createGauges } from '../activities/telemetry/gauges';
import { createLog } from '../activities/telemetry/log';
import { serveTelemetry } from '../activities/telemetry/server';
import type { CredentialHookSettings } from '../activities/credential';
import type { WebhookSettings } from '../activities/notify/webhook';
import { createEgress } from '../activities/egress';
import { createPeople } from '../activities/people';
import { FEED_BYTES_MAX, startWatch, type WatchedFile } from '../activities/people/watch';
import { createActivities } from './activities';
import { readBundle } from './bundle';
import { checkSearchAttributes, EngineError } from './engine';
import { metered, meteredSequencer } from './metrics';
import { keepReconcileSchedule } from './schedule';
import { startSequencer } from './sequencer';
import { inHands, untilNobodyListens } from './stopping';
import { installRuntime, readiness } from './telemetry';
import { currentBuild, sayHowToSetCurrent } from './versions';
import { createWorker, FORCE_MS, type Deployment } from './worker';

/** How long everything may take after the signal: what was begun, then what is left to close. */
const STOP_MS = FORCE_MS + 5_000;
/** How long closing may take once the worker has stopped: nothing is lost by it any more. */
const CLOSE_MS = 3_000;

async function main(): Promise<void> {
  const config = readConfig(process.env, 'worker');
  const log = createLog('worker', config.logLevel);
  const bundle = config.workflowBundle === null ? null : readBundle(config.workflowBundle);
  const telemetry = await installRuntime(log, config.metricsPort !== null);
  const remote = engineAccess(config);
  const { taskQueue, temporalNamespace: namespace } = config;
  await checkSearchAttributes(config.temporalAddress, namespace, remote);
  const { core, db } = openCore(config, log, 'countersign-worker');
  const connection = await Connection.connect(remote);
  const native = await NativeConnection.connect(remote);
  const dataConverter = dataConverterOf(config);
  const client = new Client({ connection, namespace, ...(dataConverter ? { dataConverter } : {}) });
  const { activities, close } = createActivities(core, {
    client,
    taskQueue,
    smtpUrl: config.smtpUrl ?? '',
    mailFrom: config.mailFrom,
    webhook: webhookOf(config, log),
    credentialHook: credentialHookOf(config, log),
  });
  const hands = inHands(activities);
  const deployment = deploymentOf(config);
  const worker = await createWorker({
    connection: native,
    namespace,
    taskQueue,
    activities: metered(hands.activities, telemetry.meter),
    ...(bundle ? { bundle } : {}),
    ...(dataConverter ? { dataConverter } : {}),
    ...(deployment ? { deployment } : {}),
  });
  const schedule = await keepReconcileSchedule({ client, taskQueue, everySeconds: config.sweepSeconds, log });
  const gauges = createGauges(core.deps);
  const watchers =
    config.metricsPort === null
      ? null
      : await serveTelemetry({
          host: config.metricsHost,
          port: config.metricsPort,
          setting: 'COUNTERSIGN_METRICS_PORT',
          ready: () => readiness({ db, client, taskQueue, deployment, identity: worker.options.identity, state: () => idleBecause(worker) }),
          metrics: async () => `${await telemetry.metrics()}${exposition(await gauges())}`,
        });
  // Calendars are larger than what agents answer, and have no business with their connections.
  const calendars = createEgress({ allowLoopback: config.allowLoopback, bodyCap: FEED_BYTES_MAX });
  const directories = startWatch({ people: createPeople(core.deps), db, log, egress: calendars, file: watchedOf(config) });
  const sequencer = startSequencer(core.deps, meteredSequencer(telemetry.meter));
  let stopping = false;
  const running = worker.run().catch((err: unknown) => {
    // Where the engine takes no report, as when it is gone itself, the SDK gives up, in words of its own. Another worker gets the rest.
    if (stopping) {
      log.warn({ err }, 'what was begun could not be reported in time; another worker does it again');
      return;
    }
    log.fatal({ err }, 'the worker cannot go on');
    process.exit(1);
  });

  closeWithGrace(
    {
      delay: STOP_MS,
      logger: false,
      onSecondSignal: () => log.warn('the worker stops at once, as it was told twice; what it had begun is done again by another'),
      onTimeout: () => log.error('the worker did not come to an end in time and is stopped; what it had begun is done again by another'),
    },
    async ({ err }) => {
      if (err) log.error({ err }, 'the worker stops after an error');
      stopping = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      const onGone = (): void => log.warn('the engine does not answer: what could not be reported is not waited for, and another worker does it again');
      const engine = untilNobodyListens({ connection, busy: hands.busy, onGone });
      await Promise.race([running, engine.gone]);
      engine.off();
      log.info('nothing that was begun is waited for any more');
      const closing = Promise.allSettled([
        Promise.allSettled([sequencer.stop(), directories.stop()]).then(() => db.destroy()),
        calendars.close(),
        close(),
        schedule.stop(),
        connection.close(),
        native.close(),
        watchers?.close(),
      ]);
      await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, CLOSE_MS))]);
      log.info('worker stopped');
    },
  );
  log.info({ taskQueue, engine: config.temporalAddress, namespace, ...(deployment ? { deployment } : {}) }, 'worker runs');
  if (deployment) await sayWhetherCurrent(log, client, deployment);
  process.send?.({ ready: true });
  await running;
}

const watchedOf = ({ directoryFile: path, directoryTenant: tenant }: Config): WatchedFile | null =>
  path === null || tenant === null ? null : { path, tenant };

const deploymentOf = ({ deploymentName: name, buildId }: Config): Deployment | null => (name === null || buildId === null ? null : { name, buildId });

const idleBecause = (worker: Worker): string | null => (worker.getState() === 'RUNNING' ? null : 'the worker is stopping');

/** A worker that waits for nothing looks like one that waits for work: so it says which it is. */
async function sayWhetherCurrent(log: Logger, client: Client, deployment: Deployment): Promise<void> {
  const build = await currentBuild(client, deployment.name).catch((err: unknown) => {
    log.warn({ err, deployment }, 'it cannot be told which version of the deployment is current');
    return deployment.buildId;
  });
  if (build === null) log.warn({ deployment }, sayHowToSetCurrent(deployment));
  else if (build !== deployment.buildId)
    log.info({ deployment, current: build }, 'another version of the deployment is current, and this one gets work when it is made current or ramped');
}

/** Says at the start whether there is one: no policy can know, and a question over a channel that is not there goes to the next. */
function webhookOf({ webhookUrl: url, webhookSecrets: secrets }: Config, log: Logger): WebhookSettings | null {
  if (url !== null) log.info({ host: new URL(url).host, secrets: secrets.length }, 'the channel webhook goes out to this host');
  else log.info('no webhook is configured: questions over the channel webhook go to the next channel of their level at once');
  return url === null ? null : { url, secrets };
}

/** The same for the credential hook: a policy that disables a credential where there is none fails at that, visibly, and ends all the same. */
function credentialHookOf({ credentialHook: url, credentialHookSecrets: secrets }: Config, log: Logger): CredentialHookSettings | null {
  if (url !== null) log.info({ host: new URL(url).host, secrets: secrets.length }, 'credentials are disabled through this host');
  else log.info('no credential hook is configured: what a policy wants disabled is left to people, and shown as failed');
  return url === null ? null : { url, secrets };
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigError || error instanceof EngineError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
  // The runtime's threads and open connections would keep a process alive that cannot work.
  process.exit();
});
