/**
 * Counts and sums over recent requests, counted again from the record as it went by: for a candidate that counts what the policy of
 * the day did not. The same meaning as at submit: what was refused, withdrawn or expired by then is not counted, and what cannot be
 * added up is absent.
 * Pure. It keeps a few numbers for each request of the longest window, and no request.
 */
import { instant, ms, type Instant, type JsonObject } from '../domain/json';
import { isMoney } from '../domain/money';
import type { RecentValue } from '../domain/plan';
import type { CompiledRecent } from './model';

/** What counting looks at. */
export interface Countable {
  readonly at: Instant;
  readonly agent: string;
  readonly customer: string | null;
  readonly type: string;
  readonly params: JsonObject;
  /** When it ended in a way that it was not done; null where it was, or is open. */
  readonly undoneAt: Instant | null;
}

interface Part {
  minor: number;
  requests: number;
}

interface Leaving {
  readonly atMs: number;
  readonly whose: string;
  readonly currency: string | null;
  readonly minor: number;
}

/** One declared count or sum. Requests have to come in the order in which they were made. */
export class Counter {
  readonly #parts = new Map<string, Map<string | null, Part>>();
  readonly #leaving: Leaving[] = [];

  constructor(readonly recent: CompiledRecent) {}

  /** What it comes to for this request, itself included, which it remembers; null where it cannot be said. */
  next(request: Countable): RecentValue | null {
    const { at, agent, customer, type, params, undoneAt } = request;
    const now = ms(at);
    this.#leave(now);
    const { of, per, sum, withinMs } = this.recent;
    const whose = per === 'agent' ? agent : per === 'customer' ? customer : '';
    if (whose === null) return null;
    const parts = this.#parts.get(whose) ?? new Map<string | null, Part>();
    this.#parts.set(whose, parts);
    if (of.includes(type)) {
      const value = sum === null ? undefined : params[sum];
      const part = { whose, currency: isMoney(value) ? value.currency : null, minor: isMoney(value) ? Math.max(value.minor, 0) : 0 };
      add(parts, part.currency, part.minor, 1);
      const leaves = now + withinMs;
      push(this.#leaving, { ...part, atMs: undoneAt === null ? leaves : Math.min(leaves, Math.max(ms(undoneAt), now)) });
    }
    return this.#value(parts, instant(now - withinMs));
  }

  #value(parts: ReadonlyMap<string | null, Part>, since: Instant): RecentValue | null {
    const all = [...parts];
    const requests = all.reduce((total, [, part]) => total + part.requests, 0);
    if (this.recent.sum === null) return { value: requests, requests, since };
    const [first, ...others] = all;
    if (!first || others.length > 0) return null;
    const [currency, { minor }] = first;
    return currency === null || !Number.isSafeInteger(minor) ? null : { value: { minor, currency }, requests, since };
  }

  /** Whatever is outside of the window by then, or was undone. */
  #leave(now: number): void {
    for (let first = this.#leaving[0]; first !== undefined && first.atMs <= now; first = this.#leaving[0]) {
      pop(this.#leaving);
      const parts = this.#parts.get(first.whose);
      if (!parts) continue;
      add(parts, first.currency, -first.minor, -1);
      if (parts.size === 0) this.#parts.delete(first.whose);
    }
  }
}

function add(parts: Map<string | null, Part>, currency: string | null, minor: number, requests: number): void {
  const part = parts.get(currency) ?? { minor: 0, requests: 0 };
  part.minor += minor;
  part.requests += requests;
  if (part.requests === 0) parts.delete(currency);
  else parts.set(currency, part);
}

/** A heap: the earliest first. */
function push(heap: Leaving[], one: Leaving): void {
  let at = heap.length;
  heap.push(one);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if ((heap[parent]?.atMs ?? 0) <= one.atMs) break;
    heap[at] = heap[parent] ?? one;
    at = parent;
  }
  heap[at] = one;
}

function pop(heap: Leaving[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const least = (heap[left + 1]?.atMs ?? Infinity) < (heap[left]?.atMs ?? Infinity) ? left + 1 : left;
    const child = heap[least];
    if (child === undefined || child.atMs >= last.atMs) break;
    heap[at] = child;
    at = least;
  }
  heap[at] = last;
}
