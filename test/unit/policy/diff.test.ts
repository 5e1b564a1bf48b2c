/** What changed between two policies, in words; and nothing where they mean the same. */
import fc from 'fast-check';
import { compilePolicy, diffPolicies, formatDiff, formatFindings, summarizeDiff, type CompiledPolicy } from '../../../policy';
import { DESK_POLICY } from '../../support/desk-policy';
import { asking, policyOf, TRIGGERS } from './sample';

function policy(change: (text: string) => string = (text) => text): CompiledPolicy {
  const compiled = compilePolicy([{ path: 'policy.yaml', text: change(DESK_POLICY) }]);
  if (!compiled.policy) throw new Error(formatFindings(compiled.findings));
  return compiled.policy;
}
const replaced =
  (from: string, to: string) =>
  (text: string): string => {
    if (!text.includes(from)) throw new Error(`The policy does not say ${from}`);
    return text.replace(from, to);
  };
const changed = (from: string, to: string) => diffPolicies(policy(), policy(replaced(from, to))).changes;

describe('the same policy', () => {
  it('has no change, and says so', () => {
    const diff = diffPolicies(policy(), policy());
    expect(diff.changes).toEqual([]);
    expect(formatDiff(diff)).toMatch(/: the same policy$/);
  });

  it('has none with a comment more, but another identity', () => {
    const diff = diffPolicies(
      policy(),
      policy((text) => `# A comment\n${text}`),
    );
    expect(diff.changes).toEqual([]);
    expect(diff.before.hash).not.toBe(diff.after.hash);
    expect(formatDiff(diff)).toMatch(/nothing that routes a request changed/);
  });
});

describe('everything that a policy says', () => {
  it('is compared, or is a place in a file: whoever adds something to rows or policies has to say here which it is', () => {
    const { rows, names: _names, engine: _engine, ...rest } = policy();
    const notCompared = ['at', 'ownerAt', 'whenAt', 'id'];
    const compared = [
      ...['effect', 'when', 'unless', 'supersedes', 'excepts', 'refuserAllowed', 'lane', 'owner', 'tier', 'risk', 'urgency', 'amount', 'signOffs', 'parallel'],
      ...[
        'expedite',
        'offers',
        'asksFor',
        'meanwhile',
        'evidence',
        'onTimeout',
        'onDeny',
        'takeoverMs',
        'takeoverAtMostMs',
        'questions',
        'samePersonAllowed',
        'provision',
        'instruction',
      ],
    ];
    expect(Object.keys(rows[0] ?? {}).sort()).toEqual([...compared, ...notCompared].sort());
    const parts = ['lanes', 'authority', 'actions', 'facts', 'recent', 'providers', 'system', 'relativeRoles', 'calendars', 'operators', 'defaultRow'];
    expect(Object.keys(rest).sort()).toEqual([...parts, 'name', 'version', 'hash', 'at'].sort());
  });
});

describe('in one line', () => {
  it('names the first few, and every one by which less is asked', () => {
    const line = (before: CompiledPolicy, after: CompiledPolicy): string => summarizeDiff(diffPolicies(before, after));
    expect(line(policy(), policy())).toBe('the same policy');
    expect(line(policy(), policy(replaced('tier: dual', 'tier: strong')))).toBe('export changed (less is asked)');
    expect(line(policyOf([]), policyOf(['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, ...asking, ...TRIGGERS.pay }))))).toMatch(
      /^a added; .* added; .* added; and \d+ more$/,
    );
  });
});

describe('a change', () => {
  it('of what may be added to a yes, has to be chosen, or is asked of a person', () => {
    const offering = (offers: object) => policyOf([{ id: 'r', ...asking, ...TRIGGERS.pay, offers }]);
    const of = (before: CompiledPolicy, after: CompiledPolicy) =>
      diffPolicies(before, after).changes.flatMap((c) => c.details.map((d) => [d.what, d.before, d.after]));
    expect(of(offering({ amount_at_most: { param: 'amount', at_most: '50.00 USD' } }), offering({ expires_within: '24h' }))).toEqual([
      ['may be added to a yes', 'amount up to USD 50.00', 'an end within 24h'],
    ]);
    expect(of(offering({ expires_within: '24h' }), offering({ expires_within: '24h', options: { part: 'In part', full: 'As asked' } }))).toEqual([
      ['a yes has to choose', null, 'part (In part), full (As asked)'],
    ]);
    const answering = (facts: object) => policyOf([{ id: 'r', ...asking, ...TRIGGERS.pay, kind: 'escalation', ...facts }]);
    expect(of(answering({}), answering({ asks_for: { intent: 'enum[a, b]' } }))).toEqual([['the person is asked for', null, 'intent (enum[a, b])']]);
  });

  it('of a trigger shows both texts', () => {
    const text = formatDiff(
      diffPolicies(
        policy(),
        policy((t) => t.replace('> usd(250)', '> usd(300)').replaceAll('250.01 USD', '300.01 USD').replaceAll('25001', '30001')),
      ),
    );
    expect(text).toContain('row refund_over_250: changed\n  trigger:\n    was  action.type');
    expect(text).toMatch(/now {2}.*usd\(300\)/);
  });

  it('of a ladder shows who is asked for how long', () => {
    const [change] = changed('within: 30m', 'within: 45m');
    expect(change).toMatchObject({
      kind: 'row',
      change: 'changed',
      details: [
        {
          what: 'who is asked',
          before: expect.stringContaining('finance manager for 30m by email') as string,
          after: expect.stringContaining('for 45m') as string,
        },
      ],
    });
  });

  it('of an end of silence and of what a role may sign is named', () => {
    expect(changed('end: expire', 'end: deny')).toEqual(
      expect.arrayContaining([expect.objectContaining({ details: [{ what: 'when nobody answers', before: 'expire', after: 'deny', loosens: false }] })]),
    );
  });

  it('is marked where less is asked than before', () => {
    const row = { id: 'a', ...asking, tier: 'strong', evidence: ['invoice', 'order'], ...TRIGGERS.pay };
    const marked = (now: object, before: object = {}): unknown[] =>
      diffPolicies(policyOf([{ ...row, ...before }]), policyOf([{ ...row, ...now }])).changes.flatMap((c) => c.details.map((d) => [d.what, d.loosens]));
    expect(marked({ tier: 'lightweight' })).toEqual([['tier', true]]);
    expect(marked({}, { tier: 'lightweight' })).toEqual([['tier', false]]);
    expect(marked({ evidence: ['invoice'] })).toEqual([['evidence', true]]);
    expect(marked({ evidence: ['invoice', 'order', 'draft'] })).toEqual([['evidence', false]]);
    expect(marked({ unless: 'has(action.params.note)' })).toEqual([['unless', true]]);
    expect(marked({ meanwhile: { agent: 'block', operator: 'look' } })).toEqual([['meanwhile', false]]);
    expect(marked({}, { meanwhile: { agent: 'block', operator: 'look' } })).toEqual([['meanwhile', true]]);
    const chain = { sign_offs: [{ role: 'lead' }, { role: 'head', ladder: [{ role: 'head', within: '1h' }] }] };
    expect(marked({}, chain)).toEqual([
      ['signatures', true],
      ['who is asked', false],
    ]);
    expect(marked(chain)[0]).toEqual(['signatures', false]);
  });

  it('of what happens meanwhile, of questions, takeovers and of one no is named, and marked where it is looser', () => {
    const ladder = [
      { role: 'lead', within: '8h' },
      { role: 'chief', within: '8h' },
    ];
    const row = { id: 'a', ...asking, ladder, ...TRIGGERS.pay };
    const of = (before: object, now: object): unknown[] =>
      diffPolicies(policyOf([{ ...row, ...before }]), policyOf([{ ...row, ...now }])).changes.flatMap((c) =>
        c.details.map((d) => [d.what, d.before, d.after, d.loosens]),
      );
    const told = (rest: object) => ({ meanwhile: { agent: 'reduce_throughput', operator: 'look', to_percent: 50, ...rest } });
    expect(of(told({}), told({ to_percent: 20 }))).toEqual([['in detail', 'to 50% of the usual', 'to 20% of the usual', false]]);
    expect(of(told({}), told({ effects: { pause_credential: { credential: 'bank', reason: 'looked at' } } }))).toEqual([
      ['carried out meanwhile', null, 'the credential bank is paused: looked at', false],
    ]);
    const ask = (rest: object) => ({ questions: { clock: 'pauses', within: '2h', at_most: 5, ...rest } });
    expect(of({}, ask({}))).toEqual([
      ['while a question is open', null, 'the clock stands still', true],
      ['a question waits', null, '2h', false],
      ['questions', null, '5', false],
    ]);
    expect(of(ask({}), ask({ within: '3h', at_most: 6, clock: 'runs' }))).toEqual([
      ['while a question is open', 'the clock stands still', null, false],
      ['a question waits', '2h', '3h', true],
      ['questions', '5', '6', true],
    ]);
    // To say what holds anyway is no change.
    expect(of({}, { questions: { clock: 'runs', within: '4h', at_most: 20 } })).toEqual([]);
    expect(of({}, { takeover_at_most: '8h' })).toEqual([['with updates, who took over has', null, '8h', true]]);
    expect(of({ takeover_at_most: '8h' }, { takeover_at_most: '6h' })).toEqual([['with updates, who took over has', '8h', '6h', false]]);
    expect(of({}, { on_deny: { path: 'stop', one_no: 'next_level' } })).toEqual([['a no', null, 'goes to the next level', true]]);
  });

  it('of what operators may do is one thing, and marked where they may more', () => {
    const withOperators = (operators: object | null): CompiledPolicy =>
      policy((text) => (operators ? `operators: ${JSON.stringify(operators)}\n${text}` : text));
    const of = (before: object | null, now: object | null) => diffPolicies(withOperators(before), withOperators(now));
    const desk = { roles: ['support_lead'] };
    const override = { roles: ['cfo'], may: ['deny'], reasons: { outage: 'Nobody can be reached' }, second_person: true };
    const glass = { roles: ['cfo'], review: { queue: 'audit', owner: 'auditor', title: 'It was forced' } };
    const marks = (...given: Parameters<typeof of>): unknown[] => of(...given).changes.flatMap((c) => c.details.map((d) => [d.what, d.loosens]));
    expect(formatDiff(of(null, { ...desk, extend_at_most: '8h' }))).toContain(
      'operators: changed (less is asked)\n  operators are: support_lead, was operator  (less is asked)\n  a level may be extended by: 8h, was none  (less is asked)',
    );
    expect(summarizeDiff(of(null, desk))).toBe('operators changed (less is asked)');
    // To say who they are without saying so is no change.
    expect(marks(null, { roles: ['operator'] })).toEqual([]);
    expect(marks({ ...desk, extend_at_most: '8h' }, { ...desk, extend_at_most: '4h' })).toEqual([['a level may be extended by', false]]);
    expect(marks({ ...desk, override }, { ...desk, override: { ...override, may: ['deny', 'approve'], second_person: false } })).toEqual([
      ['may override', true],
      ['an override takes', true],
    ]);
    expect(marks({ ...desk, override: { ...override, second_person: false } }, { ...desk, override })).toEqual([['an override takes', false]]);
    expect(marks({ ...desk, override }, desk).every((mark) => !(mark as [string, boolean])[1])).toBe(true);
    expect(marks(desk, { ...desk, break_glass: glass })).toEqual([
      ['glass broken by', true],
      ['a broken glass is reviewed', false],
    ]);
  });

  it('of how far a role reaches is marked where it reaches farther, and a thing that neither asks nor lets never is', () => {
    const marks = (from: string, to: string): unknown[] => changed(from, to).map(({ kind, name, change, loosens }) => [kind, name, change, loosens]);
    expect(marks('finance_manager: { up_to: 1000.00 USD }', 'finance_manager: { up_to: 2000.00 USD }')).toEqual([
      ['authority', 'finance_manager', 'changed', true],
    ]);
    expect(marks('finance_manager: { up_to: 1000.00 USD }', 'finance_manager: { up_to: 500.00 USD }')).toEqual([
      ['authority', 'finance_manager', 'changed', false],
    ]);
    expect(marks('actions:\n', 'actions:\n  thing.do: {}\n')).toEqual([['action', 'thing.do', 'added', false]]);
  });

  it('is a row added or removed whole; without a row that asks, less is asked', () => {
    const [a, b] = [
      { id: 'a', ...asking, ...TRIGGERS.pay },
      { id: 'b', ...asking, ...TRIGGERS.over100 },
    ];
    const removed = diffPolicies(policyOf([a, b]), policyOf([a]));
    expect(removed.changes.map(({ kind, name, change, loosens }) => [kind, name, change, loosens])).toEqual([
      ['row', 'b', 'removed', true],
      ['order', 'order of rows', 'changed', false],
    ]);
    expect(formatDiff(removed)).toContain(
      'row b: removed (less is asked)\n  effect: approval\n  trigger: action.type == "pay" && action.params.amount > usd(100)',
    );
    expect(diffPolicies(policyOf([a]), policyOf([a, b])).changes[0]).toMatchObject({ name: 'b', change: 'added', loosens: false });
  });
});

it('of two policies swaps what was and what is when they are swapped, and is empty for one with itself', () => {
  const row = fc.record({
    tier: fc.constantFrom('lightweight', 'strong'),
    evidence: fc.subarray(['invoice', 'order']),
    trigger: fc.constantFrom(TRIGGERS.pay, TRIGGERS.over100, TRIGGERS.noted),
    end: fc.constantFrom('deny', 'expire'),
  });
  const compiled = fc
    .array(row, { minLength: 1, maxLength: 3 })
    .map((rows) =>
      policyOf(rows.map(({ tier, evidence, trigger, end }, i) => ({ id: `r${String(i)}`, ...asking, tier, evidence, ...trigger, on_timeout: { end } }))),
    );
  fc.assert(
    fc.property(compiled, compiled, (a, b) => {
      const there = diffPolicies(a, b).changes.flatMap((c) => c.details.map((d) => `${c.name} ${d.what}: ${String(d.before)} to ${String(d.after)}`));
      const back = diffPolicies(b, a).changes.flatMap((c) => c.details.map((d) => `${c.name} ${d.what}: ${String(d.after)} to ${String(d.before)}`));
      expect(there.sort()).toEqual(back.sort());
      expect(diffPolicies(a, a).changes).toEqual([]);
    }),
    { numRuns: 20 },
  );
});
