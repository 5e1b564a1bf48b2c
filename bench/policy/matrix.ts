/**
 * One matrix of rows, as the policy that Countersign compiles and as what the other engines take, and requests to hold against it.
 * Promises: the same number always gives the same matrix and the same requests; each engine gets the form that is fastest for it.
 * Imports types of the product only.
 */
import { stringify } from 'yaml';
import type { PolicyFile, RoutingInput } from '../../policy';

const TIERS = ['basic', 'silver', 'gold', 'platinum'] as const;
const REGIONS = Array.from({ length: 20 }, (_, i) => `region_${String(i)}`);
const LABELS = ['personal', 'payment', 'health', 'usage'] as const;
const REVERSIBILITY = ['easy', 'hard', 'none'] as const;

/** One row, in parts, so that each engine can be told in its own words. */
export interface Row {
  readonly id: string;
  readonly type: string;
  readonly region: string;
  /** Minor units of USD: above it. */
  readonly above: number;
  readonly tiers: readonly string[];
  /** One of these labels has to be on the data; null: none has to. */
  readonly label: string | null;
  /** Either more than so many people see it, or it cannot easily be undone; null: neither has to be. */
  readonly reach: number | null;
}

export interface Matrix {
  readonly types: readonly string[];
  readonly rows: readonly Row[];
}

/** Chance that can be repeated. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

const pick = <T>(of: readonly [T, ...T[]] | readonly T[], roll: (below: number) => number): T => {
  const one = of[roll(of.length)];
  if (one === undefined) throw new Error('Nothing to pick from');
  return one;
};

/** `count` rows over `types` kinds of action, a tenth as many as rows or just one. */
export function matrixOf(count: number, kinds: number): Matrix {
  const roll = dice(count * 31 + kinds);
  const types = Array.from({ length: kinds }, (_, i) => `desk_${String(i)}.act`);
  const rows = Array.from({ length: count }, (_, i): Row => {
    const first = roll(TIERS.length);
    return {
      id: `row_${String(i)}`,
      type: types[i % kinds] ?? '',
      region: pick(REGIONS, roll),
      above: roll(400) * 2500,
      tiers: [TIERS[first] ?? 'gold', TIERS[(first + 1) % TIERS.length] ?? 'gold'],
      label: i % 5 === 0 ? pick(LABELS, roll) : null,
      reach: i % 3 === 0 ? roll(1000) : null,
    };
  });
  return { types, rows };
}

export function triggerOf(row: Row): string {
  return [
    `action.type == "${row.type}"`,
    `action.params.region == "${row.region}"`,
    `action.params.amount > usd(${(row.above / 100).toFixed(2)})`,
    `facts.tier in [${row.tiers.map((t) => `"${t}"`).join(', ')}]`,
    ...(row.label === null ? [] : [`"${row.label}" in action.data`]),
    ...(row.reach === null ? [] : [`(action.audience.count > ${String(row.reach)} || action.reversibility != "easy")`]),
  ].join(' && ');
}

/** As somebody would write it: each row with what it needs, the rest in defaults. */
export function policyFile({ types, rows }: Matrix): PolicyFile {
  const example = (row: Row, minor: number) => ({
    action: {
      type: row.type,
      params: { amount: `${(minor / 100).toFixed(2)} USD`, region: row.region },
      data: row.label === null ? [] : [row.label],
      audience: { count: 1001 },
      reversibility: 'hard',
    },
    facts: { tier: row.tiers[0] },
  });
  return {
    path: 'policy.yaml',
    text: stringify({
      name: 'matrix',
      version: '1',
      lanes: {
        finance: {
          owner: 'finance_manager',
          ladder: [
            { role: 'finance_manager', within: '30m' },
            { role: 'cfo', within: '2h' },
          ],
        },
        engineering: {
          owner: 'engineering_lead',
          ladder: [
            { role: 'engineering_lead', within: '30m' },
            { role: 'incident_lead', within: '2h' },
          ],
        },
      },
      authority: { finance_manager: { up_to: '5000.00 USD' }, cfo: { up_to: 'unlimited' } },
      actions: Object.fromEntries(types.map((type) => [type, { params: { amount: 'money', region: `enum[${REGIONS.join(', ')}]` } }])),
      facts: { tier: { type: `enum[${TIERS.join(', ')}]`, source: 'agent', required_for: types } },
      defaults: {
        tier: 'strong',
        risk: 'high',
        urgency: 'soon',
        evidence: ['calculation'],
        meanwhile: { agent: 'freeze_decision', operator: 'Compare it with the account' },
        on_timeout: { end: 'expire' },
        on_deny: { path: 'log the reason, tell the requester, end the run', tell_requester: true },
      },
      default: { tier: 'none', lane: 'finance' },
      rows: rows.map((row, i) => ({
        id: row.id,
        why: `Rule ${String(i)} of the matrix: such a request is looked at by the lane that knows it`,
        when: triggerOf(row),
        examples: { match: [example(row, row.above + 1)], no_match: [example(row, row.above)] },
        ...(i % 2 === 0 ? { lane: 'finance', amount: 'action.params.amount' } : { lane: 'engineering' }),
      })),
    }),
  };
}

/** Requests that lack nothing, so that no engine has to say what a missing value means. */
export function requestsFor({ types }: Matrix, count: number): RoutingInput[] {
  const roll = dice(count + types.length);
  return Array.from({ length: count }, (): RoutingInput => ({
    action: {
      type: pick(types, roll),
      summary: 'Do it',
      params: { amount: { minor: roll(1_000_000), currency: 'USD' }, region: pick(REGIONS, roll) },
      system: 'billing',
      reversibility: pick(REVERSIBILITY, roll),
      audience: { reach: 'one_customer', count: roll(1000) },
      data: LABELS.filter(() => roll(2) === 0),
      artifacts: [],
    },
    facts: { tier: pick(TIERS, roll) },
    evidence: ['calculation'],
    requester: { agent: 'agent', run: 'run', onBehalfOf: null },
    tenant: 'shop',
  }));
}
