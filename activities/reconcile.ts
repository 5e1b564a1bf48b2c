/**
 * The sweep of invariant 9, first form: the record is the truth and the engine catches up. Starts recorded requests that have
 * no workflow, restarts from the record those whose workflow closed without an end, knocks where a clock is overdue, and hands
 * over stored commands that nobody answered. Every such step is an entry. Must not import client.
 */
import type { Client } from '@temporalio/client';
import { sql } from 'kysely';
import { after, instant, ms, type Instant } from '../domain/json';
import { OPEN_STATES } from '../domain/outcome';
import type { ReconcileReport } from '../workflows/protocol';
import { addEntries, domainNow, lockApproval, project } from './approvals';
import type { Active } from './active';
import type { Deps } from './deps';
import { nudge, signalCommand, startApproval, statusOf } from './engine';

export interface ReconcileDeps extends Deps {
  readonly active: Active;
  readonly client: Client;
  readonly taskQueue: string;
  /** How many open approvals one sweep looks at. */
  readonly page?: number;
  /** How long a new request may be without a workflow before the sweep starts one, in milliseconds. */
  readonly graceMs?: number;
}

interface Row {
  readonly tenant: string;
  readonly approval_id: string;
  readonly lane: string;
  readonly summary: string;
  readonly wake_at: Instant | null;
  readonly created_at: Instant;
}

interface Report {
  started: number;
  restarted: number;
  nudged: number;
  failed: number;
  readonly overdue: string[];
}

/** One that cannot be mended must not keep the sweep from the others. */
async function forEach<T extends { readonly approval_id: string }>(
  deps: Deps,
  rows: readonly T[],
  report: Report,
  work: (row: T) => Promise<void>,
): Promise<void> {
  for (const row of rows) {
    try {
      await work(row);
    } catch (error) {
      report.failed += 1;
      deps.log.error({ approvalId: row.approval_id, error }, 'the sweep could not mend an approval');
    }
  }
}

const PAGE = 200;
const GRACE_MS = 15_000;
/** A clock this late, in domain time, is overdue. */
const OVERDUE_MS = 60_000;

export function createReconcile(deps: ReconcileDeps): (input: { readonly workflowTime: number }) => Promise<ReconcileReport> {
  let cursor = '';
  return async ({ workflowTime }) => {
    const report: Report = { started: 0, restarted: 0, nudged: 0, failed: 0, overdue: [] };
    const now = await domainNow(deps, deps.db, workflowTime, null);
    const settled = instant(ms(now) - (deps.graceMs ?? GRACE_MS) * deps.clock.scale);
    const rows: Row[] = await deps.db
      .selectFrom('approvals')
      .select(['tenant', 'approval_id', 'lane', 'summary', 'wake_at', 'created_at'])
      .where('needs_workflow', '=', true)
      .where('state', 'in', [...OPEN_STATES])
      .where('created_at', '<=', settled)
      .where('approval_id', '>', cursor)
      .orderBy('approval_id')
      .limit(deps.page ?? PAGE)
      .execute();
    cursor = rows.length < (deps.page ?? PAGE) ? '' : (rows[rows.length - 1]?.approval_id ?? '');
    await forEach(deps, rows, report, (row) => reconcileOne(deps, row, now, workflowTime, report));
    await handOver(deps, settled, now, workflowTime, report);
    await settle(deps, instant(ms(settled) - OVERDUE_MS * deps.clock.scale), workflowTime, report);
    if (report.started + report.restarted + report.failed + report.overdue.length > 0) deps.log.warn(report, 'the engine was behind the record');
    return report;
  };
}

async function reconcileOne(deps: ReconcileDeps, row: Row, now: Instant, workflowTime: number, report: Report): Promise<void> {
  const start = { tenant: row.tenant, approvalId: row.approval_id, lane: row.lane, headline: row.summary };
  const options = { taskQueue: deps.taskQueue, timeScale: deps.clock.scale };
  switch (await statusOf(deps.client, row.tenant, row.approval_id)) {
    case 'unknown':
      if (!(await note(deps, row, workflowTime, 'started', 'It was on the record without a workflow'))) return;
      await startApproval(deps.client, options, start);
      report.started += 1;
      return;
    case 'closed':
      if (!(await note(deps, row, workflowTime, 'restarted', 'Its workflow had closed without an end'))) return;
      await startApproval(deps.client, options, { ...start, again: true });
      report.restarted += 1;
      return;
    case 'open':
      if (row.wake_at === null || ms(after(row.wake_at, OVERDUE_MS * deps.clock.scale)) > ms(now)) return;
      if (!(await note(deps, row, workflowTime, 'nudged', `Its clock was due at ${row.wake_at}`))) return;
      await nudge(deps.client, row.tenant, row.approval_id);
      report.nudged += 1;
      report.overdue.push(row.approval_id);
  }
}

/** What the sweep does is on the record, before it is done. An approval that ended meanwhile needs nothing. */
async function note(
  deps: ReconcileDeps,
  row: Pick<Row, 'tenant' | 'approval_id'>,
  workflowTime: number,
  what: 'started' | 'restarted' | 'nudged',
  why: string,
  ended = false,
): Promise<boolean> {
  return await deps.db.transaction().execute(async (trx) => {
    const loaded = await lockApproval(trx, row.tenant, row.approval_id);
    const directory = await deps.active.directoryOf(trx, row.tenant);
    if (!directory || (loaded.result !== null) !== ended) return false;
    const now = await domainNow(deps, trx, workflowTime, loaded.lastAt);
    const added = await addEntries(deps, trx, loaded, loaded, now, [{ event: { type: 'engine', what, why }, commandId: null }]);
    await project(trx, loaded, added, directory, now, loaded.result, null);
    return true;
  });
}

/** Commands that were stored while the engine was away: their makers may have gone home. */
async function handOver(deps: ReconcileDeps, settled: Instant, now: Instant, workflowTime: number, report: Report): Promise<void> {
  const commands = await deps.db
    .selectFrom('commands as c')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'c.tenant').onRef('a.approval_id', '=', 'c.approval_id'))
    .leftJoin('answers as w', (join) =>
      join.onRef('w.tenant', '=', 'c.tenant').onRef('w.approval_id', '=', 'c.approval_id').onRef('w.command_id', '=', 'c.command_id'),
    )
    .select(['c.tenant', 'c.approval_id', 'c.command_id'])
    .where('w.command_id', 'is', null)
    .where('a.state', 'in', [...OPEN_STATES])
    .where('c.created_at', '<=', settled)
    .where(sql<boolean>`(c.body->>'expiresAt') > ${now}`)
    .limit(PAGE)
    .execute();
  await forEach(deps, commands, report, async ({ tenant, approval_id, command_id }) => {
    if (!(await note(deps, { tenant, approval_id }, workflowTime, 'nudged', 'A stored command had not been answered'))) return;
    // Its workflow may have closed since it was looked at; then the next sweep starts it again, and hands over after that.
    if (await signalCommand(deps.client, tenant, approval_id, command_id)) report.nudged += 1;
  });
}

/**
 * What ended on the record while the engine was away (a withdrawal may) still owes the agent and the asked, and so does what was
 * being delivered when its delivery workflow was lost: a workflow carries it out.
 */
async function settle(deps: ReconcileDeps, settled: Instant, workflowTime: number, report: Report): Promise<void> {
  const rows = await deps.db
    .selectFrom('approvals as a')
    .select(['a.tenant', 'a.approval_id', 'a.lane', 'a.summary'])
    .where('a.needs_workflow', '=', true)
    .where('a.state', 'not in', [...OPEN_STATES])
    .where('a.updated_at', '<=', settled)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('deliveries as d')
          .select('d.owed_id')
          .whereRef('d.tenant', '=', 'a.tenant')
          .whereRef('d.approval_id', '=', 'a.approval_id')
          .where((or) => or.or([or('d.status', '=', 'owed'), or.and([or('d.status', '=', 'failed_for_now'), or('d.next_at', '<=', settled)])])),
      ),
    )
    .orderBy('a.approval_id')
    .limit(PAGE)
    .execute();
  await forEach(deps, rows, report, async (row) => {
    const status = await statusOf(deps.client, row.tenant, row.approval_id);
    const what = status === 'open' ? 'nudged' : status === 'closed' ? 'restarted' : 'started';
    if (!(await note(deps, row, workflowTime, what, 'It had ended on the record and something was still owed', true))) return;
    if (status === 'open') await nudge(deps.client, row.tenant, row.approval_id);
    else
      await startApproval(
        deps.client,
        { taskQueue: deps.taskQueue, timeScale: deps.clock.scale },
        { tenant: row.tenant, approvalId: row.approval_id, lane: row.lane, headline: row.summary, again: true },
      );
    report[what] += 1;
  });
}
