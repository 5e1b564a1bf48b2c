/**
 * The side doors of the engine: whatever somebody sends, starts, stops, resets or deletes with Temporal's own command line, nothing is
 * allowed by it, the record says what was tried, and the agent is told how it ended, once. See docs/side-doors.md.
 */
import { randomUUID } from 'node:crypto';
import { issueCommand } from '../../activities/commands';
import { instant } from '../../domain/json';
import { STRAYS_MAX } from '../../domain/moves';
import {
  COMMAND_SIGNAL,
  COMMAND_UPDATE,
  NUDGE_SIGNAL,
  OUTCOME_SIGNAL,
  RECONCILE_WORKFLOW,
  WITHDRAW_SIGNAL,
  approvalWorkflowId,
  deliveryWorkflowId,
  type ReconcileReport,
} from '../../workflows/protocol';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { temporalCli, type Said, type TemporalCli } from '../support/temporal-cli';
import { TENANT, openWorld, refund, type World } from '../support/world';

let world: World;
let agent: ReferenceAgent;
let temporal: TemporalCli;
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
  temporal = await temporalCli(engineAddress());
});

/** Where it fails, what the program said is shown. */
const DONE = expect.objectContaining({ ok: true }) as Said;
const idOf = (approvalId: string): string => approvalWorkflowId(TENANT, approvalId);
const handle = (approvalId: string) => world.client.workflow.getHandle(idOf(approvalId));
const row = async (approvalId: string) => await store.db.selectFrom('approvals').selectAll().where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
const untilState = async (approvalId: string, state: string): Promise<unknown> =>
  await until(async () => (await row(approvalId)).state === state, `${approvalId} is ${state}`);
const refusals = async (approvalId: string): Promise<string[]> =>
  (await world.story(approvalId)).flatMap((e) => (e.type === 'refused' ? [`${e.code} by ${e.by}: ${e.message}`] : []));
const engineEntries = async (approvalId: string) => (await world.story(approvalId)).flatMap((e) => (e.type === 'engine' ? [e.what] : []));
const ends = async (approvalId: string) => (await world.story(approvalId)).filter((e) => e.type === 'ended').length;
const actsOf = (approvalId: string) => agent.acts.filter((result) => result.approvalId === approvalId).map((result) => result.outcome);
const callsOf = (approvalId: string) => agent.calls.filter((call) => call.approvalId === approvalId);
const failedTasks = async (approvalId: string) => ((await handle(approvalId).fetchHistory()).events ?? []).filter((e) => e.workflowTaskFailedEventAttributes);
const sweep = async (): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] })) as ReconcileReport;

const debtOf = async (approvalId: string, kind = 'callback') =>
  await store.db
    .selectFrom('deliveries')
    .select(['owed_id', 'status', 'attempts'])
    .where('approval_id', '=', approvalId)
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow();

/** An approval that somebody has been asked about by mail, and whose agent waits for a callback. */
async function waiting(cents = 48_000): Promise<string> {
  const { approvalId } = await world.ask(refund(cents, { resume: { type: 'callback', url: agent.url } }));
  await untilState(approvalId, 'waiting');
  await until(async () => (await debtOf(approvalId, 'ask')).status === 'done', 'the mail is sent');
  return approvalId;
}

/** A command of Fay's that would approve, stored and signed, and not delivered. */
async function storedYes(approvalId: string): Promise<string> {
  const now = instant(Date.now());
  const { packet_digest } = await store.db.selectFrom('requests').select('packet_digest').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
  const commandId = randomUUID();
  await issueCommand(world.core.deps, {
    tenant: TENANT,
    approvalId,
    commandId,
    person: 'fay',
    move: { type: 'approve', reason: 'ok' },
    packetDigest: packet_digest,
    signedInAt: now,
    now,
  });
  return commandId;
}

const signal = async (approvalId: string, name: string, input?: unknown): Promise<Said> =>
  await temporal('workflow', 'signal', '-w', idOf(approvalId), '--name', name, ...(input === undefined ? [] : ['--input', JSON.stringify(input)]));
const update = async (approvalId: string, name: string, input?: unknown): Promise<Said> =>
  await temporal('workflow', 'update', 'execute', '-w', idOf(approvalId), '--name', name, ...(input === undefined ? [] : ['--input', JSON.stringify(input)]));

/** It can still be decided as if nothing had happened, and the agent is told once. */
async function endsWell(approvalId: string): Promise<void> {
  expect((await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' })).answer).toMatchObject({ accepted: true });
  const result = await world.result(approvalId);
  expect(result).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
  await until(() => actsOf(approvalId).length > 0, 'the agent is told');
  expect(actsOf(approvalId)).toEqual(['approved']);
  expect(await ends(approvalId)).toBe(1);
}

describe('a signal by hand', () => {
  it('that nobody knows, that claims an outcome, or that is no command allows nothing and is on the record', async () => {
    const approvalId = await waiting();
    expect(await signal(approvalId, 'approve', { by: 'cleo' })).toEqual(DONE);
    await signal(approvalId, OUTCOME_SIGNAL, { approvalId, outcome: 'approved', token: 'made.up.token' });
    await signal(approvalId, COMMAND_SIGNAL, { approve: true });
    await signal(approvalId, COMMAND_SIGNAL);
    await signal(approvalId, 'x'.repeat(300), 'y'.repeat(10_000));
    await until(async () => (await refusals(approvalId)).length === 5, 'all are on the record');
    expect(await refusals(approvalId)).toEqual([
      'unsigned_message by unknown: A signal "approve" is not known here',
      'unsigned_message by unknown: A signal "countersign-outcome" is not known here',
      'unsigned_message by unknown: A signal "command-signal" came without the id of a stored command',
      'unsigned_message by unknown: A signal "command-signal" came without the id of a stored command',
      `unsigned_message by unknown: A signal "${'x'.repeat(60)}" is not known here`,
    ]);
    expect(await row(approvalId)).toMatchObject({ state: 'waiting', result: null });
    await endsWell(approvalId);
    expect(await failedTasks(approvalId)).toEqual([]);
  });

  it('of a name that the engine keeps for itself cannot stop an approval', async () => {
    const approvalId = await waiting();
    await signal(approvalId, '__temporal_anything', 1);
    await signal(approvalId, '__stack_trace');
    await until(async () => (await refusals(approvalId)).length === 2, 'both are on the record');
    await endsWell(approvalId);
    expect(await failedTasks(approvalId)).toEqual([]);
  });

  it('with a command that was never stored, or was made for another approval, is refused on the record', async () => {
    const approvalId = await waiting();
    const other = await waiting();
    await signal(approvalId, COMMAND_SIGNAL, { commandId: 'never-stored-1' });
    const commandId = await storedYes(other);
    await signal(approvalId, COMMAND_SIGNAL, { commandId, approvalId: other });
    await until(async () => (await refusals(approvalId)).length === 2, 'both are on the record');
    expect((await refusals(approvalId)).map((r) => r.split(':')[0])).toEqual(['unknown_command by unknown', 'wrong_approval by fay']);
    expect(await row(approvalId)).toMatchObject({ state: 'waiting' });
    // Where it was made for, it counts, whoever carries it there: the signature is the API's, and the person's.
    await signal(other, COMMAND_SIGNAL, { commandId });
    expect(await world.result(other)).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
    await endsWell(approvalId);
  });

  it('that withdraws does withdraw, and a name in it is told as what it is: claimed', async () => {
    const approvalId = await waiting();
    await signal(approvalId, WITHDRAW_SIGNAL, { by: 'Cleo Marsh (CFO)', reason: 'no longer needed' });
    expect(await world.result(approvalId)).toMatchObject({
      outcome: 'withdrawn',
      reason: 'Withdrawn by a message to the engine, which gave the name "Cleo Marsh (CFO)": no longer needed',
      deciders: [],
    });
    await until(() => actsOf(approvalId).length > 0, 'the agent is told');
    expect(actsOf(approvalId)).toEqual(['withdrawn']);
    const bare = await waiting();
    await signal(bare, WITHDRAW_SIGNAL, [[['nonsense']]]);
    expect(await world.result(bare)).toMatchObject({ outcome: 'withdrawn' });
  });

  it('sent a thousand times over costs one look at the record, or a few, and no decision waits for it', async () => {
    const approvalId = await waiting();
    const before = (await row(approvalId)).head;
    const target = handle(approvalId);
    const flood = Promise.all(Array.from({ length: 1000 }, () => target.signal(NUDGE_SIGNAL)));
    await flood;
    expect((await row(approvalId)).head).toBe(before);
    await endsWell(approvalId);
    const { events = [] } = await target.fetchHistory();
    const runs = new Set((await store.db.selectFrom('entries').select('seq').where('approval_id', '=', approvalId).execute()).map((e) => e.seq));
    // The signals themselves are the engine's to keep; a continued run starts anew.
    expect((events ?? []).filter((e) => e.markerRecordedEventAttributes).length).toBeLessThan(100);
    expect(runs.size).toBeLessThan(before + 12);
  });
});

describe('an update by hand', () => {
  it('that nobody knows, or that is no command, is refused in a sentence and on the record', async () => {
    const approvalId = await waiting();
    const said = [
      await update(approvalId, 'approve', { by: 'cleo' }),
      await update(approvalId, COMMAND_UPDATE, { approve: true }),
      await update(approvalId, COMMAND_UPDATE),
    ];
    expect(said.map(({ ok }) => ok)).toEqual([false, false, false]);
    expect(said.map(({ output }) => /(unknown_update|command_malformed): a decision is made through the API/.exec(output)?.[1])).toEqual([
      'unknown_update',
      'command_malformed',
      'command_malformed',
    ]);
    expect(await refusals(approvalId)).toEqual([
      'unsigned_message by unknown: An update "approve" is not known here',
      'unsigned_message by unknown: An update "command" came without the id of a stored command',
      'unsigned_message by unknown: An update "command" came without the id of a stored command',
    ]);
    expect((await update(approvalId, '__temporal_anything')).ok).toBe(false);
    expect((await temporal('workflow', 'query', '-w', idOf(approvalId), '--type', 'token')).output).toMatch(/did not register a handler for token/);
    await endsWell(approvalId);
    expect(await failedTasks(approvalId)).toEqual([]);
  });
});

describe('a flood of messages that are none of ours', () => {
  it('leaves a bounded number of entries, the last of which says so, and does not keep a person from deciding', async () => {
    const approvalId = await waiting();
    const target = handle(approvalId);
    await Promise.all(
      Array.from({ length: 150 }, (_, n) => (n % 2 === 0 ? target.signal(`odd-${n}`) : target.signal(COMMAND_SIGNAL, { commandId: `never-stored-${n}` }))),
    );
    await Promise.all(Array.from({ length: 8 }, (_, n) => target.executeUpdate(`odd-${n}`).catch(() => null)));
    await until(async () => (await refusals(approvalId)).length > STRAYS_MAX, 'the bound is reached');
    for (let n = 0; n < 3; n += 1)
      expect((await update(approvalId, COMMAND_UPDATE, { commandId: `never-stored-again-${n}` })).output).toContain('unknown_command');
    await endsWell(approvalId);
    const told = await refusals(approvalId);
    expect(told).toHaveLength(STRAYS_MAX + 1);
    expect(told[STRAYS_MAX]).toMatch(/There were many of this kind: more are refused as well, and not recorded one by one$/);
    expect(await store.db.selectFrom('answers').select('command_id').where('approval_id', '=', approvalId).execute()).not.toHaveLength(STRAYS_MAX + 10);
  });

  it('silences nothing of what the engine goes through afterwards, such as a reset and a termination', async () => {
    const approvalId = await waiting();
    await Promise.all(Array.from({ length: 2 * STRAYS_MAX }, (_, n) => handle(approvalId).signal(`odd-${String(n)}`)));
    await until(async () => (await refusals(approvalId)).length > STRAYS_MAX, 'the bound is reached');
    expect(await temporal('workflow', 'reset', '-w', idOf(approvalId), '--reason', 'again', '--type', 'FirstWorkflowTask')).toEqual(DONE);
    await until(async () => (await engineEntries(approvalId)).length === 1, 'the reset is on the record');
    expect(await temporal('workflow', 'terminate', '-w', idOf(approvalId), '--reason', 'a slip')).toEqual(DONE);
    // What was looked at a moment ago is left alone for a while.
    await until(async () => (await sweep()).restarted === 1, 'the sweep has started it again');
    await until(async () => (await row(approvalId)).adopted === (await row(approvalId)).head, 'the new run has looked');
    await endsWell(approvalId);
    expect(await engineEntries(approvalId)).toEqual(['adopted', 'restarted']);
    expect(await refusals(approvalId)).toHaveLength(STRAYS_MAX + 1);
  });
});

describe('an operator', () => {
  it('cancels: withdrawn, and the agent is told', async () => {
    const approvalId = await waiting();
    expect(await temporal('workflow', 'cancel', '-w', idOf(approvalId))).toEqual(DONE);
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn', reason: 'Withdrawn by engine: The approval workflow was cancelled' });
    expect(actsOf(approvalId)).toEqual(['withdrawn']);
    expect(await ends(approvalId)).toBe(1);
  });

  it('terminates: it is started again from the record, which says so, and the agent gets the outcome', async () => {
    const approvalId = await waiting();
    expect(await temporal('workflow', 'terminate', '-w', idOf(approvalId), '--reason', 'a slip')).toEqual(DONE);
    expect(await sweep()).toMatchObject({ restarted: 1, failed: 0 });
    await endsWell(approvalId);
    expect(await engineEntries(approvalId)).toEqual(['restarted']);
    expect(callsOf(approvalId)).toHaveLength(1);
  });

  it('terminates twenty approvals at once by a query, and one sweep has them all again', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => world.submit(refund(48_000))));
    const started = await sweep();
    expect(started.started).toBe(all.length);
    await until(async () => (await Promise.all(all.map(({ approvalId }) => row(approvalId)))).every(({ state }) => state === 'waiting'), 'all wait');
    const query = `TaskQueue = '${world.taskQueue}' AND WorkflowType = 'approval' AND ExecutionStatus = 'Running'`;
    await until(async () => (await temporal('workflow', 'count', '--query', query)).output.includes('20'), 'all are listed');
    expect(await temporal('workflow', 'terminate', '--query', query, '--yes', '--reason', 'a slip')).toEqual(DONE);
    await until(async () => (await temporal('workflow', 'count', '--query', query)).output.includes('Total: 0'), 'all are closed');
    expect(await sweep()).toMatchObject({ restarted: all.length, failed: 0 });
    await Promise.all(all.map(({ approvalId }) => insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' })));
    for (const { approvalId } of all) expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
  });

  it('cancels or terminates a delivery: it is owed all the same, and the sweep takes it up again', async () => {
    const approvalId = await waiting();
    busyFor = approvalId;
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    const debt = await debtOf(approvalId);
    const workflowId = deliveryWorkflowId(TENANT, approvalId, debt.owed_id);
    for (const verb of ['cancel', 'terminate']) {
      expect(await temporal('workflow', verb, '-w', workflowId)).toEqual(DONE);
      await until(async () => (await world.client.workflow.getHandle(workflowId).describe()).status.name !== 'RUNNING', 'it is closed');
      if (verb === 'terminate') busyFor = '';
      const past = instant(Date.now() - 3600_000);
      await store.adminDb.updateTable('deliveries').set({ next_at: past }).where('approval_id', '=', approvalId).where('owed_id', '=', debt.owed_id).execute();
      await until(async () => (await sweep()).redelivered === 1, 'the sweep takes it up');
      await until(async () => (await debtOf(approvalId)).attempts >= (verb === 'cancel' ? 2 : 3), 'it is tried again');
    }
    await until(() => actsOf(approvalId).length > 0, 'the agent is told');
    expect(actsOf(approvalId)).toEqual(['approved']);
    expect(new Set(callsOf(approvalId).map((call) => call.messageId)).size).toBe(1);
  });

  it('deletes an open one: the sweep starts it from the record; deletes an ended one: it stays ended', async () => {
    const approvalId = await waiting();
    const gone = async (): Promise<void> => {
      expect(await temporal('workflow', 'delete', '-w', idOf(approvalId), '--yes')).toEqual(DONE);
      await until(async () => !(await temporal('workflow', 'describe', '-w', idOf(approvalId))).ok, 'the engine has forgotten it');
    };
    await gone();
    await until(async () => (await sweep()).started === 1, 'the sweep starts it');
    await endsWell(approvalId);
    expect(await engineEntries(approvalId)).toEqual(['started']);
    await gone();
    expect(await sweep()).toMatchObject({ started: 0, restarted: 0, failed: 0 });
    expect(await row(approvalId)).toMatchObject({ state: 'approved' });
    expect(callsOf(approvalId)).toHaveLength(1);
  });
});

describe('a reset', () => {
  const reset = async (approvalId: string, ...to: string[]): Promise<Said> =>
    await temporal('workflow', 'reset', '-w', idOf(approvalId), '--reason', 'try again', ...to);

  it('to the first task of an open approval goes on from the record, and asks nobody twice', async () => {
    const approvalId = await waiting();
    await until(async () => world.mail.mails().some((m) => m.text.includes(approvalId)), 'Fay is asked');
    expect(await reset(approvalId, '--type', 'FirstWorkflowTask')).toEqual(DONE);
    await until(async () => (await engineEntries(approvalId)).length > 0, 'the new run has looked');
    await endsWell(approvalId);
    expect(await engineEntries(approvalId)).toEqual(['adopted']);
    expect(world.mail.mails().filter((m) => m.text.includes(approvalId) && m.to[0] === 'fay@example.com' && m.subject.length > 0).length).toBeLessThanOrEqual(
      2,
    );
    expect((await world.story(approvalId)).filter((e) => e.type === 'level_opened')).toHaveLength(1);
  });

  it('to the middle of one that has moved on goes on from the record', async () => {
    const approvalId = await waiting(148_000);
    // The record has it before the engine has closed the task that asked.
    const asked = await until(async () => {
      const { events } = await handle(approvalId).fetchHistory();
      return (events ?? []).findLast((e) => e.workflowTaskCompletedEventAttributes)?.eventId;
    }, 'the engine has closed the task that asked');
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    expect(await reset(approvalId, '--event-id', String(asked), '--reapply-exclude', 'All')).toEqual(DONE);
    const { answer } = await insist(world, approvalId, 'cleo', { type: 'approve', reason: 'ok' });
    expect(answer).toMatchObject({ accepted: true, state: 'approved' });
    expect((await world.result(approvalId)).deciders.map((d) => d.person)).toEqual(['fay', 'cleo']);
    expect(await engineEntries(approvalId)).toEqual(['adopted']);
    expect((await world.story(approvalId)).filter((e) => e.type === 'signed_off')).toHaveLength(2);
    await until(() => actsOf(approvalId).length > 0, 'the agent is told');
    expect(callsOf(approvalId)).toHaveLength(1);
  });

  it.each([
    ['the first task', ['--type', 'FirstWorkflowTask'], true],
    ['the last task', ['--type', 'LastWorkflowTask'], false],
  ])('to %s of one that has ended ends it again with the same result and no second effect', async (_, to, asksAnew) => {
    const approvalId = await waiting();
    await endsWell(approvalId);
    const { token } = await world.result(approvalId);
    expect(await reset(approvalId, ...to, '--reapply-exclude', 'All')).toEqual(DONE);
    await until(async () => {
      await store.adminDb
        .updateTable('approvals')
        .set({ updated_at: instant(Date.now() - 3600_000) })
        .where('approval_id', '=', approvalId)
        .execute();
      await sweep();
      return (await handle(approvalId).describe()).status.name === 'COMPLETED';
    }, 'the new run has closed');
    expect((await world.result(approvalId)).token).toBe(token);
    expect(callsOf(approvalId)).toHaveLength(1);
    expect(await ends(approvalId)).toBe(1);
    // A run that only repeats its last step asks nothing of the record, unless a sweep has knocked at it in between.
    const noted = await engineEntries(approvalId);
    expect(['nudged', 'adopted']).toEqual(expect.arrayContaining(noted));
    if (asksAnew) expect(noted).toContain('adopted');
  });
});

describe('a start by hand', () => {
  const start = async (type: string, workflowId: string, input: unknown, ...more: string[]): Promise<Said> =>
    await temporal(
      'workflow',
      'start',
      '--type',
      type,
      '--task-queue',
      world.taskQueue,
      '-w',
      workflowId,
      ...(input === undefined ? [] : ['--input', JSON.stringify(input)]),
      ...more,
    );
  const failureOf = async (workflowId: string): Promise<string> => {
    await world.client.workflow
      .getHandle(workflowId)
      .result()
      .catch(() => undefined);
    return (await temporal('workflow', 'describe', '-w', workflowId)).output;
  };
  const entries = async (): Promise<number> =>
    Number(
      (
        await store.db
          .selectFrom('entries')
          .select((eb) => eb.fn.countAll().as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    );

  it('of an approval that is open is refused by the engine, or takes its place and goes on from the record', async () => {
    const approvalId = await waiting();
    const input = { tenant: TENANT, approvalId, timeScale: 1 };
    expect(await start('approval', idOf(approvalId), input, '--fail-existing')).toMatchObject({ ok: false });
    expect(await start('approval', idOf(approvalId), input, '--id-conflict-policy', 'TerminateExisting')).toEqual(DONE);
    await until(async () => (await engineEntries(approvalId)).length > 0, 'the new run has looked');
    await endsWell(approvalId);
    expect(await engineEntries(approvalId)).toEqual(['adopted']);
  });

  it('of one that has ended closes with the same result and tells nobody anything', async () => {
    const approvalId = await waiting();
    await endsWell(approvalId);
    const { token } = await world.result(approvalId);
    // Invented as well: what it says it has adopted, and how fast time passes.
    expect(await start('approval', idOf(approvalId), { tenant: TENANT, approvalId, timeScale: 1e9, seq: 999, head: 'ffff' })).toEqual(DONE);
    await until(async () => (await engineEntries(approvalId)).length > 0, 'the new run has looked');
    expect((await world.result(approvalId)).token).toBe(token);
    expect(await engineEntries(approvalId)).toEqual(['adopted']);
    expect(callsOf(approvalId)).toHaveLength(1);
    expect(await ends(approvalId)).toBe(1);
  });

  it('with a time that races keeps the record’s time', async () => {
    const { approvalId } = await world.submit(refund(48_000));
    await start('approval', idOf(approvalId), { tenant: TENANT, approvalId, timeScale: 1e9 });
    await untilState(approvalId, 'waiting');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { events = [] } = await handle(approvalId).fetchHistory();
    expect((events ?? []).filter((e) => e.timerFiredEventAttributes)).toEqual([]);
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
  });

  it('with invented input fails in a sentence and leaves the record as it was', async () => {
    const approvalId = await waiting();
    const before = await entries();
    const input = { tenant: TENANT, approvalId, timeScale: 1 };
    const tried: readonly [string, unknown, RegExp][] = [
      [idOf('ap_never'), { ...input, approvalId: 'ap_never' }, /ap_never was never submitted/],
      [approvalWorkflowId('other', approvalId), { ...input, tenant: 'other' }, /was never submitted/],
      [idOf('ap_x'), input, /is not the workflow of what it was started with/],
      [`second-${approvalId}`, input, /is not the workflow of what it was started with/],
      [idOf('ap_y'), undefined, /is not the workflow of what it was started with/],
      [idOf('ap_z'), 'garbage', /is not the workflow of what it was started with/],
      [idOf('ap_q'), { ...input, approvalId: 'ap_q', timeScale: 0 }, /is not the workflow of what it was started with/],
      [idOf('ap_r'), { ...input, approvalId: 'ap_r', timeScale: 'fast' }, /is not the workflow of what it was started with/],
    ];
    for (const [workflowId, given, why] of tried) {
      expect(await start('approval', workflowId, given)).toEqual(DONE);
      const said = await failureOf(workflowId);
      expect(said).toMatch(/FAILED/);
      expect(said).toMatch(why);
    }
    expect(await entries()).toBe(before);
    await endsWell(approvalId);
  });

  it('of a delivery or a sweep carries out what is owed, or fails, and nothing else', async () => {
    const approvalId = await waiting();
    const input = { tenant: TENANT, approvalId, owedId: '99-0', kind: 'callback', summary: 'x', timeScale: 1, firstInMs: 0 };
    const tried: readonly [string, unknown, RegExp][] = [
      [deliveryWorkflowId(TENANT, approvalId, '99-0'), input, /owes nothing under 99-0/],
      [deliveryWorkflowId(TENANT, 'ap_never', '3-0'), { ...input, approvalId: 'ap_never', owedId: '3-0' }, /was never submitted/],
      ['delivery/other', input, /is not the workflow of what it was started with/],
      [deliveryWorkflowId(TENANT, approvalId, '98-0'), { ...input, owedId: '98-0', kind: 'toString' }, /is not the workflow of what it was started with/],
      [deliveryWorkflowId(TENANT, approvalId, '97-0'), undefined, /is not the workflow of what it was started with/],
    ];
    for (const [workflowId, given, why] of tried) {
      expect(await start('delivery', workflowId, given)).toEqual(DONE);
      expect(await failureOf(workflowId)).toMatch(why);
    }
    const sweepId = `sweep-${randomUUID()}`;
    await start('reconcile', sweepId, { approve: approvalId });
    expect(await world.client.workflow.getHandle(sweepId).result()).toMatchObject({ failed: 0 });
    expect(await row(approvalId)).toMatchObject({ state: 'waiting' });
    await endsWell(approvalId);
  });
});
