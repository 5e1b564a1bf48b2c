/**
 * Facts to plan: what the policy decides for one request, as plain data. Total: it answers a plan or the issues, and never throws for input.
 * Pure. Errors never allow: what cannot be read is refused, what cannot be evaluated counts in the strict direction.
 */
import type { Evidence, ActionInput } from '../domain/request';
import type { JsonObject } from '../domain/json';
import { compareMoney, CurrencyMismatch, type Money } from '../domain/money';
import type { Plan, RecentValue, Refused } from '../domain/plan';
import { CelMoney } from './cel/money';
import { activeRows, type Active } from './match';
import type { CompiledPolicy, CompiledRow } from './model';
import { read, type RoutingIssue } from './reading';
import type { Reading } from './cel/names';
import { strictest } from './strictest';

export interface RoutingInput {
  readonly action: ActionInput;
  /** What the agent claims. */
  readonly facts: JsonObject;
  /** What the record says of recent requests, by the names that the policy declares; absent where it cannot say. */
  readonly recent?: Readonly<Record<string, RecentValue>>;
  /** The refusal that the request asks an exception to. */
  readonly exception?: Refused;
  /** Names of the evidence attached. */
  readonly evidence: readonly Evidence['name'][];
  readonly requester: { readonly agent: string; readonly run: string; readonly onBehalfOf: string | null };
  readonly tenant: string;
}

export type Resolved = { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly issues: readonly RoutingIssue[] };

/** The values of one request, and what is wrong with it. */
export function readInput(policy: CompiledPolicy, input: RoutingInput): ReturnType<typeof read> {
  const values = Object.entries(input.recent ?? {}).map(([name, { value }]) => [name, typeof value === 'number' ? value : { ...value }] as const);
  return read(policy, { ...input, recent: Object.fromEntries(values) }, true);
}

export function resolve(policy: CompiledPolicy, input: RoutingInput): Resolved {
  const noted = Object.entries(input.recent ?? {});
  const { reading, issues } = readInput(policy, input);
  if (issues.length > 0) return { ok: false, issues };
  const { active, unexcepted } = activeRows(policy.rows, policy.defaultRow, reading, input.exception ?? null);
  if (unexcepted.length > 0) return { ok: false, issues: [noException(unexcepted)] };
  const [first, ...rest] = active.map((a) => a.row);
  if (!first) throw new Error('A compiled policy always has a row that applies');
  const { amounts, greatest, problem } = amountsOf(active, reading);
  const merged = strictest([first, ...rest], amounts, policy.authority);
  const missing = merged.evidence
    .filter((name) => !input.evidence.includes(name))
    .map((name): RoutingIssue => ({
      code: 'missing_evidence',
      path: `evidence.${name}`,
      message: `${rowsAsking(active, name)} needs the evidence ${name}; attach it and submit again`,
    }));
  const unreadable = problem && merged.effect !== 'block' ? [problem] : [];
  if (missing.length + unreadable.length > 0) return { ok: false, issues: [...unreadable, ...missing] };
  const { name, version, hash } = policy;
  return {
    ok: true,
    plan: {
      policy: { name, version, hash },
      rows: active.map((a) => a.matched),
      amount: merged.signOffs.length > 0 ? greatest : null,
      authority: reaching(policy, active, merged),
      ...merged,
      ...calendarsIn(policy, merged.signOffs),
      ...(input.exception ? { exception: input.exception } : {}),
      ...(noted.length === 0 ? {} : { recent: Object.fromEntries(noted) }),
    },
  };
}

const noException = (rows: readonly string[]): RoutingIssue => ({
  code: 'no_exception',
  path: 'exception.of',
  message: `The policy has no exception to what ${rows.join(', ')} refused; the refusal stands, unless its owner changes the policy`,
});

/** Pinned like everything else: a calendar that changes later is for later requests. */
function calendarsIn(policy: CompiledPolicy, signOffs: Plan['signOffs']): Pick<Plan, 'calendars'> {
  const limits = signOffs.flatMap(({ ladder }) => ladder.flatMap((level) => [level, ...(level.limits ?? [])]));
  const named = new Set(limits.map(({ calendar }) => calendar));
  const calendars = Object.entries(policy.calendars).filter(([name]) => named.has(name));
  return calendars.length === 0 ? {} : { calendars: Object.fromEntries(calendars) };
}

const rowsAsking = (active: readonly Active[], evidence: string): string => {
  const ids = active.filter((a) => a.row.evidence.includes(evidence)).map((a) => a.row.id);
  return `The row${ids.length > 1 ? 's' : ''} ${ids.join(', ')}`;
};

/**
 * Only the roles that are asked: a plan holds what its approval needs, no more. A sign-off whose rows measure no amount is about
 * something else than money; a role without authority over money can give it, although another row of the plan names an amount.
 */
function reaching(policy: CompiledPolicy, active: readonly Active[], { signOffs, onTimeout }: Pick<Plan, 'signOffs' | 'onTimeout'>): Plan['authority'] {
  const measuring = new Set(active.filter((a) => a.row.amount !== null).map((a) => a.row.id));
  const authority: Record<string, Money | null> = {};
  const add = (role: string, measured: boolean): void => {
    if (Object.hasOwn(policy.authority, role)) authority[role] = policy.authority[role] ?? null;
    else if (!measured) authority[role] = null;
  };
  for (const signOff of signOffs)
    for (const level of signOff.ladder)
      add(
        level.role,
        signOff.rows.some((id) => measuring.has(id)),
      );
  if (onTimeout.hold) add(onTimeout.hold.role, measuring.size > 0);
  return authority;
}

interface Amounts {
  readonly amounts: ReadonlyMap<string, Money>;
  readonly greatest: Money | null;
  readonly problem: RoutingIssue | null;
}

/** The amount of each row that names one, and the greatest, which authority is measured against. */
function amountsOf(active: readonly Active[], reading: Reading): Amounts {
  const amounts = new Map<string, Money>();
  let greatest: Money | null = null;
  let problem: RoutingIssue | null = null;
  for (const { row } of active) {
    if (!row.amount) continue;
    const amount = amountOf(row, reading);
    if (typeof amount === 'string') {
      problem ??= { code: 'amount_unreadable', path: row.amount.text, message: amount };
      continue;
    }
    amounts.set(row.id, amount);
    try {
      if (greatest === null || compareMoney(amount, greatest) > 0) greatest = amount;
    } catch (error) {
      if (!(error instanceof CurrencyMismatch)) throw error;
      problem ??= { code: 'amount_unreadable', path: row.amount.text, message: `Two rows measure amounts in different currencies: ${error.message}` };
    }
  }
  return { amounts, greatest, problem };
}

function amountOf(row: CompiledRow, reading: Reading): Money | string {
  const result = row.amount?.evaluate(reading);
  if (!result?.ok || !(result.value instanceof CelMoney))
    return `The row ${row.id} measures authority by ${row.amount?.text ?? ''}, which this request does not give${result && !result.ok ? ` (${result.why})` : ''}`;
  const amount = result.value.toMoney();
  if (amount.minor < 0)
    return `The row ${row.id} measures authority by ${row.amount?.text ?? ''}, which is below zero here; send an amount of zero or more, or have the policy use abs()`;
  return amount;
}
