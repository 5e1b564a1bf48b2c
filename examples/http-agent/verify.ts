/**
 * How an agent tells a genuine answer from a forged one, with two public libraries and nothing of Countersign's:
 * `standardwebhooks` for the callback, `jose` for the decision token in it.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Webhook } from 'standardwebhooks';

export interface Result {
  readonly approvalId: string;
  readonly outcome: string;
  readonly reason: string;
  readonly actionDigest: string;
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly next: { readonly path: string; readonly alternative?: { readonly type: string; readonly summary: string } };
  readonly token: string;
}

/** Information that somebody needs before they decide, in that person's words. */
export interface Question {
  readonly approvalId: string;
  readonly question: string;
  readonly text: string;
  readonly due: string;
}

/** What a genuine call holds. Types are added: what is not known is left alone. */
export type Message = { readonly result: Result } | { readonly asked: Question } | { readonly unknown: string };

/** Not genuine. The sentence goes into the journal, not to the caller. */
export class Refused extends Error {}

/** What a callback says, if its signature holds over exactly this body, id and time, and the time is now. */
export function openCallback(
  raw: Uint8Array,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  secrets: readonly string[],
): { readonly id: string; readonly message: Message } {
  const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name]);
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') throw new Refused('unsigned');
  // The library reads "1795253400abc" as a time, and a dot in the id moves the border of what is signed.
  if (!/^\d{1,12}$/.test(timestamp) || !/^[A-Za-z0-9_-]+$/.test(id)) throw new Refused('malformed headers');
  const body = asText(raw);
  let why = 'no secret';
  for (const secret of secrets) {
    try {
      const message = new Webhook(secret).verify(body, { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature });
      return { id, message: messageIn(message) };
    } catch (error) {
      if (error instanceof Refused) throw error;
      why = error instanceof Error ? error.message : String(error);
    }
  }
  throw new Refused(why);
}

function asText(raw: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    throw new Refused('the body is not UTF-8');
  }
}

function messageIn(message: unknown): Message {
  const { type, data } = (typeof message === 'object' && message !== null ? message : {}) as { readonly type?: unknown; readonly data?: unknown };
  if (typeof type !== 'string') throw new Refused('not a message');
  if (type === 'approval.ended' && isResult(data)) return { result: data };
  if (type === 'approval.question' && isQuestion(data)) return { asked: data };
  if (type === 'approval.ended' || type === 'approval.question') throw new Refused(`not what ${type} holds`);
  return { unknown: type };
}

function isQuestion(value: unknown): value is Question {
  const asked = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<keyof Question, unknown>>;
  return [asked.approvalId, asked.question, asked.text, asked.due].every((part) => typeof part === 'string');
}

export function isResult(value: unknown): value is Result {
  if (typeof value !== 'object' || value === null) return false;
  const result = value as Partial<Record<keyof Result, unknown>>;
  return (
    [result.approvalId, result.outcome, result.reason, result.actionDigest, result.token].every((part) => typeof part === 'string') &&
    typeof result.next === 'object' &&
    result.next !== null
  );
}

/** The token's single-use id, if the token proves this very result. The keys are fetched from Countersign and kept. */
export function tokenChecker(apiUrl: string, now: () => Date): (result: Result) => Promise<string> {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', apiUrl));
  return async (result) => {
    const { payload } = await jwtVerify(result.token, keys, {
      algorithms: ['Ed25519'],
      typ: 'countersign-decision+jwt',
      currentDate: now(),
      requiredClaims: ['jti', 'exp', 'sub'],
    });
    if (payload.sub !== result.approvalId || payload['outcome'] !== result.outcome || payload['action_digest'] !== result.actionDigest)
      throw new Refused('the token proves something else');
    return payload.jti ?? '';
  };
}
