/**
 * One approval in the store: load it, lock it, add entries to it, and keep its projection in step.
 * Everything here runs inside the caller's transaction. Must not import Temporal.
 */
import { sql, type Insertable, type Kysely, type Transaction, type Updateable } from 'kysely';
import { nextInstant, type Context } from '../domain/ladder';
import { boundTo, type Directory } from '../domain/directory';
import type { ApprovalEvent, Owed } from '../domain/events';
import { ms, type Instant, type Json, type JsonObject } from '../domain/json';
import { packetWith, type Packet } from '../domain/packet';
import { isOutcome, type ApprovalResult } from '../domain/outcome';
import type { Plan } from '../domain/plan';
import type { RequestInput } from '../domain/request';
import { apply, fold, MOOT_AT_END, openSignOff, openSignOffs, owedId, type ApprovalState, type Recorded } from '../domain/state';
import { viewOf } from '../domain/view';
import type { Head } from '../record/entry';
import { databaseTime } from '../record/store/database';
import { eventOf } from '../record/entry';
import { append, NOTHING, timelineOf, timelineValue, type TimelineEntry } from '../record/store/entries';
import { lastPublished } from '../record/store/policies';
import type { Tables } from '../record/store/tables';
import { workingTimeAfter, workingTimeBetween } from '../policy';
import { digest } from '../record/canonical';
import type { Deps } from './deps';
import { CommitError } from './errors';

type Trx = Transaction<Tables>;

/** An approval as submitted: what never changes; and the packet as it stands, with what was added to it since. */
export interface Submitted {
  readonly tenant: string;
  readonly approvalId: string;
  readonly agent: string;
  /** The person who answers for the agent. */
  readonly agentOwner: string | null;
  readonly body: RequestInput;
  readonly plan: Plan;
  readonly packet: Packet;
  readonly packetDigest: string;
  /** Without what was added. */
  readonly asSubmitted: Packet;
  readonly actionDigest: string;
  /** Who was on the asking side by the directory of the submit; absent where it knew none. */
  readonly askedBy?: readonly string[];
}

export interface Loaded extends Submitted {
  /** The record as it was loaded. */
  readonly timeline: readonly TimelineEntry[];
  readonly state: ApprovalState;
  readonly head: Head;
  readonly lastAt: Instant | null;
  readonly result: ApprovalResult | null;
  /** The database's time when it was read. */
  readonly readAt: Instant;
  /** Of the directory that held then. */
  readonly directoryHash: string | null;
  /** Of the policy that held then and was published last, where the plan names calendars: theirs are looked up in it. Else null. */
  readonly policyHash: string | null;
  /** The answer that the command asked about got on this approval, if it got one. */
  readonly answer: JsonObject | null;
}

/** Now, where nothing has been read yet. */
export const domainNow = async (deps: Pick<Deps, 'clock'>, db: Kysely<Tables>, workflowTime: number | null): Promise<Instant> =>
  deps.clock.now({ database: await databaseTime(db), workflowTime });

/** Now, never before the last entry: a clock that jumped back cannot reorder the record. */
export function nowOf({ clock }: Pick<Deps, 'clock'>, { readAt, lastAt }: Pick<Loaded, 'readAt' | 'lastAt'>, workflowTime: number | null): Instant {
  const now = clock.now({ database: readAt, workflowTime });
  return lastAt !== null && ms(lastAt) > ms(now) ? lastAt : now;
}

/** `if free`: nothing is read of an approval that somebody else has locked. */
type Lock = 'none' | 'if free';

/** One statement for everything that a commit looks at: each round trip is time that a person waits. */
async function read(db: Kysely<Tables>, tenant: string, approvalId: string, commandId: string | null, lock: Lock): Promise<Loaded | null> {
  const row = await db
    .selectFrom('approvals as a')
    .innerJoin('requests as r', (join) => join.onRef('r.tenant', '=', 'a.tenant').onRef('r.approval_id', '=', 'a.approval_id'))
    .select(['a.head', 'a.head_hash', 'a.result', 'r.agent', 'r.body', 'r.plan', 'r.packet', 'r.packet_digest', 'r.action_digest'])
    .select((eb) => [
      sql<Instant>`clock_timestamp()`.as('read_at'),
      timelineValue(tenant, approvalId).as('timeline'),
      eb.selectFrom('agents as g').select('g.owner').whereRef('g.tenant', '=', 'r.tenant').whereRef('g.agent', '=', 'r.agent').as('owner'),
      eb.selectFrom('active').select('directory_hash').where('active.tenant', '=', tenant).as('directory_hash'),
      // Only one that a publication put there: a pointer that was moved by hand changes nobody's deadline.
      sql<
        string | null
      >`case when r.plan ? 'calendars' then (select h.policy_hash from active h where h.tenant = ${tenant} and h.policy_hash = ${lastPublished(tenant)}) end`.as(
        'policy_hash',
      ),
      eb
        .selectFrom('answers as w')
        .select('w.answer')
        .where('w.tenant', '=', tenant)
        .where('w.approval_id', '=', approvalId)
        .where('w.command_id', '=', commandId)
        .as('answer'),
    ])
    .where('a.tenant', '=', tenant)
    .where('a.approval_id', '=', approvalId)
    .$if(lock === 'if free', (query) => query.forUpdate('a').skipLocked())
    .executeTakeFirst();
  if (!row) return null;
  // Written by submit from validated values, and append-only since.
  const stored = row as unknown as { body: RequestInput; plan: Plan; packet: Packet };
  const timeline = timelineOf(row.timeline);
  const entries = timeline.map(({ seq, at, type, fields }): Recorded => ({ seq, at, event: eventOf(type, fields) as ApprovalEvent }));
  const state = fold(entries);
  return {
    tenant,
    approvalId,
    agent: row.agent,
    agentOwner: row.owner,
    body: stored.body,
    plan: stored.plan,
    packet: packetWith(stored.packet, state.supplements),
    // As the record says: of what was erased since, nobody can tell the digest again.
    packetDigest: state.supplements.length === 0 ? row.packet_digest : state.packetDigest,
    asSubmitted: stored.packet,
    actionDigest: row.action_digest,
    ...(state.requesters ? { askedBy: state.requesters } : {}),
    timeline,
    state,
    head: { seq: row.head, hash: row.head_hash },
    lastAt: entries[entries.length - 1]?.at ?? null,
    result: row.result as unknown as ApprovalResult | null,
    readAt: row.read_at,
    directoryHash: row.directory_hash,
    policyHash: row.policy_hash,
    answer: row.answer,
  };
}

/** An approval as it stands, not locked; or null. */
export const readApproval = (db: Kysely<Tables>, tenant: string, approvalId: string): Promise<Loaded | null> => read(db, tenant, approvalId, null, 'none');

/**
 * Locks the approval's row, reads it and folds its entries; with `commandId` it looks for that command's answer as well. What it gives,
 * time and directory too, is from after the lock was free: who waits behind a slow holder does not judge by what was so before.
 * Throws {@link CommitError} `not_submitted`.
 */
export async function lockApproval(trx: Trx, tenant: string, approvalId: string, commandId: string | null = null): Promise<Loaded> {
  const first = await read(trx, tenant, approvalId, commandId, 'if free');
  // Whoever had it until this moment may have changed it: then the row is as it is now, and all else as it was before. The head tells, since every change moves it.
  if (first && first.head.seq === first.state.seq) return first;
  // Held by somebody, or not there. A statement sees what was there when it began, so it is read by another one than waits.
  if (!first) await waitForLock(trx, tenant, approvalId);
  const loaded = await read(trx, tenant, approvalId, commandId, 'if free');
  if (!loaded) throw new CommitError('not_submitted', `${approvalId} was never submitted; an approval starts from a submitted request`);
  return loaded;
}

const waitForLock = async (trx: Trx, tenant: string, approvalId: string): Promise<unknown> =>
  await trx.selectFrom('approvals').select('head').where('tenant', '=', tenant).where('approval_id', '=', approvalId).forUpdate().executeTakeFirst();

/** Locks what was read a moment ago, and reads again only what has changed since. */
export async function lockAgain(trx: Trx, before: Loaded): Promise<Loaded> {
  const { tenant, approvalId } = before;
  const row = await trx
    .with('locked', (cte) =>
      cte.selectFrom('approvals').select(['head', 'head_hash', 'result']).where('tenant', '=', tenant).where('approval_id', '=', approvalId).forUpdate(),
    )
    .selectFrom('locked')
    .selectAll()
    // Outside of what waits, so that it is the time at which the lock was had.
    .select(sql<Instant>`clock_timestamp()`.as('read_at'))
    .executeTakeFirst();
  if (row?.head !== before.head.seq || row.head_hash !== before.head.hash) return await lockApproval(trx, tenant, approvalId);
  return { ...before, result: row.result as unknown as ApprovalResult | null, readAt: row.read_at };
}

/**
 * The people on the asking side: never asked, never deciding. An agent may write a person's id, address or name, in any case;
 * whoever it could mean is meant, and who was meant when it asked stays so under every other name or address.
 */
export function requestersOf({ body, agentOwner, askedBy = [] }: Pick<Submitted, 'body' | 'agentOwner' | 'askedBy'>, directory: Directory): string[] {
  const named = [body.on_behalf_of, agentOwner].filter((p): p is string => typeof p === 'string');
  const keys = new Set(named.map(spelling));
  const meant = Object.values(directory.people).filter((p) => [p.id, p.email, p.name].some((said) => keys.has(spelling(said))));
  return [...new Set([...meant.map((p) => p.id), ...askedBy, ...named])];
}

const spelling = (text: string): string => text.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();

/** What `decide` needs beside the state. `calendars`: those that hold now; without them those of the plan. */
export function contextOf(submitted: Submitted, people: Directory, now: Instant, calendars: Context['calendars'] = submitted.plan.calendars ?? {}): Context {
  const { agent, body, plan, asSubmitted } = submitted;
  const directory = boundTo(people, plan.relative);
  const requesters = requestersOf(submitted, directory);
  return {
    now,
    plan,
    directory,
    requesters,
    agent,
    resume: body.resume.type === 'workflow' ? { type: 'workflow', workflowId: body.resume.workflow_id } : body.resume,
    hasCustomerAddress: body.customer?.email !== undefined,
    hasRequesterAddress: requesters.some((id) => directory.people[id] !== undefined),
    // A plan holds the calendars that it names; without one, elapsed time is the earlier deadline.
    dueAt: (from, withinMs, calendar) => workingTimeAfter((calendar !== null && calendars[calendar]) || null, from, withinMs),
    workingBetween: (from, to, calendar) => workingTimeBetween((calendar !== null && calendars[calendar]) || null, from, to),
    calendars,
    digestOf: (added) => digest(packetWith(asSubmitted, added) as unknown as Json),
  };
}

/** What every entry says beside its event, so that an auditor never meets bare ids. */
const businessContext = ({ agent, body, plan }: Submitted): JsonObject => ({
  agent,
  action_type: body.action.type,
  system: body.action.system,
  case: body.case ?? null,
  amount: plan.amount ? { minor: plan.amount.minor, currency: plan.amount.currency } : null,
  policy: `${plan.policy.name}@${plan.policy.version}#${plan.policy.hash.slice(0, 12)}`,
  rows: plan.rows.map((r) => r.id),
  lane: plan.lane,
  tier: plan.tier,
  personal: { customer: body.customer?.id ?? null },
});

export interface Added {
  readonly state: ApprovalState;
  readonly head: Head;
  readonly recorded: readonly Recorded[];
}

/**
 * Adds events to the record and keeps what is owed in `deliveries`. The caller updates the projection. `run` is the engine's run that
 * begins with them.
 */
export async function addEntries(
  deps: Deps,
  trx: Trx,
  submitted: Submitted,
  before: { readonly state: ApprovalState; readonly head: Head },
  at: Instant,
  events: readonly { readonly event: ApprovalEvent; readonly commandId: string | null }[],
  run?: string,
): Promise<Added> {
  if (events.length === 0) return { ...before, recorded: [] };
  const { tenant, approvalId } = submitted;
  const recorded = events.map(({ event }, i): Recorded => ({ seq: before.head.seq + 1 + i, at, event }));
  const owed = recorded.flatMap(({ seq, event }) => ('owed' in event ? event.owed.map((o, n) => ({ id: owedId(seq, n), o })) : []));
  const { head } = await append(trx, {
    tenant,
    approvalId,
    head: before.head,
    at,
    items: events,
    context: { ...businessContext(submitted), ...(run === undefined ? {} : { run }) },
    owing: owed.map(({ id, o }) => ({
      tenant,
      approval_id: approvalId,
      owed_id: id,
      kind: o.kind,
      target: targetOf(o),
      status: 'owed',
      attempts: 0,
      last_detail: '',
      next_at: null,
      created_at: at,
      updated_at: at,
    })),
    record: deps.keys.record,
  });
  return { state: recorded.reduce(apply, before.state), head, recorded };
}

/** Where a debt goes, without personal data. */
function targetOf(owed: Owed): string {
  switch (owed.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup':
    case 'tell_asked':
    case 'ask_person':
      return `${owed.to.person} by ${owed.channel}`;
    case 'ask_agent':
      return owed.resume.type === 'callback' ? new URL(owed.resume.url).host : owed.resume.workflowId;
    case 'tell_requester':
      return 'the requester by email';
    case 'tell_customer':
      return 'the customer by email';
    case 'open_ticket':
    case 'open_case':
    case 'raise_incident':
      return owed.queue;
    case 'callback':
      return new URL(owed.url).host;
    case 'signal_workflow':
    case 'pause_workflow':
      return owed.workflowId;
    case 'disable_credential':
    case 'pause_credential':
    case 'resume_credential':
      return owed.credential;
  }
}

/**
 * What an append means for what the workflow has adopted. `all`: the workflow made it, and adopts what comes back. `along`: nothing
 * in it that a workflow in step would have to learn. `none`: it was made beside the workflow, which has yet to hear of it.
 */
export type Adopts = 'all' | 'along' | 'none';

/** What is written in the same statement as the projection. */
export interface Also {
  /** The answer to a command. */
  readonly answer?: Insertable<Tables['answers']>;
  /** How an attempt at one debt ended. */
  readonly delivery?: { readonly owedId: string; readonly set: Updateable<Tables['deliveries']> };
  /** What everyone who is asked was held against: which directory, and which policy's calendars. */
  readonly looked?: { readonly directory: string; readonly policy: string | null };
}

/** What lists show of it, and where its record stands. */
export function projectionOf({ plan }: Submitted, { state, head }: Added, directory: Directory, now: Instant, result: ApprovalResult | null) {
  const { attributes } = viewOf(state, plan, directory, now, result);
  return {
    head: head.seq,
    head_hash: head.hash,
    state: state.state,
    lane: attributes.lanes[0] ?? plan.lane,
    owner: attributes.owners[0] ?? null,
    lanes: several(attributes.lanes),
    owners: several(attributes.owners),
    level: isOutcome(state.state) ? '' : (openSignOff(state) && attributes.level) || '',
    due_at: attributes.due,
    wake_at: nextInstant(state),
    anew_at: whoChanges(state, directory, now),
    result: result ? JSON.stringify(result) : null,
    updated_at: now,
  };
}

/** Which policy's calendars an approval was held against; null where its plan names none. */
export const lookedPolicy = ({ plan, policyHash }: Loaded): string | null => policyHash ?? (plan.calendars ? '' : null);

/** When an absence of somebody who is asked, or for whom somebody stands in, begins or ends next: then it is found out again who is there. */
export function whoChanges(state: ApprovalState, { people }: Directory, now: Instant): Instant | null {
  if (isOutcome(state.state) || state.takeover) return null;
  const watched = openSignOffs(state).flatMap(({ asked }) => asked.flatMap((one) => [one.person, ...(one.for === undefined ? [] : [one.for])]));
  const turns = [...new Set(watched)].flatMap((id) => (Object.hasOwn(people, id) ? (people[id]?.absences ?? []) : []).flatMap(({ from, to }) => [from, to]));
  return turns.filter((at) => ms(at) > ms(now)).reduce<Instant | null>((a, b) => (a === null || ms(b) < ms(a) ? b : a), null);
}

const several = (names: readonly string[]): string => JSON.stringify(names.length > 1 ? names : []);

/** Brings the projection in step with the state. */
export async function project(
  trx: Trx,
  submitted: Submitted,
  added: Added,
  directory: Directory,
  now: Instant,
  result: ApprovalResult | null,
  adopts: Adopts,
  also: Also = {},
): Promise<void> {
  const { state, head, recorded } = added;
  const { tenant, approvalId } = submitted;
  const { answer, delivery, looked } = also;
  const projected = projectionOf(submitted, added, directory, now, result);
  const again = recorded.flatMap(({ event }) => (event.type === 'delivery_reopened' ? [event.owedId] : []));
  await trx
    .with('answered', (cte) => (answer ? cte.insertInto('answers').values(answer) : NOTHING))
    .with('attempted', (cte) =>
      delivery
        ? cte
            .updateTable('deliveries')
            .set(delivery.set)
            .where('tenant', '=', tenant)
            .where('approval_id', '=', approvalId)
            .where('owed_id', '=', delivery.owedId)
        : NOTHING,
    )
    // One that was given up: as if it had just come to be owed.
    .with('reopened', (cte) =>
      again.length > 0
        ? cte
            .updateTable('deliveries')
            .set({ status: 'owed', next_at: null, updated_at: now })
            .where('tenant', '=', tenant)
            .where('approval_id', '=', approvalId)
            .where('owed_id', 'in', again)
        : NOTHING,
    )
    // As in the fold: a question nobody needs to answer any more is not asked again.
    .with('superseded', (cte) =>
      isOutcome(state.state)
        ? cte
            .updateTable('deliveries')
            .set({ status: 'superseded', next_at: null, updated_at: now })
            .where('tenant', '=', tenant)
            .where('approval_id', '=', approvalId)
            .where('owed_id', '!=', delivery?.owedId ?? '')
            .where('kind', 'in', [...MOOT_AT_END])
            .where('status', 'in', ['owed', 'failed_for_now'])
        : NOTHING,
    )
    .updateTable('approvals')
    .set((eb) => ({
      ...projected,
      ...(looked
        ? { looked_directory: looked.directory, looked_policy: looked.policy }
        : // Whoever came or went meanwhile has still to be found out: this was no look.
          { anew_at: eb.case().when('anew_at', '<=', now).then(eb.ref('anew_at')).else(projected.anew_at).end() }),
      ...(adopts === 'all' ? { adopted: head.seq } : {}),
      ...(adopts === 'along'
        ? {
            adopted: eb
              .case()
              .when('adopted', '=', head.seq - recorded.length)
              .then(head.seq)
              .else(eb.ref('adopted'))
              .end(),
          }
        : {}),
    }))
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .execute();
}
