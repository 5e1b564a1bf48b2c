/**
 * The shapes of a policy's files as JSON Schema, so that editors complete and underline YAML. Made from what the checker itself holds
 * files against. Pure.
 */
import { z } from 'zod';
import type { JsonObject } from '../domain/json';
import { DirectorySchema } from './directory';
import { ScenarioFileSchema } from './scenario';
import { FileSchema } from './schema';

export const SCHEMAS = ['policy', 'scenarios', 'directory'] as const;

const SHAPES = {
  policy: { title: 'Countersign policy', schema: FileSchema },
  scenarios: { title: 'Countersign scenarios of a policy', schema: ScenarioFileSchema },
  directory: { title: 'Countersign directory of people', schema: DirectorySchema },
} as const;

/** As a person writes it: what has a default may be left out. */
export function jsonSchema(of: (typeof SCHEMAS)[number]): JsonObject {
  const { title, schema } = SHAPES[of];
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-07', reused: 'ref' }) as JsonObject;
  return { ...($schema === undefined ? {} : { $schema }), title, ...rest };
}
