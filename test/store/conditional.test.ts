/**
 * Conditional yeses over a real store: routed again by the policy that the request is pinned to, told in the token, verified offline.
 * Answers, what goes on from them, and exceptions by who refused.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { createCore, type Core } from '../../activities/core';
import type { SubmitAnswer } from '../../activities/submit';
import { NotExecutable, requireExecutable, verifyDecisionToken } from '../../client/receiver';
import { databaseClock } from '../../domain/clock';
import type { JsonObject } from '../../domain/json';
import type { Move } from '../../domain/moves';
import type { ApprovalResult } from '../../domain/outcome';
import type { Conditions } from '../../domain/plan';
import type { RequestDraft } from '../../domain/request';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { readRecord } from '../../record/store/export';
import { verifyRecord } from '../../record/verify';
import type { CommandAnswer } from '../../workflows/protocol';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { actionOf } from '../support/requests';
import { useStore } from '../support/store';

/** Small gifts are what a thief tries first, and go to security; many people at once need two signatures, few do not. */
const POLICY = `
name: gifts
version: "1"
actions:
  gift.send: { params: { amount: money, recipients: list<string> } }
  draft.send: {}
  fee.waive: {}
facts:
  order_total: { type: money, source: agent }
  confidence: { type: double, source: agent, required_for: [draft.send] }
lanes: { finance: { owner: finance_manager } }
authority: { finance_manager: { up_to: 1000.00 USD }, cfo: { up_to: unlimited } }
defaults:
  tier: lightweight
  risk: medium
  urgency: soon
  meanwhile: { agent: hold_send, operator: look at the order }
  evidence: []
  lane: finance
  on_deny: { path: tell the customer and end }
  on_timeout: { end: deny }
default: { tier: none, lane: finance, why: Within what is usual }
rows:
  - id: gift
    when: action.type == "gift.send"
    examples:
      match: [{ action: { type: gift.send, params: { amount: 1.00 USD } } }]
      no_match: [{ action: { type: fee.waive } }]
    amount: action.params.amount
    ladder: [{ role: finance_manager }]
    offers: { amount_at_most: { param: amount }, only_recipients: { param: recipients }, expires_within: 24h }
  - id: probing
    when: action.type == "gift.send" && action.params.amount < usd(10)
    examples:
      match: [{ action: { type: gift.send, params: { amount: 9.99 USD } } }]
      no_match: [{ action: { type: gift.send, params: { amount: 10.00 USD } } }]
    lane: security
    owner: security_officer
    ladder: [{ role: security_officer }]
  - id: unsure
    when: action.type == "draft.send" && facts.confidence < 0.72 && !has(facts.order_total)
    examples:
      match: [{ action: { type: draft.send }, facts: { confidence: 0.71 } }]
      no_match: [{ action: { type: draft.send }, facts: { confidence: 0.71, order_total: 1.00 USD } }, { action: { type: draft.send }, facts: { confidence: 0.72 } }]
    kind: escalation
    lane: customer
    owner: support_lead
    ladder: [{ role: support_lead }]
    asks_for: { order_total: money, intent: 'enum[refund, exchange]' }
  - id: waiver
    when: action.type == "fee.waive"
    examples: { match: [{ action: { type: fee.waive } }], no_match: [{ action: { type: draft.send }, facts: { confidence: 0.9 } }] }
    ladder: [{ role: finance_manager }]
  - id: waiver_after_finance
    excepts: [waiver]
    when: exception.outcome == "denied" && "finance_manager" in exception.by
    examples:
      match: [{ action: { type: fee.waive }, exception: { outcome: denied, by: [finance_manager] } }]
      no_match: [{ action: { type: fee.waive }, exception: { outcome: denied, by: [cfo] } }, { action: { type: fee.waive }, exception: { outcome: denied } }]
    ladder: [{ role: finance_manager }]
    offers: { options: { half: Half of the fee, whole: The whole fee } }
`;

const store = useStore();
let core: Core;

const coreOf = (): Core =>
  createCore({
    db: store.db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });

beforeAll(async () => {
  core = coreOf();
  await publish(store, POLICY, DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
});

const usd = (minor: number) => ({ minor, currency: 'USD' });
const gift = (minor: number, recipients: readonly string[] = ['kim@example.com', 'lee@example.com']): RequestDraft =>
  actionOf('gift.send', { amount: usd(minor), recipients: [...recipients] });

async function ask(request: RequestDraft): Promise<SubmitAnswer> {
  const submitted = await core.submit(AGENT, randomUUID(), request);
  if (submitted.needsWorkflow) await core.commit({ tenant: TENANT, approvalId: submitted.approvalId, seq: 0, command: { type: 'open' }, workflowTime: 0 });
  return submitted;
}

/** A person's move, as the API and the workflow make it. */
async function says({ approvalId, packetDigest }: SubmitAnswer, person: string, move: Move, by: Core = core): Promise<CommandAnswer> {
  const commandId = randomUUID();
  await issueCommand(by.deps, { tenant: TENANT, approvalId, commandId, person, move, packetDigest, signedInAt: new Date().toISOString() });
  const { answer } = await by.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: 0 });
  if (!answer) throw new Error('a command always has an answer');
  return answer;
}

/** What nobody but the owner of the tables can do, behind their triggers. */
const altered = async (hash: string, files: readonly object[]): Promise<void> =>
  await store.adminDb.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    await sql`update policies set files = ${JSON.stringify(files)}::jsonb where hash = ${hash}`.execute(trx);
  });

const yes = (conditions?: Conditions): Move => ({ type: 'approve', reason: 'ok', ...(conditions ? { conditions } : {}) });
const events = async ({ approvalId }: SubmitAnswer) => (await readEvents(store.db, TENANT, approvalId)).map((r) => r.event);
const resultOf = async ({ approvalId }: SubmitAnswer): Promise<ApprovalResult> =>
  (await store.db.selectFrom('approvals').select('result').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).result as unknown as ApprovalResult;

describe('a yes with conditions', () => {
  it('is routed again by the pinned policy, and its token lets through what is within it, and nothing else', async () => {
    const request = gift(48_000);
    const asked = await ask(request);
    expect(asked.plan.offers).toEqual({
      amountAtMost: { param: 'amount', atMost: usd(48_000) },
      onlyRecipients: { param: 'recipients', of: ['kim@example.com', 'lee@example.com'] },
      expiresWithinMs: 24 * 3_600_000,
    });
    expect(await says(asked, 'fay', yes({ amount_at_most: usd(20_000), only_recipients: ['kim@example.com'] }))).toMatchObject({
      accepted: true,
      state: 'approved_with_conditions',
    });
    const signed = (await events(asked)).find((e) => e.type === 'signed_off');
    expect(signed).toMatchObject({
      conditions: { amount_at_most: usd(20_000), only_recipients: ['kim@example.com'] },
      routedAgain: { rows: ['gift'], planDigest: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown },
    });
    const result = await resultOf(asked);
    expect(result).toMatchObject({ outcome: 'approved_with_conditions', conditions: { amount_at_most: usd(20_000), only_recipients: ['kim@example.com'] } });
    const claims = await verifyDecisionToken(result.token, core.tokens.jwks(), { tenant: TENANT, agent: AGENT.agent, now: new Date() });
    // As it is stored: what a schema filled in is part of the action.
    const { body } = await store.db.selectFrom('requests').select('body').where('approval_id', '=', asked.approvalId).executeTakeFirstOrThrow();
    const action = (body as unknown as { action: { type: string; params: JsonObject } }).action;
    const execute = (amount: number, recipients: string[]) => (): void =>
      requireExecutable(claims, { action: { ...action, params: { amount: usd(amount), recipients } }, now: new Date() });
    expect(execute(20_000, ['kim@example.com'])).not.toThrow();
    expect(execute(20_001, ['kim@example.com'])).toThrow(NotExecutable);
    expect(execute(20_000, ['kim@example.com', 'lee@example.com'])).toThrow(NotExecutable);
    expect(execute(48_000, ['kim@example.com', 'lee@example.com'])).toThrow(NotExecutable);
  });

  it('that makes the policy ask for more than the chain has is refused, on the record, and it goes on', async () => {
    const asked = await ask(gift(48_000));
    expect(await says(asked, 'fay', yes({ amount_at_most: usd(999) }))).toMatchObject({
      accepted: false,
      refusal: { code: 'condition_needs_more', message: expect.stringContaining('a sign-off by security_officer (security)') as unknown },
    });
    expect((await events(asked)).filter((e) => e.type === 'signed_off')).toEqual([]);
    expect((await events(asked)).at(-1)).toMatchObject({ type: 'refused', code: 'condition_needs_more', by: 'fay' });
    // The limit of the row that would ask is not within it.
    expect(await says(asked, 'fay', yes({ amount_at_most: usd(1000) }))).toMatchObject({ accepted: true });
  });

  it('is refused where its policy cannot be read, although another one holds by now', async () => {
    const asked = await ask(gift(48_000));
    const { hash } = asked.plan.policy;
    await publish(store, POLICY.replace('version: "1"', 'version: "2"'), DESK_DIRECTORY);
    await altered(hash, []);
    try {
      // Another process, which has not read it before.
      const cold = coreOf();
      expect(await says(asked, 'fay', yes({ amount_at_most: usd(20_000) }), cold)).toMatchObject({
        accepted: false,
        state: 'waiting',
        refusal: { code: 'policy_unreadable' },
      });
      expect(await says(asked, 'fay', yes(), cold)).toMatchObject({ accepted: true, state: 'approved' });
    } finally {
      await altered(hash, [{ path: 'policy.yaml', text: POLICY }]);
    }
  });

  it('keeps by the policy it was routed by when a later one says otherwise', async () => {
    const asked = await ask(gift(48_000));
    await publish(
      store,
      POLICY.replace('version: "1"', 'version: "3"').replace('usd(10)', 'usd(400)').replace('amount: 10.00 USD', 'amount: 400.00 USD'),
      DESK_DIRECTORY,
    );
    expect(await says(asked, 'fay', yes({ amount_at_most: usd(20_000) }))).toMatchObject({ accepted: true, state: 'approved_with_conditions' });
    await publish(store, POLICY.replace('version: "1"', 'version: "4"'), DESK_DIRECTORY);
  });
});

describe('an escalation for lack of confidence', () => {
  it('gets the missing facts from a person, and the agent submits again with them', async () => {
    const unsure = actionOf('draft.send', {}, { facts: { confidence: 0.6 } });
    const asked = await ask(unsure);
    expect(asked.plan).toMatchObject({ effect: 'escalation', asksFor: { order_total: 'money', intent: 'enum[refund, exchange]' } });
    expect(await says(asked, 'lea', { type: 'answer', facts: { order_total: 12, intent: 'refund' } })).toMatchObject({ refusal: { code: 'answer_invalid' } });
    const facts = { order_total: usd(12_000), intent: 'refund' };
    expect(await says(asked, 'lea', { type: 'answer', facts })).toMatchObject({ accepted: true, state: 'answered' });
    const result = await resultOf(asked);
    expect(result).toMatchObject({ outcome: 'answered', next: { facts } });
    const claims = await verifyDecisionToken(result.token, core.tokens.jwks(), { tenant: TENANT, agent: AGENT.agent, now: new Date() });
    expect(() => requireExecutable(claims, { action: { type: 'draft.send', params: {} }, now: new Date() })).toThrow('answered, which allows nothing');

    const again = await ask({ ...unsure, facts: { confidence: 0.6, order_total: usd(12_000) }, follows: asked.approvalId });
    expect(again.plan).toMatchObject({ effect: 'allow', rows: [{ id: 'default' }] });
    const { packet } = await store.db.selectFrom('requests').select('packet').where('approval_id', '=', again.approvalId).executeTakeFirstOrThrow();
    expect(packet).toMatchObject({ follows: { of: asked.approvalId, by: ['lea (support_lead)'], facts } });
    expect((await events(again))[0]).toMatchObject({ type: 'requested', follows: asked.approvalId });
  });

  it('can only be followed by the same agent, after an answer', async () => {
    const open = await ask(actionOf('draft.send', {}, { facts: { confidence: 0.6 } }));
    for (const follows of [open.approvalId, 'ap_0123456789abcdef01234567'])
      await expect(ask(actionOf('draft.send', {}, { facts: { confidence: 0.9 }, follows }))).rejects.toMatchObject({ code: 'no_such_answer' });
  });
});

describe('an exception to what finance denied', () => {
  it('goes to another person of finance, with options, and not to who said no', async () => {
    const waiver = await ask(actionOf('fee.waive'));
    await says(waiver, 'fay', { type: 'deny', reason: 'Too often' });
    const asked = await ask(actionOf('fee.waive', {}, { exception: { of: waiver.approvalId, justification: 'It was our fault' } }));
    expect(asked.plan).toMatchObject({
      rows: [{ id: 'waiver_after_finance' }],
      exception: { outcome: 'denied', by: [{ person: 'fay', role: 'finance_manager' }] },
      offers: { options: { half: 'Half of the fee', whole: 'The whole fee' } },
    });
    expect(asked.plan.exception?.below).toBeUndefined();
    const opened = (await events(asked)).find((e) => e.type === 'level_opened');
    expect(opened).toMatchObject({ asked: [{ person: 'finn' }] });
    expect(await says(asked, 'fay', yes({ option: 'half' }))).toMatchObject({ refusal: { code: 'refuser_may_not_grant' } });
    expect(await says(asked, 'finn', yes())).toMatchObject({ refusal: { code: 'condition_required' } });
    expect(await says(asked, 'finn', yes({ option: 'half' }))).toMatchObject({ state: 'approved_with_conditions' });
  });
});

describe('the record', () => {
  it('verifies with all of it, and what people wrote lies apart to be erased', async () => {
    const record = await store.db.transaction().execute((trx) => readRecord(trx, TENANT));
    const report = verifyRecord(record, store.keys.trusted);
    expect(report.findings).toEqual([]);
    expect(report.signatures.checked).toBeGreaterThan(5);
    const types = new Set(record.entries.map((e) => e.type));
    for (const type of ['answered', 'signed_off', 'refused']) expect(types).toContain(type);
    const public_ = JSON.stringify(record.entries);
    for (const words of ['kim@example.com', '12000']) expect(public_).not.toContain(words);
    const erased = verifyRecord({ ...record, personal: [] }, store.keys.trusted);
    expect(erased).toMatchObject({ ok: true, signatures: { checked: 0 } });
  });
});
