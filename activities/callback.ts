/**
 * One attempt at a callback, as Standard Webhooks says: signed over id, timestamp and body, with every secret that counts
 * while they rotate; and what an answer means for the next attempt. The loop and the record of attempts are elsewhere.
 * Must not import the store, the workflow or client.
 */
import { Webhook } from 'standardwebhooks';
import type { AttemptStatus, Reached } from '../domain/events';
import { ms, type Instant } from '../domain/json';
import type { ApprovalResult } from '../domain/outcome';
import { createBerths, type Berths, type Heard } from './berths';
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
  /** `not_tried`: too many calls wait for this host already; nothing was sent, so it is no attempt. */
  readonly status: AttemptStatus | 'not_tried';
  readonly reached?: Reached;
  readonly httpStatus: number | null;
  readonly latencyMs: number;
  /** One sentence without any part of the response or the address. */
  readonly detail: string;
  /** The receiver asked for this much time, or it was not tried and is better left alone so long; null when neither. */
  readonly retryAfterMs: number | null;
}

/** Who is called, and what the call is, in the sentences of the record. */
interface Words {
  readonly receiver: string;
  readonly what: string;
}

export interface CallbackOptions {
  readonly egress: Egress;
  readonly timeoutMs?: number;
  readonly words?: Words;
  /** Shared by all that calls out of one process. */
  readonly berths?: Berths;
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

/** A question to the agent, in the words of who asks: the same bytes in every attempt. */
export const questionBody = ({
  since,
  dueAt: due,
  ...asked
}: {
  readonly tenant: string;
  readonly approvalId: string;
  readonly question: string;
  readonly text: string;
  readonly dueAt: Instant;
  /** When it was asked. */
  readonly since: Instant;
}): string => JSON.stringify({ type: 'approval.question', timestamp: since, data: { ...asked, due } });

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

const AGENT: Words = { receiver: 'The agent', what: 'callback' };

export function createCallback({ egress, timeoutMs = TIMEOUT_MS, words = AGENT, berths = createBerths() }: CallbackOptions): Callback {
  const failed = (detail: string, { status, latencyMs }: { readonly status: number | null; readonly latencyMs: number }): CallbackResult => ({
    status: 'failed_for_now',
    httpStatus: status,
    latencyMs,
    detail,
    retryAfterMs: null,
  });

  async function post(message: CallbackMessage): Promise<{ readonly result: CallbackResult; readonly heard: Heard }> {
    const { url, body, registeredHosts, timestamp } = message;
    try {
      const headers = { ...sign(message), 'content-type': 'application/json', 'user-agent': 'Countersign' };
      const { status, latencyMs, retryAfter } = await egress.post(url, { headers, body, timeoutMs, ...(registeredHosts ? { registeredHosts } : {}) });
      const wait = THROTTLES.has(status) ? retryAfterMs(retryAfter, timestamp) : null;
      return { heard: 'answered', result: { ...meaning(status, words), httpStatus: status, latencyMs, retryAfterMs: wait } };
    } catch (error) {
      if (error instanceof SecretError) return { heard: 'other', result: failed(error.message, { status: null, latencyMs: 0 }) };
      if (!(error instanceof EgressError)) throw error;
      // The way out speaks of callbacks, whoever uses it.
      const result = failed(error.message.replaceAll('callback', words.what), error);
      return { heard: error.status !== null ? 'answered' : error.code === 'timeout' ? 'silent' : 'other', result };
    }
  }

  return {
    async send(message) {
      const berth = await berths.enter(hostOf(message.url));
      if ('busyForMs' in berth)
        return {
          status: 'not_tried',
          httpStatus: null,
          latencyMs: 0,
          detail: `Too many calls wait for an answer of this host; this ${words.what} was not sent yet.`,
          retryAfterMs: berth.busyForMs,
        };
      let heard: Heard = 'other';
      try {
        const posted = await post(message);
        heard = posted.heard;
        return posted.result;
      } finally {
        berth.leave(heard);
      }
    },
  };
}

/** Host and port; what is no URL is refused on the way out, and has a place of its own until then. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');

function meaning(status: number, { receiver, what }: Words): Pick<CallbackResult, 'status' | 'reached' | 'detail'> {
  if (status >= 200 && status < 300) return { status: 'done', reached: 'delivered', detail: `${receiver} accepted the ${what} (${status}).` };
  if (status === 410) return { status: 'failed_for_good', detail: `${receiver} no longer wants ${what}s here (410).` };
  if (THROTTLES.has(status)) return { status: 'failed_for_now', detail: `${receiver} is busy or down (${status}); it is asked again later.` };
  return { status: 'failed_for_now', detail: `${receiver} refused the ${what} (${status}); only 2xx accepts it.` };
}

/** Seconds, or a date measured from the attempt; nonsense counts as not said. */
function retryAfterMs(value: string | null, now: Instant): number | null {
  if (value === null) return null;
  const trimmed = value.trim();
  const wanted = /^\d{1,10}$/.test(trimmed) ? Number(trimmed) * 1000 : /^[A-Z][a-z]{2}, /.test(trimmed) ? Date.parse(trimmed) - ms(now) : NaN;
  return Number.isFinite(wanted) ? Math.min(RETRY_AFTER_MAX_MS, Math.max(0, wanted)) : null;
}
