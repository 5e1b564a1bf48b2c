/**
 * Facts of others and relative owners over HTTP, with a real engine, worker and provider: a provider that is slow keeps nobody else out,
 * one that is needed and down is worth asking again, and the owner of what a request is about is asked, sees it and decides.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { createEgress } from '../../activities/egress';
import { createProviders } from '../../activities/providers';
import { PATIENCE } from '../../client/api/deps';
import { createCountersign } from '../../client/sdk';
import { publish } from '../support/desk';
import { API_TENANT, openApi, type ApiWorld } from '../support/api';
import { engineAddress, workflowBundle } from '../support/engine';
import { FACTS_DIRECTORY, FACTS_POLICY } from '../support/facts-policy';
import { until } from '../support/program';
import { PROVIDER_SECRET, startProvider, type Provider } from '../support/provider';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';
import { openWorld, type World } from '../support/world';

let world: World;
let api: ApiWorld;
let crm: Provider;
let url: string;
const egress = createEgress({ allowLoopback: true });
afterAll(async () => {
  await api.close();
  await world.close();
  await crm.stop();
  await egress.close();
});
const store = useStore();
beforeAll(async () => {
  crm = await startProvider();
  world = await openWorld({ store, address: engineAddress(), bundle: workflowBundle() });
  const where = { url: crm.url, secrets: [PROVIDER_SECRET], tenants: [API_TENANT] };
  api = await openApi({
    store,
    client: world.client,
    taskQueue: world.taskQueue,
    patience: PATIENCE,
    doors: { requests: { places: 1, line: 10 }, moves: { places: 16, line: 16 } },
    providers: createProviders({ settings: { crm: where, ops: where }, egress, log: pino({ level: 'silent' }) }),
  });
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  await publish(store, FACTS_POLICY, FACTS_DIRECTORY, API_TENANT);
});
beforeEach(() => {
  crm.answers({ body: ({ facts }) => (facts.length > 0 ? { facts: { customer_tier: 'vip' } } : { system: { queue_depth: 3 } }) });
});

const credit = (account: string) => actionOf('credit.grant', { account, amount: { minor: 5_000, currency: 'USD' } });

async function call(path: string, token: string, body?: object): Promise<{ status: number; retryAfter: string | null; body: Record<string, unknown> }> {
  const response = await fetch(`${url}${path}`, {
    method: body ? 'POST' : 'GET',
    ...(body ? { body: JSON.stringify(body) } : {}),
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json', 'idempotency-key': randomUUID() } : {}) },
  });
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body: (await response.json()) as Record<string, unknown> };
}

it('the owner of the account is asked, sees it and says yes; the owner of another one finds nothing', async () => {
  const agent = createCountersign({ url, key: api.keys.own });
  const { approvalId, packetDigest, plan } = await agent.submit(credit('acme-42'), { idempotencyKey: randomUUID() });
  expect(plan).toMatchObject({ relative: { account_lead: { of: 'acme-42' } }, provided: { 'facts.customer_tier': { value: 'vip', provider: 'crm' } } });
  const as = async (person: string): Promise<string> => await api.signIn(person);
  const yes = { type: 'approve', packet_digest: packetDigest, reason: 'A good customer' };
  expect((await call(`/v1/requests/${approvalId}`, await as('uma'))).status).toBe(404);
  expect(await call(`/v1/approvals/${approvalId}/moves`, await as('uma'), yes)).toMatchObject({ status: 404 });
  expect((await call(`/v1/requests/${approvalId}/packet`, await as('tom'))).body).toMatchObject({
    packet: { provided: { 'facts.customer_tier': { value: 'vip' } }, unavailable: { 'facts.annual_spend': 'crm does not know it' } },
  });
  expect(await call(`/v1/approvals/${approvalId}/moves`, await as('tom'), yes)).toMatchObject({ status: 200, body: { state: 'approved' } });
  expect(await agent.wait(approvalId)).toMatchObject({ outcome: 'approved', deciders: [{ person: 'tom', role: 'account_lead' }] });
});

it('a request that waits for a provider takes no place at the door: one of another tenant goes through the only one', async () => {
  const held = crm.hold();
  const slow = call('/v1/requests', api.keys.own, credit('acme-42'));
  await until(() => held.waiting() === 2);
  expect((await call('/v1/requests', api.keys.foreign, refund(48_000))).status).toBe(201);
  held.release();
  expect((await slow).status).toBe(201);
});

it('a fact that is needed and not to be had is a problem that says which, and when to come again', async () => {
  crm.answers({ text: '{}', status: 503 });
  expect(await call('/v1/requests', api.keys.own, credit('acme-42'))).toMatchObject({
    status: 503,
    retryAfter: '5',
    body: { code: 'fact_unavailable', issues: [{ path: 'facts.customer_tier', message: expect.stringMatching(/crm answered with status 503/) as string }] },
  });
});
