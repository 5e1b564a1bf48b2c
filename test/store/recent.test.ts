/**
 * Many small requests weigh as much as one: counts and sums over the record, at the moment a request is routed.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { createCore, type Core } from '../../activities/core';
import type { SubmitAnswer } from '../../activities/submit';
import type { Clock } from '../../domain/clock';
import { instant, ms } from '../../domain/json';
import type { AgentIdentity } from '../../domain/request';
import { registerAgent } from '../../record/store/agents';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { actionOf } from '../support/requests';
import { useStore } from '../support/store';

const POLICY = `
name: transfers
version: "1"
actions:
  transfer.make: { params: { amount: money, to: string } }
  card.order: {}
lanes: { finance: { owner: finance_manager } }
recent:
  transfers_today: { of: [transfer.make], per: customer, within: 24h, sum: amount }
  cards: { of: [card.order], per: agent, within: 7d, count: true }
  all_transfers: { of: [transfer.make], per: tenant, within: 24h, count: true }
defaults:
  tier: strong
  risk: high
  urgency: soon
  meanwhile: { agent: freeze_decision, operator: look at the account }
  evidence: []
  on_deny: { path: end the run }
  on_timeout: { end: deny }
default: { tier: none, lane: finance, why: Small enough }
rows:
  - id: transfers_over_25000
    when: action.type == "transfer.make" && recent.transfers_today > usd(25000)
    examples:
      match: [{ action: { type: transfer.make, params: { amount: 10000.00 USD, to: x } }, recent: { transfers_today: 30000.00 USD } }]
      no_match: [{ action: { type: transfer.make, params: { amount: 10000.00 USD, to: x } }, recent: { transfers_today: 25000.00 USD } }]
    lane: finance
    ladder: [{ role: finance_manager }]
  - id: many_cards
    when: action.type == "card.order" && recent.cards > 2
    examples:
      match: [{ action: { type: card.order }, recent: { cards: 3 } }]
      no_match: [{ action: { type: card.order }, recent: { cards: 2 } }]
    lane: finance
    ladder: [{ role: finance_manager }]
  - id: flood
    when: recent.all_transfers > 1000
    examples:
      match: [{ action: { type: transfer.make, params: { amount: 1.00 USD, to: x } }, recent: { all_transfers: 1001 } }]
      no_match: [{ action: { type: transfer.make, params: { amount: 1.00 USD, to: x } }, recent: { all_transfers: 1000 } }]
    lane: finance
    effect: block
`;

const OTHER: AgentIdentity = { ...AGENT, agent: 'other-bot' };
const store = useStore();
let core: Core;
let wait = 0;
/** The database's clock, and so many milliseconds later. */
const later: Clock = { scale: 1, now: ({ database }) => instant(ms(database) + wait) };

beforeAll(async () => {
  core = createCore({
    db: store.db,
    clock: later,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });
  await publish(store, POLICY, DESK_DIRECTORY);
  for (const agent of [AGENT, OTHER]) await registerAgent(store.db, { ...agent, callbackHosts: [], callbackSecrets: [] });
});
beforeEach(() => (wait = 0));

const transfer = (customer: string | null, minor = 1_000_000, currency = 'USD', identity = AGENT): Promise<SubmitAnswer> =>
  core.submit(
    identity,
    randomUUID(),
    actionOf('transfer.make', { amount: { minor, currency }, to: 'acct-9' }, customer === null ? {} : { customer: { id: customer } }),
  );
const rowsOf = ({ plan }: SubmitAnswer): string[] => plan.rows.map((row) => row.id);

describe('transfers that are split', () => {
  it('three of 10,000 count as 30,000: the third needs a person, and the plan says what it was routed by', async () => {
    expect(rowsOf(await transfer('c-1'))).toEqual(['default']);
    expect(rowsOf(await transfer('c-1', 1_000_000, 'USD', OTHER))).toEqual(['default']);
    const third = await transfer('c-1');
    expect(rowsOf(third)).toEqual(['transfers_over_25000']);
    expect(third.plan.rows[0]?.why).toContain('USD 30,000.00');
    expect(third.plan.recent).toMatchObject({ transfers_today: { value: { minor: 3_000_000, currency: 'USD' }, requests: 3 } });
    expect(rowsOf(await transfer('c-2'))).toEqual(['default']);
  });

  it('one below zero makes room for no other', async () => {
    const below = await transfer('c-below', -2_500_000);
    expect(below.plan.recent).toMatchObject({ transfers_today: { value: { minor: 0, currency: 'USD' }, requests: 1 } });
    expect(rowsOf(await transfer('c-below', 1_500_000))).toEqual(['default']);
    expect(rowsOf(await transfer('c-below', 1_500_000))).toEqual(['transfers_over_25000']);
  });

  it('of several at the same instant none slips by the others', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => transfer('c-3')));
    expect(all.filter((answer) => rowsOf(answer).includes('default'))).toHaveLength(2);
    expect(all.filter((answer) => rowsOf(answer).includes('transfers_over_25000'))).toHaveLength(4);
  });

  it('exactly at the limit they are within it, and what lies before the window does not count', async () => {
    expect(rowsOf(await transfer('c-4', 1_500_000))).toEqual(['default']);
    expect(rowsOf(await transfer('c-4', 1_000_000))).toEqual(['default']);
    wait = 25 * 3_600_000;
    expect(rowsOf(await transfer('c-4', 2_500_000))).toEqual(['default']);
    expect(rowsOf(await transfer('c-4', 1))).toEqual(['transfers_over_25000']);
  });

  it('one that was not done does not count', async () => {
    await transfer('c-5', 2_000_000);
    const asked = await transfer('c-5', 2_000_000);
    expect(rowsOf(asked)).toEqual(['transfers_over_25000']);
    await core.commit({
      tenant: TENANT,
      approvalId: asked.approvalId,
      seq: 0,
      command: { type: 'withdraw', by: 'bot', reason: 'not wanted' },
      workflowTime: 0,
    });
    expect(rowsOf(await transfer('c-5', 500_000))).toEqual(['default']);
  });

  it.each([
    ['nobody knows whose they are', async () => await transfer(null)],
    ['they are of two currencies', async () => (await transfer('c-6'), await transfer('c-6', 100, 'EUR'))],
  ])('where %s the rule counts as met, and says so', async (_, act) => {
    const answer = await act();
    expect(answer.plan.rows).toMatchObject([{ id: 'transfers_over_25000', unevaluated: true }]);
  });
});

describe('requests that are counted', () => {
  it('are those of the agent, this one included', async () => {
    const order = (identity: AgentIdentity): Promise<SubmitAnswer> => core.submit(identity, randomUUID(), actionOf('card.order'));
    expect([rowsOf(await order(AGENT)), rowsOf(await order(AGENT)), rowsOf(await order(OTHER))]).toEqual([['default'], ['default'], ['default']]);
    const third = await order(AGENT);
    expect(rowsOf(third)).toEqual(['many_cards']);
    expect(third.plan.recent).toMatchObject({ cards: { value: 3, requests: 3 } });
  });

  it('are never the agent’s to claim', async () => {
    await expect(core.submit(AGENT, randomUUID(), { ...actionOf('card.order'), recent: { cards: 0 } })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
