/**
 * Every kind of trigger that a matrix needs can be written, and each is enforced at its very line: one request on each side of it, and
 * one where what it reads is not known.
 */
import { resolve, type RoutingInput } from '../../../policy';
import { compiled, asking as request, usd } from './support';
import { asking } from './sample';

/** What a request of each side says beside its action. */
interface Side {
  readonly params?: RoutingInput['action']['params'];
  readonly action?: Partial<RoutingInput['action']>;
  readonly facts?: RoutingInput['facts'];
  readonly provided?: Readonly<Record<string, RoutingInput['facts'][string]>>;
  readonly recent?: Readonly<Record<string, number | ReturnType<typeof usd>>>;
}

interface Trigger {
  readonly when: string;
  readonly asks: Side;
  readonly lets: Side;
  /** Where what it reads may be missing: then it asks. */
  readonly unknown?: Side;
}

const head = {
  name: 'triggers',
  version: '1',
  providers: { crm: {}, ops: {}, desk: {} },
  actions: {
    act: { params: { amount: 'money?', source_tenant: 'string?', target_tenant: 'string?', scopes: 'list<string>?', account: 'string?' } },
    other: { params: {} },
  },
  facts: {
    confidence: { type: 'double', source: 'agent' },
    gap: { type: 'enum[missing_fact, conflicting_rules, no_precedent]', source: 'agent' },
    missing_fields: { type: 'list<string>', source: 'agent' },
    sentiment: { type: 'enum[friendly, neutral, hostile]', source: 'provider', provider: 'desk' },
    minutes_to_sla: { type: 'int', source: 'provider', provider: 'desk' },
    customer_tier: { type: 'enum[standard, vip]', source: 'provider', provider: 'crm' },
    annual_spend: { type: 'money', source: 'provider', provider: 'crm' },
    home_tenant: { type: 'string', source: 'provider', provider: 'crm' },
    crosses_tenants: { type: 'bool', source: 'action', value: 'action.params.source_tenant != action.params.target_tenant' },
  },
  system: {
    queue_depth: { type: 'int', provider: 'ops' },
    error_rate: { type: 'double', provider: 'ops' },
  },
  recent: {
    retries: { of: ['act'], per: 'agent', within: '10m', count: true },
    paid: { of: ['act'], per: 'customer', within: '24h', sum: 'amount' },
  },
  default: { tier: 'none', lane: 'manager', owner: 'lead' },
};

const TABLE: Readonly<Record<string, Trigger>> = {
  'data sensitivity': {
    when: '"personal" in action.data',
    asks: { action: { data: ['usage', 'personal'] } },
    lets: { action: { data: ['usage'] } },
  },
  reversibility: {
    when: 'action.reversibility == "none"',
    asks: { action: { reversibility: 'none' } },
    lets: { action: { reversibility: 'hard' } },
  },
  'the system touched': {
    when: 'action.system == "production"',
    asks: { action: { system: 'production' } },
    lets: { action: { system: 'staging' } },
  },
  'who sees it outside': {
    when: 'action.audience.reach in ["many", "public"] && action.audience.count >= 100',
    asks: { action: { audience: { reach: 'many', count: 100 } } },
    lets: { action: { audience: { reach: 'many', count: 99 } } },
  },
  'financial exposure': {
    when: 'action.params.amount > usd(250)',
    asks: { params: { amount: { minor: 25_001, currency: 'USD' } } },
    lets: { params: { amount: usd(250) } },
    unknown: {},
  },
  'the kind of confidence gap': {
    when: 'facts.gap in ["conflicting_rules", "no_precedent"]',
    asks: { facts: { gap: 'no_precedent' } },
    lets: { facts: { gap: 'missing_fact' } },
    unknown: {},
  },
  'confidence beside what is at stake': {
    when: 'facts.confidence < 0.72 && action.audience.reach != "internal"',
    asks: { facts: { confidence: 0.719 } },
    lets: { facts: { confidence: 0.72 } },
    unknown: {},
  },
  'the customer tier': {
    when: 'facts.customer_tier == "vip"',
    asks: { provided: { 'facts.customer_tier': 'vip' } },
    lets: { provided: { 'facts.customer_tier': 'standard' } },
    unknown: {},
  },
  'what the customer spends': {
    when: 'facts.annual_spend >= usd(50000)',
    asks: { provided: { 'facts.annual_spend': usd(50_000) } },
    lets: { provided: { 'facts.annual_spend': usd(49_999.99) } },
    unknown: { provided: { 'facts.customer_tier': 'vip' } },
  },
  'an SLA at risk': {
    when: 'facts.minutes_to_sla < 30',
    asks: { provided: { 'facts.minutes_to_sla': 29 } },
    lets: { provided: { 'facts.minutes_to_sla': 30 } },
    unknown: {},
  },
  'retries in a window': {
    when: 'recent.retries > 3',
    asks: { recent: { retries: 4 } },
    lets: { recent: { retries: 3 } },
    unknown: {},
  },
  'a sum over what was asked before': {
    when: 'recent.paid > usd(25000)',
    asks: { recent: { paid: usd(30_000) } },
    lets: { recent: { paid: usd(25_000) } },
    unknown: {},
  },
  'missing fields of a record': {
    when: 'size(facts.missing_fields) > 0',
    asks: { facts: { missing_fields: ['iban'] } },
    lets: { facts: { missing_fields: [] } },
    unknown: {},
  },
  'permissions touched': {
    when: 'action.params.scopes.exists(scope, scope.startsWith("admin"))',
    asks: { params: { scopes: ['read', 'admin.users'] } },
    lets: { params: { scopes: ['read'] } },
    unknown: {},
  },
  sentiment: {
    when: 'facts.sentiment == "hostile"',
    asks: { provided: { 'facts.sentiment': 'hostile' } },
    lets: { provided: { 'facts.sentiment': 'neutral' } },
    unknown: {},
  },
  'the tenants of source and target': {
    when: 'action.params.source_tenant != action.params.target_tenant',
    asks: { params: { source_tenant: 'a', target_tenant: 'b' } },
    lets: { params: { source_tenant: 'a', target_tenant: 'a' } },
    unknown: { params: { source_tenant: 'a' } },
  },
  'the same, computed': {
    when: 'facts.crosses_tenants',
    asks: { params: { source_tenant: 'a', target_tenant: 'b' } },
    lets: { params: { source_tenant: 'a', target_tenant: 'a' } },
    unknown: { params: { target_tenant: 'a' } },
  },
  "the customer's tenant against the agent's": {
    when: 'facts.home_tenant != tenant',
    asks: { provided: { 'facts.home_tenant': 'elsewhere' } },
    lets: { provided: { 'facts.home_tenant': 'shop' } },
    unknown: {},
  },
  'the depth of a queue': {
    when: 'system.queue_depth > 1000',
    asks: { provided: { 'system.queue_depth': 1001 } },
    lets: { provided: { 'system.queue_depth': 1000 } },
    unknown: {},
  },
  'a rate of errors': {
    when: 'system.error_rate >= 0.05',
    asks: { provided: { 'system.error_rate': 0.05 } },
    lets: { provided: { 'system.error_rate': 0.0499 } },
    unknown: { provided: { 'system.queue_depth': 0 } },
  },
};

const SINCE = '2026-11-21T00:00:00.000Z';

function inputOf({ params = {}, action = {}, facts = {}, provided = {}, recent = {} }: Side): RoutingInput {
  return request('act', params, {
    action,
    facts,
    provided: Object.fromEntries(Object.entries(provided).map(([path, value]) => [path, { value, provider: 'p', at: SINCE }])),
    recent: Object.fromEntries(Object.entries(recent).map(([name, value]) => [name, { value, requests: 1, since: SINCE }])),
  });
}

/** The example that stands in the row for a side. */
function exampleOf({ params = {}, action = {}, facts = {}, provided = {}, recent = {} }: Side): object {
  const under = (root: string): object =>
    Object.fromEntries(Object.entries(provided).flatMap(([path, value]) => (path.startsWith(root) ? [[path.slice(root.length), value]] : [])));
  const whole = { system: 'orders', reversibility: 'hard', audience: { reach: 'one_customer', count: 1 }, data: [], ...action };
  return { action: { type: 'act', params, ...whole }, facts, recent, provided: under('facts.'), system: under('system.'), tenant: 'shop' };
}

describe.each(Object.entries(TABLE))('a trigger on %s', (_kind, { when, asks, lets, unknown }) => {
  const row = { ...asking, id: 'watched', when, examples: { match: [exampleOf(asks)], no_match: [exampleOf(lets)] } };
  const { policy } = compiled([{ path: 'policy.yaml', text: JSON.stringify({ ...head, rows: [row] }) }]);
  const effect = (side: Side) => {
    const resolved = resolve(policy, inputOf(side));
    return resolved.ok ? [resolved.plan.effect, resolved.plan.rows[0]?.unevaluated] : resolved.issues;
  };

  it('asks on the one side of the line, and lets the other through', () => {
    expect([effect(asks), effect(lets)]).toEqual([
      ['approval', false],
      ['allow', false],
    ]);
  });

  if (unknown)
    it('asks where what it reads is not known', () => {
      expect(effect(unknown)).toEqual(['approval', true]);
    });
});
