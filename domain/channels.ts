/**
 * Which channel a message to a person goes out on: the first, then the next when one fails, never the same twice.
 * Pure: imports only from domain.
 */
import type { Asked, AttemptStatus, Over, Owed } from './events';
import { ms, type Instant } from './json';
import type { Channel, Plan } from './plan';
import { openSignOffs, type ApprovalState, type OwedState } from './state';

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

/** Who has it now: whoever took it over, else the owner of each open sign-off. */
export function ownersOf({ takeover, ...state }: ApprovalState, plan: Plan): readonly Asked[] {
  if (takeover) return [{ person: takeover.by, role: takeover.role }];
  return openSignOffs({ takeover, ...state }).flatMap(({ id, owner, asked, hold, level }): Asked[] => {
    if (owner === null) return [];
    const role = hold?.role ?? plan.signOffs.find((s) => s.id === id)?.ladder[level]?.role ?? '';
    return [asked.find((a) => a.person === owner) ?? { person: owner, role }];
  });
}

/** A word to one person: over the channel that a question reached them on, or those after it; else as whoever has it now was asked. */
export function tellOne(state: ApprovalState, plan: Plan, to: Asked, what: string): Owed {
  const debt = state.owed.findLast(({ owed }) => (owed.kind === 'ask' || owed.kind === 'page_backup') && owed.to.person === to.person);
  return { kind: 'tell_asked', to, ...over(debt ? channelsLeft(debt) : channelsNow(state, plan)), what };
}

/** The channels of what is open; of a takeover those of the level that it was taken from. */
export function channelsNow(state: ApprovalState, plan: Plan, signOff?: string): readonly Channel[] {
  const open = openSignOffs(state).find((s) => signOff === undefined || s.id === signOff);
  const ladder = plan.signOffs.find((s) => s.id === open?.id)?.ladder ?? [];
  return (ladder[open?.level ?? 0] ?? ladder[0])?.channels ?? [];
}
