/**
 * The activities that Countersign's worker registers, composed from their factories.
 */
import type { Client } from '@temporalio/client';
import { createAttempt } from '../activities/attempt';
import { createCallback } from '../activities/callback';
import type { Core } from '../activities/core';
import { createEgress } from '../activities/egress';
import { signalOutcome } from '../activities/engine';
import { createEmail } from '../activities/notify/email';
import { createReconcile } from '../activities/reconcile';
import type { ApprovalActivities } from '../workflows/protocol';

export interface WorkerOptions {
  readonly client: Client;
  readonly taskQueue: string;
  readonly smtpUrl: string;
  readonly mailFrom: string;
  readonly reconcileGraceMs?: number;
}

export function createActivities(core: Core, options: WorkerOptions): ApprovalActivities & { close(): void } {
  const { deps, active } = core;
  const email = createEmail({ transportUrl: options.smtpUrl, from: options.mailFrom, publicUrl: deps.publicUrl });
  const egress = createEgress({ allowLoopback: deps.allowLoopback });
  const attempt = createAttempt({
    ...deps, active, email, callback: createCallback({ egress }),
    signalOutcome: (workflowId, result) => signalOutcome(options.client, workflowId, result),
  });
  const grace = options.reconcileGraceMs === undefined ? {} : { graceMs: options.reconcileGraceMs };
  return {
    commit: core.commit,
    attempt,
    resumeAgent: attempt,
    reconcile: createReconcile({ ...deps, active, client: options.client, taskQueue: options.taskQueue, ...grace }),
    close: () => email.close(),
  };
}
