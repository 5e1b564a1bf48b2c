/**
 * Which rows apply to a reading. A condition that cannot be evaluated counts in the strict direction only:
 * a trigger as matched (and says so), an allowing row, `unless` and `supersedes` as not met. Pure.
 */
import type { MatchedRow } from '../domain/plan';
import type { Reading } from './cel/names';
import type { CompiledRow } from './model';

export interface Active {
  readonly row: CompiledRow;
  readonly matched: MatchedRow;
}

type Verdict = 'met' | 'not_met' | 'unevaluated';

function verdictOf(row: CompiledRow, reading: Reading): Verdict {
  if (!row.when) return 'met';
  const trigger = row.when.evaluate(reading);
  if (!trigger.ok) return row.effect === 'allow' ? 'not_met' : excused(row, reading) ? 'not_met' : 'unevaluated';
  return trigger.value === true && !excused(row, reading) ? 'met' : 'not_met';
}

function excused(row: CompiledRow, reading: Reading): boolean {
  const unless = row.unless?.evaluate(reading);
  return unless?.ok === true && unless.value === true;
}

/** The rows that apply, in order; the default row alone where none does. */
export function activeRows(rows: readonly CompiledRow[], defaultRow: CompiledRow, reading: Reading): Active[] {
  const verdicts = new Map(rows.map((row) => [row.id, verdictOf(row, reading)]));
  const matched = rows.filter((row) => verdicts.get(row.id) !== 'not_met');
  // A row that is itself superseded supersedes nothing; `check` refuses circles.
  const stands = (row: CompiledRow): boolean =>
    !matched.some((other) => verdicts.get(other.id) === 'met' && other.supersedes.includes(row.id) && stands(other));
  const active = matched.filter(stands).map((row): Active => ({ row, matched: describe(row, reading, verdicts.get(row.id) === 'unevaluated') }));
  return active.length > 0 ? active : [{ row: defaultRow, matched: describe(defaultRow, reading, false) }];
}

function describe(row: CompiledRow, reading: Reading, unevaluated: boolean): MatchedRow {
  const words = row.when ? row.when.words(reading) : 'no row speaks of this request, so the default row applies';
  return {
    id: row.id,
    effect: row.effect,
    when: row.when?.text ?? '',
    why: unevaluated ? `${words}: this could not be evaluated, so it counts as met` : words,
    provision: row.provision,
    unevaluated,
  };
}
