/**
 * Which channel a message to a person goes out on: the first, then the next when one fails, never the same twice.
 * Pure: imports only from domain.
 */
import type { AttemptStatus, Over } from './events';
import { ms, type Instant } from './json';
import type { Channel } from './plan';
import type { OwedState } from './state';

/** How long one channel may fail for now before the next has its turn, in milliseconds: a person must be reached in time. */
const PATIENCE_MS = 120_000;
/** And of the time that the person has, never more than this part. */
const PATIENCE_SHARE = 0.1;

/** The channels of a level, as a debt says them. */
export function over(channels: readonly Channel[]): Over {
  const [channel = 'email', ...then] = channels;
  return then.length > 0 ? { channel, then } : { channel };
}

/** The channel in use and those that may still follow it; empty for what has no choice of channels. */
export function channelsLeft({ owed, channel }: Pick<OwedState, 'owed' | 'channel'>): readonly Channel[] {
  if (!('channel' in owed) || channel === null) return [];
  const all = [owed.channel, ...(owed.then ?? [])];
  return all.slice(Math.max(0, all.indexOf(channel)));
}

/** The channel that has its turn after an attempt at `now` failed, or null: `retryInMs` is when this one would be tried again. */
export function fallsTo(debt: OwedState, status: AttemptStatus, now: Instant, retryInMs: number | null): Channel | null {
  const next = channelsLeft(debt)[1] ?? null;
  if (next === null || status === 'done') return null;
  if (status === 'failed_for_good' || retryInMs === null) return next;
  const { owed, since } = debt;
  const share = 'dueAt' in owed ? (ms(owed.dueAt) - ms(since)) * PATIENCE_SHARE : PATIENCE_MS;
  return ms(now) + retryInMs > ms(since) + Math.min(PATIENCE_MS, share) ? next : null;
}
