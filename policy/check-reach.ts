/**
 * Rows that no request could ever meet: conditions that contradict themselves or the declared types, rows that always yield to another,
 * exceptions to what never refuses.
 * Promises: only what is certain. A trigger that cannot be evaluated still counts as met, so such a row would be met by accident alone.
 * Pure.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { follows, reachOf, type Alternative, type World } from './cel/reach';
import { placeOf, type Declared } from './declare';
import type { CompiledPolicy, CompiledRow } from './model';
import type { Report } from './report';

export const worldOf = ({ names, actions, facts }: Pick<CompiledPolicy, 'names' | 'actions' | 'facts'>): World => ({
  names,
  actions,
  computed: (path) => {
    const name = path.startsWith('facts.') ? path.slice('facts.'.length) : '';
    return Object.hasOwn(facts, name) ? (facts[name]?.value?.tree ?? null) : null;
  },
});

/** For each row by id what its trigger could hold for; null where that cannot be said. Rows without trigger are not in it. */
export type Reaches = ReadonlyMap<string, readonly Alternative[] | null>;

export function checkReach(policy: CompiledPolicy, declared: Declared, report: Report): Reaches {
  const world = worldOf(policy);
  const sources = new Map(declared.rows.map((row) => [row.id, row]));
  const reaches = new Map<string, readonly Alternative[] | null>();
  for (const row of policy.rows) {
    if (!row.when) continue;
    const reach = reachOf(world, row.when.tree);
    reaches.set(row.id, reach?.possible ?? null);
    if (!reach) continue;
    if (reach.possible.length === 0) {
      report.error('never_holds', row.whenAt, row.id, `The trigger of ${row.id} can never hold: ${whyNot(reach.impossible)}; mend it, or remove the row`);
      continue;
    }
    for (const part of partsOf(row.when.tree)) {
      const dead = reachOf(world, part);
      if (dead?.possible.length === 0)
        report.warn(
          'part_never_holds',
          sources.get(row.id)?.at.source.within([...(sources.get(row.id)?.at.base ?? []), 'when'], part.start) ?? row.whenAt,
          row.id,
          `One side of an || in the trigger of ${row.id} can never hold: ${whyNot(dead.impossible)}; mend that side, or remove it`,
        );
    }
    checkUnless(row, reach.possible, world, sources, report);
    checkExpedite(row, world, sources, report);
  }
  const rows = new Map(policy.rows.map((row) => [row.id, row]));
  const yielding = checkYields(policy, rows, reaches, world, report);
  checkExcepted(policy, rows, reaches, yielding, report);
  return reaches;
}

const whyNot = (reasons: readonly string[]): string => [...new Set(reasons)].slice(0, 3).join('; ') || 'it is false';

/** The sides of the outermost ||, where there are several. */
function partsOf(node: ASTNode): ASTNode[] {
  const sides = (n: ASTNode): ASTNode[] => (n.op === '||' ? n.args.flatMap(sides) : [n]);
  return node.op === '||' ? sides(node) : [];
}

type Sources = ReadonlyMap<string, Declared['rows'][number]>;

const at = (row: CompiledRow, sources: Sources, ...path: string[]) => {
  const source = sources.get(row.id);
  return source ? placeOf(source.at, ...path) : row.at;
};

function checkUnless(row: CompiledRow, possible: readonly Alternative[], world: World, sources: Sources, report: Report): void {
  const unless = row.unless?.tree;
  if (!unless) return;
  const alone = reachOf(world, unless);
  const reach = row.when ? reachOf(world, row.when.tree, unless) : null;
  if (alone?.possible.length === 0)
    report.error('never_holds', at(row, sources, 'unless'), row.id, `unless of ${row.id} can never hold: ${whyNot(alone.impossible)}; mend it, or remove it`);
  else if (reach?.possible.length === 0)
    report.error(
      'never_holds',
      at(row, sources, 'unless'),
      row.id,
      `unless of ${row.id} never holds where its trigger does: ${whyNot(reach.impossible)}; mend it, or remove it`,
    );
  else if (possible.every((alternative) => follows(unless, alternative, world)))
    report.error(
      'always_excused',
      at(row, sources, 'unless'),
      row.id,
      `Wherever the trigger of ${row.id} holds, its unless holds as well, so the row never applies; narrow unless, or remove the row`,
    );
}

function checkExpedite(row: CompiledRow, world: World, sources: Sources, report: Report): void {
  if (!row.expedite || !row.when) return;
  const reach = reachOf(world, row.when.tree, row.expedite.when.tree);
  if (reach?.possible.length === 0)
    report.error(
      'never_holds',
      at(row, sources, 'expedite', 'when'),
      row.id,
      `expedite of ${row.id} never holds where its trigger does: ${whyNot(reach.impossible)}; mend it, or remove expedite`,
    );
}

/** Rows that another supersedes wherever they are met. Answers their ids. */
function checkYields(policy: CompiledPolicy, rows: ReadonlyMap<string, CompiledRow>, reaches: Reaches, world: World, report: Report): ReadonlySet<string> {
  const superseded = new Set(policy.rows.flatMap((row) => row.supersedes));
  const yielding = new Set<string>();
  for (const other of policy.rows) {
    const { when } = other;
    // Only who is met for certain and stands for certain.
    if (!when || other.unless || other.excepts.length > 0 || superseded.has(other.id)) continue;
    for (const id of other.supersedes) {
      const row = rows.get(id);
      const possible = reaches.get(id);
      if (!row || !possible || possible.length === 0 || !possible.every((alternative) => follows(when.tree, alternative, world))) continue;
      // An exception sets rows aside, which may include the one that supersedes.
      if (policy.rows.some((exception) => exception.excepts.includes(other.id))) continue;
      yielding.add(id);
      report.error(
        'always_superseded',
        row.at,
        id,
        `Wherever the trigger of ${id} holds, that of ${other.id} holds as well and supersedes it, so it never applies; narrow one of the two, or remove ${id}`,
      );
    }
  }
  return yielding;
}

/** What can be excepted is what refuses: a row that allows does not, one that never applies does not, and an exception is not its own. */
function checkExcepted(policy: CompiledPolicy, rows: ReadonlyMap<string, CompiledRow>, reaches: Reaches, yielding: ReadonlySet<string>, report: Report): void {
  for (const row of policy.rows) {
    for (const id of row.excepts) {
      const other = rows.get(id);
      if (!other) report.error('unknown_row', row.at, row.id, `The row ${row.id} excepts ${id}, which does not exist; name a row of this policy`);
      else if (other.effect === 'allow' || id === row.id || yielding.has(id) || reaches.get(id)?.length === 0)
        report.error('excepts_nothing', row.at, row.id, `The row ${row.id} excepts ${id}, which never refuses anything; name a row that blocks or asks`);
    }
  }
}
