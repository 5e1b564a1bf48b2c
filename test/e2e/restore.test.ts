/**
 * Backups: the engine's database put back to what it was before decisions that the record holds, and the store put back to what it was
 * before decisions that the engine has seen. The record is the truth in both; nothing is allowed by the difference, and it is told.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instant } from '../../domain/json';
import { generateKeys, type Keys } from '../../record/keys';
import { openDatabase, roleOf } from '../../record/store/database';
import { verifyStore } from '../../record/store/export';
import { migrate } from '../../record/store/migrate';
import { sequence } from '../../record/store/sequencer';
import { startEngine, type Engine } from '../../workers/engine';
import { startStore } from '../../workers/store';
import { RECONCILE_WORKFLOW, approvalWorkflowId, type ReconcileReport } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore, type TestStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

const HOUR_MS = 3600_000;
const taskQueue = `restore-${randomUUID()}`;

const sweep = async (world: World): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue, args: [] })) as ReconcileReport;
/** A sweep leaves alone what changed a moment ago; here that moment has passed. */
const later = async (store: TestStore): Promise<unknown> =>
  await store.adminDb
    .updateTable('approvals')
    .set({ updated_at: instant(Date.now() - HOUR_MS) })
    .execute();
const rowOf = async (store: TestStore, approvalId: string) =>
  await store.db.selectFrom('approvals').selectAll().where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
const steps = async (world: World, approvalId: string) => (await world.story(approvalId)).flatMap((e) => (e.type === 'engine' ? [e.what] : []));
const statusOf = async (world: World, approvalId: string): Promise<string> =>
  (await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe()).status.name;
const yes = { type: 'approve', reason: 'Receipt checked' } as const;
const no = { type: 'deny', reason: 'No receipt' } as const;

async function ask(world: World, store: TestStore, agent: ReferenceAgent, cents: number): Promise<string> {
  const { approvalId } = await world.ask(refund(cents, { resume: { type: 'callback', url: agent.url } }));
  await until(async () => (await rowOf(store, approvalId)).state === 'waiting', `${approvalId} waits`);
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'the mail is sent');
  return approvalId;
}

async function verified(store: TestStore): Promise<unknown> {
  await sequence(store.db, store.keys, new Date().toISOString());
  return (await verifyStore(store.db, store.keys.trusted, TENANT)).findings;
}

describe('the engine restored from a backup older than the record', () => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-engine-'));
  const dbFile = join(dir, 'engine.db');
  const files = ['', '-wal', '-shm'].map((end) => `${dbFile}${end}`);
  let engine: Engine;
  let world: World;
  let agent: ReferenceAgent;
  afterAll(async () => {
    await world.close();
    await engine.stop();
    await agent.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const store = useStore();
  const open = async (): Promise<void> => {
    engine = await startEngine({ dbFile, port: await holdPort() });
    world = await openWorld({ store, address: engine.address, taskQueue });
  };
  const close = async (): Promise<void> => {
    await world.close();
    await engine.stop();
  };
  /** Copies the database's files from one ending to another; the engine does not run. */
  const copy = (from: string, to: string): void => {
    for (const file of files) {
      rmSync(`${file}${to}`, { force: true });
      if (existsSync(`${file}${from}`)) copyFileSync(`${file}${from}`, `${file}${to}`);
    }
  };

  it('catches up: everything ends as the record says, nothing is decided twice, and the agent acts once', async () => {
    await open();
    agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
    const endsLater = await ask(world, store, agent, 48_000);
    const signedLater = await ask(world, store, agent, 148_000);
    const quiet = await ask(world, store, agent, 48_000);
    const endedBefore = await ask(world, store, agent, 48_000);
    await insist(world, endedBefore, 'fay', no);
    await world.result(endedBefore);
    await close();
    copy('', '.backup');

    await open();
    await insist(world, endsLater, 'fay', yes);
    const decided = await world.result(endsLater);
    await insist(world, signedLater, 'fay', yes);
    const askedLater = await ask(world, store, agent, 48_000);
    const allLater = await ask(world, store, agent, 48_000);
    await insist(world, allLater, 'fay', no);
    await world.result(allLater);
    await close();
    copy('.backup', '');

    await open();
    expect(await statusOf(world, endsLater)).toBe('RUNNING');
    await later(store);
    expect(await sweep(world)).toMatchObject({ started: 1, restarted: 0, failed: 0, contradicting: [], unknown: [] });
    // The one that had ended closes with the result that it had.
    expect((await world.result(endsLater)).token).toBe(decided.token);
    // The one with one sign-off waits for the other, and the first still stands.
    await until(async () => {
      const { searchAttributes } = await world.client.workflow.getHandle(approvalWorkflowId(TENANT, signedLater)).describe();
      return JSON.stringify(searchAttributes).includes('cleo');
    }, 'the workflow has adopted the first sign-off');
    await insist(world, signedLater, 'cleo', yes);
    expect((await world.result(signedLater)).deciders.map((d) => d.person)).toEqual(['fay', 'cleo']);
    for (const approvalId of [quiet, askedLater]) {
      await insist(world, approvalId, 'fay', yes);
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
    }
    expect(await steps(world, askedLater)).toEqual(['started']);
    expect(await steps(world, endsLater)).toEqual(['nudged']);
    expect(await steps(world, quiet)).toEqual([]);

    await later(store);
    expect(await sweep(world)).toMatchObject({ started: 0, restarted: 0, nudged: 0, failed: 0 });
    const all = [endsLater, signedLater, quiet, endedBefore, askedLater, allLater];
    await until(() => all.every((id) => agent.acts.some((act) => act.approvalId === id)), 'the agent is told of all');
    for (const approvalId of all) {
      const row = await rowOf(store, approvalId);
      expect(agent.acts.filter((act) => act.approvalId === approvalId).map((act) => act.outcome)).toEqual([row.state]);
      expect(new Set(agent.calls.filter((call) => call.approvalId === approvalId).map((call) => call.messageId)).size).toBe(1);
      expect((await world.story(approvalId)).filter((e) => e.type === 'ended')).toHaveLength(1);
    }
    expect(await verified(store)).toEqual([]);
  });
});

describe('the record restored from a backup older than the engine', () => {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-restored-'));
  const keys: Keys = generateKeys();
  let store: TestStore & { stop(): Promise<void>; readonly data: string };
  let world: World;
  let agent: ReferenceAgent;
  afterAll(async () => {
    await close();
    await agent.stop();
    rmSync(store.data, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
  });
  const open = async (): Promise<void> => {
    const { appUrl, adminUrl, stop, dir: data } = await startStore({ dir, durable: false });
    await migrate(adminUrl, roleOf(appUrl));
    store = { db: openDatabase(appUrl, { name: 'test-app' }), adminDb: openDatabase(adminUrl, { name: 'test-admin' }), appUrl, adminUrl, keys, stop, data };
    world = await openWorld({ store, address: engineAddress(), taskQueue });
  };
  const close = async (): Promise<void> => {
    await world.close();
    await Promise.all([store.db.destroy(), store.adminDb.destroy()]);
    await store.stop();
  };
  /** With owners and modes: PostgreSQL takes no others. */
  const copy = (from: string, to: string): void => {
    rmSync(to, { recursive: true, force: true });
    execFileSync('cp', ['-a', from, to]);
  };

  it('allows nothing: what the record does not hold is asked again or fails in a sentence, on the record and in the report', async () => {
    await open();
    agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
    const signed = await ask(world, store, agent, 148_000);
    const completed = await ask(world, store, agent, 48_000);
    await close();
    const data = join(store.data, 'data');
    copy(data, `${data}.backup`);

    await open();
    await insist(world, signed, 'fay', yes);
    await insist(world, completed, 'fay', yes);
    expect(await world.result(completed)).toMatchObject({ outcome: 'approved' });
    const unknown = await ask(world, store, agent, 48_000);
    await close();
    copy(`${data}.backup`, data);

    await open();
    await later(store);
    expect((await rowOf(store, completed)).state).toBe('waiting');
    const report = await sweep(world);
    expect(report).toMatchObject({
      restarted: 1,
      nudged: 1,
      failed: 0,
      contradicting: [completed],
      unknown: [unknown],
      found: { contradicting: 1, unknown: 1 },
    });

    // The one that the record does not know ends by itself, in words; nothing was decided, and nobody can decide it.
    await expect(world.result(unknown)).rejects.toMatchObject({
      cause: { type: 'not_submitted', message: expect.stringContaining('restored from a backup older than the request') as string },
    });
    // The one whose sign-off the record lost says so and waits for that sign-off again.
    await until(async () => (await steps(world, signed)).includes('record_behind'), 'the loss is on the record');
    expect(await rowOf(store, signed)).toMatchObject({ state: 'waiting', owner: 'fay', result: null });
    // The one whose end the record lost says so and is asked again; the engine's result counts for nothing.
    expect(await steps(world, completed)).toEqual(['record_behind']);
    expect(await rowOf(store, completed)).toMatchObject({ state: 'waiting', result: null });
    const lost = (await world.story(completed)).flatMap((e) => (e.type === 'engine' ? [e.why] : []));
    expect(lost).toEqual(['Its workflow had completed as approved, and the record holds no end: it is asked again']);

    // No loop: the next sweep finds nothing more to do.
    await later(store);
    await until(async () => (await statusOf(world, unknown)) === 'FAILED', 'it has failed');
    await until(async () => {
      const again = await sweep(world);
      return again.nudged + again.restarted + again.started + again.found.unknown + again.found.contradicting === 0;
    }, 'all is quiet');
    expect((await steps(world, signed)).filter((what) => what === 'record_behind')).toHaveLength(1);

    // Decided anew, each ends once, as the people say now.
    await insist(world, completed, 'fay', no);
    expect(await world.result(completed)).toMatchObject({ outcome: 'denied' });
    await insist(world, signed, 'fay', yes);
    await insist(world, signed, 'cleo', yes);
    expect((await world.result(signed)).deciders.map((d) => d.person)).toEqual(['fay', 'cleo']);
    await until(() => agent.acts.filter((act) => act.approvalId === completed).length === 2, 'the agent is told how it ended now');
    expect(agent.acts.filter((act) => act.approvalId === completed).map((act) => act.outcome)).toEqual(['approved', 'denied']);
    expect(agent.acts.filter((act) => act.approvalId === signed).map((act) => act.outcome)).toEqual(['approved']);
    expect(agent.acts.filter((act) => act.approvalId === unknown)).toEqual([]);
    expect(await verified(store)).toEqual([]);
  });
});
