/**
 * What an approver may add to a yes, and which facts a person is asked for: read from a row, merged over rows, measured against a request.
 *
 * The rule of merging, which keeps "adding a row never loosens": what may be added is offered only where every row that asks offers it,
 * and the tightest of them holds. A choice among options is a demand, not an offer, so that one row that makes it is enough; where several
 * do, only the options they share are left. Facts are asked for only where every escalation that applies asks for some, and then all of them.
 * Pure.
 */
import type { JsonObject } from '../domain/json';
import { compareMoney, CurrencyMismatch, isMoney } from '../domain/money';
import type { Effect, Offers } from '../domain/plan';
import { parseType, typeName, TYPE_HELP, type Field, type FieldType } from '../domain/types';
import { placeOf } from './declare';
import type { CompiledOffers, CompiledRow } from './model';
import type { Path } from './parse';
import type { Report } from './report';
import { parseDuration, parseMoney } from './units';
import type { Work } from './work';

/** Names that a JavaScript object has already. */
const RESERVED = ['constructor', 'prototype', '__proto__'];

// ---------------------------------------------------------------- one row

export function offersOf(work: Work, effect: Effect): CompiledOffers | null {
  const { row, report } = work;
  const doc = row.doc.offers;
  if (doc === undefined) return null;
  const at = (...path: Path) => placeOf(row.at, 'offers', ...path);
  if (effect !== 'approval') {
    // Rows that ask nobody say so themselves, for every such key.
    if (effect === 'escalation')
      report.error(
        'decorative_key',
        row.at.source.keyAt([...row.at.base, 'offers']),
        row.id,
        'An escalation is taken over, not signed off, so there is no yes to add anything to; remove offers:, or say kind: approval',
      );
    return null;
  }
  const { amount_at_most: amount, only_recipients: recipients, expires_within: within, options } = doc;
  if (amount === undefined && recipients === undefined && within === undefined && options === undefined)
    report.error('bad_shape', at(), row.id, 'offers: offers nothing; name amount_at_most, only_recipients, expires_within or options, or remove it');
  const atMost = amount?.at_most === undefined ? null : parseMoney(amount.at_most);
  if (atMost === undefined || (atMost !== null && atMost.minor <= 0))
    report.error(
      'bad_money',
      at('amount_at_most', 'at_most'),
      row.id,
      `${amount?.at_most ?? ''} is no amount that a yes could reach; write for example 250.00 USD`,
    );
  const withinMs = within === undefined ? undefined : parseDuration(within);
  if (within !== undefined && withinMs === undefined)
    report.error('bad_duration', at('expires_within'), row.id, `${within} is no duration; write for example 24h`);
  if (options !== undefined && Object.keys(options).length === 0)
    report.error('bad_shape', at('options'), row.id, 'options: has none, so no yes would be possible; name at least one, with what it is called');
  if (amount) checkParam(work, amount.param, 'money', at('amount_at_most', 'param'));
  if (recipients) checkParam(work, recipients.param, 'list', at('only_recipients', 'param'));
  return {
    ...(amount ? { amountAtMost: { param: amount.param, atMost: atMost ?? null } } : {}),
    ...(recipients ? { onlyRecipients: { param: recipients.param } } : {}),
    ...(withinMs === undefined ? {} : { expiresWithinMs: withinMs }),
    ...(options === undefined ? {} : { options }),
  };
}

/** The param has to be there, of the right type, in an action that the row can be about. */
function checkParam({ row, declared, report }: Work, param: string, kind: FieldType['kind'], place: ReturnType<typeof placeOf>): void {
  const about = actionsNamed(row.doc.when ?? '', [...declared.actions.keys()]);
  const typed = about.map((type) => declared.actions.get(type)?.params.get(param)?.type);
  if (typed.some((type) => type?.kind === kind)) return;
  const wanted = typeName(kind === 'list' ? { kind } : { kind: 'money' });
  const other = typed.find((type) => type !== undefined);
  report.error(
    other ? 'cel_type' : 'unknown_name',
    place,
    row.id,
    other
      ? `${param} is ${typeName(other)} and has to be ${wanted}; name a param of that type`
      : `No action that the row ${row.id} is about (${about.join(', ')}) has a param ${param}; name one of type ${wanted}`,
  );
}

/** The action types that a trigger names; all of them where it names none, or where it excludes some. */
function actionsNamed(when: string, types: readonly string[]): readonly string[] {
  const named = types.filter((type) => when.includes(`"${type}"`) || when.includes(`'${type}'`));
  return named.length === 0 || /action\.type\s*!=|!\s*\(/.test(when) ? types : named;
}

/** Each fact with its type as written; null where none is asked for. */
export function asksForOf({ row, report }: Work, effect: Effect): { readonly [name: string]: string } | null {
  const doc = row.doc.asks_for;
  if (doc === undefined) return null;
  if (effect !== 'escalation') {
    report.error(
      'decorative_key',
      row.at.source.keyAt([...row.at.base, 'asks_for']),
      row.id,
      'Only in an escalation does a person supply facts, so asks_for: has no effect here; remove it, or say kind: escalation',
    );
    return null;
  }
  const names = Object.entries(doc);
  if (names.length === 0)
    report.error('bad_shape', placeOf(row.at, 'asks_for'), row.id, 'asks_for: asks for nothing; name the facts with their types, or remove it');
  for (const [name, text] of names) {
    if (RESERVED.includes(name) || !parseType(text))
      report.error(
        'bad_type',
        placeOf(row.at, 'asks_for', name),
        row.id,
        RESERVED.includes(name) ? `${name} cannot be used as a name; choose another` : `${text} is no type for ${name}; use ${TYPE_HELP}`,
      );
  }
  return doc;
}

// ---------------------------------------------------------------- several rows

/** What all rows that ask have in common. `rows` are those that ask, and sign off. */
export function mergeOffers(rows: readonly CompiledRow[]): CompiledOffers | null {
  const offers = rows.map((row) => row.offers);
  const amount = shared(
    offers,
    (o) => o.amountAtMost,
    (a, b) => (a.param === b.param ? tighterAmount(a, b) : null),
  );
  const recipients = shared(
    offers,
    (o) => o.onlyRecipients,
    (a, b) => (a.param === b.param ? a : null),
  );
  const within = shared(offers, (o) => o.expiresWithinMs, Math.min);
  const demanded = offers.flatMap((o) => (o?.options ? [o.options] : []));
  const options = demanded.length === 0 ? null : demanded.reduce((a, b) => Object.fromEntries(Object.entries(a).filter(([name]) => Object.hasOwn(b, name))));
  const merged = {
    ...(amount === null ? {} : { amountAtMost: amount }),
    ...(recipients === null ? {} : { onlyRecipients: recipients }),
    ...(within === null ? {} : { expiresWithinMs: within }),
    ...(options === null ? {} : { options }),
  };
  return Object.keys(merged).length === 0 ? null : merged;
}

/** Null as soon as one of them does not offer it, or two of them mean different things by it. */
function shared<T>(offers: readonly (CompiledOffers | null)[], get: (offer: CompiledOffers) => T | undefined, tighter: (a: T, b: T) => T | null): T | null {
  return (
    offers
      .map((offer) => (offer ? (get(offer) ?? null) : null))
      .reduce<T | null | undefined>((a, b) => (a === undefined ? b : a === null || b === null ? null : tighter(a, b)), undefined) ?? null
  );
}

type AmountOffer = NonNullable<CompiledOffers['amountAtMost']>;

function tighterAmount(a: AmountOffer, b: AmountOffer): AmountOffer | null {
  if (a.atMost === null || b.atMost === null) return a.atMost === null ? b : a;
  return a.atMost.currency !== b.atMost.currency ? null : compareMoney(a.atMost, b.atMost) <= 0 ? a : b;
}

/** `rows` are the escalations that apply. */
export function mergeAsked(rows: readonly CompiledRow[]): { readonly [name: string]: string } | null {
  if (rows.length === 0 || rows.some((row) => row.asksFor === null)) return null;
  // The first row in order gives the type; check refuses two rows that mean different things by one name.
  return Object.fromEntries(rows.toReversed().flatMap((row) => Object.entries(row.asksFor ?? {})));
}

/** One name has one type, whichever row asks: else one person could not answer two rows that apply together. */
export function checkAsked(rows: readonly CompiledRow[], report: Report): void {
  const first = new Map<string, { readonly text: string; readonly row: string }>();
  for (const row of rows) {
    for (const [name, text] of Object.entries(row.asksFor ?? {})) {
      const field = parseType(text);
      const before = first.get(name);
      if (!field) continue;
      if (!before) first.set(name, { text: fieldText(field), row: row.id });
      else if (before.text !== fieldText(field))
        report.error(
          'conflicting_param',
          row.at,
          row.id,
          `The row ${row.id} asks for ${name} as ${fieldText(field)}, and ${before.row} as ${before.text}; one name has one type: rename one of the two`,
        );
    }
  }
}

const fieldText = ({ type, optional }: Field): string => `${typeName(type)}${optional ? '?' : ''}`;

// ---------------------------------------------------------------- a request

/** What is offered for this very action; null where that is nothing. */
export function measured(offers: CompiledOffers | null, params: JsonObject): Offers | null {
  if (!offers) return null;
  const amount = amountIn(offers.amountAtMost, params);
  const recipients = recipientsIn(offers.onlyRecipients, params);
  const found: Offers = {
    ...(amount ? { amountAtMost: amount } : {}),
    ...(recipients ? { onlyRecipients: recipients } : {}),
    ...(offers.expiresWithinMs === undefined ? {} : { expiresWithinMs: offers.expiresWithinMs }),
    ...(offers.options === undefined ? {} : { options: offers.options }),
  };
  return Object.keys(found).length === 0 ? null : found;
}

/** Never above what was asked. Nothing is offered for what is not there, is in another currency, or is not above zero. */
function amountIn(offer: AmountOffer | undefined, params: JsonObject): Offers['amountAtMost'] | null {
  const asked = offer && Object.hasOwn(params, offer.param) ? params[offer.param] : undefined;
  if (!offer || !isMoney(asked) || asked.minor <= 0) return null;
  try {
    const atMost = offer.atMost !== null && compareMoney(offer.atMost, asked) < 0 ? offer.atMost : asked;
    return { param: offer.param, atMost: { minor: atMost.minor, currency: atMost.currency } };
  } catch (error) {
    if (error instanceof CurrencyMismatch) return null;
    throw error;
  }
}

function recipientsIn(offer: CompiledOffers['onlyRecipients'], params: JsonObject): Offers['onlyRecipients'] | null {
  const asked = offer && Object.hasOwn(params, offer.param) ? params[offer.param] : undefined;
  if (!offer || !Array.isArray(asked)) return null;
  const of = [...new Set((asked as readonly unknown[]).filter((one): one is string => typeof one === 'string'))];
  return of.length === 0 ? null : { param: offer.param, of };
}
