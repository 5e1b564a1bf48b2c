/**
 * Whether requests are taken: the record of the tenant itself says so, and nothing beside it, so that no row can be changed to let them in.
 * Promises: a pause is told after the last request that came before it is on the record, and before the next one is looked at.
 */
import { sql, type RawBuilder } from 'kysely';
import type { Instant } from '../../domain/json';
import { ADMIN_APPROVAL, type AdminEvent, type IntakeOpen, type IntakeScope } from '../admin';
import type { KeyPair } from '../keys';
import type { Db, Trx } from './database';
import { append } from './entries';
import { lastOf, lockPointer, timeOf } from './policies';

/** A pause that holds. */
export interface Pause {
  readonly scope: IntakeScope;
  /** Empty for the tenant. */
  readonly name: string;
  readonly reason: string;
  readonly open: IntakeOpen;
  readonly by: string;
  readonly at: Instant;
  /** Of the entry that says so. */
  readonly seq: number;
}

type IntakeEvent = Extract<AdminEvent, { type: 'intake_paused' | 'intake_resumed' }>;

const field = (name: string): RawBuilder<string> => sql.raw<string>(`e.fields #>> '{${name},value}'`);

/** The pauses that hold, as one value for a statement that reads more; for {@link pausesIn}. */
export const pausesOf = (tenant: string): RawBuilder<readonly Pause[]> => sql`(
  select coalesce(json_agg(p order by p.seq) filter (where p.type = 'intake_paused'), '[]') from (
    select distinct on (${field('scope')}, ${field('name')}) e.seq, e.type, e.at, ${field('scope')} as scope, ${field('name')} as name,
      ${field('reason')} as reason, ${field('open')} as open, ${field('by')} as by
    from entries e
    where e.tenant = ${tenant} and e.approval_id = ${sql.lit(ADMIN_APPROVAL)} and e.type in ('intake_paused', 'intake_resumed')
    order by ${field('scope')}, ${field('name')}, e.seq desc) p)`;

export const pausesIn = (value: readonly Pause[]): Pause[] =>
  value.map(({ scope, name, reason, open, by, at, seq }) => ({ scope, name, reason, open, by, at: new Date(at).toISOString(), seq }));

export async function readPauses(db: Db | Trx, tenant: string): Promise<Pause[]> {
  const { rows } = await sql<{ pauses: readonly Pause[] }>`select ${pausesOf(tenant)} as pauses`.execute(db);
  return pausesIn(rows[0]?.pauses ?? []);
}

interface TellMeta {
  readonly tenant: string;
  readonly record: KeyPair;
  /** The store's own time unless told. */
  readonly at?: Instant | undefined;
}

/**
 * Waits until no request of the tenant is being routed, and tells what `say` makes of the pauses that hold then; null tells nothing.
 * Returns the entry's sequence.
 */
export const tellIntake = (db: Db, { tenant, record, at }: TellMeta, say: (held: readonly Pause[]) => IntakeEvent | null): Promise<number | null> =>
  db.transaction().execute(async (trx) => {
    await lockPointer(trx, tenant, 'Intake stands as it did');
    const event = say(await readPauses(trx, tenant));
    if (event === null) return null;
    const last = await lastOf(trx, tenant);
    const now = await timeOf(trx, at, last.at);
    const items = [{ event, commandId: null }];
    return (await append(trx, { tenant, approvalId: ADMIN_APPROVAL, head: last.head, at: now, items, context: {}, record })).head.seq;
  });

/** An open approval that a pause withdraws, and the entry that says so. */
export interface Covered {
  readonly tenant: string;
  readonly approvalId: string;
  readonly seq: number;
  readonly scope: IntakeScope;
  readonly name: string;
  readonly reason: string;
  readonly by: string;
}

/** Which of them: of one tenant, by one entry, one approval, and how many. */
interface CoveredQuery {
  readonly tenant?: string;
  readonly seq?: number;
  readonly approvalId?: string;
  readonly limit: number;
}

/**
 * Open approvals that were on the record when a pause withdrew those of its scope. Who was first is told by the order of insertion, which
 * the lock of {@link tellIntake} makes one of both: clocks are not asked.
 */
export async function readCovered(db: Db | Trx, { tenant, seq, approvalId, limit }: CoveredQuery): Promise<Covered[]> {
  const only = [
    ...(tenant === undefined ? [] : [sql`and e.tenant = ${tenant}`]),
    ...(seq === undefined ? [] : [sql`and e.seq = ${seq}`]),
    ...(approvalId === undefined ? [] : [sql`and a.approval_id = ${approvalId}`]),
  ];
  const { rows } = await sql<Covered>`
    select distinct on (a.tenant, a.approval_id) a.tenant, a.approval_id as "approvalId", e.seq, ${field('scope')} as scope, ${field('name')} as name,
      ${field('reason')} as reason, ${field('by')} as by
    from entries e
    join approvals a on a.tenant = e.tenant and a.result is null
    join requests r on r.tenant = a.tenant and r.approval_id = a.approval_id
    join entries f on f.tenant = a.tenant and f.approval_id = a.approval_id and f.seq = 1 and f.id < e.id
    where e.approval_id = ${sql.lit(ADMIN_APPROVAL)} and e.type = 'intake_paused' and ${field('open')} = 'withdraw'
      and case ${field('scope')}
        when 'tenant' then true
        when 'agent' then r.agent = ${field('name')}
        else r.plan ->> 'lane' = ${field('name')}
          or exists (select 1 from jsonb_array_elements(r.plan -> 'signOffs') s where s ->> 'lane' = ${field('name')})
        end
      ${sql.join(only, sql` `)}
    order by a.tenant, a.approval_id, e.seq
    limit ${limit}`.execute(db);
  return rows;
}
