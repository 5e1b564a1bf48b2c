/**
 * The API over a real store while the engine is away: what it takes, what it refuses, and in which words.
 */
import { randomUUID } from 'node:crypto';
import { API_TENANT, openApi, type ApiWorld } from '../support/api';
import { useStore } from '../support/store';
import { actionOf, refund } from '../support/requests';

interface Submitted {
  readonly approval_id: string;
  readonly state: string;
  readonly replayed: boolean;
  readonly needs_workflow: boolean;
  readonly packet_digest: string;
  readonly result: { readonly outcome: string; readonly token: string } | null;
}

let world: ApiWorld;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openApi({ store });
});

const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

const submit = (body: unknown, key: string = randomUUID(), token = world.keys.own) =>
  world.app.inject({
    method: 'POST',
    url: '/v1/requests',
    headers: { ...as(token), 'idempotency-key': key, 'content-type': 'application/json' },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });

const submitted = async (body: unknown): Promise<Submitted> => (await submit(body)).json<Submitted>();

describe('submitting', () => {
  it('records what needs a person although the engine is away, and says that it waits', async () => {
    const response = await submit(refund(48_000));
    expect(response.statusCode).toBe(201);
    expect(response.json()).toMatchObject({
      state: 'routing',
      needs_workflow: true,
      replayed: false,
      result: null,
      tenant: API_TENANT,
      headline: expect.stringContaining('USD 480.00') as string,
    });
    expect(response.headers.location).toBe(`/v1/requests/${response.json<Submitted>().approval_id}`);
  });

  it('answers the allowed at once with a decision token', async () => {
    const { result, needs_workflow: needsWorkflow } = await submitted(refund(100));
    expect(needsWorkflow).toBe(false);
    expect(result?.outcome).toBe('allowed');
    expect(result?.token.split('.')).toHaveLength(3);
  });

  it('answers a repeated key with the same approval and 200, and another body under it with key_reused', async () => {
    const key = randomUUID();
    const first = await submit(refund(48_000), key);
    const second = await submit(refund(48_000), key);
    expect(second.statusCode).toBe(200);
    expect(second.json()).toMatchObject({ approval_id: first.json<Submitted>().approval_id, replayed: true });
    const third = await submit(refund(49_000), key);
    expect(third.statusCode).toBe(409);
    expect(third.json()).toMatchObject({ code: 'key_reused', type: '/problems/key_reused', status: 409 });
  });

  const valid = JSON.stringify(refund(48_000));
  it.each([
    ['text that is no JSON', '{', 400, 'invalid_json'],
    ['an empty body', '', 400, 'invalid_json'],
    ['a duplicate key', valid.replace('"run":', '"run":"run-0","run":'), 400, 'duplicate_key'],
    ['an integer beyond 2^53', valid.replace('48000', '9007199254740993'), 400, 'integer_too_large'],
    ['half a surrogate pair', valid.replace('run-1', '\\ud800'), 400, 'lone_surrogate'],
    ['U+0000', valid.replace('run-1', '\\u0000'), 400, 'nul_character'],
    ['a lane, which the policy decides', valid.replace('{', '{"lane":"finance",'), 422, 'invalid_request'],
    ['an unknown action', JSON.stringify(actionOf('space.launch')), 422, 'unknown_action'],
    ['missing evidence', JSON.stringify(actionOf('invoice.pay', { amount: { minor: 1, currency: 'USD' }, invoice: 'i1' })), 422, 'missing_evidence'],
    [
      'a callback to a host that is not registered',
      JSON.stringify(refund(48_000, { resume: { type: 'callback', url: 'https://evil.example/' } })),
      422,
      'callback_not_allowed',
    ],
    ['more than the limit', JSON.stringify(refund(48_000, { reason: 'x'.repeat(300_000) })), 413, 'too_large'],
  ])('refuses %s with its code and leaves nothing', async (_what, body, status, code) => {
    const count = async () =>
      (
        await store.db
          .selectFrom('requests')
          .select((eb) => eb.fn.countAll<number>().as('n'))
          .executeTakeFirstOrThrow()
      ).n;
    const before = await count();
    const response = await submit(body);
    expect({ status: response.statusCode, code: response.json<{ code: string }>().code }).toEqual({ status, code });
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.json<{ detail: string }>().detail).not.toMatch(/at .*\.ts:|select |insert /);
    expect(await count()).toBe(before);
  });

  it('asks for an Idempotency-Key and for JSON', async () => {
    const noKey = await world.app.inject({ method: 'POST', url: '/v1/requests', headers: as(world.keys.own), payload: refund(1) });
    expect(noKey.json()).toMatchObject({ status: 400, code: 'idempotency_key_required' });
    const form = await world.app.inject({
      method: 'POST',
      url: '/v1/requests',
      headers: { ...as(world.keys.own), 'idempotency-key': 'k', 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'a=b',
    });
    expect(form.json()).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  });
});

describe('moves while the engine is away', () => {
  const move = (id: string, token: string, body: unknown, key?: string) =>
    world.app.inject({
      method: 'POST',
      url: `/v1/approvals/${id}/moves`,
      headers: { ...as(token), ...(key === undefined ? {} : { 'idempotency-key': key }) },
      payload: body as object,
    });

  it('keeps the move, says so with its id, and answers it from there', async () => {
    const { approval_id: id, packet_digest: digest } = await submitted(refund(48_000));
    const fay = await world.signIn('fay');
    const response = await move(id, fay, { type: 'approve', packet_digest: digest });
    expect(response.statusCode).toBe(202);
    const { command_id: commandId } = response.json<{ command_id: string }>();
    const later = await world.app.inject({ url: `/v1/commands/${commandId}`, headers: as(fay) });
    expect(later.json()).toEqual({ command_id: commandId, approval_id: id, status: 'stored', state: null, seq: null, refusal: null });
  });

  it('shows a stored command to its maker alone', async () => {
    const { approval_id: id, packet_digest: digest } = await submitted(refund(48_000));
    const { command_id: commandId } = (await move(id, await world.signIn('fay'), { type: 'approve', packet_digest: digest })).json<{ command_id: string }>();
    for (const other of ['finn', 'omar'])
      expect((await world.app.inject({ url: `/v1/commands/${commandId}`, headers: as(await world.signIn(other)) })).statusCode).toBe(404);
  });

  it('takes one key for one move, and refuses it for another', async () => {
    const { approval_id: id, packet_digest: digest } = await submitted(refund(48_000));
    const fay = await world.signIn('fay');
    const first = await move(id, fay, { type: 'approve', packet_digest: digest }, 'key-1');
    const again = await move(id, fay, { type: 'approve', packet_digest: digest }, 'key-1');
    expect(again.json()).toEqual(first.json());
    const other = await move(id, fay, { type: 'deny', reason: 'no', packet_digest: digest }, 'key-1');
    expect(other.json()).toMatchObject({ status: 409, code: 'key_reused' });
  });

  it('answers a move on an ended approval from the record, in the words of how it ended', async () => {
    const { approval_id: id, packet_digest: digest } = await submitted(refund(48_000));
    const withdrawn = await world.app.inject({
      method: 'POST',
      url: `/v1/requests/${id}/withdraw`,
      headers: as(world.keys.own),
      payload: { reason: 'paid by hand' },
    });
    expect(withdrawn.json()).toMatchObject({ state: 'withdrawn', ended: true });
    const response = await move(id, await world.signIn('fay'), { type: 'approve', packet_digest: digest });
    expect(response.json()).toMatchObject({
      status: 409,
      code: 'already_decided',
      state: 'withdrawn',
      detail: expect.stringContaining('paid by hand') as string,
    });
  });

  it('does not take a move without the digest of the packet, nor one with more than a move has', async () => {
    const { approval_id: id, packet_digest: digest } = await submitted(refund(48_000));
    const fay = await world.signIn('fay');
    expect((await move(id, fay, { type: 'approve' })).json()).toMatchObject({ status: 422, code: 'invalid_request' });
    expect((await move(id, fay, { type: 'approve', packet_digest: digest, person: 'cleo' })).json()).toMatchObject({ status: 422, code: 'invalid_request' });
  });
});

describe('lists', () => {
  it('show people what their roles are asked for, page by page, and watchers everything', async () => {
    const ids = [];
    for (let i = 0; i < 3; i += 1) ids.push((await submitted(refund(48_000 + i))).approval_id);
    const transfer = (await submitted(actionOf('talk.transfer'))).approval_id;
    const all = async (token: string, limit: number): Promise<string[]> => {
      const seen: string[] = [];
      for (let cursor = ''; ;) {
        const page = (await world.app.inject({ url: `/v1/approvals?limit=${String(limit)}${cursor}`, headers: as(token) })).json<{
          items: { approval_id: string }[];
          next_cursor: string | null;
        }>();
        seen.push(...page.items.map((a) => a.approval_id));
        if (page.next_cursor === null) return seen;
        cursor = `&cursor=${page.next_cursor}`;
      }
    };
    const finance = await all(await world.signIn('fay'), 2);
    expect(finance).toEqual(expect.arrayContaining(ids));
    expect(finance).not.toContain(transfer);
    expect(new Set(finance).size).toBe(finance.length);
    expect(await all(await world.signIn('lea'), 200)).toEqual([transfer]);
    expect(await all(await world.signIn('ada'), 200)).toEqual(expect.arrayContaining([...ids, transfer]));
    expect(await all(await world.signIn('ada', 'umbrella'), 200)).toEqual([]);
  });

  it('refuses a malformed limit and ignores a cursor that is not ours', async () => {
    const fay = await world.signIn('fay');
    expect((await world.app.inject({ url: '/v1/approvals?limit=0', headers: as(fay) })).json()).toMatchObject({ status: 400, code: 'invalid_query' });
    expect((await world.app.inject({ url: '/v1/approvals?cursor=%27--', headers: as(fay) })).statusCode).toBe(200);
  });
});

describe('signing in', () => {
  it('is a development login that says what it is', async () => {
    const response = await world.app.inject({ method: 'POST', url: '/v1/dev/login', payload: { person: 'fay', tenant: API_TENANT } });
    expect(response.json()).toMatchObject({ person: 'fay', name: 'Fay Okafor', notice: expect.stringContaining('Development login') as string });
    expect(response.headers['set-cookie']).toMatch(/HttpOnly.*SameSite=Strict/);
    const me = await world.app.inject({ url: '/v1/me', headers: as(response.json<{ token: string }>().token) });
    expect(me.json()).toMatchObject({ kind: 'person', id: 'fay', roles: ['finance_manager'] });
  });

  it('names no one who is in two directories without saying which, and nobody unknown', async () => {
    for (const person of ['fay', 'nobody'])
      expect((await world.app.inject({ method: 'POST', url: '/v1/dev/login', payload: { person } })).statusCode).toBe(404);
  });

  it('does not exist in production', async () => {
    const production = await openApi({ store, development: false });
    expect((await production.app.inject({ method: 'POST', url: '/v1/dev/login', payload: { person: 'fay', tenant: API_TENANT } })).statusCode).toBe(404);
    expect(
      (await production.app.inject({ method: 'POST', url: '/login', payload: 'person=fay', headers: { 'content-type': 'application/x-www-form-urlencoded' } }))
        .statusCode,
    ).toBe(404);
    expect((await production.app.inject({ url: '/openapi.json' })).json<{ paths: object }>().paths).not.toHaveProperty('/v1/dev/login');
    await production.close();
  });
});

describe('what the API says of itself', () => {
  it('is alive, and not ready without its engine', async () => {
    expect((await world.app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok' });
    expect((await world.app.inject({ url: '/readyz' })).json()).toMatchObject({
      status: 503,
      code: 'unavailable',
      detail: 'Not ready: the engine does not answer',
    });
  });

  it('publishes the keys of its tokens and none of its secrets', async () => {
    const { keys } = (await world.app.inject({ url: '/.well-known/jwks.json' })).json<{ keys: Record<string, unknown>[] }>();
    expect(keys).toHaveLength(1);
    expect(keys[0]).not.toHaveProperty('d');
  });

  it('describes itself as OpenAPI 3.1 with shared components', async () => {
    const document = (await world.app.inject({ url: '/openapi.json' })).json<{ openapi: string; components: { schemas: object } }>();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Problem', 'Approval', 'Move']));
  });

  it('limits how much one caller may ask', async () => {
    const limited = await openApi({ store, rateLimit: 2 });
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await limited.app.inject({ url: '/v1/me', headers: as(limited.keys.own) })).statusCode);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await limited.app.inject({ url: '/v1/me', headers: as(limited.keys.own) })).json()).toMatchObject({ code: 'rate_limited' });
    await limited.close();
  });
});
