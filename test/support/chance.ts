/**
 * Chance that can be had again: Mulberry32, the same numbers for the same seed. COUNTERSIGN_FAULT_SEED names the seed of a run that failed.
 * Pure but for the choice of a seed.
 */
import { randomInt } from 'node:crypto';

/** The next number, from 0 up to but not 1. */
export type Chance = () => number;

/** The seed asked for, else one of its own for this run. */
export const seedOfRun = (): number => Number(process.env['COUNTERSIGN_FAULT_SEED'] ?? randomInt(2 ** 31));

export function chance(seed: number): Chance {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A copy in an order of chance. */
export function shuffled<T>(items: readonly T[], next: Chance): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}
