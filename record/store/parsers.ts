/**
 * How values of PostgreSQL become plain JSON, the same for every driver: bigint and numeric as safe numbers, timestamptz as ISO text with milliseconds.
 * Promises: a number that would lose digits is refused, never rounded.
 */
import type { Instant } from '../../domain/json';
import { types } from 'pg';

const [INT8, NUMERIC, TIMESTAMPTZ]: readonly number[] = [types.builtins.INT8, types.builtins.NUMERIC, types.builtins.TIMESTAMPTZ];

export function safeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`The store holds the number ${text}, which is beyond 2^53 and would lose digits`);
  return value;
}

const TIME = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(?::?(\d\d))?$/;

export function instantOf(text: string): Instant {
  const [, date, time, fraction, hours, minutes] = TIME.exec(text) ?? [];
  const at = new Date(`${date ?? ''}T${time ?? ''}${(fraction ?? '.000').slice(0, 4).padEnd(4, '0')}${hours ?? ''}:${minutes ?? '00'}`);
  if (Number.isNaN(at.getTime())) throw new RangeError(`The store holds the time ${text}, which is no instant`);
  return at.toISOString();
}

/** For one pool only: the driver's global parsers stay as they are. */
export const parsers = {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
    if (format === 'binary') return types.getTypeParser(oid, 'binary') as (text: string) => unknown;
    if (oid === INT8 || oid === NUMERIC) return safeNumber;
    if (oid === TIMESTAMPTZ) return instantOf;
    return types.getTypeParser(oid, 'text') as (text: string) => unknown;
  },
};
