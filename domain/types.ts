/**
 * The types that a policy declares for params, facts and answers, and whether a value is of one.
 * Pure: imports only from domain.
 */
import type { Json } from './json';
import { isMoney } from './money';

/** The type of a param or fact. `any` is carried, shown and digested, but no condition can read it. */
export type FieldType =
  | { readonly kind: 'string' | 'int' | 'double' | 'bool' | 'money' | 'any' }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'list' };

export interface Field {
  readonly type: FieldType;
  readonly optional: boolean;
}

/** How a type is written, for messages. */
export function typeName(type: FieldType): string {
  switch (type.kind) {
    case 'enum':
      return `enum[${type.values.join(', ')}]`;
    case 'list':
      return 'list<string>';
    default:
      return type.kind;
  }
}

export const TYPE_HELP = 'string, int, double, bool, money, any, enum[a, b] or list<string>, with ? behind it when it may be left out';

/** `money`, `string?`, `enum[gold, silver]`, `list<string>`. */
export function parseType(text: string): Field | undefined {
  const trimmed = text.trim();
  const optional = trimmed.endsWith('?');
  const name = optional ? trimmed.slice(0, -1).trim() : trimmed;
  switch (name) {
    case 'string':
    case 'int':
    case 'double':
    case 'bool':
    case 'money':
    case 'any':
      return { type: { kind: name }, optional };
    case 'list<string>':
      return { type: { kind: 'list' }, optional };
  }
  const values = /^enum\[([^[\]]+)\]$/
    .exec(name)?.[1]
    ?.split(',')
    .map((v) => v.trim());
  if (!values || values.some((v) => v === '') || new Set(values).size !== values.length) return undefined;
  return { type: { kind: 'enum', values }, optional };
}

/** A condition walks a list once; this keeps the longest one short. */
const LIST_MAX = 200;

/** Whether a JSON value is of a declared type. */
export function fits(type: FieldType, value: Json): boolean {
  switch (type.kind) {
    case 'string':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value);
    case 'double':
      return typeof value === 'number' && Number.isFinite(value);
    case 'bool':
      return typeof value === 'boolean';
    case 'money':
      return isMoney(value);
    case 'enum':
      return typeof value === 'string' && type.values.includes(value);
    case 'list':
      return Array.isArray(value) && value.length <= LIST_MAX && value.every((item) => typeof item === 'string');
    case 'any':
      return true;
  }
}

/** How a value of a type is sent, for messages. */
export const howTo = (type: FieldType): string =>
  type.kind === 'money'
    ? 'money, {"minor": 25000, "currency": "USD"} for USD 250.00'
    : type.kind === 'list'
      ? `a list of at most ${LIST_MAX} texts`
      : typeName(type);
