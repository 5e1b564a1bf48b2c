/**
 * What recent requests come to, read from the record when a new one is routed: counts and sums that the policy declares.
 *
 * It promises: a request in flight is counted by the one after it, because both take the same lock; what was refused, withdrawn or
 * expired is not counted, as it was not done; what cannot be added up is absent, and counts in the strict direction; no request makes
 * the sum of the others less, whatever amount it names.
 * Runs inside the caller's transaction. Must not import Temporal.
 */
import { sql, type Transaction } from 'kysely';
import { instant, ms, type Instant } from '../domain/json';
import type { RecentValue } from '../domain/plan';
import type { RequestInput } from '../domain/request';
import { isMoney } from '../domain/money';
import type { CompiledPolicy } from '../policy';
import type { Tables } from '../record/store/tables';

type Recent = CompiledPolicy['recent'][string];

/** Ends after which the action was not done. */
const UNDONE = ['blocked', 'denied', 'expired', 'withdrawn'] as const;

export interface Asking {
  readonly tenant: string;
  readonly agent: string;
  readonly body: RequestInput;
  readonly now: Instant;
}

export async function readRecent(trx: Transaction<Tables>, policy: CompiledPolicy, asking: Asking): Promise<Record<string, RecentValue>> {
  const found: Record<string, RecentValue> = {};
  // In the order of their names, so that two requests never wait for each other in a circle.
  for (const recent of Object.values(policy.recent).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const whose = whoseOf(recent, asking);
    if (whose === null) continue;
    await sql`select pg_advisory_xact_lock(hashtextextended(${`recent\n${asking.tenant}\n${recent.name}\n${whose}`}, 0))`.execute(trx);
    const value = await valueOf(trx, recent, asking);
    if (value) found[recent.name] = value;
  }
  return found;
}

/** Whose requests count together; null where the request does not say. */
function whoseOf({ per }: Recent, { tenant, agent, body }: Asking): string | null {
  switch (per) {
    case 'agent':
      return agent;
    case 'customer':
      return body.customer?.id ?? null;
    case 'tenant':
      return tenant;
  }
}

interface Part {
  readonly currency: string | null;
  readonly minor: number | null;
  readonly requests: number;
}

async function valueOf(trx: Transaction<Tables>, recent: Recent, asking: Asking): Promise<RecentValue | null> {
  const since = instant(ms(asking.now) - recent.withinMs);
  const parts = [...(await earlier(trx, recent, asking, since)), ...own(recent, asking)];
  const requests = parts.reduce((sum, part) => sum + part.requests, 0);
  if (recent.sum === null) return { value: requests, requests, since };
  const [currency, ...others] = new Set(parts.map((part) => part.currency));
  const minor = parts.reduce((sum, part) => sum + (part.minor ?? Number.NaN), 0);
  // Nothing yet has no currency; several have no sum.
  if (typeof currency !== 'string' || others.length > 0 || !Number.isSafeInteger(minor)) return null;
  return { value: { minor, currency }, requests, since };
}

/** The request itself. */
function own({ of, sum }: Recent, { body: { action } }: Asking): Part[] {
  if (!of.includes(action.type)) return [];
  const value = sum === null ? undefined : action.params[sum];
  return [{ requests: 1, currency: isMoney(value) ? value.currency : null, minor: isMoney(value) ? Math.max(value.minor, 0) : null }];
}

async function earlier(trx: Transaction<Tables>, { of, per, sum }: Recent, { tenant, agent, body }: Asking, since: Instant): Promise<Part[]> {
  const param = sql`r.body #> array['action', 'params', ${sum ?? ''}::text]`;
  const { rows } = await sql<{ currency: string | null; minor: string | null; requests: number }>`
    select ${param} ->> 'currency' as currency, sum(greatest((${param} ->> 'minor')::numeric, 0))::text as minor, count(*)::int as requests
    from requests r
    join approvals a on a.tenant = r.tenant and a.approval_id = r.approval_id
    where r.tenant = ${tenant}
      and r.created_at > ${since}
      and r.body #>> '{action,type}' = any(${[...of]}::text[])
      and a.state <> all(${[...UNDONE]}::text[])
      and (${per !== 'agent'} or r.agent = ${agent})
      and (${per !== 'customer'} or r.body #>> '{customer,id}' = ${body.customer?.id ?? ''})
    group by 1`.execute(trx);
  return rows.map(({ currency, minor, requests }) => ({ currency, minor: minor === null ? null : Number(minor), requests }));
}
