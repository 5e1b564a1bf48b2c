/**
 * Money: integer minor units with a currency. Exact; never a float. Pure: imports nothing.
 */
export interface Money {
  /** Minor units (cents for USD); a safe integer. */
  readonly minor: number;
  /** ISO 4217 code, upper case. */
  readonly currency: string;
}

/** Decimal places of the currencies whose minor unit is not a hundredth (ISO 4217). */
const DECIMALS: Readonly<Record<string, number>> = { JPY: 0, KRW: 0, VND: 0, CLP: 0, ISK: 0, BHD: 3, KWD: 3, OMR: 3, TND: 3, JOD: 3 };

/** How many decimal places an amount of this currency has. */
export const decimalsOf = (currency: string): number => DECIMALS[currency] ?? 2;

/** `USD 1,250.00`: the form every page, mail and message uses. */
export function formatMoney(money: Money): string {
  const places = decimalsOf(money.currency);
  const digits = String(Math.abs(money.minor)).padStart(places + 1, '0');
  const whole = places === 0 ? digits : digits.slice(0, -places);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const fraction = places === 0 ? '' : `.${digits.slice(-places)}`;
  return `${money.currency} ${money.minor < 0 ? '-' : ''}${grouped}${fraction}`;
}

/** Whether a JSON value is money. */
export function isMoney(value: unknown): value is Money {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 2 &&
    Number.isSafeInteger((value as Money).minor) &&
    typeof (value as Money).currency === 'string' &&
    /^[A-Z]{3}$/.test((value as Money).currency)
  );
}

/** The result of comparing money: an error across currencies, never a guess. */
export class CurrencyMismatch extends Error {
  readonly code = 'currency_mismatch';
  constructor(left: string, right: string) {
    super(`${left} and ${right} are different currencies and cannot be compared; state both amounts in one currency`);
    this.name = 'CurrencyMismatch';
  }
}

/** Negative, zero or positive as `left` is below, equal to or above `right`. Throws {@link CurrencyMismatch}. */
export function compareMoney(left: Money, right: Money): number {
  if (left.currency !== right.currency) throw new CurrencyMismatch(left.currency, right.currency);
  return left.minor - right.minor;
}
