/**
 * Which rows apply to a reading. A condition that cannot be evaluated counts in the strict direction only:
 * a trigger as matched (and says so), an allowing row, `unless` and `supersedes` as not met. Pure.
 */
import type { MatchedRow, Refused } from '../domain/plan';
import type { Reading } from './cel/names';
import type { CompiledRow } from './model';
import { tighter } from './strictest';

export interface Active {
  readonly row: CompiledRow;
  readonly matched: MatchedRow;
}

/** `superseded` and `excepted`: it would have applied. */
export type Fate = 'applies' | 'applies_unevaluated' | 'not_met' | 'superseded' | 'excepted';

type Verdict = 'met' | 'not_met' | 'unevaluated';

function verdictOf(row: CompiledRow, reading: Reading, exception: Refused | null): Verdict {
  // An exception is for what was refused, and for nothing else.
  const isException = row.excepts.length > 0;
  if (isException && !row.excepts.some((id) => exception?.rows.includes(id))) return 'not_met';
  if (!row.when) return 'met';
  const trigger = row.when.evaluate(reading);
  if (!trigger.ok) return row.effect === 'allow' || isException ? 'not_met' : excused(row, reading) ? 'not_met' : 'unevaluated';
  return trigger.value === true && !excused(row, reading) ? 'met' : 'not_met';
}

function excused(row: CompiledRow, reading: Reading): boolean {
  const unless = row.unless?.evaluate(reading);
  return unless?.ok === true && unless.value === true;
}

interface Applying {
  /** What became of each row, in order. */
  readonly fates: ReadonlyMap<string, Fate>;
  /** The rows that apply, in order; the default row alone where none does. */
  readonly active: readonly Active[];
  /** Rows that refused before, and to whose refusal no row makes an exception. */
  readonly unexcepted: readonly string[];
}

/** `exception`: the refusal that the request asks an exception to. Only what was refused then is set aside now, and only by a row that says so. */
export function activeRows(rows: readonly CompiledRow[], defaultRow: CompiledRow, reading: Reading, exception: Refused | null): Applying {
  const verdicts = new Map(rows.map((row) => [row.id, verdictOf(row, reading, exception)]));
  const excepted = new Set(rows.filter((row) => verdicts.get(row.id) === 'met').flatMap((row) => row.excepts.filter((id) => exception?.rows.includes(id))));
  const unexcepted = exception?.rows.filter((id) => !excepted.has(id)) ?? [];
  const matched = rows.filter((row) => verdicts.get(row.id) !== 'not_met' && !excepted.has(row.id));
  // A row that is itself superseded supersedes nothing; `check` refuses circles.
  const stands = (row: CompiledRow): boolean =>
    !matched.some((other) => verdicts.get(other.id) === 'met' && other.supersedes.includes(row.id) && stands(other));
  const fateOf = (row: CompiledRow): Fate => {
    if (verdicts.get(row.id) === 'not_met') return 'not_met';
    if (excepted.has(row.id)) return 'excepted';
    if (!stands(row)) return 'superseded';
    return verdicts.get(row.id) === 'unevaluated' ? 'applies_unevaluated' : 'applies';
  };
  const fates = new Map(rows.map((row) => [row.id, fateOf(row)]));
  const active = matched.filter(stands).map((row) => hastened({ row, matched: describe(row, reading, verdicts.get(row.id) === 'unevaluated') }, reading));
  return { fates, unexcepted, active: active.length > 0 ? active : [hastened({ row: defaultRow, matched: describe(defaultRow, reading, false) }, reading)] };
}

/** With the shorter ladder where its condition holds; one that cannot be evaluated does not. */
function hastened({ row, matched }: Active, reading: Reading): Active {
  const [first, ...rest] = row.signOffs;
  const verdict = row.expedite?.when.evaluate(reading);
  if (!row.expedite || !first || verdict?.ok !== true || verdict.value !== true) return { row, matched };
  const ladder = tighter(row.expedite.ladder, first.ladder);
  const words = row.expedite.when.words(reading);
  return {
    row: { ...row, signOffs: [{ ...first, ladder }, ...rest] },
    matched: { ...matched, why: `${matched.why}; time presses: ${words}`, expedited: words },
  };
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
