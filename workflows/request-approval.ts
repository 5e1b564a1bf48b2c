/**
 * What agent workflows import: submit a request, wait in a child approval, act on the outcome.
 *
 * It promises: one approval per `workflowId/step` however often the agent's run is retried, reset or continued as new;
 * that it ended is told by the child's end or by a signal to this workflow's id, whichever is first, and how is read from the
 * record, with the agent's key. What Countersign leaves in this workflow's history is never encrypted, so that its worker needs none of
 * Countersign's payload keys. Cancelling the agent withdraws the request and waits until that is on the record. An agent that the policy
 * pauses asks for nothing more until a person resumes it. A question reaches it as an id; its words are read by an activity of the agent's
 * worker, with the agent's key, and so is the reply sent. An agent that answers no questions and adds no evidence runs as it did before
 * there were any.
 *
 * Must not import zod, Node built-ins or the client.
 */
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  WorkflowIdReusePolicy,
  condition,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  patched,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { ChildWorkflowFailure, WorkflowExecutionAlreadyStartedError, defineSearchAttributeKey } from '@temporalio/common';
import type { RequestDraft } from '../domain/request';
import {
  APPROVAL_WORKFLOW,
  OUTCOME_SIGNAL,
  PAUSED_QUERY,
  PAUSE_SIGNAL,
  QUESTION_SIGNAL,
  RESUME_SIGNAL,
  TASK_QUEUE,
  WITHDRAW_SIGNAL,
  approvalWorkflowId,
  type AgentActivities,
  type AgentEvidence,
  type AgentQuestion,
  type AgentWords,
  type ApprovalInput,
  type ApprovalResult,
  type Asking,
  type ChildEnd,
  type Knock,
  type MeanwhileDirective,
  type PauseMessage,
  type SubmittedRequest,
} from './protocol';

export const outcomeSignal = defineSignal<[Knock]>(OUTCOME_SIGNAL);
export const questionSignal = defineSignal<[Asking]>(QUESTION_SIGNAL);
export const pauseSignal = defineSignal<[PauseMessage]>(PAUSE_SIGNAL);
export const resumeSignal = defineSignal(RESUME_SIGNAL);
export const pausedQuery = defineQuery<Paused | null>(PAUSED_QUERY);

/** A request as an agent workflow states it: how to resume is filled in by the helper. */
export type AgentRequest = Omit<RequestDraft, 'resume' | 'run'> & { readonly run?: string };

/** Why this agent stands still: silence on one of its requests paused it, as the policy says. */
export type Paused = PauseMessage;

/** A question of somebody who is to decide on `step`. */
export interface Question extends AgentQuestion {
  readonly step: string;
}

/**
 * Runs in the agent's workflow while the request waits: it may call activities of its own. Null: the agent does not know, and the
 * question lapses at its time. What it throws is logged, and leaves the question open; the request waits on.
 */
export type OnQuestion = (question: Question) => string | null | Promise<string | null>;

export interface CountersignInWorkflow {
  readonly taskQueue?: string;
  /** Without it this workflow answers no questions. Its worker registers the activities of {@link AgentWords}. */
  readonly onQuestion?: OnQuestion;
}

export interface WaitOptions {
  /**
   * Told once, as soon as the request waits for a person: what the agent does meanwhile, as the policy says. `follow` of the SDK carries it
   * out by name. It is told again when the agent's run begins anew.
   */
  readonly onMeanwhile?: (directive: MeanwhileDirective) => unknown;
}

export interface Countersign {
  /**
   * Asks once and waits as long as it takes. `step` names the place in the agent's workflow and makes the request idempotent.
   * Throws the activity's failure when the request is refused as malformed (`type` is its code), and a cancellation when the
   * agent was cancelled, after the withdrawal is on the record.
   */
  requestApproval(step: string, request: AgentRequest, options?: WaitOptions): Promise<ApprovalResult>;
  /**
   * More to decide from, for a request that waits: `step` as it was asked under, once it has been asked. The same name under the same step
   * is added once. The packet has another digest afterwards, and who decides sees what was added. Throws the activity's failure when it is refused
   * (`type` is its code). Its worker registers the activities of {@link AgentWords}.
   */
  addEvidence(step: string, evidence: Pick<AgentEvidence, 'name' | 'title' | 'content'>): Promise<void>;
  /**
   * Waits while this agent is paused, and goes on when a person has sent it {@link RESUME_SIGNAL}; at once where it is not paused. An agent
   * with a loop awaits it at the top of each round, and before it continues as new, since the next run knows nothing of it. A request waits by itself.
   */
  untilResumed(): Promise<void>;
  /** The first pause that nobody has ended yet; null while there is none. */
  paused(): Paused | null;
}

/** Call once, at the top of the agent's workflow, before its first await: it sets the outcome's signal handler. */
export function useCountersign(options: CountersignInWorkflow = {}): Countersign {
  /** Approvals that somebody says have ended. Anyone may signal, so what counts is read from the record, with the agent's key. */
  const knocks = new Set<string>();
  setHandler(outcomeSignal, (message: unknown) => void knocks.add(approvalIdIn(message)));
  const activities = proxyActivities<AgentActivities & AgentWords>({ startToCloseTimeout: '30s', retry: { maximumInterval: '10s' } });
  const pauses = new Pauses();
  setHandler(pauseSignal, (message: unknown) => void pauses.pause(approvalIdIn(message), reasonIn(message)));
  setHandler(resumeSignal, () => void pauses.resume());
  setHandler(pausedQuery, () => pauses.first);
  /** The approvals of the steps that have been asked. */
  const steps = new Map<string, string>();
  const { onQuestion } = options;
  const questions = new Questions();
  if (onQuestion) setHandler(questionSignal, (message: unknown) => void questions.ask(approvalIdIn(message)));

  async function replyTo(question: Question, answering: OnQuestion): Promise<void> {
    const { approvalId, step, question: id } = question;
    const text = await answering(question);
    if (text === null || questions.isOver(approvalId)) return;
    await activities.replyToQuestion({ idempotencyKey: `${workflowInfo().workflowId}/${step}/${id}`, approvalId, question: id, text });
  }

  /** Answers what is asked about one request until it has ended. What a signal says is only that there is something to read. */
  async function answer(step: string, approvalId: string, answering: OnQuestion): Promise<void> {
    const unanswered = (error: unknown): void => log.error('A question to the agent was not answered', { approvalId, error });
    while (await questions.next(approvalId)) {
      // One that cannot be answered keeps no other from its answer.
      const open = await activities.readQuestions({ approvalId }).catch((error: unknown) => {
        unanswered(error);
        return [];
      });
      for (const question of open) if (questions.isNew(approvalId, question.question)) await replyTo({ ...question, step }, answering).catch(unanswered);
    }
  }

  return {
    async addEvidence(step, { name, title, content }) {
      await condition(() => steps.has(step));
      const approvalId = steps.get(step) ?? '';
      await activities.addApprovalEvidence({ idempotencyKey: `${workflowInfo().workflowId}/${step}/evidence/${name}`, approvalId, name, title, content });
    },
    untilResumed: () => pauses.over(),
    paused: () => pauses.first,
    async requestApproval(step, request, { onMeanwhile } = {}) {
      await pauses.over();
      const { workflowId } = workflowInfo();
      const cancelled = { yes: false, withdrawn: false };
      const lost = { yes: false };
      // Nothing is asked for an agent that is going away.
      if (CancellationScope.current().consideredCancelled) await CancellationScope.current().cancelRequested;
      CancellationScope.current().cancelRequested.catch(() => (cancelled.yes = true));
      const result = await CancellationScope.nonCancellable(async () => {
        const submitted = await activities.submitApprovalRequest({
          idempotencyKey: `${workflowId}/${step}`,
          request: { run: workflowId, ...request, resume: { type: 'workflow', workflow_id: workflowId } },
        });
        const { approvalId } = submitted;
        steps.set(step, approvalId);
        if (submitted.result) return submitted.result;
        if (onQuestion) void answer(step, approvalId, onQuestion);
        // What is not known to an older worker is the strictest that an agent can do and go on.
        Promise.resolve(onMeanwhile?.(submitted.meanwhile ?? { agent: 'block' })).catch((error: unknown) =>
          log.error('What the agent does meanwhile failed', { approvalId, error }),
        );
        const child = await startApproval(submitted, options.taskQueue ?? TASK_QUEUE);
        // The child's result is lost when this workflow continues as new, and when the child was terminated: the knock is not.
        child?.result().then(
          () => knocks.add(approvalId),
          (error: unknown) => {
            if (isLost(error) && patched(LOST)) lost.yes = true;
          },
        );
        if (!child) knocks.add(approvalId);
        // What an earlier run of this agent was asked is not asked again.
        if (!child && onQuestion) questions.ask(approvalId);
        const ended = async (): Promise<ApprovalResult | null> => {
          knocks.delete(approvalId);
          return await activities.readApprovalResult({ approvalId });
        };
        for (;;) {
          await condition(() => knocks.has(approvalId) || cancelled.yes || lost.yes);
          if (lost.yes) throw lostFailure(approvalId);
          if (!knocks.has(approvalId)) {
            cancelled.withdrawn = true;
            await withdraw(submitted, () => knocks.has(approvalId) || lost.yes);
            continue;
          }
          const result = await ended();
          if (!result) continue;
          questions.end(approvalId);
          return result;
        }
      });
      // A decision that was there before the cancellation is the outcome; a withdrawal is the agent's own doing.
      if (cancelled.withdrawn) await CancellationScope.current().cancelRequested;
      // The signal may come later than the result, or not at all: the record says it as well.
      if (result.next.pause) pauses.pause(result.approvalId, result.next.pause.reason);
      return result;
    },
  };
}

/** Which requests somebody has asked about. Anyone may signal: what is not read from the record is no question, and a flood of signals is one look. */
class Questions {
  private readonly asked = new Set<string>();
  private readonly over = new Set<string>();
  private readonly seen = new Set<string>();

  ask(approvalId: string): void {
    // It may come before the answer to submitting does, which is when the request is first known here.
    this.asked.add(approvalId);
    const [oldest] = this.asked;
    if (this.asked.size > QUESTIONS_MAX && oldest !== undefined) this.asked.delete(oldest);
  }

  end(approvalId: string): void {
    this.over.add(approvalId);
  }

  isOver(approvalId: string): boolean {
    return this.over.has(approvalId);
  }

  /** Each question is put to the agent once in a run. */
  isNew(approvalId: string, question: string): boolean {
    const id = `${approvalId}/${question}`;
    const isNew = !this.seen.has(id);
    this.seen.add(id);
    return isNew;
  }

  /** Waits for one about this request; false when it has ended. */
  async next(approvalId: string): Promise<boolean> {
    await condition(() => this.asked.has(approvalId) || this.over.has(approvalId));
    this.asked.delete(approvalId);
    return !this.over.has(approvalId);
  }
}

/** Signals of others about what this workflow never asked are not kept without end. */
const QUESTIONS_MAX = 1_000;

/** What has paused this run, once for each approval: a signal that comes again, or after the result, pauses nothing a second time. */
class Pauses {
  private readonly open = new Map<string, Paused>();
  private readonly seen = new Set<string>();

  get first(): Paused | null {
    const [first] = this.open.values();
    return first ?? null;
  }

  pause(approvalId: string, reason: string): void {
    if (this.seen.has(approvalId)) return;
    this.seen.add(approvalId);
    this.open.set(approvalId, { approvalId, reason });
  }

  resume(): void {
    this.open.clear();
  }

  async over(): Promise<void> {
    if (this.first) await condition(() => this.first === null);
  }
}

/** Guards the change: an agent of before waits on. */
const LOST = 'a-lost-request-is-told';

/** Its approval asked the record and was not known there, as after a restore of an older backup. Another failure is mended by the sweep. */
const isLost = (error: unknown): boolean =>
  error instanceof ChildWorkflowFailure && error.cause instanceof ApplicationFailure && error.cause.type === 'not_submitted';

const lostFailure = (approvalId: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(
    `Countersign's record does not know ${approvalId} any more: its store was restored from a backup older than the request. Nothing was decided; ask again`,
    'request_lost',
  );

const approvalIdIn = (message: unknown): string =>
  typeof message === 'object' && message !== null && 'approvalId' in message && typeof message.approvalId === 'string' ? message.approvalId : '';

const reasonIn = (message: unknown): string =>
  typeof message === 'object' && message !== null && 'reason' in message && typeof message.reason === 'string' ? message.reason : 'no reason was given';

type ApprovalWorkflow = (input: ApprovalInput) => Promise<ChildEnd>;

const STATE = defineSearchAttributeKey('ApprovalState', 'KEYWORD');
const TENANT = defineSearchAttributeKey('ApprovalTenant', 'KEYWORD');

/** Starts the approval as a child, or returns null when one runs (or ran) under this id already. */
async function startApproval(submitted: SubmittedRequest, taskQueue: string): Promise<ChildWorkflowHandle<ApprovalWorkflow> | null> {
  const { tenant, approvalId, timeScale, headline } = submitted;
  const input: ApprovalInput = { tenant, approvalId, timeScale, inTurn: true };
  try {
    return await startChild<ApprovalWorkflow>(APPROVAL_WORKFLOW, {
      args: [input],
      workflowId: approvalWorkflowId(tenant, approvalId),
      taskQueue,
      staticSummary: headline,
      workflowTaskTimeout: '5s',
      typedSearchAttributes: [
        { key: STATE, value: 'routing' },
        { key: TENANT, value: tenant },
      ],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
    });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return null;
    throw error;
  }
}

/** How long until the withdrawal is sent again, when the approval's workflow was not there or did not answer. */
const WITHDRAW_AGAIN = '15s';

/**
 * Withdraws, and waits until it is recorded, which `ended` says. An approval whose workflow is gone is started again by the
 * reconciler, so the message is repeated until somebody hears it; a second one does nothing.
 */
async function withdraw({ tenant, approvalId }: SubmittedRequest, ended: () => boolean): Promise<void> {
  do {
    try {
      const handle = getExternalWorkflowHandle(approvalWorkflowId(tenant, approvalId));
      await handle.signal(WITHDRAW_SIGNAL, { by: 'the agent', reason: 'The agent was cancelled' });
    } catch (error) {
      // It closed in this moment and its outcome is on the way as a signal, or it will be started again.
      if (isCancellation(error)) throw error;
    }
  } while (!(await condition(ended, WITHDRAW_AGAIN)));
}
