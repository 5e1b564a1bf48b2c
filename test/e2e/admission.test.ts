/**
 * The API's two doors: those who ask hold all of theirs and none of the people's, and the reverse. Nothing here is a matter of time: who
 * holds a place does so until the test lets them go.
 */
import { randomUUID } from 'node:crypto';
import { Client as Postgres } from 'pg';
import type { Doors } from '../../client/api/admission';
import { AGENT } from '../support/desk';
import { API_TENANT, openApi, type ApiWorld } from '../support/api';
import { refund } from '../support/requests';
import { useStore } from '../support/store';

const DOORS: Doors = { requests: { places: 2, line: 1 }, moves: { places: 2, line: 1 } };
const LONG_MS = 90_000;

const worlds: ApiWorld[] = [];
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  for (const world of worlds) await world.close();
});
const store = useStore();

async function open(patience?: Parameters<typeof openApi>[0]['patience']): Promise<ApiWorld> {
  const world = await openApi({ store, doors: DOORS, ...(patience ? { patience } : {}) });
  worlds.push(world);
  return world;
}

const post = (world: ApiWorld, url: string, token: string, body: object, key: string = randomUUID()) =>
  world.app.inject({ method: 'POST', url, headers: { authorization: `Bearer ${token}`, 'idempotency-key': key }, payload: body });

const ask = (world: ApiWorld, key?: string) => post(world, '/v1/requests', world.keys.own, refund(48_000), key);

const decide = (world: ApiWorld, token: string, { approval_id: id, packet_digest }: { approval_id: string; packet_digest: string }) =>
  post(world, `/v1/approvals/${id}/moves`, token, { type: 'approve', reason: 'Receipt checked', packet_digest });

/** Holds what every submit under these keys needs, until it is ended. */
async function holdKeys(keys: readonly string[]): Promise<Postgres> {
  const client = new Postgres({ connectionString: store.adminUrl });
  await client.connect();
  for (const key of keys) await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [`${API_TENANT}\n${AGENT.agent}\n${key}`]);
  return client;
}

/** The first answer of several, and all of them. */
async function firstOf<T>(all: readonly Promise<T>[]): Promise<T> {
  return await Promise.race(all);
}

it('while requests hold every place of theirs and the line is full, the next one is turned away, and a decision goes through', async () => {
  const world = await open();
  const token = await world.signIn('fay');
  const before = (await ask(world)).json<{ approval_id: string; packet_digest: string }>();
  // Its place is free again when nothing opens it for a while: the engine is away.
  const keys = ['a', 'b', 'c', 'd'];
  const held = await holdKeys(keys);
  const asking = keys.map(async (key) => await ask(world, key));
  const refused = await firstOf(asking);
  expect(refused.statusCode).toBe(503);
  expect(refused.headers['retry-after']).toBe('5');
  expect(refused.json()).toMatchObject({ code: 'busy', type: '/problems/busy', status: 503, detail: expect.stringContaining('nothing was done') as string });
  const moved = await decide(world, token, before);
  // Stored: the engine that would answer it is away. What matters is that it came in.
  expect(moved.statusCode).toBe(202);
  await held.end();
  const statuses = (await Promise.all(asking)).map((answer) => answer.statusCode);
  expect(statuses.sort()).toEqual([201, 201, 201, 503]);
});

it('while moves hold every place of theirs and the line is full, the next one is turned away, and a request goes through', async () => {
  const world = await open({ engineMs: 100, tryMs: 200, waitMs: 2_000, moveMs: LONG_MS, openMs: LONG_MS });
  const token = await world.signIn('fay');
  const waiting = (await ask(world)).json<{ approval_id: string; packet_digest: string }>();
  // Each waits for its approval to open, which it never does.
  const deciding = [1, 2, 3, 4].map(async () => await decide(world, token, waiting));
  const refused = await firstOf(deciding);
  expect(refused.statusCode).toBe(503);
  expect(refused.json()).toMatchObject({ code: 'busy' });
  expect((await ask(world)).statusCode).toBe(201);
  await post(world, `/v1/requests/${waiting.approval_id}/withdraw`, world.keys.own, { reason: 'No longer needed' });
  const statuses = (await Promise.all(deciding)).map((answer) => answer.statusCode);
  expect(statuses.sort()).toEqual([409, 409, 409, 503]);
});

it('requests are recorded although nothing opens them: a place is not kept for what does not happen', async () => {
  const world = await open({ engineMs: 100, tryMs: 200, waitMs: 2_000, moveMs: 300, openMs: 1_000 });
  const statuses = [];
  for (let n = 0; n < 8; n += 1) statuses.push((await ask(world)).statusCode);
  expect(statuses).toEqual(Array.from({ length: 8 }, () => 201));
});
