/**
 * What a run's numbers come to: percentiles, medians, and the ratio of what was measured in turns.
 * Promises: a ratio is the median over pairs of neighbouring blocks, so that a slow minute of the machine meets both sides.
 * Pure: imports nothing.
 */

/** Milliseconds of a clock that all processes of this machine share. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** The value below which `share` (0 to 1) of them lie; not a number when there are none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export interface Waits {
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Milliseconds, one per case. */
export const waits = (values: readonly number[]): Waits => ({
  count: values.length,
  p50: round(percentile(values, 0.5), 1),
  p95: round(percentile(values, 0.95), 1),
  p99: round(percentile(values, 0.99), 1),
  max: round(percentile(values, 1), 1),
});

/** The median of `a[i] / b[i]`, with the least and the greatest. */
export function ratio(a: readonly number[], b: readonly number[]): { readonly median: number; readonly least: number; readonly greatest: number } {
  const each = a.slice(0, b.length).map((value, i) => value / (b[i] ?? Number.NaN));
  return { median: round(median(each), 2), least: round(percentile(each, 0), 2), greatest: round(percentile(each, 1), 2) };
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));
