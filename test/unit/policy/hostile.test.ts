import { createEngine } from '../../../policy/cel/engine';
import { builtinNames, type Names } from '../../../policy/cel/names';
import type { FieldType } from '../../../policy/units';
import type { FindingCode } from '../../../policy';

const names: Names = new Map<string, FieldType>([
  ...builtinNames(['pay', 'close']),
  ['action.params.amount', { kind: 'money' }],
  ['action.params.to', { kind: 'string' }],
  ['action.params.tags', { kind: 'list' }],
  ['facts.tier', { kind: 'enum', values: ['gold', 'silver'] }],
]);
const engine = createEngine(names);
const codes = (text: string): FindingCode[] => engine.compile(text, 'bool').problems.map((p) => p.code);

describe('a hostile or careless condition is refused before it is evaluated', () => {
  it.each<[string, FindingCode]>([
    ['action.params.to.matches("^(a+)+$")', 'cel_forbidden'],
    ['matches(action.params.to, "^(a+)+$")', 'cel_forbidden'],
    ['action.params.to.split(",").size() > 1', 'cel_forbidden'],
    ['action.params.tags.join(",") == "a"', 'cel_forbidden'],
    ['cel.bind(x, 1, x == 1)', 'cel_forbidden'],
    ['action.params.tags.map(t, t).size() > 0', 'cel_forbidden'],
    ['action.params.tags.filter(t, true).size() > 0', 'cel_forbidden'],
    ['action.params.tags.exists(a, action.params.tags.exists(b, a == b))', 'cel_nested'],
    ['action.params.tags.exists(a, action.params.tags.all(b, action.params.tags.exists_one(c, c == a)))', 'cel_nested'],
    ['action.params.tags.exists(tenant, tenant == "x")', 'cel_forbidden'],
    ['action.params.tags.exists(action, true)', 'cel_forbidden'],
    ['timestamp("2026-01-01T00:00:00Z").getHours() > 5', 'cel_forbidden'],
    ['timestamp("2026-01-01T00:00:00Z").getHours("Europe/Berlin") > 5', 'cel_forbidden'],
    ['duration("1h") > duration("2h")', 'cel_forbidden'],
    ['dyn(action).constructor == 1', 'cel_forbidden'],
    ['type(action.type) == string', 'cel_forbidden'],
    ['action.__proto__ == 1', 'unknown_name'],
    ['action.constructor.prototype == 1', 'unknown_name'],
    ['action.params.toString == "x"', 'unknown_name'],
    ['constructor == 1', 'unknown_name'],
    ['__proto__ == 1', 'cel_forbidden'],
    ['action["constructor"] == 1', 'cel_forbidden'],
    ['action[action.type] == 1', 'cel_forbidden'],
    ['action.params["__proto__"] == 1', 'cel_forbidden'],
    ['{"a": 1}.a == 1', 'cel_forbidden'],
    ['b"ab" == b"ab"', 'cel_forbidden'],
    ['has(facts.__proto__)', 'cel_has'],
    ['has(action.params)', 'cel_has'],
    ['has(tenant)', 'cel_has'],
    ['process.exit(1)', 'cel_forbidden'],
    [`${'('.repeat(200)}true${')'.repeat(200)}`, 'cel_too_complex'],
    [`${'!'.repeat(400)}true`, 'cel_too_complex'],
    [Array.from({ length: 160 }, () => 'true').join('&&'), 'cel_too_complex'],
    [`"${'a'.repeat(1000)}" == tenant`, 'cel_too_long'],
    ['money(5, "dollars") == usd(5)', 'cel_constant'],
    ['usd(1e300) == usd(1)', 'cel_constant'],
    ['facts.tier == "gould"', 'cel_enum'],
    ['"gould" != facts.tier', 'cel_enum'],
    ['action.reversibility == "never"', 'cel_enum'],
    ['action.params.amount == 5', 'cel_type'],
    ['action.params.amount * 2 > usd(5)', 'cel_type'],
    ['tenant', 'cel_type'],
    ['', 'cel_syntax'],
    ['true; false', 'cel_syntax'],
  ])('%s', (text, code) => {
    expect(codes(text)).toContain(code);
  });

  it('while an honest one passes', () => {
    for (const text of [
      'action.params.amount > usd(250) && action.type == "pay"',
      'money(12.5, "CHF") < money(13, "CHF")',
      'facts.tier in ["gold", "silver"] || !has(facts.tier)',
      'action.params.tags.exists(t, t.startsWith("pii_")) && size(action.params.tags) <= 3',
      'action.params.amount.currency != "USD"',
      'action.audience.reach == "public" ? true : action.audience.count > 10',
      'action.params.tags[0] == "x" && action.params.to.contains("@")',
      'abs(action.params.amount - usd(3)) <= usd(0.01)',
    ])
      expect(codes(text)).toEqual([]);
  });

  it('is evaluated in a bounded time on the largest input', () => {
    const tags = Array.from({ length: 200 }, (_, i) => `tag-${i}`);
    const text = `action.params.tags.all(t, ${Array.from({ length: 20 }, () => 't in action.params.tags').join(' && ')})`;
    const { expression } = engine.compile(text, 'bool');
    expect(expression?.evaluate(new Map([['action.params.tags', tags]]))).toEqual({ ok: true, value: true });
  });
});

describe('money in a condition', () => {
  const holds = (text: string, minor: number, currency = 'USD') =>
    engine.compile(text, 'bool').expression?.evaluate(new Map([['action.params.amount', { minor, currency }]]));

  it('is exact to the cent, and the limit itself is within', () => {
    expect(holds('action.params.amount > usd(250)', 25_000)).toEqual({ ok: true, value: false });
    expect(holds('action.params.amount > usd(250)', 25_001)).toEqual({ ok: true, value: true });
    expect(holds('action.params.amount > usd(0.07)', 7)).toEqual({ ok: true, value: false });
    expect(holds('action.params.amount >= usd(1.1)', 110)).toEqual({ ok: true, value: true });
    expect(holds('action.params.amount != usd(1285.12)', 128_512)).toEqual({ ok: true, value: false });
  });

  it('is an error across currencies, for every comparison', () => {
    for (const op of ['<', '<=', '>', '>=', '==', '!=', '-', '+']) {
      const text = op === '-' || op === '+' ? `(action.params.amount ${op} usd(1)) > usd(0)` : `action.params.amount ${op} usd(1)`;
      expect(holds(text, 100, 'EUR')).toEqual({ ok: false, why: expect.stringContaining('different currencies') as unknown });
    }
  });

  it('knows currencies without cents', () => {
    expect(holds('action.params.amount == money(1500, "JPY")', 1500, 'JPY')).toEqual({ ok: true, value: true });
    expect(codes('action.params.amount == money(15.5, "JPY")')).toEqual(['cel_constant']);
  });

  it('is shown in words as people read it', () => {
    const { expression } = engine.compile('action.params.amount > usd(250) && action.params.to == "x" || action.params.tags.exists(t, t == "a")', 'bool');
    const reading = new Map<string, string | string[] | { minor: number; currency: string }>([
      ['action.params.amount', { minor: 48_000, currency: 'USD' }],
      ['action.params.tags', ['a', 'b']],
    ]);
    expect(expression?.words(reading)).toBe(
      'action.params.amount (USD 480.00) > usd(250) && action.params.to (absent) == "x" || action.params.tags (a, b).exists(t, t == "a")',
    );
  });
});
