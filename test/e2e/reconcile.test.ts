/**
 * The engine catches up with the record (invariant 9, first form): whatever the engine forgot, lost or was never told, one sweep
 * brings back, and says so on the record. On the development server, with the sweep run as its workflow, as the schedule does it.
 */
import { randomUUID } from 'node:crypto';
import { issueCommand } from '../../activities/commands';
import { instant } from '../../domain/json';
import { RECONCILE_WORKFLOW, approvalWorkflowId, deliveryWorkflowId, type ReconcileReport } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

let world: World;
let agent: ReferenceAgent;
/** The approval for whose callback the agent is too busy. */
let busyFor = '';
afterAll(async () => {
  await world.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress() });
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks(), before: ({ approvalId }) => (busyFor === approvalId ? 503 : null) });
});

const handle = (approvalId: string) => world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
const sweep = async (): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] })) as ReconcileReport;
const stateOf = async (approvalId: string): Promise<string> =>
  (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state;
const untilState = async (approvalId: string, state: string): Promise<unknown> =>
  await until(async () => (await stateOf(approvalId)) === state, `${approvalId} is ${state}`);
const engineEntries = async (approvalId: string) => (await world.story(approvalId)).flatMap((e) => (e.type === 'engine' ? [[e.what, e.why]] : []));

describe('one sweep', () => {
  it('starts what is on the record without a workflow, once', async () => {
    const { approvalId } = await world.submit(refund(48_000));
    expect(await sweep()).toMatchObject({ started: 1, restarted: 0 });
    await untilState(approvalId, 'waiting');
    expect(await engineEntries(approvalId)).toEqual([['started', 'It was on the record without a workflow']]);
    expect(await sweep()).toMatchObject({ started: 0, restarted: 0, nudged: 0, overdue: [] });
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
  });

  it('restarts from the record what was terminated, with what had been decided, and it can be decided to the end', async () => {
    const { approvalId } = await world.ask(refund(148_000));
    await untilState(approvalId, 'waiting');
    expect((await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' })).answer).toMatchObject({ accepted: true, state: 'waiting' });
    await handle(approvalId).terminate('an operator slipped');
    expect(await sweep()).toMatchObject({ started: 0, restarted: 1 });
    expect((await insist(world, approvalId, 'cleo', { type: 'approve', reason: 'ok' })).answer).toMatchObject({ accepted: true, state: 'approved' });
    expect((await world.result(approvalId)).deciders.map((d) => d.person)).toEqual(['fay', 'cleo']);
    expect(await engineEntries(approvalId)).toEqual([['restarted', 'Its workflow had closed without an end']]);
    expect((await world.story(approvalId)).filter((e) => e.type === 'level_opened')).toHaveLength(2);
  });

  it('hands over a stored command that nobody delivered', async () => {
    const { approvalId, packetDigest } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    const now = instant(Date.now());
    const commandId = randomUUID();
    await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId,
      commandId,
      person: 'fay',
      move: { type: 'approve', reason: 'ok' },
      packetDigest,
      signedInAt: now,
      now,
    });
    await sweep();
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
    expect((await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' }, commandId)).answer).toMatchObject({ commandId, accepted: true });
    expect(await engineEntries(approvalId)).toEqual([['nudged', 'A stored command had not been answered']]);
  });

  it('a command for a workflow that the engine lost meanwhile does not stop the sweep for the others', async () => {
    const lost = await world.submit(refund(48_000));
    const now = instant(Date.now());
    await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId: lost.approvalId,
      commandId: randomUUID(),
      person: 'fay',
      move: { type: 'approve', reason: 'ok' },
      packetDigest: lost.packetDigest,
      signedInAt: now,
      now,
    });
    const [first, second] = await Promise.all([sweep(), sweep()]);
    expect(first.started + second.started).toBeGreaterThanOrEqual(1);
    expect(await world.result(lost.approvalId)).toMatchObject({ outcome: 'approved' });
  });

  it('knocks where a clock is overdue, and names it', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    // The engine lost the timer, as one whose clock jumped back did: the record's instant lies two minutes in the past.
    await store.adminDb
      .updateTable('approvals')
      .set({ wake_at: instant(Date.now() - 120_000) })
      .where('approval_id', '=', approvalId)
      .execute();
    const report = await sweep();
    expect(report).toMatchObject({ nudged: 1, overdue: [approvalId] });
    expect(await engineEntries(approvalId)).toMatchObject([['nudged', expect.stringContaining('Its clock was due at')]]);
    // Knocking too early moves nothing: the level's own instant has not come.
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
    expect((await world.story(approvalId)).map((e) => e.type)).not.toContain('level_timed_out');
  });

  it('carries out what is owed after an end that the engine never heard of', async () => {
    const { approvalId } = await world.submit(refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    // As the API does when the engine is away: a withdrawal only tightens, so it need not wait.
    await world.core.commit({
      tenant: TENANT,
      approvalId,
      seq: 0,
      command: { type: 'withdraw', by: 'refund-bot', reason: 'no longer wanted' },
      workflowTime: Date.now(),
    });
    expect(await stateOf(approvalId)).toBe('withdrawn');
    const at = instant(Date.now() - 3600_000);
    // The end lies an hour back, and it owes somebody a word.
    await store.adminDb.updateTable('approvals').set({ updated_at: at }).where('approval_id', '=', approvalId).execute();
    const debts = await store.db.selectFrom('deliveries').select(['kind', 'status']).where('approval_id', '=', approvalId).execute();
    expect(debts).toEqual([{ kind: 'callback', status: 'owed' }]);
    expect(await sweep()).toMatchObject({ started: 1, restarted: 0 });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn' });
    expect(await store.db.selectFrom('deliveries').select(['kind', 'status']).where('approval_id', '=', approvalId).execute()).toMatchObject([
      { kind: 'callback', status: 'done' },
    ]);
    expect(agent.acts.map((result) => result.outcome)).toEqual(['withdrawn']);
    expect(await engineEntries(approvalId)).toEqual([['started', 'It had ended on the record and something was still owed']]);
  });

  it('takes up a callback again whose delivery was terminated', async () => {
    const { approvalId } = await world.ask(refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    await untilState(approvalId, 'waiting');
    busyFor = approvalId;
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    const debt = await store.db
      .selectFrom('deliveries')
      .select(['owed_id', 'status'])
      .where('approval_id', '=', approvalId)
      .where('kind', '=', 'callback')
      .executeTakeFirstOrThrow();
    expect(debt.status).toBe('failed_for_now');
    await world.client.workflow.getHandle(deliveryWorkflowId(TENANT, approvalId, debt.owed_id)).terminate('an operator slipped');
    busyFor = '';
    const past = instant(Date.now() - 3600_000);
    await store.adminDb.updateTable('approvals').set({ updated_at: past }).where('approval_id', '=', approvalId).execute();
    await store.adminDb.updateTable('deliveries').set({ next_at: past }).where('approval_id', '=', approvalId).where('owed_id', '=', debt.owed_id).execute();
    expect(await sweep()).toMatchObject({ restarted: 1 });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
    expect(agent.acts.filter((result) => result.approvalId === approvalId)).toHaveLength(1);
  });

  it('leaves alone what has ended, and what was allowed at once', async () => {
    const allowed = await world.submit(refund(10_000));
    expect(allowed.result).toMatchObject({ outcome: 'allowed' });
    const { approvalId } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    expect(await sweep()).toEqual({ started: 0, restarted: 0, nudged: 0, failed: 0, overdue: [] });
    expect(await engineEntries(approvalId)).toEqual([]);
    expect(await engineEntries(allowed.approvalId)).toEqual([]);
  });
});
