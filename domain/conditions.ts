/**
 * Conditions that a person adds to a yes: whether they were offered, what several of them come to, and in which words.
 * A condition only ever takes away from what was asked. Pure: imports only from domain.
 */
import { ms, type Instant, type Json, type JsonObject } from './json';
import { compareMoney, formatMoney, isMoney, type Money } from './money';
import type { Refusal } from './moves';
import type { Conditions, Offers } from './plan';
import { oneLine } from './text';

/** Which param of the action each condition is about, so that whoever executes needs nothing but the token. */
export interface Granted extends Conditions {
  readonly params: { readonly amount_at_most?: string; readonly only_recipients?: string };
}

/** Every condition there is. One that is not among these is not understood, and so not met. */
export const CONDITIONS = ['amount_at_most', 'only_recipients', 'expires_at', 'option'] as const;

/** Whether nothing is said. */
export const isUnconditional = (conditions: Conditions | undefined): boolean =>
  conditions === undefined || CONDITIONS.every((name) => conditions[name] === undefined);

const no = (code: 'condition_not_offered' | 'condition_required', message: string): Refusal => ({ code, message });

/**
 * Why a yes with these conditions does not count; null where it does. `before`: what earlier signers of the chain said. What is said
 * is measured against what was offered and against what they left.
 */
export function whyNot(conditions: Conditions | undefined, offers: Offers | undefined, before: Conditions | undefined, now: Instant): Refusal | null {
  const said = conditions ?? {};
  return whyNotAmount(said, offers) ?? whyNotRecipients(said, offers, before) ?? whyNotExpiry(said, offers, before, now) ?? whyNotOption(said, offers, before);
}

function whyNotAmount({ amount_at_most: said }: Conditions, offers: Offers | undefined): Refusal | null {
  if (said === undefined) return null;
  const offer = offers?.amountAtMost;
  if (!offer) return no('condition_not_offered', 'The policy offers no amount at most with this yes; leave it out, deny, or take it over');
  const limit = `give an amount above zero and up to ${formatMoney(offer.atMost)}`;
  if (said.currency !== offer.atMost.currency) return no('condition_not_offered', `${said.currency} is not the currency of ${offer.param}; ${limit}`);
  if (said.minor <= 0 || compareMoney(said, offer.atMost) > 0)
    return no('condition_not_offered', `${formatMoney(said)} is not within what may be offered for ${offer.param}; ${limit}`);
  return null;
}

function whyNotRecipients({ only_recipients: said }: Conditions, offers: Offers | undefined, before: Conditions | undefined): Refusal | null {
  if (said === undefined) return null;
  const offer = offers?.onlyRecipients;
  if (!offer) return no('condition_not_offered', 'The policy offers no choice of recipients with this yes; leave it out, deny, or take it over');
  if (said.length === 0) return no('condition_not_offered', `A yes for nobody is no yes; choose at least one of ${offer.param}, or deny`);
  const foreign = said.find((one) => !offer.of.includes(one));
  if (foreign !== undefined) return no('condition_not_offered', `${foreign} is not among ${offer.param} as asked; choose from those`);
  if (before?.only_recipients && !said.some((one) => before.only_recipients?.includes(one)))
    return no('condition_not_offered', `None of them is left by the sign-off before (${before.only_recipients.join(', ')}); choose one of those, or deny`);
  return null;
}

function whyNotExpiry({ expires_at: said }: Conditions, offers: Offers | undefined, before: Conditions | undefined, now: Instant): Refusal | null {
  // A yes that ran out before the last one came would be an approval that nobody can use.
  if (before?.expires_at !== undefined && ms(before.expires_at) <= ms(now))
    return no('condition_not_offered', `The sign-off before held until ${before.expires_at}, which is over; deny, or take it over`);
  if (said === undefined) return null;
  if (offers?.expiresWithinMs === undefined)
    return no('condition_not_offered', 'The policy offers no earlier end of this yes; leave it out, deny, or take it over');
  const at = ms(said);
  if (!Number.isFinite(at) || at <= ms(now) || at > ms(now) + offers.expiresWithinMs)
    return no(
      'condition_not_offered',
      `${said} is not between now and ${String(Math.floor(offers.expiresWithinMs / 60_000))} minutes from now; give an instant in between`,
    );
  return null;
}

function whyNotOption({ option: said }: Conditions, offers: Offers | undefined, before: Conditions | undefined): Refusal | null {
  const options = offers?.options;
  if (!options) return said === undefined ? null : no('condition_not_offered', `${said} is no option that the policy offers; leave it out`);
  const names = Object.keys(options);
  if (names.length === 0) return no('condition_required', 'The rows that apply have no option in common, so no yes is possible; deny, or take it over');
  if (said === undefined) return no('condition_required', `A yes has to say which of the options it is for: ${names.join(', ')}`);
  if (!names.includes(said)) return no('condition_not_offered', `${said} is no option here; choose one of ${names.join(', ')}`);
  if (before?.option !== undefined && before.option !== said)
    return no('condition_not_offered', `The sign-off before is for the option ${before.option}; choose the same one, or deny`);
  return null;
}

/** The tightest of what two signers said. Total: what two of them cannot mean together was refused before. */
export function unite(a: Conditions | undefined, b: Conditions | undefined): Conditions | undefined {
  const amount = both(a?.amount_at_most, b?.amount_at_most, lower);
  const recipients = both(a?.only_recipients, b?.only_recipients, (x, y) => x.filter((one) => y.includes(one)));
  const expiresAt = both(a?.expires_at, b?.expires_at, (x, y) => (ms(x) <= ms(y) ? x : y));
  const option = both(a?.option, b?.option, (x) => x);
  const united: Conditions = {
    ...(amount === undefined ? {} : { amount_at_most: amount }),
    ...(recipients === undefined ? {} : { only_recipients: recipients }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(option === undefined ? {} : { option }),
  };
  return isUnconditional(united) ? undefined : united;
}

const both = <T>(a: T | undefined, b: T | undefined, tighter: (a: T, b: T) => T): T | undefined => (a === undefined ? b : b === undefined ? a : tighter(a, b));

/** Both were measured against one offer, and so are of one currency; where they are not, the first stands. */
const lower = (x: Money, y: Money): Money => (x.currency === y.currency && compareMoney(x, y) > 0 ? y : x);

/** As they go into the end, the token and the callback: with the params that they are about. */
export function grantedOf(conditions: Conditions, offers: Offers | undefined): Granted {
  const { amount_at_most: amount, only_recipients: recipients, expires_at: expiresAt, option } = conditions;
  return {
    ...(amount === undefined ? {} : { amount_at_most: amount }),
    ...(recipients === undefined ? {} : { only_recipients: recipients }),
    ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    ...(option === undefined ? {} : { option }),
    params: {
      ...(amount === undefined ? {} : { amount_at_most: offers?.amountAtMost?.param ?? '' }),
      ...(recipients === undefined ? {} : { only_recipients: offers?.onlyRecipients?.param ?? '' }),
    },
  };
}

/** In words, one phrase each. `options`: what each option is called. */
export function conditionWords(conditions: Conditions, options: Offers['options'] = {}): string[] {
  const { amount_at_most: amount, only_recipients: recipients, expires_at: expiresAt, option } = conditions;
  return [
    ...(amount === undefined ? [] : [`at most ${formatMoney(amount)}`]),
    ...(recipients === undefined ? [] : [`only to ${fewOf(recipients)}`]),
    ...(expiresAt === undefined ? [] : [`until ${expiresAt}`]),
    ...(option === undefined ? [] : [Object.hasOwn(options, option) ? `${option}: ${options[option] ?? ''}` : `option ${option}`]),
  ];
}

/** Names that a request gave are somebody else's words: few, and short. */
const fewOf = (names: readonly string[]): string =>
  names.length > 3 ? `${String(names.length)} of those named` : names.map((name) => oneLine(name, 80)).join(', ');

/** What an approver may add, or has to choose, in words, one sentence each. */
export function offerWords({ amountAtMost, onlyRecipients, expiresWithinMs, options }: Offers): string[] {
  const names = Object.entries(options ?? {});
  return [
    ...(amountAtMost ? [`A yes may be limited to a lower ${amountAtMost.param}, up to ${formatMoney(amountAtMost.atMost)}`] : []),
    ...(onlyRecipients ? [`A yes may be limited to some of the ${String(onlyRecipients.of.length)} in ${onlyRecipients.param}`] : []),
    ...(expiresWithinMs === undefined ? [] : [`A yes may be given until an earlier instant, at most ${lengthOf(expiresWithinMs)} away`]),
    ...(options === undefined
      ? []
      : names.length === 0
        ? ['The rows that apply have no option in common: no yes is possible']
        : [`A yes is for exactly one of: ${names.map(([name, says]) => `${name} (${says})`).join('; ')}`]),
  ];
}

function lengthOf(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  return minutes < 120
    ? `${String(minutes)} min`
    : minutes % 60 === 0
      ? `${String(minutes / 60)} h`
      : `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
}

/** The params that a conditional yes leaves, for routing again: lowered and shortened, and nothing else touched. */
export function tightened(params: JsonObject, { amount_at_most: amount, only_recipients: recipients }: Conditions, offers: Offers | undefined): JsonObject {
  return {
    ...params,
    ...(amount === undefined || !offers?.amountAtMost ? {} : { [offers.amountAtMost.param]: { minor: amount.minor, currency: amount.currency } }),
    ...(recipients === undefined || !offers?.onlyRecipients ? {} : { [offers.onlyRecipients.param]: recipients }),
  };
}

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Conditions in a token, read without trust: null for what is not understood whole, which nobody may act on. */
export function readGranted(value: JsonObject): Granted | null {
  const { params, amount_at_most: amount, only_recipients: recipients, expires_at: expiresAt, option, ...unknown } = value as Record<string, Json | undefined>;
  if (Object.keys(unknown).length > 0 || !isObject(params)) return null;
  const about = (name: string): string | null => (typeof params[name] === 'string' && params[name] !== '' ? params[name] : null);
  const isList = (list: Json | undefined): list is readonly string[] => Array.isArray(list) && list.length > 0 && list.every((one) => typeof one === 'string');
  if (amount !== undefined && (!isMoney(amount) || about('amount_at_most') === null)) return null;
  if (recipients !== undefined && (!isList(recipients) || about('only_recipients') === null)) return null;
  if (expiresAt !== undefined && (typeof expiresAt !== 'string' || Number.isNaN(ms(expiresAt)))) return null;
  if (option !== undefined && (typeof option !== 'string' || option === '')) return null;
  return value as unknown as Granted;
}

/** The params that conditions are about; none where they are not understood, so that the action has to be exactly the one approved. */
export const conditionedParams = (conditions: JsonObject): string[] => [...new Set(Object.values(readGranted(conditions)?.params ?? {}))];

/** An action without some of its params: what conditions leave as it was asked. */
export const actionWithout = (action: { readonly params: JsonObject }, names: readonly string[]): JsonObject => ({
  ...action,
  params: Object.fromEntries(Object.entries(action.params).filter(([name]) => !names.includes(name))),
});
