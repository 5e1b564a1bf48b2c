/**
 * One attempt at what an approval owes to someone: a message, a ticket, the agent's resumption; and its entry on the record.
 * Called by the approval (first attempt) and by a delivery workflow (the rest).
 *
 * It promises: idempotent by the debt's id; what has been done is not done again, except where a process died between the
 * doing and the recording (receivers get the same message id then). Must not import client.
 */
import { randomBytes } from 'node:crypto';
import type { Directory } from '../domain/directory';
import type { ApprovalEvent, AttemptStatus, Owed } from '../domain/events';
import { after, instant, type Instant } from '../domain/json';
import { personOf } from '../domain/directory';
import { hasEnded, openSignOff, type ApprovalState, type OwedState } from '../domain/state';
import { databaseTime } from '../record/store/database';
import { readEvents } from '../record/store/entries';
import { fold } from '../domain/state';
import type { ApprovalResult } from '../domain/outcome';
import type { AttemptInput, AttemptResult } from '../workflows/protocol';
import { addEntries, domainNow, lockApproval, project, readSubmitted, requestersOf, type Submitted } from './approvals';
import { callbackBody, nextDelay, webhookId, type Callback } from './callback';
import type { Active } from './active';
import type { Deps } from './deps';
import { CommitError } from './errors';
import type { Email } from './notify/email';

/** Tells an agent's workflow how it ended; `gone` when no such workflow is open. */
export type SignalOutcome = (workflowId: string, result: ApprovalResult) => Promise<'done' | 'gone'>;

export interface AttemptDeps extends Deps {
  readonly active: Active;
  readonly email: Email;
  readonly callback: Callback;
  readonly signalOutcome: SignalOutcome;
}

/** What one attempt came to, before it is recorded. */
interface Tried {
  readonly status: AttemptStatus;
  readonly detail: string;
  readonly to: string;
  readonly httpStatus?: number | null;
  readonly retryAfterMs?: number | null;
}

/** Milliseconds before the attempts after the first at a message or a ticket; after the last it is a dead letter. */
const MESSAGE_GAPS = [5_000, 30_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000] as const;

const random01 = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

/** How long until the next attempt after `made` attempts; null when there is none. */
function gapAfter(kind: Owed['kind'], made: number, retryAfterMs: number | null): number | null {
  if (kind === 'callback') return nextDelay(made + 1, random01(), retryAfterMs);
  const gap = MESSAGE_GAPS[made - 1];
  return gap === undefined ? null : Math.round(gap * (0.9 + 0.2 * random01()));
}

export function createAttempt(deps: AttemptDeps): (input: AttemptInput) => Promise<AttemptResult> {
  return async ({ tenant, approvalId, owedId, workflowTime }) => {
    const submitted = await readSubmitted(deps.db, tenant, approvalId);
    if (!submitted) throw new CommitError('not_submitted', `${approvalId} was never submitted`);
    const state = fold(await readEvents(deps.db, tenant, approvalId));
    const debt = state.owed.find((o) => o.id === owedId);
    if (!debt) throw new CommitError('not_submitted', `${approvalId} owes nothing under ${owedId}`);
    if (debt.status === 'done' || debt.status === 'failed_for_good')
      return { status: debt.status, seq: state.seq, retryInMs: 0, detail: 'It was settled before' };
    if (isMoot(debt.owed, state)) return { status: 'done', seq: state.seq, retryInMs: 0, detail: 'Nobody needs to be asked this any more' };
    const directory = await deps.active.directoryOf(deps.db, tenant);
    if (!directory) throw new CommitError('no_directory', `Tenant ${tenant} has no valid directory`);
    const startedAt = performance.now();
    const tried = await carryOut(deps, submitted, state, debt, directory);
    const latencyMs = Math.round(performance.now() - startedAt);
    return await record(deps, submitted, debt, tried, latencyMs, workflowTime, directory);
  };
}

/** A question whose level has passed, or whose approval has ended, is not asked any more. */
function isMoot(owed: Owed, state: ApprovalState): boolean {
  if (owed.kind !== 'ask' && owed.kind !== 'remind' && owed.kind !== 'page_backup') return false;
  if (hasEnded(state) || state.takeover) return true;
  return owed.kind === 'page_backup' ? state.hold === null : state.hold !== null || openSignOff(state)?.dueAt !== owed.dueAt;
}

async function carryOut(deps: AttemptDeps, submitted: Submitted, state: ApprovalState, { id, owed }: OwedState, directory: Directory): Promise<Tried> {
  const { tenant, approvalId, packet, body } = submitted;
  const about = { approvalId, owedId: id, tenant };
  const mail = { ...about, packet };
  const person = (personId: string): { name: string; email: string } | null => personOf(directory, personId) ?? null;
  const gone = (who: string): Tried => ({ status: 'failed_for_good', detail: `${who} has no address in the directory any more`, to: who });
  switch (owed.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup': {
      const to = person(owed.to.person);
      const level = owed.kind === 'page_backup' ? owed.to.role : owed.level;
      return to
        ? { to: owed.to.person, ...(await deps.email.send({ ...mail, to, kind: owed.kind, level, dueAt: owed.dueAt, next: owed.next })) }
        : gone(owed.to.person);
    }
    case 'tell_asked': {
      const to = person(owed.to.person);
      return to
        ? { to: owed.to.person, ...(await deps.email.send({ ...mail, to, kind: owed.kind, what: owed.what || (state.ended?.why ?? '') })) }
        : gone(owed.to.person);
    }
    case 'tell_requester': {
      const id = requestersOf(submitted, directory).find((p) => person(p) !== null);
      const to = id === undefined ? null : person(id);
      return to
        ? { to: id ?? '', ...(await deps.email.send({ ...mail, to, kind: owed.kind, what: owed.what || (state.ended?.why ?? '') })) }
        : gone('The requester');
    }
    case 'tell_customer': {
      const { customer } = body;
      if (!customer?.email) return { status: 'failed_for_good', detail: 'The request names no address of the customer', to: 'the customer' };
      const to = { name: customer.name ?? '', email: customer.email };
      const sent = await deps.email.send({ ...about, to, kind: owed.kind, subject: owed.subject, text: owed.text, packet: { case: packet.case } });
      return { to: customer.email, ...sent };
    }
    case 'open_ticket': {
      await deps.db
        .insertInto('tickets')
        .values({
          tenant,
          ticket_id: `tk_${approvalId}_${id}`,
          approval_id: approvalId,
          owed_id: id,
          queue: owed.queue,
          owner: owed.owner,
          title: owed.title,
          state: 'open',
          created_at: await databaseTime(deps.db),
        })
        .onConflict((conflict) => conflict.columns(['tenant', 'ticket_id']).doNothing())
        .execute();
      return { status: 'done', detail: `A ticket is open in ${owed.queue}`, to: owed.queue };
    }
    case 'callback':
      return await callBack(deps, submitted, state, id, owed.url);
    case 'signal_workflow': {
      const result = await resultInStore(deps, submitted);
      const told = await deps.signalOutcome(owed.workflowId, result);
      return told === 'done'
        ? { status: 'done', detail: 'The agent workflow was signalled', to: owed.workflowId }
        : { status: 'failed_for_good', detail: 'The agent workflow is no longer open', to: owed.workflowId };
    }
  }
}

async function callBack(deps: AttemptDeps, submitted: Submitted, _state: ApprovalState, id: string, url: string): Promise<Tried> {
  const { tenant, approvalId, agent } = submitted;
  const row = await deps.db
    .selectFrom('agents')
    .select(['callback_hosts', 'callback_secrets'])
    .where('tenant', '=', tenant)
    .where('agent', '=', agent)
    .executeTakeFirst();
  const result = await resultInStore(deps, submitted);
  // The wall clock on purpose: receivers compare it with theirs.
  const timestamp: Instant = instant(Date.now());
  const sent = await deps.callback.send({
    url,
    secrets: row?.callback_secrets ?? [],
    id: webhookId(approvalId, id),
    timestamp,
    body: callbackBody(result),
    registeredHosts: row?.callback_hosts ?? [],
  });
  return { ...sent, to: new URL(url).host };
}

async function resultInStore(deps: Deps, { tenant, approvalId }: Submitted): Promise<ApprovalResult> {
  const row = await deps.db.selectFrom('approvals').select('result').where('tenant', '=', tenant).where('approval_id', '=', approvalId).executeTakeFirst();
  if (!row?.result) throw new CommitError('not_submitted', `${approvalId} has not ended, so nobody is told how`);
  return row.result as unknown as ApprovalResult;
}

async function record(
  deps: AttemptDeps,
  submitted: Submitted,
  debt: OwedState,
  tried: Tried,
  latencyMs: number,
  workflowTime: number,
  directory: Directory,
): Promise<AttemptResult> {
  const { tenant, approvalId } = submitted;
  return await deps.db.transaction().execute(async (trx) => {
    const loaded = await lockApproval(trx, tenant, approvalId);
    const now = await domainNow(deps, trx, workflowTime, loaded.lastAt);
    const before = loaded.state.owed.find((o) => o.id === debt.id);
    // Two attempts can overlap when one was given up as late: what one has settled, the other does not open again.
    if (before?.status === 'done' || (before?.status === 'failed_for_good' && tried.status !== 'done'))
      return { status: before.status, seq: loaded.state.seq, retryInMs: 0, detail: 'It was settled meanwhile' };
    const attempt = (before?.attempts ?? 0) + 1;
    const gap = tried.status === 'failed_for_now' ? gapAfter(debt.owed.kind, attempt, tried.retryAfterMs ?? null) : null;
    const status: AttemptStatus = tried.status === 'failed_for_now' && gap === null ? 'failed_for_good' : tried.status;
    const retryAt = status === 'failed_for_now' && gap !== null ? after(now, gap) : null;
    const event: ApprovalEvent = {
      type: 'attempted',
      owedId: debt.id,
      kind: debt.owed.kind,
      to: tried.to,
      attempt,
      status,
      httpStatus: tried.httpStatus ?? null,
      latencyMs,
      detail: tried.detail,
      retryAt,
    };
    const added = await addEntries(deps, trx, loaded, loaded, now, [{ event, commandId: null }]);
    await project(trx, loaded, added, directory, now, loaded.result, null);
    await trx
      .updateTable('deliveries')
      .set({ status, attempts: attempt, last_detail: tried.detail, next_at: retryAt, updated_at: now })
      .where('tenant', '=', tenant)
      .where('approval_id', '=', approvalId)
      .where('owed_id', '=', debt.id)
      .execute();
    deps.log.info({ tenant, approvalId, owedId: debt.id, kind: debt.owed.kind, attempt, status, latencyMs }, 'attempted');
    return { status, seq: added.head.seq, retryInMs: gap ?? 0, detail: tried.detail };
  });
}
