/** A policy put together from parts, for tests that vary its rows. JSON is YAML, so rows are plain objects. */
import type { CompiledPolicy, PolicyFile } from '../../../policy';
import { compiled } from './support';

export type Row = { readonly id: string; readonly [key: string]: unknown };

const head = {
  name: 'varied',
  version: '1',
  authority: { lead: { up_to: '100.00 USD' }, head: { up_to: '1000.00 USD' }, chief: { up_to: 'unlimited' }, officer: { up_to: 'unlimited' } },
  actions: { pay: { params: { amount: 'money', note: 'string?', days: 'int?', fee: 'money?' } }, close: { params: { ref: 'string?' } } },
  facts: { tier: { type: 'enum[gold, silver]', source: 'agent' }, large: { type: 'bool', source: 'action', value: 'action.params.amount > usd(500)' } },
};

export const asking = {
  lane: 'finance',
  owner: 'lead',
  tier: 'lightweight',
  risk: 'low',
  urgency: 'routine',
  evidence: [],
  meanwhile: { agent: 'stop_noncritical', operator: 'look' },
  on_timeout: { end: 'deny' },
  on_deny: { path: 'stop' },
  ladder: [{ role: 'lead', within: '60m' }],
} as const;

const EXAMPLES: Readonly<Record<string, unknown>> = {
  any: { match: [{ action: { type: 'pay' } }], no_match: [{ action: { type: 'close' } }] },
};

/** Triggers with the examples they need. */
export const TRIGGERS = {
  pay: { when: 'action.type == "pay"', examples: EXAMPLES['any'] },
  over100: {
    when: 'action.type == "pay" && action.params.amount > usd(100)',
    examples: {
      match: [{ action: { type: 'pay', params: { amount: '100.01 USD' } } }],
      no_match: [{ action: { type: 'pay', params: { amount: '100.00 USD' } } }],
    },
  },
  noted: {
    when: 'has(action.params.note)',
    examples: { match: [{ action: { type: 'pay', params: { note: 'x' } } }], no_match: [{ action: { type: 'pay' } }] },
  },
  /** Cannot be evaluated where the claim is missing. */
  gold: {
    when: 'facts.tier == "gold"',
    examples: { match: [{ action: { type: 'pay' }, facts: { tier: 'gold' } }], no_match: [{ action: { type: 'pay' }, facts: { tier: 'silver' } }] },
  },
  /** Cannot be evaluated where the fee is missing or in another currency. */
  fee: {
    when: 'action.params.fee > usd(1)',
    examples: { match: [{ action: { type: 'pay', params: { fee: '2.00 USD' } } }], no_match: [{ action: { type: 'pay', params: { fee: '1.00 USD' } } }] },
  },
} as const;

export const filesOf = (
  rows: readonly Row[],
  byDefault: Readonly<Record<string, unknown>> = { tier: 'none', lane: 'manager', owner: 'lead' },
): PolicyFile[] => [{ path: 'policy.yaml', text: JSON.stringify({ ...head, default: byDefault, rows }) }];

export const policyOf = (rows: readonly Row[], byDefault?: Readonly<Record<string, unknown>>): CompiledPolicy => compiled(filesOf(rows, byDefault)).policy;
