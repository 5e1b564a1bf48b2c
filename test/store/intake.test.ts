/**
 * The kill switch over a real store: what is paused is not taken, by whom and why is on the tenant's own record, and what was open before
 * runs on or is withdrawn, as was said.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pino from 'pino';
import { createCore, type Core } from '../../activities/core';
import { intakeOf, pauseIntake, resumeIntake, withdrawCovered, type IntakeDeps } from '../../activities/intake';
import { databaseClock } from '../../domain/clock';
import type { AgentIdentity, RequestDraft } from '../../domain/request';
import { ADMIN_APPROVAL } from '../../record/admin';
import { registerAgent } from '../../record/store/agents';
import { openDatabase, type Db } from '../../record/store/database';
import { readEvents, readTimeline } from '../../record/store/entries';
import { verifyStore } from '../../record/store/export';
import { publish } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

// Before the store's own hook: what uses the store ends first.
const opened: Db[] = [];
afterAll(async () => {
  await Promise.all(opened.map((db) => db.destroy()));
});
const store = useStore();

function coreOf(db: Db): Core {
  return createCore({
    db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
}

interface Desk {
  readonly tenant: string;
  readonly core: Core;
  readonly deps: IntakeDeps;
  readonly agents: readonly [AgentIdentity, AgentIdentity];
  ask(request: RequestDraft, agent?: AgentIdentity, key?: string): ReturnType<Core['submit']>;
}

/** A tenant of its own, with two agents. */
async function desk(): Promise<Desk> {
  const tenant = `t-${randomUUID().slice(0, 8)}`;
  await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
  const agents = ['refund-bot', 'other-bot'].map((agent): AgentIdentity => ({ tenant, agent, owner: null }));
  for (const agent of agents) await registerAgent(store.db, { ...agent, callbackHosts: [], callbackSecrets: [] });
  const core = coreOf(store.db);
  const [first, second] = agents;
  if (!first || !second) throw new Error('There are two agents');
  return {
    tenant,
    core,
    deps: { ...core.deps, active: core.active, commit: core.commit },
    agents: [first, second],
    ask: (request, agent = first, key = randomUUID()) => core.submit(agent, key, request),
  };
}

const admin = async (tenant: string) =>
  (await readTimeline(store.db, tenant, ADMIN_APPROVAL))
    .filter(({ type }) => type.startsWith('intake_'))
    .map(({ type, fields }) => [type, fields['scope'], fields['name'], fields['by']]);
const endOf = async (tenant: string, approvalId: string) =>
  (await readEvents(store.db, tenant, approvalId)).map(({ event }) => event).find(({ type }) => type === 'ended');
const PAUSED = { code: 'intake_paused' };
const transfer = () => actionOf('talk.transfer');

describe('a pause', () => {
  it('of an agent: its requests are refused with who paused and why; others are taken, and so is what was taken before', async () => {
    const { tenant, deps, agents, ask } = await desk();
    const key = randomUUID();
    const before = await ask(refund(48_000), agents[0], key);
    const said = { tenant, scope: 'agent', name: 'refund-bot', by: 'omar', reason: 'It refunds twice' } as const;
    const { seq } = await pauseIntake(deps, { ...said, open: 'run' });
    await expect(ask(refund(48_000))).rejects.toMatchObject({
      ...PAUSED,
      message: expect.stringMatching(/^Intake of the agent refund-bot was paused by omar at .*: It refunds twice; nothing was recorded/) as string,
    });
    // What the policy would allow at once is not taken either.
    await expect(ask(refund(100))).rejects.toMatchObject(PAUSED);
    await expect(ask(refund(48_000), agents[1])).resolves.toMatchObject({ replayed: false });
    await expect(ask(refund(48_000), agents[0], key)).resolves.toMatchObject({ approvalId: before.approvalId, replayed: true });
    expect(await intakeOf(store.db, tenant)).toMatchObject([{ ...({ scope: 'agent', name: 'refund-bot', open: 'run', by: 'omar', seq } as const) }]);
    // Said again in the same words, it is the same pause.
    expect(await pauseIntake(deps, { ...said, open: 'run' })).toEqual({ seq, open: 'run', withdrawn: 0 });
    expect(await resumeIntake(deps, { ...said, by: 'maria', reason: 'Mended' })).toEqual({ seq: seq + 1 });
    await expect(ask(refund(48_000))).resolves.toMatchObject({ replayed: false });
    expect(await resumeIntake(deps, { ...said, reason: 'Again' })).toEqual({ seq: null });
    expect(await admin(tenant)).toEqual([
      ['intake_paused', 'agent', 'refund-bot', 'omar'],
      ['intake_resumed', 'agent', 'refund-bot', 'maria'],
    ]);
    expect(await verifyStore(store.db, store.keys.trusted, tenant)).toMatchObject({ ok: true });
    // Its clock runs on.
    expect(await endOf(tenant, before.approvalId)).toBeUndefined();
  });

  it('of a lane: what that lane would judge is refused, also where it is one of several', async () => {
    const { tenant, deps, ask } = await desk();
    const gift = actionOf('gift.send', { amount: { minor: 100, currency: 'USD' }, recipients: ['a'] });
    await pauseIntake(deps, { tenant, scope: 'lane', name: 'customer', by: 'omar', reason: 'Training day', open: 'run' });
    await expect(ask(transfer())).rejects.toMatchObject({ ...PAUSED, message: expect.stringContaining('the lane customer') as string });
    await expect(ask(gift)).rejects.toMatchObject(PAUSED);
    await expect(ask(refund(48_000))).resolves.toMatchObject({ state: 'routing' });
  });

  it('of the whole tenant: nothing is taken there, and everything elsewhere', async () => {
    const [here, there] = [await desk(), await desk()];
    await pauseIntake(here.deps, { tenant: here.tenant, scope: 'tenant', name: '', by: 'omar', reason: 'Incident', open: 'run' });
    for (const agent of here.agents) await expect(here.ask(refund(100), agent)).rejects.toMatchObject(PAUSED);
    await expect(there.ask(refund(100))).resolves.toMatchObject({ state: 'allowed' });
  });

  it('of nobody known, or without a reason, is refused and leaves no entry', async () => {
    const { tenant, deps } = await desk();
    const said = { tenant, by: 'omar', reason: 'x', open: 'run' } as const;
    await expect(pauseIntake(deps, { ...said, scope: 'agent', name: 'refund-bto' })).rejects.toMatchObject({ code: 'unknown_scope' });
    await expect(pauseIntake(deps, { ...said, scope: 'lane', name: 'fiance' })).rejects.toMatchObject({
      code: 'unknown_scope',
      message: expect.stringMatching(/has no lane fiance; its lanes are customer, .*finance, .*security$/) as string,
    });
    await expect(pauseIntake(deps, { ...said, scope: 'tenant', name: 'acme' })).rejects.toMatchObject({ code: 'unknown_scope' });
    await expect(pauseIntake(deps, { ...said, scope: 'tenant', name: '', reason: ' ' })).rejects.toMatchObject({ code: 'reason_required' });
    await expect(resumeIntake(deps, { ...said, scope: 'tenant', name: '', reason: '' })).rejects.toMatchObject({ code: 'reason_required' });
    expect(await admin(tenant)).toEqual([]);
  });
});

describe('a pause while requests come in', () => {
  it('lets none slip in once it is answered, in whichever process', async () => {
    const { tenant, deps, agents } = await desk();
    const processes = [0, 1].map(() => {
      const db = openDatabase(store.appUrl, { name: 'test-process', max: 4 });
      opened.push(db);
      return coreOf(db);
    });
    let asking = true;
    let refused = 0;
    const loops = processes.flatMap((core) =>
      [0, 1].map(async () => {
        while (asking)
          await core.submit(agents[0], randomUUID(), refund(100)).catch((error: unknown) => {
            expect(error).toMatchObject(PAUSED);
            refused += 1;
          });
      }),
    );
    const taken = async () => (await store.db.selectFrom('requests').select('approval_id').where('tenant', '=', tenant).execute()).length;
    const more = async (than: number, what: () => Promise<number> | number) => {
      while ((await what()) <= than) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    for (let i = 0; i < 5; i += 1) {
      await more(await taken(), taken);
      await pauseIntake(deps, { tenant, scope: 'agent', name: 'refund-bot', by: 'omar', reason: `round ${String(i)}`, open: 'run' });
      const atPause = await taken();
      // Some were refused after it was answered, and none was taken.
      await more(refused, () => refused);
      expect(await taken()).toBe(atPause);
      await resumeIntake(deps, { tenant, scope: 'agent', name: 'refund-bot', by: 'omar', reason: 'on' });
    }
    asking = false;
    await Promise.all(loops);
    const entries = await store.db
      .selectFrom('entries')
      .select('type')
      .where('tenant', '=', tenant)
      .where('type', 'in', ['requested', 'intake_paused', 'intake_resumed'])
      .orderBy('id')
      .execute();
    let paused = false;
    const slipped = entries.filter(({ type }) => {
      paused = type === 'intake_paused' || (paused && type !== 'intake_resumed');
      return paused && type === 'requested';
    });
    expect(slipped).toEqual([]);
    expect(entries.filter(({ type }) => type === 'intake_paused')).toHaveLength(5);
  });

  it('waits for a request in the middle of routing, and gives up with a sentence when that takes too long', async () => {
    const { tenant, deps } = await desk();
    await store.db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock_shared(hashtextextended(${`policy\n${tenant}`}, 0))`.execute(trx);
      await expect(pauseIntake(deps, { tenant, scope: 'tenant', name: '', by: 'omar', reason: 'x', open: 'run' })).rejects.toMatchObject({
        code: 'store_busy',
        message: expect.stringMatching(/^Intake stands as it did: /) as string,
      });
    });
    expect(await admin(tenant)).toEqual([]);
  });
});

describe('what is open when intake is paused', () => {
  it('is withdrawn where that was said: those of the scope, each on its own record, and nothing that comes later', async () => {
    const { tenant, deps, agents, ask } = await desk();
    const [mine, own, others] = [await ask(refund(48_000)), await ask(transfer()), await ask(refund(48_000), agents[1])];
    const told: string[] = [];
    const nudge = (_tenant: string, approvalId: string): Promise<void> => Promise.resolve(void told.push(approvalId));
    const said = { tenant, scope: 'agent', name: 'refund-bot', by: 'omar', reason: 'It refunds twice' } as const;
    expect(await pauseIntake({ ...deps, nudge }, { ...said, open: 'withdraw' })).toMatchObject({ open: 'withdraw', withdrawn: 2 });
    expect(told.sort()).toEqual([mine.approvalId, own.approvalId].sort());
    for (const { approvalId } of [mine, own])
      expect(await endOf(tenant, approvalId)).toMatchObject({
        outcome: 'withdrawn',
        why: 'Withdrawn by omar: intake of the agent refund-bot was paused: It refunds twice',
      });
    expect(await endOf(tenant, others.approvalId)).toBeUndefined();
    await resumeIntake(deps, { ...said, reason: 'Mended' });
    const later = await ask(refund(48_000));
    // The sweep asks for all that pauses have left over: there is nothing.
    expect(await withdrawCovered(deps)).toBe(0);
    expect(await endOf(tenant, later.approvalId)).toBeUndefined();
    expect(await verifyStore(store.db, store.keys.trusted, tenant)).toMatchObject({ ok: true });
  });

  it('is withdrawn to the last one though the process that paused died in the middle, and the engine does not answer', async () => {
    const { tenant, deps, ask } = await desk();
    const asked = [await ask(refund(48_000)), await ask(refund(48_000)), await ask(refund(48_000))];
    let commits = 0;
    const dying: IntakeDeps['commit'] = (input) => ((commits += 1) > 1 ? Promise.reject(new Error('killed')) : deps.commit(input));
    const said = { tenant, scope: 'lane', name: 'finance', by: 'omar', reason: 'Stop', open: 'withdraw' } as const;
    await expect(pauseIntake({ ...deps, commit: dying }, said)).rejects.toThrow('killed');
    expect(await withdrawCovered({ ...deps, nudge: () => Promise.reject(new Error('no engine')) }, { tenant })).toBe(2);
    for (const { approvalId } of asked) expect(await endOf(tenant, approvalId)).toMatchObject({ outcome: 'withdrawn' });
  });

  it('is withdrawn by an entry of the tenant’s record, and by nothing that only claims to be one', async () => {
    const { tenant, deps, agents, ask } = await desk();
    const { approvalId } = await ask(refund(48_000), agents[1]);
    const pause = await pauseIntake(deps, { tenant, scope: 'agent', name: 'refund-bot', by: 'omar', reason: 'x', open: 'withdraw' });
    const run = await pauseIntake(deps, { tenant, scope: 'agent', name: 'other-bot', by: 'omar', reason: 'x', open: 'run' });
    for (const entry of [1, pause.seq, run.seq, run.seq + 1])
      await deps.commit({ tenant, approvalId, seq: 0, command: { type: 'intake', entry }, workflowTime: Date.now() });
    expect((await readEvents(store.db, tenant, approvalId)).map(({ event }) => event.type)).toEqual(['requested', 'routed']);
  });
});
