/** The JSON Schemas that ship are current, take what the checker takes, and underline what it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { jsonSchema, SCHEMAS } from '../../../policy';

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
