/**
 * The one vocabulary between workflows, activities and clients: every wire name, payload and limit.
 * Messages carry one readonly object of plain JSON, so that a field can be added while histories run.
 * Must stay free of Node built-ins and of zod: workflow code imports it.
 */
import type { OwedKind } from '../domain/events';
import type { JsonObject } from '../domain/json';
import type { Refusal } from '../domain/moves';
import type { ApprovalResult } from '../domain/outcome';
import type { RequestDraft } from '../domain/request';
import type { ApprovalView } from '../domain/view';

/** The task queue of Countersign's own worker. */
export const TASK_QUEUE = 'countersign';

export const APPROVAL_WORKFLOW = 'approval';
export const DELIVERY_WORKFLOW = 'delivery';
export const RECONCILE_WORKFLOW = 'reconcile';
/** One sweep for each task queue, so that several installations can share a namespace. */
export const reconcileScheduleId = (taskQueue: string): string => `reconcile/${taskQueue}`;

export const approvalWorkflowId = (tenant: string, approvalId: string): string => `approval/${tenant}/${approvalId}`;
export const deliveryWorkflowId = (tenant: string, approvalId: string, owedId: string): string => `delivery/${tenant}/${approvalId}/${owedId}`;

/** Whose approval a workflow of ours is about, read from its id; null for any other workflow. */
export function approvalOf(workflowId: string): { readonly tenant: string; readonly approvalId: string } | null {
  const [, tenant, approvalId] = /^approval\/(.+)\/([^/]+)$/.exec(workflowId) ?? /^delivery\/(.+)\/([^/]+)\/[^/]+$/.exec(workflowId) ?? [];
  return tenant === undefined || approvalId === undefined ? null : { tenant, approvalId };
}

/** Ids that only workflows of ours have: an approval's, a delivery's, the sweep's, and those of the engine's own that keep the sweep's schedule. */
export const isOwnWorkflowId = (workflowId: string): boolean => /^(approval|delivery|reconcile)\/|^temporal-sys-/.test(workflowId);

/** Metadata of a payload that is meant for others than Countersign, and so is not encrypted. */
export const IN_CLEAR = 'countersign-in-clear';
/** Metadata that the codec adds to what it has decrypted. */
export const DECRYPTED = 'countersign-decrypted';

/** A person's move, by the id of its stored command. Waits for the answer. */
export const COMMAND_UPDATE = 'command';
/** The same, for senders that cannot wait. */
export const COMMAND_SIGNAL = 'command-signal';
/** Look again at the record and the clock. */
export const NUDGE_SIGNAL = 'nudge';
/** The agent no longer asks. Only tightens. */
export const WITHDRAW_SIGNAL = 'withdraw';
/** Where it stands, from the run's memory. */
export const VIEW_QUERY = 'view';
/**
 * Sent to the workflow named in the request's `resume`, with a {@link Knock}: something has ended. Anyone may signal, and others than
 * the agent may read its history, so it says nothing more; how it ended is read from the record, with the agent's key.
 */
export const OUTCOME_SIGNAL = 'countersign-outcome';

/** Sent to the same workflow, with a {@link PauseMessage}, where the policy says that silence pauses the agent. It only ever stops something. */
export const PAUSE_SIGNAL = 'countersign_pause';
/** Sent by a person who operates the agent: it goes on. */
export const RESUME_SIGNAL = 'countersign_resume';
/** Why an agent's workflow is paused; null while it is not. */
export const PAUSED_QUERY = 'countersign_paused';

/**
 * Sent to the same workflow, with an {@link Asking}: somebody who is to decide asks the agent for information. Ids and nothing else, for
 * the same reasons: the question is read from the record, with the agent's key.
 */
export const QUESTION_SIGNAL = 'countersign-question';

/** Never encrypted: an agent's worker has none of Countersign's keys. */
export interface Asking extends Knock {
  readonly question: string;
}

/** Never encrypted: an agent's worker has none of Countersign's keys. */
export interface PauseMessage {
  readonly approvalId: string;
  /** In the policy's words. */
  readonly reason: string;
}

/** Never encrypted: an agent's worker has none of Countersign's keys. */
export interface Knock {
  readonly approvalId: string;
}

/** What an approval that an agent's workflow started gives back to it. Never encrypted, and no more than the search attributes say. */
export interface ChildEnd extends Knock {
  readonly outcome: ApprovalResult['outcome'];
}

export interface ApprovalInput {
  readonly tenant: string;
  readonly approvalId: string;
  /** Domain time passes this many times as fast as the wall clock; 1 except in the demo. */
  readonly timeScale: number;
  /** Only after continue-as-new: the last adopted sequence, and how its entry's digest begins. */
  readonly seq?: number;
  readonly head?: string | undefined;
  /** Set by the sweep, which has said on the record why it starts this run. */
  readonly fromRecord?: true;
  /** What it starts waits its turn behind what it answers. Absent in runs of older versions, whose histories are in the other order. */
  readonly inTurn?: true;
}

export interface CommandMessage {
  readonly commandId: string;
}

export interface WithdrawMessage {
  readonly by: string;
  readonly reason: string;
}

/** How a move was answered. The same answer is given to every repetition. */
export interface CommandAnswer {
  readonly commandId: string;
  readonly accepted: boolean;
  /** Where the approval stands after it. */
  readonly state: string;
  /** Sequence of the entry that answers it. */
  readonly seq: number;
  readonly refusal: Refusal | null;
}

/** A well-formed command id: checked in the validator, which looks at shape only. */
export const COMMAND_ID = /^[A-Za-z0-9_-]{8,64}$/;

export type CommitCommand =
  | { readonly type: 'open' }
  | { readonly type: 'clock' }
  | { readonly type: 'command'; readonly commandId: string }
  | ({ readonly type: 'withdraw' } & WithdrawMessage)
  /** Intake was paused, and what was open is withdrawn: `entry` of the tenant's own record says so. */
  | { readonly type: 'intake'; readonly entry: number }
  /** A message that is none of ours, to be refused on the record. */
  | { readonly type: 'unsigned'; readonly message: string };

/** Which run of the engine speaks. Absent: not a workflow. */
export interface RunInfo {
  readonly id: string;
  /** A person reset the workflow: its history goes on from an earlier point. */
  readonly reset: boolean;
  /** The sweep started it, and said so. */
  readonly fromRecord: boolean;
}

export interface CommitInput {
  readonly tenant: string;
  readonly approvalId: string;
  /** The head the workflow has adopted; 0 before the first commit. */
  readonly seq: number;
  /** How the digest of that entry begins: a record that was restored from a backup may hold another one there. */
  readonly head?: string;
  readonly run?: RunInfo;
  /** As the workflow was told; corrected in the result where the clock knows better. */
  readonly timeScale?: number;
  readonly command: CommitCommand;
  /** The workflow's own time, milliseconds; the clock only under time skipping. */
  readonly workflowTime: number;
}

export interface CommitResult {
  readonly view: ApprovalView;
  /** For commands. */
  readonly answer: CommandAnswer | null;
  /** How the digest of the entry `view.seq` begins. Absent in histories of older versions. */
  readonly head?: string;
  /** The record does not hold what the workflow had adopted: it went back, and what was begun has to be looked at anew. */
  readonly rewound?: true;
  /** Only where the workflow was told another one. */
  readonly timeScale?: number;
}

export interface AttemptInput {
  readonly tenant: string;
  readonly approvalId: string;
  readonly owedId: string;
  readonly workflowTime: number;
}

/** `retryInMs` is in domain time; the workflow divides by its time scale. */
export interface AttemptResult {
  readonly status: 'done' | 'failed_for_now' | 'failed_for_good';
  readonly seq: number;
  readonly retryInMs: number;
  /** One sentence for the Temporal UI. */
  readonly detail: string;
}

export interface DeliveryInput {
  readonly tenant: string;
  readonly approvalId: string;
  readonly owedId: string;
  readonly kind: OwedKind;
  readonly summary: string;
  readonly timeScale: number;
  /** When the next attempt is due, in milliseconds of domain time from the start. */
  readonly firstInMs: number;
  /** Its number, after continue-as-new; the second in a first run. */
  readonly attempt?: number;
}

/** The activity of each debt, named so that an operator reads in the history what was done. */
export const EFFECTS = {
  ask: 'ask',
  remind: 'remind',
  page_backup: 'pageBackup',
  tell_asked: 'tellAsked',
  tell_requester: 'tellRequester',
  tell_customer: 'tellCustomer',
  open_ticket: 'openTicket',
  callback: 'resumeAgent',
  signal_workflow: 'signalAgent',
  pause_workflow: 'pauseAgent',
  disable_credential: 'disableCredential',
  ask_person: 'askPerson',
  ask_agent: 'askAgent',
  open_case: 'openCase',
  raise_incident: 'raiseIncident',
  pause_credential: 'pauseCredential',
  resume_credential: 'resumeCredential',
} as const satisfies Record<OwedKind, string>;

/** One attempt each, recorded. */
export type EffectActivities = { readonly [Name in (typeof EFFECTS)[OwedKind]]: (input: AttemptInput) => Promise<AttemptResult> };

/** What the workflows call. Effects happen here; results are plain data. */
export interface ApprovalActivities extends EffectActivities {
  /** One transaction: see activities/commit.ts. */
  commit(input: CommitInput): Promise<CommitResult>;
  /** The sweep of invariant 9. */
  reconcile(input: ReconcileInput): Promise<ReconcileReport>;
}

/** Where a sweep stopped, for the next one to go on: an approval of the record, and a page of the engine's list. */
export interface ReconcileCursor {
  readonly record: string;
  readonly engine: string;
}

export interface ReconcileInput {
  readonly workflowTime: number;
  readonly cursor?: ReconcileCursor | undefined;
}

/** What one sweep found and did. Its lists are bounded; `found` has the full numbers. */
export interface ReconcileReport {
  /** Open approvals of the record whose workflow was looked for, and open workflows that the record was asked about. */
  readonly looked: number;
  readonly started: number;
  readonly restarted: number;
  readonly nudged: number;
  /** Stored commands that nobody had delivered. */
  readonly handedOver: number;
  /** Lost deliveries that were taken up again. */
  readonly redelivered: number;
  /** Those that could not be mended now; the next sweep tries again. */
  readonly failed: number;
  /** Their clock is late. */
  readonly overdue: readonly string[];
  /** Somebody paused their workflow: decisions wait until it is unpaused. */
  readonly paused: readonly string[];
  /** Restarted again and again without getting anywhere: a person has to look. */
  readonly stuck: readonly string[];
  /** The engine knows an end that the record does not hold: a person has to look. */
  readonly contradicting: readonly string[];
  /** Open workflows whose approval the record does not know; they fail when knocked at. */
  readonly unknown: readonly string[];
  readonly found: { readonly [List in 'overdue' | 'paused' | 'stuck' | 'contradicting' | 'unknown']: number };
  /** Absent in reports of older versions. */
  readonly cursor?: ReconcileCursor;
}

/** What submitting gave back to an agent's workflow. */
export interface SubmittedRequest {
  readonly approvalId: string;
  readonly tenant: string;
  readonly needsWorkflow: boolean;
  /** Set when the policy allowed or blocked at once, or when it had ended before. */
  readonly result: ApprovalResult | null;
  /** For the child's static summary. */
  readonly headline: string;
  readonly timeScale: number;
  /** What the agent does while it waits. Absent where its worker's activities are of an older version. */
  readonly meanwhile?: MeanwhileDirective;
}

/** By the name of one of the closed list, with what it carries. */
export interface MeanwhileDirective {
  readonly agent: string;
  readonly retryAfterMs?: number | undefined;
  readonly alternative?: { readonly type: string; readonly params: JsonObject; readonly summary: string } | undefined;
  readonly toPercent?: number | undefined;
}

/** The activities that an agent's own worker registers. They hold the agent's key; its workflow never sees it. */
export interface AgentActivities {
  submitApprovalRequest(input: { readonly idempotencyKey: string; readonly request: RequestDraft }): Promise<SubmittedRequest>;
  /** How it ended, from the record; null while it is open. */
  readApprovalResult(input: { readonly approvalId: string }): Promise<ApprovalResult | null>;
}

/** Those that an agent's worker registers beside, where its workflows answer questions or add evidence. */
export interface AgentWords {
  /** What the agent is asked for on it and has not answered yet, from the record. */
  readQuestions(input: { readonly approvalId: string }): Promise<readonly AgentQuestion[]>;
  /** The same key with the same words is the same reply. False where nobody waits for it any more. */
  replyToQuestion(input: AgentReply): Promise<boolean>;
  /** The same key with the same evidence is the same piece. Fails for good where it is refused; its type is the code. */
  addApprovalEvidence(input: AgentEvidence): Promise<void>;
}

/** What somebody who is to decide wants to know from the agent, in that person's words. */
export interface AgentQuestion {
  readonly approvalId: string;
  /** Its id: `q1`. */
  readonly question: string;
  readonly text: string;
  readonly dueAt: string;
}

export interface AgentReply {
  readonly idempotencyKey: string;
  readonly approvalId: string;
  readonly question: string;
  readonly text: string;
}

export interface AgentEvidence {
  readonly idempotencyKey: string;
  readonly approvalId: string;
  readonly name: string;
  readonly title: string;
  readonly content: string;
}

export type { ApprovalResult, ApprovalView };
