/**
 * Receives callbacks on any Node server: verifies the signature, then the decision token, then calls you once.
 *
 * Promises: nothing unsigned, altered or stale reaches `onOutcome`; a repeated message is answered 200 without acting again,
 * remembered longer than retries last, over restarts where the store is a file; an error of yours is answered 500, so that
 * the sender tries again. After a crash between acting and remembering, `onOutcome` is called with `again: true`: there you
 * look whether the effect happened.
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
import { readMessage, requireSame } from './message';
import { verifySignature, type Headers } from './signature';
import type { SeenStore } from './store';
import { verifyDecisionToken } from './token';

export { ReceiverError, type Answer, type ReceiverCode } from './errors';
export { NotExecutable, requireExecutable, type Execution, type ExecutionCode } from './execution';
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
  const { secrets, expect, store, onOutcome, toleranceSeconds = TOLERANCE_SECONDS, now = () => new Date() } = options;
  if (secrets.length === 0)
    throw new TypeError('A receiver needs at least one callback secret (whsec_…): without one it could not tell a caller from anybody else.');
  const keys: JSONWebKeySet | JWTVerifyGetKey =
    'issuerUrl' in options.keys ? createRemoteJWKSet(new URL('/.well-known/jwks.json', options.keys.issuerUrl)) : options.keys;
  const oneAtATime = createTurns();

  async function receive(rawBody: Uint8Array, headers: Headers): Promise<Answer> {
    const { id, body } = verifySignature(rawBody, headers, { secrets, toleranceSeconds, now: now() });
    return oneAtATime(`message:${id}`, async () => {
      if ((await store.get(`message:${id}`)) === 'done') return accepted('repeated');
      const result = readMessage(body);
      if (!result) return accepted('ignored');
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
