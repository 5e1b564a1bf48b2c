import type { Plan } from '../../../domain/plan';
import { resolve, type CompiledPolicy, type RoutingInput, type RoutingIssue } from '../../../policy';
import { asking as askingRow, policyOf, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

const row = (id: string, trigger: keyof typeof TRIGGERS, rest: Readonly<Record<string, unknown>> = {}): Row => ({
  id,
  ...askingRow,
  ...TRIGGERS[trigger],
  ...rest,
});
const block = (id: string, trigger: keyof typeof TRIGGERS): Row => ({
  id,
  effect: 'block',
  lane: 'security',
  owner: 'officer',
  on_deny: { path: 'never' },
  ...TRIGGERS[trigger],
});
const allow = (id: string, trigger: keyof typeof TRIGGERS): Row => ({ id, tier: 'none', lane: 'manager', owner: 'lead', ...TRIGGERS[trigger] });

const planOf = (policy: CompiledPolicy, input: RoutingInput): Plan => {
  const resolved = resolve(policy, input);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
};
const pay = (amount: number, rest: Record<string, unknown> = {}, facts: Record<string, string> = {}): RoutingInput =>
  asking('pay', { amount: usd(amount), ...(rest as Record<string, string>) }, { facts });
const codesOf = (policy: CompiledPolicy, input: RoutingInput): string[] => {
  const resolved = resolve(policy, input);
  return resolved.ok ? [] : resolved.issues.map(({ code, path }: RoutingIssue) => `${code} ${path}`);
};

describe('a request that cannot be routed is refused, each reason named', () => {
  const policy = policyOf([row('any', 'pay', { evidence: ['invoice', 'order'] })]);

  it.each<[string, RoutingInput, string[]]>([
    ['an action the policy does not know', asking('refund'), ['unknown_action action.type']],
    ['an action named like what every object has', asking('constructor'), ['unknown_action action.type']],
    ['a missing param', asking('pay'), ['missing_fact action.params.amount']],
    ['money as a number', asking('pay', { amount: 250 }), ['mistyped_fact action.params.amount']],
    ['money with half a cent', asking('pay', { amount: { minor: 0.5, currency: 'USD' } }), ['mistyped_fact action.params.amount']],
    ['money with something beside it', asking('pay', { amount: { minor: 5, currency: 'USD', minorUnits: 900 } }), ['mistyped_fact action.params.amount']],
    ['a whole number that is none', asking('pay', { amount: usd(1), days: 1.5 }), ['mistyped_fact action.params.days']],
    ['a whole number beyond what is exact', asking('pay', { amount: usd(1), days: 2 ** 53 }), ['mistyped_fact action.params.days']],
    ['a param that is not declared', asking('pay', { amount: usd(1), lane: 'manager' }), ['forbidden_fact action.params.lane']],
    ['a claimed fact that is computed', pay(1, {}, { large: 'false' }), ['forbidden_fact facts.large']],
    ['a fact that is not declared', pay(1, {}, { owner: 'me' }), ['forbidden_fact facts.owner']],
    ['a claimed fact of the wrong type', pay(1, {}, { tier: 'platinum' }), ['mistyped_fact facts.tier']],
    [
      'several at once',
      asking('pay', { days: 'x' }, { facts: { owner: 'me' } }),
      ['mistyped_fact action.params.days', 'missing_fact action.params.amount', 'forbidden_fact facts.owner'],
    ],
    ['evidence that is not attached', { ...pay(1), evidence: ['order'] }, ['missing_evidence evidence.invoice']],
  ])('%s', (_, input, expected) => {
    expect(codesOf(policy, input)).toEqual(expected);
  });

  it('but a block is a block whatever is missing', () => {
    expect(planOf(policyOf([row('any', 'pay', { evidence: ['invoice'] }), block('never', 'pay')]), pay(1)).effect).toBe('block');
  });
});

describe('what cannot be evaluated counts in the strict direction only', () => {
  const silent = pay(50);

  it('a trigger as matched, and says so', () => {
    const plan = planOf(policyOf([row('golden', 'gold')]), silent);
    expect(plan.effect).toBe('approval');
    expect(plan.rows).toEqual([
      expect.objectContaining({ id: 'golden', unevaluated: true, why: 'facts.tier (absent) == "gold": this could not be evaluated, so it counts as met' }),
    ]);
  });

  it('also across currencies', () => {
    const policy = policyOf([row('costly', 'fee')]);
    expect(planOf(policy, pay(50, { fee: { minor: 1, currency: 'EUR' } })).rows[0]?.unevaluated).toBe(true);
    expect(planOf(policy, pay(50, { fee: usd(1) })).effect).toBe('allow');
  });

  it('a block as matched', () => {
    expect(planOf(policyOf([block('never', 'gold')]), silent).effect).toBe('block');
  });

  it('an allowing row as not matched', () => {
    const policy = policyOf([allow('golden', 'gold')], askingRow);
    expect(planOf(policy, silent).effect).toBe('approval');
    expect(planOf(policy, pay(50, {}, { tier: 'gold' })).effect).toBe('allow');
  });

  it('unless as not met', () => {
    const policy = policyOf([row('any', 'pay', { unless: 'facts.tier == "gold"' })]);
    expect(planOf(policy, silent).effect).toBe('approval');
    expect(planOf(policy, pay(50, {}, { tier: 'gold' })).effect).toBe('allow');
    expect(planOf(policy, pay(50, {}, { tier: 'silver' })).effect).toBe('approval');
  });

  it('supersedes as not met', () => {
    const policy = policyOf([row('any', 'pay', { tier: 'strong' }), row('golden', 'gold', { supersedes: ['any'] })]);
    expect(planOf(policy, silent)).toMatchObject({ tier: 'strong', rows: [{ id: 'any' }, { id: 'golden', unevaluated: true }] });
    expect(planOf(policy, pay(50, {}, { tier: 'gold' }))).toMatchObject({ tier: 'lightweight', rows: [{ id: 'golden' }] });
  });

  it('an amount is refused when it cannot be read, or is below zero', () => {
    const policy = policyOf([row('any', 'pay', { amount: 'action.params.fee' })]);
    expect(codesOf(policy, silent)).toEqual(['amount_unreadable action.params.fee']);
    expect(codesOf(policy, pay(50, { fee: usd(-1) }))).toEqual(['amount_unreadable action.params.fee']);
    expect(codesOf(policy, pay(50, { fee: usd(0) }))).toEqual([]);
  });

  it('amounts of two rows in two currencies are refused', () => {
    const policy = policyOf([row('a', 'pay', { amount: 'action.params.fee' }), row('b', 'pay', { amount: 'action.params.amount' })]);
    expect(codesOf(policy, pay(50, { fee: { minor: 5, currency: 'EUR' } }))).toEqual(['amount_unreadable action.params.amount']);
  });
});

describe('the strictest row wins', () => {
  const escalation = (id: string): Row => row(id, 'pay', { kind: 'escalation', lane: 'customer', ladder: [{ role: 'head', within: '30m' }] });

  it('block before escalation before approval before allow, in whatever order they stand', () => {
    const rows = [allow('yes', 'pay'), row('ask', 'pay'), escalation('take'), block('never', 'pay')];
    for (const [n, effect] of [
      [1, 'allow'],
      [2, 'approval'],
      [3, 'escalation'],
      [4, 'block'],
    ] as const) {
      expect(planOf(policyOf(rows.slice(0, n)), pay(1)).effect).toBe(effect);
      expect(planOf(policyOf(rows.slice(0, n).reverse()), pay(1)).effect).toBe(effect);
    }
  });

  it('an escalation keeps the sign-offs of the approvals that matched, after its own', () => {
    const plan = planOf(policyOf([row('ask', 'pay', { tier: 'strong' }), escalation('take')]), pay(1));
    expect(plan).toMatchObject({ effect: 'escalation', lane: 'customer', tier: 'strong' });
    expect(plan.signOffs.map((s) => [s.id, s.lane, s.role, s.rows])).toEqual([
      ['1', 'customer', 'head', ['take']],
      ['2', 'finance', 'lead', ['ask']],
    ]);
  });

  it('the same lane and role from two rows is one signature with the greater quorum and the earlier deadline', () => {
    const first = row('a', 'pay', {
      ladder: undefined,
      sign_offs: [
        {
          quorum: 2,
          ladder: [
            { role: 'lead', within: '60m', reminders: [0.5] },
            { role: 'chief', within: '10m' },
            { role: 'head', within: '60m' },
          ],
        },
      ],
    });
    const second = row('b', 'pay', {
      ladder: [
        { role: 'lead', within: '20m', reminders: [0.1] },
        { role: 'head', within: '90m' },
      ],
    });
    const plan = planOf(policyOf([first, second]), pay(1));
    expect(plan.signOffs).toEqual([expect.objectContaining({ lane: 'finance', role: 'lead', quorum: 2, rows: ['a', 'b'] })]);
    expect(plan.signOffs[0]?.ladder.map((l) => [l.role, l.withinMs / 60_000, l.reminders])).toEqual([
      ['lead', 20, [0.1]],
      ['head', 60, []],
    ]);
  });

  it('the higher tier, risk and urgency, the stricter meanwhile, the safer end and all evidence hold; the first row gives the words', () => {
    const a = row('a', 'pay', {
      evidence: ['x'],
      owner: 'lead',
      on_deny: { path: 'first path' },
      instruction: 'first words',
      on_timeout: { end: 'expire' },
      takeover_within: '2h',
    });
    const b = row('b', 'pay', {
      tier: 'strong',
      risk: 'critical',
      urgency: 'urgent',
      evidence: ['y', 'x'],
      meanwhile: { agent: 'freeze_decision', operator: 'second look' },
      owner: 'head',
      on_deny: { path: 'second path', tell_requester: true },
      on_timeout: { end: 'hold', hold: { role: 'head', for: '1h', then: 'expire' }, ticket: { queue: 'q', owner: 'lead', title: 't' } },
      takeover_within: '1h',
    });
    expect(planOf(policyOf([a, b]), { ...pay(1), evidence: ['x', 'y'] })).toMatchObject({
      tier: 'strong',
      risk: 'critical',
      urgency: 'urgent',
      evidence: ['x', 'y'],
      owner: 'lead',
      instruction: 'first words',
      takeoverMs: 3_600_000,
      meanwhile: { agent: 'freeze_decision', operator: 'second look' },
      onDeny: { path: 'first path', tellRequester: true },
      onTimeout: { end: 'hold', hold: { role: 'head', forMs: 3_600_000, then: 'expire' }, ticket: { queue: 'q' } },
    });
  });

  it('one person may sign twice only when every row says so', () => {
    const yes = row('a', 'pay', { same_person_allowed: true });
    expect(planOf(policyOf([yes]), pay(1)).samePersonAllowed).toBe(true);
    expect(planOf(policyOf([yes, row('b', 'pay')]), pay(1)).samePersonAllowed).toBe(false);
  });

  it('a row that is itself superseded supersedes nothing', () => {
    const rows = [row('a', 'pay', { tier: 'strong' }), row('b', 'pay', { supersedes: ['a'] }), row('c', 'over100', { supersedes: ['b'] })];
    expect(planOf(policyOf(rows), pay(101)).rows.map((r) => r.id)).toEqual(['a', 'c']);
    expect(planOf(policyOf(rows), pay(1)).rows.map((r) => r.id)).toEqual(['b']);
  });

  it('an exception that gives way to another row sets nothing aside, and is nobody’s leave to grant it', () => {
    const rows = [
      block('first', 'pay'),
      block('second', 'pay'),
      row('wide', 'pay', { excepts: ['first', 'second'], tier: 'dual' }),
      row('narrow', 'over100', { excepts: ['first'], supersedes: ['wide'] }),
    ];
    const asked = (amount: number): RoutingInput => ({
      ...pay(amount),
      exception: { of: 'ap_1', outcome: 'blocked', rows: ['first', 'second'] },
    });
    expect(planOf(policyOf(rows), asked(1))).toMatchObject({ tier: 'dual', rows: [{ id: 'wide' }] });
    expect(codesOf(policyOf(rows), asked(101))).toEqual(['no_exception exception.of']);
  });

  it('a request that no row speaks of meets the default row', () => {
    expect(planOf(policyOf([row('a', 'over100')]), asking('close'))).toMatchObject({
      effect: 'allow',
      rows: [{ id: 'default', when: '', why: 'no row speaks of this request, so the default row applies' }],
    });
    expect(planOf(policyOf([], { ...askingRow, tier: 'strong' }), asking('close'))).toMatchObject({ effect: 'approval', tier: 'strong' });
  });
});

describe('a sign-off above authority', () => {
  const chain = (currency = 'USD'): CompiledPolicy =>
    policyOf([
      row('a', 'pay', {
        amount: 'action.params.amount',
        ladder: undefined,
        sign_offs: [
          { ladder: [{ role: 'lead', within: '1h' }] },
          { only: 'above_authority', ladder: [{ role: 'head', within: '1h' }] },
          { only: 'above_authority', lane: 'manager', ladder: [{ role: 'chief', within: '1h' }] },
        ],
        why: currency,
      }),
    ]);
  const roles = (amount: RoutingInput['action']['params'][string]): string[] =>
    planOf(chain(), asking('pay', { amount: amount ?? null })).signOffs.map((s) => s.role);

  it('is needed a cent above it and not at it', () => {
    expect(roles(usd(100))).toEqual(['lead']);
    expect(roles(usd(100.01))).toEqual(['lead', 'head']);
    expect(roles(usd(1000))).toEqual(['lead', 'head']);
    expect(roles(usd(1000.01))).toEqual(['lead', 'head', 'chief']);
  });

  it('is needed when the amount is in another currency than the authority', () => {
    expect(roles({ minor: 1, currency: 'EUR' })).toEqual(['lead', 'head', 'chief']);
  });

  it('lets a role sign that has no authority over money where its own row measures none', () => {
    const money = row('money', 'pay', { amount: 'action.params.amount', ladder: [{ role: 'head', within: '1h' }] });
    const access = row('access', 'pay', { lane: 'security', ladder: [{ role: 'guard', within: '1h' }] });
    const plan = planOf(policyOf([money, access]), asking('pay', { amount: usd(500) }));
    expect(plan.signOffs.map((s) => s.role)).toEqual(['head', 'guard']);
    expect(plan.authority).toEqual({ head: usd(1000), guard: null });
    // Its yes is about access: it lifts nobody's yes to the money over a limit.
    expect(plan.unmeasured).toEqual(['guard']);
    expect(planOf(policyOf([access]), asking('pay', { amount: usd(500) })).unmeasured).toBeUndefined();
  });

  it('reaches the one who is paged when the request is held', () => {
    const held = row('held', 'pay', { amount: 'action.params.amount', on_timeout: { end: 'hold', hold: { role: 'chief', for: '1h', then: 'deny' } } });
    expect(planOf(policyOf([held]), asking('pay', { amount: usd(50) })).authority).toEqual({ lead: usd(100), chief: null });
  });

  it('puts the authority of those who are asked into the plan, and of nobody else', () => {
    expect(planOf(chain(), asking('pay', { amount: usd(500) }))).toMatchObject({ amount: usd(500) });
    expect(planOf(chain(), asking('pay', { amount: usd(500) })).authority).toEqual({ lead: usd(100), head: usd(1000) });
  });
});
