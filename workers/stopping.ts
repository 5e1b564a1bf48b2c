/**
 * How long a stopping worker waits where nobody listens any more. What it has begun at the store or at somebody's server comes to its end,
 * because another worker would do it again; a report that the engine cannot take is not waited for, because another worker makes it.
 * Must not import client.
 */
import type { Connection } from '@temporalio/client';
import type { ApprovalActivities } from '../workflows/protocol';

/** An engine that has not answered for so long has gone, in milliseconds: a restart of it takes no longer. */
const GONE_MS = 6_000;
const LOOK_MS = 500;
/** How long one look may take, in milliseconds. */
const ANSWER_MS = 2_000;

export interface Hands {
  readonly activities: ApprovalActivities;
  /** Whether anything is under way that others would see done twice. The sweep is not: it says what it does before it does it. */
  busy(): boolean;
}

/** The same activities, counted while they run. */
export function inHands(activities: ApprovalActivities): Hands {
  let count = 0;
  const counted =
    <Input, Output>(work: (input: Input) => Promise<Output>) =>
    async (input: Input): Promise<Output> => {
      count += 1;
      try {
        return await work(input);
      } finally {
        count -= 1;
      }
    };
  const { reconcile, ...others } = activities;
  const named = Object.fromEntries(Object.entries(others).map(([name, work]) => [name, counted(work as (input: unknown) => Promise<unknown>)]));
  return { activities: { ...(named as unknown as Omit<ApprovalActivities, 'reconcile'>), reconcile }, busy: () => count > 0 };
}

export interface Stopping {
  readonly connection: Pick<Connection, 'workflowService' | 'withDeadline'>;
  readonly busy: () => boolean;
  /** Told once, when the engine has gone. */
  readonly onGone: () => void;
}

/** Resolves when nobody listens and nothing is in hand; never while the engine answers. `off` ends it. */
export function untilNobodyListens({ connection, busy, onGone }: Stopping): { readonly gone: Promise<void>; off(): void } {
  let over = false;
  const answers = async (): Promise<boolean> => {
    try {
      await connection.withDeadline(Date.now() + ANSWER_MS, () => connection.workflowService.getSystemInfo({}));
      return true;
    } catch {
      return false;
    }
  };
  const watch = async (): Promise<void> => {
    let told = false;
    for (let heard = performance.now(); !over;) {
      if (await answers()) heard = performance.now();
      else if (performance.now() - heard > GONE_MS) {
        if (!told) onGone();
        told = true;
        if (!busy()) return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    await new Promise<never>(() => undefined);
  };
  return { gone: watch(), off: () => void (over = true) };
}
