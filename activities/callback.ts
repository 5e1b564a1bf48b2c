/**
 * One attempt at a callback, as Standard Webhooks says: signed over id, timestamp and body, with every secret that counts
 * while they rotate; and what an answer means for the next attempt. The loop and the record of attempts are elsewhere.
 * Must not import the store, the workflow or client.
 */
import { Webhook } from 'standardwebhooks';
import type { AttemptStatus } from '../domain/events';
import { ms, type Instant } from '../domain/json';
import type { ApprovalResult } from '../domain/outcome';
import { EgressError, type Egress } from './egress';

export interface CallbackMessage {
  readonly url: string;
  /** `whsec_…`; each gives one signature. Newest first. */
  readonly secrets: readonly string[];
  /** {@link webhookId}: the same in every attempt. */
  readonly id: string;
  /** When this attempt is made, on the wall clock: receivers refuse what lies minutes off theirs. */
  readonly timestamp: Instant;
  /** Exactly these bytes are signed and sent. */
  readonly body: string;
  /** Hosts registered for the agent now. */
  readonly registeredHosts?: readonly string[];
}

export interface CallbackResult {
  readonly status: AttemptStatus;
  readonly httpStatus: number | null;
  readonly latencyMs: number;
  /** One sentence without any part of the response or the address. */
  readonly detail: string;
  /** The receiver asked for this much time; null when it did not. */
  readonly retryAfterMs: number | null;
}

export interface Callback {
  send(message: CallbackMessage): Promise<CallbackResult>;
}

/** Milliseconds before each attempt, from the specification: about three days in all. */
const SCHEDULE: readonly number[] = [
  0,
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];
export const ATTEMPTS_MAX = SCHEDULE.length;
/** A receiver may ask for time, but not to be forgotten. */
const RETRY_AFTER_MAX_MS = 24 * 3_600_000;
const THROTTLES = new Set([429, 502, 503, 504]);
const TIMEOUT_MS = 15_000;

/**
 * How long to wait before attempt number `attempt` (1 is the first), spread by up to a tenth either way so that receivers
 * are not hit by all at once; null when there is no such attempt: dead letter.
 */
export function retryDelay(attempt: number, random01: number): number | null {
  const planned = SCHEDULE[attempt - 1];
  return planned === undefined ? null : Math.round(planned * (0.9 + 0.2 * Math.min(1, Math.max(0, random01))));
}

/** The same, never sooner than the receiver asked for. */
export function nextDelay(attempt: number, random01: number, retryAfterMs: number | null): number | null {
  const delay = retryDelay(attempt, random01);
  return delay === null ? null : Math.max(delay, retryAfterMs ?? 0);
}

/** Stable over retries and redelivery; holds no dot, which separates the signed parts. */
export const webhookId = (approvalId: string, owedId: string): string => `${approvalId}_${owedId}`.replace(/[^A-Za-z0-9_-]/g, '-');

/** The body on the wire. `decidedAt` makes it the same bytes in every attempt. */
export const callbackBody = (result: ApprovalResult): string => JSON.stringify({ type: 'approval.ended', timestamp: result.decidedAt, data: result });

class SecretError extends Error {
  readonly code = 'secret_invalid';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SecretError';
  }
}

/** The three headers. Several signatures are separated by single spaces. */
export function sign({ secrets, id, timestamp, body }: Pick<CallbackMessage, 'secrets' | 'id' | 'timestamp' | 'body'>): Record<string, string> {
  if (!/^[A-Za-z0-9_-]+$/.test(id)) throw new TypeError(`The webhook id ${JSON.stringify(id)} must hold only letters, digits, _ and -.`);
  if (secrets.length === 0) throw new SecretError('The agent has no callback secret; issue one, then redeliver.');
  const at = new Date(ms(timestamp));
  const signatures = secrets.map((secret) => webhook(secret).sign(id, at, body));
  return { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)), 'webhook-signature': signatures.join(' ') };
}

function webhook(secret: string): Webhook {
  try {
    return new Webhook(secret);
  } catch (cause) {
    throw new SecretError('A callback secret of the agent is not whsec_ and base64; issue a new one, then redeliver.', { cause });
  }
}

export function createCallback({ egress, timeoutMs = TIMEOUT_MS }: { readonly egress: Egress; readonly timeoutMs?: number }): Callback {
  return {
    async send(message) {
      try {
        const headers = { ...sign(message), 'content-type': 'application/json', 'user-agent': 'Countersign' };
        const { url, body, registeredHosts } = message;
        const { status, latencyMs, retryAfter } = await egress.post(url, { headers, body, timeoutMs, ...(registeredHosts ? { registeredHosts } : {}) });
        return { ...meaning(status), httpStatus: status, latencyMs, retryAfterMs: THROTTLES.has(status) ? retryAfterMs(retryAfter, message.timestamp) : null };
      } catch (error) {
        if (error instanceof EgressError)
          return { status: 'failed_for_now', httpStatus: error.status, latencyMs: error.latencyMs, detail: error.message, retryAfterMs: null };
        if (error instanceof SecretError) return { status: 'failed_for_now', httpStatus: null, latencyMs: 0, detail: error.message, retryAfterMs: null };
        throw error;
      }
    },
  };
}

function meaning(status: number): { readonly status: AttemptStatus; readonly detail: string } {
  if (status >= 200 && status < 300) return { status: 'done', detail: `The agent accepted the callback (${status}).` };
  if (status === 410) return { status: 'failed_for_good', detail: 'The agent no longer wants callbacks here (410).' };
  if (THROTTLES.has(status)) return { status: 'failed_for_now', detail: `The agent is busy or down (${status}); it is asked again later.` };
  return { status: 'failed_for_now', detail: `The agent refused the callback (${status}); only 2xx accepts it.` };
}

/** Seconds, or a date measured from the attempt; nonsense counts as not said. */
function retryAfterMs(value: string | null, now: Instant): number | null {
  if (value === null) return null;
  const trimmed = value.trim();
  const wanted = /^\d{1,10}$/.test(trimmed) ? Number(trimmed) * 1000 : /^[A-Z][a-z]{2}, /.test(trimmed) ? Date.parse(trimmed) - ms(now) : NaN;
  return Number.isFinite(wanted) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, wanted)) : null;
}
