/**
 * The life of one approval, as an operator reads it in the Temporal UI: who is asked, a named timer for every reminder and
 * level, an activity for every message, ticket and callback, and the outcome as its result.
 *
 * It promises: one writer per approval; every change is a commit on the record before anyone is told; a move is answered
 * when its entry is durable; nothing here allows anything. The rules live in domain/, behind `commit`.
 *
 * It must not import zod, Node built-ins, or anything that reads a clock's zone. Change it only under `patched()`:
 * the histories in test/replay/histories must keep replaying.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  TemporalFailure,
  WorkflowIdReusePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError, defineSearchAttributeKey } from '@temporalio/common';
import { ms, type Instant } from '../domain/json';
import type { Todo } from '../domain/view';
import {
  COMMAND_ID,
  COMMAND_SIGNAL,
  COMMAND_UPDATE,
  DELIVERY_WORKFLOW,
  EFFECTS,
  NUDGE_SIGNAL,
  VIEW_QUERY,
  WITHDRAW_SIGNAL,
  deliveryWorkflowId,
  type ApprovalActivities,
  type ApprovalInput,
  type ApprovalResult,
  type ApprovalView,
  type AttemptResult,
  type CommandAnswer,
  type CommandMessage,
  type CommitCommand,
  type CommitResult,
  type DeliveryInput,
  type WithdrawMessage,
} from './protocol';

/** A commit is a few milliseconds of SQL; where that fails, the regular activity below waits for the store to come back. */
const local = (summary: string) => proxyLocalActivities<ApprovalActivities>({ scheduleToCloseTimeout: '3s', retry: { maximumAttempts: 1 }, summary });

/** Retried until the store is back: a decision that cannot be recorded does not count, and is not dropped either. */
const regular = proxyActivities<ApprovalActivities>({ startToCloseTimeout: '10s', retry: { initialInterval: '200ms', maximumInterval: '5s' } });

/** One attempt at the agent: the HTTP timeout is 15 s; a worker that dies in the middle is noticed after 20. */
const outbound = (summary: string) => proxyActivities<ApprovalActivities>({ startToCloseTimeout: '20s', retry: { maximumInterval: '5s' }, summary });

export const commandUpdate = defineUpdate<CommandAnswer, [CommandMessage]>(COMMAND_UPDATE);
export const commandSignal = defineSignal<[CommandMessage]>(COMMAND_SIGNAL);
export const nudgeSignal = defineSignal(NUDGE_SIGNAL);
export const withdrawSignal = defineSignal<[WithdrawMessage]>(WITHDRAW_SIGNAL);
export const viewQuery = defineQuery<ApprovalView | null>(VIEW_QUERY);

const STATE = defineSearchAttributeKey('ApprovalState', 'KEYWORD');
const LEVEL = defineSearchAttributeKey('ApprovalLevel', 'KEYWORD');
const LANES = defineSearchAttributeKey('ApprovalLane', 'KEYWORD_LIST');
const OWNERS = defineSearchAttributeKey('ApprovalOwner', 'KEYWORD_LIST');
const DUE = defineSearchAttributeKey('ApprovalDue', 'DATETIME');

/** Continue-as-new beyond this many events: histories stay small however long people take. */
const EVENTS_MAX = 1000;

interface Letter {
  readonly command: CommitCommand;
  /** Set when a person waits for the answer. */
  readonly answer?: (answer: CommandAnswer) => void;
}

export async function approval(input: ApprovalInput): Promise<ApprovalResult> {
  const inbox: Letter[] = [];
  const alarm = new Alarm(input.timeScale, () => inbox.push({ command: { type: 'clock' } }));
  const effects = new Effects(input);
  let view: ApprovalView | null = null;
  let shown = '';
  const isDone = (): boolean => Boolean(view?.result) && effects.idle && allHandlersFinished();

  setHandler(
    commandUpdate,
    async ({ commandId }) => {
      let answer: CommandAnswer | undefined;
      inbox.push({ command: { type: 'command', commandId }, answer: (a) => (answer = a) });
      await condition(() => answer !== undefined);
      return answer as unknown as CommandAnswer;
    },
    { validator: checkShape },
  );
  setHandler(commandSignal, (message) => {
    if (isCommandMessage(message)) inbox.push({ command: { type: 'command', commandId: message.commandId } });
    else log.warn('A command signal without a well-formed command id was ignored');
  });
  setHandler(nudgeSignal, () => void inbox.push({ command: { type: 'clock' } }));
  setHandler(withdrawSignal, (message) => void inbox.push({ command: { type: 'withdraw', by: text(message, 'by'), reason: text(message, 'reason') } }));
  setHandler(viewQuery, () => view);
  CancellationScope.current().cancelRequested.catch(() =>
    inbox.push({ command: { type: 'withdraw', by: 'engine', reason: 'The approval workflow was cancelled' } }),
  );

  return await CancellationScope.nonCancellable(async () => {
    inbox.unshift({ command: { type: 'open' } });
    for (;;) {
      await condition(() => inbox.length > 0 || isDone());
      for (let letter = inbox.shift(); letter !== undefined; letter = inbox.shift()) {
        const result: CommitResult = await commit(input, view?.seq ?? input.seq ?? 0, letter.command);
        view = result.view;
        if (letter.answer && result.answer) letter.answer(result.answer);
        effects.begin(view, letter.answer !== undefined);
      }
      if (view === null) continue;
      alarm.set(view.wake, view.now);
      shown = show(view, shown);
      if (inbox.length > 0 || !effects.idle || !allHandlersFinished()) continue;
      if (view.result) return view.result;
      if (!isLong()) continue;
      alarm.clear();
      await continueAsNew<typeof approval>({ ...input, seq: view.seq });
    }
  });
}

/** Later attempts at what one approval owes: attempt, record, sleep, until it is accepted or a dead letter. */
export async function delivery(input: DeliveryInput): Promise<AttemptResult> {
  const { tenant, approvalId, owedId } = input;
  for (let wait = input.firstInMs, n = 2; ; n += 1) {
    await sleep(Math.max(1, Math.round(wait / input.timeScale)), { summary: `${input.summary}: attempt ${n}` });
    const result = await outbound(input.summary)[EFFECTS[input.kind]]({ tenant, approvalId, owedId, workflowTime: Date.now() });
    setCurrentDetails(result.detail);
    if (result.status !== 'failed_for_now') return result;
    wait = result.retryInMs;
  }
}

// ---------------------------------------------------------------- helpers

/** Local first, for speed; regular when that fails, for patience. A refusal is an answer and never comes here as a failure. */
async function commit(input: ApprovalInput, seq: number, command: CommitCommand): Promise<CommitResult> {
  const call = { tenant: input.tenant, approvalId: input.approvalId, seq, command, workflowTime: Date.now() };
  try {
    return await local(`Commit: ${command.type}`).commit(call);
  } catch (error) {
    if (!isActivitys(error)) throw error;
    return await regular.commit({ ...call, workflowTime: Date.now() });
  }
}

/** Whether an activity failed, as opposed to this code. What a local one throws arrives bare, not inside an ActivityFailure. */
const isActivitys = (error: unknown): boolean => error instanceof TemporalFailure && !isCancellation(error);

/** One timer for the next instant; re-armed only when the instant changes. */
class Alarm {
  private at: Instant | null = null;
  private scope: CancellationScope | null = null;
  constructor(
    private readonly timeScale: number,
    private readonly ring: () => void,
  ) {}

  set(wake: ApprovalView['wake'], now: Instant): void {
    if ((wake?.at ?? null) === this.at) return;
    this.clear();
    if (!wake) return;
    this.at = wake.at;
    const wait = Math.max(1, Math.ceil((ms(wake.at) - ms(now)) / this.timeScale));
    const scope = new CancellationScope({ cancellable: true });
    this.scope = scope;
    scope
      .run(() => sleep(wait, { summary: wake.label }))
      .then(() => {
        this.at = null;
        this.scope = null;
        this.ring();
      })
      .catch(() => undefined); // Cancelled: another instant took its place.
  }

  clear(): void {
    this.at = null;
    this.scope?.cancel();
    this.scope = null;
  }
}

/** Starts what the view says is owed, each once in this run; hands what does not succeed at first to a `delivery` workflow. */
class Effects {
  private readonly begun = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  constructor(private readonly input: ApprovalInput) {}

  get idle(): boolean {
    return this.running.size === 0;
  }

  /** `answering`: someone waits for this task to complete, so nothing slow may ride in it. */
  begin(view: ApprovalView, answering: boolean): void {
    const fresh = view.todo.filter((todo) => !this.begun.has(todo.id));
    const callbacks = fresh.filter((todo) => todo.kind === 'callback').map((todo) => this.track(todo, false));
    const first = Promise.all(callbacks);
    for (const todo of fresh.filter((t) => t.kind !== 'callback')) {
      // After the callback's first attempt a message costs one marker; before it, it would delay the agent.
      if (callbacks.length > 0) void this.track(todo, true, first);
      else void this.track(todo, !answering || todo.kind === 'signal_workflow');
    }
  }

  private track(todo: Todo, asLocal: boolean, after?: Promise<unknown>): Promise<void> {
    this.begun.add(todo.id);
    const run = this.perform(todo, asLocal, after).finally(() => this.running.delete(run));
    this.running.add(run);
    return run;
  }

  private async perform(todo: Todo, asLocal: boolean, after?: Promise<unknown>): Promise<void> {
    await after;
    const first = await this.attempt(todo, asLocal);
    if (first.status !== 'failed_for_now') return;
    const { tenant, approvalId, timeScale } = this.input;
    const input: DeliveryInput = { tenant, approvalId, owedId: todo.id, kind: todo.kind, summary: todo.summary, timeScale, firstInMs: first.retryInMs };
    try {
      await startChild(DELIVERY_WORKFLOW, {
        args: [input],
        workflowId: deliveryWorkflowId(tenant, approvalId, todo.id),
        staticSummary: todo.summary,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  private async attempt(todo: Todo, asLocal: boolean): Promise<AttemptResult> {
    const call = { tenant: this.input.tenant, approvalId: this.input.approvalId, owedId: todo.id, workflowTime: Date.now() };
    const name = EFFECTS[todo.kind];
    if (!asLocal) return await outbound(todo.summary)[name](call);
    try {
      return await local(todo.summary)[name](call);
    } catch (error) {
      if (!isActivitys(error)) throw error;
      return { status: 'failed_for_now', seq: 0, retryInMs: 5000, detail: 'The first attempt did not come back in time' };
    }
  }
}

/** Attributes and details for the operator's page; written only when they changed. Returns what is shown now. */
function show(view: ApprovalView, before: string): string {
  setCurrentDetails(view.details);
  const { state, level, lanes, owners, due } = view.attributes;
  const now = JSON.stringify(view.attributes);
  if (now !== before) {
    upsertSearchAttributes([
      { key: STATE, value: state },
      { key: LEVEL, value: level === '' ? null : level },
      { key: LANES, value: [...lanes] },
      { key: OWNERS, value: owners.length > 0 ? [...owners] : null },
      { key: DUE, value: due === null ? null : new Date(due) },
    ]);
  }
  return now;
}

const isLong = (): boolean => workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > EVENTS_MAX;

const isCommandMessage = (message: unknown): message is CommandMessage =>
  typeof message === 'object' && message !== null && 'commandId' in message && typeof message.commandId === 'string' && COMMAND_ID.test(message.commandId);

/** Shape only: whether the command exists and what it says is for `commit`. */
function checkShape(message: CommandMessage): void {
  if (!isCommandMessage(message)) throw new Error('command_malformed: an update carries {commandId}, the id of a stored command, and nothing else');
}

/** A text from an unsigned message: kept short, never trusted, and without what the record cannot keep (half a pair, U+0000). */
function text(message: unknown, field: string): string {
  const value = typeof message === 'object' && message !== null ? (message as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' && value.trim() !== ''
    ? value
        .slice(0, 500)
        .replaceAll('\0', '\ufffd')
        .replace(/\p{Cs}/gu, '\ufffd')
    : 'not stated';
}
