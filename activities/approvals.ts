/**
 * One approval in the store: load it, lock it, add entries to it, and keep its projection in step.
 * Everything here runs inside the caller's transaction. Must not import Temporal.
 */
import type { Kysely, Transaction } from 'kysely';
import { nextInstant, type Context } from '../domain/ladder';
import type { Directory } from '../domain/directory';
import type { ApprovalEvent, Owed } from '../domain/events';
import { ms, type Instant, type JsonObject } from '../domain/json';
import type { Packet } from '../domain/packet';
import { isOutcome, type ApprovalResult } from '../domain/outcome';
import type { Plan } from '../domain/plan';
import type { RequestInput } from '../domain/request';
import { apply, fold, openSignOff, owedId, type ApprovalState, type Recorded } from '../domain/state';
import { viewOf } from '../domain/view';
import type { Head } from '../record/entry';
import { databaseTime } from '../record/store/database';
import { append, readEvents } from '../record/store/entries';
import type { Tables } from '../record/store/tables';
import type { Deps } from './deps';
import { CommitError } from './errors';

type Trx = Transaction<Tables>;

/** An approval as submitted: what never changes. */
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
  readonly actionDigest: string;
}

export interface Loaded extends Submitted {
  readonly state: ApprovalState;
  readonly head: Head;
  readonly lastAt: Instant | null;
  readonly result: ApprovalResult | null;
}

/** Now, never before the last entry: a clock that jumped back cannot reorder the record. */
export async function domainNow(deps: Pick<Deps, 'clock'>, db: Kysely<Tables>, workflowTime: number | null, lastAt: Instant | null): Promise<Instant> {
  const now = deps.clock.now({ database: await databaseTime(db), workflowTime });
  return lastAt !== null && ms(lastAt) > ms(now) ? lastAt : now;
}

/** What was submitted, or null. */
export async function readSubmitted(db: Kysely<Tables>, tenant: string, approvalId: string): Promise<Submitted | null> {
  const row = await db
    .selectFrom('requests')
    .leftJoin('agents', (join) => join.onRef('agents.tenant', '=', 'requests.tenant').onRef('agents.agent', '=', 'requests.agent'))
    .select(['requests.agent', 'requests.body', 'requests.plan', 'requests.packet', 'requests.packet_digest', 'requests.action_digest', 'agents.owner'])
    .where('requests.tenant', '=', tenant)
    .where('requests.approval_id', '=', approvalId)
    .executeTakeFirst();
  if (!row) return null;
  // Written by submit from validated values, and append-only since.
  const stored = row as unknown as { body: RequestInput; plan: Plan; packet: Packet };
  return {
    tenant,
    approvalId,
    agent: row.agent,
    agentOwner: row.owner,
    body: stored.body,
    plan: stored.plan,
    packet: stored.packet,
    packetDigest: row.packet_digest,
    actionDigest: row.action_digest,
  };
}

/** Locks the approval's row and folds its entries. Throws {@link CommitError} `not_submitted`. */
export async function lockApproval(trx: Trx, tenant: string, approvalId: string): Promise<Loaded> {
  const row = await trx
    .selectFrom('approvals')
    .select(['head', 'head_hash', 'result'])
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .forUpdate()
    .executeTakeFirst();
  const submitted = row && (await readSubmitted(trx, tenant, approvalId));
  if (!submitted) throw new CommitError('not_submitted', `${approvalId} was never submitted; an approval starts from a submitted request`);
  const entries = await readEvents(trx, tenant, approvalId);
  return {
    ...submitted,
    state: fold(entries),
    head: { seq: row.head, hash: row.head_hash },
    lastAt: entries[entries.length - 1]?.at ?? null,
    result: row.result as unknown as ApprovalResult | null,
  };
}

/**
 * The people on the asking side: never asked, never deciding. An agent may write a person's id, address or name, in any case;
 * whoever it could mean is meant.
 */
export function requestersOf({ body, agentOwner }: Submitted, directory: Directory): string[] {
  const named = [body.on_behalf_of, agentOwner].filter((p): p is string => typeof p === 'string');
  const keys = new Set(named.map(spelling));
  const meant = Object.values(directory.people).filter((p) => [p.id, p.email, p.name].some((said) => keys.has(spelling(said))));
  return [...new Set([...meant.map((p) => p.id), ...named])];
}

const spelling = (text: string): string => text.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();

/** What `decide` needs beside the state. Calendars come with a later policy language; until then time is elapsed time. */
export function contextOf(submitted: Submitted, directory: Directory, now: Instant): Context {
  const { body, plan } = submitted;
  const requesters = requestersOf(submitted, directory);
  return {
    now,
    plan,
    directory,
    requesters,
    resume: body.resume.type === 'workflow' ? { type: 'workflow', workflowId: body.resume.workflow_id } : body.resume,
    hasCustomerAddress: body.customer?.email !== undefined,
    hasRequesterAddress: requesters.some((id) => directory.people[id] !== undefined),
    dueAt: (from, withinMs) => new Date(ms(from) + withinMs).toISOString(),
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

/** Adds events to the record and keeps what is owed in `deliveries`. The caller updates the projection. */
export async function addEntries(
  deps: Deps,
  trx: Trx,
  submitted: Submitted,
  before: { readonly state: ApprovalState; readonly head: Head },
  at: Instant,
  events: readonly { readonly event: ApprovalEvent; readonly commandId: string | null }[],
): Promise<Added> {
  if (events.length === 0) return { ...before, recorded: [] };
  const { tenant, approvalId } = submitted;
  const { head } = await append(trx, {
    tenant,
    approvalId,
    head: before.head,
    at,
    items: events,
    context: businessContext(submitted),
    record: deps.keys.record,
  });
  const recorded = events.map(({ event }, i): Recorded => ({ seq: before.head.seq + 1 + i, at, event }));
  const owed = recorded.flatMap(({ seq, event }) => ('owed' in event ? event.owed.map((o, n) => ({ id: owedId(seq, n), o })) : []));
  if (owed.length > 0) {
    await trx
      .insertInto('deliveries')
      .values(
        owed.map(({ id, o }) => ({
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
      )
      .execute();
  }
  return { state: recorded.reduce(apply, before.state), head, recorded };
}

/** Where a debt goes, without personal data. */
function targetOf(owed: Owed): string {
  switch (owed.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup':
    case 'tell_asked':
      return `${owed.to.person} by ${owed.channel}`;
    case 'tell_requester':
      return 'the requester by email';
    case 'tell_customer':
      return 'the customer by email';
    case 'open_ticket':
      return owed.queue;
    case 'callback':
      return new URL(owed.url).host;
    case 'signal_workflow':
      return owed.workflowId;
  }
}

/** Brings the projection in step with the state. */
export async function project(
  trx: Trx,
  submitted: Submitted,
  added: Added,
  directory: Directory,
  now: Instant,
  result: ApprovalResult | null,
  adopted: number | null,
): Promise<void> {
  const { state, head } = added;
  const view = viewOf(state, submitted.plan, directory, now, result);
  const open = openSignOff(state);
  await trx
    .updateTable('approvals')
    .set((eb) => ({
      head: head.seq,
      head_hash: head.hash,
      state: state.state,
      lane: view.attributes.lanes[0] ?? submitted.plan.lane,
      owner: view.attributes.owners[0] ?? null,
      level: isOutcome(state.state) ? '' : (open && view.attributes.level) || '',
      due_at: view.attributes.due,
      wake_at: nextInstant(state),
      result: result ? JSON.stringify(result) : null,
      updated_at: now,
      ...(adopted === null ? {} : { adopted: eb.fn<number>('greatest', ['adopted', eb.val(adopted)]) }),
    }))
    .where('tenant', '=', submitted.tenant)
    .where('approval_id', '=', submitted.approvalId)
    .execute();
  if (isOutcome(state.state)) {
    // As in the fold: a question nobody needs to answer any more is not asked again.
    await trx
      .updateTable('deliveries')
      .set({ status: 'superseded', next_at: null, updated_at: now })
      .where('tenant', '=', submitted.tenant)
      .where('approval_id', '=', submitted.approvalId)
      .where('kind', 'in', ['ask', 'remind', 'page_backup'])
      .where('status', 'in', ['owed', 'failed_for_now'])
      .execute();
  }
}
