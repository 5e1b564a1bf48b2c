/** Rows that no request could meet, and amounts of which no row or two owners speak: what is certain is refused, a fine policy is left alone. */
import fc from 'fast-check';
import type { Json } from '../../../domain/json';
import { checkAgainstDirectory, compilePolicy, type Finding } from '../../../policy';
import { createEngine } from '../../../policy/cel/engine';
import { builtinNames, type Names } from '../../../policy/cel/names';
import { follows, reachOf, type World } from '../../../policy/cel/reach';
import type { FieldType } from '../../../policy/units';
import { asking } from './sample';
import { exampleDirectory } from './support';

const head = `name: reach
version: "1"
lanes: { finance: { owner: clerk }, legal: { owner: counsel } }
authority: { lead: { up_to: unlimited } }
actions:
  pay: { params: { amount: money, fee: money?, days: int, ratio: double, tier: "enum[a, b]", to: "list<string>" } }
  move: { params: { amount: money, tier: "enum[c]" } }
  close: { params: { ref: string } }
facts:
  big: { type: bool, source: action, value: action.params.amount > usd(1000) }
  vip: { type: bool, source: agent }
  region: { type: "enum[north, south]", source: agent }
default: { tier: none, lane: manager, owner: boss }
`;

interface Written {
  readonly id: string;
  readonly when: string;
  readonly [key: string]: unknown;
}

/** Findings but those of examples, which are none of this page's business. */
function found(...rows: readonly Written[]): Finding[] {
  const examples = { match: [{ action: { type: 'pay' } }], no_match: [{ action: { type: 'close' } }] };
  const written = rows.map((row) => ({ ...asking, examples, owner: 'boss', ...row }));
  const { findings } = compilePolicy([{ path: 'policy.yaml', text: `${head}rows: ${JSON.stringify(written)}\n` }]);
  return findings.filter((f) => !/^example|^unused|^unguarded|^risk_owned/.test(f.code));
}

const codes = (...rows: readonly Written[]): [string, string | null][] => found(...rows).map((f) => [f.code, f.row]);

describe('a trigger that can never hold is refused', () => {
  it.each([
    ['two limits that exclude each other', 'action.type == "pay" && action.params.days > 5 && action.params.days < 3', 'never hold together'],
    ['no whole number between two limits', 'action.params.days > 2 && action.params.days < 3', 'never hold together'],
    ['a limit and its own opposite', 'action.params.ratio >= 0.5 && action.params.ratio < 0.5', 'never hold together'],
    ['an amount above and below', 'action.params.amount > usd(250) && action.params.amount <= usd(250)', 'never hold together'],
    ['no cent between two amounts', 'action.params.amount > usd(250) && action.params.amount < usd(250.01)', 'never hold together'],
    ['one amount in two currencies', 'action.params.amount > usd(250) && action.params.amount < eur(900)', 'two currencies'],
    ['an enum with two values', 'action.params.tier == "a" && action.params.tier == "b"', 'never hold together'],
    ['an enum with none of its values', 'facts.region != "north" && !(facts.region in ["south"])', 'never hold together'],
    ['two kinds of action', 'action.type == "pay" && action.type == "close"', 'never hold together'],
    ['an action without the param', 'action.type == "close" && action.params.amount > usd(5)', 'close has no param amount'],
    ['an action whose param has other values', 'action.type == "pay" && action.params.tier == "c"', 'pay has no param tier'],
    ['a value that is read and absent', 'action.params.fee > usd(1) && !has(action.params.fee)', 'never hold together'],
    ['a yes and its no', 'facts.vip && !facts.vip', 'never hold together'],
    ['a list with and without one text', '"x" in action.data && !("x" in action.data)', 'never hold together'],
    ['a count below nothing', 'size(evidence) < 0', 'never holds'],
    ['a computed fact against what it is computed from', 'facts.big && action.params.amount < usd(10)', 'never hold together'],
    ['any condition and its opposite', 'requester.agent.startsWith("x") && !(requester.agent.startsWith("x"))', 'never hold together'],
    ['every side of an ||', '(action.params.days > 5 && action.params.days < 3) || (facts.vip && facts.vip == false)', 'never hold together'],
    ['both ways of a choice', 'facts.vip ? action.params.days > 5 && action.params.days < 1 : false', 'never hold together'],
    ['false', 'false', 'it is false'],
  ])('%s', (_, when, why) => {
    const [finding, ...others] = found({ id: 'dead', when });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: 'never_holds', severity: 'error', row: 'dead', file: 'policy.yaml' });
    expect(finding?.line).toBeGreaterThan(10);
    expect(finding?.message).toContain(why);
    expect(finding?.message).toContain('remove the row');
  });

  it.each([
    'action.params.days > 2 && action.params.days < 4',
    'action.params.ratio > 2.0 && action.params.ratio < 2.1',
    'action.params.amount > usd(250) && action.params.amount < usd(250.02)',
    'action.params.amount > usd(250) || action.params.amount <= usd(250)',
    'action.params.fee > usd(250) && action.params.amount < eur(900)',
    'action.params.tier == "a" || action.params.tier == "c"',
    'action.type in ["pay", "move"] && action.params.tier != "a"',
    'action.type == "pay" && !has(action.params.fee)',
    '"x" in action.data && !("y" in action.data)',
    'facts.big && action.params.amount < usd(2000)',
    'action.data.exists(d, d == "x") && !(action.data.exists(d, d == "y"))',
    'facts.vip ? action.params.days > 5 : action.params.days < 3',
  ])('while one that can is left alone: %s', (when) => {
    expect(codes({ id: 'fine', when })).toEqual([]);
  });

  it('and one side of an || that never holds is doubted, at its place', () => {
    const rows = { id: 'half', when: 'facts.vip || action.params.days > 5 && action.params.days < 3' };
    const [finding] = found(rows);
    expect(finding).toMatchObject({ code: 'part_never_holds', severity: 'warning', row: 'half' });
    const line = `${head}rows: ${JSON.stringify([{ ...asking, examples: {}, owner: 'boss', ...rows }])}`.split('\n').length;
    expect(finding?.line).toBe(line);
    expect(codes({ id: 'fine', when: 'facts.vip || action.params.days > 5' })).toEqual([]);
  });
});

describe('a row that always yields is refused', () => {
  const wide = { id: 'wide', when: 'action.type == "pay" && action.params.amount > usd(50)' };
  it.each([
    ['to one that holds wherever it does', 'action.type == "pay" && action.params.amount > usd(100)'],
    ['to one with the same trigger', 'action.type == "pay" && action.params.amount > usd(50)'],
    ['to one that holds on each side of its ||', 'action.type == "pay" && (action.params.amount == usd(60) || action.params.amount > usd(70) && facts.vip)'],
  ])('%s', (_, when) => {
    expect(codes({ id: 'narrow', when }, { ...wide, supersedes: ['narrow'] })).toEqual([['always_superseded', 'narrow']]);
  });

  it.each<[string, string, Partial<Written>]>([
    ['it reaches further', 'action.type == "pay" && action.params.amount > usd(20)', {}],
    ['it is about other actions as well', 'action.params.amount > usd(100)', {}],
    ['the other has an unless', 'action.type == "pay" && action.params.amount > usd(100)', { unless: 'facts.vip' }],
    [
      'the other may not be evaluated',
      'action.type == "pay" && facts.vip',
      { when: 'action.type == "pay" && (facts.vip || facts.region == "north")', unless: 'facts.big' },
    ],
  ])('while it is left alone where %s', (_, when, other) => {
    expect(codes({ id: 'narrow', when }, { ...wide, ...other, supersedes: ['narrow'] })).toEqual([]);
  });

  it('and so is one that is always excused, or an unless or expedite that never holds', () => {
    const when = 'action.type == "pay" && action.params.amount > usd(50)';
    const ladder = [{ role: 'lead', within: '5m' }];
    expect(codes({ id: 'r', when, unless: 'action.params.amount > usd(40)' })).toEqual([['always_excused', 'r']]);
    expect(codes({ id: 'r', when, unless: 'action.params.amount < usd(40)' })).toEqual([['never_holds', 'r']]);
    expect(codes({ id: 'r', when, unless: 'facts.vip && !facts.vip' })).toEqual([['never_holds', 'r']]);
    expect(codes({ id: 'r', when, expedite: { when: 'action.params.amount < usd(9)', ladder } })).toEqual([['never_holds', 'r']]);
    expect(codes({ id: 'r', when, unless: 'action.params.amount > usd(60)', expedite: { when: 'action.params.amount > usd(55)', ladder } })).toEqual([]);
  });

  it('and an exception to what never refuses', () => {
    const block = { effect: 'block', on_deny: { path: 'never' } };
    const bare = {
      lane: 'finance',
      owner: 'boss',
      on_deny: { path: 'never' },
      examples: { match: [{ action: { type: 'pay' } }], no_match: [{ action: { type: 'close' } }] },
    };
    const only = (...rows: readonly Written[]) =>
      compilePolicy([
        { path: 'p.yaml', text: `${head}rows: ${JSON.stringify(rows.map((row) => (row['effect'] ? { ...bare, ...row } : { ...asking, ...bare, ...row })))}\n` },
      ]).findings.filter((f) => f.code === 'excepts_nothing' || f.code === 'unknown_row');
    const plea = { id: 'plea', when: 'action.type == "pay"', excepts: ['never'] };
    expect(only({ id: 'never', when: 'facts.vip && !facts.vip', ...block }, plea).map((f) => [f.code, f.row])).toEqual([['excepts_nothing', 'plea']]);
    expect(only({ id: 'never', when: 'facts.vip', ...block }, { ...plea, excepts: ['plea'] }).map((f) => f.code)).toEqual(['excepts_nothing']);
    expect(only({ id: 'never', when: 'facts.vip', ...block }, { ...plea, excepts: ['nobody'] }).map((f) => f.code)).toEqual(['unknown_row']);
    expect(only({ id: 'never', when: 'facts.vip', ...block }, plea)).toEqual([]);
  });
});

describe('bands of one amount', () => {
  const band = (id: string, limits: string, more: Partial<Written> = {}): Written => ({
    id,
    when: `action.type == "pay" && ${limits}`,
    lane: 'finance',
    ...more,
  });
  it('leave no hole', () => {
    const [finding, ...others] = found(band('low', 'action.params.amount < usd(50)'), band('high', 'action.params.amount > usd(250)'));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: 'amount_gap', severity: 'error', row: 'high' });
    expect(finding?.message).toContain('No row speaks of pay where action.params.amount is from USD 50.00 to USD 250.00');
    expect(found(band('low', 'action.params.amount < usd(50)'), band('high', 'action.params.amount > usd(50)'))[0]?.message).toContain('exactly USD 50.00');
  });

  it.each([
    ['they meet', [band('low', 'action.params.amount <= usd(50)'), band('high', 'action.params.amount > usd(50)')]],
    ['only one end is spoken of', [band('high', 'action.params.amount > usd(50)')]],
    ['another row may speak of it', [band('low', 'action.params.amount < usd(50)'), band('high', 'action.params.amount > usd(250)'), band('all', 'facts.vip')]],
    ['they are about different amounts', [band('low', 'action.params.amount < usd(50)'), band('high', 'action.params.fee > usd(250)')]],
    ['they are in different currencies', [band('low', 'action.params.amount < eur(50)'), band('high', 'action.params.amount > usd(250)')]],
    ['they demand different things besides', [band('low', 'action.params.amount < usd(50)'), band('high', 'action.params.amount > usd(250) && facts.vip')]],
    [
      'the rest is the same and they meet',
      [band('low', 'facts.vip && action.params.amount < usd(50)'), band('high', 'action.params.amount >= usd(50) && facts.vip')],
    ],
  ])('and are left alone where %s', (_, rows) => {
    expect(codes(...rows)).toEqual([]);
  });

  it('have one owner in a lane, unless one supersedes the other', () => {
    const low = band('low', 'action.params.amount > usd(50)', { owner: 'clerk' });
    const high = band('high', 'action.params.amount > usd(250)', { owner: 'chief' });
    expect(codes(low, high)).toEqual([['amount_overlap', 'high']]);
    expect(found(low, high)[0]?.message).toContain('USD 250.01');
    expect(codes(low, { ...high, supersedes: ['low'] })).toEqual([]);
    expect(codes(low, { ...high, owner: 'clerk' })).toEqual([]);
    expect(codes(low, { ...high, lane: 'legal' })).toEqual([]);
    expect(codes(band('low', 'action.params.amount > usd(50) && action.params.amount <= usd(250)', { owner: 'clerk' }), high)).toEqual([]);
    expect(codes(low, { ...high, when: `${high.when} && facts.vip` })).toEqual([]);
  });
});

describe('a fallback', () => {
  const rows = (channels: (string[] | undefined)[]): Written => ({
    id: 'r',
    when: 'action.type == "pay"',
    ladder: [
      { role: 'clerk', within: '1h', ...(channels[0] ? { channels: channels[0] } : {}) },
      { role: 'lead', within: '1h', ...(channels[1] ? { channels: channels[1] } : {}) },
    ],
  });
  it('is reached otherwise than by the one channel that has just failed', () => {
    expect(codes(rows([['webhook'], ['webhook']]))).toContainEqual(['same_channel_fallback', 'r']);
    expect(
      codes(
        rows([
          ['webhook', 'email'],
          ['webhook', 'email'],
        ]),
      ),
    ).toEqual([]);
    expect(codes(rows([['webhook'], ['email']])).filter(([code]) => code === 'same_channel_fallback')).toEqual([]);
  });

  it('has an inbox of its own', () => {
    const examples = { match: [{ action: { type: 'pay' } }], no_match: [{ action: { type: 'close' } }] };
    const { policy } = compilePolicy([{ path: 'p.yaml', text: `${head}rows: ${JSON.stringify([{ ...asking, examples, owner: 'clerk', ...rows([]) }])}\n` }]);
    if (!policy) throw new Error('The policy is fine');
    const inboxes = (clerk: string, lead: string): string[] => {
      const person = (id: string, email: string, role: string) => ({ id, name: id, email, roles: [role], absences: [] });
      const directory = { ...exampleDirectory('finance'), people: { ann: person('ann', clerk, 'clerk'), ben: person('ben', lead, 'lead') }, duty: {} };
      return checkAgainstDirectory(policy, directory)
        .filter((f) => f.code === 'same_inbox_fallback')
        .map((f) => `${f.row ?? ''} ${f.severity} ${f.message}`);
    };
    expect(inboxes('desk@shop.example', 'Desk+lead@shop.example')).toEqual([
      expect.stringContaining('r error The fallback lead is ben, who reads the inbox of ann'),
    ]);
    expect(inboxes('ann@shop.example', 'ben@shop.example')).toEqual([]);
  });
});

describe('what is said of a condition', () => {
  const names: Names = new Map<string, FieldType>([
    ...builtinNames(['pay', 'close']),
    ['action.params.days', { kind: 'int' }],
    ['action.params.ratio', { kind: 'double' }],
    ['action.params.amount', { kind: 'money' }],
    ['action.params.tier', { kind: 'enum', values: ['a', 'b', 'c'] }],
    ['facts.vip', { kind: 'bool' }],
    ['facts.big', { kind: 'bool' }],
  ]);
  const engine = createEngine(names);
  const field = (type: FieldType) => ({ type, optional: true });
  const big = engine.compile('action.params.amount > usd(3)', 'bool').expression;
  const world: World = {
    names,
    actions: {
      pay: {
        params: {
          days: field({ kind: 'int' }),
          ratio: field({ kind: 'double' }),
          amount: field({ kind: 'money' }),
          tier: field({ kind: 'enum', values: ['a', 'b'] }),
        },
      },
      close: { params: { tier: field({ kind: 'enum', values: ['c'] }) } },
    },
    computed: (path) => (path === 'facts.big' ? (big?.tree ?? null) : null),
  };
  const order = fc.constantFrom('<', '<=', '>', '>=', '==', '!=');
  const few = fc.integer({ min: -1, max: 4 });
  const atom = fc.oneof(
    fc.tuple(fc.constantFrom('action.params.days', 'action.audience.count', 'size(action.data)'), order, few).map(([a, op, b]) => `${a} ${op} ${String(b)}`),
    fc.tuple(order, fc.constantFrom('0.5', '1.0', '1.5', '2')).map(([op, b]) => `action.params.ratio ${op === '==' || op === '!=' ? '<' : op} ${b}`),
    fc.tuple(order, fc.constantFrom('usd(1)', 'usd(2)', 'usd(3)', 'usd(3.01)', 'eur(2)')).map(([op, b]) => `action.params.amount ${op} ${b}`),
    fc.constantFrom(
      'action.type == "pay"',
      'action.type != "pay"',
      'action.params.tier == "a"',
      'action.params.tier in ["b", "c"]',
      'action.params.tier != "c"',
      'facts.vip',
      'facts.big',
      'facts.vip == false',
      'has(action.params.amount)',
      'has(facts.vip)',
      '"x" in action.data',
      'action.data.exists(d, d == "y")',
      'tenant.startsWith("s")',
      'true',
    ),
  );
  const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atom,
      fc.tuple(tie('node'), fc.constantFrom('&&', '&&', '||'), tie('node')).map(([a, op, b]) => `(${a} ${op} ${b})`),
      tie('node').map((a) => `!(${a})`),
      fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    ),
  })).node;
  /** As a request is read: only params that its action declares, and computed facts from what they are computed from. */
  const readings = fc
    .record({
      type: fc.constantFrom('pay', 'close'),
      days: fc.option(few),
      score: fc.option(fc.constantFrom(0.4, 0.5, 1, 1.2, 1.5, 2, 3)),
      amount: fc.option(fc.tuple(fc.constantFrom(100, 101, 200, 300, 301, 302), fc.constantFrom('USD', 'USD', 'EUR'))),
      tier: fc.option(fc.constantFrom('a', 'b')),
      vip: fc.option(fc.boolean()),
      count: fc.option(fc.nat(4)),
      data: fc.subarray(['x', 'y', 'z']),
      tenant: fc.constantFrom('shop', 'mill'),
    })
    .map(({ type, days, score, amount, tier, vip, count, data, tenant }) => {
      const reading = new Map<string, Json>([
        ['action.type', type],
        ['action.data', data],
        ['tenant', tenant],
      ]);
      const put = (path: string, value: Json | null): void => void (value !== null && reading.set(path, value));
      if (type === 'pay') {
        put('action.params.days', days);
        put('action.params.ratio', score);
        put('action.params.amount', amount && { minor: amount[0], currency: amount[1] });
        put('action.params.tier', tier);
      } else put('action.params.tier', tier && 'c');
      put('facts.vip', vip);
      put('action.audience.count', count);
      const computed = big?.evaluate(reading);
      put('facts.big', computed?.ok === true ? (computed.value as boolean) : null);
      return reading;
    });

  it('is never wrong: what never holds is true of no request, and what holds lies within what is left', () => {
    const seen = { never: 0, held: 0 };
    fc.assert(
      fc.property(condition, fc.array(readings, { minLength: 20, maxLength: 20 }), (written, requests) => {
        const { expression } = engine.compile(written, 'bool');
        const reach = expression && reachOf(world, expression.tree);
        if (!reach) return;
        if (reach.possible.length === 0) seen.never += 1;
        for (const reading of requests) {
          const result = expression.evaluate(reading);
          if (!result.ok || result.value !== true) continue;
          seen.held += 1;
          const money = reading.get('action.params.amount') as { minor: number; currency: string } | undefined;
          const within = reach.possible.filter(({ region }) => {
            const left = region.moneys.get('action.params.amount');
            return (
              region.types.has(reading.get('action.type') as string) &&
              (!left || (money?.currency === left.currency && money.minor >= left.interval.min && money.minor <= left.interval.max))
            );
          });
          expect({ written, reading: [...reading], within: within.length > 0 }).toEqual({ written, reading: [...reading], within: true });
        }
      }),
      { numRuns: 1500 },
    );
    expect(seen.never).toBeGreaterThan(20);
    expect(seen.held).toBeGreaterThan(500);
  });

  it('is never wrong about what follows from it', () => {
    let followed = 0;
    fc.assert(
      fc.property(condition, condition, fc.array(readings, { minLength: 20, maxLength: 20 }), (written, other, requests) => {
        const expression = engine.compile(written, 'bool').expression;
        const then = engine.compile(other, 'bool').expression;
        const reach = expression && reachOf(world, expression.tree);
        if (!reach || !then || !reach.possible.every((alternative) => follows(then.tree, alternative, world))) return;
        for (const reading of requests) {
          const result = expression.evaluate(reading);
          if (!result.ok || result.value !== true) continue;
          followed += 1;
          expect({ written, other, then: then.evaluate(reading) }).toEqual({ written, other, then: { ok: true, value: true } });
        }
      }),
      { numRuns: 3000 },
    );
    expect(followed).toBeGreaterThan(50);
  });
});
