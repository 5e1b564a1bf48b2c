/**
 * The activities that Countersign's worker registers, composed from their factories.
 */
import type { Client } from '@temporalio/client';
import { ApplicationFailure, asyncLocalStorage as activityContext } from '@temporalio/activity';
import { createAttempt } from '../activities/attempt';
import { createCallback } from '../activities/callback';
import type { Core } from '../activities/core';
import { CommitError } from '../activities/errors';
import { createCredentialHook, type CredentialHookSettings } from '../activities/credential';
import { createEgress } from '../activities/egress';
import { signalOutcome, signalPause, signalQuestion } from '../activities/engine';
import { createBerths } from '../activities/berths';
import { createEmail } from '../activities/notify/email';
import { createWebhook, type WebhookSettings } from '../activities/notify/webhook';
import { createReconcile } from '../activities/reconcile';
import { EFFECTS, type ApprovalActivities, type AttemptInput, type AttemptResult, type EffectActivities } from '../workflows/protocol';

export interface WorkerOptions {
  readonly client: Client;
  readonly taskQueue: string;
  readonly smtpUrl: string;
  readonly mailFrom: string;
  /** The webhook of this installation; none when left out. */
  readonly webhook?: WebhookSettings | null;
  /** What disables credential paths; none when left out. */
  readonly credentialHook?: CredentialHookSettings | null;
  /** How long one call to an agent or to the webhook may take, in milliseconds. */
  readonly callTimeoutMs?: number;
  readonly reconcileGraceMs?: number;
}

export function createActivities(core: Core, options: WorkerOptions): { readonly activities: ApprovalActivities; close(): Promise<void> } {
  const { deps, active, pace } = core;
  const email = createEmail({ transportUrl: options.smtpUrl, from: options.mailFrom, publicUrl: deps.publicUrl });
  const egress = createEgress({ allowLoopback: deps.allowLoopback });
  const calling = { egress, berths: createBerths(), ...(options.callTimeoutMs === undefined ? {} : { timeoutMs: options.callTimeoutMs }) };
  const attempt = createAttempt({
    ...deps,
    active,
    pace,
    email,
    callback: createCallback(calling),
    webhook: createWebhook({
      settings: options.webhook ?? null,
      callback: createCallback({ ...calling, words: { receiver: 'The receiver', what: 'webhook' } }),
      publicUrl: deps.publicUrl,
    }),
    credentialHook: createCredentialHook({
      settings: options.credentialHook ?? null,
      callback: createCallback({ ...calling, words: { receiver: 'The credential hook', what: 'call' } }),
    }),
    signalOutcome: (workflowId, approvalId) => signalOutcome(options.client, workflowId, approvalId),
    signalPause: (workflowId, message) => signalPause(options.client, workflowId, message),
    signalQuestion: (workflowId, message) => signalQuestion(options.client, workflowId, message),
  });
  const grace = options.reconcileGraceMs === undefined ? {} : { graceMs: options.reconcileGraceMs };
  return {
    activities: {
      commit: alive((input) => final(core.commit(input))),
      ...effects(alive((input) => final(attempt(input)))),
      reconcile: alive(createReconcile({ ...deps, active, commit: core.commit, client: options.client, taskQueue: options.taskQueue, ...grace })),
    },
    async close() {
      email.close();
      await egress.close();
    },
  };
}

/** How often work tells the engine that its worker lives, in milliseconds. */
const ALIVE_MS = 1_000;

/**
 * Work gives signs of life while it goes on. Called outside of the engine it has nobody to give them to, and inside of a workflow's task
 * the task's own limit does.
 */
const alive =
  <Input, Output>(work: (input: Input) => Promise<Output>) =>
  async (input: Input): Promise<Output> => {
    const context = activityContext.getStore();
    if (context === undefined || context.info.isLocal) return await work(input);
    const beating = setInterval(() => context.heartbeat(), ALIVE_MS);
    try {
      return await work(input);
    } finally {
      clearInterval(beating);
    }
  };

/** One function under the name of every effect. */
const effects = (attempt: (input: AttemptInput) => Promise<AttemptResult>): EffectActivities =>
  Object.fromEntries(Object.values(EFFECTS).map((name) => [name, attempt])) as unknown as EffectActivities;

/** What was never submitted will not be there at the next try: the workflow fails at once, and allows nothing. */
async function final<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CommitError && error.code === 'not_submitted') throw ApplicationFailure.nonRetryable(error.message, error.code);
    throw error;
  }
}
