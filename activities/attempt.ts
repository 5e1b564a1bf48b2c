/**
 * One attempt at what an approval owes to someone: a message, a ticket, the agent's resumption; and its entry on the record.
 * Called by the approval (first attempt) and by a delivery workflow (the rest).
 *
 * It promises: idempotent by the debt's id; what has been done is not done again, except where a process died between the
 * doing and the recording (receivers get the same message id then). Must not import client.
 */
import { randomBytes } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { Directory } from '../domain/directory';
import { channelsLeft, fallsTo } from '../domain/channels';
import type { ApprovalEvent, Asked, AttemptStatus, EventType, Owed, Reached } from '../domain/events';
import { after, type Instant } from '../domain/json';
import type { Channel, Plan } from '../domain/plan';
import { personOf } from '../domain/directory';
import type { Packet } from '../domain/packet';
import { hasEnded, openQuestions, openSignOffs, type ApprovalState, type OwedState } from '../domain/state';
import { textHash } from '../record/hash';
import { databaseTime } from '../record/store/database';
import type { Tables } from '../record/store/tables';
import type { ApprovalResult } from '../domain/outcome';
import type { Asking, AttemptInput, AttemptResult, PauseMessage } from '../workflows/protocol';
import { addEntries, lockAgain, nowOf, project, readApproval, requestersOf, type Loaded } from './approvals';
import { callbackBody, nextDelay, questionBody, webhookId, type Callback } from './callback';
import type { Active } from './active';
import type { CredentialHook, CredentialOrder } from './credential';
import type { Deps } from './deps';
import { CommitError } from './errors';
import type { Email } from './notify/email';
import type { News, Told } from './notify/notice';
import type { Pace } from './pace';
import type { Webhook } from './notify/webhook';

/** Knocks at an agent's workflow; `gone` when no such workflow is open. */
export type SignalOutcome = (workflowId: string, approvalId: string) => Promise<'done' | 'gone'>;

/** Tells an agent's workflow to stop; `gone` when no such workflow is open. */
export type SignalPause = (workflowId: string, message: PauseMessage) => Promise<'done' | 'gone'>;

/** Tells an agent's workflow that it is asked for information; `gone` when no such workflow is open. */
export type SignalQuestion = (workflowId: string, message: Asking) => Promise<'done' | 'gone'>;

export interface AttemptDeps extends Deps {
  readonly active: Active;
  readonly email: Email;
  readonly webhook: Webhook;
  readonly callback: Callback;
  readonly pace: Pace;
  readonly signalOutcome: SignalOutcome;
  readonly signalPause: SignalPause;
  readonly signalQuestion: SignalQuestion;
  readonly credentialHook: CredentialHook;
}

/** What one attempt came to, before it is recorded. */
interface Tried {
  /** `not_tried`: nothing went out, so there is no attempt to record. */
  readonly status: AttemptStatus | 'not_tried';
  readonly reached?: Reached;
  readonly detail: string;
  readonly to: string;
  readonly httpStatus?: number | null;
  readonly retryAfterMs?: number | null;
}

/** Milliseconds before the attempts after the first at a message or a ticket; after the last it is a dead letter. */
const MESSAGE_GAPS = [5_000, 30_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000] as const;

/** Of a delivery that is still to be carried out. */
const UNSETTLED = ['owed', 'failed_for_now'] as const;

const random01 = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

/** Up to half as long again, so that those who were turned away together do not come back together. */
const spread = (forMs: number): number => Math.round(forMs * (1 + random01() / 2));

/** How long until the next attempt after `made` attempts on this channel; null when there is none. */
function gapAfter(kind: Owed['kind'], made: number, retryAfterMs: number | null): number | null {
  if (kind === 'callback') return nextDelay(made + 1, random01(), retryAfterMs);
  const gap = MESSAGE_GAPS[made - 1];
  return gap === undefined ? null : Math.max(Math.round(gap * (0.9 + 0.2 * random01())), retryAfterMs ?? 0);
}

export function createAttempt(deps: AttemptDeps): (input: AttemptInput) => Promise<AttemptResult> {
  return async ({ tenant, approvalId, owedId, workflowTime }) => {
    const submitted = await readApproval(deps.db, tenant, approvalId);
    if (!submitted) throw new CommitError('not_submitted', `${approvalId} was never submitted`);
    const { state } = submitted;
    const debt = state.owed.find((o) => o.id === owedId);
    if (!debt) throw new CommitError('not_submitted', `${approvalId} owes nothing under ${owedId}`);
    if (debt.status === 'done' || debt.status === 'failed_for_good')
      return { status: debt.status, seq: state.seq, retryInMs: 0, detail: 'It was settled before' };
    if (isMoot(debt, state, cameFrom(submitted, debt))) {
      await supersede(deps, submitted, owedId, nowOf(deps, submitted, workflowTime));
      return { status: 'done', seq: state.seq, retryInMs: 0, detail: 'Nobody needs to be asked this any more' };
    }
    const directory = await deps.active.directoryOf(deps.db, tenant, submitted.directoryHash);
    if (!directory) throw new CommitError('no_directory', `Tenant ${tenant} has no valid directory`);
    const startedAt = performance.now();
    const tried = await carryOut(deps, submitted, state, debt, directory);
    const latencyMs = Math.round(performance.now() - startedAt);
    return await record(deps, submitted, debt, tried, latencyMs, workflowTime, directory);
  };
}

/** What happened when a debt came to be owed; null where the record does not say. */
const cameFrom = ({ timeline }: Loaded, { id }: OwedState): EventType | null =>
  (timeline.find(({ seq }) => id.startsWith(`${seq}-`))?.type as EventType | undefined) ?? null;

/**
 * A question whose level has passed, that is asked of somebody else now, or whose approval has ended, is not asked any more. Nor is one
 * for information that is not open; what was said on the way is no news once it has ended; and what has ended pauses nothing.
 */
function isMoot({ owed, since }: OwedState, state: ApprovalState, from: EventType | null): boolean {
  switch (owed.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup': {
      if (hasEnded(state) || state.takeover) return true;
      const isPage = owed.kind === 'page_backup';
      // Its deadline may have moved since, and is the same question then.
      return !openSignOffs(state).some(
        ({ hold, openedAt, asked }) =>
          (hold !== null) === isPage && (isPage || (openedAt ?? '') <= since) && asked.some(({ person }) => person === owed.to.person),
      );
    }
    case 'ask_person':
    case 'ask_agent':
      return !openQuestions(state).some(({ id }) => id === owed.question);
    case 'tell_asked':
      return from === 'commented' && hasEnded(state);
    case 'pause_credential':
      return hasEnded(state);
    default:
      return false;
  }
}

/** After which nothing is wanted any more from those who are told. */
const OVER: readonly (EventType | null)[] = ['taken_over', 'reassigned', 'resolved_anew', 'ended'];

/** Of a choice that others may not see yet no more is said than that it was made. */
const NEWS: { readonly [T in EventType]?: News } = {
  commented: 'commented',
  information_given: 'information_given',
  question_lapsed: 'question_lapsed',
  evidence_added: 'evidence_added',
  reassigned: 'reassigned',
  resolved_anew: 'resolved_anew',
  extended: 'extended',
  passed_up: 'passed_up',
  worked: 'worked',
  signed_off: 'choice_made',
  said_no: 'choice_made',
  override_proposed: 'override_proposed',
  overridden: 'overridden',
  glass_broken: 'glass_broken',
};

/** What was added is shown with the names of those whose words it is. */
const named = ({ added, ...made }: Packet, directory: Directory): Packet =>
  added === undefined
    ? made
    : { ...made, added: added.map((one) => (one.source === 'person' ? { ...one, by: personOf(directory, one.by)?.name ?? one.by } : one)) };

/** Everything that there is to look at, by name and digest. */
const evidenceOf = ({ evidence, action, added = [] }: Packet): readonly { readonly name: string; readonly sha256: string }[] => [
  ...evidence.map(({ name, content }) => ({ name, sha256: textHash(content) })),
  ...action.artifacts.map(({ name, sha256 }) => ({ name, sha256 })),
  ...added.map(({ name, content }) => ({ name, sha256: textHash(content) })),
];

/** Else the sweep would take it for a delivery that was lost, and take it up again and again. */
async function supersede({ db }: AttemptDeps, { tenant, approvalId }: Loaded, owedId: string, now: Instant): Promise<void> {
  await db
    .updateTable('deliveries')
    .set({ status: 'superseded', next_at: null, updated_at: now })
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .where('owed_id', '=', owedId)
    .where('status', 'in', UNSETTLED)
    .execute();
}

async function carryOut(deps: AttemptDeps, submitted: Loaded, state: ApprovalState, debt: OwedState, directory: Directory): Promise<Tried> {
  const { id, owed, since, channel: using } = debt;
  const { tenant, approvalId, packet, body, plan } = submitted;
  const about = { approvalId, owedId: id, tenant };
  const mail = { ...about, packet: named(packet, directory) };
  const person = (personId: string): { name: string; email: string } | null => personOf(directory, personId) ?? null;
  const gone = (who: string): Tried => ({ status: 'failed_for_good', detail: `${who} has no address in the directory any more`, to: who });
  const [channel] = channelsLeft({ owed, channel: using });
  const notice = ({ person: personId, role }: Asked, name: string): Omit<Told, 'kind'> & { readonly owedId: string } => ({
    ...about,
    plan: { ...plan, lane: laneOf(state, plan, { person: personId, role }) },
    actionType: body.action.type,
    person: { id: personId, name, role },
    since,
    sentAt: submitted.readAt,
  });
  switch (owed.kind) {
    case 'ask':
    case 'remind':
    case 'page_backup': {
      const to = person(owed.to.person);
      if (!to) return gone(owed.to.person);
      const { kind, dueAt, next } = owed;
      const asking = { kind, level: owed.kind === 'page_backup' ? owed.to.role : owed.level, dueAt, next };
      const sent = channel === 'webhook' ? deps.webhook.send({ ...notice(owed.to, to.name), ...asking }) : deps.email.send({ ...mail, to, ...asking });
      return { to: owed.to.person, ...(await sent) };
    }
    case 'tell_asked': {
      const to = person(owed.to.person);
      if (!to) return gone(owed.to.person);
      const { kind } = owed;
      const from = cameFrom(submitted, debt);
      const ending = owed.what === '';
      const news = from === 'taken_over' || from === null ? undefined : (NEWS[from] ?? 'changed');
      const sent =
        channel === 'webhook'
          ? // Without the words of how it ended: they may hold a reason that somebody wrote.
            deps.webhook.send({ ...notice(owed.to, to.name), kind, outcome: ending ? state.state : null, news })
          : deps.email.send({ ...mail, to, kind, what: owed.what || (state.ended?.why ?? ''), over: ending || OVER.includes(from) });
      return { to: owed.to.person, ...(await sent) };
    }
    case 'ask_person': {
      const to = person(owed.to.person);
      if (!to) return gone(owed.to.person);
      const asked = state.questions.find((q) => q.id === owed.question);
      if (!asked) return { status: 'failed_for_good', detail: `The record holds no question ${owed.question}`, to: owed.to.person };
      const { kind, question, dueAt } = owed;
      const sent =
        channel === 'webhook'
          ? deps.webhook.send({ ...notice(owed.to, to.name), kind, question, dueAt })
          : deps.email.send({ ...mail, to, kind, askedBy: personOf(directory, asked.by)?.name ?? asked.by, question: asked.text, dueAt });
      return { to: owed.to.person, ...(await sent) };
    }
    case 'ask_agent': {
      const { question, dueAt, resume } = owed;
      if (resume.type === 'workflow') {
        const told = await deps.signalQuestion(resume.workflowId, { approvalId, question });
        return told === 'done'
          ? { status: 'done', reached: 'delivered', detail: 'The agent workflow was told that it is asked', to: resume.workflowId }
          : { status: 'failed_for_good', detail: 'The agent workflow is no longer open, so it cannot answer', to: resume.workflowId };
      }
      const asked = state.questions.find((q) => q.id === question);
      if (!asked) return { status: 'failed_for_good', detail: `The record holds no question ${question}`, to: new URL(resume.url).host };
      return await callBack(deps, submitted, id, resume.url, questionBody({ tenant, approvalId, question, text: asked.text, dueAt, since }));
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
    case 'open_ticket':
    case 'open_case':
    case 'raise_incident': {
      const kind = TICKETS[owed.kind];
      await deps.db
        .insertInto('tickets')
        .values({
          tenant,
          ticket_id: `tk_${approvalId}_${id}`,
          approval_id: approvalId,
          owed_id: id,
          kind,
          queue: owed.queue,
          owner: owed.owner,
          title: owed.title,
          state: 'open',
          created_at: await databaseTime(deps.db),
          ...(kind === 'case' ? { evidence: JSON.stringify(evidenceOf(packet)) } : {}),
        })
        .onConflict((conflict) => conflict.columns(['tenant', 'ticket_id']).doNothing())
        .execute();
      return { status: 'done', detail: `${OPENED[kind]} is open in ${owed.queue}`, to: owed.queue };
    }
    case 'callback':
      return await callBack(deps, submitted, id, owed.url, callbackBody(resultOf(submitted)));
    case 'signal_workflow': {
      const told = await deps.signalOutcome(owed.workflowId, approvalId);
      return told === 'done'
        ? { status: 'done', reached: 'delivered', detail: 'The agent workflow was signalled', to: owed.workflowId }
        : { status: 'failed_for_good', detail: 'The agent workflow is no longer open', to: owed.workflowId };
    }
    case 'pause_workflow': {
      const told = await deps.signalPause(owed.workflowId, { approvalId, reason: owed.reason });
      return told === 'done'
        ? { status: 'done', reached: 'delivered', detail: 'The agent workflow was told to pause', to: owed.workflowId }
        : { status: 'failed_for_good', detail: 'No agent workflow of this id is open, so there is none to pause', to: owed.workflowId };
    }
    case 'disable_credential':
    case 'pause_credential':
    case 'resume_credential': {
      const { credential, reason } = owed;
      const what = { ...about, agent: submitted.agent, credential, reason, policy: plan.policy, since, sentAt: submitted.readAt };
      return { to: credential, ...(await deps.credentialHook.tell(ORDERS[owed.kind], what)) };
    }
  }
}

const TICKETS = { open_ticket: 'ticket', open_case: 'case', raise_incident: 'incident' } as const;
const OPENED = { ticket: 'A ticket', case: 'A case', incident: 'An incident' } as const;
const ORDERS = {
  disable_credential: 'disable',
  pause_credential: 'pause',
  resume_credential: 'resume',
} as const satisfies Record<string, CredentialOrder>;

/** The kind of judgment that somebody is asked for: of the sign-off that they were asked for, where there are several. */
function laneOf(state: ApprovalState, plan: Plan, to: Asked): string {
  const asked = state.signOffs.filter((s) => s.asked.some(({ person, role }) => person === to.person && role === to.role));
  const { id } = asked.find((s) => s.status === 'open') ?? asked[0] ?? {};
  return (plan.signOffs.find((s) => s.id === id) ?? plan.signOffs.find((s) => s.ladder.some(({ role }) => role === to.role)))?.lane ?? plan.lane;
}

async function callBack(deps: AttemptDeps, { tenant, approvalId, agent, readAt }: Loaded, id: string, url: string, body: string): Promise<Tried> {
  const row = await deps.db
    .selectFrom('agents')
    .select(['callback_hosts', 'callback_secrets'])
    .where('tenant', '=', tenant)
    .where('agent', '=', agent)
    .executeTakeFirst();
  // Receivers compare it with their wall clocks: the database's, because a worker's host may be a day off.
  const timestamp: Instant = readAt;
  const message = {
    url,
    secrets: row?.callback_secrets ?? [],
    id: webhookId(approvalId, id),
    timestamp,
    body,
    registeredHosts: row?.callback_hosts ?? [],
  };
  const sent = await deps.pace.watch(
    url,
    () => deps.callback.send(message),
    ({ status }) => status === 'done',
  );
  return { ...sent, to: new URL(url).host };
}

function resultOf({ approvalId, result }: Loaded): ApprovalResult {
  if (!result) throw new CommitError('not_submitted', `${approvalId} has not ended, so nobody is told how`);
  return result;
}

async function record(
  deps: AttemptDeps,
  submitted: Loaded,
  debt: OwedState,
  tried: Tried,
  latencyMs: number,
  workflowTime: number,
  directory: Directory,
): Promise<AttemptResult> {
  const { tenant, approvalId } = submitted;
  return await deps.db.transaction().execute(async (trx) => {
    const loaded = await lockAgain(trx, submitted);
    const now = nowOf(deps, loaded, workflowTime);
    const before = loaded.state.owed.find((o) => o.id === debt.id);
    // Two attempts can overlap when one was given up as late: what one has settled, the other does not open again.
    if (before?.status === 'done' || (before?.status === 'failed_for_good' && tried.status !== 'done'))
      return { status: before.status, seq: loaded.state.seq, retryInMs: 0, detail: 'It was settled meanwhile' };
    const verdict = judge(debt, before ?? debt, tried, now);
    if ('postponedMs' in verdict) return await postpone(trx, loaded, debt.id, tried.detail, now, verdict.postponedMs);
    const attempt = (before ?? debt).attempts + 1;
    const { status, retryInMs, next } = verdict;
    const retryAt = retryInMs === null ? null : after(now, retryInMs);
    const channel = channelOf(debt);
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
      ...(channel === null ? {} : { channel }),
      ...(status === 'done' && tried.reached !== undefined ? { reached: tried.reached } : {}),
      ...(next === null ? {} : { fallsTo: next }),
    };
    const added = await addEntries(deps, trx, loaded, loaded, now, [{ event, commandId: null }]);
    const delivery = {
      owedId: debt.id,
      set: {
        status,
        attempts: attempt,
        last_detail: tried.detail,
        next_at: retryAt,
        updated_at: now,
        channel: next ?? channel,
        reached: event.reached ?? null,
        ...(next !== null && 'to' in debt.owed ? { target: `${debt.owed.to.person} by ${next}` } : {}),
      },
    };
    await project(trx, loaded, added, directory, now, loaded.result, 'along', { delivery });
    deps.log.info({ tenant, approvalId, owedId: debt.id, kind: debt.owed.kind, attempt, status, latencyMs, ...(channel ? { channel } : {}) }, 'attempted');
    return { status, seq: added.head.seq, retryInMs: retryInMs ?? 0, detail: tried.detail };
  });
}

/** What the attempt went out on; null for what is no message to somebody. */
const channelOf = ({ owed, channel }: OwedState): Channel | null =>
  channel ?? (owed.kind === 'tell_requester' || owed.kind === 'tell_customer' ? 'email' : null);

/** How an attempt counts. Not at all, where nothing was sent: then only how long to wait. */
type Verdict = Counted | { readonly postponedMs: number };

interface Counted {
  readonly status: AttemptStatus;
  /** Null: there is no next attempt. */
  readonly retryInMs: number | null;
  /** The channel that the next attempt goes out on instead. */
  readonly next: Channel | null;
}

/** What an attempt means for the next one. `debt` is as it was when the attempt began, `now` as it is when it came back. */
function judge(began: OwedState, debt: OwedState, tried: Tried, now: Instant): Verdict {
  if (tried.status === 'done') return { status: 'done', retryInMs: null, next: null };
  // One that came back after its channel had been given up says nothing about the next one.
  if (began.channel !== debt.channel) return { status: 'failed_for_now', retryInMs: gapAfter(debt.owed.kind, 1, null), next: null };
  const waits = tried.retryAfterMs ?? null;
  const gap = tried.status === 'failed_for_good' ? null : tried.status === 'not_tried' ? spread(waits ?? 0) : gapAfter(debt.owed.kind, debt.tried + 1, waits);
  const next = fallsTo(debt, tried.status === 'failed_for_good' ? 'failed_for_good' : 'failed_for_now', now, gap);
  if (next !== null) return { status: 'failed_for_now', retryInMs: 0, next };
  if (tried.status === 'not_tried') return { postponedMs: gap ?? 0 };
  return { status: gap === null ? 'failed_for_good' : 'failed_for_now', retryInMs: gap, next: null };
}

/** Nothing was sent, so the record has nothing to say, and no attempt is used up; the projection shows why it waits. */
async function postpone(
  trx: Transaction<Tables>,
  { tenant, approvalId, state }: Loaded,
  owedId: string,
  detail: string,
  now: Instant,
  retryInMs: number,
): Promise<AttemptResult> {
  await trx
    .updateTable('deliveries')
    .set({ status: 'failed_for_now', last_detail: detail, next_at: after(now, retryInMs), updated_at: now })
    .where('tenant', '=', tenant)
    .where('approval_id', '=', approvalId)
    .where('owed_id', '=', owedId)
    // Superseded, where the approval ended while it was tried.
    .where('status', 'in', UNSETTLED)
    .execute();
  return { status: 'failed_for_now', seq: state.seq, retryInMs, detail };
}
