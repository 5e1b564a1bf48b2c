/**
 * The small notations of a policy: money (`1000.00 USD`), durations (`30m`, `1h30m`) and types (`enum[gold, silver]`).
 * Pure: imports domain/money. Each parser answers undefined for what it cannot read; the caller knows the place to name.
 */
import { decimalsOf, type Money } from '../domain/money';

/** Exact: more decimal places than the currency has are not rounded but refused. */
export function parseMoney(text: string): Money | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d{1,6}))? ([A-Z]{3})$/.exec(text.trim());
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', currency = ''] = match;
  const minor = minorUnits(sign, whole, fraction, decimalsOf(currency));
  return minor === undefined ? undefined : { minor, currency };
}

function minorUnits(sign: string, whole: string, fraction: string, places: number): number | undefined {
  if (fraction.length > places && /[^0]/.test(fraction.slice(places))) return undefined;
  const minor = Number(whole + fraction.slice(0, places).padEnd(places, '0'));
  if (!Number.isSafeInteger(minor)) return undefined;
  return sign === '-' && minor !== 0 ? -minor : minor;
}

/** Minor units of a decimal number, read from its shortest decimal form and never multiplied as a float. */
export function minorOf(value: number, currency: string): number | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(value));
  return match ? minorUnits(match[1] ?? '', match[2] ?? '', match[3] ?? '', decimalsOf(currency)) : undefined;
}

const UNIT_MS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;

/** Milliseconds; at least one second. A day is 24 hours of elapsed time. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim());
  if (!match || text.trim() === '') return undefined;
  const [, d = '0', h = '0', m = '0', s = '0'] = match;
  const total = Number(d) * UNIT_MS.d + Number(h) * UNIT_MS.h + Number(m) * UNIT_MS.m + Number(s) * UNIT_MS.s;
  return total >= 1000 ? total : undefined;
}

/** `2h30m`: a duration as a policy writes it. */
export function durationText(durationMs: number): string {
  let left = Math.round(durationMs / 1000) * 1000;
  const parts = Object.entries(UNIT_MS).flatMap(([unit, size]) => {
    // Hours up to two days: nobody says 1d for the day that a compliance desk has.
    const count = unit === 'd' && left < 2 * size ? 0 : Math.floor(left / size);
    left -= count * size;
    return count === 0 ? [] : [`${String(count)}${unit}`];
  });
  return parts.join('') || '0m';
}

export { parseType, typeName, TYPE_HELP, type Field, type FieldType } from '../domain/types';
