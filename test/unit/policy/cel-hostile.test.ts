/** Conditions that are meant to do harm, in a process with little memory and little time: all are refused, and none gets so far as to be evaluated. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..', '..', '..');
const LIMIT_MS = 90_000;

const times = (n: number, text: string): string => text.repeat(n);
const joined = (n: number, text: string, by: string): string => Array.from({ length: n }, () => text).join(by);
const nested = (n: number, open: string, middle: string, close: string): string => `${times(n, open)}${middle}${times(n, close)}`;
const cross = <A, B>(a: readonly A[], b: readonly B[], make: (a: A, b: B) => string): string[] => a.flatMap((x) => b.map((y) => make(x, y)));

const PROTO = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', '__lookupSetter__', 'isPrototypeOf'];
const WALKS = ['exists', 'all', 'exists_one', 'map', 'filter'];
const TAGS = 'action.params.tags';
const TO = 'action.params.to';

const HOSTILE: Readonly<Record<string, readonly string[]>> = {
  'deep nesting': [
    ...[60, 120, 240, 490].flatMap((n) => [
      nested(n, '(', 'true', ')'),
      `${times(n, '!')}true`,
      `${times(n, '-')}action.params.days > 1`,
      `size(${nested(n, '[', '"a"', ']')}) > 0`,
    ]),
    ...[45, 90].flatMap((n) => [
      `${times(n, 'true ? ')}true${times(n, ' : false')}`,
      nested(n, 'size([', '1', '])'),
      `${TO}${times(n, '[0]')} == "x"`,
      `action${times(n, '.params')} == 1`,
    ]),
    `${times(5000, '(')}true`,
    `${times(50_000, '[')}`,
  ],
  'great length': [
    joined(160, 'true', ' && '),
    joined(160, 'false', '||'),
    `${joined(200, '1', '+')} > 0`,
    `${joined(180, '"a"', '+')} == ${TO}`,
    `${TO} in [${joined(200, '"a"', ',')}]`,
    `${times(1001, ' ')}true`,
    `"${times(5000, 'a')}" == tenant`,
    `"${times(2_000_000, 'a')}" == tenant`,
    `${joined(400_000, 'true', '&&')}`,
    `/*${times(2000, 'x')}*/ true`,
  ],
  'huge literals': [
    ...['9223372036854775808', times(900, '9'), `0x${times(300, 'f')}`, '18446744073709551616u', '1u'].map((n) => `action.params.days < ${n}`),
    ...['1e309', `1e${times(300, '9')}`, '1e-9999999999999999999x'].map((n) => `usd(${n}) < action.params.amount`),
    'usd(1e300) == usd(1)',
    'usd(9007199254740993.0) == usd(1)',
    'usd(0.001) == usd(1)',
    `money(${times(200, '9')}, "USD") == usd(1)`,
    'money(5, "dollars") == usd(5)',
    `b"${times(500, 'a')}" == b"a"`,
  ],
  'walks inside walks': [
    ...cross(WALKS, WALKS, (a, b) => `${TAGS}.${a}(x, ${TAGS}.${b}(y, x == y))`),
    ...cross(['exists', 'all', 'exists_one'], [3, 4, 5], (walk, deep) => {
      let inner = 'true';
      for (let i = 0; i < deep; i += 1) inner = `${TAGS}.${walk}(v${String(i)}, ${inner})`;
      return inner;
    }),
    `${TAGS}.map(x, x).map(x, x).map(x, x).size() > 0`,
    `${TAGS}.map(x, ${TAGS}.map(y, ${TAGS})).size() > 0`,
    `[[1, 2], [3]].map(x, x.map(y, y)).size() > 0`,
    `${TAGS}.exists(action, true)`,
    `${TAGS}.exists(tenant, tenant == "x")`,
    `${TAGS}.exists(facts, facts == "x")`,
    `${TAGS}.exists(x.y, true)`,
    `${TAGS}.exists(1, true)`,
    `${TAGS}.exists()`,
    `${TAGS}.exists(x)`,
    `${TAGS}.exists(x, true, true)`,
  ],
  'regular expressions': cross(
    ['^(a+)+$', '(a|aa)+$', '(.*)*x', '(x+x+)+y', '^(([a-z])+.)+[A-Z]([a-z])+$', '(?=a)*', '\\\\1(a)'],
    [(p: string) => `${TO}.matches("${p}")`, (p: string) => `matches(${TO}, "${p}")`, (p: string) => `${TAGS}.exists(t, t.matches("${p}"))`],
    (pattern, make) => make(pattern),
  ),
  'names of what every object has': [
    ...cross(
      PROTO,
      [
        (n: string) => `action.${n} == "x"`,
        (n: string) => `action.params.${n} == "x"`,
        (n: string) => `facts.${n} == "x"`,
        (n: string) => `${n} == "x"`,
        (n: string) => `action["${n}"] == "x"`,
        (n: string) => `has(facts.${n})`,
        (n: string) => `${TO}.${n}() == "x"`,
        (n: string) => `${n}("x") == "x"`,
        (n: string) => `action.params.amount.${n} == "x"`,
      ],
      (name, make) => make(name),
    ),
    'action.constructor.constructor("return process")().exit() == 1',
    'action.__proto__.polluted == true',
    '{"__proto__": {"polluted": true}}.polluted',
    'dyn(action).constructor == 1',
  ],
  'what is not of the language': [
    ...[
      'split(",")',
      'join(",")',
      'replace("a", "b")',
      'lowerAscii()',
      'upperAscii()',
      'format([1])',
      'substring(1)',
      'indexOf("a")',
      'reverse()',
      'charAt(0)',
    ].map((f) => `${TO}.${f} == "x"`),
    ...[
      'timestamp("2026-01-01T00:00:00Z")',
      'duration("1h")',
      'type(1)',
      'dyn(1)',
      'bytes("a")',
      'uint(1)',
      'math.greatest(1, 2)',
      'optional.none()',
      'eval("1")',
    ].map((f) => `${f} == ${f}`),
    'timestamp("2026-01-01T00:00:00Z").getHours("Europe/Berlin") > 5',
    'cel.bind(x, 1, x == 1)',
    'cel.block([1], true)',
    'action.?params.?to == optional.of("x")',
    'action[?"params"] == "x"',
    '{"a": 1}.a == 1',
    'Foo{a: 1}.a == 1',
    'google.protobuf.Struct{} == 1',
    'process.exit(1)',
    'require("fs") == 1',
    'globalThis == 1',
    'true; false',
    'true // && false\n;',
    'let x = 1; x == 1',
    '() => true',
    '`${tenant}` == "x"',
    'action.type = "pay"',
    'new Date() == 1',
    'this == 1',
    'import("fs") == 1',
    'while (true) {}',
  ],
  'letters that look like others': [
    'ａction.type == "pay"',
    'аction.type == "pay"',
    'action.tуpe == "pay"',
    'action.type\u200b == "pay" && ac\u200btion.type == "pay"',
    'ac\u200dtion.type == "pay"',
    '\ufeffaction\ufeff.type == "pay" && x',
    'action.type \uff1d\uff1d "pay"',
    'action.type == \u201cpay\u201d',
    '\u202eaction.type == "pay"',
    '\\u0061ction.type == "pay"',
    'action\u0000.type == "pay"',
    'action.type == "pay"\u0000',
    'action.type == "pay\u0000"',
    '\ud800 == "x"',
    'action.\ud83d\ude00 == "x"',
    'action.type == "\\ud800"',
    'action.type == "\\x"',
    'action.type == "pay',
    "action.type == '''pay",
    'action.type == "p\u0430y"',
    'facts.tier == "gol\u0501"',
    '\u2028true\u2029&&&true',
    'true \u2227 false',
    '\u00actrue',
  ],
};

interface Line {
  readonly refused?: boolean;
  readonly codes?: readonly string[];
  readonly peakMiB?: number;
  readonly polluted?: boolean;
}

function compileApart(texts: readonly string[]): Promise<{ readonly lines: readonly Line[]; readonly code: number | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--max-old-space-size=96', '--import', 'tsx', join(root, 'test/support/programs/hostile-conditions.ts')], {
      cwd: root,
      timeout: LIMIT_MS,
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.resume();
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({
        lines: out
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Line),
        code,
      }),
    );
    child.stdin.end(JSON.stringify(texts));
  });
}

it('are refused, every one, within little time and memory', async () => {
  const all = Object.entries(HOSTILE).flatMap(([kind, texts]) => texts.map((text) => ({ kind, text })));
  expect(all.length).toBeGreaterThanOrEqual(200);
  const { lines, code } = await compileApart(all.map(({ text }) => text));
  const last = lines[lines.length - 1];
  const accepted = all.filter((_, i) => lines[i]?.refused !== true || lines[i].codes?.length === 0).map(({ kind, text }) => `${kind}: ${text.slice(0, 80)}`);
  expect(accepted).toEqual([]);
  expect(code).toBe(0);
  expect(lines).toHaveLength(all.length + 1);
  expect(last?.polluted).toBe(false);
  expect(last?.peakMiB).toBeLessThan(300);
});

it('while plain ones are not, in the same process', async () => {
  const { lines } = await compileApart(['action.type == "pay"', `${TAGS}.exists(x, x == "a")`, `${TO} == "ü🙂"`]);
  expect(lines.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => ({ refused: false, codes: [] })));
});
