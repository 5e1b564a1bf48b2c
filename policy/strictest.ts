/**
 * The strictest wins: the rows that apply, merged into one answer. Adding a row to the list can only tighten it.
 * Pure.
 */
import type { Money } from '../domain/money';
import { compareMoney, CurrencyMismatch } from '../domain/money';
import { TIERS, TIMEOUT_ENDS, type Effect, type Level, type OnDeny, type OnTimeout, type Plan, type SignOff } from '../domain/plan';
import { mergeMeanwhile } from './meanwhile';
import type { CompiledOffers, CompiledRow, CompiledSignOff } from './model';
import { mergeAsked, mergeOffers } from './offers';
import { mergeQuestions } from './questions';
import { RISKS, URGENCIES } from './schema';

/** Mildest first. */
export const EFFECTS: readonly Effect[] = ['allow', 'approval', 'escalation', 'block'];

interface Merged extends Omit<Plan, 'policy' | 'rows' | 'amount' | 'authority' | 'offers' | 'asksFor'> {
  /** Not measured against the request yet. */
  readonly offered: CompiledOffers | null;
  readonly asked: Plan['asksFor'] | null;
}

/** The greater of two by the order of a list. */
const highest = <T>(order: readonly T[], values: readonly T[]): T => values.reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a));

/** `rows` in order, at least one. `amounts` are those of the rows that name one. */
export function strictest(rows: readonly [CompiledRow, ...CompiledRow[]], amounts: ReadonlyMap<string, Money>, authority: Plan['authority']): Merged {
  const effect = highest(
    EFFECTS,
    rows.map((r) => r.effect),
  );
  // The words are those of the first row that says what is done; a milder row that matched as well has no say in them.
  const lead = rows.find((r) => r.effect === effect) ?? rows[0];
  // What asks contributes its requirements also where something stricter decides the effect.
  const asking = rows.filter((r) => r.effect === 'approval' || r.effect === 'escalation');
  const parts: readonly CompiledRow[] = effect === 'block' || asking.length === 0 ? [lead] : asking;
  const signOffs = effect === 'block' ? [] : unite(asking, effect, amounts, authority);
  const questions = mergeQuestions(parts);
  return {
    effect,
    tier:
      effect === 'block'
        ? 'none'
        : highest(
            TIERS,
            parts.map((r) => r.tier),
          ),
    risk: highest(
      RISKS,
      rows.map((r) => r.risk),
    ),
    urgency: highest(
      URGENCIES,
      rows.map((r) => r.urgency),
    ),
    lane: signOffs[0]?.lane ?? lead.lane,
    owner: lead.owner,
    signOffs,
    meanwhile: mergeMeanwhile(parts),
    evidence: effect === 'block' ? [] : [...new Set(rows.flatMap((r) => r.evidence))],
    onTimeout: safest(parts),
    onDeny: onDenyOf(lead, parts),
    takeoverMs: Math.min(...parts.map((r) => r.takeoverMs)),
    ...takeoverAtMost(parts),
    ...(questions ? { questions } : {}),
    samePersonAllowed: parts.every((r) => r.samePersonAllowed),
    instruction: lead.instruction,
    offered: effect === 'approval' ? mergeOffers(asking) : null,
    asked: effect === 'escalation' ? mergeAsked(rows.filter((r) => r.effect === 'escalation')) : null,
  };
}

/** The safer end holds, with what belongs to it; tickets, notices and effects are the union, the first row in order giving the words. */
function safest(parts: readonly CompiledRow[]): OnTimeout {
  const ends = parts.map((r) => r.onTimeout);
  const chosen = ends.reduce((a, b) => (TIMEOUT_ENDS.indexOf(b.end) < TIMEOUT_ENDS.indexOf(a.end) ? b : a));
  const ticket = ends.map((e) => e.ticket).find((t) => t !== undefined);
  const tellCustomer = ends.map((e) => e.tellCustomer).find((t) => t !== undefined);
  const pauseWorkflow = ends.map((e) => e.pauseWorkflow).find((p) => p !== undefined);
  const credentials = ends.flatMap((e) => e.disableCredentials ?? []);
  const disableCredentials = credentials.filter(({ credential }, i) => credentials.findIndex((c) => c.credential === credential) === i);
  return {
    ...chosen,
    ...(ticket ? { ticket } : {}),
    ...(tellCustomer ? { tellCustomer } : {}),
    ...(pauseWorkflow ? { pauseWorkflow } : {}),
    ...(disableCredentials.length > 0 ? { disableCredentials } : {}),
  };
}

function onDenyOf(lead: CompiledRow, parts: readonly CompiledRow[]): OnDeny {
  const tellCustomer = [lead, ...parts].map((r) => r.onDeny.tellCustomer).find((t) => t !== undefined);
  return {
    path: lead.onDeny.path,
    // One row by which a no ends it is enough.
    ...(parts.every((r) => r.onDeny.oneNo !== undefined) ? { oneNo: 'next_level' } : {}),
    tellRequester: parts.some((r) => r.onDeny.tellRequester),
    ...(tellCustomer ? { tellCustomer } : {}),
  };
}

/** A row that does not say it gives no more than it gives at once. */
function takeoverAtMost(parts: readonly CompiledRow[]): Pick<Plan, 'takeoverAtMostMs'> {
  if (parts.every((r) => r.takeoverAtMostMs === null)) return {};
  return { takeoverAtMostMs: Math.min(...parts.map((r) => r.takeoverAtMostMs ?? r.takeoverMs)) };
}

/**
 * Each sign-off that is needed, in row order, an escalation's first; the same lane and role from two rows is one signature, in the earlier
 * of its two places. Those of one parallel row share a stage; every other has one of its own.
 */
function unite(rows: readonly CompiledRow[], effect: Effect, amounts: ReadonlyMap<string, Money>, authority: Plan['authority']): SignOff[] {
  const inOrder = effect === 'escalation' ? [...rows.filter((r) => r.effect === 'escalation'), ...rows.filter((r) => r.effect !== 'escalation')] : rows;
  const united: (Omit<SignOff, 'id' | 'stage'> & { readonly stage: string })[] = [];
  for (const row of inOrder) {
    for (const [i, signOff] of row.signOffs.entries()) {
      if (signOff.onlyAbove && withinAuthority(row.signOffs[i - 1], amounts.get(row.id), authority)) continue;
      const same = united.findIndex((s) => s.lane === signOff.lane && s.role === signOff.role);
      const before = united[same];
      if (before)
        united[same] = {
          ...before,
          quorum: Math.max(before.quorum, signOff.quorum),
          ladder: tighter(before.ladder, signOff.ladder),
          rows: [...new Set([...before.rows, row.id])],
        };
      else {
        const stage = row.parallel ? row.id : `${row.id} ${String(i)}`;
        united.push({ stage, lane: signOff.lane, role: signOff.role, quorum: signOff.quorum, ladder: signOff.ladder, rows: [row.id] });
      }
    }
  }
  const stages = [...new Set(united.map((s) => s.stage))];
  return united.map(({ stage, ...signOff }, i) => {
    const shared = united.filter((s) => s.stage === stage).length > 1;
    return { id: String(i + 1), ...(shared ? { stage: stages.indexOf(stage) + 1 } : {}), ...signOff };
  });
}

/** Whether the amount is within what the sign-off before may decide; the limit itself is. Unknown or in another currency: it is not. */
function withinAuthority(before: CompiledSignOff | undefined, amount: Money | undefined, authority: Plan['authority']): boolean {
  if (!before || !amount || !Object.hasOwn(authority, before.role)) return false;
  const limit = authority[before.role] ?? null;
  if (limit === null) return true;
  try {
    return compareMoney(amount, limit) <= 0;
  } catch (error) {
    if (error instanceof CurrencyMismatch) return false;
    throw error;
  }
}

/**
 * Two ladders for one signature: only roles that both rows accept may sign, each by the earlier of the two deadlines.
 * The first level is the sign-off's own role in both, so at least it remains.
 */
export function tighter(a: readonly Level[], b: readonly Level[]): Level[] {
  return a.flatMap((level) => {
    const other = b.find((l) => l.role === level.role);
    if (!other) return [];
    const earlier = other.withinMs < level.withinMs ? other : level;
    return [
      {
        ...level,
        withinMs: earlier.withinMs,
        calendar: earlier.calendar,
        ...limitsOf(level, other),
        reminders: earlier.reminders,
        channels: [...new Set([...level.channels, ...other.channels])],
      },
    ];
  });
}

/** Which of two deadlines is earlier on different calendars is known when the level opens: both are kept, the shortest of each calendar. */
function limitsOf(a: Level, b: Level): Pick<Level, 'limits'> {
  const shortest = new Map<string | null, number>();
  for (const { withinMs, calendar } of [...(a.limits ?? [a]), ...(b.limits ?? [b])])
    shortest.set(calendar, Math.min(withinMs, shortest.get(calendar) ?? withinMs));
  return shortest.size < 2 ? {} : { limits: [...shortest].map(([calendar, withinMs]) => ({ withinMs, calendar })) };
}
