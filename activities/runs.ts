/**
 * What the engine has of our approvals, as an operator would list it: by status and by the attributes that the workflows show.
 * Attributes are never encrypted. The engine's list is a moment behind what it does, so whatever it says is looked at again with
 * `describe` before anything is made of it. Must not import client.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow';
import { APPROVAL_WORKFLOW } from '../workflows/protocol';

/** `completed`: with a result. `broken`: terminated, failed, timed out or cancelled, without one. */
type RunStatus = 'open' | 'paused' | 'completed' | 'broken';

export interface Run {
  readonly workflowId: string;
  readonly status: RunStatus;
  /** Whether it is about to do something. Lists do not say. */
  readonly busy: boolean;
  /** What it has adopted, as its attributes say. */
  readonly shown: { readonly state: string; readonly owner: string | null; readonly due: string | null };
}

export interface Runs {
  /** The latest run under an id; null if the engine has none. */
  describe(workflowId: string): Promise<Run | null>;
  /** What the workers say of a run whose tasks they fail again and again; null of one that gets on. */
  failing(workflowId: string): Promise<string | null>;
  /** One page of the open approvals of this task queue; `after` is what the page before gave, empty for the first. */
  open(after: string, size: number): Promise<{ readonly runs: readonly Run[]; readonly next: string }>;
  /** Those of the ids that have an open run. */
  openAmong(workflowIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Approvals of this task queue that closed without a result since then, latest first. */
  brokenSince(since: Date, size: number): Promise<readonly string[]>;
}

/** How far back it is looked whether a run gets on, in events. */
const LATEST = 30;
/** A run whose tasks have failed for so long, in milliseconds, does not get on by itself. */
const FAILING_MS = 8_000;
/** What a worker says that cannot read a history, and what is left of a failure that cannot be read itself. */
const UNREADABLE = /payload|^encoded failure$/i;

/** How many ids one question to the list names. */
const IDS = 100;

/** The engine's numbers. Paused is known to servers from 1.31 on. */
const STATUS: Readonly<Record<number, RunStatus>> = { 1: 'open', 2: 'completed', 6: 'open', 8: 'paused' };

type Info = NonNullable<Awaited<ReturnType<Client['workflowService']['listWorkflowExecutions']>>['executions']>[number];

export function createRuns(client: Client, taskQueue: string, failingMs: number = FAILING_MS): Runs {
  const { namespace } = client.options;
  const ours = `TaskQueue = ${quote(taskQueue)} AND WorkflowType = ${quote(APPROVAL_WORKFLOW)}`;
  const list = async (query: string, pageSize: number, nextPageToken = new Uint8Array()): Promise<{ runs: Run[]; next: Uint8Array }> => {
    const page = await client.workflowService.listWorkflowExecutions({ namespace, query, pageSize, nextPageToken });
    return { runs: page.executions.map((info) => runOf(info)), next: page.nextPageToken };
  };
  return {
    async describe(workflowId) {
      try {
        const { raw } = await client.workflow.getHandle(workflowId).describe();
        return raw.workflowExecutionInfo ? runOf(raw.workflowExecutionInfo, Boolean(raw.pendingWorkflowTask)) : null;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return null;
        throw error;
      }
    },
    async failing(workflowId) {
      const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({ namespace, execution: { workflowId }, maximumPageSize: LATEST });
      const events = history?.events ?? [];
      const got = events.findIndex((event) => event.workflowTaskCompletedEventAttributes);
      const failures = (got === -1 ? events : events.slice(0, got)).filter((event) => event.workflowTaskFailedEventAttributes);
      const [last, first] = [failures[0], failures.at(-1)];
      if (last === undefined || Date.now() - millisOf(first?.eventTime) < failingMs) return null;
      const { failure } = last.workflowTaskFailedEventAttributes ?? {};
      const error = await decodeOptionalFailureToOptionalError(client.options.loadedDataConverter, failure).catch(() => undefined);
      // A worker that lacks a payload key is given it, and then the run goes on as it is.
      return error === undefined || UNREADABLE.test(error.message) ? null : error.message;
    },
    async open(after, size) {
      const { runs, next } = await list(`${ours} AND CloseTime IS NULL`, size, Buffer.from(after, 'base64'));
      return { runs, next: Buffer.from(next).toString('base64') };
    },
    async openAmong(workflowIds) {
      const found = new Set<string>();
      for (let from = 0; from < workflowIds.length; from += IDS) {
        const ids = workflowIds.slice(from, from + IDS);
        const { runs } = await list(`WorkflowId IN (${ids.map(quote).join(', ')}) AND CloseTime IS NULL`, IDS);
        for (const { workflowId } of runs) found.add(workflowId);
      }
      return found;
    },
    async brokenSince(since, size) {
      const query = `${ours} AND ExecutionStatus IN ('Terminated', 'Failed', 'TimedOut', 'Canceled') AND CloseTime > ${quote(since.toISOString())}`;
      return [...new Set((await list(query, size)).runs.map(({ workflowId }) => workflowId))];
    },
  };
}

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

const millisOf = (at: { readonly seconds?: { toNumber(): number } | null; readonly nanos?: number | null } | null | undefined): number =>
  (at?.seconds?.toNumber() ?? 0) * 1000 + Math.floor((at?.nanos ?? 0) / 1e6);

function runOf({ execution, status, searchAttributes }: Info, busy = false): Run {
  const attribute = (name: string): unknown => {
    const data = searchAttributes?.indexedFields?.[name]?.data;
    return data ? (JSON.parse(Buffer.from(data).toString('utf8')) as unknown) : null;
  };
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const owners = attribute('ApprovalOwner');
  return {
    workflowId: execution?.workflowId ?? '',
    status: STATUS[status ?? 0] ?? 'broken',
    busy,
    shown: { state: text(attribute('ApprovalState')) ?? '', owner: text(Array.isArray(owners) ? owners[0] : owners), due: text(attribute('ApprovalDue')) },
  };
}
