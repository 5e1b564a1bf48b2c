/**
 * Facts to plan: what the policy decides for one request, as plain data. Total: it answers a plan or the issues, and never throws for input.
 * Pure. Errors never allow: what cannot be read is refused, what cannot be evaluated counts in the strict direction.
 */
import type { Evidence, ActionInput } from '../domain/request';
import type { Json, JsonObject } from '../domain/json';
import { compareMoney, CurrencyMismatch, type Money } from '../domain/money';
import type { Plan, Provided, RecentValue, Refused } from '../domain/plan';
import { CelMoney } from './cel/money';
import { activeRows, type Active } from './match';
import type { CompiledPolicy, CompiledRow } from './model';
import { givenBy } from './providers';
import { measured } from './offers';
import { NOT_ASKED, read, type RoutingIssue } from './reading';
import { boundRoles } from './relative';
import type { Reading } from './cel/names';
import { strictest } from './strictest';

export interface RoutingInput {
  readonly action: ActionInput;
  /** What the agent claims. */
  readonly facts: JsonObject;
  /** What the record says of recent requests, by the names that the policy declares; absent where it cannot say. */
  readonly recent?: Readonly<Record<string, RecentValue>>;
  /** What providers said, by the path that conditions read it under; absent where they did not. */
  readonly provided?: Readonly<Record<string, Provided>>;
  /** Why they did not, by path. */
  readonly unavailable?: Readonly<Record<string, string>>;
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
  const provided = Object.entries(input.provided ?? {}).map(([path, { value }]): [string, Json] => [path, value]);
  return read(policy, { ...input, recent: Object.fromEntries(values), provided: Object.fromEntries(provided) }, true);
}

/** What is wrong with a request whatever providers say: worth knowing before they are asked. */
export const issuesOfRequest = (policy: CompiledPolicy, input: RoutingInput): readonly RoutingIssue[] =>
  readInput(policy, input).issues.filter(({ code }) => code !== 'fact_unavailable');

export function resolve(policy: CompiledPolicy, input: RoutingInput): Resolved {
  const noted = Object.entries(input.recent ?? {});
  const { reading, issues } = readInput(policy, input);
  if (issues.length > 0) return { ok: false, issues };
  const { active, unexcepted } = activeRows(policy.rows, policy.defaultRow, reading, input.exception ?? null);
  if (unexcepted.length > 0) return { ok: false, issues: [noException(unexcepted)] };
  const [first, ...rest] = active.map((a) => a.row);
  if (!first) throw new Error('A compiled policy always has a row that applies');
  const { amounts, greatest, problem } = amountsOf(policy, active, reading);
  const { offered, asked, ...merged } = strictest([first, ...rest], amounts, policy.authority);
  const offers = measured(offered, input.action.params);
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
      ...reaching(policy, active, merged, greatest),
      ...merged,
      ...calendarsIn(policy, merged.signOffs),
      ...saidByProviders(policy, input),
      ...boundRoles(policy, merged, reading),
      ...(input.exception ? { exception: { ...input.exception, ...granting(policy, active, merged, input.exception) } } : {}),
      ...(offers ? { offers } : {}),
      ...(asked ? { asksFor: asked } : {}),
      ...(policy.operators ? { operators: policy.operators.said } : {}),
      ...(noted.length === 0 ? {} : { recent: Object.fromEntries(noted) }),
    },
  };
}

/** What each provider said, and why it said nothing of the rest: a plan that was made without something says so. */
function saidByProviders(policy: CompiledPolicy, { provided = {}, unavailable = {} }: RoutingInput): Pick<Plan, 'provided' | 'unavailable'> {
  const missing = givenBy(policy).filter(({ path }) => !Object.hasOwn(provided, path));
  const why = missing.map(({ path }) => [path, (Object.hasOwn(unavailable, path) ? unavailable[path] : undefined) ?? NOT_ASKED] as const);
  return {
    ...(Object.keys(provided).length === 0 ? {} : { provided }),
    ...(why.length === 0 ? {} : { unavailable: Object.fromEntries(why) }),
  };
}

const noException = (rows: readonly string[]): RoutingIssue => ({
  code: 'no_exception',
  path: 'exception.of',
  message: `The policy has no exception to what ${rows.join(', ')} refused; the refusal stands, unless its owner changes the policy`,
});

/** Who may grant what was refused: by default another person than who said no, with at least their authority. */
function granting(
  policy: CompiledPolicy,
  active: readonly Active[],
  { signOffs, onTimeout }: Pick<Plan, 'signOffs' | 'onTimeout'>,
  { by = [] }: Refused,
): Pick<Refused, 'refuserAllowed' | 'below'> {
  const limits = by.flatMap(({ role }) => (Object.hasOwn(policy.authority, role) ? [policy.authority[role] ?? null] : []));
  const roles = [
    ...signOffs.flatMap(({ ladder }) => ladder.map((level) => level.role)),
    ...(onTimeout.hold ? [onTimeout.hold.role] : []),
    ...(policy.operators?.said.override?.roles ?? []),
  ];
  const below = [...new Set(roles)].filter((role) => !limits.every((limit) => reachesLimit(policy, role, limit)));
  const excepting = active.filter((a) => a.row.excepts.length > 0);
  const allowed = by.length > 0 && excepting.length > 0 && excepting.every((a) => a.row.refuserAllowed);
  return { ...(allowed ? { refuserAllowed: true } : {}), ...(below.length === 0 ? {} : { below }) };
}

/** Whether a role may sign for all that a limit reaches; in another currency nobody can say that it may. */
function reachesLimit(policy: CompiledPolicy, role: string, limit: Money | null): boolean {
  if (!Object.hasOwn(policy.authority, role)) return false;
  const own = policy.authority[role] ?? null;
  return own === null || (limit !== null && own.currency === limit.currency && compareMoney(own, limit) >= 0);
}

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
 * Only the roles that are asked, or may override: a plan holds what its approval needs, no more. A sign-off whose rows measure no amount is about
 * something else than money; a role without authority over money can give it, although another row of the plan names an amount. It counts for
 * that sign-off alone: nobody's yes to the amount may lean on it.
 */
function reaching(
  policy: CompiledPolicy,
  active: readonly Active[],
  { signOffs, onTimeout }: Pick<Plan, 'signOffs' | 'onTimeout'>,
  greatest: Money | null,
): Pick<Plan, 'authority' | 'unmeasured'> {
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
  // Who overrides signs for the amount as who is asked does.
  if (signOffs.length > 0) for (const role of policy.operators?.said.override?.roles ?? []) add(role, measuring.size > 0);
  const unmeasured = greatest === null ? [] : Object.keys(authority).filter((role) => !Object.hasOwn(policy.authority, role));
  return { authority, ...(unmeasured.length === 0 ? {} : { unmeasured }) };
}

interface Amounts {
  readonly amounts: ReadonlyMap<string, Money>;
  readonly greatest: Money | null;
  readonly problem: RoutingIssue | null;
}

/** The amount of each row that names one, and the greatest, which authority is measured against. */
function amountsOf(policy: CompiledPolicy, active: readonly Active[], reading: Reading): Amounts {
  const amounts = new Map<string, Money>();
  let greatest: Money | null = null;
  let problem: RoutingIssue | null = null;
  for (const { row } of active) {
    if (!row.amount) continue;
    const amount = amountOf(row, reading);
    if (typeof amount === 'string') {
      problem ??= unreadable(policy, row.amount.text, reading, amount);
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

/** What a provider did not give is not the agent's to mend: it asks again. */
function unreadable(policy: CompiledPolicy, text: string, reading: Reading, message: string): RoutingIssue {
  const missing = givenBy(policy).find(({ path }) => !reading.has(path) && new RegExp(`\\b${path.replace('.', '\\s*\\.\\s*')}\\b`).test(text));
  return missing
    ? {
        code: 'fact_unavailable',
        path: missing.path,
        message: `${message}; the provider ${missing.provider} did not give ${missing.path}: send the same request again in a moment`,
      }
    : { code: 'amount_unreadable', path: text, message };
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
