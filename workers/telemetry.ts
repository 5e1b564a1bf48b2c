/**
 * What the worker's process tells about itself: Temporal's own words in the structured log, its metrics beside ours, readiness.
 * Promises: Temporal's core never logs below WARN, because what it says there quotes payloads; its metrics are bound to this machine
 * and passed on by the port that the operator set, so that there is one port for those who watch.
 */
import type { Client } from '@temporalio/client';
import { noopMetricMeter, type MetricMeter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { DefaultLogger, Runtime, type LogLevel, type RuntimeOptions } from '@temporalio/worker';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Db } from '../record/store/database';
import { strike } from '../activities/telemetry/log';
import type { Checks } from '../activities/telemetry/server';
import { approvalOf, reconcileScheduleId } from '../workflows/protocol';
import { freePort } from './engine/port';
import { currentBuild, sayHowToSetCurrent } from './versions';
import type { Deployment } from './worker';

const HERE = '127.0.0.1';
/** How long one check of readiness may take, in milliseconds. */
const CHECK_MS = 2_000;

/** Seconds. A commit is a few milliseconds; an agent may take 15 s to answer. */
const BUCKETS = {
  countersign_commit_seconds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10],
  countersign_attempt_seconds: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
};

export interface RuntimeTelemetry {
  readonly meter: MetricMeter;
  /** What Temporal's runtime counts, ours included, as Prometheus reads it; empty without metrics. */
  metrics(): Promise<string>;
}

/** Once per process, before anything of the worker's. The process handles its signals itself. */
export async function installRuntime(log: Logger, withMetrics: boolean): Promise<RuntimeTelemetry> {
  const logging: NonNullable<RuntimeOptions['telemetryOptions']>['logging'] = { filter: { core: 'WARN', other: 'ERROR' }, forward: {} };
  const common: RuntimeOptions = { logger: temporalLogger(log), shutdownSignals: [] };
  if (!withMetrics) {
    Runtime.install({ ...common, telemetryOptions: { logging } });
    return { meter: noopMetricMeter, metrics: () => Promise.resolve('') };
  }
  const bindAddress = `${HERE}:${String(await freePort(HERE))}`;
  const prometheus = { bindAddress, countersTotalSuffix: true, useSecondsForDurations: true, histogramBucketOverrides: BUCKETS };
  const { metricMeter } = Runtime.install({ ...common, telemetryOptions: { logging, metrics: { prometheus } } });
  return {
    meter: metricMeter,
    async metrics() {
      const response = await fetch(`http://${bindAddress}/metrics`, { signal: AbortSignal.timeout(CHECK_MS) });
      return await response.text();
    },
  };
}

/** Temporal's own words, in the same structured log, with the tenant and the approval that a workflow is about. */
function temporalLogger(log: Logger): DefaultLogger {
  const levels: Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'> = {
    TRACE: 'trace',
    DEBUG: 'debug',
    INFO: 'debug',
    WARN: 'warn',
    ERROR: 'error',
  };
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    const workflowId: unknown = meta?.['workflowId'];
    log[levels[level]]({ ...meta, ...(typeof workflowId === 'string' ? approvalOf(workflowId) : {}) }, strike(message));
  });
}

export interface WorkerReadiness {
  readonly db: Db;
  readonly client: Client;
  readonly taskQueue: string;
  readonly deployment: Deployment | null;
  /** Null while it works; else why it does not. */
  readonly state: () => string | null;
  readonly identity: string;
}

/** Whether this worker can do its work: it polls, the store and the engine answer, the sweep is scheduled, a version is current. */
export async function readiness({ db, client, taskQueue, deployment, state, identity }: WorkerReadiness): Promise<Checks> {
  const within = <T>(work: () => Promise<T>): Promise<T> => client.withDeadline(Date.now() + CHECK_MS, work);
  const { namespace } = client.options;
  const polls = async (): Promise<string | null> => {
    const { pollers } = await client.connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    });
    return pollers.some((poller) => poller.identity === identity) ? null : 'the engine has not seen this worker ask for work yet';
  };
  const current = async (of: Deployment): Promise<string | null> => ((await currentBuild(client, of.name)) === null ? sayHowToSetCurrent(of) : null);
  const [store, engine, schedule, versions] = await Promise.all([
    check(bounded(sql`select 1`.execute(db)), 'the store does not answer'),
    state() ?? check(within(polls), 'the engine does not answer'),
    check(
      within(() => client.schedule.getHandle(reconcileScheduleId(taskQueue)).describe()).then(({ state: { paused } }) =>
        paused ? 'the schedule of the sweep is paused' : null,
      ),
      'the schedule of the sweep is not there',
    ),
    deployment === null
      ? null
      : check(
          within(() => current(deployment)),
          'the engine does not answer',
        ),
  ]);
  return { store, engine, schedule, ...(deployment === null ? {} : { versions }) };
}

async function check(work: Promise<unknown>, otherwise: string): Promise<string | null> {
  try {
    const said = await work;
    return typeof said === 'string' ? said : null;
  } catch {
    return otherwise;
  }
}

async function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error('no answer in time')), CHECK_MS)));
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
