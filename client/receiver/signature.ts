/**
 * Checks a callback's signature as Standard Webhooks says: over id, timestamp and body, with any secret that counts.
 * The signatures are computed by the `standardwebhooks` package; the time is an argument, which that package's own verify
 * does not take, and digits are all a timestamp may hold, which it does not check.
 * Must not import activities, workers or the store.
 */
import { timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { ReceiverError } from './errors';

/** As Node's http gives them: lower-case names. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Signed {
  readonly id: string;
  /** The body as text, exactly the signed bytes. */
  readonly body: string;
}

export interface SignatureRules {
  /** `whsec_…`; any of them verifies, so that a secret can be changed without losing a callback. */
  readonly secrets: readonly string[];
  readonly toleranceSeconds: number;
  readonly now: Date;
}

export function verifySignature(rawBody: Uint8Array, headers: Headers, { secrets, toleranceSeconds, now }: SignatureRules): Signed {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name]);
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string' || id === '' || signatures === '') {
    throw new ReceiverError('headers_missing', 'The call is not signed: webhook-id, webhook-timestamp and webhook-signature are required, once each.');
  }
  // A dot would move the border between id and timestamp in what is signed.
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(id)) throw new ReceiverError('id_malformed', 'The webhook-id may hold only letters, digits, _ and -.');
  if (!/^\d{1,12}$/.test(timestamp)) throw new ReceiverError('timestamp_malformed', 'The webhook-timestamp must be seconds since 1970, in digits only.');
  const seconds = Number(timestamp);
  if (Math.abs(now.getTime() / 1000 - seconds) > toleranceSeconds)
    throw new ReceiverError('timestamp_stale', `The webhook-timestamp lies more than ${toleranceSeconds} s off this clock.`);
  const body = asText(rawBody);
  const offered = signatures.split(' ').filter((signature) => signature.startsWith('v1,'));
  const expected = secrets.map((secret) => new Webhook(secret).sign(id, new Date(seconds * 1000), body));
  if (!offered.some((signature) => expected.some((own) => same(signature, own))))
    throw new ReceiverError('signature_mismatch', 'No signature fits: the call was altered on the way or signed with another secret.');
  return { id, body };
}

/** Strictly: two different bodies must not become the same text. */
function asText(raw: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch (cause) {
    throw new ReceiverError('body_not_text', 'The body is not UTF-8.', { cause });
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
