/**
 * Countersign for agents in TypeScript, over HTTP.
 *
 * @example
 * const countersign = createCountersign({ url: 'https://approvals.example.com', key });
 * const submitted = await countersign.submit({ action, reason, run: 'run-7', resume: { type: 'poll' } }, { idempotencyKey: 'run-7/refund' });
 * const result = submitted.result ?? (await countersign.wait(submitted.approvalId));
 * if (result.outcome === 'approved') await refund(result.token);
 * // With conditions (`result.conditions`): requireExecutable says whether what is about to be done is within them.
 */
import { z } from 'zod';
import type { ApprovalResult, State } from '../../domain/outcome';
import type { Plan } from '../../domain/plan';
import type { RequestDraft } from '../../domain/request';
import { MovedSchema, RequestStateSchema, StoredSchema, SubmittedSchema } from '../api/schemas';
import { CountersignError } from './errors';
import { call, type Connection, type Fetch } from './http';
import type { Directive } from './follow';
import { pause } from './pause';

export { CountersignError, type CountersignCode } from './errors';
export { follow, type Alternative, type Carried, type Directive, type MeanwhileHandlers } from './follow';
export { NotExecutable, requireExecutable, type Execution, type ExecutionCode } from '../receiver/execution';
export { verifyDecisionToken } from '../receiver/token';
export type { ApprovalResult, Fetch, RequestDraft };

export interface CountersignOptions {
  readonly url: string;
  readonly key: string;
  readonly fetch?: Fetch;
  readonly timeoutMs?: number;
}

/** What the agent does while it waits: {@link follow} it. */
export interface Meanwhile extends Directive {
  readonly operator: string;
}

/** Information that somebody needs before they decide. */
export interface Question {
  /** `q1`. */
  readonly id: string;
  /** `agent`, or the id of the person who is asked. */
  readonly of: string;
  readonly by: string;
  readonly text: string;
  readonly askedAt: string;
  readonly dueAt: string;
  readonly status: 'open' | 'answered' | 'lapsed';
  readonly answer: string | null;
}

/** What was asked, as recorded. */
export interface Submitted {
  readonly approvalId: string;
  readonly tenant: string;
  /** This key had been used before with the same request. */
  readonly replayed: boolean;
  readonly state: State;
  readonly headline: string;
  readonly plan: Plan;
  readonly packetDigest: string;
  readonly actionDigest: string;
  /** What the agent does while it waits. */
  readonly meanwhile: Meanwhile;
  readonly needsWorkflow: boolean;
  readonly timeScale: number;
  /** Set when it has ended: allowed or blocked at once, or an earlier request under this key. */
  readonly result: ApprovalResult | null;
}

/** Where a request stands. */
export interface Approval {
  readonly approvalId: string;
  readonly state: State;
  readonly ended: boolean;
  readonly headline: string;
  readonly lane: string;
  readonly lanes: readonly string[];
  readonly level: string;
  readonly owner: string | null;
  /** Everyone it waits on now, one for each sign-off that is open. */
  readonly owners: readonly string[];
  readonly dueAt: string | null;
  readonly meanwhile: Meanwhile;
  /** In the order in which they were asked. */
  readonly questions: readonly Question[];
  readonly result: ApprovalResult | null;
  /** Where people see it. */
  readonly page: string;
}

export interface Evidence {
  /** `[a-z][a-z0-9_]*`. */
  readonly name: string;
  readonly title: string;
  readonly content: string;
}

export interface Countersign {
  /** Asks; the same key with the same request is the same request, however often it is sent. */
  submit(request: RequestDraft, options: { readonly idempotencyKey: string }): Promise<Submitted>;
  get(approvalId: string): Promise<Approval>;
  /** Waits for the end, without an own timer at the agent: as long as it takes, or until `timeoutMs` (`wait_timed_out`). */
  wait(approvalId: string, options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<ApprovalResult>;
  /** What the agent is asked on it and has not answered yet. */
  questions(approvalId: string): Promise<readonly Question[]>;
  /** Answers a question that was asked of the agent; what it says becomes part of what is decided from. The same key with the same words is one answer. */
  reply(approvalId: string, answer: { readonly question: string; readonly text: string }, options: { readonly idempotencyKey: string }): Promise<void>;
  /** More to decide from, under a name that was not used before in this request. The same key with the same content is one piece. */
  addEvidence(approvalId: string, evidence: Evidence, options: { readonly idempotencyKey: string }): Promise<void>;
  /** The agent no longer asks. What was decided before stands. */
  withdraw(approvalId: string, reason: string): Promise<Approval>;
}

/** One long poll; the server allows 30 s. */
const POLL_SECONDS = 25;
const RETRY_PAUSE_MS = 1_000;
const ANSWER_MS = 30_000;

export function createCountersign(options: CountersignOptions): Countersign {
  const connection: Connection = options;
  const path = (approvalId: string): string => `/v1/requests/${encodeURIComponent(approvalId)}`;

  /** What is stored and not answered yet is sent again under its key, until it is answered or the time of a call is up. */
  async function say(to: string, body: unknown, idempotencyKey: string): Promise<void> {
    const deadline = Date.now() + (options.timeoutMs ?? ANSWER_MS);
    for (;;) {
      const { value } = await call(connection, { method: 'POST', path: to, body, idempotencyKey, answer: z.union([MovedSchema, StoredSchema]) });
      if ('seq' in value) return;
      if (Date.now() >= deadline)
        throw new CountersignError('unreachable', 'It is stored and was not answered in time; send it again under the same key', null);
      await pause(RETRY_PAUSE_MS, undefined);
    }
  }
  return {
    async submit(request, { idempotencyKey }) {
      const { value } = await call(connection, { method: 'POST', path: '/v1/requests', body: request, idempotencyKey, answer: SubmittedSchema });
      return submittedOf(value);
    },
    async get(approvalId) {
      return approvalOf((await call(connection, { method: 'GET', path: path(approvalId), answer: RequestStateSchema })).value);
    },
    async wait(approvalId, { timeoutMs = Infinity, signal } = {}) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const left = Math.max(0, deadline - Date.now());
        const seconds = Math.min(POLL_SECONDS, left / 1000);
        try {
          const { value } = await call(connection, {
            method: 'GET',
            path: `${path(approvalId)}?wait=${seconds.toFixed(3)}`,
            answer: RequestStateSchema,
            waitMs: seconds * 1000,
            ...(signal ? { signal } : {}),
          });
          const { result } = approvalOf(value);
          if (result) return result;
        } catch (error) {
          // Waiting outlives a restart of the server; only what will never succeed ends it.
          if (!(error instanceof CountersignError && error.retryable) || Date.now() >= deadline) throw error;
          await pause(Math.min(RETRY_PAUSE_MS, left), signal);
        }
        if (Date.now() >= deadline)
          throw new CountersignError('wait_timed_out', `${approvalId} had not ended after ${String(timeoutMs)} ms; it goes on waiting without you`, null);
      }
    },
    async questions(approvalId) {
      const { questions } = approvalOf((await call(connection, { method: 'GET', path: path(approvalId), answer: RequestStateSchema })).value);
      return questions.filter(({ of, status }) => of === 'agent' && status === 'open');
    },
    reply: (approvalId, { question, text }, { idempotencyKey }) => say(`${path(approvalId)}/replies`, { question, text }, idempotencyKey),
    addEvidence: (approvalId, { name, title, content }, { idempotencyKey }) => say(`${path(approvalId)}/evidence`, { name, title, content }, idempotencyKey),
    async withdraw(approvalId, reason) {
      return approvalOf((await call(connection, { method: 'POST', path: `${path(approvalId)}/withdraw`, body: { reason }, answer: RequestStateSchema })).value);
    },
  };
}

// Domain objects travel as they are; the server made them from these very types.
const resultOf = (value: unknown): ApprovalResult | null => value as ApprovalResult | null;

const submittedOf = (s: z.output<typeof SubmittedSchema>): Submitted => ({
  approvalId: s.approval_id,
  tenant: s.tenant,
  replayed: s.replayed,
  state: s.state as State,
  headline: s.headline,
  plan: s.plan as unknown as Plan,
  packetDigest: s.packet_digest,
  actionDigest: s.action_digest,
  meanwhile: s.meanwhile,
  needsWorkflow: s.needs_workflow,
  timeScale: s.time_scale,
  result: resultOf(s.result),
});

const approvalOf = (a: z.output<typeof RequestStateSchema>): Approval => ({
  approvalId: a.approval_id,
  state: a.state as State,
  ended: a.ended,
  headline: a.headline,
  lane: a.lane,
  lanes: a.lanes,
  level: a.level,
  owner: a.owner,
  owners: a.owners,
  dueAt: a.due_at,
  meanwhile: a.meanwhile,
  questions: a.questions.map(({ id, of, by, text, asked_at: askedAt, due_at: dueAt, status, answer }) => ({
    id,
    of,
    by,
    text,
    askedAt,
    dueAt,
    status,
    answer,
  })),
  result: resultOf(a.result),
  page: a.page,
});
