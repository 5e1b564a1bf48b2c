/**
 * Submit where the policy reads facts of others: real providers that verify the signature, over the guarded way out, and a real store.
 * What is not known is strict, says so, and is on the record; what is needed and not to be had refuses; nothing is held meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pino from 'pino';
import { createCore, type Core } from '../../activities/core';
import { createEgress, type Egress } from '../../activities/egress';
import { createProviders, type ProviderSettings } from '../../activities/providers';
import type { SubmitAnswer } from '../../activities/submit';
import { databaseClock } from '../../domain/clock';
import type { RequestDraft } from '../../domain/request';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { AGENT, publish, TENANT } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { FACTS_DIRECTORY, FACTS_POLICY } from '../support/facts-policy';
import { until } from '../support/program';
import { PROVIDER_SECRET, startProvider, type Provider } from '../support/provider';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const store = useStore();
const log = pino({ level: 'silent' });
let egress: Egress;
let crm: Provider;
let ops: Provider;
let core: Core;

const whereOf = ({ url }: Provider, more: Partial<ProviderSettings> = {}): ProviderSettings => ({ url, secrets: [PROVIDER_SECRET], tenants: null, ...more });

const coreWith = (settings: Record<string, ProviderSettings>, room?: { readonly places: number; readonly standing: number }): Core =>
  createCore(
    { db: store.db, clock: databaseClock, keys: store.keys, log, publicUrl: 'http://localhost:8700', development: true, allowLoopback: true },
    createProviders({ settings, egress, log, ...(room ? { room } : {}) }),
  );

const credit = (more: Partial<RequestDraft> = {}): RequestDraft =>
  actionOf('credit.grant', { account: 'acme-42', amount: { minor: 5_000, currency: 'USD' } }, { customer: { id: 'c-7' }, ...more });
const submit = (request: RequestDraft, using: Core = core, key: string = randomUUID()): Promise<SubmitAnswer> => using.submit(AGENT, key, request);
const requests = async (): Promise<number> => Number((await sql<{ n: string }>`select count(*) as n from requests`.execute(store.adminDb)).rows[0]?.n);

/** With a second for the one that hangs. */
const HURRIED = FACTS_POLICY.replace('error rates, within: 10s', 'error rates, within: 1s');
const KNOWN = { body: () => ({ facts: { customer_tier: 'vip', annual_spend: { minor: 100, currency: 'USD' } } }) };

beforeAll(async () => {
  egress = createEgress({ allowLoopback: true });
  await publish(store, FACTS_POLICY, FACTS_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
});
afterAll(() => egress.close());
beforeEach(async () => {
  [crm, ops] = await Promise.all([startProvider(), startProvider()]);
  crm.answers(KNOWN);
  ops.answers({ body: () => ({ system: { queue_depth: 7 } }) });
  core = coreWith({ crm: whereOf(crm), ops: whereOf(ops) });
});
afterEach(() => Promise.all([crm.stop(), ops.stop()]));

describe('what providers say', () => {
  it('routes the request, and is in the plan, the packet and the record, with who said it and when', async () => {
    const { approvalId, plan } = await submit(credit());
    expect(plan.rows.map((row) => row.id)).toEqual(['vip_credit']);
    expect(plan.provided).toEqual({
      'facts.customer_tier': { value: 'vip', provider: 'crm', at: expect.stringMatching(/^20\d\d-/) as string },
      'facts.annual_spend': { value: { minor: 100, currency: 'USD' }, provider: 'crm', at: expect.any(String) as string },
      'system.queue_depth': { value: 7, provider: 'ops', at: expect.any(String) as string },
    });
    expect(plan).not.toHaveProperty('unavailable');
    const [row] = (await sql<{ packet: unknown }>`select packet from requests where approval_id = ${approvalId}`.execute(store.adminDb)).rows;
    expect(row?.packet).toMatchObject({ provided: plan.provided });
    const [, routed] = (await readEvents(store.db, TENANT, approvalId)).map(({ event }) => event);
    expect(routed).toMatchObject({ type: 'routed', provided: plan.provided, relative: { account_lead: { of: 'acme-42', backup: 'support_lead' } } });
  });

  it('is asked once each, at the same time, for no more than the policy declares of them', async () => {
    const [one, other] = [crm.hold(), ops.hold()];
    const answer = submit(credit({ facts: {}, on_behalf_of: 'rita' }));
    await until(() => one.waiting() === 1 && other.waiting() === 1);
    one.release();
    other.release();
    await answer;
    expect([crm.asked.length, ops.asked.length]).toEqual([1, 1]);
    expect(crm.asked[0]).toMatchObject({
      tenant: TENANT,
      provider: 'crm',
      facts: ['customer_tier', 'annual_spend'],
      system: [],
      agent: AGENT.agent,
      on_behalf_of: 'rita',
      customer: 'c-7',
      action: { type: 'credit.grant', system: 'desk', params: { account: 'acme-42' } },
    });
    expect(ops.asked[0]).toMatchObject({ facts: [], system: ['queue_depth'] });
  });

  it('is not asked for again by a repeated key, nor by a request that is refused anyway', async () => {
    const key = randomUUID();
    const first = await submit(credit(), core, key);
    expect(await submit(credit(), core, key)).toMatchObject({ approvalId: first.approvalId, replayed: true });
    await expect(submit(credit({ facts: { customer_tier: 'vip' } }))).rejects.toMatchObject({ code: 'forbidden_fact' });
    await expect(submit(actionOf('no.such_action'))).rejects.toMatchObject({ code: 'unknown_action' });
    expect(crm.asked).toHaveLength(1);
  });

  it('counts for the policy that holds when it is routed: another one published meanwhile asks anew', async () => {
    const held = crm.hold();
    const answer = submit(credit());
    await until(() => held.waiting() === 1);
    await publish(store, FACTS_POLICY.replace("version: '1'", "version: '2'"), FACTS_DIRECTORY);
    held.release();
    expect((await answer).plan.policy.version).toBe('2');
    expect(crm.asked).toHaveLength(2);
    await publish(store, FACTS_POLICY, FACTS_DIRECTORY);
  });
});

describe('what they do not say', () => {
  /** Of the provider that the row of a restart reads, which no action requires. */
  const restart = (): RequestDraft => actionOf('service.restart');

  it.each([
    ['hangs', 'hang', /did not answer within 1 s/],
    ['breaks off', 'cut', /could not be reached|cannot be read as JSON/],
    ['is broken', { text: 'oh no', status: 500 }, /answered with status 500/],
    ['redirects', { text: '', status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /could not be reached \(redirect_refused\)/],
    ['answers no JSON', { text: '<html>' }, /cannot be read as JSON/],
    ['answers a key twice', { text: '{"system": {"queue_depth": 1}, "system": {"queue_depth": 999}}' }, /cannot be read as JSON/],
    ['answers something else', { text: '{"queue_depth": 1}' }, /answered with something that is not/],
    ['does not know it', { text: '{"system": {}}' }, /ops does not know it/],
    ['says that it does not know', { text: '{"system": {"queue_depth": null}}' }, /ops does not know it/],
    ['gives another type', { text: '{"system": {"queue_depth": "7"}}' }, /another type; it has to be int/],
    ['gives a fraction of a whole number', { text: '{"system": {"queue_depth": 7.5}}' }, /another type/],
    ['answers more than is read', { text: `{"system": {"queue_depth": 1, "filler": "${'x'.repeat(70_000)}"}}` }, /cannot be read as JSON/],
  ] as const)('counts in the strict direction where it %s, and the plan says why', async (_what, answers, why) => {
    ops.answers(answers);
    const isSilent = answers === 'hang';
    if (isSilent) await publish(store, HURRIED, FACTS_DIRECTORY);
    const { plan } = await submit(restart());
    if (isSilent) await publish(store, FACTS_POLICY, FACTS_DIRECTORY);
    expect(plan).toMatchObject({
      effect: 'approval',
      rows: [{ id: 'busy_queue', unevaluated: true }],
      unavailable: { 'system.queue_depth': expect.stringMatching(why) as string },
    });
    expect(plan.provided).not.toHaveProperty('system.queue_depth');
    // The same with an answer allows it.
    ops.answers({ body: () => ({ system: { queue_depth: 100 } }) });
    expect((await submit(restart())).plan).toMatchObject({ effect: 'allow', rows: [{ id: 'default' }] });
  });

  it('is the same where nobody listens, where it is not known here, and where it is not for this tenant', async () => {
    await ops.stop();
    expect((await submit(restart())).plan.unavailable?.['system.queue_depth']).toMatch(/could not be reached \(connection_failed\)/);
    for (const elsewhere of [coreWith({ crm: whereOf(crm) }), coreWith({ crm: whereOf(crm), ops: whereOf(ops, { tenants: ['umbrella'] }) })])
      expect((await submit(restart(), elsewhere)).plan).toMatchObject({
        effect: 'approval',
        unavailable: { 'system.queue_depth': expect.stringMatching(/knows no address of it \(COUNTERSIGN_PROVIDERS\)/) as string },
      });
    ops = await startProvider();
  });

  it('is what a provider says that does not know us, and no call leaves to an address inside', async () => {
    const strangers = coreWith({ crm: whereOf(crm), ops: whereOf(ops, { secrets: ['whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0LTMyLWJ5dGVzLWxvbmc='] }) });
    expect((await submit(restart(), strangers)).plan.unavailable?.['system.queue_depth']).toMatch(/status 401/);
    expect(ops.asked).toHaveLength(0);
    const inside = coreWith({ crm: whereOf(crm), ops: whereOf(ops, { url: 'https://169.254.169.254/latest' }) });
    expect((await submit(restart(), inside)).plan.unavailable?.['system.queue_depth']).toMatch(/address_refused/);
  });

  it('refuses what needs it, worth asking again, and leaves nothing behind', async () => {
    crm.answers({ text: '{"facts": {"customer_tier": "platinum"}}' });
    const before = await requests();
    const key = randomUUID();
    await expect(submit(credit(), core, key)).rejects.toMatchObject({
      code: 'fact_unavailable',
      message: expect.stringMatching(/credit\.grant needs the fact customer_tier, which the provider crm has to give: .*another type/) as string,
      issues: [{ code: 'fact_unavailable', path: 'facts.customer_tier' }],
    });
    expect(await requests()).toBe(before);
    crm.answers(KNOWN);
    expect(await submit(credit(), core, key)).toMatchObject({ replayed: false, plan: { rows: [{ id: 'vip_credit' }] } });
  });

  it('is nothing that one provider says in the place of another', async () => {
    crm.answers({ body: () => ({ facts: { customer_tier: 'standard', annual_spend: { minor: 1, currency: 'USD' } }, system: { queue_depth: 0 } }) });
    ops.answers({ text: '{}' });
    expect((await submit(restart())).plan).toMatchObject({ effect: 'approval', rows: [{ id: 'busy_queue', unevaluated: true }] });
  });
});

describe('a provider that is slow', () => {
  it('holds no transaction and no lock, and requests of others go past it', async () => {
    const held = crm.hold();
    const slow = submit(credit());
    await until(() => held.waiting() === 1);
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity where application_name = 'test-app' and state <> 'idle'`.execute(
      store.adminDb,
    );
    expect(rows[0]?.n).toBe(0);
    const { rows: locks } = await sql<{ n: number }>`select count(*)::int as n from pg_locks where locktype = 'advisory'`.execute(store.adminDb);
    expect(locks[0]?.n).toBe(0);
    // A policy is published, and the agent of another tenant asks, while this one waits.
    await publish(store, DESK_POLICY, DESK_DIRECTORY, 'umbrella');
    const other = { tenant: 'umbrella', agent: 'other-bot', owner: null };
    await registerAgent(store.db, { ...other, callbackHosts: [], callbackSecrets: [] });
    expect((await core.submit(other, randomUUID(), refund(48_000))).plan.effect).toBe('approval');
    held.release();
    expect((await slow).plan.effect).toBe('approval');
  });

  it('is waited for by no more than fit, and those beyond get their plan at once', async () => {
    const small = coreWith({ crm: whereOf(crm), ops: whereOf(ops) }, { places: 1, standing: 0 });
    const held = ops.hold();
    const first = submit(actionOf('service.restart'), small);
    await until(() => held.waiting() === 1);
    const beyond = await submit(actionOf('service.restart'), small);
    expect(beyond.plan.unavailable?.['system.queue_depth']).toMatch(/enough requests wait for it already/);
    expect(held.waiting()).toBe(1);
    held.release();
    expect((await first).plan.provided?.['system.queue_depth']?.value).toBe(7);
  });
});
