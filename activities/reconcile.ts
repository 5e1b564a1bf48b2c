/**
 * The sweep of invariant 9: the record is the truth and the engine catches up. One sweep starts what is on the record without a
 * workflow, restarts what closed without an end, knocks where a workflow has not seen what the record says, hands over commands that
 * nobody delivered, takes up lost deliveries, and reports what is late, paused, stuck, contradicting or unknown.
 *
 * It promises: what it does is an entry before it is done, and as many as help, not one for each sweep; one approval that cannot be
 * mended keeps it from none of the others; two sweeps at once do no harm; it decides nothing. Its cost is that of the suspicious: open
 * approvals are compared with the engine's list a page at a time, and only what differs is asked for by itself.
 * Must not import client.
 */
import type { Client } from '@temporalio/client';
import { sql } from 'kysely';
import { decide } from '../domain/decide';
import type { EngineStep, OwedKind } from '../domain/events';
import { after, instant, ms, type Instant } from '../domain/json';
import { OPEN_STATES, type OpenState } from '../domain/outcome';
import { approvalOf, approvalWorkflowId, deliveryWorkflowId, type ReconcileInput, type ReconcileReport } from '../workflows/protocol';
import { addEntries, contextOf, domainNow, lockApproval, nowOf, project, lookedPolicy, readApproval, whoChanges } from './approvals';
import type { Active } from './active';
import { calendarsOf } from './calendars';
import type { Commit } from './commit';
import type { Deps } from './deps';
import { nudge, signalCommand, signalOutcome, startApproval, startDelivery } from './engine';
import { withdrawCovered } from './intake';
import { createRuns, type Run, type Runs } from './runs';

export interface ReconcileDeps extends Deps {
  readonly active: Active;
  readonly commit: Commit;
  readonly client: Client;
  readonly taskQueue: string;
  /** How many open approvals of the record, and how many open workflows, one sweep compares. */
  readonly page?: number;
  /** How long a new request may be without a workflow before the sweep starts one, in milliseconds. */
  readonly graceMs?: number;
  /** How long a workflow's tasks may fail before another run takes its place, in milliseconds. */
  readonly failingMs?: number;
}

const PAGE = 1000;
/** How many of one kind of suspicious rows a sweep takes up; the next takes the rest. */
const SUSPECTS = 200;
const GRACE_MS = 15_000;
/** The API starts what it has recorded within 2 s, or leaves it to the sweep. */
const START_GRACE_MS = 6_000;
/** A clock, a delivery or an end this late, in domain time, is overdue. */
const OVERDUE_MS = 60_000;
/** What the record has held for so long, a healthy workflow shows: its task has 5 s. In milliseconds of domain time. */
const BEHIND_MS = 6_000;
/** How far back closed workflows are listed, in milliseconds; what closed earlier is found by the page. */
const LOOK_BACK_MS = 10 * 60_000;
/** Another sweep has just started it, in milliseconds of domain time. */
const JUST_NOW_MS = 10_000;
/** What was started so often without getting anywhere rests for a while, and a person is told. */
const STARTS_MAX = 3;
const REST_MS = 10 * 60_000;
/** One sweep begins nothing new after so long, in milliseconds: its activity has two minutes. */
const BUDGET_MS = 60_000;
/** How much of a worker's own words an entry repeats. */
const WORDS_MAX = 200;
/** How many ids a list of the report names. */
const NAMED = 50;

const LISTS = ['overdue', 'paused', 'stuck', 'contradicting', 'unknown'] as const;
type List = (typeof LISTS)[number];
type Count = 'looked' | 'started' | 'restarted' | 'nudged' | 'handedOver' | 'redelivered' | 'failed';

interface Row {
  readonly tenant: string;
  readonly approval_id: string;
  readonly lane: string;
  readonly summary: string;
  readonly state: string;
  readonly owner: string | null;
  readonly due_at: Instant | null;
  readonly wake_at: Instant | null;
  readonly updated_at: Instant;
}
const COLUMNS = ['tenant', 'approval_id', 'lane', 'summary', 'state', 'owner', 'due_at', 'wake_at', 'updated_at'] as const;

/** One sweep under way. */
class Sweep {
  readonly counts: Record<Count, number> = { looked: 0, started: 0, restarted: 0, nudged: 0, handedOver: 0, redelivered: 0, failed: 0 };
  private readonly lists: Record<List, Set<string>> = {
    overdue: new Set(),
    paused: new Set(),
    stuck: new Set(),
    contradicting: new Set(),
    unknown: new Set(),
  };
  private readonly until = performance.now() + BUDGET_MS;
  /** Knocked at or started in this sweep: once is enough. */
  private readonly mended = new Set<string>();

  constructor(
    readonly deps: ReconcileDeps,
    readonly runs: Runs,
    readonly now: Instant,
    readonly workflowTime: number,
  ) {}

  /** An instant so long ago, in milliseconds of the wall clock. */
  ago(wallMs: number): Instant {
    return instant(ms(this.now) - wallMs * this.deps.clock.scale);
  }

  list(list: List, id: string): void {
    this.lists[list].add(id);
  }

  /** True the first time. */
  once(id: string): boolean {
    if (this.mended.has(id)) return false;
    this.mended.add(id);
    return true;
  }

  /** One that cannot be mended must not keep the sweep from the others. */
  async each<T>(items: readonly T[], idOf: (item: T) => string, work: (item: T) => Promise<void>): Promise<void> {
    for (const item of items) {
      if (performance.now() > this.until) return;
      await this.guard(idOf(item), () => work(item));
    }
  }

  async guard(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.counts.failed += 1;
      this.deps.log.error({ what, err: error }, 'the sweep could not mend');
    }
  }

  report(cursor: { record: string; engine: string }): ReconcileReport {
    const named = Object.fromEntries(LISTS.map((list) => [list, [...this.lists[list]].slice(0, NAMED)])) as Record<List, string[]>;
    const found = Object.fromEntries(LISTS.map((list) => [list, this.lists[list].size])) as Record<List, number>;
    return { ...this.counts, ...named, found, cursor };
  }
}

export function createReconcile(deps: ReconcileDeps): (input: ReconcileInput) => Promise<ReconcileReport> {
  const runs = createRuns(deps.client, deps.taskQueue, deps.failingMs);
  return async ({ workflowTime, cursor = { record: '', engine: '' } }) => {
    const sweep = new Sweep(deps, runs, await domainNow(deps, deps.db, workflowTime), workflowTime);
    const next = { record: '', engine: '' };
    await sweep.guard('what closed lately', () => brokenLately(sweep));
    await sweep.guard('open approvals', async () => void (next.record = await pageOfRecord(sweep, cursor.record)));
    await sweep.guard('late clocks', () => suspects(sweep));
    await sweep.guard('stored commands', () => handOver(sweep));
    await sweep.guard('ends that are owed', () => settle(sweep));
    await sweep.guard('lost deliveries', () => redeliver(sweep));
    await sweep.guard('withdrawals of paused intake', () => stop(sweep));
    await sweep.guard('who is there now', () => lookAnew(sweep));
    await sweep.guard('open workflows', async () => void (next.engine = await pageOfEngine(sweep, cursor.engine)));
    const report = sweep.report(next);
    tell(deps, report);
    return report;
  };
}

/** Said whenever there was something to do; louder when a person has to look. */
function tell({ log }: Deps, report: ReconcileReport): void {
  const { started, restarted, nudged, handedOver, redelivered, failed, found } = report;
  if (failed + found.stuck + found.contradicting + found.unknown > 0) log.error({ report }, 'the engine and the record differ, and a person has to look');
  else if (started + restarted + nudged + handedOver + redelivered + found.overdue + found.paused > 0) log.warn({ report }, 'the engine was behind the record');
}

const workflowOf = ({ tenant, approval_id }: Pick<Row, 'tenant' | 'approval_id'>): string => approvalWorkflowId(tenant, approval_id);
const isOpen = (state: string): boolean => OPEN_STATES.includes(state as OpenState);
const idOf = ({ approval_id }: Pick<Row, 'approval_id'>): string => approval_id;

/** Open approvals that want a workflow. */
const openRows = ({ deps }: Sweep) =>
  deps.db
    .selectFrom('approvals')
    .select([...COLUMNS])
    .where('needs_workflow', '=', true)
    // What the indexes of the open ones say; a look at the state alone would read all that ever ended.
    .where('result', 'is', null)
    .where('state', 'in', [...OPEN_STATES]);

/** What an operator terminated a moment ago is not left until the page comes round to it. */
async function brokenLately(sweep: Sweep): Promise<void> {
  const broken = await sweep.runs.brokenSince(new Date(Date.now() - LOOK_BACK_MS), PAGE);
  const ids = broken.flatMap((workflowId) => approvalOf(workflowId)?.approvalId ?? []);
  if (ids.length === 0) return;
  const among = new Set(broken);
  const rows = (await openRows(sweep).where('approval_id', 'in', ids).execute()).filter((row) => among.has(workflowOf(row)));
  await sweep.each(rows, idOf, (row) => mend(sweep, row));
}

/** The next page of open approvals, each held against the engine's list; returns where the next sweep goes on. */
async function pageOfRecord(sweep: Sweep, cursor: string): Promise<string> {
  const size = sweep.deps.page ?? PAGE;
  const rows = await openRows(sweep)
    .where('created_at', '<=', sweep.ago(sweep.deps.graceMs ?? START_GRACE_MS))
    .where('approval_id', '>', cursor)
    .orderBy('approval_id')
    .limit(size)
    .execute();
  sweep.counts.looked += rows.length;
  const open = await sweep.runs.openAmong(rows.map(workflowOf));
  const missing = rows.filter((row) => !open.has(workflowOf(row)));
  await sweep.each(missing, idOf, (row) => mend(sweep, row));
  return rows.length < size ? '' : (rows[rows.length - 1]?.approval_id ?? '');
}

/** Those that the store alone can tell: a clock that should have rung, and a head that no workflow has adopted. */
async function suspects(sweep: Sweep): Promise<void> {
  const late = await openRows(sweep).where('wake_at', '<=', sweep.ago(OVERDUE_MS)).orderBy('wake_at').limit(SUSPECTS).execute();
  await sweep.each(late, idOf, (row) => mend(sweep, row, `Its clock was due at ${row.wake_at ?? ''}`));
  const ahead = await openRows(sweep)
    .where('updated_at', '<=', sweep.ago(BEHIND_MS))
    .whereRef('adopted', '<', 'head')
    .orderBy('updated_at')
    .limit(SUSPECTS)
    .execute();
  await sweep.each(ahead, idOf, (row) => mend(sweep, row, AHEAD));
}

const AHEAD = 'The record was ahead of what its workflow had adopted';

/** Brings the workflow of an open approval to what the record says. `why` it is knocked at if it runs; without one it is left alone. */
async function mend(sweep: Sweep, row: Row, why?: string): Promise<void> {
  const run = await sweep.runs.describe(workflowOf(row));
  const late = row.wake_at !== null && ms(row.wake_at) <= ms(sweep.ago(OVERDUE_MS));
  switch (run?.status) {
    case undefined:
      return await begin(sweep, row, 'started', 'It was on the record without a workflow');
    case 'broken':
      return await begin(sweep, row, 'restarted', 'Its workflow had closed without an end');
    case 'completed':
      // Asked again under the record's lock: an end comes to the record first, and then to the engine.
      return await begin(
        sweep,
        row,
        'record_behind',
        `Its workflow had completed as ${run.shown.state || 'ended'}, and the record holds no end: it is asked again`,
      );
    case 'paused':
      sweep.list('paused', row.approval_id);
      if (late) sweep.list('overdue', row.approval_id);
      return;
    case 'open':
      if (late) sweep.list('overdue', row.approval_id);
      if (why !== undefined) await knock(sweep, run, row, why, 'open');
  }
}

async function begin(
  sweep: Sweep,
  row: Row,
  what: Exclude<EngineStep, 'nudged' | 'adopted'>,
  why: string,
  { standing = 'open', instead = false }: { readonly standing?: Standing; readonly instead?: boolean } = {},
): Promise<void> {
  const noted = await note(sweep, row, what, why, standing);
  if (noted === 'stuck') sweep.list('stuck', row.approval_id);
  if (noted !== 'noted') return;
  if (what === 'record_behind') sweep.list('contradicting', row.approval_id);
  await start(sweep, row, instead);
  sweep.counts[what === 'started' ? 'started' : 'restarted'] += 1;
}

async function start({ deps }: Sweep, row: Row, instead = false): Promise<void> {
  const about = { tenant: row.tenant, approvalId: row.approval_id, lane: row.lane, headline: row.summary };
  await startApproval(deps.client, { taskQueue: deps.taskQueue, timeScale: deps.clock.scale }, { ...about, again: true, instead });
}

/** A run whose tasks fail again and again never gets on, whoever knocks: another takes its place, from the record. False if it gets on. */
async function replace(sweep: Sweep, run: Run, row: Row, standing: Standing): Promise<boolean> {
  const failing = run.busy ? await sweep.runs.failing(run.workflowId) : null;
  if (failing === null) return false;
  if (sweep.once(row.approval_id))
    await begin(sweep, row, 'restarted', `Its workflow could not go on: ${failing.slice(0, WORDS_MAX)}`, { standing, instead: true });
  return true;
}

async function knock(sweep: Sweep, run: Run, row: Row, why: string, standing: Standing): Promise<void> {
  if (await replace(sweep, run, row, standing)) return;
  // One that is about to do something looks at the record by itself.
  if (run.busy) return;
  if (!sweep.once(row.approval_id)) return;
  const noted = await note(sweep, row, 'nudged', why, standing);
  if (noted !== 'noted' && noted !== 'said') return;
  await nudge(sweep.deps.client, row.tenant, row.approval_id);
  sweep.counts.nudged += 1;
}

type Standing = 'open' | 'ended' | 'either';

/**
 * What the sweep does is on the record, before it is done. `elsewhere`: it does not stand as it did, or another sweep is at it. `said`:
 * the last entry says so already. `stuck`: it was started again and again, and nothing has come of it.
 */
async function note(
  { deps, workflowTime }: Sweep,
  row: Pick<Row, 'tenant' | 'approval_id'>,
  what: EngineStep,
  why: string,
  standing: Standing,
): Promise<'noted' | 'said' | 'elsewhere' | 'stuck'> {
  return await deps.db.transaction().execute(async (trx) => {
    const loaded = await lockApproval(trx, row.tenant, row.approval_id);
    const directory = await deps.active.directoryOf(trx, row.tenant, loaded.directoryHash);
    if (!directory) throw new Error(`Tenant ${row.tenant} has no valid directory; publish one`);
    if (standing !== 'either' && (loaded.result !== null) !== (standing === 'ended')) return 'elsewhere';
    const now = nowOf(deps, loaded, workflowTime);
    const since = loaded.timeline.slice(loaded.timeline.findLastIndex(({ type }) => type !== 'engine') + 1);
    const last = since.at(-1);
    const recent = (withinMs: number): boolean => last !== undefined && ms(now) < ms(after(last.at, withinMs * deps.clock.scale));
    if (what === 'nudged' && last?.fields['what'] === 'nudged') return 'said';
    if (what !== 'nudged' && last !== undefined && last.fields['what'] !== 'nudged') {
      if (recent(JUST_NOW_MS)) return 'elsewhere';
      if (since.filter(({ fields }) => fields['what'] !== 'nudged').length >= STARTS_MAX && recent(REST_MS)) return 'stuck';
    }
    const added = await addEntries(deps, trx, loaded, loaded, now, [{ event: { type: 'engine', what, why }, commandId: null }]);
    await project(trx, loaded, added, directory, now, loaded.result, 'none');
    return 'noted';
  });
}

/** Commands that were stored while the engine was away: their makers may have gone home. */
async function handOver(sweep: Sweep): Promise<void> {
  const { deps, now } = sweep;
  const commands = await deps.db
    .selectFrom('commands as c')
    .innerJoin('approvals as a', (join) => join.onRef('a.tenant', '=', 'c.tenant').onRef('a.approval_id', '=', 'c.approval_id'))
    .leftJoin('answers as w', (join) =>
      join.onRef('w.tenant', '=', 'c.tenant').onRef('w.approval_id', '=', 'c.approval_id').onRef('w.command_id', '=', 'c.command_id'),
    )
    .select(COLUMNS.map((column) => `a.${column}` as const))
    .select('c.command_id')
    .where('w.command_id', 'is', null)
    .where('a.result', 'is', null)
    .where('a.state', 'in', [...OPEN_STATES])
    .where('c.created_at', '<=', sweep.ago(deps.graceMs ?? GRACE_MS))
    .where(sql<boolean>`(c.body->>'expiresAt') > ${now}`)
    .limit(SUSPECTS)
    .execute();
  await sweep.each(commands, idOf, async (row) => {
    const run = await sweep.runs.describe(workflowOf(row));
    if (run?.status === 'open' && (await replace(sweep, run, row, 'open'))) return;
    const noted = await note(sweep, row, 'nudged', 'A stored command had not been answered', 'open');
    if (noted !== 'noted' && noted !== 'said') return;
    // Its workflow may have closed since it was looked at; then the next sweep starts it again, and hands over after that.
    if (await signalCommand(deps.client, row.tenant, row.approval_id, row.command_id)) sweep.counts.handedOver += 1;
  });
}

/** What ended on the record while the engine was away (a withdrawal may) still owes the agent and the asked: a workflow carries it out. */
async function settle(sweep: Sweep): Promise<void> {
  const { deps } = sweep;
  const rows = await deps.db
    .selectFrom('approvals as a')
    .select(COLUMNS.map((column) => `a.${column}` as const))
    .where('a.needs_workflow', '=', true)
    .where('a.state', 'not in', [...OPEN_STATES])
    .where('a.updated_at', '<=', sweep.ago(OVERDUE_MS + (deps.graceMs ?? GRACE_MS)))
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('deliveries as d')
          .select('d.owed_id')
          .whereRef('d.tenant', '=', 'a.tenant')
          .whereRef('d.approval_id', '=', 'a.approval_id')
          .where('d.status', '=', 'owed'),
      ),
    )
    .orderBy('a.approval_id')
    .limit(SUSPECTS)
    .execute();
  const why = 'It had ended on the record and something was still owed';
  await sweep.each(rows, idOf, async (row) => {
    const run = await sweep.runs.describe(workflowOf(row));
    if (run?.status === 'paused') return sweep.list('paused', row.approval_id);
    if (run?.status === 'open') return await knock(sweep, run, row, why, 'ended');
    const what = run ? 'restarted' : 'started';
    const noted = await note(sweep, row, what, why, 'ended');
    if (noted === 'stuck') sweep.list('stuck', row.approval_id);
    if (noted !== 'noted') return;
    await start(sweep, row);
    sweep.counts[what] += 1;
  });
}

/** What was being delivered when its workflow was lost, or cancelled by somebody: it is owed all the same. */
async function redeliver(sweep: Sweep): Promise<void> {
  const { deps } = sweep;
  const debts = await deps.db
    .selectFrom('deliveries')
    .select(['tenant', 'approval_id', 'owed_id', 'kind', 'target'])
    .where('status', '=', 'failed_for_now')
    .where('next_at', '<=', sweep.ago(OVERDUE_MS + (deps.graceMs ?? GRACE_MS)))
    .orderBy('next_at')
    .limit(SUSPECTS)
    .execute();
  await sweep.each(debts, idOf, async ({ tenant, approval_id, owed_id, kind, target }) => {
    const run = await sweep.runs.describe(deliveryWorkflowId(tenant, approval_id, owed_id));
    if (run?.status === 'open') return sweep.list('overdue', approval_id);
    if (run?.status === 'paused') return sweep.list('paused', approval_id);
    const noted = await note(sweep, { tenant, approval_id }, 'restarted', `The delivery of ${kind} (${owed_id}) had closed without an end`, 'either');
    if (noted === 'stuck') sweep.list('stuck', approval_id);
    if (noted !== 'noted') return;
    const about = { tenant, approvalId: approval_id, owedId: owed_id, kind: kind as OwedKind, summary: `${kind}: ${target}` };
    await startDelivery(deps.client, { taskQueue: deps.taskQueue, timeScale: deps.clock.scale }, about);
    sweep.counts.redelivered += 1;
  });
}

/** A pause of intake that withdraws what is open, and died in the middle of it. */
async function stop({ deps }: Sweep): Promise<void> {
  const { db, log, commit, client } = deps;
  await withdrawCovered({ db, log, commit, nudge: (tenant, approvalId) => nudge(client, tenant, approvalId) }, {}, SUSPECTS);
}

/**
 * Open approvals that were last held against other people or other calendars than hold now, or where somebody's absence has begun or ended
 * since: whom that changes something for is knocked at, and finds it out under the record's lock. All others only remember the look.
 */
async function lookAnew(sweep: Sweep): Promise<void> {
  const { deps, workflowTime } = sweep;
  const rows = await deps.db
    .selectFrom('approvals as a')
    .innerJoin('active as h', 'h.tenant', 'a.tenant')
    .select(COLUMNS.map((column) => `a.${column}` as const))
    .where('a.needs_workflow', '=', true)
    .where('a.result', 'is', null)
    .where('a.state', 'in', ['waiting', 'asked', 'held'])
    .where((eb) =>
      eb.or([
        sql<boolean>`a.looked_directory is distinct from h.directory_hash`,
        sql<boolean>`a.looked_policy is not null and a.looked_policy is distinct from h.policy_hash`,
        eb('a.anew_at', '<=', sweep.now),
      ]),
    )
    // Those that were looked at are out; whoever cannot be brought further does not keep the others waiting for ever.
    .orderBy(sql`md5(a.approval_id || ${sweep.now}::text)`)
    .limit(SUSPECTS)
    .execute();
  await sweep.each(rows, idOf, async (row) => {
    const { tenant, approval_id: approvalId } = row;
    const loaded = await readApproval(deps.db, tenant, approvalId);
    const directory = loaded && (await deps.active.directoryOf(deps.db, tenant, loaded.directoryHash));
    if (!loaded || !directory) return;
    const now = nowOf(deps, loaded, workflowTime);
    const calendars = await calendarsOf(deps.active.versionOf, deps.db, loaded);
    const decision = decide(loaded.state, { type: 'clock' }, contextOf(loaded, directory, now, calendars));
    if ('events' in decision && decision.events.length > 0) {
      const run = await sweep.runs.describe(workflowOf(row));
      // One that is paused, or lost, is seen to above.
      if (run?.status === 'open' && !run.busy && sweep.once(approvalId)) await nudge(deps.client, tenant, approvalId);
      return;
    }
    await deps.db
      .updateTable('approvals')
      .set({ looked_directory: directory.hash, looked_policy: lookedPolicy(loaded), anew_at: whoChanges(loaded.state, directory, now) })
      .where('tenant', '=', tenant)
      .where('approval_id', '=', approvalId)
      // What has moved on since was not looked at.
      .where('head', '=', loaded.head.seq)
      .execute();
  });
}

/** The next page of open workflows, each held against the record; returns where the next sweep goes on. */
async function pageOfEngine(sweep: Sweep, cursor: string): Promise<string> {
  const { deps } = sweep;
  const { runs, next } = await sweep.runs.open(cursor, deps.page ?? PAGE);
  sweep.counts.looked += runs.length;
  const about = new Map(runs.flatMap((run) => (approvalOf(run.workflowId) ? [[run.workflowId, run] as const] : [])));
  const named = [...about.keys()].flatMap((workflowId) => approvalOf(workflowId) ?? []);
  const ids = named.map(({ approvalId }) => approvalId);
  const rows =
    ids.length === 0
      ? []
      : await deps.db
          .selectFrom('approvals')
          .select([...COLUMNS])
          .where('tenant', 'in', [...new Set(named.map(({ tenant }) => tenant))])
          .where('approval_id', 'in', ids)
          .execute();
  const known = new Map(rows.map((row) => [workflowOf(row), row]));
  await sweep.each(
    [...about.values()],
    ({ workflowId }) => workflowId,
    (run) => compare(sweep, run, known.get(run.workflowId)),
  );
  return next;
}

async function compare(sweep: Sweep, run: Run, row: Row | undefined): Promise<void> {
  const again = (): Promise<Run | null> => sweep.runs.describe(run.workflowId);
  if (row === undefined) {
    const { status } = (await again()) ?? {};
    if (status !== 'open' && status !== 'paused') return;
    const { tenant, approvalId } = approvalOf(run.workflowId) ?? { tenant: '', approvalId: '' };
    sweep.list('unknown', approvalId);
    // There is nothing to write it on. Knocked at, it asks the record, and fails with a sentence.
    if (status === 'open') await nudge(sweep.deps.client, tenant, approvalId);
    return;
  }
  if (run.status === 'paused') return sweep.list('paused', row.approval_id);
  if (!isBehind(sweep, run, row)) return;
  const now = await again();
  if (now?.status !== 'open' || !isBehind(sweep, now, row)) return;
  if (isOpen(row.state)) return await knock(sweep, now, row, AHEAD, 'open');
  await knock(sweep, now, row, 'It had ended on the record, and its workflow had not heard of it', 'ended');
  await knockAtAgent(sweep, row);
}

/** Whether an open workflow has had the time to show what the record says, and does not; or to end after its approval, and has not. */
function isBehind(sweep: Sweep, { shown }: Run, row: Row): boolean {
  const since = (forMs: number): boolean => ms(row.updated_at) <= ms(sweep.ago(forMs));
  if (since(OVERDUE_MS) && !isOpen(row.state)) return true;
  return since(BEHIND_MS) && differs(shown, row);
}

function differs(shown: Run['shown'], row: Row): boolean {
  const sameDue = shown.due === null || row.due_at === null ? shown.due === row.due_at : Math.abs(ms(shown.due) - ms(row.due_at)) < 1000;
  return shown.state !== row.state || shown.owner !== row.owner || !sameDue;
}

/** An engine that was set back may have forgotten that an agent's workflow was told; knocking twice does no harm. */
async function knockAtAgent({ deps }: Sweep, { tenant, approval_id }: Row): Promise<void> {
  const request = await deps.db.selectFrom('requests').select('body').where('tenant', '=', tenant).where('approval_id', '=', approval_id).executeTakeFirst();
  const { resume } = (request?.body ?? {}) as { readonly resume?: { readonly type: string; readonly workflow_id?: string } };
  if (resume?.type === 'workflow' && resume.workflow_id !== undefined) await signalOutcome(deps.client, resume.workflow_id, approval_id);
}
