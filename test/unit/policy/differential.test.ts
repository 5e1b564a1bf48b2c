/**
 * The engine of conditions against another implementation of the same language: what one accepts and answers, the other answers too.
 */
import { celEnv, celFunc, CelScalar, isCelError, parse, plan, type CelInput } from '@bufbuild/cel';
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import type { Json } from '../../../domain/json';
import { isMoney } from '../../../domain/money';
import { shortcutOf } from '../../../policy/cel/atoms';
import { createEngine } from '../../../policy/cel/engine';
import { amountOf, registerMoney } from '../../../policy/cel/money';
import { builtinNames, contextOf, schemaOf, type Names } from '../../../policy/cel/names';
import type { FieldType } from '../../../policy/units';

const names: Names = new Map<string, FieldType>([
  ...builtinNames(['pay', 'close']),
  ['action.params.days', { kind: 'int' }],
  ['action.params.gone', { kind: 'int' }],
  ['action.params.score', { kind: 'double' }],
  ['action.params.to', { kind: 'string' }],
  ['action.params.tags', { kind: 'list' }],
  ['action.params.flag', { kind: 'bool' }],
  ['action.params.amount', { kind: 'money' }],
  ['action.params.fee', { kind: 'money' }],
  ['facts.tier', { kind: 'enum', values: ['gold', 'silver'] }],
  ['recent.count', { kind: 'int' }],
]);
const engine = createEngine(names);

const int = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map(String),
  fc.constantFrom('action.params.days', 'action.params.gone', 'action.audience.count', 'size(action.params.tags)', 'size(action.params.to)'),
);
const arithmetic = fc.oneof(
  int,
  fc.tuple(int, fc.constantFrom('+', '-', '*', '/', '%'), int).map(([a, op, b]) => `(${a} ${op} ${b})`),
  int.map((a) => `-${a}`),
  int.map((a) => `int(string(${a}))`),
);
const double = fc.oneof(
  fc.constantFrom('0.5', '2.25', '-1.0', 'action.params.score'),
  fc
    .tuple(fc.constantFrom('action.params.score', '1.5'), fc.constantFrom('+', '-', '*', '/'), fc.constantFrom('0.0', '2.0', 'action.params.score'))
    .map(([a, op, b]) => `(${a} ${op} ${b})`),
);
const text = fc.constantFrom(
  '"x"',
  '"tag-1"',
  '""',
  'action.params.to',
  'tenant',
  'requester.agent',
  'requester.on_behalf_of',
  '(action.params.to + "x")',
  "'ü🙂'",
);
const order = fc.constantFrom('<', '<=', '>', '>=', '==', '!=');
const limit = fc.oneof(
  fc.constantFrom('usd(0)', 'usd(2.5)', 'usd(250)', 'money(2.5, "USD")', 'usd(-1)', 'eur(2)'),
  fc.nat(500).map((n) => `usd(${String(n)})`),
);
const amount = fc.constantFrom('action.params.amount', 'action.params.fee');
const money = fc.oneof(
  amount,
  limit,
  fc.tuple(amount, fc.constantFrom('+', '-'), fc.oneof(amount, limit)).map(([a, op, b]) => `(${a} ${op} ${b})`),
  fc.tuple(amount, amount).map(([a, b]) => `abs(${a} - ${b})`),
);

const atom = fc.oneof(
  fc.tuple(arithmetic, order, arithmetic).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(double, order, double).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(arithmetic, fc.constantFrom('<', '<=', '>', '>='), double).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(text, order, text).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(amount, order, money).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(money, order, amount).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(limit, order, amount).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc
    .tuple(fc.constantFrom('action.params.days', 'recent.count', 'action.audience.count'), order, fc.integer({ min: -4, max: 21 }))
    .map(([a, op, b]) => `${a} ${op} ${String(b)}`),
  fc
    .tuple(
      fc.constantFrom('action.type', 'facts.tier', 'tenant', 'action.audience.reach'),
      fc.constantFrom('==', '!='),
      fc.constantFrom('"pay"', '"gold"', '"shop"', '"many"'),
    )
    .map(([a, op, b]) => `${a} ${op} ${b}`),
  fc
    .tuple(fc.constantFrom('size(evidence)', 'size(action.data)', 'action.params.tags.size()'), order, fc.nat(4))
    .map(([a, op, b]) => `${a} ${op} ${String(b)}`),
  fc.tuple(text, fc.constantFrom('contains', 'startsWith', 'endsWith'), text).map(([a, f, b]) => `${a}.${f}(${b})`),
  fc.tuple(text, fc.constantFrom('action.params.tags', 'evidence', '["x", "y"]', '[]')).map(([a, l]) => `${a} in ${l}`),
  fc.constantFrom(
    'true',
    'false',
    'action.params.flag',
    'facts.tier == "gold"',
    'facts.tier in ["gold", "silver"]',
    'has(facts.tier)',
    'has(action.params.gone)',
    'has(action.params.to)',
    'has(action.params.amount)',
    'has(action.audience.reach)',
    'has(recent.count)',
    'action.params.flag == false',
    '"x" in action.data',
    'action.type in ["pay", "close"]',
    '"close" == action.type',
    'has(requester.on_behalf_of)',
    'action.type == "pay"',
    'action.params.tags[0] == "tag-1"',
    'action.params.tags[7] == "x"',
    'action.params.tags == evidence',
  ),
  fc
    .tuple(
      fc.constantFrom('exists', 'all', 'exists_one'),
      fc.constantFrom('action.params.tags', 'evidence'),
      fc.constantFrom('t == "tag-1"', 't.startsWith("tag")', 'size(t) > action.params.days', 't == action.params.to', 'size(t) / action.params.gone > 1'),
    )
    .map(([f, l, p]) => `${l}.${f}(t, ${p})`),
);
const condition: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    atom,
    fc.tuple(tie('node'), fc.constantFrom('&&', '||'), tie('node')).map(([a, op, b]) => `(${a} ${op} ${b})`),
    tie('node').map((a) => `!(${a})`),
    fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
})).node;

const readings = fc.record(
  {
    'action.type': fc.constantFrom('pay', 'close'),
    'action.params.days': fc.integer({ min: -3, max: 20 }),
    'action.audience.count': fc.constantFrom(0, 1, 5),
    'action.audience.reach': fc.constantFrom('many', 'public'),
    'action.data': fc.subarray(['x', 'tag-1']),
    'action.params.score': fc.constantFrom(0, 0.5, -1, 2.25, 3),
    'action.params.to': fc.constantFrom('x', '', 'tag-1', 'ü🙂'),
    'action.params.tags': fc.subarray(['tag-1', 'x', '', 'tag-1x']),
    'action.params.flag': fc.boolean(),
    'action.params.amount': fc.oneof(fc.constantFrom(0, 249, 250, 251, 25_000), fc.nat(50_000)).map((minor) => ({ minor, currency: 'USD' })),
    'action.params.fee': fc.constantFrom(-100, 0, 250, 700).map((minor) => ({ minor, currency: 'USD' })),
    'facts.tier': fc.constantFrom('gold', 'silver'),
    'recent.count': fc.nat(5),
    evidence: fc.subarray(['tag-1', 'x']),
    'requester.agent': fc.constantFrom('x', 'bot'),
    'requester.on_behalf_of': fc.constantFrom('x', 'ann'),
    tenant: fc.constantFrom('x', 'shop'),
  },
  { requiredKeys: ['action.type', 'evidence', 'requester.agent', 'tenant'] },
);

type Answer = boolean | 'error';

// The other implementation counts money of the one currency in minor units, through the same function, and another currency is an error.
const minorUnits = (currency: string) => (value: number | bigint) => {
  const made = amountOf(value, currency);
  if (typeof made === 'string') throw new Error(made);
  return BigInt(made.minor);
};
const otherCurrency = (): bigint => {
  throw new Error('different currencies');
};
const env = celEnv({
  funcs: [
    celFunc('usd', [CelScalar.INT], CelScalar.INT, minorUnits('USD')),
    celFunc('usd', [CelScalar.DOUBLE], CelScalar.INT, minorUnits('USD')),
    celFunc('money', [CelScalar.DOUBLE, CelScalar.STRING], CelScalar.INT, (value, currency) => minorUnits(currency)(value)),
    celFunc('eur', [CelScalar.INT], CelScalar.INT, otherCurrency),
    celFunc('abs', [CelScalar.INT], CelScalar.INT, (value) => (value < 0n ? -value : value)),
  ],
});

function theirs(written: string, reading: ReadonlyMap<string, Json>): Answer {
  const context = contextOf(names, new Map([...reading].filter(([, value]) => !isMoney(value)))) as Record<string, CelInput>;
  const params = (context['action'] as { params: Record<string, unknown> }).params;
  for (const [path, value] of reading) if (isMoney(value)) params[path.slice('action.params.'.length)] = BigInt(value.minor);
  const value = plan(env, parse(written))(context);
  return isCelError(value) ? 'error' : (value as boolean);
}

/** The engine as it comes, without the shortcut for what can be seen at once. */
const plain = new Environment();
registerMoney(plain);
for (const [name, declared] of Object.entries(schemaOf(names))) {
  if (typeof declared === 'string') plain.registerVariable(name, declared);
  else plain.registerVariable({ name, schema: declared });
}

describe('a condition', () => {
  it('is answered as another implementation answers it, errors included, in 20,000 cases', () => {
    let answered = 0;
    let atOnce = 0;
    const seen = new Map<Answer, number>();
    fc.assert(
      fc.property(condition, readings, (written, values) => {
        const { expression } = engine.compile(written, 'bool');
        if (!expression) return;
        const reading = new Map<string, Json>(Object.entries(values) as [string, Json][]);
        const result = expression.evaluate(reading);
        const ours: Answer = result.ok ? (result.value as boolean) : 'error';
        answered += 1;
        if (shortcutOf(expression.tree, names)(reading) !== undefined) atOnce += 1;
        seen.set(ours, (seen.get(ours) ?? 0) + 1);
        expect({ written, answer: ours }).toEqual({ written, answer: theirs(written, reading) });
      }),
      { numRuns: 24_000 },
    );
    expect(answered).toBeGreaterThanOrEqual(20_000);
    expect(atOnce).toBeGreaterThan(4000);
    for (const answer of [true, false, 'error'] as const) expect(seen.get(answer) ?? 0).toBeGreaterThan(1000);
  });

  it('is answered at once as the engine answers it, wherever it is answered at once', () => {
    let atOnce = 0;
    fc.assert(
      fc.property(condition, readings, (written, values) => {
        const { expression } = engine.compile(written, 'bool');
        const reading = new Map<string, Json>(Object.entries(values) as [string, Json][]);
        const known = expression && shortcutOf(expression.tree, names)(reading);
        if (known === undefined || known === null) return;
        atOnce += 1;
        expect({ written, answer: known }).toEqual({ written, answer: plain.evaluate(written, contextOf(names, reading)) as unknown });
      }),
      { numRuns: 6000 },
    );
    expect(atOnce).toBeGreaterThan(1000);
  });

  it('is false for a kind of action that it does not admit, whatever else it reads', () => {
    let kept = 0;
    fc.assert(
      fc.property(condition, fc.constantFrom('pay', 'close'), readings, (written, type, values) => {
        const { expression } = engine.compile(`action.type == "${type}" && ${written}`, 'bool');
        const admits = expression?.admits('action.type');
        if (!expression || !admits) return;
        const reading = new Map<string, Json>(Object.entries(values) as [string, Json][]);
        if (admits.has(reading.get('action.type') as string)) return;
        kept += 1;
        expect(plain.evaluate(expression.text, contextOf(names, reading))).toBe(false);
      }),
      { numRuns: 2000 },
    );
    expect(kept).toBeGreaterThan(300);
  });
});
