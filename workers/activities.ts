/**
 * The activities that Countersign's worker registers, composed from their factories.
 */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/activity';
import { createAttempt } from '../activities/attempt';
import { createCallback } from '../activities/callback';
import type { Core } from '../activities/core';
import { CommitError } from '../activities/errors';
import { createEgress } from '../activities/egress';
import { signalOutcome } from '../activities/engine';
import { createEmail } from '../activities/notify/email';
import { createReconcile } from '../activities/reconcile';
import { EFFECTS, type ApprovalActivities, type AttemptInput, type AttemptResult, type EffectActivities } from '../workflows/protocol';

export interface WorkerOptions {
  readonly client: Client;
  readonly taskQueue: string;
  readonly smtpUrl: string;
  readonly mailFrom: string;
  readonly reconcileGraceMs?: number;
}

export function createActivities(core: Core, options: WorkerOptions): { readonly activities: ApprovalActivities; close(): Promise<void> } {
  const { deps, active } = core;
  const email = createEmail({ transportUrl: options.smtpUrl, from: options.mailFrom, publicUrl: deps.publicUrl });
  const egress = createEgress({ allowLoopback: deps.allowLoopback });
  const attempt = createAttempt({
    ...deps,
    active,
    email,
    callback: createCallback({ egress }),
    signalOutcome: (workflowId, result) => signalOutcome(options.client, workflowId, result),
  });
  const grace = options.reconcileGraceMs === undefined ? {} : { graceMs: options.reconcileGraceMs };
  return {
    activities: {
      commit: (input) => final(core.commit(input)),
      ...effects((input) => final(attempt(input))),
      reconcile: createReconcile({ ...deps, active, client: options.client, taskQueue: options.taskQueue, ...grace }),
    },
    async close() {
      email.close();
      await egress.close();
    },
  };
}

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
