/**
 * Why a request is routed as it is: what became of each row, which parts of its trigger held, and the plan.
 * It cannot disagree with resolve: both ask the same functions. Pure.
 */
import type { Effect } from '../domain/plan';
import type { Part } from './cel/engine';
import { activeRows, type Fate } from './match';
import type { CompiledPolicy } from './model';
import { readInput, resolve, type Resolved, type RoutingInput } from './resolve';

interface ExplainedRow {
  readonly id: string;
  readonly effect: Effect;
  readonly fate: Fate;
  /** The trigger with the values it read. */
  readonly words: string;
  readonly parts: readonly Part[];
  /** Why it was excused, in words; null where it says no `unless`, or that does not hold. */
  readonly unless: string | null;
}

export interface Explained {
  readonly rows: readonly ExplainedRow[];
  readonly resolved: Resolved;
}

export function explain(policy: CompiledPolicy, input: RoutingInput): Explained {
  const resolved = resolve(policy, input);
  const { reading, issues } = readInput(policy, input);
  // What cannot be read is not looked at: the issues say what is wrong with it.
  if (issues.length > 0) return { rows: [], resolved };
  const { fateOf } = activeRows(policy.rows, policy.defaultRow, reading, input.exception ?? null);
  const rows = policy.rows.map((row): ExplainedRow => {
    const unless = row.unless?.evaluate(reading);
    return {
      id: row.id,
      effect: row.effect,
      fate: fateOf(row),
      words: row.when?.words(reading) ?? '',
      parts: row.when?.parts(reading) ?? [],
      unless: unless?.ok === true && unless.value === true ? (row.unless?.words(reading) ?? null) : null,
    };
  });
  return { rows, resolved };
}
