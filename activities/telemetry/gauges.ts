/**
 * What an operator wants to be woken by, read from the record: how much is open, what is late, what nobody answered. The same figures
 * from whichever process is asked, so that one is enough.
 * Promises: cheap (indexes only, no look at what is settled), at most one reading at a time, each bounded; a store that does not
 * answer is a figure, too.
 */
import { sql } from 'kysely';
import { ms, type Instant } from '../../domain/json';
import { databaseTime, type Trx } from '../../record/store/database';
import type { Deps } from '../deps';
import type { Family } from './exposition';

/** A clock or a debt this late is late; a command or an entry this old was forgotten. In milliseconds. */
const LATE_MS = 60_000;
/** How far back unplaced entries are looked for: the sequencer works from the oldest on, once a second. */
const RECENT_ENTRIES = 5_000;
const STATEMENT_MS = 2_000;
/** Still to be carried out: a question that nobody needs to answer any more is not. The first half is the index's own. */
const UNFINISHED = sql<boolean>`status not in ('done', 'failed_for_good') and status <> 'superseded'`;

type GaugeDeps = Pick<Deps, 'db' | 'clock' | 'log'>;

interface Row {
  readonly label: string;
  readonly n: number;
}

interface Age {
  readonly n: number;
  readonly since: Instant | null;
}

const numbers = (rows: readonly { readonly label: string; readonly n: number | string }[]): readonly Row[] =>
  rows.map(({ label, n }) => ({ label, n: Number(n) }));

async function read(trx: Trx, now: Instant, late: Instant) {
  const open = await sql<Row>`select state as label, count(*) as n from approvals where result is null group by state`.execute(trx);
  const overdue = await sql<Age>`select count(*) as n, min(wake_at) as since from approvals where result is null and wake_at < ${late}`.execute(trx);
  const pending = await sql<Row>`select kind as label, count(*) as n from deliveries where ${UNFINISHED} group by kind`.execute(trx);
  const waited = await sql<Age>`
    select count(*) as n, min(coalesce(next_at, created_at)) as since
    from deliveries where ${UNFINISHED} and coalesce(next_at, created_at) < ${late}`.execute(trx);
  const dead = await sql<Row>`
    select d.kind as label, count(*) as n from active t join deliveries d on d.tenant = t.tenant and d.status = 'failed_for_good' group by d.kind`.execute(trx);
  const commands = await sql<Age>`
    select count(*) as n, min(c.created_at) as since
    from approvals a join commands c on c.tenant = a.tenant and c.approval_id = a.approval_id
    where a.result is null and c.created_at < ${late} and c.body->>'expiresAt' > ${now}
      and not exists (select 1 from answers w where w.tenant = c.tenant and w.approval_id = c.approval_id and w.command_id = c.command_id)`.execute(trx);
  const entries = await sql<Age>`
    select count(*) as n, min(e.at) as since
    from (select tenant, approval_id, seq, at from entries order by id desc limit ${RECENT_ENTRIES}) e
    where not exists (select 1 from log l where l.tenant = e.tenant and l.approval_id = e.approval_id and l.seq = e.seq)`.execute(trx);
  return {
    open: numbers(open.rows),
    pending: numbers(pending.rows),
    dead: numbers(dead.rows),
    overdue: overdue.rows[0],
    waited: waited.rows[0],
    commands: commands.rows[0],
    entries: entries.rows[0],
  };
}

const labelled = (name: string, label: string, help: string, rows: readonly Row[]): Family => ({
  name,
  type: 'gauge',
  help,
  samples: rows.map((row) => ({ labels: { [label]: row.label }, value: row.n })),
});

const one = (name: string, help: string, value: number): Family => ({ name, type: 'gauge', help, samples: [{ value }] });

const seconds = (now: Instant, age: Age | undefined): number => (age?.since ? Math.max(0, (ms(now) - ms(age.since)) / 1000) : 0);

async function families({ db, clock }: GaugeDeps): Promise<readonly Family[]> {
  const now = clock.now({ database: await databaseTime(db), workflowTime: null });
  const late = new Date(ms(now) - LATE_MS * clock.scale).toISOString();
  const found = await db.transaction().execute(async (trx) => {
    await sql.raw(`set local statement_timeout = ${String(STATEMENT_MS)}`).execute(trx);
    return await read(trx, now, late);
  });
  return [
    one('countersign_store_up', 'Whether the store answers', 1),
    labelled('countersign_approvals_open', 'state', 'Approvals that have not ended, by state', found.open),
    one('countersign_approvals_overdue', 'Open approvals whose clock should have rung more than a minute ago', Number(found.overdue?.n ?? 0)),
    one('countersign_overdue_seconds', 'How late the latest of those clocks is', seconds(now, found.overdue)),
    labelled('countersign_deliveries_pending', 'kind', 'Messages, tickets and callbacks that are owed and neither done nor given up', found.pending),
    one('countersign_deliveries_late', 'Of those, how many should have been tried more than a minute ago', Number(found.waited?.n ?? 0)),
    one('countersign_deliveries_late_seconds', 'How late the latest of those is', seconds(now, found.waited)),
    labelled('countersign_dead_letters', 'kind', 'Messages, tickets and callbacks that were given up', found.dead),
    one('countersign_commands_unanswered', 'Stored moves of people that are valid and have had no answer for a minute', Number(found.commands?.n ?? 0)),
    one('countersign_entries_unsequenced', `Entries among the last ${String(RECENT_ENTRIES)} without a place in the log`, Number(found.entries?.n ?? 0)),
    one('countersign_entries_unsequenced_seconds', 'How long the oldest of those has waited', seconds(now, found.entries)),
  ];
}

/** Scrapes that come at once share one reading. */
export function createGauges(deps: GaugeDeps): () => Promise<readonly Family[]> {
  let reading: Promise<readonly Family[]> | null = null;
  return () => {
    reading ??= families(deps)
      .catch((err: unknown) => {
        deps.log.warn({ err }, 'the figures of the store cannot be read');
        return [one('countersign_store_up', 'Whether the store answers', 0)];
      })
      .finally(() => (reading = null));
    return reading;
  };
}
