/**
 * One JSON call to the API, over whatever `fetch` it is given. Redirects are not followed: a key goes to the named server only.
 */
import type { z } from 'zod';
import { CountersignError, errorOf } from './errors';
import { pause } from './pause';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Connection {
  readonly url: string;
  /** An agent key, or a person's session token. */
  readonly key: string;
  readonly fetch?: Fetch;
  /** How long one call may take, in milliseconds, beside what it was asked to wait. */
  readonly timeoutMs?: number;
}

export interface Call<T extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly answer: T;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 30_000;

/** A call that came back: its status too, since 200 and 202 may mean different things. */
interface Answered<T extends z.ZodType> {
  readonly status: number;
  readonly value: z.output<T>;
}

/** Nothing was done with the request, and the same may be taken in a moment. */
const WORTH_ASKING_AGAIN: readonly string[] = ['busy', 'fact_unavailable'];

/** A server that could not begin is asked again when it says, as long as the call may take; then it is the caller's to decide. */
export async function call<T extends z.ZodType>(connection: Connection, asked: Call<T>): Promise<Answered<T>> {
  const deadline = Date.now() + (connection.timeoutMs ?? TIMEOUT_MS) + (asked.waitMs ?? 0);
  for (;;) {
    try {
      return await once(connection, asked);
    } catch (error) {
      if (!(error instanceof CountersignError) || !WORTH_ASKING_AGAIN.includes(error.code) || error.retryAfterMs === null) throw error;
      // Those who were turned away together do not come back together.
      const pauseMs = error.retryAfterMs * (1 + Math.random() / 2);
      if (Date.now() + pauseMs > deadline) throw error;
      await pause(pauseMs, asked.signal);
    }
  }
}

async function once<T extends z.ZodType>(
  connection: Connection,
  { method, path, answer, body, idempotencyKey, waitMs = 0, signal }: Call<T>,
): Promise<Answered<T>> {
  const { url, key, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = connection;
  const headers: Record<string, string> = { accept: 'application/json', ...(key === '' ? {} : { authorization: `Bearer ${key}` }) };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  const time = AbortSignal.timeout(timeoutMs + waitMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
      method,
      headers,
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, time]) : time,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new CountersignError('unreachable', `Countersign does not answer at ${url}; check the address and that it runs`, null, [], { cause });
  }
  const json = parse(text);
  if (!response.ok) throw errorOf(response.status, json, response.headers.get('retry-after'));
  const parsed = answer.safeParse(json);
  if (!parsed.success)
    throw new CountersignError(
      'unexpected_answer',
      `The server at ${url} gave an answer of another form; is it Countersign of the same version?`,
      response.status,
      [],
      { cause: parsed.error },
    );
  return { status: response.status, value: parsed.data };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not JSON is not an answer of ours; the caller says so with the status.
    return undefined;
  }
}
