/**
 * What an operator wants to be woken by, read from the record: how much is open, what is late, what nobody answered. The same figures
 * from whichever process is asked, so that one is enough.
 * Promises: cheap (indexes only, no look at what is settled), at most one reading at a time, each bounded; a store that does not
 * answer is a figure, and so is how many of the others were late: one that is keeps none of the others back.
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
/** After so long no further figure is begun: whoever asks waits ten seconds, as a rule. In milliseconds. */
const READING_MS = 5_000;
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

const labelled = (name: string, label: string, help: string, rows: readonly Row[]): Family => ({
  name,
  type: 'gauge',
  help,
  samples: rows.map((row) => ({ labels: { [label]: row.label }, value: row.n })),
});

const one = (name: string, help: string, value: number): Family => ({ name, type: 'gauge', help, samples: [{ value }] });

const seconds = (now: Instant, age: Age | undefined): number => (age?.since ? Math.max(0, (ms(now) - ms(age.since)) / 1000) : 0);

interface Moment {
  readonly trx: Trx;
  readonly now: Instant;
  /** What should have happened before this is late. */
  readonly late: Instant;
}

/** Each is one statement. */
const FIGURES: Readonly<Record<string, (moment: Moment) => Promise<readonly Family[]>>> = {
  async open({ trx }) {
    const { rows } = await sql<Row>`select state as label, count(*) as n from approvals where result is null group by state`.execute(trx);
    return [labelled('countersign_approvals_open', 'state', 'Approvals that have not ended, by state', numbers(rows))];
  },
  async overdue({ trx, now, late }) {
    const { rows } = await sql<Age>`select count(*) as n, min(wake_at) as since from approvals where result is null and wake_at < ${late}`.execute(trx);
    return [
      one('countersign_approvals_overdue', 'Open approvals whose clock should have rung more than a minute ago', Number(rows[0]?.n ?? 0)),
      one('countersign_overdue_seconds', 'How late the latest of those clocks is', seconds(now, rows[0])),
    ];
  },
  async pending({ trx }) {
    const { rows } = await sql<Row>`select kind as label, count(*) as n from deliveries where ${UNFINISHED} group by kind`.execute(trx);
    return [labelled('countersign_deliveries_pending', 'kind', 'Messages, tickets and callbacks that are owed and neither done nor given up', numbers(rows))];
  },
  async waited({ trx, now, late }) {
    const { rows } = await sql<Age>`
      select count(*) as n, min(coalesce(next_at, created_at)) as since
      from deliveries where ${UNFINISHED} and coalesce(next_at, created_at) < ${late}`.execute(trx);
    return [
      one('countersign_deliveries_late', 'Of those, how many should have been tried more than a minute ago', Number(rows[0]?.n ?? 0)),
      one('countersign_deliveries_late_seconds', 'How late the latest of those is', seconds(now, rows[0])),
    ];
  },
  async dead({ trx }) {
    const { rows } = await sql<Row>`
      select d.kind as label, count(*) as n from active t join deliveries d on d.tenant = t.tenant and d.status = 'failed_for_good' group by d.kind`.execute(
      trx,
    );
    return [labelled('countersign_dead_letters', 'kind', 'Messages, tickets and callbacks that were given up', numbers(rows))];
  },
  async commands({ trx, now, late }) {
    const { rows } = await sql<Age>`
      select count(*) as n, min(c.created_at) as since
      from approvals a join commands c on c.tenant = a.tenant and c.approval_id = a.approval_id
      where a.result is null and c.created_at < ${late} and c.body->>'expiresAt' > ${now}
        and not exists (select 1 from answers w where w.tenant = c.tenant and w.approval_id = c.approval_id and w.command_id = c.command_id)`.execute(trx);
    return [one('countersign_commands_unanswered', 'Stored moves of people that are valid and have had no answer for a minute', Number(rows[0]?.n ?? 0))];
  },
  async entries({ trx, now }) {
    const { rows } = await sql<Age>`
      select count(*) as n, min(e.at) as since
      from (select tenant, approval_id, seq, at from entries order by id desc limit ${RECENT_ENTRIES}) e
      where not exists (select 1 from log l where l.tenant = e.tenant and l.approval_id = e.approval_id and l.seq = e.seq)`.execute(trx);
    return [
      one('countersign_entries_unsequenced', `Entries among the last ${String(RECENT_ENTRIES)} without a place in the log`, Number(rows[0]?.n ?? 0)),
      one('countersign_entries_unsequenced_seconds', 'How long the oldest of those has waited', seconds(now, rows[0])),
    ];
  },
};

const storeUp = (up: 0 | 1): Family => one('countersign_store_up', 'Whether the store answers', up);

async function families({ db, clock, log }: GaugeDeps): Promise<readonly Family[]> {
  const now = clock.now({ database: await databaseTime(db), workflowTime: null });
  const late = new Date(ms(now) - LATE_MS * clock.scale).toISOString();
  const until = performance.now() + READING_MS;
  const found: Family[] = [];
  const missing: string[] = [];
  await db.transaction().execute(async (trx) => {
    await sql.raw(`set local statement_timeout = ${String(STATEMENT_MS)}`).execute(trx);
    for (const [figure, read] of Object.entries(FIGURES)) {
      if (performance.now() > until) {
        missing.push(figure);
        continue;
      }
      await sql.raw('savepoint figure').execute(trx);
      try {
        found.push(...(await read({ trx, now, late })));
      } catch (err) {
        // Where the store has gone, this fails too.
        await sql.raw('rollback to savepoint figure').execute(trx);
        missing.push(figure);
        log.warn({ err, figure }, 'a figure of the store cannot be read in time');
      }
    }
  });
  return [
    storeUp(1),
    one('countersign_figures_late', 'Figures of the record that could not be read in time, and are not on this page', missing.length),
    ...found,
  ];
}

/** Scrapes that come at once share one reading. */
export function createGauges(deps: GaugeDeps): () => Promise<readonly Family[]> {
  let reading: Promise<readonly Family[]> | null = null;
  return () => {
    reading ??= families(deps)
      .catch((err: unknown) => {
        deps.log.warn({ err }, 'the store does not answer, and none of its figures can be read');
        return [storeUp(0)];
      })
      .finally(() => (reading = null));
    return reading;
  };
}
