/**
 * The life of an approval on the engine that skips time, over a real store and a real SMTP sink: hours of ladder in seconds.
 */
import { randomUUID } from 'node:crypto';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { instant } from '../../domain/json';
import { readTimeline } from '../../record/store/entries';
import { startTimeSkipping } from '../../workers/engine';
import {
  COMMAND_SIGNAL,
  COMMAND_UPDATE,
  NUDGE_SIGNAL,
  VIEW_QUERY,
  WITHDRAW_SIGNAL,
  approvalWorkflowId,
  type ApprovalView,
  type CommandAnswer,
} from '../../workflows/protocol';
import { issueCommand } from '../../activities/commands';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, refund, type World } from '../support/world';

let env: TestWorkflowEnvironment;
let world: World;

afterAll(async () => {
  await world.close();
  await env.teardown();
});
// After our own hook, so that it runs before: the worker stops before its store does.
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  world = await openWorld({ store, skipping: env });
});

const handle = (approvalId: string) => world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
const view = async (approvalId: string) => await handle(approvalId).query<ApprovalView>(VIEW_QUERY);
const types = async (approvalId: string) => (await world.story(approvalId)).map((e) => e.type);
/** Waits until the first level is open, without letting time pass. */
async function asked(approvalId: string): Promise<ApprovalView> {
  for (;;) {
    const seen = await view(approvalId).catch(() => null);
    if (seen && seen.state !== 'routing') return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('silence', () => {
  it('reminds, moves up the ladder, expires, opens a ticket and tells the customer, hours in seconds', async () => {
    const started = await env.currentTimeMs();
    const { approvalId } = await world.ask(refund(48_000));
    const result = await world.result(approvalId);
    expect(result).toMatchObject({ outcome: 'expired', reason: 'Nobody answered in time', deciders: [] });
    expect((await env.currentTimeMs()) - started).toBeGreaterThanOrEqual(2.5 * 3600_000);
    const story = await world.story(approvalId);
    expect(story.map((e) => e.type).filter((t) => t !== 'attempted')).toEqual([
      'requested',
      'routed',
      'level_opened',
      'reminded',
      'level_timed_out',
      'level_opened',
      'level_timed_out',
      'ended',
    ]);
    expect(story.filter((e) => e.type === 'level_opened').map((e) => [e.name, e.owner, e.next])).toEqual([
      ['finance manager', 'fay', 'CFO is asked'],
      ['CFO', 'cleo', 'the request expires and a ticket opens for manual review'],
    ]);
    const tickets = await store.db.selectFrom('tickets').selectAll().where('approval_id', '=', approvalId).execute();
    expect(tickets).toMatchObject([{ queue: 'finance-review', owner: 'finance_manager', state: 'open', title: 'Review the refund by hand' }]);
    const mails = world.mail.mails().filter((m) => JSON.stringify(m).includes(approvalId) || JSON.stringify(m).includes('kim@example.com'));
    expect(mails.map((m) => m.to[0]).sort()).toEqual([
      'cleo@example.com',
      'cleo@example.com',
      'fay@example.com',
      'fay@example.com',
      'fay@example.com',
      'kim@example.com',
    ]);
  });

  it('holds for the backup for a bounded time, then denies', async () => {
    const started = await env.currentTimeMs();
    const { approvalId } = await world.ask(
      actionOf(
        'invoice.pay',
        { amount: { minor: 500, currency: 'USD' }, invoice: 'i1' },
        { evidence: [{ name: 'invoice', title: 'Invoice', source: 'system', content: 'USD 5' }] },
      ),
    );
    const result = await world.result(approvalId);
    expect(result.outcome).toBe('denied');
    expect((await env.currentTimeMs()) - started).toBeGreaterThanOrEqual(5 * 3600_000);
    expect(await types(approvalId)).toEqual(expect.arrayContaining(['held', 'ended']));
  });

  it('names the declared safe alternative', async () => {
    const { approvalId } = await world.ask(actionOf('export.send', { rows: 10 }));
    const result = await world.result(approvalId);
    expect(result).toMatchObject({ outcome: 'expired', next: { alternative: { type: 'export.send', params: { rows: 0 } } } });
  });
});

describe('decisions', () => {
  it('a yes within authority ends it, with a token that verifies', async () => {
    const { approvalId, actionDigest } = await world.ask(refund(48_000));
    await asked(approvalId);
    const answer = await world.move(approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect(answer).toMatchObject({ accepted: true, state: 'approved', refusal: null });
    const result = await world.result(approvalId);
    expect(result).toMatchObject({ outcome: 'approved', actionDigest, deciders: [{ person: 'fay', role: 'finance_manager' }] });
    const claims = await world.core.tokens.verify(result.token, { now: result.decidedAt });
    expect(claims).toMatchObject({ sub: approvalId, outcome: 'approved', action_digest: actionDigest, agent: 'refund-bot', tenant: TENANT });
  });

  it('above the manager’s authority the CFO signs as well, and one person cannot give both', async () => {
    const { approvalId, plan } = await world.ask(refund(148_000));
    expect(plan.signOffs.map((s) => s.role)).toEqual(['finance_manager', 'cfo']);
    await asked(approvalId);
    expect(await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' })).toMatchObject({ accepted: true, state: 'waiting' });
    expect(await world.move(approvalId, 'fay', { type: 'approve', reason: 'again' })).toMatchObject({ accepted: false, refusal: { code: 'role_not_held' } });
    expect(await world.move(approvalId, 'cleo', { type: 'approve', reason: 'ok' })).toMatchObject({ accepted: true, state: 'approved' });
    expect((await world.result(approvalId)).deciders.map((d) => d.person)).toEqual(['fay', 'cleo']);
    const signed = (await world.story(approvalId)).flatMap((e) => (e.type === 'signed_off' ? [[e.by, e.authority]] : []));
    expect(signed).toEqual([
      ['fay', 'endorsement'],
      ['cleo', 'full'],
    ]);
  });

  it('a no ends it at once; the agent gets the declared path and the requester is told', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    await world.move(approvalId, 'finn', { type: 'deny', reason: 'No receipt' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied', next: { path: 'log the reason and end the run' } });
    expect(world.mail.mails().some((m) => m.to[0] === 'rita@example.com')).toBe(true);
  });

  it('dual control takes two different people', async () => {
    const { approvalId } = await world.ask(actionOf('export.send', { rows: 10 }));
    await asked(approvalId);
    expect(await world.move(approvalId, 'sam', { type: 'approve', reason: 'scope is fine' })).toMatchObject({ accepted: true, state: 'waiting' });
    expect(await world.move(approvalId, 'sam', { type: 'approve', reason: 'me again' })).toMatchObject({
      accepted: false,
      refusal: { code: 'already_chosen' },
    });
    expect(await world.move(approvalId, 'sue', { type: 'approve', reason: 'destination is fine' })).toMatchObject({ accepted: true, state: 'approved' });
  });

  it('an escalation is taken over and handed back with instructions', async () => {
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await asked(approvalId);
    expect(await world.move(approvalId, 'lea', { type: 'approve', reason: 'fine' })).toMatchObject({ refusal: { code: 'approval_needs_takeover' } });
    expect(await world.move(approvalId, 'lea', { type: 'take_over', reason: 'I know this customer' })).toMatchObject({ accepted: true, state: 'taken_over' });
    expect((await view(approvalId)).attributes).toMatchObject({ state: 'taken_over', owners: ['lea'] });
    expect(await world.move(approvalId, 'lea', { type: 'hand_back', instructions: 'Offer a replacement' })).toMatchObject({
      accepted: true,
      state: 'handed_back',
    });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'handed_back', next: { path: 'Offer a replacement' } });
  });

  it('an escalation is taken over and done by hand', async () => {
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await asked(approvalId);
    await world.move(approvalId, 'lea', { type: 'take_over', reason: '' });
    await world.move(approvalId, 'lea', { type: 'resolve', result: 'Called the customer' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'resolved_by_person', next: { path: 'do not execute; it was done by hand' } });
  });

  it('a takeover that nobody finishes lapses to the row’s end', async () => {
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await asked(approvalId);
    await world.move(approvalId, 'lea', { type: 'take_over', reason: '' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'expired' });
    expect(await types(approvalId)).toContain('takeover_lapsed');
  });

  it('a decision by signal passes the same inbox and commit', async () => {
    const { approvalId, packetDigest } = await world.ask(refund(48_000));
    await asked(approvalId);
    const now = instant(await env.currentTimeMs());
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
    await handle(approvalId).signal(COMMAND_SIGNAL, { commandId });
    expect((await world.result(approvalId)).outcome).toBe('approved');
  });
});

describe('a store that is away for a moment', () => {
  it('delays a decision and fails nothing: the commit is tried again until it is durable', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    await store.adminDb.schema.alterTable('approvals').renameTo('approvals_away').execute();
    const moving = world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' }, { commandId: randomUUID() });
    const isRegular = async () =>
      ((await handle(approvalId).fetchHistory()).events ?? []).some((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'commit');
    await until(isRegular, 'the commit is tried as a regular activity');
    await store.adminDb.schema.alterTable('approvals_away').renameTo('approvals').execute();
    expect(await moving).toMatchObject({ accepted: true, state: 'approved' });
    const { events } = await handle(approvalId).fetchHistory();
    expect((events ?? []).filter((e) => e.workflowTaskFailedEventAttributes)).toEqual([]);
    expect((await world.result(approvalId)).outcome).toBe('approved');
  });
});

describe('the agent’s side', () => {
  it('withdraws by signal, and by cancelling the workflow', async () => {
    const one = await world.ask(refund(48_000));
    await asked(one.approvalId);
    await handle(one.approvalId).signal(WITHDRAW_SIGNAL, { by: 'refund-bot', reason: 'Customer changed their mind' });
    expect(await world.result(one.approvalId)).toMatchObject({ outcome: 'withdrawn', reason: 'Withdrawn by refund-bot: Customer changed their mind' });
    const two = await world.ask(refund(48_000));
    await asked(two.approvalId);
    await handle(two.approvalId).cancel();
    expect(await world.result(two.approvalId)).toMatchObject({ outcome: 'withdrawn' });
  });
});

describe('bad input', () => {
  const update = async (approvalId: string, commandId: string) =>
    await handle(approvalId).executeUpdate<CommandAnswer, [{ commandId: string }]>(COMMAND_UPDATE, { args: [{ commandId }], updateId: randomUUID() });

  it('every move that may not count gets its code, leaves an entry, and the workflow stays healthy', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    const code = async (person: string, move: Parameters<World['move']>[2], given?: Parameters<World['move']>[3]) =>
      (await world.move(approvalId, person, move, given)).refusal?.code;
    expect(await code('sam', { type: 'approve', reason: 'x' })).toBe('role_not_held');
    expect(await code('nobody', { type: 'approve', reason: 'x' })).toBe('not_a_person');
    expect(await code('rita', { type: 'approve', reason: 'x' })).toBe('requester_may_not_decide');
    expect(await code('fay', { type: 'approve', reason: 'x' }, { packetDigest: 'f'.repeat(64) })).toBe('stale_packet');
    expect(await code('fay', { type: 'deny', reason: ' ' })).toBe('reason_required');
    expect(await code('fay', { type: 'resolve', result: 'x' })).toBe('not_taken_over');
    expect(await code('fay', { type: 'release' })).toBe('not_claimed');
    expect(await code('finn', { type: 'claim' })).toBeUndefined();
    expect(await code('fay', { type: 'approve', reason: 'x' })).toBe('claimed_by_another');
    expect(await code('fay', { type: 'approve', reason: 'x' }, { now: (await env.currentTimeMs()) - 3600_000 })).toBe('command_expired');
    const refusals = (await world.story(approvalId)).flatMap((e) => (e.type === 'refused' ? [e.code] : []));
    expect(refusals).toHaveLength(9);
    expect(await world.move(approvalId, 'finn', { type: 'approve', reason: 'ok' })).toMatchObject({ accepted: true });
  });

  it('a command that was never stored, was forged, or was made for another approval does not count', async () => {
    const one = await world.ask(refund(48_000));
    const two = await world.ask(refund(49_000));
    await asked(one.approvalId);
    await asked(two.approvalId);
    expect((await update(one.approvalId, 'never-stored-1')).refusal?.code).toBe('unknown_command');
    const now = instant(await env.currentTimeMs());
    const foreign = randomUUID();
    await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId: two.approvalId,
      commandId: foreign,
      person: 'fay',
      move: { type: 'approve', reason: 'x' },
      packetDigest: two.packetDigest,
      signedInAt: now,
      now,
    });
    expect((await update(one.approvalId, foreign)).refusal?.code).toBe('wrong_approval');
    const forged = randomUUID();
    const body = await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId: one.approvalId,
      commandId: randomUUID(),
      person: 'sam',
      move: { type: 'approve', reason: 'x' },
      packetDigest: one.packetDigest,
      signedInAt: now,
      now,
    });
    const stored = await store.db.selectFrom('commands').selectAll().where('command_id', '=', body.commandId).executeTakeFirstOrThrow();
    await store.db
      .insertInto('commands')
      .values({ ...stored, command_id: forged, person: 'fay', body: JSON.stringify({ ...body, commandId: forged, person: 'fay' }) })
      .execute();
    expect((await update(one.approvalId, forged)).refusal?.code).toBe('bad_signature');
    expect(await view(one.approvalId)).toMatchObject({ state: 'waiting' });
  });

  it('a repeated command gets the answer it got, never a second effect', async () => {
    const { approvalId } = await world.ask(refund(148_000));
    await asked(approvalId);
    const commandId = randomUUID();
    const first = await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' }, { commandId });
    expect(await update(approvalId, commandId)).toEqual(first);
    expect((await world.story(approvalId)).filter((e) => e.type === 'signed_off')).toHaveLength(1);
  });

  it('an update of the wrong shape is refused by the validator; nonsense signals change nothing', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    await expect(handle(approvalId).executeUpdate(COMMAND_UPDATE, { args: [{ approve: true }] })).rejects.toThrow();
    await handle(approvalId).signal(COMMAND_SIGNAL, 'approve');
    await handle(approvalId).signal(NUDGE_SIGNAL, { state: 'approved' });
    expect(await view(approvalId)).toMatchObject({ state: 'waiting' });
    expect(await types(approvalId)).not.toContain('ended');
  });

  it('a signal of broken bytes, or of none, changes nothing and fails no task', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    for (const signalName of [COMMAND_SIGNAL, NUDGE_SIGNAL, 'nobody-knows-me']) {
      for (const payloads of [
        [],
        [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('nope{') }],
        [{ metadata: { encoding: Buffer.from('odd/odd') }, data: Buffer.from([0, 1]) }],
      ]) {
        await world.client.workflowService.signalWorkflowExecution({
          namespace: 'default',
          workflowExecution: { workflowId: approvalWorkflowId(TENANT, approvalId) },
          signalName,
          input: { payloads },
          requestId: randomUUID(),
        });
      }
    }
    expect(await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' })).toMatchObject({ accepted: true, state: 'approved' });
    const { events } = await handle(approvalId).fetchHistory();
    expect((events ?? []).filter((e) => e.workflowTaskFailedEventAttributes)).toEqual([]);
  });

  it('a withdrawal whose words the record cannot keep is a withdrawal all the same', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    await handle(approvalId).signal(WITHDRAW_SIGNAL, { by: 'bot\0', reason: `${'x'.repeat(499)}\u{1F600}` });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn' });
  });

  it('a command of one approval that is tried on another counts where it was made for, and only there', async () => {
    const one = await world.ask(refund(48_000));
    const two = await world.ask(refund(49_000));
    await asked(one.approvalId);
    await asked(two.approvalId);
    const now = instant(await env.currentTimeMs());
    const commandId = randomUUID();
    await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId: one.approvalId,
      commandId,
      person: 'fay',
      move: { type: 'approve', reason: 'x' },
      packetDigest: one.packetDigest,
      signedInAt: now,
      now,
    });
    for (let i = 0; i < 2; i += 1) expect((await update(two.approvalId, commandId)).refusal?.code).toBe('wrong_approval');
    expect(await update(one.approvalId, commandId)).toMatchObject({ accepted: true, state: 'approved' });
    expect(await view(two.approvalId)).toMatchObject({ state: 'waiting' });
  });

  it('a move after the end is told which outcome stands', async () => {
    const { approvalId, packetDigest } = await world.ask(refund(48_000));
    await asked(approvalId);
    await world.move(approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    await world.result(approvalId);
    const now = instant(await env.currentTimeMs());
    const commandId = randomUUID();
    await issueCommand(world.core.deps, {
      tenant: TENANT,
      approvalId,
      commandId,
      person: 'finn',
      move: { type: 'approve', reason: 'x' },
      packetDigest,
      signedInAt: now,
      now,
    });
    const { answer } = await world.core.commit({
      tenant: TENANT,
      approvalId,
      seq: 0,
      command: { type: 'command', commandId },
      workflowTime: await env.currentTimeMs(),
    });
    expect(answer).toMatchObject({ accepted: false, state: 'denied', refusal: { code: 'already_decided' } });
    expect((await readTimeline(store.db, TENANT, approvalId)).at(-1)?.type).toBe('refused');
  });

  it('a workflow started without a submitted request fails and allows nothing', async () => {
    const run = await world.client.workflow.start('approval', {
      workflowId: approvalWorkflowId(TENANT, 'ap_never'),
      taskQueue: world.taskQueue,
      args: [{ tenant: TENANT, approvalId: 'ap_never', timeScale: 1 }],
    });
    await expect(run.result()).rejects.toThrow();
  });
});
