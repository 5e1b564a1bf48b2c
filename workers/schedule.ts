/**
 * Keeps the sweep's schedule: made at the start, made again when somebody has deleted it, and said aloud when somebody has paused it,
 * because then nothing that the engine loses comes back. A paused one stays paused: that was a person's decision.
 */
import type { Client } from '@temporalio/client';
import type { Logger } from 'pino';
import { reconcileScheduleId } from '../workflows/protocol';
import { ensureReconcileSchedule } from './worker';

/** How often it is looked at, in milliseconds. */
const LOOK_MS = 60_000;

export interface KeepSchedule {
  readonly client: Client;
  readonly taskQueue: string;
  readonly everySeconds: number;
  readonly log: Logger;
  readonly lookMs?: number;
}

export async function keepReconcileSchedule({ client, taskQueue, everySeconds, log, lookMs = LOOK_MS }: KeepSchedule): Promise<{ stop(): Promise<void> }> {
  const scheduleId = reconcileScheduleId(taskQueue);
  const look = async (): Promise<void> => {
    if (await ensureReconcileSchedule(client, taskQueue, everySeconds)) log.warn({ scheduleId }, 'the schedule of the sweep was not there and has been made');
    const { state } = await client.schedule.getHandle(scheduleId).describe();
    if (state.paused) log.error({ scheduleId, note: state.note }, 'the schedule of the sweep is paused: what the engine loses stays lost until it is unpaused');
  };
  let stopped = false;
  const glance = async (): Promise<void> => {
    try {
      await look();
    } catch (err) {
      if (!stopped) log.warn({ err, scheduleId }, 'the schedule of the sweep cannot be looked at');
    }
  };
  await ensureReconcileSchedule(client, taskQueue, everySeconds);
  let looking = glance();
  const timer = setInterval(() => {
    looking = looking.then(glance);
  }, lookMs);
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      await looking;
    },
  };
}
