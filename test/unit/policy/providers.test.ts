/** Facts of providers: read and typed like any other, never claimed, and strict where they are missing. */
import fc from 'fast-check';
import { TIERS, type Effect, type Plan } from '../../../domain/plan';
import { compilePolicy, diffPolicies, explain, givenBy, judgeAnswer, questionsOf, resolve, testScenarios, type RoutingInput } from '../../../policy';
import { FACTS_POLICY } from '../../support/facts-policy';
import { asking as askingRow } from './sample';
import { asking, compiled, usd } from './support';

const { policy, findings } = compiled([{ path: 'policy.yaml', text: FACTS_POLICY }]);
const AT = '2026-11-21T09:00:00.000Z';
const provided = (values: Readonly<Record<string, RoutingInput['facts'][string]>>): Pick<RoutingInput, 'provided'> => ({
  provided: Object.fromEntries(Object.entries(values).map(([path, value]) => [path, { value, provider: 'crm', at: AT }])),
});
const credit = (more: Partial<RoutingInput> = {}): RoutingInput => asking('credit.grant', { account: 'acme-42', amount: usd(50) }, more);

it('the policy of these tests has no finding', () => {
  expect(findings).toEqual([]);
});

describe('what is asked', () => {
  it('is each declared fact, of its provider, in the time that the policy gives it or two seconds', () => {
    expect(questionsOf(policy)).toEqual([
      { provider: 'crm', facts: ['customer_tier', 'annual_spend'], system: [], withinMs: 10_000 },
      { provider: 'ops', facts: [], system: ['queue_depth'], withinMs: 10_000 },
    ]);
    const { policy: hasty } = compiled([{ path: 'policy.yaml', text: FACTS_POLICY.replace('error rates, within: 10s', 'error rates') }]);
    expect(questionsOf(hasty)[1]?.withinMs).toBe(2_000);
  });
});

describe('an answer', () => {
  it('is taken by name and type, and each thing asked for is either known or missing with a reason', () => {
    expect(judgeAnswer(policy, 'crm', { facts: { customer_tier: 'vip', annual_spend: 'much', other: 1 }, system: { queue_depth: 3 } })).toEqual({
      values: { 'facts.customer_tier': 'vip' },
      missing: { 'facts.annual_spend': expect.stringMatching(/crm gave it in another type; it has to be money/) as string },
      unasked: ['facts.other', 'system.queue_depth'],
    });
  });

  it('never yields a value of another type, or of what was not asked, whatever comes', () => {
    const names = fc.constantFrom('customer_tier', 'annual_spend', 'queue_depth', '__proto__', 'constructor', 'x');
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.record(
        { facts: fc.dictionary(names, fc.oneof(fc.jsonValue(), fc.constantFrom('vip', 'standard', usd(1)))), system: fc.dictionary(names, fc.jsonValue()) },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(anything, fc.constantFrom('crm', 'ops', 'nobody'), (answer, provider) => {
        const { values, missing } = judgeAnswer(policy, provider, answer);
        const asked = givenBy(policy).filter((g) => g.provider === provider);
        expect([...Object.keys(values), ...Object.keys(missing)].sort()).toEqual(asked.map(({ path }) => path).sort());
        expect(resolve(policy, credit({ ...provided({ 'facts.customer_tier': 'standard', ...values }) })).ok).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a fact of a provider', () => {
  it('can never be claimed: not as a fact, not by its path, not as a param', () => {
    const claims = fc.dictionary(
      fc.constantFrom('customer_tier', 'annual_spend', 'queue_depth', 'system.queue_depth', 'facts.customer_tier', 'system', 'provided'),
      fc.oneof(fc.constantFrom('standard', 'vip', 0, 101), fc.jsonValue()),
      { minKeys: 1 },
    );
    const known = provided({ 'facts.customer_tier': 'vip', 'facts.annual_spend': usd(1), 'system.queue_depth': 500 });
    fc.assert(
      fc.property(claims, fc.boolean(), (said, asParams) => {
        const facts = said as RoutingInput['facts'];
        const input = asParams ? asking('service.restart', facts, known) : asking('service.restart', {}, { ...known, facts });
        const resolved = resolve(policy, input);
        expect(resolved.ok).toBe(false);
        expect(!resolved.ok && resolved.issues.every(({ code }) => code === 'forbidden_fact')).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('that an action needs is asked for again, after everything that the agent can mend', () => {
    const resolved = resolve(policy, asking('credit.grant', { account: 'acme-42', amount: 5 }, { unavailable: { 'facts.customer_tier': 'crm is down' } }));
    expect(!resolved.ok && resolved.issues.map(({ code, path }) => [code, path])).toEqual([
      ['mistyped_fact', 'action.params.amount'],
      ['fact_unavailable', 'facts.customer_tier'],
    ]);
    expect(!resolved.ok && resolved.issues[1]?.message).toMatch(
      /credit\.grant needs the fact customer_tier, which the provider crm has to give: crm is down; send the same request again/,
    );
  });

  it('that authority is measured by is not the agent’s to mend either', () => {
    const text = FACTS_POLICY.replace('    tier: strong\n', '    tier: strong\n    amount: facts.annual_spend\n').replace(
      'lanes:',
      'authority: { account_lead: { up_to: unlimited } }\nlanes:',
    );
    const resolved = resolve(compiled([{ path: 'policy.yaml', text }]).policy, credit(provided({ 'facts.customer_tier': 'vip' })));
    expect(!resolved.ok && resolved.issues.map(({ code, path }) => [code, path])).toEqual([['fact_unavailable', 'facts.annual_spend']]);
  });

  it('is explained with its value, and where it is missing', () => {
    const { rows, resolved } = explain(policy, credit(provided({ 'facts.customer_tier': 'vip' })));
    expect(rows.map(({ id, fate, words }) => [id, fate, words])).toEqual([
      ['vip_credit', 'applies', expect.stringContaining('facts.customer_tier ("vip") == "vip"')],
      ['big_spender', 'applies_unevaluated', expect.stringContaining('facts.annual_spend (absent)')],
      ['busy_queue', 'not_met', expect.any(String)],
    ]);
    expect(resolved.ok && resolved.plan.unavailable).toEqual({ 'facts.annual_spend': 'it was not asked', 'system.queue_depth': 'it was not asked' });
  });

  it('is a change to review where another gives it, and less is asked where the agent may claim it', () => {
    const after = compiled([
      {
        path: 'policy.yaml',
        text: FACTS_POLICY.replace("type: 'enum[standard, vip]', source: provider, provider: crm", "type: 'enum[standard, vip]', source: agent").replaceAll(
          'provided: { customer_tier',
          'facts: { customer_tier',
        ),
      },
    ]).policy;
    expect(diffPolicies(policy, after).changes).toEqual([
      {
        kind: 'fact',
        name: 'customer_tier',
        change: 'changed',
        loosens: true,
        details: [
          { what: 'source', before: 'provider', after: 'agent', loosens: true },
          { what: 'provider', before: 'crm', after: null, loosens: false },
        ],
      },
    ]);
  });
});

describe('a scenario', () => {
  const run = (text: string) => testScenarios(policy, null, [{ path: 'scenarios/a.yaml', text }]);
  const scenario = (rest: string): string =>
    `scenarios:\n  - name: a\n    request: { action: { type: credit.grant, params: { account: acme-42, amount: 50.00 USD } } }\n${rest}`;

  it('says what providers say, money as money; what it does not say is a provider that is down', () => {
    const tested = run(
      `${scenario('    provided: { customer_tier: standard, annual_spend: 50000.00 USD }\n    system: { queue_depth: 3 }\n    expect: { effect: approval, rows: [big_spender] }\n')}` +
        `  - name: b\n    request: { action: { type: credit.grant, params: { account: acme-42, amount: 50.00 USD } } }\n    expect: { refused: fact_unavailable }\n`,
    );
    expect(tested.findings).toEqual([]);
    expect(tested.scenarios.map(({ ok }) => ok)).toEqual([true, true]);
  });

  it('fails where it says something of another type, or that nobody gives', () => {
    expect(run(scenario('    provided: { customer_tier: gold }\n    expect: { effect: approval }\n')).findings[0]?.message).toMatch(
      /mistyped_fact: facts\.customer_tier has to be enum/,
    );
    expect(run(scenario('    system: { depth: 1 }\n    expect: { effect: approval }\n')).findings[0]?.message).toMatch(
      /forbidden_fact: The policy has no system\.depth/,
    );
  });
});

// ---------------------------------------------------------------- the strict direction

const EFFECTS: readonly Effect[] = ['allow', 'approval', 'escalation', 'block'];

/** Conditions over what providers give; any of them may be joined and turned round. */
const atoms = fc.constantFrom(
  'facts.tier == "gold"',
  'facts.tier in ["gold", "silver"]',
  'facts.spend >= usd(100)',
  'facts.spend - usd(20) < usd(50)',
  'system.depth > 10',
  'system.depth % 2 == 0',
  'system.rate < 0.5',
  'facts.tags.exists(t, t == "legal")',
  'facts.tags.all(t, t.startsWith("a"))',
  'size(facts.tags) == 0',
  'action.params.amount > usd(100)',
  '(facts.tier == "gold" ? system.depth > 5 : action.params.amount > usd(10))',
);
const condition: fc.Arbitrary<string> = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    atoms,
    fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie('tree').map((a) => `!(${a})`),
  ),
})).tree;

const rowsOfAny = fc.array(
  fc.record({
    when: condition,
    unless: fc.option(condition),
    effect: fc.constantFrom('approval', 'escalation', 'block', 'allow'),
    tier: fc.constantFrom('lightweight', 'strong', 'dual'),
    supersedes: fc.subarray([0, 1, 2]),
    role: fc.constantFrom('lead', 'head'),
    minutes: fc.integer({ min: 1, max: 100 }),
    evidence: fc.subarray(['a', 'b']),
  }),
  { minLength: 1, maxLength: 4 },
);

const GIVEN = {
  'facts.tier': fc.constantFrom('gold', 'silver', 'none'),
  'facts.spend': fc.integer({ min: 0, max: 20_000 }).map((minor) => ({ minor, currency: 'USD' })),
  'facts.tags': fc.subarray(['legal', 'ab', 'ac']),
  'system.depth': fc.integer({ min: 0, max: 20 }),
  'system.rate': fc.double({ min: 0, max: 1, noNaN: true }),
} as const;

/** Examples cannot fit a generated trigger, so the rows have none of their own: only findings about these are set aside. */
function policyWith(rows: readonly object[]) {
  const text = JSON.stringify({
    name: 'generated',
    version: '1',
    providers: { p: {} },
    actions: { pay: { params: { amount: 'money' } } },
    facts: Object.fromEntries(
      (['tier', 'spend', 'tags'] as const).map((name, i) => [
        name,
        { type: ['enum[gold, silver, none]', 'money', 'list<string>'][i], source: 'provider', provider: 'p' },
      ]),
    ),
    system: { depth: { type: 'int', provider: 'p' }, rate: { type: 'double', provider: 'p' } },
    default: { tier: 'none', lane: 'manager', owner: 'lead' },
    rows,
  });
  return compilePolicy([{ path: 'policy.yaml', text }]);
}

function looser(known: Plan, unknown: Plan): string[] {
  const found: string[] = [];
  if (EFFECTS.indexOf(unknown.effect) < EFFECTS.indexOf(known.effect)) found.push('effect');
  if (unknown.effect === 'block' || known.effect === 'allow') return found;
  if (TIERS.indexOf(unknown.tier) < TIERS.indexOf(known.tier)) found.push('tier');
  if (!known.evidence.every((name) => unknown.evidence.includes(name))) found.push('evidence');
  for (const signOff of known.signOffs) {
    const same = unknown.signOffs.find(({ lane, role }) => lane === signOff.lane && role === signOff.role);
    if (!same) found.push(`sign-off ${signOff.role}`);
    else if (same.quorum < signOff.quorum) found.push('quorum');
    else if (!same.ladder.every((l) => signOff.ladder.some((m) => m.role === l.role && m.withinMs >= l.withinMs))) found.push('ladder');
  }
  return found;
}

describe('what a provider does not say', () => {
  it('never yields a looser plan than anything that it could have said', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        rowsOfAny,
        fc.record(GIVEN),
        fc.subarray(Object.keys(GIVEN), { minLength: 1 }),
        fc.integer({ min: 0, max: 20_000 }),
        (drawn, values, silent, minor) => {
          const rows = drawn.map(({ when, unless, effect, tier, supersedes, role, minutes, evidence }, i) => ({
            id: `row_${String(i)}`,
            when,
            ...(unless === null ? {} : { unless }),
            supersedes: supersedes.filter((n) => n < i).map((n) => `row_${String(n)}`),
            lane: 'finance',
            owner: 'lead',
            ...(effect === 'block'
              ? { effect, on_deny: { path: 'stop' } }
              : effect === 'allow'
                ? { tier: 'none' }
                : { ...askingRow, when, kind: effect, tier, evidence, ladder: [{ role, within: `${String(minutes)}m` }] }),
          }));
          const { policy: generated, problems } = withoutExamples(rows);
          if (!generated) throw new Error(problems);
          const input = asking('pay', { amount: { minor, currency: 'USD' } }, { evidence: ['a', 'b'] });
          const all = Object.entries(values) as [string, RoutingInput['facts'][string]][];
          const known = resolve(generated, { ...input, ...provided(Object.fromEntries(all)) });
          const unknown = resolve(generated, { ...input, ...provided(Object.fromEntries(all.filter(([path]) => !silent.includes(path)))) });
          if (!known.ok || !unknown.ok) throw new Error('both can be routed');
          seen.add(`${known.plan.effect} to ${unknown.plan.effect}`);
          expect(Object.keys(unknown.plan.unavailable ?? {}).sort()).toEqual([...silent].sort());
          expect(looser(known.plan, unknown.plan)).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
    expect([...seen]).toEqual(expect.arrayContaining(['allow to allow', 'allow to approval', 'approval to approval', 'block to block']));
  });

  it('cannot be asked for by a condition: has() of it is refused', () => {
    const rows = [{ ...askingRow, id: 'guarded', when: 'has(facts.tier) && facts.tier == "gold"', examples: { match: [], no_match: [] } }];
    expect(policyWith(rows).findings.map((f) => f.code)).toContain('cel_has_provided');
  });
});

/** A policy of generated rows: triggers and what they supersede are put in once the shape has been checked with a trigger that examples fit. */
function withoutExamples(rows: readonly { readonly id: string; readonly when: string }[]) {
  const plain = rows.map((row) => ({
    ...row,
    when: `action.params.amount > usd(100)`,
    examples: {
      match: [{ action: { type: 'pay', params: { amount: '100.01 USD' } } }],
      no_match: [{ action: { type: 'pay', params: { amount: '100.00 USD' } } }],
    },
    unless: undefined,
    supersedes: [],
  }));
  const { policy: shaped, findings: found } = policyWith(plain);
  if (!shaped) return { policy: null, problems: found.map((f) => f.message).join('\n') };
  const written = rows as readonly { readonly when: string; readonly unless?: string; readonly supersedes?: readonly string[] }[];
  const conditionOf = (text: string) => {
    const { expression, problems } = shaped.engine.compile(text, 'bool');
    if (!expression) throw new Error(`${text}: ${problems.map((p) => p.message).join('; ')}`);
    return expression;
  };
  return {
    policy: {
      ...shaped,
      rows: shaped.rows.map((row, i) => ({
        ...row,
        supersedes: written[i]?.supersedes ?? [],
        when: conditionOf(written[i]?.when ?? ''),
        unless: written[i]?.unless === undefined ? null : conditionOf(written[i].unless),
      })),
    },
    problems: '',
  };
}
