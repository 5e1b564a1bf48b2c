/**
 * Exceptions: asked for by naming a refusal, decided by whom the policy says, and impossible where it says nothing.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { createCore, type Core } from '../../activities/core';
import type { SubmitAnswer } from '../../activities/submit';
import { databaseClock } from '../../domain/clock';
import type { AgentIdentity, RequestDraft } from '../../domain/request';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const POLICY = `
name: returns
version: "1"
actions:
  refund.issue: { params: { amount: money, order: string } }
  fee.waive: {}
  secret.reveal: {}
facts:
  days: { type: int, source: agent, required_for: [refund.issue] }
lanes: { finance: { owner: finance_manager } }
authority: { finance_manager: { up_to: 1000.00 USD }, cfo: { up_to: unlimited } }
defaults:
  tier: strong
  risk: medium
  urgency: soon
  meanwhile: { agent: hold_send, operator: look at the order }
  evidence: []
  lane: finance
  on_deny: { path: tell the customer and end }
  on_timeout: { end: deny }
default: { tier: none, lane: finance, why: Within what is usual }
rows:
  - id: outside_window
    when: action.type == "refund.issue" && facts.days > 30
    examples:
      match: [{ action: { type: refund.issue, params: { amount: 1.00 USD, order: o } }, facts: { days: 31 } }]
      no_match: [{ action: { type: refund.issue, params: { amount: 1.00 USD, order: o } }, facts: { days: 30 } }]
    effect: block
    provision: Refunds are made within thirty days.
  - id: late_refund
    excepts: [outside_window]
    when: action.params.amount <= usd(500) && facts.days <= 45
    examples:
      match: [{ action: { type: refund.issue, params: { amount: 1.00 USD, order: o } }, facts: { days: 31 } }]
      no_match: [{ action: { type: refund.issue, params: { amount: 500.01 USD, order: o } }, facts: { days: 31 } }]
    amount: action.params.amount
    ladder: [{ role: finance_manager }, { role: cfo }]
  - id: waiver
    when: action.type == "fee.waive"
    examples: { match: [{ action: { type: fee.waive } }], no_match: [{ action: { type: secret.reveal } }] }
    ladder: [{ role: finance_manager }]
  - id: waiver_again
    excepts: [waiver]
    when: action.type == "fee.waive"
    examples: { match: [{ action: { type: fee.waive } }], no_match: [{ action: { type: secret.reveal } }] }
    ladder: [{ role: cfo }]
  - id: never
    when: action.type == "secret.reveal"
    examples: { match: [{ action: { type: secret.reveal } }], no_match: [{ action: { type: fee.waive } }] }
    effect: block
`;

const OTHER: AgentIdentity = { ...AGENT, agent: 'other-bot' };
const store = useStore();
let core: Core;

beforeAll(async () => {
  core = createCore({
    db: store.db,
    clock: databaseClock,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
  await publish(store, POLICY, DESK_DIRECTORY);
  for (const agent of [AGENT, OTHER]) await registerAgent(store.db, { ...agent, callbackHosts: [], callbackSecrets: [] });
});

const submit = (request: RequestDraft, identity: AgentIdentity = AGENT): Promise<SubmitAnswer> => core.submit(identity, randomUUID(), request);
const late = (minor: number, days: number, more: Partial<RequestDraft> = {}): RequestDraft => refund(minor, { facts: { days }, ...more });
const except = (of: string): Pick<RequestDraft, 'exception'> => ({ exception: { of, justification: 'The parcel was lost for two weeks' } });

/** A person's no, as the API and the workflow make it. */
async function deny(approvalId: string, person: string): Promise<void> {
  await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'open' }, workflowTime: 0 });
  const { packet_digest: packetDigest } = await store.db
    .selectFrom('requests')
    .select('packet_digest')
    .where('approval_id', '=', approvalId)
    .executeTakeFirstOrThrow();
  const commandId = randomUUID();
  const signedInAt = new Date().toISOString();
  await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, move: { type: 'deny', reason: 'Too often' }, packetDigest, signedInAt });
  const { answer } = await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: 0 });
  expect(answer).toMatchObject({ accepted: true, state: 'denied' });
}

describe('an exception to what the policy forbids', () => {
  it('goes to whom the policy says, up to what it says, and its packet shows the refusal', async () => {
    const blocked = await submit(late(20_000, 31));
    expect(blocked).toMatchObject({ state: 'blocked', result: { outcome: 'blocked' } });
    const asked = await submit(late(20_000, 31, except(blocked.approvalId)));
    expect(asked).toMatchObject({ state: 'routing', needsWorkflow: true, plan: { effect: 'approval', rows: [{ id: 'late_refund' }] } });
    expect(asked.plan.exception).toEqual({ of: blocked.approvalId, outcome: 'blocked', rows: ['outside_window'] });
    expect(asked.headline).toContain('an exception: blocked before');
    const { packet } = await store.db.selectFrom('requests').select('packet').where('approval_id', '=', asked.approvalId).executeTakeFirstOrThrow();
    expect(packet).toMatchObject({
      exception: { of: blocked.approvalId, outcome: 'blocked', why: 'Blocked by outside_window', by: [], justification: 'The parcel was lost for two weeks' },
    });
    const [requested] = await readEvents(store.db, TENANT, asked.approvalId);
    expect(requested?.event).toMatchObject({ exceptionOf: blocked.approvalId, justification: 'The parcel was lost for two weeks' });
  });

  it.each([
    ['above the limit of the exception', () => submit(late(50_001, 31)), 50_001, 31],
    ['beyond what the exception reaches', () => submit(late(20_000, 46)), 20_000, 46],
  ])('is refused %s: the refusal stands', async (_, first, minor, days) => {
    const blocked = await first();
    await expect(submit(late(minor, days, except(blocked.approvalId)))).rejects.toMatchObject({
      code: 'no_exception',
      message: expect.stringContaining('outside_window') as unknown,
    });
  });

  it('does not exist where no row speaks of it', async () => {
    const blocked = await submit(actionOf('secret.reveal'));
    await expect(submit(actionOf('secret.reveal', {}, except(blocked.approvalId)))).rejects.toMatchObject({ code: 'no_exception' });
  });

  it('is no way around other rules: without a refusal the row that makes it does not apply', async () => {
    expect((await submit(late(20_000, 31))).plan.rows.map((row) => row.id)).toEqual(['outside_window']);
    expect((await submit(late(20_000, 10))).plan.rows.map((row) => row.id)).toEqual(['default']);
  });
});

describe('an exception to what a person denied', () => {
  it('is decided by another than who said no, and once', async () => {
    const waiver = await submit(actionOf('fee.waive'));
    await deny(waiver.approvalId, 'fay');
    const asked = await submit(actionOf('fee.waive', {}, except(waiver.approvalId)));
    expect(asked.plan).toMatchObject({ rows: [{ id: 'waiver_again' }], exception: { outcome: 'denied', rows: ['waiver'] } });
    expect(asked.plan.signOffs.flatMap((s) => s.ladder.map((level) => level.role))).toEqual(['cfo']);
    await expect(submit(actionOf('fee.waive', {}, except(waiver.approvalId)))).rejects.toMatchObject({ code: 'exception_taken' });
    await deny(asked.approvalId, 'cleo');
    // Nor is the refusal put to somebody else until one says yes.
    await expect(submit(actionOf('fee.waive', {}, except(waiver.approvalId)))).rejects.toMatchObject({ code: 'exception_taken' });
    // Nothing excepts the exception.
    await expect(submit(actionOf('fee.waive', {}, except(asked.approvalId)))).rejects.toMatchObject({ code: 'no_exception' });
  });

  it('two at the same instant are one', async () => {
    const waiver = await submit(actionOf('fee.waive'));
    await deny(waiver.approvalId, 'fay');
    const both = await Promise.allSettled([1, 2].map(() => submit(actionOf('fee.waive', {}, except(waiver.approvalId)))));
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

it('may be asked in other words than what was refused', async () => {
  const blocked = await submit(late(20_000, 31));
  const again = late(20_000, 31, except(blocked.approvalId));
  await expect(submit({ ...again, action: { ...again.action, summary: 'Refund a parcel that was lost' } })).resolves.toMatchObject({ needsWorkflow: true });
});

describe('what is no refusal', () => {
  it.each([
    ['unknown', () => Promise.resolve('ap_0123456789abcdef01234567')],
    ["another agent's", async () => (await submit(late(20_000, 31), OTHER)).approvalId],
    ['allowed', async () => (await submit(late(20_000, 10))).approvalId],
    ['still open', async () => (await submit(actionOf('fee.waive'))).approvalId],
    ['of another action', async () => (await submit(actionOf('secret.reveal'))).approvalId],
    ['of other params', async () => (await submit(late(19_999, 31))).approvalId],
    ['of another system', async () => (await submit(late(20_000, 31, { action: { ...late(20_000, 31).action, system: 'sandbox' } }))).approvalId],
    [
      'for another audience',
      async () => (await submit(late(20_000, 31, { action: { ...late(20_000, 31).action, audience: { reach: 'internal', count: 1 } } }))).approvalId,
    ],
    ['about other data', async () => (await submit(late(20_000, 31, { action: { ...late(20_000, 31).action, data: ['identifiers'] } }))).approvalId],
    ["of another customer's", async () => (await submit(late(20_000, 31, { customer: { id: 'c-99' } }))).approvalId],
  ])('cannot be excepted: %s', async (_, refusal) => {
    await expect(submit(late(20_000, 31, except(await refusal())))).rejects.toMatchObject({ code: 'no_such_refusal' });
  });
});
