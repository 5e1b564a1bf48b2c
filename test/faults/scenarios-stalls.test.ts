/**
 * What stands still instead of dying: the store away for a minute in the middle of traffic, and a worker that is stopped (SIGSTOP)
 * while it holds work and goes on much later. The same judge as for kills compares people, agent, record and workflows.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApproval } from '../../activities/engine';
import { generateKeys } from '../../record/keys';
import { openDatabase, roleOf, type Db } from '../../record/store/database';
import { migrate } from '../../record/store/migrate';
import { startStore, type Store } from '../../workers/store';
import { insist, type Told } from '../support/approver';
import { contradictions } from '../support/oracle';
import { startProgram, until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import type { TestStore } from '../support/store';
import { TENANT, refund } from '../support/world';
import { openStage, type Stage } from './stage';

const MAIN = join(__dirname, '..', '..', 'workers', 'main.ts');

jest.setTimeout(240_000);
let dir: string;
let postgres: Store;
let store: TestStore;
let stage: Stage;
let agent: ReferenceAgent;

/** What a connection says when its server goes is told to whoever uses it next. */
const quiet = (url: string, name: string): Db => openDatabase(url, { name, onError: () => undefined });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-stalls-'));
  postgres = await startStore({ dir, durable: false });
  const { appUrl, adminUrl } = postgres;
  await migrate(adminUrl, roleOf(appUrl));
  store = { db: quiet(appUrl, 'test-app'), adminDb: quiet(adminUrl, 'test-admin'), appUrl, adminUrl, keys: generateKeys() };
  stage = await openStage(store);
  agent = await startReferenceAgent({ jwks: stage.world.core.tokens.jwks() });
});
afterAll(async () => {
  await agent.stop();
  await stage.close();
  await Promise.all([store.db.destroy(), store.adminDb.destroy()]);
  await postgres.stop();
  rmSync(postgres.dir, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
});

const question = (minor: number) => refund(minor, { resume: { type: 'callback', url: agent.url } });
const judge = async (approvals: readonly string[], acknowledged: readonly Told[]): Promise<string[]> =>
  await contradictions({ store, client: stage.world.client, tenant: TENANT, approvals, acknowledged, agent });

/** Does not give up: whoever asks or decides while the store is away tries again. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await sleep(250);
    }
  }
}

describe('the store is away for a minute in the middle of traffic', () => {
  it('nothing acknowledged is lost, nothing is decided unrecorded, and work resumes by itself', async () => {
    const { world } = stage;
    const taskQueue = `stalls-${randomUUID()}`;
    const worker = await startProgram(MAIN, stage.workerEnv(taskQueue));
    const acknowledgedWhileAway: string[] = [];
    let away = false;
    const one = async (i: number): Promise<Told> => {
      const key = `traffic-${String(i)}-${taskQueue}`;
      const { approvalId, plan, headline } = await patiently(async () => {
        const answer = await world.submit(question(48_000 + i), key);
        if (away) acknowledgedWhileAway.push(answer.approvalId);
        return answer;
      });
      await startApproval(world.client, { taskQueue, timeScale: 1 }, { tenant: TENANT, approvalId, lane: plan.lane, headline });
      await patiently(() => stage.untilAsked(approvalId));
      const commandId = randomUUID();
      const told = await patiently(() =>
        insist(world, approvalId, 'fay', i % 3 === 0 ? { type: 'deny', reason: 'No' } : { type: 'approve', reason: 'ok' }, commandId),
      );
      if (away) acknowledgedWhileAway.push(commandId);
      return told;
    };
    const early = Promise.all(Array.from({ length: 6 }, (_, i) => one(i)));
    await until(async () => (await store.db.selectFrom('answers').select('command_id').execute()).length > 0, 'the first decision stands');
    const { port } = postgres;
    await postgres.stop();
    const late = Promise.all(Array.from({ length: 6 }, (_, i) => one(10 + i)));
    // What was durable a moment before may still be on its way to whoever waits for it.
    await sleep(5_000);
    away = true;
    await sleep(55_000);
    away = false;
    postgres = await startStore({ dir, port, durable: false });
    expect(acknowledgedWhileAway).toEqual([]);
    const told = [...(await early), ...(await late)];
    const approvals = told.map((t) => t.approvalId);
    const results = await Promise.all(approvals.map((id) => world.result(id)));
    expect(results.map((r) => r.outcome)).toEqual([0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15].map((i) => (i % 3 === 0 ? 'denied' : 'approved')));
    await until(
      async () => (await store.db.selectFrom('deliveries').select('owed_id').where('status', '=', 'owed').execute()).length === 0,
      'everything is delivered',
    );
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(await judge(approvals, told)).toEqual([]);
  });
});

describe('a worker is stopped while it holds work, and goes on much later', () => {
  it('another one carries the approval on, and what the first one still does changes nothing', async () => {
    const { world } = stage;
    const taskQueue = `stalls-${randomUUID()}`;
    const first = await startProgram(MAIN, stage.workerEnv(taskQueue));
    const waiting = await stage.ask(taskQueue, question(48_000));
    await stage.untilAsked(waiting);
    // It stops with the tasks of these in its hands or on its way to it.
    const racing = await Promise.all(Array.from({ length: 4 }, (_, i) => stage.ask(taskQueue, question(50_000 + i))));
    process.kill(first.pid, 'SIGSTOP');
    const second = await startProgram(MAIN, stage.workerEnv(taskQueue));
    const told: Told[] = [await insist(world, waiting, 'fay', { type: 'approve', reason: 'ok' })];
    for (const approvalId of racing) {
      await stage.untilAsked(approvalId);
      told.push(await insist(world, approvalId, 'finn', { type: 'deny', reason: 'No receipt' }));
    }
    process.kill(first.pid, 'SIGCONT');
    const approvals = [waiting, ...racing];
    expect((await Promise.all(approvals.map((id) => world.result(id)))).map((r) => r.outcome)).toEqual(['approved', 'denied', 'denied', 'denied', 'denied']);
    expect(await first.stop()).toEqual({ code: 0, signal: null });
    expect(await second.stop()).toEqual({ code: 0, signal: null });
    expect(told.every((t) => t.answer.accepted)).toBe(true);
    expect(await judge(approvals, told)).toEqual([]);
  });

  it('with no other worker, a decision waits for it and counts when it goes on', async () => {
    const { world } = stage;
    const taskQueue = `stalls-${randomUUID()}`;
    const worker = await startProgram(MAIN, stage.workerEnv(taskQueue));
    const approvalId = await stage.ask(taskQueue, question(48_000));
    await stage.untilAsked(approvalId);
    process.kill(worker.pid, 'SIGSTOP');
    const deciding = insist({ ...world, patienceMs: 2_000 }, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    // Longer than the engine leaves a task with a worker that says nothing.
    await sleep(12_000);
    expect(await stage.state(approvalId)).toBe('waiting');
    process.kill(worker.pid, 'SIGCONT');
    const told = await deciding;
    expect(told.answer).toMatchObject({ accepted: true, state: 'approved' });
    await world.result(approvalId);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(await judge([approvalId], [told])).toEqual([]);
  });
});
