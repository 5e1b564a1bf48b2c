/**
 * The engine of conditions against another implementation of the same language: what one accepts and answers, the other answers too.
 */
import { run, isCelError, type CelInput } from '@bufbuild/cel';
import fc from 'fast-check';
import type { Json } from '../../../domain/json';
import { createEngine } from '../../../policy/cel/engine';
import { builtinNames, contextOf, type Names } from '../../../policy/cel/names';
import type { FieldType } from '../../../policy/units';

const names: Names = new Map<string, FieldType>([
  ...builtinNames(['pay', 'close']),
  ['action.params.days', { kind: 'int' }],
  ['action.params.gone', { kind: 'int' }],
  ['action.params.score', { kind: 'double' }],
  ['action.params.to', { kind: 'string' }],
  ['action.params.tags', { kind: 'list' }],
  ['action.params.flag', { kind: 'bool' }],
  ['facts.tier', { kind: 'enum', values: ['gold', 'silver'] }],
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

const atom = fc.oneof(
  fc.tuple(arithmetic, order, arithmetic).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(double, order, double).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(arithmetic, fc.constantFrom('<', '<=', '>', '>='), double).map(([a, op, b]) => `${a} ${op} ${b}`),
  fc.tuple(text, order, text).map(([a, op, b]) => `${a} ${op} ${b}`),
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
    'action.params.score': fc.constantFrom(0, 0.5, -1, 2.25, 3),
    'action.params.to': fc.constantFrom('x', '', 'tag-1', 'ü🙂'),
    'action.params.tags': fc.subarray(['tag-1', 'x', '', 'tag-1x']),
    'action.params.flag': fc.boolean(),
    'facts.tier': fc.constantFrom('gold', 'silver'),
    evidence: fc.subarray(['tag-1', 'x']),
    'requester.agent': fc.constantFrom('x', 'bot'),
    'requester.on_behalf_of': fc.constantFrom('x', 'ann'),
    tenant: fc.constantFrom('x', 'shop'),
  },
  { requiredKeys: ['action.type', 'evidence', 'requester.agent', 'tenant'] },
);

type Answer = boolean | 'error';

function theirs(condition_: string, context: Record<string, unknown>): Answer {
  const value = run(condition_, context as Record<string, CelInput>);
  return isCelError(value) ? 'error' : (value as boolean);
}

describe('a condition', () => {
  it('is answered as another implementation answers it, errors included', () => {
    let answered = 0;
    const seen = new Set<Answer>();
    fc.assert(
      fc.property(condition, readings, (written, values) => {
        const { expression } = engine.compile(written, 'bool');
        if (!expression) return;
        const reading = new Map<string, Json>(Object.entries(values) as [string, Json][]);
        const result = expression.evaluate(reading);
        const ours: Answer = result.ok ? (result.value as boolean) : 'error';
        answered += 1;
        seen.add(ours);
        expect({ written, answer: ours }).toEqual({ written, answer: theirs(written, contextOf(names, reading)) });
      }),
      { numRuns: 3000 },
    );
    expect(answered).toBeGreaterThan(2000);
    expect(seen).toEqual(new Set([true, false, 'error']));
  });
});
