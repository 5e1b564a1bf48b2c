/**
 * The shapes of a policy's files as JSON Schema, so that editors complete and underline YAML. Made from what the checker itself holds
 * files against. Pure.
 */
import { z } from 'zod';
import type { Json, JsonObject } from '../domain/json';
import { DirectorySchema } from './directory';
import { ScenarioFileSchema } from './scenario';
import { FileSchema } from './schema';
import { WORDS } from './schema-words';

export const SCHEMAS = ['policy', 'scenarios', 'directory'] as const;

const SHAPES = {
  policy: { title: 'Countersign policy', schema: FileSchema },
  scenarios: { title: 'Countersign scenarios of a policy', schema: ScenarioFileSchema },
  directory: { title: 'Countersign directory of people', schema: DirectorySchema },
} as const;

/** Where the same keys stand in several places. */
const SAME: Readonly<Record<string, string>> = { '': 'file', rows: 'row', default: 'row', defaults: 'row', match: 'example', no_match: 'example' };

/** As a person writes it: what has a default may be left out. Each key says what it means, wherever it stands. */
export function jsonSchema(of: (typeof SCHEMAS)[number]): JsonObject {
  const { title, schema } = SHAPES[of];
  // Each place has its own words, so that parts that are used twice are written twice.
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-07', reused: 'inline' }) as JsonObject;
  return { ...($schema === undefined ? {} : { $schema }), title, ...(worded(rest, '') as JsonObject) };
}

/** `within`: the key that the part stands under. */
function worded(part: Json, within: string): Json {
  if (Array.isArray(part)) return part.map((each: Json) => worded(each, within));
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]): [string, Json] => [key, key === 'properties' ? properties(value as JsonObject, within) : worded(value, within)]),
  );
}

const properties = (keys: JsonObject, within: string): JsonObject =>
  Object.fromEntries(
    Object.entries(keys).map(([key, value]): [string, Json] => {
      const words = WORDS[`${SAME[within] ?? within}.${key}`] ?? WORDS[key];
      return [key, { ...(words === undefined ? {} : { description: words }), ...(worded(value, key) as JsonObject) }];
    }),
  );
