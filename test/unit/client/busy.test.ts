/** A server that was too busy to begin: asked again when it says, as long as the call may take. */
import { z } from 'zod';
import { call } from '../../../client/sdk/http';

const busy = (retryAfter: string | null): Response =>
  new Response(JSON.stringify({ code: 'busy', detail: 'Too many requests of agents wait already', status: 503 }), {
    status: 503,
    headers: retryAfter === null ? {} : { 'retry-after': retryAfter },
  });

function server(...answers: readonly Response[]) {
  const keys: (string | null)[] = [];
  const left = [...answers];
  return {
    keys,
    fetch: (_url: string, init: RequestInit): Promise<Response> => {
      keys.push(new Headers(init.headers).get('idempotency-key'));
      return Promise.resolve(left.shift() ?? new Response('{"ok":true}'));
    },
  };
}

const submit = (fetch: (url: string, init: RequestInit) => Promise<Response>) =>
  call(
    { url: 'http://localhost', key: 'k', fetch, timeoutMs: 1_000 },
    { method: 'POST', path: '/v1/requests', body: {}, idempotencyKey: 'one', answer: z.object({ ok: z.boolean() }) },
  );

it('is asked again in the same words, under the same key', async () => {
  const { fetch, keys } = server(busy('0'), busy('0'));
  expect((await submit(fetch)).value).toEqual({ ok: true });
  expect(keys).toEqual(['one', 'one', 'one']);
});

it('is not asked again where that would take longer than the call may, or where it does not say when', async () => {
  for (const [retryAfter, retryAfterMs] of [
    ['3600', 3_600_000],
    [null, null],
    ['soon', null],
  ] as const) {
    const { fetch, keys } = server(busy(retryAfter));
    await expect(submit(fetch)).rejects.toMatchObject({ code: 'busy', retryable: true, retryAfterMs });
    expect(keys).toHaveLength(1);
  }
});
