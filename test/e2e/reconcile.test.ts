/**
 * The engine catches up with the record (invariant 9, first form): whatever the engine forgot, lost or was never told, one sweep
 * brings back, and says so on the record. On the development server, with the sweep run as its workflow, as the schedule does it.
 */
import { randomUUID } from 'node:crypto';
import { issueCommand } from '../../activities/commands';
import { createReconcile } from '../../activities/reconcile';
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
    // What is said of the question itself would write the true instant again.
    await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'the question is out');
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
    expect(await sweep()).toMatchObject({ restarted: 0, redelivered: 1 });
    await until(() => agent.acts.some((result) => result.approvalId === approvalId), 'the agent is told');
    expect(await engineEntries(approvalId)).toEqual([['restarted', `The delivery of callback (${debt.owed_id}) had closed without an end`]]);
    expect(agent.acts.filter((result) => result.approvalId === approvalId)).toHaveLength(1);
  });

  it('leaves alone what has ended, and what was allowed at once', async () => {
    const allowed = await world.submit(refund(10_000));
    expect(allowed.result).toMatchObject({ outcome: 'allowed' });
    const { approvalId } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    expect(await sweep()).toEqual({
      looked: 0,
      cursor: { record: '', engine: '' },
      started: 0,
      restarted: 0,
      nudged: 0,
      handedOver: 0,
      redelivered: 0,
      failed: 0,
      overdue: [],
      paused: [],
      stuck: [],
      contradicting: [],
      unknown: [],
      found: { overdue: 0, paused: 0, stuck: 0, contradicting: 0, unknown: 0 },
    });
    expect(await engineEntries(approvalId)).toEqual([]);
    expect(await engineEntries(allowed.approvalId)).toEqual([]);
  });
});

describe('a sweep of many', () => {
  const paged = (page: number) =>
    createReconcile({
      ...world.core.deps,
      active: world.core.active,
      commit: world.core.commit,
      client: world.client,
      taskQueue: world.taskQueue,
      graceMs: 0,
      page,
    });

  it('looks at a page of them at a time, goes on where the last one stopped, and finds in one round what is deleted', async () => {
    const all = await Promise.all(Array.from({ length: 7 }, () => world.ask(refund(48_000))));
    for (const { approvalId } of all) await untilState(approvalId, 'waiting');
    // Deleted, a workflow is in no list: only holding the record against the engine finds it.
    const lost = all.slice(0, 3).map(({ approvalId }) => approvalId);
    for (const approvalId of lost) {
      const workflowExecution = { workflowId: approvalWorkflowId(TENANT, approvalId) };
      await world.client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
      await until(
        async () =>
          !(await handle(approvalId)
            .describe()
            .catch(() => null)),
        'the engine has forgotten it',
      );
    }
    const sweepPage = paged(2);
    const { open } = await store.db
      .selectFrom('approvals')
      .select((eb) => eb.fn.countAll<number>().as('open'))
      .where('result', 'is', null)
      .where('needs_workflow', '=', true)
      .executeTakeFirstOrThrow();
    const rounds = Math.floor(Number(open) / 2) + 1;
    let cursor: ReconcileReport['cursor'];
    let started = 0;
    for (let n = 0; n < rounds; n += 1) {
      const report = await sweepPage({ workflowTime: Date.now(), cursor });
      expect(report.looked).toBeLessThanOrEqual(4);
      started += report.started;
      ({ cursor } = report);
    }
    expect(cursor?.record).toBe('');
    expect(started).toBe(lost.length);
    for (const { approvalId } of all) {
      await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
    }
  });

  it('finds at once what somebody terminated, whatever page it is on', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => world.ask(refund(48_000))));
    for (const { approvalId } of all) await untilState(approvalId, 'waiting');
    const last =
      all
        .map(({ approvalId }) => approvalId)
        .sort()
        .at(-1) ?? '';
    await handle(last).terminate('an operator slipped');
    const query = `WorkflowId = '${approvalWorkflowId(TENANT, last)}' AND ExecutionStatus = 'Terminated'`;
    await until(async () => (await world.client.workflow.count(query)).count > 0, 'it is listed');
    expect(await paged(1)({ workflowTime: Date.now() })).toMatchObject({ restarted: 1 });
    for (const { approvalId } of all) await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await world.result(last)).toMatchObject({ outcome: 'denied' });
  });

  it('goes on past one that it cannot mend, and counts it', async () => {
    const [broken, whole] = [await world.submit(refund(48_000)), await world.submit(refund(48_000))];
    // An entry is gone, so that nothing can be added after it.
    await store.adminDb.updateTable('approvals').set({ head: 1 }).where('approval_id', '=', broken.approvalId).execute();
    const { head } = await store.db.selectFrom('approvals').select('head').where('approval_id', '=', whole.approvalId).executeTakeFirstOrThrow();
    try {
      expect(await sweep()).toMatchObject({ started: 1, failed: 1 });
      await untilState(whole.approvalId, 'waiting');
    } finally {
      await store.adminDb.updateTable('approvals').set({ head }).where('approval_id', '=', broken.approvalId).execute();
    }
    await until(async () => (await sweep()).started === 1, 'whole again, it is started');
    for (const { approvalId } of [broken, whole]) {
      await untilState(approvalId, 'waiting');
      await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
    }
  });

  it('knocks where the record has a head that no workflow adopted, once, and the workflow adopts it', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'the mail is sent');
    const adopted = async () =>
      await store.db.selectFrom('approvals').select(['adopted', 'head']).where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    // In step, though the mail's entry came after the workflow's own.
    const before = await adopted();
    expect(before.adopted).toBe(before.head);
    const past = instant(Date.now() - 3600_000);
    await store.adminDb.updateTable('approvals').set({ adopted: 1, updated_at: past }).where('approval_id', '=', approvalId).execute();
    expect(await sweep()).toMatchObject({ nudged: 1 });
    expect(await engineEntries(approvalId)).toEqual([['nudged', 'The record was ahead of what its workflow had adopted']]);
    await until(async () => (await adopted()).adopted === (await adopted()).head, 'the workflow has adopted it');
    await store.adminDb.updateTable('approvals').set({ updated_at: past }).where('approval_id', '=', approvalId).execute();
    expect(await sweep()).toMatchObject({ nudged: 0 });
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
  });

  it('does not start again and again what gets nowhere: it says that it is stuck, and rests', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await untilState(approvalId, 'waiting');
    await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'the mail is sent');
    // A clock that runs by hand, so that the sweeps lie minutes apart.
    let minutes = 0;
    const clock = { scale: 1, now: ({ database }: { readonly database: string }) => instant(Date.parse(database) + minutes * 60_000) };
    const slow = createReconcile({
      ...world.core.deps,
      clock,
      active: world.core.active,
      commit: world.core.commit,
      client: world.client,
      taskQueue: world.taskQueue,
      graceMs: 0,
    });
    const reports: ReconcileReport[] = [];
    for (; minutes < 5; minutes += 1) {
      await handle(approvalId)
        .terminate('again')
        .catch(() => undefined);
      reports.push(await slow({ workflowTime: Date.now() }));
    }
    expect(reports.map(({ restarted, stuck }) => [restarted, ...stuck])).toEqual([[1], [1], [1], [0, approvalId], [0, approvalId]]);
    expect((await engineEntries(approvalId)).length).toBe(3);
    // After a rest it is tried again.
    minutes = 20;
    expect(await slow({ workflowTime: Date.now() })).toMatchObject({ restarted: 1, stuck: [] });
  });
});
