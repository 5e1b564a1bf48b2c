/**
 * Runs of the engine that do not follow the record and never would by themselves: the sweep brings each to where the record stands, soon, and
 * says so. They are what remains of a storm: a decision whose task was lost after its commit, and a run whose history no worker can go on from.
 */
import { randomUUID } from 'node:crypto';
import { NativeConnection } from '@temporalio/worker';
import { issueCommand } from '../../activities/commands';
import { createReconcile } from '../../activities/reconcile';
import { createRuns } from '../../activities/runs';
import { instant } from '../../domain/json';
import { bundleWorkflows } from '../../workers/bundle';
import { createWorker } from '../../workers/worker';
import { approvalWorkflowId } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { contradictions } from '../support/oracle';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

let world: World;
let agent: ReferenceAgent;
afterAll(async () => {
  await world.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), withoutWorker: true });
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
});

const rowOf = async (approvalId: string) =>
  await store.db.selectFrom('approvals').select(['state', 'head']).where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
const untilAsked = async (approvalId: string): Promise<unknown> =>
  await until(async () => (await rowOf(approvalId)).state === 'waiting', `${approvalId} is asked`);
const engineEntries = async (approvalId: string) => (await world.story(approvalId)).flatMap((e) => (e.type === 'engine' ? [[e.what, e.why]] : []));
const sweep = (more: { readonly failingMs?: number } = {}) =>
  createReconcile({
    ...world.core.deps,
    active: world.core.active,
    commit: world.core.commit,
    client: world.client,
    taskQueue: world.taskQueue,
    graceMs: 0,
    ...more,
  })({
    workflowTime: Date.now(),
  });
const ask = async (): Promise<string> => (await world.ask(refund(48_000, { resume: { type: 'callback', url: agent.url } }))).approvalId;

it('a decision is on the record and the engine lost the task that made it: the workflow hears of it, and the agent is told once', async () => {
  const worker = await world.startWorker();
  try {
    const approvalId = await ask();
    await untilAsked(approvalId);
    // As the workflow does it, and nobody is left to go on from it.
    const { firstExecutionRunId: id } = await world.client.workflow
      .getHandle(approvalWorkflowId(TENANT, approvalId))
      .describe()
      .then(({ raw }) => ({
        firstExecutionRunId: raw.workflowExecutionInfo?.execution?.runId ?? '',
      }));
    const { packet_digest: packetDigest } = await store.db
      .selectFrom('requests')
      .select('packet_digest')
      .where('approval_id', '=', approvalId)
      .executeTakeFirstOrThrow();
    const commandId = randomUUID();
    const now = instant(Date.now());
    const move = { type: 'approve', reason: 'ok' } as const;
    await issueCommand(world.core.deps, { tenant: TENANT, approvalId, commandId, person: 'fay', move, packetDigest, signedInAt: now, now });
    const { head: seq } = await rowOf(approvalId);
    const run = { id, reset: false, fromRecord: false };
    const { answer } = await world.core.commit({ tenant: TENANT, approvalId, seq, run, command: { type: 'command', commandId }, workflowTime: Date.now() });
    expect(answer).toMatchObject({ accepted: true, state: 'approved' });

    // What has just ended may be under way.
    expect(await sweep()).toMatchObject({ nudged: 0, restarted: 0 });
    await store.adminDb
      .updateTable('approvals')
      .set({ updated_at: instant(Date.now() - 7_000) })
      .where('approval_id', '=', approvalId)
      .execute();
    await until(async () => (await sweep()).nudged === 1, 'the sweep knocks');
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
    expect(await engineEntries(approvalId)).toEqual([['nudged', 'It had ended on the record, and its workflow had not heard of it']]);
    const told = [{ approvalId, person: 'fay', answer: answer ?? fail() }];
    expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [approvalId], acknowledged: told, agent })).toEqual([]);
  } finally {
    await worker.stop();
  }
});

it('no worker can go on from its history: another run takes its place, from the record, and what people said meanwhile counts', async () => {
  const { taskQueue, activities } = world;
  const connection = await NativeConnection.connect({ address: engineAddress() });
  const bundle = await bundleWorkflows(require.resolve('../replay/changed'));
  const changed = await createWorker({ connection, namespace: 'default', taskQueue, activities, bundle });
  const running = changed.run();
  const approvalId = await ask();
  await untilAsked(approvalId);
  changed.shutdown();
  await running;
  await connection.close();

  const handle = world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
  const before = (await handle.describe()).runId;
  const worker = await world.startWorker();
  try {
    const moved = insist({ core: world.core, client: world.client, patienceMs: 1_000 }, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    const { failing } = createRuns(world.client, taskQueue, 0);
    const why = await until(() => failing(approvalWorkflowId(TENANT, approvalId)), 'its task has failed');
    expect(why).toContain('Nondeterminism');
    // It may get on at the next try, as far as a sweep can tell that comes at once.
    expect(await sweep()).toMatchObject({ restarted: 0 });
    await until(async () => (await sweep({ failingMs: 0 })).restarted === 1, 'another run takes its place');
    const told = await moved;
    expect(told.answer).toMatchObject({ accepted: true, state: 'approved' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
    expect((await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId), before).describe()).status.name).toBe('TERMINATED');
    expect((await engineEntries(approvalId)).filter(([what]) => what === 'restarted')).toEqual([
      ['restarted', expect.stringContaining('Its workflow could not go on: ') as string],
    ]);
    expect((await world.story(approvalId)).filter((e) => e.type === 'level_opened')).toHaveLength(1);
    expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [approvalId], acknowledged: [told], agent })).toEqual([]);
  } finally {
    await worker.stop();
  }
});

function fail(): never {
  throw new Error('The command was not answered');
}
