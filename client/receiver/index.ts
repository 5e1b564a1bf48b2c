/**
 * Receives callbacks on any Node server: verifies the signature, then the decision token, then calls you once.
 *
 * Promises: nothing unsigned, altered or stale reaches `onOutcome`; a repeated message is answered 200 without acting again,
 * remembered longer than retries last, over restarts where the store is a file; an error of yours is answered 500, so that
 * the sender tries again. After a crash between acting and remembering, `onOutcome` is called with `again: true`: there you
 * look whether the effect happened. A question to the agent reaches `onQuestion` in the same way: it is proved by the signature alone,
 * decides nothing, and is answered with the agent's key (`countersign.reply`), at once or later; without `onQuestion` it is left alone.
 * Must not import activities or workers.
 *
 * @example
 * const receiver = createReceiver({ secrets: [secret], keys: { issuerUrl: 'https://approvals.example.com' },
 *   expect: { agent: 'refund-bot', tenant: 'acme' }, store: fileStore('seen.jsonl'), onOutcome: ({ result }) => resume(result) });
 * createServer(nodeHandler(receiver)).listen(4100);
 */
import { createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { ApprovalResult } from '../../domain/outcome';
import type { TokenClaims } from '../../domain/token';
import { ReceiverError, refused, type Answer } from './errors';
import { readMessage, requireSame, type AskedQuestion } from './message';
import { verifySignature, type Headers } from './signature';
import type { SeenStore } from './store';
import { verifyDecisionToken } from './token';

export { ReceiverError, type Answer, type ReceiverCode } from './errors';
export { NotExecutable, requireExecutable, type Execution, type ExecutionCode } from './execution';
export type { AskedQuestion } from './message';
export { nodeHandler } from './node';
export { fileStore, memoryStore, REMEMBER_MS, type Seen, type SeenStore } from './store';
export { NotADecision, verifyDecisionToken } from './token';

export interface Outcome {
  readonly result: ApprovalResult;
  /** What the token proves; equal to the result where both speak. */
  readonly claims: TokenClaims;
  /** True when acting on this had begun before, and the process ended before it was remembered. */
  readonly again: boolean;
}

export interface ReceiverOptions {
  /** `whsec_…`; two of them while a secret is changed. */
  readonly secrets: readonly string[];
  /** The published keys: as a document, or found at the issuer's `/.well-known/jwks.json`. */
  readonly keys: JSONWebKeySet | { readonly issuerUrl: string };
  readonly expect: { readonly agent: string; readonly tenant: string; readonly issuer?: string };
  readonly store: SeenStore;
  readonly onOutcome: (outcome: Outcome) => void | Promise<void>;
  /** `again` as in an outcome. An error of yours is answered 500, so that the sender tries again. */
  readonly onQuestion?: (question: AskedQuestion & { readonly again: boolean }) => void | Promise<void>;
  /** How far the sender's clock may be off. */
  readonly toleranceSeconds?: number;
  readonly now?: () => Date;
}

export interface Receiver {
  /** `headers` with lower-case names, `rawBody` before any parser has touched it. Never throws. */
  handle(rawBody: Uint8Array | string, headers: Headers): Promise<Answer>;
}

const TOLERANCE_SECONDS = 5 * 60;

export function createReceiver(options: ReceiverOptions): Receiver {
  const { secrets, expect, store, onOutcome, onQuestion, toleranceSeconds = TOLERANCE_SECONDS, now = () => new Date() } = options;
  if (secrets.length === 0)
    throw new TypeError('A receiver needs at least one callback secret (whsec_…): without one it could not tell a caller from anybody else.');
  const keys: JSONWebKeySet | JWTVerifyGetKey =
    'issuerUrl' in options.keys ? createRemoteJWKSet(new URL('/.well-known/jwks.json', options.keys.issuerUrl)) : options.keys;
  const oneAtATime = createTurns();

  async function receive(rawBody: Uint8Array, headers: Headers): Promise<Answer> {
    const { id, body } = verifySignature(rawBody, headers, { secrets, toleranceSeconds, now: now() });
    return oneAtATime(`message:${id}`, async () => {
      const seen = await store.get(`message:${id}`);
      if (seen === 'done') return accepted('repeated');
      const message = readMessage(body);
      if (message === null || (message.type === 'approval.question' && !onQuestion)) return accepted('ignored');
      if (message.type === 'approval.question') {
        const answer = await hear(`message:${id}`, message.asked, seen === 'begun');
        await store.set(`message:${id}`, 'done', now());
        return answer;
      }
      const { result } = message;
      const claims = await verifyToken(result.token);
      requireSame(result, claims);
      // By decision too: the same token under another message id is the same decision.
      const answer = await oneAtATime(`decision:${claims.jti}`, () => act(result, claims));
      await store.set(`message:${id}`, 'done', now());
      return answer;
    });
  }

  async function act(result: ApprovalResult, claims: TokenClaims): Promise<Answer> {
    const decision = `decision:${claims.jti}`;
    const seen = await store.get(decision);
    if (seen === 'done') return accepted('repeated');
    if (seen === 'unknown') await store.set(decision, 'begun', now());
    try {
      await onOutcome({ result, claims, again: seen === 'begun' });
    } catch (cause) {
      throw new ReceiverError('outcome_failed', 'The outcome could not be acted on; send it again.', { cause });
    }
    await store.set(decision, 'done', now());
    return accepted('acted');
  }

  async function hear(message: string, asked: AskedQuestion, again: boolean): Promise<Answer> {
    if (asked.tenant !== expect.tenant) throw new ReceiverError('body_malformed', 'The question is about another tenant.');
    if (!again) await store.set(message, 'begun', now());
    try {
      await onQuestion?.({ ...asked, again });
    } catch (cause) {
      throw new ReceiverError('outcome_failed', 'The question could not be taken; send it again.', { cause });
    }
    return accepted('acted');
  }

  async function verifyToken(token: string): Promise<TokenClaims> {
    try {
      return await verifyDecisionToken(token, keys, { ...expect, now: now() });
    } catch (cause) {
      if (isUnavailable(cause)) throw new ReceiverError('keys_unavailable', 'The keys that verify decisions cannot be fetched now; send it again.', { cause });
      throw new ReceiverError('token_refused', 'The decision token does not verify for this agent.', { cause });
    }
  }

  return {
    async handle(rawBody, headers) {
      try {
        return await receive(typeof rawBody === 'string' ? Buffer.from(rawBody) : rawBody, headers);
      } catch (error) {
        return refused(error);
      }
    },
  };
}

const accepted = (what: 'acted' | 'repeated' | 'ignored'): Answer => ({ status: 200, body: JSON.stringify({ [what]: true }) });

/** Whether the keys could not be fetched, as opposed to a token that they refuse. */
function isUnavailable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // jose: ERR_JOSE_GENERIC is an answer other than 200, the others a fetch that failed or was late.
  return (
    code === 'ERR_JOSE_GENERIC' ||
    code === 'ERR_JWKS_TIMEOUT' ||
    code === 'ERR_JWKS_INVALID' ||
    ('name' in error && (error.name === 'TypeError' || error.name === 'TimeoutError') && code === '')
  );
}

/** Runs what has the same key one after the other: two deliveries of one message at once act once. */
function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}
