/** The JSON Schemas that ship are current, take what the checker takes, and underline what it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { z } from 'zod';
import { MEANWHILE, TIERS, TIMEOUT_ENDS } from '../../../domain/plan';
import { jsonSchema, SCHEMAS } from '../../../policy';
import { DirectorySchema } from '../../../policy/directory';
import { FileSchema, RISKS, URGENCIES } from '../../../policy/schema';
import { WORDS } from '../../../policy/schema-words';

const root = join(__dirname, '..', '..', '..', 'examples', 'policies');
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
const shapeOf = (of: (typeof SCHEMAS)[number]) => z.fromJSONSchema(JSON.parse(textOf(`${of}.schema.json`)) as Parameters<typeof z.fromJSONSchema>[0]);

it.each(SCHEMAS)('%s.schema.json is what the command prints; write it anew with: countersign policy schema', (of) => {
  expect(JSON.parse(textOf(`${of}.schema.json`))).toEqual(jsonSchema(of));
});

it.each([
  ['policy', 'starter/policy.yaml'],
  ['policy', 'support-exceptions/policy.yaml'],
  ['policy', 'payments/policy.yaml'],
  ['scenarios', 'payments/scenarios/payments.yaml'],
  ['scenarios', 'support-exceptions/scenarios/exceptions.yaml'],
  ['directory', 'starter/directory.yaml'],
] as const)('%s.schema.json takes %s', (of, path) => {
  expect(shapeOf(of).safeParse(parse(textOf(path))).error).toBeUndefined();
});

it.each([
  ['a key that is none', 'urgency: soon', 'urgencey: soon'],
  ['a tier that is none', 'tier: strong', 'tier: stronger'],
  ['a row without an id', '- id: live_change', '- takeover_within: 4h'],
  ['an end that is none', 'end: expire', 'end: expires'],
])('policy.schema.json underlines %s', (_, right, wrong) => {
  const text = textOf('starter/policy.yaml');
  expect(text).toContain(right);
  expect(shapeOf('policy').safeParse(parse(text.replace(right, wrong))).success).toBe(false);
});

/** Every key with the path it stands at, and its description. */
function keysOf(part: unknown, path: string): [string, unknown][] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([name, value]): [string, unknown][] =>
    name !== 'properties'
      ? keysOf(value, path)
      : Object.entries(value as Record<string, { description?: unknown }>).flatMap(([key, below]): [string, unknown][] => [
          [`${path}.${key}`, below.description],
          ...keysOf(below, `${path}.${key}`),
        ]),
  );
}

it.each(SCHEMAS)('%s.schema.json explains every key, in a sentence', (of) => {
  const keys = keysOf(JSON.parse(textOf(`${of}.schema.json`)), '');
  expect(keys.length).toBeGreaterThan(5);
  expect(keys.filter(([, description]) => typeof description !== 'string' || !/^.+\.$/s.test(description)).map(([path]) => path)).toEqual([]);
});

it('lists every value where only some are taken', () => {
  const { properties } = jsonSchema('policy') as unknown as { properties: Record<string, { items?: { properties: Record<string, { enum?: string[] }> } }> };
  const row = properties['rows']?.items?.properties ?? {};
  expect(row['tier']?.enum).toEqual([...TIERS]);
  expect(row['risk']?.enum).toEqual([...RISKS]);
  expect(row['urgency']?.enum).toEqual([...URGENCIES]);
  expect(row['kind']?.enum).toEqual(['approval', 'escalation']);
  expect(row['on_timeout']).toMatchObject({ properties: { end: { enum: [...TIMEOUT_ENDS] } } });
  expect(row['meanwhile']).toMatchObject({ properties: { agent: { enum: [...MEANWHILE] } } });
});

it('has no words for a key that is none', () => {
  const used = new Set(SCHEMAS.flatMap((of) => keysOf(jsonSchema(of), '').map(([, description]) => description)));
  expect(Object.entries(WORDS).filter(([, words]) => !used.has(words))).toEqual([]);
});

/** The places of a document, from its root. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, below]) => placesOf(below, [...path, key]))];
}

function changed(document: unknown, [key, ...rest]: readonly string[], how: (value: Record<string, unknown>, key: string) => void): unknown {
  const copy = (Array.isArray(document) ? [...(document as unknown[])] : { ...(document as object) }) as Record<string, unknown>;
  if (key === undefined) return document;
  if (rest.length === 0) how(copy, key);
  else copy[key] = changed(copy[key], rest, how);
  return copy;
}

it.each([
  ['policy', 'starter/policy.yaml', FileSchema],
  ['policy', 'support-exceptions/policy.yaml', FileSchema],
  ['directory', 'starter/directory.yaml', DirectorySchema],
] as const)('%s.schema.json takes of %s, however it is changed, what the checker takes', (of, path, checker) => {
  const document: unknown = parse(textOf(path));
  const schema = shapeOf(of);
  const values = fc.constantFrom<unknown>(
    null,
    true,
    0,
    1,
    -1,
    1.5,
    'x',
    'a b',
    'refund.issue',
    '',
    'x'.repeat(5000),
    [],
    {},
    ['x'],
    [1],
    { x: 1 },
    { role: 'lead' },
    'block',
    'strong',
    'deny',
    [{}],
  );
  const change = fc.oneof(
    { weight: 4, arbitrary: values.map((value) => (parent: Record<string, unknown>, key: string) => void (parent[key] = value)) },
    {
      weight: 1,
      arbitrary: fc.constant(
        (parent: Record<string, unknown>, key: string) => void (Array.isArray(parent) ? parent.splice(Number(key), 1) : delete parent[key]),
      ),
    },
    {
      weight: 1,
      arbitrary: values.map((value) => (parent: Record<string, unknown>) => void (Array.isArray(parent) ? parent.push(value) : (parent['unheard_of'] = value))),
    },
  );
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...placesOf(document).slice(1)), change, (place, how) => {
      const written = changed(document, place, how);
      const taken = checker.safeParse(written).success;
      seen[taken ? 'taken' : 'refused'] += 1;
      expect({ place, taken: schema.safeParse(written).success }).toEqual({ place, taken });
    }),
    { numRuns: 300 },
  );
  expect(seen.taken).toBeGreaterThan(5);
  expect(seen.refused).toBeGreaterThan(50);
});
