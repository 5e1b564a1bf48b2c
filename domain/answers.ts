/**
 * Answers: the facts that a person supplies to an escalation that asks for them, held to their declared types.
 * Pure: imports only from domain.
 */
import type { Json, JsonObject } from './json';
import { formatMoney, isMoney } from './money';
import type { Refusal } from './moves';
import { fits, howTo, parseType } from './types';

/** Why these facts are no answer to what is asked for, all of it in one sentence; null where they are one. */
export function whyNoAnswer(facts: JsonObject, asksFor: { readonly [name: string]: string } | undefined): Refusal | null {
  if (!asksFor) return { code: 'answer_not_asked', message: 'No facts are asked for here; take it over, then resolve it or hand it back' };
  const wrong = [
    ...Object.entries(asksFor).flatMap(([name, text]) => {
      const field = parseType(text);
      // A type that cannot be read is nothing that a value could be of.
      if (!field) return [`${name} has the type ${text}, which cannot be read`];
      if (!Object.hasOwn(facts, name)) return field.optional ? [] : [`${name} is missing: ${howTo(field.type)}`];
      return fits(field.type, facts[name] ?? null) ? [] : [`${name} has to be ${howTo(field.type)}`];
    }),
    ...Object.keys(facts)
      .filter((name) => !Object.hasOwn(asksFor, name))
      .map((name) => `${name} is not asked for`),
  ];
  return wrong.length === 0 ? null : { code: 'answer_invalid', message: `${wrong.join('; ')}` };
}

/** A value as a person reads it. */
export const valueWords = (value: Json): string =>
  isMoney(value) ? formatMoney(value) : typeof value === 'string' ? value : Array.isArray(value) ? value.map(String).join(', ') : JSON.stringify(value);

/** `order_total: USD 120.00`, a line for each fact. */
export const factLines = (facts: JsonObject): string[] =>
  // What was erased is a word and no facts any more.
  typeof facts === 'object' ? Object.entries(facts).map(([name, value]) => `${name}: ${valueWords(value)}`) : [String(facts)];
