/**
 * Submit and commit over a real store: what is taken is on the record whole, what is refused leaves nothing.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { createCore, type Core } from '../../activities/core';
import { SubmitError } from '../../activities/errors';
import { databaseClock, type Clock } from '../../domain/clock';
import { after } from '../../domain/json';
import type { Move } from '../../domain/moves';
import type { AgentIdentity, RequestDraft } from '../../domain/request';
import { digest } from '../../record/canonical';
import { registerAgent } from '../../record/store/agents';
import { readEvents, readTimeline } from '../../record/store/entries';
import { publishPolicy } from '../../record/store/policies';
import type { CommandAnswer } from '../../workflows/protocol';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { AGENT, TENANT, publish } from '../support/desk';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const store = useStore();
let core: Core;

const coreFor = (): Core =>
  createCore({
    db: store.db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
const submit = (request: unknown, key: string = randomUUID(), identity: AgentIdentity = AGENT) => core.submit(identity, key, request);
const rows = async () =>
  Number(
    (
      await store.adminDb
        .selectFrom('requests')
        .select((e) => e.fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  );

/** The code a request is refused with; fails if it is taken, or if it leaves a row. */
async function refusal(request: unknown, key?: string, identity?: AgentIdentity): Promise<string> {
  const before = await rows();
  const error = await submit(request, key, identity).then(
    () => new Error('it was taken'),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(SubmitError);
  expect(await rows()).toBe(before);
  const { code, message } = error as SubmitError;
  expect(message).toMatch(/\w/);
  return code;
}

beforeAll(async () => {
  core = coreFor();
  await publish(store, DESK_POLICY, DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: ['agent.example.com'], callbackSecrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] });
});

describe('a request that is taken', () => {
  it('is on the record whole, with its plan, its packet’s digest and the policy’s hash', async () => {
    const answer = await submit(refund(148_000));
    expect(answer).toMatchObject({ state: 'routing', replayed: false, needsWorkflow: true, result: null, meanwhile: { agent: 'freeze_decision' } });
    expect(answer.headline).toBe('Refund order o1 to the customer (USD 1,480.00, affects one customer, is hard to undo, case T-100).');
    const [requested, routed, ...rest] = (await readEvents(store.db, TENANT, answer.approvalId)).map((r) => r.event);
    expect(requested).toMatchObject({ type: 'requested', agent: 'refund-bot', customer: 'c-7', caseId: 'T-100', actionDigest: answer.actionDigest });
    expect(routed).toMatchObject({
      type: 'routed',
      signOffs: ['1', '2'],
      packetDigest: answer.packetDigest,
      planDigest: digest(answer.plan as never),
      policy: answer.plan.policy,
    });
    expect(rest).toEqual([]);
    const [first] = await readTimeline(store.db, TENANT, answer.approvalId);
    expect(first?.fields).toMatchObject({
      'context.amount': { minor: 148_000, currency: 'USD' },
      'context.case': 'T-100',
      'context.system': 'billing',
      'context.personal': { customer: 'c-7' },
    });
  });

  it('exactly at the limit is allowed at once, with a token and no workflow', async () => {
    const answer = await submit(refund(25_000));
    expect(answer).toMatchObject({
      state: 'allowed',
      needsWorkflow: false,
      result: { outcome: 'allowed', next: { path: 'execute the action exactly as stated' } },
    });
    const claims = await core.tokens.verify(answer.result?.token ?? '', { now: answer.result?.decidedAt ?? '' });
    expect(claims).toMatchObject({ outcome: 'allowed', action_digest: answer.actionDigest, entry: 3 });
  });

  it('what the policy forbids is blocked at once, with the row that says so', async () => {
    expect(await submit(actionOf('secret.reveal'))).toMatchObject({
      state: 'blocked',
      needsWorkflow: false,
      result: { outcome: 'blocked', reason: 'Blocked by never' },
    });
  });

  it('the same key with the same request is the same request; two equal requests under two keys are two', async () => {
    const key = randomUUID();
    const one = await submit(refund(48_000), key);
    expect(await submit(refund(48_000), key)).toMatchObject({ approvalId: one.approvalId, replayed: true, packetDigest: one.packetDigest });
    expect((await submit(refund(48_000))).approvalId).not.toBe(one.approvalId);
    const other = await submit(refund(48_000), key, { tenant: TENANT, agent: 'other-bot', owner: null });
    expect(other.approvalId).not.toBe(one.approvalId);
  });

  it('twenty submissions under one key at once are one request', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, () => submit(refund(48_000), key)));
    expect(new Set(answers.map((a) => a.approvalId)).size).toBe(1);
    expect(answers.filter((a) => !a.replayed)).toHaveLength(1);
  });
});

describe('a request that is refused leaves nothing', () => {
  const broken: readonly (readonly [string, string, unknown])[] = [
    ['a missing parameter', 'missing_fact', { ...refund(1), action: { ...refund(1).action, params: { amount: { minor: 1, currency: 'USD' } } } }],
    ['a mistyped parameter', 'mistyped_fact', { ...refund(1), action: { ...refund(1).action, params: { amount: 250, order: 'o1' } } }],
    ['an unknown action type', 'unknown_action', actionOf('rocket.launch')],
    ['a fact that nobody declared', 'forbidden_fact', { ...refund(48_000), facts: { trusted: true } }],
    ['evidence that the row requires', 'missing_evidence', actionOf('invoice.pay', { amount: { minor: 5, currency: 'USD' }, invoice: 'i1' })],
    ['a lane of the agent’s own choosing', 'invalid_request', { ...refund(48_000), lane: 'manager' }],
    ['a role, a tier or a deadline in the action', 'invalid_request', { ...refund(48_000), action: { ...refund(48_000).action, tier: 'none' } }],
    ['an action without a summary', 'invalid_request', { ...refund(48_000), action: { ...refund(48_000).action, summary: '  ' } }],
    ['no body at all', 'invalid_request', null],
    [
      'more than 128 KB',
      'too_large',
      refund(48_000, { evidence: ['a', 'b', 'c'].map((name) => ({ name, title: name, source: 'agent' as const, content: 'x'.repeat(60_000) })) }),
    ],
    [
      'a callback to a host that is not registered',
      'callback_not_allowed',
      refund(48_000, { resume: { type: 'callback', url: 'https://evil.example.net/hook' } }),
    ],
    ['a callback to this machine', 'callback_not_allowed', refund(48_000, { resume: { type: 'callback', url: 'http://127.0.0.1:9999/hook' } })],
    ['a callback without https', 'callback_not_allowed', refund(48_000, { resume: { type: 'callback', url: 'http://agent.example.com/hook' } })],
    ...[
      ['another approval’s workflow', `approval/${TENANT}/ap_000000000000000000000000`],
      ['a delivery’s workflow', `delivery/${TENANT}/ap_000000000000000000000000/5-0`],
      ['a sweep', 'reconcile/countersign-workflow-2026-11-21T10:00:00Z'],
      ['the engine’s keeper of the sweep’s schedule', 'temporal-sys-scheduler:reconcile/countersign'],
    ].map(
      ([what = '', workflow_id = '']) =>
        [`${what} as the agent’s`, 'workflow_not_allowed', refund(48_000, { resume: { type: 'workflow', workflow_id } })] as const,
    ),
  ];
  it.each(broken)('%s: %s', async (_what, code, request) => {
    expect(await refusal(request)).toBe(code);
  });

  it('a workflow of Countersign as the agent’s is named in the refusal, and one of the agent’s own that is only called alike is taken', async () => {
    const named = refund(48_000, { resume: { type: 'workflow', workflow_id: 'approval/desk/ap_1' } });
    await expect(submit(named)).rejects.toMatchObject({
      message:
        'resume.workflow_id names approval/desk/ap_1, and workflows with such ids belong to Countersign; name the workflow of your agent that waits for the outcome',
      issues: [{ code: 'workflow_not_allowed', path: 'resume.workflow_id' }],
    });
    for (const workflow_id of ['refunds/approval/7', 'approval-of-refund-7', 'agent-1'])
      expect(await submit(refund(48_000, { resume: { type: 'workflow', workflow_id } }))).toMatchObject({ replayed: false, state: 'routing' });
  });

  it('a key used for another request: key_reused', async () => {
    const key = randomUUID();
    await submit(refund(48_000), key);
    expect(await refusal(refund(49_000), key)).toBe('key_reused');
  });

  it('a tenant without a policy, and one without a directory: nothing is allowed', async () => {
    expect(await refusal(refund(1), undefined, { tenant: 'nobody', agent: 'bot', owner: null })).toBe('no_policy');
    const desk = await store.db.selectFrom('policies').selectAll().executeTakeFirstOrThrow();
    await publishPolicy(store.db, desk, { tenant: 'half', by: 'x', record: store.keys.record });
    expect(await refusal(refund(1), undefined, { tenant: 'half', agent: 'bot', owner: null })).toBe('no_directory');
  });
});

describe('commit', () => {
  async function opened(request: RequestDraft = refund(48_000)): Promise<{ approvalId: string; packetDigest: string }> {
    const answer = await submit(request);
    await core.commit({ tenant: TENANT, approvalId: answer.approvalId, seq: 0, command: { type: 'open' }, workflowTime: 0 });
    return answer;
  }
  async function store1(of: { approvalId: string; packetDigest: string }, person: string, move: Move): Promise<string> {
    const commandId = randomUUID();
    await issueCommand(core.deps, {
      tenant: TENANT,
      approvalId: of.approvalId,
      commandId,
      person,
      move,
      packetDigest: of.packetDigest,
      signedInAt: new Date().toISOString(),
    });
    return commandId;
  }
  const commit = async (approvalId: string, commandId: string): Promise<CommandAnswer | null> =>
    (await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: 0 })).answer;

  it('of forty decisions at once one stands, and everyone is told which', async () => {
    const asked = await opened();
    const moves: Move[] = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? { type: 'approve', reason: 'ok' } : { type: 'deny', reason: 'no' }));
    const ids = await Promise.all(moves.map((move, i) => store1(asked, i % 4 < 2 ? 'fay' : 'finn', move)));
    const answers = await Promise.all(ids.map((id) => commit(asked.approvalId, id)));
    expect(answers.filter((a) => a?.accepted)).toHaveLength(1);
    expect(new Set(answers.map((a) => a?.state)).size).toBe(1);
    const events = (await readEvents(store.db, TENANT, asked.approvalId)).map((r) => r.event);
    expect(events.filter((e) => e.type === 'ended')).toHaveLength(1);
    expect(events.filter((e) => e.type === 'refused').map((e) => e.code)).toEqual(Array.from({ length: 39 }, () => 'already_decided'));
  });

  it('a clock that knocks early does nothing but say when to come again; opening twice opens once', async () => {
    const asked = await opened();
    const input = { tenant: TENANT, approvalId: asked.approvalId, seq: 0, workflowTime: 0 };
    const early = await core.commit({ ...input, command: { type: 'clock' } });
    await core.commit({ ...input, command: { type: 'open' } });
    expect(early.view.wake?.label).toMatch(/^Remind finance manager \(Fay Okafor\) until .* UTC, then CFO is asked$/);
    expect((await readEvents(store.db, TENANT, asked.approvalId)).map((r) => r.event.type)).toEqual(['requested', 'routed', 'level_opened']);
  });

  it('a claim shows one owner; another holder waits for its release', async () => {
    const asked = await opened();
    expect(await commit(asked.approvalId, await store1(asked, 'finn', { type: 'claim' }))).toMatchObject({ accepted: true });
    expect(await store.db.selectFrom('approvals').select('owner').where('approval_id', '=', asked.approvalId).executeTakeFirst()).toEqual({ owner: 'finn' });
    expect(await commit(asked.approvalId, await store1(asked, 'fay', { type: 'approve', reason: 'ok' }))).toMatchObject({
      refusal: { code: 'claimed_by_another' },
    });
    await commit(asked.approvalId, await store1(asked, 'finn', { type: 'release' }));
    expect(await commit(asked.approvalId, await store1(asked, 'fay', { type: 'approve', reason: 'ok' }))).toMatchObject({ accepted: true, state: 'approved' });
  });

  it('the entry of a decision carries the signature of the command that made it', async () => {
    const asked = await opened();
    const commandId = await store1(asked, 'fay', { type: 'approve', reason: 'Receipt checked' });
    await commit(asked.approvalId, commandId);
    const command = await store.db.selectFrom('commands').selectAll().where('command_id', '=', commandId).executeTakeFirstOrThrow();
    const signed = (await readEvents(store.db, TENANT, asked.approvalId)).flatMap((r) => (r.event.type === 'signed_off' ? [r.event] : []));
    expect(signed).toMatchObject([
      {
        by: 'fay',
        role: 'finance_manager',
        authority: 'full',
        reason: 'Receipt checked',
        proof: { commandId, signature: command.signature, packetDigest: asked.packetDigest },
      },
    ]);
  });

  it.each(['fay', 'FAY@example.com', ' fay  okafor '])('a request for "%s" is not decided by Fay, however she is spelled', async (spelled) => {
    const asked = await opened(refund(48_000, { on_behalf_of: spelled }));
    const opened1 = (await readEvents(store.db, TENANT, asked.approvalId)).flatMap((r) => (r.event.type === 'level_opened' ? [r.event.owner] : []));
    expect(opened1).toEqual(['finn']);
    expect(await commit(asked.approvalId, await store1(asked, 'fay', { type: 'approve', reason: 'ok' }))).toMatchObject({
      refusal: { code: 'requester_may_not_decide' },
    });
  });

  it('who was on the asking side stays there when they have another name and address', async () => {
    const asked = await opened(refund(48_000, { on_behalf_of: 'fay@example.com' }));
    await publish(store, DESK_POLICY, DESK_DIRECTORY.replace('fay@example.com', 'fay.now@example.com'));
    const answer = await commit(asked.approvalId, await store1(asked, 'fay', { type: 'approve', reason: 'ok' }));
    await publish(store, DESK_POLICY, DESK_DIRECTORY);
    expect(answer).toMatchObject({ accepted: false, refusal: { code: 'requester_may_not_decide' } });
  });

  it('a yes after the level’s time does not count, even when the clock was late: the next level is open', async () => {
    const asked = await opened();
    const later: Clock = { scale: 1, now: ({ database }) => after(database, 31 * 60_000) };
    const late = createCore({ ...core.deps, clock: later });
    const commandId = randomUUID();
    await issueCommand(late.deps, {
      tenant: TENANT,
      approvalId: asked.approvalId,
      commandId,
      person: 'fay',
      move: { type: 'approve', reason: 'ok' },
      packetDigest: asked.packetDigest,
      signedInAt: new Date().toISOString(),
    });
    const { answer } = await late.commit({ tenant: TENANT, approvalId: asked.approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: 0 });
    expect(answer).toMatchObject({ accepted: false, state: 'waiting', refusal: { code: 'role_not_held' } });
    expect((await readEvents(store.db, TENANT, asked.approvalId)).map((r) => r.event.type)).toEqual([
      'requested',
      'routed',
      'level_opened',
      'level_timed_out',
      'level_opened',
      'refused',
    ]);
  });
});
