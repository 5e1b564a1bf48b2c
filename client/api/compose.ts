/**
 * The API's parts over the composition that it shares with the worker: what the process, the demo and the tests hand to `buildApi`.
 */
import type { Client } from '@temporalio/client';
import type { Core } from '../../activities/core';
import { pauseIntake, resumeIntake } from '../../activities/intake';
import { PATIENCE, type ApiDeps } from './deps';
import { createGateway } from './gateway';
import { createSessions } from './sessions';

export interface ApiOptions {
  readonly client: Client;
  readonly taskQueue: string;
  readonly patience?: ApiDeps['patience'];
  readonly rateLimit?: number;
  readonly payloads?: ApiDeps['payloads'];
  readonly draining?: ApiDeps['draining'];
  readonly doors?: ApiDeps['doors'];
}

export function apiDeps(
  { deps, active, tokens, submit, commit }: Core,
  { client, taskQueue, patience, rateLimit, draining, doors, payloads = null }: ApiOptions,
): ApiDeps {
  const gateway = createGateway(client, { taskQueue, timeScale: deps.clock.scale });
  const nudge = (tenant: string, approvalId: string): Promise<void> => gateway.nudge(tenant, approvalId, (patience ?? PATIENCE).engineMs);
  return {
    ...deps,
    submit,
    commit,
    gateway,
    intake: { pause: (input) => pauseIntake({ ...deps, active, commit, nudge }, input), resume: (input) => resumeIntake(deps, input) },
    sessions: createSessions(deps.keys.command.privateKey),
    directoryOf: (tenant) => active.directoryOf(deps.db, tenant),
    jwks: tokens.jwks,
    payloads,
    ...(patience === undefined ? {} : { patience }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(draining === undefined ? {} : { draining }),
    ...(doors === undefined ? {} : { doors }),
  };
}
