/**
 * Requests that were made, as the record holds them, read a page at a time: for whoever looks at many of them.
 * Promises: oldest first, each once; no more than a page in memory; what was attached is named, and not read.
 */
import { sql } from 'kysely';
import type { Instant } from '../../domain/json';
import type { State } from '../../domain/outcome';
import type { Plan } from '../../domain/plan';
import type { RequestInput } from '../../domain/request';
import type { Db } from './database';

interface MadeRequest {
  readonly approvalId: string;
  readonly at: Instant;
  readonly tenant: string;
  readonly agent: string;
  readonly body: Omit<RequestInput, 'evidence'>;
  readonly evidence: readonly string[];
  readonly plan: Plan;
  readonly state: State;
  readonly endedAt: Instant | null;
  /** When people said the last word on each sign-off, or on the whole of it, in order. */
  readonly answers: readonly Instant[];
}

interface Made {
  readonly tenant: string;
  /** Null: from the first one on. */
  readonly since: Instant | null;
  /** Inclusive. */
  readonly until: Instant;
}

const PAGE = 200;

export const countRequests = async (db: Db, { tenant, since, until }: Made): Promise<number> =>
  Number(
    (
      await db
        .selectFrom('requests')
        .select((eb) => eb.fn.countAll().as('n'))
        .where('tenant', '=', tenant)
        .where('created_at', '<=', until)
        .$if(since !== null, (query) => query.where('created_at', '>=', since ?? ''))
        .executeTakeFirstOrThrow()
    ).n,
  );

/** When the oldest of the newest `limit` requests was made; null where there are no more than that. */
export async function sinceOfNewest(db: Db, { tenant, since, until }: Made, limit: number): Promise<Instant | null> {
  const row = await db
    .selectFrom('requests')
    .select('created_at')
    .where('tenant', '=', tenant)
    .where('created_at', '<=', until)
    .$if(since !== null, (query) => query.where('created_at', '>=', since ?? ''))
    .orderBy('created_at', 'desc')
    .offset(limit - 1)
    .limit(1)
    .executeTakeFirst();
  return row?.created_at ?? null;
}

interface Place {
  readonly at: Instant;
  readonly id: string;
}

const pageAfter = (db: Db, { tenant, since, until }: Made, from: Place | null) =>
  db
    .selectFrom('requests as r')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'r.tenant').onRef('a.approval_id', '=', 'r.approval_id'))
    .select(['r.approval_id', 'r.created_at', 'r.agent', 'r.plan', 'a.state'])
    .select([
      sql<unknown>`r.body - 'evidence'`.as('body'),
      sql<readonly string[]>`jsonb_path_query_array(r.body, '$.evidence[*].name')`.as('evidence'),
      sql<string | null>`a.result ->> 'decidedAt'`.as('ended_at'),
      sql<readonly string[]>`(
        select coalesce(json_agg(e.at order by e.seq), '[]') from entries e
        where e.tenant = r.tenant and e.approval_id = r.approval_id
          and (e.type in ('denied', 'taken_over', 'answered') or (e.type = 'signed_off' and e.fields #>> '{complete,value}' = 'true')))`.as('answers'),
    ])
    .where('r.tenant', '=', tenant)
    .where('r.created_at', '<=', until)
    .$if(since !== null, (query) => query.where('r.created_at', '>=', since ?? ''))
    .$if(from !== null, (query) => query.where(sql<boolean>`(r.created_at, r.approval_id) > (${from?.at ?? ''}::timestamptz, ${from?.id ?? ''})`))
    .orderBy('r.created_at')
    .orderBy('r.approval_id')
    .limit(PAGE)
    .execute();

export async function* madeRequests(db: Db, made: Made): AsyncGenerator<MadeRequest> {
  let from: Place | null = null;
  for (;;) {
    const rows: Awaited<ReturnType<typeof pageAfter>> = await pageAfter(db, made, from);
    for (const row of rows) {
      // Written by submit from validated values, and append-only since.
      const stored = row as unknown as { readonly body: MadeRequest['body']; readonly plan: Plan; readonly state: State };
      yield {
        approvalId: row.approval_id,
        at: row.created_at,
        tenant: made.tenant,
        agent: row.agent,
        body: stored.body,
        evidence: row.evidence,
        plan: stored.plan,
        state: stored.state,
        endedAt: row.ended_at,
        answers: row.answers.map((at) => new Date(at).toISOString()),
      };
    }
    const last = rows[rows.length - 1];
    if (!last || rows.length < PAGE) return;
    from = { at: last.created_at, id: last.approval_id };
  }
}
