/**
 * What does not get on by itself, for who operates: read from the record's projections, each with a sentence that says what hangs and what
 * helps. Reads only; nothing is returned that the caller may not see.
 */
import { sql, type Kysely, type RawBuilder } from 'kysely';
import { instant, ms, type Instant } from '../../domain/json';
import { isOutcome, OUTCOMES, type State } from '../../domain/outcome';
import type { Tables } from '../../record/store/tables';
import { minute } from './present';
import { operates } from './reads';
import type { STUCK_KINDS } from './schemas';
import type { SignedIn } from './visibility';

export type StuckKind = (typeof STUCK_KINDS)[number];

export interface StuckItem {
  readonly kind: StuckKind;
  readonly approvalId: string;
  readonly headline: string;
  readonly state: State;
  readonly why: string;
  readonly since: Instant;
  readonly owner: string | null;
  readonly owedId: string | null;
}

export interface Stuck {
  /** The oldest first. */
  readonly items: readonly StuckItem[];
  readonly found: { readonly [Kind in StuckKind]: number };
}

export interface StuckQuery {
  readonly now: Instant;
  /** How fast domain time passes. */
  readonly scale: number;
  /** Turns a person's id into a name. */
  readonly name: (id: string) => string;
  /** How many of each kind are named. */
  readonly limit: number;
}

/** A healthy installation rings a clock and asks the first person sooner than this, in milliseconds of the wall clock. */
const LATE_MS = 60_000;

interface Row {
  readonly approval_id: string;
  readonly summary: string;
  readonly state: string;
  readonly owner: string | null;
  readonly level: string;
  readonly since: Instant;
  readonly due_at: Instant | null;
  readonly found: number;
}
interface Debt extends Row {
  readonly owed_id: string;
  readonly kind: string;
  readonly target: string;
  readonly attempts: number;
  readonly last_detail: string;
  readonly next_at: Instant | null;
}
interface Asking extends Row {
  readonly by: string;
  readonly of: string;
  readonly answer_by: Instant;
}

/** Open ones of the tenant that `viewer` operates on, oldest first; `since` says how old. */
const approvals = (db: Kysely<Tables>, viewer: SignedIn, since: RawBuilder<Instant>, limit: number) =>
  db
    .selectFrom('approvals as a')
    .innerJoin('requests as r', (on) => on.onRef('r.tenant', '=', 'a.tenant').onRef('r.approval_id', '=', 'a.approval_id'))
    .select(['a.approval_id', 'a.summary', 'a.state', 'a.owner', 'a.level', 'a.due_at'])
    .select([since.as('since'), sql<number>`(count(*) over ())::int`.as('found')])
    .where('a.tenant', '=', viewer.tenant)
    .where(operates(viewer))
    .orderBy(since)
    .orderBy('a.approval_id')
    .limit(limit);

const open = sql<boolean>`a.result is null`;
const ref = (column: string): RawBuilder<Instant> => sql<Instant>`${sql.ref(column)}`;

export async function readStuck(db: Kysely<Tables>, viewer: SignedIn, { now, scale, name, limit }: StuckQuery): Promise<Stuck> {
  const late = instant(ms(now) - LATE_MS * scale);
  const [overdue, routing, unowned, held, questions, dead, retrying] = await Promise.all([
    approvals(db, viewer, ref('a.wake_at'), limit).where(open).where('a.wake_at', '<', late).execute(),
    approvals(db, viewer, ref('a.created_at'), limit)
      .where('a.state', '=', 'routing')
      .where('a.needs_workflow', '=', true)
      .where('a.created_at', '<', late)
      .execute(),
    approvals(db, viewer, ref('a.updated_at'), limit)
      .where(open)
      .where('a.state', 'not in', ['routing', ...OUTCOMES])
      .where('a.owner', 'is', null)
      .execute(),
    approvals(db, viewer, ref('a.updated_at'), limit).where('a.state', '=', 'held').execute(),
    asked(db, viewer, limit),
    debts(db, viewer, 'failed_for_good', limit),
    debts(db, viewer, 'failed_for_now', limit),
  ]);
  const who = ({ owner }: Row): string => (owner === null ? 'nobody' : name(owner));
  const until = (at: Instant | null): string => (at === null ? '' : ` until ${minute(at)}`);
  const items = [
    ...overdue.map((r) => item('overdue', r, `Its clock should have rung at ${minute(r.since)} and has not; look whether workers and engine run`)),
    ...routing.map((r) => item('routing', r, `It was submitted at ${minute(r.since)} and nobody has been asked yet; look whether workers and engine run`)),
    ...unowned.map((r) => item('unowned', r, 'It waits on nobody by name; give it to a person (reassign) or take it over')),
    ...held.map((r) => item('held', r, `Nobody answered in time; it is held for ${who(r)}${until(r.due_at)}`)),
    ...questions.map((r) =>
      item('question', r, `${name(r.by)} asked ${r.of === 'agent' ? 'the agent' : name(r.of)} for information and waits for it${until(r.answer_by)}`),
    ),
    ...dead.map((r) =>
      debt('dead_letter', r, `${called(r)} was given up after ${times(r.attempts)} (${r.last_detail}); mend it and have it tried again (reopen_delivery)`),
    ),
    ...retrying.map((r) =>
      debt(
        'retrying',
        r,
        `${called(r)} has failed ${times(r.attempts)} (${r.last_detail}); it is tried again${r.next_at === null ? '' : ` at ${minute(r.next_at)}`}`,
      ),
    ),
  ];
  return {
    items: items.sort((a, b) => (a.since < b.since ? -1 : a.since > b.since ? 1 : 0)),
    found: {
      overdue: foundIn(overdue),
      routing: foundIn(routing),
      unowned: foundIn(unowned),
      held: foundIn(held),
      question: foundIn(questions),
      dead_letter: foundIn(dead),
      retrying: foundIn(retrying),
    },
  };
}

const foundIn = (rows: readonly Pick<Row, 'found'>[]): number => rows[0]?.found ?? 0;

const times = (n: number): string => `${String(n)} ${n === 1 ? 'attempt' : 'attempts'}`;

/** `callback to agents.example.com`. */
const called = ({ kind, target }: Debt): string => `${kind.replaceAll('_', ' ')} to ${target}`.replace(/^./, (first) => first.toUpperCase());

function item(kind: StuckKind, { approval_id: approvalId, summary: headline, state, owner, since }: Row, why: string): StuckItem {
  const standing = state as State;
  return { kind, approvalId, headline, state: standing, why, since, owner: isOutcome(standing) ? null : owner, owedId: null };
}

const debt = (kind: StuckKind, row: Debt, why: string): StuckItem => ({ ...item(kind, row, why), owedId: row.owed_id });

/** Debts of open approvals and of ended ones: what is owed after the end is owed all the same. */
const debts = (db: Kysely<Tables>, viewer: SignedIn, status: string, limit: number): Promise<Debt[]> =>
  approvals(db, viewer, ref('d.updated_at'), limit)
    .innerJoin('deliveries as d', (on) => on.onRef('d.tenant', '=', 'a.tenant').onRef('d.approval_id', '=', 'a.approval_id'))
    .select(['d.owed_id', 'd.kind', 'd.target', 'd.attempts', 'd.last_detail', 'd.next_at'])
    .where('d.status', '=', status)
    .execute();

/** Questions that are open: neither answered nor out of time, of approvals that have not ended. */
const asked = (db: Kysely<Tables>, viewer: SignedIn, limit: number): Promise<Asking[]> =>
  approvals(db, viewer, ref('e.at'), limit)
    .innerJoin('entries as e', (on) =>
      on.onRef('e.tenant', '=', 'a.tenant').onRef('e.approval_id', '=', 'a.approval_id').on('e.type', '=', 'information_asked'),
    )
    .select([
      sql<string>`e.fields #>> '{by,value}'`.as('by'),
      sql<string>`e.fields #>> '{of,value}'`.as('of'),
      sql<Instant>`e.fields #>> '{dueAt,value}'`.as('answer_by'),
    ])
    .where('a.state', 'in', ['asked', 'taken_over'])
    .where(
      sql<boolean>`not exists (select 1 from entries x where x.tenant = e.tenant and x.approval_id = e.approval_id and x.seq > e.seq
        and (x.type = 'taken_over' or x.type in ('information_given', 'question_lapsed') and x.fields #>> '{question,value}' = e.fields #>> '{question,value}'
          or x.type = 'level_opened' and x.fields #>> '{signOff,value}' = e.fields #>> '{signOff,value}'))`,
    )
    .execute();
