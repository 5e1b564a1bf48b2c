/**
 * What a person typed into a form or a command line, read as the types that a plan declares: conditions of a yes, facts of an answer.
 * Whether they are offered or asked for is decided elsewhere; here is said only what cannot be read.
 * Pure: imports domain and the policy's notations.
 */
import { after, type Instant, type Json, type JsonObject } from '../../domain/json';
import type { Conditions, Plan } from '../../domain/plan';
import { parseType, typeName, type FieldType } from '../../domain/types';
import { parseDuration, parseMoney } from '../../policy';

/** Something typed that cannot be read; the message says what, and what to write instead. */
export class Unreadable extends Error {}

/** `120.00 USD`, or as the pages show it: `USD 1,250.00`. */
const moneyOf = (text: string): ReturnType<typeof parseMoney> => {
  const [, currency = '', digits = ''] = /^([A-Z]{3}) ([\d,]+(?:\.\d+)?)$/.exec(text.trim()) ?? [];
  return parseMoney(currency === '' ? text : `${digits.replaceAll(',', '')} ${currency}`);
};

/** What to write for a type. */
export function hintOf(type: FieldType): string {
  switch (type.kind) {
    case 'money':
      return 'an amount such as 120.00 USD';
    case 'int':
      return 'a whole number';
    case 'double':
      return 'a number';
    case 'bool':
      return 'true or false';
    case 'enum':
      return `one of ${type.values.join(', ')}`;
    case 'list':
      return 'texts, each on a line of its own';
    case 'string':
    case 'any':
      return typeName(type);
  }
}

function valueOf(type: FieldType, text: string): Json | undefined {
  const trimmed = text.trim();
  switch (type.kind) {
    case 'money': {
      const money = moneyOf(trimmed);
      return money && { minor: money.minor, currency: money.currency };
    }
    case 'int':
      return /^-?\d{1,16}$/.test(trimmed) && Number.isSafeInteger(Number(trimmed)) ? Number(trimmed) : undefined;
    case 'double':
      return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
    case 'bool':
      return trimmed === 'true' ? true : trimmed === 'false' ? false : undefined;
    case 'enum':
      return type.values.includes(trimmed) ? trimmed : undefined;
    case 'list':
      return linesOf(text);
    case 'string':
    case 'any':
      return trimmed;
  }
}

const linesOf = (text: string): string[] =>
  text
    .split(/[\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** Facts for the types that a plan asks for; what is left empty and may be is left out. Names that are not asked for stay as they are. */
export function factsOf(asksFor: NonNullable<Plan['asksFor']>, typed: Readonly<Record<string, string>>): JsonObject {
  const facts: Record<string, Json> = {};
  for (const [name, text] of Object.entries(typed)) {
    const field = Object.hasOwn(asksFor, name) ? parseType(asksFor[name] ?? '') : undefined;
    if (!field) {
      facts[name] = text;
      continue;
    }
    if (text.trim() === '' && field.optional) continue;
    const value = text.trim() === '' && field.type.kind !== 'list' ? undefined : valueOf(field.type, text);
    if (value === undefined) throw new Unreadable(`${name} is not readable; write ${hintOf(field.type)}`);
    facts[name] = value;
  }
  return facts;
}

/** Conditions by their names on the wire, as texts; empty ones are left out. `expires_at` is an instant, or a duration from `now` on. */
export function conditionsOf(typed: Readonly<Record<string, string | readonly string[]>>, now: Instant): Conditions | undefined {
  const text = (name: string): string | undefined => {
    const value = Object.hasOwn(typed, name) ? typed[name] : undefined;
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
  };
  const unknown = Object.keys(typed).find((name) => !['amount_at_most', 'only_recipients', 'expires_at', 'option'].includes(name));
  if (unknown !== undefined) throw new Unreadable(`${unknown} is no condition; there are amount_at_most, only_recipients, expires_at and option`);
  const amount = text('amount_at_most');
  const money = amount === undefined ? undefined : moneyOf(amount);
  if (amount !== undefined && !money) throw new Unreadable(`amount_at_most is not readable; write ${hintOf({ kind: 'money' })}`);
  const recipients = typed['only_recipients'];
  const expires = text('expires_at');
  const expiresAt = expires === undefined ? undefined : instantOf(expires, now);
  if (expires !== undefined && expiresAt === undefined)
    throw new Unreadable('expires_at is not readable; write an instant such as 2026-11-21T15:30Z, or a duration such as 2h');
  const option = text('option');
  const conditions: Conditions = {
    ...(money ? { amount_at_most: { minor: money.minor, currency: money.currency } } : {}),
    ...(recipients === undefined ? {} : { only_recipients: typeof recipients === 'string' ? recipients.split(',').map((one) => one.trim()) : recipients }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(option === undefined ? {} : { option }),
  };
  return Object.keys(conditions).length === 0 ? undefined : conditions;
}

/** UTC where no zone is said: as the pages show instants. */
function instantOf(text: string, now: Instant): Instant | undefined {
  const duration = parseDuration(text);
  if (duration !== undefined) return after(now, duration);
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?( ?UTC|Z)?$/.test(text)) return undefined;
  const at = Date.parse(`${text.replace(/ ?(UTC|Z)$/, '').replace(' ', 'T')}Z`);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
