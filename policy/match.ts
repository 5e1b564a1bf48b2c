/**
 * Which rows apply to a reading. A condition that cannot be evaluated counts in the strict direction only:
 * a trigger as matched (and says so), an allowing row, `unless` and `supersedes` as not met; an `unless` that cannot be evaluated leaves
 * an allowing row or an exception not met, and takes from any other row what it supersedes. Pure.
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

/**
 * `unevaluated`: it counts as met. `unexcused`: its trigger is met, and whether it is excused cannot be said. `unknown`: it counts as not
 * met, but might be, so that what it supersedes cannot be relied on to stand.
 */
type Verdict = 'met' | 'not_met' | 'unevaluated' | 'unexcused' | 'unknown';

function verdictOf(row: CompiledRow, reading: Reading, exception: Refused | null): Verdict {
  // An exception is for what was refused, and for nothing else.
  const isException = row.excepts.length > 0;
  if (isException && !row.excepts.some((id) => exception?.rows.includes(id))) return 'not_met';
  if (!row.when) return 'met';
  const trigger = row.when.evaluate(reading);
  if (trigger.ok && trigger.value !== true) return 'not_met';
  const excused = excusedOf(row, reading);
  if (excused === true) return 'not_met';
  if (trigger.ok && excused === false) return 'met';
  return row.effect === 'allow' || isException ? 'unknown' : trigger.ok ? 'unexcused' : 'unevaluated';
}

function excusedOf(row: CompiledRow, reading: Reading): boolean | 'unknown' {
  const unless = row.unless?.evaluate(reading);
  return !unless ? false : unless.ok ? unless.value === true : 'unknown';
}

interface Applying {
  /** What became of a row. */
  fateOf(row: CompiledRow): Fate;
  /** The rows that apply, in order; the default row alone where none does. */
  readonly active: readonly Active[];
  /** Rows that refused before, and to whose refusal no row makes an exception. */
  readonly unexcepted: readonly string[];
}

/**
 * Rows by the actions that their triggers could be about, so that a request is not held against the rows of other actions: there they are
 * false whatever else they read. Made once for each list of rows.
 */
const byAction = new WeakMap<readonly CompiledRow[], (type: string) => readonly CompiledRow[]>();

function candidates(rows: readonly CompiledRow[], reading: Reading): readonly CompiledRow[] {
  const type = reading.get('action.type');
  if (typeof type !== 'string') return rows;
  const find = byAction.get(rows) ?? indexed(rows);
  byAction.set(rows, find);
  return find(type);
}

function indexed(rows: readonly CompiledRow[]): (type: string) => readonly CompiledRow[] {
  const about = rows.map((row) => row.when?.admits('action.type') ?? null);
  const known = new Set(about.flatMap((types) => [...(types ?? [])]));
  const found = new Map<string, readonly CompiledRow[]>();
  const rest = rows.filter((_, i) => about[i] === null);
  return (type) => {
    if (!known.has(type)) return rest;
    const some = found.get(type) ?? rows.filter((_, i) => about[i]?.has(type) ?? true);
    found.set(type, some);
    return some;
  };
}

/** `exception`: the refusal that the request asks an exception to. Only what was refused then is set aside now, and only by a row that says so. */
export function activeRows(rows: readonly CompiledRow[], defaultRow: CompiledRow, reading: Reading, exception: Refused | null): Applying {
  const verdicts = new Map<string, Verdict>();
  const met: CompiledRow[] = [];
  const superseders: CompiledRow[] = [];
  const verdictFor = (row: CompiledRow): Verdict => verdicts.get(row.id) ?? 'not_met';
  const matchedAtAll: CompiledRow[] = [];
  for (const row of candidates(rows, reading)) {
    const verdict = verdictOf(row, reading, exception);
    if (verdict === 'not_met') continue;
    verdicts.set(row.id, verdict);
    if (verdict !== 'unknown') matchedAtAll.push(row);
    if (row.supersedes.length > 0) superseders.push(row);
    if (verdict === 'met') met.push(row);
  }
  // An exception that gives way to another row makes none, whatever becomes of that row.
  const yielding = new Set(met.flatMap((row) => row.supersedes));
  const excepted = new Set(met.flatMap((row) => (yielding.has(row.id) ? [] : row.excepts.filter((id) => exception?.rows.includes(id)))));
  const unexcepted = exception?.rows.filter((id) => !excepted.has(id)) ?? [];
  const matched = matchedAtAll.filter((row) => !excepted.has(row.id));
  const superseding = superseders.filter((row) => !excepted.has(row.id));
  // A row that is itself superseded, or might be, supersedes nothing; `check` refuses circles.
  const stands = (row: CompiledRow): boolean => !superseding.some((other) => other.supersedes.includes(row.id) && surelyStands(other));
  const surelyStands = (row: CompiledRow): boolean =>
    verdictFor(row) === 'met' && !superseding.some((other) => other.supersedes.includes(row.id) && stands(other));
  const fateOf = (row: CompiledRow): Fate => {
    const verdict = verdictFor(row);
    if (verdict === 'not_met' || verdict === 'unknown') return 'not_met';
    if (excepted.has(row.id)) return 'excepted';
    if (!stands(row)) return 'superseded';
    return verdict === 'unevaluated' ? 'applies_unevaluated' : 'applies';
  };
  const active = matched.filter(stands).map((row) => hastened({ row, matched: describe(row, reading, verdictFor(row) === 'unevaluated') }, reading));
  return { fateOf, unexcepted, active: active.length > 0 ? active : [hastened({ row: defaultRow, matched: describe(defaultRow, reading, false) }, reading)] };
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
