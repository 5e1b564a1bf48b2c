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
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  TemporalFailure,
  TimeoutFailure,
  WorkflowIdReusePolicy,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { ActivityFailure, WorkflowExecutionAlreadyStartedError, defineSearchAttributeKey, type RawValue } from '@temporalio/common';
import { ms, type Instant } from '../domain/json';
import type { Todo } from '../domain/view';
import { inClear, isUnreadable } from './payload-converter';
import {
  COMMAND_ID,
  COMMAND_SIGNAL,
  COMMAND_UPDATE,
  DELIVERY_WORKFLOW,
  EFFECTS,
  NUDGE_SIGNAL,
  VIEW_QUERY,
  WITHDRAW_SIGNAL,
  approvalOf,
  approvalWorkflowId,
  deliveryWorkflowId,
  type ApprovalActivities,
  type ApprovalInput,
  type ApprovalResult,
  type ApprovalView,
  type AttemptResult,
  type ChildEnd,
  type CommandAnswer,
  type CommandMessage,
  type CommitCommand,
  type CommitInput,
  type CommitResult,
  type DeliveryInput,
  type RunInfo,
  type WithdrawMessage,
} from './protocol';
import { refuseInventedStart } from './starts';
import { Strays } from './strays';

/** A commit is a few milliseconds of SQL; where that fails, the regular activity below waits for the store to come back. */
const local = (summary: string) => proxyLocalActivities<ApprovalActivities>({ scheduleToCloseTimeout: '3s', retry: { maximumAttempts: 1 }, summary });

/** Work under way gives signs of life each second: a worker that dies in the middle is missed this soon, however long the work may take. */
const MISSED = '6s';

/** Retried until the store is back: a decision that cannot be recorded does not count, and is not dropped either. */
const regular = proxyActivities<ApprovalActivities>({
  startToCloseTimeout: '10s',
  heartbeatTimeout: MISSED,
  retry: { initialInterval: '200ms', maximumInterval: '5s' },
});

/** The longest that one call to an agent takes, in milliseconds, and some more to record it. */
const CALLBACK_MS = 16_000;
/** Before the second attempt at what failed or is no call to an agent, in milliseconds. */
const AGAIN_MS = 5_000;

/** One attempt at the agent: the HTTP timeout is 15 s. */
const outbound = (summary: string) =>
  proxyActivities<ApprovalActivities>({ startToCloseTimeout: '20s', heartbeatTimeout: MISSED, retry: { maximumInterval: '5s' }, summary });

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
/** For so many events more it begins nothing new. */
const DRAINING_MAX = 200;
/** Or this many bytes: what people say is on the record, and yet each answer is an event. */
const BYTES_MAX = 500_000;

interface Letter {
  readonly command: CommitCommand;
  /** Set when a person waits for the answer. */
  readonly answer?: (answer: CommandAnswer) => void;
}

export async function approval(given: ApprovalInput): Promise<ApprovalResult | RawValue<ChildEnd>> {
  const input = isUnreadable(given) ? inputFromId() : given;
  refuseInventedStart(input, approvalWorkflowId);
  const known: Known = { ...input, ...adoptedBefore(input) };
  const inbox: Letter[] = [];
  const alarm = new Alarm(known, () => inbox.push({ command: { type: 'clock' } }));
  let committing = false;
  const effects = new Effects(known, () => !committing && allHandlersFinished());
  const strays = new Strays((message) => inbox.push({ command: { type: 'unsigned', message } }));
  let view: ApprovalView | null = null;
  let shown = '';
  const isQuiet = (): boolean => effects.idle && allHandlersFinished();
  const isDone = (): boolean => Boolean(view?.result) && isQuiet();
  // Where each move owes somebody a message, no move leaves the run quiet: it continues once the messages are out that it has begun, and
  // the next run begins the others. Only for so long: where people never leave a gap, what they are owed does not wait for one.
  const isOutgrown = (): boolean => view !== null && isLong() && isQuiet() && patched(OUTGROWN);
  let long = 0;
  const isDraining = (): boolean => {
    if (!isLong() || view?.result || !patched(OUTGROWN)) return false;
    long ||= workflowInfo().historyLength;
    return workflowInfo().historyLength < long + DRAINING_MAX;
  };

  setHandler(
    commandUpdate,
    async (message) => {
      if (!isCommandMessage(message)) throw strays.refuse(`An update "${COMMAND_UPDATE}" came without the id of a stored command`, 'command_malformed');
      const { commandId } = message;
      let answer: CommandAnswer | undefined;
      inbox.push({ command: { type: 'command', commandId }, answer: (a) => (answer = a) });
      await condition(() => answer !== undefined);
      return answer as unknown as CommandAnswer;
    },
    // What is malformed comes in to be recorded, up to a limit; beyond it nothing of it stays, neither here nor in the history.
    {
      validator: (message: CommandMessage) => {
        if (strays.full) checkShape(message);
      },
    },
  );
  setHandler(commandSignal, (message) => {
    if (isCommandMessage(message)) inbox.push({ command: { type: 'command', commandId: message.commandId } });
    else strays.signal(`A signal "${COMMAND_SIGNAL}" came without the id of a stored command`);
  });
  setHandler(nudgeSignal, () => {
    // One look at the record answers all who knocked before it: a flood of nudges costs one commit.
    if (inbox.some(({ command }) => command.type === 'clock') && patched(ONE_NUDGE)) return;
    inbox.push({ command: { type: 'clock' } });
  });
  setHandler(withdrawSignal, (message) => void inbox.push({ command: { type: 'withdraw', by: text(message, 'by'), reason: text(message, 'reason') } }));
  setHandler(viewQuery, () => view);
  CancellationScope.current().cancelRequested.catch(() =>
    inbox.push({ command: { type: 'withdraw', by: 'engine', reason: 'The approval workflow was cancelled' } }),
  );

  return await CancellationScope.nonCancellable(async () => {
    void condition(() => strays.look());
    inbox.unshift({ command: { type: 'open' } });
    for (;;) {
      await condition(() => inbox.length > 0 || isDone() || isOutgrown());
      committing = true;
      for (let letter = inbox.shift(); letter !== undefined; letter = inbox.shift()) {
        const result: CommitResult = await commit(known, letter.command);
        view = result.view;
        known.seq = view.seq;
        known.head = result.head;
        known.timeScale = result.timeScale ?? known.timeScale;
        if (result.rewound) effects.forget();
        if (letter.answer && result.answer) letter.answer(result.answer);
        if (!isDraining()) effects.begin(view, letter.answer !== undefined);
      }
      if (view !== null) {
        alarm.set(view.wake, view.now);
        shown = show(view, shown);
      }
      committing = false;
      if (view === null) continue;
      if (inbox.length > 0 || !isQuiet()) continue;
      if (view.result) return endOf(view.result);
      if (!isLong()) continue;
      alarm.clear();
      await continueAsNew<typeof approval>(known);
    }
  });
}

/** Later attempts at what one approval owes: attempt, record, sleep, until it is accepted or a dead letter. */
export async function delivery(input: DeliveryInput): Promise<AttemptResult> {
  // Only we start deliveries. This fails the task, which is tried again until a worker has the key.
  if (isUnreadable(input)) throw new Error('What this delivery was started with cannot be read: give the worker the payload key that encrypted it');
  refuseInventedStart(input, (tenant, approvalId) => deliveryWorkflowId(tenant, approvalId, input.owedId));
  const { tenant, approvalId, owedId } = input;
  for (let wait = input.firstInMs, n = input.attempt ?? 2; ; n += 1) {
    await sleep(Math.max(1, Math.round(wait / input.timeScale)), { summary: `${input.summary}: attempt ${n}` });
    const call = { tenant, approvalId, owedId, workflowTime: Date.now() };
    const result = await outbound(input.summary)[EFFECTS[input.kind]](call).catch(plainly);
    setCurrentDetails(result.detail);
    if (result.status !== 'failed_for_now') return result;
    wait = result.retryInMs;
    // Attempts are few, but a call that finds no berth at a crowded host is none, and comes again as often as it takes.
    if (isLong() && patched(LONG)) await continueAsNew<typeof delivery>({ ...input, firstInMs: wait, attempt: n + 1 });
  }
}

// ---------------------------------------------------------------- helpers

/** What an agent's workflow starts may be encrypted with the agent's own key. The id says as much as the input does. */
const inputFromId = (): ApprovalInput => ({ tenant: '', approvalId: '', ...approvalOf(workflowInfo().workflowId), timeScale: 1, inTurn: true });

/** To an agent's workflow no more than its worker can read and others may know; it reads the rest from the record, with its key. */
const endOf = (result: ApprovalResult): ApprovalResult | RawValue<ChildEnd> =>
  workflowInfo().parent ? inClear({ approvalId: result.approvalId, outcome: result.outcome }) : result;

/** What the run knows: as it was started, and what it has adopted since. */
interface Known extends ApprovalInput {
  timeScale: number;
  seq: number;
  head: string | undefined;
}

/** Only a run that was continued has adopted anything before it began, whatever its input says. */
const adoptedBefore = ({ seq, head }: ApprovalInput): Pick<Known, 'seq' | 'head'> =>
  workflowInfo().continuedFromExecutionRunId === undefined ? { seq: 0, head: undefined } : { seq: seq ?? 0, head };

/** Local first, for speed; regular when that fails, for patience. A refusal is an answer and never comes here as a failure. */
async function commit({ tenant, approvalId, timeScale, seq, head, fromRecord }: Known, command: CommitCommand): Promise<CommitResult> {
  const { runId, firstExecutionRunId, continuedFromExecutionRunId } = workflowInfo();
  const reset = continuedFromExecutionRunId === undefined && runId !== firstExecutionRunId;
  const run: RunInfo = { id: runId, reset, fromRecord: fromRecord === true };
  const call: CommitInput = { tenant, approvalId, seq, ...(head === undefined ? {} : { head }), run, timeScale, command, workflowTime: Date.now() };
  try {
    return await local(`Commit: ${command.type}`).commit(call);
  } catch (error) {
    if (!isActivitys(error)) throw error;
    if (causeOf(error).type === 'not_submitted' && patched(UNKNOWN)) return plainly(error, seq);
    return await regular.commit({ ...call, workflowTime: Date.now() }).catch((late: unknown) => plainly(late, seq));
  }
}

/** Whether an activity failed, as opposed to this code. What a local one throws arrives bare, not inside an ActivityFailure. */
const isActivitys = (error: unknown): boolean => error instanceof TemporalFailure && !isCancellation(error);

/** Whether it was given up because its time was over, and may still be under way. */
const isLate = (error: unknown): boolean => error instanceof TimeoutFailure || (error instanceof ActivityFailure && error.cause instanceof TimeoutFailure);

/** The failure of an activity as such, without what the engine wraps around it. */
const causeOf = (error: unknown): { readonly type?: string | null; readonly message?: string } =>
  error instanceof ActivityFailure && error.cause ? error.cause : error instanceof Error ? error : {};

/** Ends the run in words that an operator understands. `seq`: what it had adopted of a record that does not know it any more. */
function plainly(error: unknown, seq = 0): never {
  const { type, message } = causeOf(error);
  if (type !== 'not_submitted') throw error;
  throw ApplicationFailure.nonRetryable(
    seq === 0
      ? message
      : `The record does not know this approval any more: the store was restored from a backup older than the request, which has to be made again`,
    type,
  );
}

/** Guards of changes: what a history recorded before them holds is replayed as it was. */
const ONE_NUDGE = 'one-nudge-at-a-time';
const UNKNOWN = 'unknown-approvals-fail-at-once';
const SLOW = 'slow-messages-are-regular-activities';
const LONG = 'long-deliveries-continue-as-new';
const OUTGROWN = 'outgrown-runs-continue-once-quiet';

/** One timer for the next instant; re-armed only when the instant changes. */
class Alarm {
  private at: Instant | null = null;
  private scope: CancellationScope | null = null;
  constructor(
    private readonly known: Pick<Known, 'timeScale'>,
    private readonly ring: () => void,
  ) {}

  set(wake: ApprovalView['wake'], now: Instant): void {
    if ((wake?.at ?? null) === this.at) return;
    this.clear();
    if (!wake) return;
    this.at = wake.at;
    const wait = Math.max(1, Math.ceil((ms(wake.at) - ms(now)) / this.known.timeScale));
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

/** Whether an attempt may take longer than a task of this workflow should. Earlier versions made every message inside of one. */
const isSlow = (todo: Todo): boolean => todo.slow === true && patched(SLOW);

/** What a run has begun is not begun twice, but where a person opened it again after it had been given up. */
const nameOf = ({ id, again }: Todo): string => (again === undefined ? id : `${id} again ${String(again)}`);

/** Starts what the view says is owed, each once in this run; hands what does not succeed at first to a `delivery` workflow. */
class Effects {
  private readonly begun = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  constructor(
    private readonly input: ApprovalInput,
    /** Whether nobody is being answered just now. */
    private readonly free: () => boolean,
  ) {}

  get idle(): boolean {
    return this.running.size === 0;
  }

  /** The record went back: what it owes now is another debt, though it may have the name of an old one. */
  forget(): void {
    this.begun.clear();
  }

  /** `answering`: someone waits for this task to complete, so nothing slow may ride in it. What an agent is owed comes first. */
  begin(view: ApprovalView, answering: boolean): void {
    const fresh = view.todo.filter((todo) => !this.begun.has(nameOf(todo)));
    const calls = fresh.filter((todo) => todo.kind === 'callback');
    const callbacks = calls.map((todo) => this.track(todo, todo.quick === true));
    const first = Promise.all(callbacks);
    for (const todo of fresh.filter((t) => t.kind !== 'callback')) {
      // Before the callback's first attempt it would delay the agent; after one that was an activity it costs one marker.
      if (calls.some((call) => !call.quick)) void this.track(todo, true, first);
      else if (calls.length > 0) void this.track(todo, !answering || todo.kind === 'signal_workflow', first);
      else void this.track(todo, !answering || todo.kind === 'signal_workflow');
    }
  }

  private track(todo: Todo, asLocal: boolean, after?: Promise<unknown>): Promise<void> {
    this.begun.add(nameOf(todo));
    const run = this.perform(todo, asLocal, after).finally(() => this.running.delete(run));
    this.running.add(run);
    return run;
  }

  private async perform(todo: Todo, asLocal: boolean, after?: Promise<unknown>): Promise<void> {
    await after;
    if (after) await this.turn();
    const first = await this.attempt(todo, asLocal);
    if (first.status !== 'failed_for_now') return;
    await this.turn();
    const { tenant, approvalId, timeScale } = this.input;
    const input: DeliveryInput = { tenant, approvalId, owedId: todo.id, kind: todo.kind, summary: todo.summary, timeScale, firstInMs: first.retryInMs };
    try {
      await startChild(DELIVERY_WORKFLOW, {
        args: [input],
        workflowId: deliveryWorkflowId(tenant, approvalId, todo.id),
        staticSummary: todo.summary,
        workflowTaskTimeout: '5s',
        parentClosePolicy: ParentClosePolicy.ABANDON,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        // One that was given up had a workflow, which completed.
        workflowIdReusePolicy: todo.again === undefined ? WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY : WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /**
   * What two local activities lead to is told to the engine one after the other at first, and in one go when the history is replayed. So
   * that it is the same order both times, an answer comes first, and what an effect leads to after it.
   */
  private async turn(): Promise<void> {
    if (this.input.inTurn) await condition(this.free);
  }

  private async attempt(todo: Todo, asLocal: boolean): Promise<AttemptResult> {
    const call = { tenant: this.input.tenant, approvalId: this.input.approvalId, owedId: todo.id, workflowTime: Date.now() };
    const name = EFFECTS[todo.kind];
    if (!asLocal || isSlow(todo)) return await outbound(todo.summary)[name](call).catch(notOwed);
    try {
      return await local(todo.summary)[name](call);
    } catch (error) {
      if (!isActivitys(error)) throw error;
      // A callback that is still under way may take so long, and is then recorded: nobody is called a second time meanwhile. One that
      // failed, as when the store went away, is under way no more.
      const retryInMs = todo.kind === 'callback' && isLate(error) ? CALLBACK_MS * this.input.timeScale : AGAIN_MS;
      return { status: 'failed_for_now', seq: 0, retryInMs, detail: 'The first attempt did not come back in time' };
    }
  }
}

/** A debt that the record does not hold any more, after a restore of an older backup, is no debt. What else fails is told as it is. */
function notOwed(error: unknown): AttemptResult {
  if (causeOf(error).type !== 'not_submitted') throw error;
  return { status: 'failed_for_good', seq: 0, retryInMs: 0, detail: 'The record does not know of this debt' };
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

function isLong(): boolean {
  const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
  return continueAsNewSuggested || historyLength > EVENTS_MAX || (historySize > BYTES_MAX && patched(OUTGROWN));
}

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
