/**
 * Bands of amounts: rows about one action and one amount, told apart by limits. A hole between them is an amount of which no row speaks; two
 * owners of one lane in the same band are two answers to whose rule it is.
 * Promises: only what is certain. A hole that some other row could cover is none; rows of different lanes are different judgments, and both count.
 * Pure.
 */
import { formatMoney } from '../domain/money';
import { worldOf, type Reaches } from './check-reach';
import { leftBy, type Literal, type World } from './cel/reach';
import type { CompiledPolicy, CompiledRow } from './model';
import type { Report } from './report';

interface Band {
  readonly row: CompiledRow;
  /** Minor units, both within. */
  readonly min: number;
  readonly max: number;
}

/** The bands of one action and amount whose rows demand the same besides. */
interface Group {
  readonly type: string;
  readonly path: string;
  readonly currency: string;
  readonly besides: readonly Literal[];
  readonly bands: Band[];
}

export function checkBands(policy: CompiledPolicy, reaches: Reaches, report: Report): void {
  const world = worldOf(policy);
  const holes = new Map<string, { readonly group: Group; readonly hole: Band; readonly types: string[] }>();
  for (const group of groupsOf(policy, reaches)) {
    const bands = [...group.bands].sort((a, b) => a.min - b.min || a.max - b.max);
    checkOverlaps(group, bands, policy, report);
    let end = bands[0]?.max ?? Infinity;
    for (const band of bands) {
      const hole: Band = { row: band.row, min: end + 1, max: band.min - 1 };
      if (hole.min <= hole.max && !mayBeCovered(hole, group, policy, reaches, world)) {
        const key = JSON.stringify([group.path, group.currency, hole.row.id, hole.min, hole.max]);
        const found = holes.get(key) ?? { group, hole, types: [] };
        found.types.push(group.type);
        holes.set(key, found);
      }
      end = Math.max(end, band.max);
    }
  }
  for (const { group, hole, types } of holes.values()) {
    const money = (minor: number): string => formatMoney({ minor, currency: group.currency });
    const amounts = hole.min === hole.max ? `exactly ${money(hole.min)}` : `from ${money(hole.min)} to ${money(hole.max)}`;
    report.error(
      'amount_gap',
      hole.row.whenAt,
      hole.row.id,
      `No row speaks of ${[...new Set(types)].join(', ')} where ${group.path} is ${amounts}, so the default row applies there; move one of the limits, such as with <= or >=`,
    );
  }
}

function groupsOf(policy: CompiledPolicy, reaches: Reaches): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const row of policy.rows) {
    // An exception is about what was refused, and unless: makes holes of its own.
    if (row.excepts.length > 0 || row.unless) continue;
    for (const { literals, region } of reaches.get(row.id) ?? []) {
      const [measured, ...others] = [...region.moneys];
      if (!measured || others.length > 0) continue;
      const [path, { currency, interval }] = measured;
      if (interval.except.size > 0) continue;
      const besides = literals.filter(({ atom }) => atom?.path !== path && atom?.path !== 'action.type');
      const texts = besides.map(({ text, met }) => `${String(met)} ${text}`).sort();
      for (const type of region.types) {
        const key = JSON.stringify([type, path, currency, texts]);
        const group = groups.get(key) ?? { type, path, currency, besides, bands: [] };
        group.bands.push({ row, min: interval.min, max: interval.max });
        groups.set(key, group);
      }
    }
  }
  return [...groups.values()];
}

const asks = ({ effect }: CompiledRow): boolean => effect === 'approval' || effect === 'escalation';

function checkOverlaps({ type, path, currency }: Group, bands: readonly Band[], policy: CompiledPolicy, report: Report): void {
  const place = new Map(policy.rows.map((row, i) => [row.id, i]));
  const told = new Set<string>();
  for (const [i, band] of bands.entries()) {
    for (const before of bands.slice(0, i)) {
      const [first, second] = (place.get(before.row.id) ?? 0) < (place.get(band.row.id) ?? 0) ? [before.row, band.row] : [band.row, before.row];
      if (before.max < band.min || first === second || told.has(second.id)) continue;
      if (!asks(first) || !asks(second) || first.lane !== second.lane || first.owner === second.owner) continue;
      if (first.supersedes.includes(second.id) || second.supersedes.includes(first.id)) continue;
      told.add(second.id);
      report.error(
        'amount_overlap',
        second.whenAt,
        second.id,
        `${first.id} (${first.owner}) and ${second.id} (${second.owner}) of the lane ${second.lane} both speak of ${type} where ${path} is ${formatMoney({ minor: band.min === -Infinity ? 0 : band.min, currency })}, so it has two owners; end one band where the other begins, or let one supersede the other`,
      );
    }
  }
}

/** Whether some row could be met in the hole. What cannot be looked into could. */
function mayBeCovered(hole: Band, { type, path, currency, besides }: Group, policy: CompiledPolicy, reaches: Reaches, world: World): boolean {
  const within: Literal[] = [
    { atom: { kind: 'text', path: 'action.type', values: new Set([type]) }, text: type, met: true },
    { atom: { kind: 'money', path, order: '>=', minor: hole.min, currency }, text: path, met: true },
    { atom: { kind: 'money', path, order: '<=', minor: hole.max, currency }, text: path, met: true },
    ...besides,
  ];
  return policy.rows.some((row) => {
    if (row.excepts.length > 0) return false;
    const possible = reaches.get(row.id);
    if (!possible) return true;
    return possible.some(({ literals, region }) => region.types.has(type) && typeof leftBy([...literals, ...within], world) !== 'string');
  });
}
