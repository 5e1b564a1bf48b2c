/**
 * Money inside conditions: `action.params.amount > usd(250)`. Exact on minor units, and an error across currencies.
 * Pure: imports the expression engine and domain/money.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { CurrencyMismatch, type Money } from '../../domain/money';
import { minorOf } from '../units';

/** What a condition computes with; a class, because the engine tells types apart by constructor. */
export class CelMoney {
  constructor(
    readonly minor: number,
    readonly currency: string,
  ) {}

  static of(money: Money): CelMoney {
    return new CelMoney(money.minor, money.currency);
  }

  toMoney(): Money {
    return { minor: this.minor, currency: this.currency };
  }
}

const difference = (a: CelMoney, b: CelMoney): number => {
  if (a.currency !== b.currency) throw new CurrencyMismatch(a.currency, b.currency);
  return a.minor - b.minor;
};

const safe = (minor: number, currency: string): CelMoney => {
  if (!Number.isSafeInteger(minor)) throw new RangeError('The amount is too large to be exact');
  return new CelMoney(minor, currency);
};

/** The amount a call such as `usd(250)` or `money(250.5, 'CHF')` stands for; a sentence when it stands for none. */
export function amountOf(value: number | bigint, currency: string): CelMoney | string {
  if (!/^[A-Z]{3}$/.test(currency)) return `${currency} is no currency code; use three capital letters, such as USD`;
  const minor = minorOf(Number(value), currency);
  return minor === undefined
    ? `${String(value)} ${currency} is no exact amount; use no more decimal places than the currency has`
    : new CelMoney(minor, currency);
}

function amountOrThrow(value: number | bigint, currency: string): CelMoney {
  const amount = amountOf(value, currency);
  if (typeof amount === 'string') throw new RangeError(amount);
  return amount;
}

/** The functions that make money; each currency of its own takes a number only. */
export const MONEY_FUNCTIONS: Readonly<Record<string, string | null>> = { usd: 'USD', eur: 'EUR', gbp: 'GBP', money: null };

export function registerMoney(environment: Environment): void {
  environment.registerType('Money', { ctor: CelMoney, fields: { currency: 'string' } });
  for (const number of ['int', 'double']) {
    for (const [name, currency] of Object.entries(MONEY_FUNCTIONS)) {
      if (currency === null) environment.registerFunction(`money(${number}, string): Money`, (n: number | bigint, code: string) => amountOrThrow(n, code));
      else environment.registerFunction(`${name}(${number}): Money`, (n: number | bigint) => amountOrThrow(n, currency));
    }
  }
  environment.registerOperator('Money > Money', (a: CelMoney, b: CelMoney) => difference(a, b) > 0);
  environment.registerOperator('Money >= Money', (a: CelMoney, b: CelMoney) => difference(a, b) >= 0);
  environment.registerOperator('Money < Money', (a: CelMoney, b: CelMoney) => difference(a, b) < 0);
  environment.registerOperator('Money <= Money', (a: CelMoney, b: CelMoney) => difference(a, b) <= 0);
  environment.registerOperator('Money == Money', (a: CelMoney, b: CelMoney) => difference(a, b) === 0);
  environment.registerOperator('Money - Money', (a: CelMoney, b: CelMoney) => safe(difference(a, b), a.currency));
  environment.registerOperator('Money + Money', (a: CelMoney, b: CelMoney) => safe(difference(a, new CelMoney(-b.minor, b.currency)), a.currency));
  environment.registerFunction('abs(Money): Money', (a: CelMoney) => new CelMoney(Math.abs(a.minor), a.currency));
}
