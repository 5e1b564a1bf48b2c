/**
 * Which policy holds, in whichever process, and what happens when the store says something that cannot be.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { sql } from 'kysely';
import { createCore, type Core } from '../../activities/core';
import { databaseClock } from '../../domain/clock';
import type { AgentIdentity } from '../../domain/request';
import { compilePolicy, hashOf } from '../../policy';
import { ADMIN_APPROVAL } from '../../record/admin';
import { registerAgent } from '../../record/store/agents';
import { openDatabase, type Db } from '../../record/store/database';
import { readTimeline } from '../../record/store/entries';
import { activeHashes, publicationsOf, publish, publishPolicy, type PolicyContent } from '../../record/store/policies';
import { publish as publishDesk } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { startTcpProxy } from '../support/tcp-proxy';

// Before the store's own hook: what uses the store ends first.
const opened: Db[] = [];
afterAll(async () => {
  await Promise.all(opened.map((db) => db.destroy()));
});
const store = useStore();

/** A process of its own: its connections, and nothing compiled yet. */
function process(url = store.appUrl): { readonly db: Db; readonly core: Core } {
  const db = openDatabase(url, { name: 'test-process', max: 4 });
  opened.push(db);
  const core = createCore({
    db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
  return { db, core };
}

/** The desk's policy with another limit for refunds. */
function limitOf(dollars: number): PolicyContent {
  const text = DESK_POLICY.replaceAll('usd(250)', `usd(${String(dollars)})`)
    .replaceAll('minor: 25001', `minor: ${String(dollars * 100 + 1)}`)
    .replaceAll('minor: 25000', `minor: ${String(dollars * 100)}`);
  const files = [{ path: 'policy.yaml', text }];
  const { policy } = compilePolicy(files);
  if (!policy) throw new Error('The desk policy with another limit does not compile');
  return { hash: policy.hash, name: policy.name, version: policy.version, files };
}

const by = (tenant: string, expect?: string | null) => ({ tenant, by: 'omar', record: store.keys.record, ...(expect === undefined ? {} : { expect }) });

async function newTenant(): Promise<AgentIdentity> {
  const agent = { tenant: `t-${randomUUID().slice(0, 8)}`, agent: 'refund-bot', owner: null };
  await publishDesk(store, DESK_POLICY, DESK_DIRECTORY, agent.tenant);
  await registerAgent(store.db, { ...agent, callbackHosts: [], callbackSecrets: [] });
  return agent;
}

const ask = (core: Core, agent: AgentIdentity, minor = 30_000) => core.submit(agent, randomUUID(), refund(minor));
const requestsOf = async (tenant: string): Promise<number> =>
  (await store.db.selectFrom('requests').select('approval_id').where('tenant', '=', tenant).execute()).length;

/** As somebody with the keys of the database could: the triggers do not see it. */
const behindTheTriggers = (statement: ReturnType<typeof sql>): Promise<void> =>
  store.adminDb.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    await statement.execute(trx);
  });

describe('a publication while requests come in', () => {
  it('holds from its entry on in every process: no later request is routed by an older policy, and no earlier one by it', async () => {
    const agent = await newTenant();
    const { tenant } = agent;
    const processes = [process(), process()];
    const versions = [100, 200, 400].map(limitOf);
    let publishing = true;
    const asking = processes.flatMap(({ core }) =>
      Array.from({ length: 3 }, async () => {
        do await ask(core, agent);
        while (publishing);
      }),
    );
    for (let i = 0; i < 24; i += 1) await publishPolicy(processes[i % 2]?.db ?? store.db, versions[i % 3] ?? limitOf(100), by(tenant));
    publishing = false;
    await Promise.all(asking);

    const entries = await store.db
      .selectFrom('entries')
      .select(['id', 'at', 'type', sql<string>`coalesce(fields #>> '{hash,value}', fields #>> '{policy,value,hash}')`.as('hash')])
      .where('tenant', '=', tenant)
      .where('type', 'in', ['policy_published', 'routed'])
      .orderBy('id')
      .execute();
    let holds = '';
    let since = '';
    let wrong = 0;
    for (const { type, hash, at } of entries) {
      if (type === 'policy_published') [holds, since] = [hash, at];
      // Routed by what was published last before it, and not earlier than that began to hold.
      else if (hash !== holds || at < since) wrong += 1;
    }
    const used = new Set(entries.filter((e) => e.type === 'routed').map((e) => e.hash));
    expect(wrong).toBe(0);
    expect(used.size).toBeGreaterThan(1);
    expect(entries.filter((e) => e.type === 'policy_published')).toHaveLength(25);
    // What the history counts are the same requests, each once.
    const { publications, unknown } = await publicationsOf(store.db, tenant);
    expect([publications.reduce((sum, p) => sum + p.requests, 0), unknown]).toEqual([await requestsOf(tenant), 0]);
  });

  it('waits for a request in the middle of routing, and gives up with a sentence when that takes too long', async () => {
    const agent = await newTenant();
    const { core } = process();
    await ask(core, agent);
    await store.db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock_shared(hashtextextended(${`policy\n${agent.tenant}`}, 0))`.execute(trx);
      await expect(publishPolicy(store.adminDb, limitOf(100), by(agent.tenant))).rejects.toMatchObject({ code: 'store_busy' });
    });
    expect((await publicationsOf(store.db, agent.tenant)).publications).toHaveLength(1);
    expect((await publishPolicy(store.db, limitOf(100), by(agent.tenant))).seq).not.toBeNull();
  });
});

describe('publishing over what one looked at', () => {
  it('is refused when somebody else published meanwhile, with who and what; nothing is stored', async () => {
    const { tenant } = await newTenant();
    const [seen, theirs, mine] = [limitOf(250), limitOf(300), limitOf(350)];
    await publishPolicy(store.db, theirs, { ...by(tenant, seen.hash), by: 'maria' });
    const late = publish(store.db, { policy: mine, directory: { hash: 'd', text: 'people: {}' } }, by(tenant, seen.hash.slice(0, 12)));
    await expect(late).rejects.toMatchObject({
      code: 'policy_moved',
      message: expect.stringContaining(`(${theirs.hash.slice(0, 12)}), which maria published`) as string,
    });
    await expect(publishPolicy(store.db, mine, by(tenant, null))).rejects.toMatchObject({ code: 'policy_moved' });
    expect((await activeHashes(store.db, tenant)).policy).toBe(theirs.hash);
    expect(await store.db.selectFrom('policies').select('hash').where('tenant', '=', tenant).where('hash', '=', mine.hash).execute()).toEqual([]);
    expect((await readTimeline(store.db, tenant, ADMIN_APPROVAL)).filter((e) => e.type === 'directory_published')).toHaveLength(1);
  });

  it('of several at once exactly one wins; one that is sent again has won already', async () => {
    const { tenant } = await newTenant();
    const seen = limitOf(250).hash;
    const tries = await Promise.allSettled([300, 310, 320, 330].map((limit) => publishPolicy(store.db, limitOf(limit), by(tenant, seen))));
    expect(tries.filter((t) => t.status === 'fulfilled')).toHaveLength(1);
    const { policy } = await activeHashes(store.db, tenant);
    const winner = [300, 310, 320, 330].map(limitOf).find((p) => p.hash === policy);
    expect(await publishPolicy(store.db, winner ?? limitOf(0), by(tenant, seen))).toMatchObject({ seq: null });
  });

  it('where there is none yet, expects none', async () => {
    const tenant = `t-${randomUUID().slice(0, 8)}`;
    expect(await publishPolicy(store.db, limitOf(250), by(tenant, null))).toMatchObject({ seq: 1, replaces: null });
  });
});

describe('a policy store that is broken, altered or away allows nothing', () => {
  const refused = async (core: Core, agent: AgentIdentity): Promise<unknown> => {
    const before = await requestsOf(agent.tenant);
    // An amount that every version but a broken one allows at once.
    const error = await ask(core, agent, 1).then(
      (answer) => new Error(`it was taken: ${answer.state}`),
      (e: unknown) => e,
    );
    expect(await requestsOf(agent.tenant)).toBe(before);
    return error;
  };

  it('one that does not compile: policy_broken, and the one before does not come back', async () => {
    const agent = await newTenant();
    const running = process();
    expect((await ask(running.core, agent, 1)).state).toBe('allowed');
    const files = [{ path: 'policy.yaml', text: 'rows: [' }];
    const hash = hashOf(files);
    await publishPolicy(store.db, { hash, name: 'desk', version: '2', files }, by(agent.tenant));
    for (const { core } of [running, process()])
      expect(await refused(core, agent)).toMatchObject({ code: 'policy_broken', message: expect.stringContaining('does not compile') as string });
    expect(await process().core.active.unroutable(store.db)).toContainEqual({
      tenant: agent.tenant,
      why: expect.stringContaining(hash.slice(0, 12)) as string,
    });
  });

  it('one whose text was altered in the store: a process that starts refuses it, says so when it starts, and for the requests pinned to it', async () => {
    const agent = await newTenant();
    const running = process();
    const { plan } = await ask(running.core, agent);
    const loose = JSON.stringify(limitOf(250_000).files);
    await behindTheTriggers(sql`update policies set files = ${loose}::jsonb where tenant = ${agent.tenant}`);
    const { core, db } = process();
    expect(await refused(core, agent)).toMatchObject({ code: 'policy_broken', message: expect.stringContaining('was altered') as string });
    await expect(core.active.versionOf(db, agent.tenant, plan.policy.hash)).rejects.toMatchObject({ code: 'policy_broken' });
    expect(await core.active.unroutable(db)).toContainEqual({ tenant: agent.tenant, why: expect.stringContaining('was altered') as string });
    // One that had read the right text goes on with that, which is what the hash names.
    expect((await ask(running.core, agent)).plan).toMatchObject({ policy: plan.policy, effect: 'approval' });
  });

  it('one that is gone from the store, and a version that was never there', async () => {
    const agent = await newTenant();
    await behindTheTriggers(sql`delete from policies where tenant = ${agent.tenant}`);
    const { core, db } = process();
    expect(await refused(core, agent)).toMatchObject({ code: 'policy_broken', message: expect.stringContaining('is not in the store') as string });
    await expect(core.active.versionOf(db, agent.tenant, 'f'.repeat(64))).rejects.toMatchObject({ code: 'policy_broken' });
  });

  it('a pointer that was moved back to an older one by hand, until somebody publishes', async () => {
    const agent = await newTenant();
    const running = process();
    await ask(running.core, agent, 1);
    await publishPolicy(store.db, limitOf(100), by(agent.tenant));
    await sql`update active set policy_hash = ${limitOf(250).hash} where tenant = ${agent.tenant}`.execute(store.adminDb);
    for (const { core } of [running, process()])
      expect(await refused(core, agent)).toMatchObject({ code: 'policy_broken', message: expect.stringContaining('find out who moved it') as string });
    expect(await process().core.active.unroutable(store.db)).toContainEqual({
      tenant: agent.tenant,
      why: expect.stringContaining('was published last') as string,
    });
    // Also by publishing the very one that it was moved to: then it is on the record.
    expect(await publishPolicy(store.db, limitOf(250), by(agent.tenant))).toMatchObject({ seq: expect.any(Number) as number });
    expect((await ask(running.core, agent, 1)).plan.policy.hash).toBe(limitOf(250).hash);
  });

  it('a store that does not answer: nothing is taken, whatever the process knows by heart, and it goes on when the store is back', async () => {
    const agent = await newTenant();
    const url = new URL(store.appUrl);
    const proxy = await startTcpProxy(url.host);
    try {
      url.host = proxy.address;
      const { core, db } = process(url.href);
      expect((await ask(core, agent, 1)).state).toBe('allowed');
      proxy.cut();
      expect(await refused(core, agent)).not.toMatchObject({ message: expect.stringContaining('it was taken') as string });
      await expect(core.active.unroutable(db)).rejects.toThrow();
      proxy.mend();
      expect((await ask(core, agent, 1)).state).toBe('allowed');
    } finally {
      await proxy.stop();
    }
  });
});
