/**
 * The names a condition may read, with their types: action, facts, evidence, requester, tenant, recent, system, exception.
 * Pure. One flat map from path to type serves the type checker, the guard, the reader of values and the words.
 */
import type { Json } from '../../domain/json';
import { isMoney } from '../../domain/money';
import type { FieldType } from '../units';
import { CelMoney } from './money';

export type Names = ReadonlyMap<string, FieldType>;
/** The values of one request by path; what is absent is not in it. */
export type Reading = ReadonlyMap<string, Json>;

const REVERSIBILITY = ['easy', 'hard', 'none'] as const;
const REACH = ['internal', 'one_customer', 'many', 'public'] as const;

/** The names every policy has, whatever it declares. */
export function builtinNames(actionTypes: readonly string[]): [string, FieldType][] {
  return [
    ['action.type', { kind: 'enum', values: actionTypes }],
    ['action.summary', { kind: 'string' }],
    ['action.system', { kind: 'string' }],
    ['action.reversibility', { kind: 'enum', values: REVERSIBILITY }],
    ['action.audience.reach', { kind: 'enum', values: REACH }],
    ['action.audience.count', { kind: 'int' }],
    ['action.data', { kind: 'list' }],
    ['evidence', { kind: 'list' }],
    ['requester.agent', { kind: 'string' }],
    ['requester.run', { kind: 'string' }],
    ['requester.on_behalf_of', { kind: 'string' }],
    ['tenant', { kind: 'string' }],
    ['exception.outcome', { kind: 'enum', values: ['blocked', 'denied'] }],
    ['exception.by', { kind: 'list' }],
  ];
}

/** Whether a path names something to go on from, such as `action.params`. */
export const isObject = (names: Names, path: string): boolean =>
  path === 'action.params' || path === 'facts' || path === 'recent' || path === 'system' || [...names.keys()].some((k) => k.startsWith(`${path}.`));

export type Schema = { [name: string]: string | Schema };

export const celType = (type: FieldType): string =>
  type.kind === 'money' ? 'Money' : type.kind === 'list' ? 'list<string>' : type.kind === 'enum' ? 'string' : type.kind;

/** The nested declaration the engine wants, by root name. What is opaque (`any`) is left out: no condition can read it. */
export function schemaOf(names: Names): Schema {
  const schema: Schema = { action: { params: {} }, facts: {}, requester: {}, recent: {}, system: {} };
  for (const [path, type] of names) if (type.kind !== 'any') set(schema, path, celType(type));
  return schema;
}

/** The nested context the engine reads. */
export function contextOf(names: Names, reading: Reading): Record<string, unknown> {
  const context: Record<string, unknown> = { action: { params: {} }, facts: {}, requester: {}, recent: {}, system: {} };
  for (const [path, value] of reading) {
    const type = names.get(path);
    if (type && type.kind !== 'any') set(context, path, celValue(type, value));
  }
  return context;
}

function celValue(type: FieldType, value: Json): unknown {
  if (type.kind === 'int') return BigInt(value as number);
  if (type.kind === 'money') return isMoney(value) ? CelMoney.of(value) : undefined;
  return value;
}

function set<T>(tree: Record<string, unknown>, path: string, value: T): void {
  const parts = path.split('.');
  const last = parts.pop() ?? '';
  let here = tree;
  for (const part of parts) {
    if (!Object.hasOwn(here, part)) here[part] = {};
    here = here[part] as Record<string, unknown>;
  }
  here[last] = value;
}
