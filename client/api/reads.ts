/**
 * What the API and the page read from the store. Nothing is returned before {@link maySee} has said yes.
 * Reads only; writes are submit's, commit's and issueCommand's.
 */
import { sql, type Kysely, type RawBuilder, type Selectable } from 'kysely';
import { ownedBy } from '../../domain/directory';
import { packetWith, type Packet } from '../../domain/packet';
import type { Plan } from '../../domain/plan';
import { isOutcome, OUTCOMES, type ApprovalResult, type State } from '../../domain/outcome';
import { fold, type Recorded } from '../../domain/state';
import { readEvents } from '../../record/store/entries';
import { involving, INVOLVED } from '../../record/store/involved';
import type { Tables } from '../../record/store/tables';
import { notFound } from './problems';
import { questionsOf, type Question } from './questions';
import { isWatcher, maySee, type Caller, type SignedIn } from './visibility';

/** An approval with what was asked and what the policy said. */
export interface ApprovalRow {
  readonly tenant: string;
  readonly approvalId: string;
  readonly agent: string;
  readonly state: State;
  readonly ended: boolean;
  readonly headline: string;
  readonly lane: string;
  /** Of all that is open now; the lane of the plan where nothing is. */
  readonly lanes: readonly string[];
  readonly tier: string;
  readonly level: string;
  readonly owner: string | null;
  /** Everyone it waits on now, one for each sign-off that is open. */
  readonly owners: readonly string[];
  readonly dueAt: string | null;
  readonly seq: number;
  /** Of the packet as it is now, with what was added to it. */
  readonly packetDigest: string;
  readonly actionDigest: string;
  readonly plan: Plan;
  readonly packet: Packet;
  /** People who were drawn into it one by one. Empty in lists. */
  readonly involved: readonly string[];
  /** What was asked about it. Empty in lists. */
  readonly questions: readonly Question[];
  readonly result: ApprovalResult | null;
  /** The people on the asking side: never asked, never deciding. */
  readonly requesters: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface ListQuery {
  readonly state?: string | undefined;
  readonly lane?: string | undefined;
  /** Only what waits on this person now. */
  readonly mine: boolean;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface Page<T> {
  readonly items: T[];
  readonly nextCursor: string | null;
}

type Joined = Pick<
  Selectable<Tables['approvals']>,
  | 'tenant'
  | 'approval_id'
  | 'head'
  | 'state'
  | 'lane'
  | 'owner'
  | 'lanes'
  | 'owners'
  | 'level'
  | 'due_at'
  | 'result'
  | 'summary'
  | 'agent'
  | 'tier'
  | 'created_at'
  | 'updated_at'
> &
  Pick<Selectable<Tables['requests']>, 'plan' | 'packet' | 'packet_digest' | 'action_digest'> & {
    readonly agent_owner: string | null;
    readonly on_behalf_of: string | null;
    readonly current_digest: string | null;
  };

const COLUMNS = [
  'a.tenant',
  'a.approval_id',
  'a.head',
  'a.state',
  'a.lane',
  'a.owner',
  'a.lanes',
  'a.owners',
  'a.level',
  'a.due_at',
  'a.result',
  'a.summary',
  'a.agent',
  'a.tier',
  'a.created_at',
  'a.updated_at',
  'r.plan',
  'r.packet',
  'r.packet_digest',
  'r.action_digest',
  'g.owner as agent_owner',
] as const;

/** Of the packet with what was added last; null where nothing was. */
const currentDigest = sql<string | null>`(
  select e.fields #>> '{packetDigest,value}' from entries e
  where e.tenant = a.tenant and e.approval_id = a.approval_id and e.type in ('information_given', 'evidence_added') order by e.seq desc limit 1)`;

const joined = (db: Kysely<Tables>) =>
  db
    .selectFrom('approvals as a')
    .innerJoin('requests as r', (on) => on.onRef('r.tenant', '=', 'a.tenant').onRef('r.approval_id', '=', 'a.approval_id'))
    .leftJoin('agents as g', (on) => on.onRef('g.tenant', '=', 'r.tenant').onRef('g.agent', '=', 'r.agent'))
    .select(COLUMNS)
    .select([sql<string | null>`r.body->>'on_behalf_of'`.as('on_behalf_of'), currentDigest.as('current_digest')]);

function rowOf(row: Joined): ApprovalRow {
  const state = row.state as State;
  return {
    tenant: row.tenant,
    approvalId: row.approval_id,
    agent: row.agent,
    state,
    ended: isOutcome(state),
    headline: row.summary,
    lane: row.lane,
    lanes: row.lanes.length > 0 ? row.lanes : [row.lane],
    tier: row.tier,
    level: row.level,
    owner: row.owner,
    owners: row.owner === null ? [] : row.owners.length > 0 ? row.owners : [row.owner],
    dueAt: row.due_at,
    seq: row.head,
    packetDigest: row.current_digest ?? row.packet_digest,
    actionDigest: row.action_digest,
    // Both were written by submit from these very types, and nothing updates them.
    plan: row.plan as unknown as Plan,
    packet: row.packet as unknown as Packet,
    involved: [],
    questions: [],
    result: row.result as unknown as ApprovalResult | null,
    requesters: [row.on_behalf_of, row.agent_owner].filter((person) => person !== null),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Keyset cursors: newest first, by time and then by id. Opaque to the caller; one that is not ours is null. */
export function readCursor(cursor: string | undefined): { readonly at: string; readonly id: string } | null {
  if (cursor === undefined) return null;
  const [at, id, ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  return at !== undefined && id !== undefined && rest.length === 0 && !Number.isNaN(Date.parse(at)) ? { at, id } : null;
}

export const cursorOf = (at: string, id: string): string => Buffer.from(`${at} ${id}`, 'utf8').toString('base64url');

function pageOf<R, T>(rows: readonly R[], limit: number, key: (row: R) => { readonly at: string; readonly id: string }, make: (row: R) => T): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown[shown.length - 1];
  const place = rows.length > limit && last !== undefined ? key(last) : null;
  return { items: shown.map(make), nextCursor: place ? cursorOf(place.at, place.id) : null };
}

/** The approval as it is now, if the caller may see it; else the same error as for one that does not exist. */
export async function getApproval(db: Kysely<Tables>, caller: Caller, approvalId: string): Promise<ApprovalRow> {
  const row = await joined(db)
    .select((eb) => [
      sql<readonly string[]>`(
        select coalesce(jsonb_agg(distinct p.person), '[]') from entries e, jsonb_array_elements_text(${INVOLVED(sql.ref('e.fields'))}) p (person)
        where e.tenant = a.tenant and e.approval_id = a.approval_id and ${involving(sql.ref('e'))})`.as('involved'),
      eb
        .exists(
          eb
            .selectFrom('entries as e')
            .select('e.seq')
            .whereRef('e.tenant', '=', 'a.tenant')
            .whereRef('e.approval_id', '=', 'a.approval_id')
            .where('e.type', '=', 'information_asked'),
        )
        .as('was_asked'),
    ])
    .where('a.tenant', '=', caller.tenant)
    .where('a.approval_id', '=', approvalId)
    .executeTakeFirst();
  const approval = row && { ...rowOf(row), involved: row.involved };
  if (!approval || !maySee(caller, approval)) throw notFound('approval');
  return row.was_asked || row.current_digest !== null ? withWords(approval, await readEvents(db, approval.tenant, approvalId)) : approval;
}

/** Several at once, in the order of their ids as given, as lists show them. One that may not be seen is as one that does not exist: none is given. */
export async function getApprovals(db: Kysely<Tables>, viewer: SignedIn, approvalIds: readonly string[]): Promise<ApprovalRow[]> {
  const rows = await joined(db)
    .where('a.tenant', '=', viewer.tenant)
    .where('a.approval_id', 'in', [...approvalIds])
    .where(isWatcher(viewer.person) ? sql<boolean>`true` : asks(viewer))
    .execute();
  const known = new Map(rows.map((row) => [row.approval_id, rowOf(row)]));
  return approvalIds.map((id) => {
    const approval = known.get(id);
    if (!approval) throw notFound(`approval as ${id}`);
    return approval;
  });
}

/** With what people and the agent have added since it was submitted. */
function withWords(approval: ApprovalRow, entries: readonly Recorded[]): ApprovalRow {
  const { supplements, packetDigest, questions } = fold(entries);
  return { ...approval, packet: packetWith(approval.packet, supplements), packetDigest, questions: questionsOf(entries, questions) };
}

/** Roles that a stored plan may ask, or lets operate on it: the same places as `rolesOf` and `operatorRolesOf`. */
const askedRoles = sql`(
  jsonb_path_query_array(r.plan, '$.signOffs[*].ladder[*].role') ||
  jsonb_path_query_array(r.plan, '$.signOffs[*].role') ||
  jsonb_path_query_array(r.plan, '$.onTimeout.hold.role') ||
  jsonb_path_query_array(r.plan, '$.operators.roles[*]') ||
  jsonb_path_query_array(r.plan, '$.operators.override.roles[*]') ||
  jsonb_path_query_array(r.plan, '$.operators.breakGlass.roles[*]'))`;

/** Approvals that somebody was drawn into by name. */
const drawnInto = ({ tenant, person }: SignedIn): RawBuilder<string> => sql<string>`(
  select e.approval_id from entries e where e.tenant = ${tenant} and ${involving(sql.ref('e'))} and ${INVOLVED(sql.ref('e.fields'))} ? ${person.id})`;

/** Whether this person may see what a stored plan is about: what `maySee` says, with its relative roles bound to what the request is about. */
function asks(viewer: SignedIn): RawBuilder<boolean> {
  const as = [viewer.person, ...(viewer.standsFor ?? [])];
  const owned = as.flatMap(({ id }) => ownedBy(viewer.directory, id));
  const roles = sql`${as.flatMap((one) => one.roles)}::text[]`;
  const relative = sql`coalesce(r.plan -> 'relative', '{}'::jsonb)`;
  return sql<boolean>`(
    r.approval_id in ${drawnInto(viewer)}
    or (${askedRoles} - array(select jsonb_object_keys(${relative}))) ?| ${roles}
    or exists (
      select 1 from jsonb_each(${relative}) bound (role, whose)
      where ${askedRoles} ? bound.role and (
        bound.whose ->> 'backup' = any(${roles})
        or exists (
          select 1 from unnest(${owned.map(({ role }) => role)}::text[], ${owned.map(({ of }) => of)}::text[]) owned (role, of_what)
          where owned.role = bound.role and owned.of_what = bound.whose ->> 'of'))))`;
}

/** Whether this person operates on what a stored plan is about: watchers see to all of it, others where the policy names their roles. */
export const operates = ({ person }: SignedIn): RawBuilder<boolean> =>
  isWatcher(person) ? sql<boolean>`true` : sql<boolean>`jsonb_path_query_array(r.plan, '$.operators.roles[*]') ?| ${sql`${[...person.roles]}::text[]`}`;

/** What a person may see, newest first. */
export async function listApprovals(db: Kysely<Tables>, viewer: SignedIn, query: ListQuery): Promise<Page<ApprovalRow>> {
  const place = readCursor(query.cursor);
  let select = joined(db).where('a.tenant', '=', viewer.tenant);
  if (!isWatcher(viewer.person)) select = select.where(asks(viewer));
  if (query.state !== undefined) select = select.where('a.state', '=', query.state);
  if (query.lane !== undefined) select = select.where((eb) => eb.or([eb('a.lane', '=', query.lane ?? ''), sql<boolean>`a.lanes ? ${query.lane}`]));
  if (query.mine) {
    const { id } = viewer.person;
    select = select.where((eb) => eb.or([eb('a.owner', '=', id), sql<boolean>`a.owners ? ${id}`])).where('a.state', 'not in', OUTCOMES);
  }
  if (place) select = select.where(sql<boolean>`(a.created_at, a.approval_id) < (${place.at}::timestamptz, ${place.id})`);
  const rows = await select
    .orderBy('a.created_at', 'desc')
    .orderBy('a.approval_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageOf(rows, query.limit, (row) => ({ at: row.created_at, id: row.approval_id }), rowOf);
}

/** Whether the record says that it has ended; where its head is. */
export async function standing(db: Kysely<Tables>, tenant: string, approvalId: string): Promise<{ state: State; ended: boolean; head: number }> {
  const row = await db.selectFrom('approvals').select(['state', 'head']).where('tenant', '=', tenant).where('approval_id', '=', approvalId).executeTakeFirst();
  if (!row) throw notFound('approval');
  const state = row.state as State;
  return { state, ended: isOutcome(state), head: row.head };
}

/** Restricts rows of a table with `tenant` and `approval_id` to approvals this person may see. */
const visibleTo = (viewer: SignedIn, table: 'tickets' | 'deliveries') =>
  isWatcher(viewer.person)
    ? sql<boolean>`true`
    : sql<boolean>`exists (select 1 from requests r where r.tenant = ${sql.ref(`${table}.tenant`)} and r.approval_id = ${sql.ref(`${table}.approval_id`)} and ${asks(viewer)})`;

export interface TicketQuery {
  readonly state?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export async function listTickets(db: Kysely<Tables>, viewer: SignedIn, query: TicketQuery): Promise<Page<Selectable<Tables['tickets']>>> {
  const place = readCursor(query.cursor);
  let select = db.selectFrom('tickets').selectAll().where('tenant', '=', viewer.tenant).where(visibleTo(viewer, 'tickets'));
  if (query.state !== undefined) select = select.where('state', '=', query.state);
  if (place) select = select.where(sql<boolean>`(created_at, ticket_id) < (${place.at}::timestamptz, ${place.id})`);
  const rows = await select
    .orderBy('created_at', 'desc')
    .orderBy('ticket_id', 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageOf(
    rows,
    query.limit,
    (row) => ({ at: row.created_at, id: row.ticket_id }),
    (row) => row,
  );
}

export interface DeliveryQuery {
  readonly status?: string | undefined;
  readonly kind?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export async function listDeliveries(db: Kysely<Tables>, viewer: SignedIn, query: DeliveryQuery): Promise<Page<Selectable<Tables['deliveries']>>> {
  const place = readCursor(query.cursor);
  const key = sql<string>`approval_id || '/' || owed_id`;
  let select = db.selectFrom('deliveries').selectAll().where('tenant', '=', viewer.tenant).where(visibleTo(viewer, 'deliveries'));
  if (query.status !== undefined) select = select.where('status', '=', query.status);
  if (query.kind !== undefined) select = select.where('kind', '=', query.kind);
  if (place) select = select.where(sql<boolean>`(created_at, ${key}) < (${place.at}::timestamptz, ${place.id})`);
  const rows = await select
    .orderBy('created_at', 'desc')
    .orderBy(key, 'desc')
    .limit(query.limit + 1)
    .execute();
  return pageOf(
    rows,
    query.limit,
    (row) => ({ at: row.created_at, id: `${row.approval_id}/${row.owed_id}` }),
    (row) => row,
  );
}
