/**
 * How stored things look in the API's answers. Pure.
 */
import type { z } from 'zod';
import type { ApprovalRow } from './reads';
import type { Question } from './questions';
import type { ApprovalSchema, QuestionSchema, RequestStateSchema, SubmittedSchema } from './schemas';
import { factLines } from '../../domain/answers';
import { conditionWords } from '../../domain/conditions';
import type { ApprovalEvent, OwedKind } from '../../domain/events';
import type { Instant } from '../../domain/json';
import type { Conditions } from '../../domain/plan';

export type Submitted = z.output<typeof SubmittedSchema>;

export const pageOf = (publicUrl: string, approvalId: string): string => `${publicUrl}/approvals/${encodeURIComponent(approvalId)}`;

export const presentApproval = (a: ApprovalRow, publicUrl: string): z.output<typeof ApprovalSchema> => ({
  approval_id: a.approvalId,
  tenant: a.tenant,
  agent: a.agent,
  state: a.state,
  ended: a.ended,
  headline: a.headline,
  lane: a.lane,
  lanes: [...a.lanes],
  tier: a.tier,
  level: a.level,
  owner: a.owner,
  owners: [...a.owners],
  due_at: a.dueAt,
  seq: a.seq,
  packet_digest: a.packetDigest,
  action_digest: a.actionDigest,
  meanwhile: a.plan.meanwhile,
  result: a.result === null ? null : { ...a.result },
  created_at: a.createdAt,
  updated_at: a.updatedAt,
  page: pageOf(publicUrl, a.approvalId),
});

const presentQuestion = ({ id, of, by, text, askedAt, dueAt, status, answer }: Question): z.output<typeof QuestionSchema> => ({
  id,
  of,
  by,
  text,
  asked_at: askedAt,
  due_at: dueAt,
  status,
  answer,
});

/** With what was asked about it. */
export const presentRequest = (a: ApprovalRow, publicUrl: string): z.output<typeof RequestStateSchema> => ({
  ...presentApproval(a, publicUrl),
  questions: a.questions.map(presentQuestion),
});

/** `2026-11-21 09:30 UTC`. */
export const minute = (at: Instant): string => `${at.slice(0, 16).replace('T', ' ')} UTC`;

const BY = { email: 'Mail to', webhook: 'Webhook for' } as const;

const DONE: Readonly<Record<OwedKind, (to: string, by: string) => string>> = {
  ask: (to, by) => `${by} ${to}: asked`,
  remind: (to, by) => `${by} ${to}: reminded`,
  page_backup: (to, by) => `${by} ${to}: paged`,
  tell_asked: (to, by) => `${by} ${to}: how it stands`,
  ask_person: (to, by) => `${by} ${to}: asked for information`,
  ask_agent: (to) => `Question to the agent at ${to}`,
  tell_requester: (to, by) => `${by} ${to}, for the agent: how it ended`,
  tell_customer: (_, by) => `${by} the customer`,
  open_ticket: (to) => `Ticket in the queue ${to}`,
  open_case: (to) => `Case in the queue ${to}, with the evidence`,
  raise_incident: (to) => `Incident in the queue ${to}`,
  pause_credential: (to) => `Credential hook for ${to}, to pause it`,
  resume_credential: (to) => `Credential hook for ${to}, to let it work again`,
  callback: (to) => `Signed callback to ${to}`,
  signal_workflow: (to) => `Signal to the agent's workflow ${to}`,
  pause_workflow: (to) => `Signal to the agent's workflow ${to}, to pause`,
  disable_credential: (to) => `Credential hook for ${to}, to disable it`,
};

function attempted({ kind, status, attempt, detail, channel, reached, fallsTo }: Extract<ApprovalEvent, { type: 'attempted' }>, to: string): string {
  const what = DONE[kind](to, BY[channel ?? 'email']);
  if (status === 'done') return reached === undefined ? what : `${what} (${reached})`;
  const next = fallsTo === undefined ? '' : `; next by ${fallsTo}`;
  return `${what}: attempt ${String(attempt)} ${status === 'failed_for_now' ? 'failed for now' : 'failed for good'} (${detail})${next}`;
}

/** `, at most USD 200.00`; nothing for a yes to what was asked. */
const limitedTo = (conditions: Conditions | undefined): string =>
  conditions
    ? conditionWords(conditions)
        .map((words) => `, ${words}`)
        .join('')
    : '';

/** One sentence for a line of the timeline; `name` turns a person's id into a name. */
export function sentence(event: ApprovalEvent, name: (id: string) => string): string {
  switch (event.type) {
    case 'requested':
      return `${event.agent} asked: ${event.summary}`;
    case 'routed':
      return `Policy ${event.policy.name} ${event.policy.version} routed it to ${event.lane} (${event.effect})`;
    case 'level_opened':
      return `${event.asked.map((a) => name(a.person)).join(' and ')} asked as ${event.role} (${event.name}) until ${minute(event.dueAt)}; then ${event.next}`;
    case 'level_skipped':
      return `${event.name} skipped: ${event.why}`;
    case 'reminded':
      return `Reminded ${[...new Set(event.owed.flatMap((o) => ('to' in o ? [name(o.to.person)] : [])))].join(' and ')}`;
    case 'level_timed_out':
      return `${event.name} (${name(event.owner)}) did not answer by ${minute(event.dueAt)}`;
    case 'claimed':
      return `${name(event.by)} (${event.role}) claimed it`;
    case 'released':
      return `${name(event.by)} (${event.role}) released it`;
    case 'signed_off':
      return `${name(event.by)} (${event.role}) said yes${event.authority === 'endorsement' ? ', an endorsement that a further sign-off completes' : ''}${limitedTo(event.conditions)}${event.reason ? `: ${event.reason}` : ''}`;
    case 'denied':
      return `${name(event.by)} (${event.role}) said no: ${event.reason}`;
    case 'taken_over':
      return `${name(event.by)} (${event.role}) took it over until ${minute(event.dueAt)}${event.reason ? `: ${event.reason}` : ''}`;
    case 'answered':
      return `${name(event.by)} (${event.role}) answered: ${factLines(event.facts).join('; ')}`;
    case 'handed_back':
      return `${name(event.by)} (${event.role}) handed it back: ${event.instructions}`;
    case 'resolved':
      return event.how === 'abandoned'
        ? `${name(event.by)} (${event.role}) abandoned it: ${event.result}`
        : `${name(event.by)} (${event.role}) resolved it by hand: ${event.result}`;
    case 'worked':
      return `${name(event.by)} (${event.role}): ${event.status.replaceAll('_', ' ')}; next word by ${minute(event.dueAt)}${event.note ? `: ${event.note}` : ''}`;
    case 'commented':
      return `${name(event.by)} (${event.role}): ${event.text}`;
    case 'information_asked':
      return `${name(event.by)} (${event.role}) asked ${event.of === 'agent' ? 'the agent' : name(event.of)}, until ${minute(event.dueAt)}${event.left === null ? '' : ' (the clock stands still)'}: ${event.text}`;
    case 'information_given':
      return `${event.byAgent ? `The agent ${event.by}` : name(event.by)} answered: ${event.text}`;
    case 'question_lapsed':
      return `${event.of === 'agent' ? 'The agent' : name(event.of)} did not answer by ${minute(event.dueAt)}`;
    case 'evidence_added':
      return `${event.by} added evidence: ${event.title} (${event.name}); the packet is another one now`;
    case 'reassigned':
      return `${name(event.by)} (${event.role}) gave it to ${name(event.to.person)}${event.reason ? `: ${event.reason}` : ''}`;
    case 'passed_up':
      return `${name(event.by)} (${event.role}) passed it up: ${event.reason}`;
    case 'said_no':
      return `${name(event.by)} (${event.role}) said no: ${event.reason}`;
    case 'extended':
      return `${name(event.by)} (${event.role}) extended it from ${minute(event.from)} to ${minute(event.dueAt)}: ${event.reason}`;
    case 'override_proposed':
      return `${name(event.by)} (${event.role}) proposed to override it (${event.decision}, ${event.because}): ${event.reason}; a second person has to agree`;
    case 'overridden':
      return `${name(event.by)} (${event.role}) overrode it (${event.decision}, ${event.because}): ${event.reason}`;
    case 'glass_broken':
      return `${name(event.by)} (${event.role}) broke the glass: ${event.reason}`;
    case 'delivery_reopened':
      return `${name(event.by)} (${event.role}) had ${event.owedId} tried again: ${event.reason}`;
    case 'resolved_anew':
      return `${event.why}: ${event.asked.map((a) => name(a.person)).join(' and ')} asked until ${minute(event.dueAt)}`;
    case 'meanwhile_begun':
      return `Meanwhile the agent is to ${event.directive.replaceAll('_', ' ')}`;
    case 'takeover_lapsed':
      return `${name(event.by)} took it over and did not finish by ${minute(event.dueAt)}`;
    case 'held':
      return `Held for ${name(event.owner)} (${event.role}) until ${minute(event.dueAt)}`;
    case 'ended':
      return `Ended as ${event.outcome}: ${event.why}`;
    case 'refused':
      return `A move (${event.move}) by ${name(event.by)} was refused: ${event.message}`;
    case 'attempted':
      return attempted(event, name(event.to));
    case 'engine':
      return `The engine was ${event.what}: ${event.why}`;
  }
}
