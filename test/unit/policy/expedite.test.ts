/** When time presses: the shorter ladder, louder channels, and never a milder plan; and how long levels have that do not say. */
import { compilePolicy, resolve, type RoutingInput } from '../../../policy';
import type { Plan } from '../../../domain/plan';

const policy = (row: string, facts = '  due_minutes: { type: int, source: agent }'): string => `
name: sample
version: "1"
facts:
${facts}
actions:
  credit.grant: { params: { amount: money } }
  other: {}
lanes:
  customer: { owner: support_lead }
defaults:
  tier: lightweight
  risk: low
  urgency: soon
  meanwhile: { agent: hold_send, operator: look at the queue }
  evidence: []
  on_deny: { path: end the run }
  on_timeout: { end: expire }
default: { tier: none, lane: customer, why: Nothing here is risky }
rows:
  - id: credit
    when: action.type == "credit.grant"
    examples:
      match: [{ action: { type: credit.grant, params: { amount: 1.00 USD } } }]
      no_match: [{ action: { type: other } }]
    lane: customer
    ladder:
      - { name: lead, role: support_lead, within: 30m }
      - { name: deputy, role: deputy, within: 1h }
      - { name: head, role: head, within: 2h }
${row}`;

const EXPEDITE = `    expedite:
      when: facts.due_minutes < 60
      ladder:
        - { name: lead, role: support_lead, within: 5m, channels: [webhook, email] }
        - { name: head, role: head, within: 10m, channels: [webhook, email] }
`;

const request = (facts: RoutingInput['facts']): RoutingInput => ({
  action: {
    type: 'credit.grant',
    summary: 'Grant a credit',
    params: { amount: { minor: 100, currency: 'USD' } },
    system: 'billing',
    reversibility: 'hard',
    audience: { reach: 'one_customer', count: 1 },
    data: [],
    artifacts: [],
  },
  facts,
  evidence: [],
  requester: { agent: 'bot', run: 'r', onBehalfOf: null },
  tenant: 'acme',
});

function planOf(text: string, facts: RoutingInput['facts']): Plan {
  const compiled = compilePolicy([{ path: 'policy.yaml', text }]);
  if (!compiled.policy) throw new Error(JSON.stringify(compiled.findings));
  const resolved = resolve(compiled.policy, request(facts));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
}

const codesOf = (text: string): string[] => compilePolicy([{ path: 'policy.yaml', text }]).findings.map((f) => `${f.code} ${f.line}`);
const levelsOf = (plan: Plan) => plan.signOffs[0]?.ladder.map(({ name, withinMs, channels }) => [name, withinMs / 60_000, channels.join(' ')]);

describe('a row with a shorter ladder for when time presses', () => {
  it('asks sooner, louder and fewer levels, and the plan says why', () => {
    const plan = planOf(policy(EXPEDITE), { due_minutes: 20 });
    expect(levelsOf(plan)).toEqual([
      ['lead', 5, 'webhook email'],
      ['head', 10, 'webhook email'],
    ]);
    expect(plan.rows[0]).toMatchObject({ expedited: expect.stringContaining('20') as unknown, why: expect.stringContaining('time presses') as unknown });
  });

  it.each([
    ['does not hold', { due_minutes: 60 }],
    ['cannot be evaluated', {}],
  ])('keeps its usual ladder where the condition %s', (_, facts) => {
    const plan = planOf(policy(EXPEDITE), facts);
    expect(levelsOf(plan)).toEqual([
      ['lead', 30, 'email'],
      ['deputy', 60, 'email'],
      ['head', 120, 'email'],
    ]);
    expect(plan.rows[0]).not.toHaveProperty('expedited');
  });

  it.each([
    ['a role that is otherwise not asked', EXPEDITE.replace('role: head', 'role: friend')],
    ['another role first', EXPEDITE.replace('role: support_lead, within: 5m', 'role: deputy, within: 5m')],
    ['more time', EXPEDITE.replace('within: 10m', 'within: 3h')],
  ])('is refused with %s: it may only tighten', (_, row) => {
    expect(codesOf(policy(row)).filter((code) => !code.startsWith('many_levels'))).toEqual([expect.stringMatching(/^expedite_loosens 3[45]$/)]);
  });

  it('is refused on a row that asks nobody', () => {
    const blocks = policy('    effect: block\n' + EXPEDITE).replace(/ {4}ladder:\n( {6}- .*\n){3}/, '');
    expect(codesOf(blocks).some((code) => code.startsWith('decorative_key'))).toBe(true);
  });
});

describe('a level that does not say how long it has', () => {
  const without = (urgency: string): string =>
    policy('')
      .replaceAll(/, within: \d+[mh]/g, '')
      .replace('urgency: soon', `urgency: ${urgency}`);

  it.each([
    ['immediate', [2, 5, 5]],
    ['urgent', [5, 15, 15]],
    ['soon', [30, 120, 120]],
    ['routine', [240, 1440, 1440]],
  ])('has what its class has: %s', (urgency, minutes) => {
    expect(levelsOf(planOf(without(urgency), {}))?.map(([, within]) => within)).toEqual(minutes);
  });

  it('has nothing where the row names no urgency, and is refused', () => {
    expect(codesOf(without('soon').replace('  urgency: soon\n', '')).filter((code) => code.startsWith('missing_'))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^missing_deadline/), expect.stringMatching(/^missing_urgency/)]),
    );
  });
});
