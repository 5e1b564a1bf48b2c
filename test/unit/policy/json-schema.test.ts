/** The JSON Schemas that ship are current, take what the checker takes, and underline what it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { MEANWHILE, TIERS, TIMEOUT_ENDS } from '../../../domain/plan';
import { jsonSchema, SCHEMAS } from '../../../policy';
import { RISKS, URGENCIES } from '../../../policy/schema';
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
