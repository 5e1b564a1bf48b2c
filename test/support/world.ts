/**
 * A whole Countersign for a test file: a real store, a real engine (the development server, or the one that skips time), a real
 * worker, a real SMTP sink; and the moves of its users in the domain's words.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { NativeConnection, type WorkflowBundle } from '@temporalio/worker';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { createCore, type Core } from '../../activities/core';
import { startApproval } from '../../activities/engine';
import type { SubmitAnswer } from '../../activities/submit';
import { databaseClock, engineClock, type Clock } from '../../domain/clock';
import { instant } from '../../domain/json';
import type { ApprovalEvent } from '../../domain/events';
import { DECIDING, type Move } from '../../domain/moves';
import type { AgentIdentity, RequestDraft } from '../../domain/request';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { createActivities, type WorkerOptions } from '../../workers/activities';
import { SEARCH_ATTRIBUTES } from '../../workers/engine';
import { startMailSink, type MailSink } from '../../workers/mail-sink';
import { createWorker } from '../../workers/worker';
import { approvalWorkflowId, COMMAND_UPDATE, type ApprovalActivities, type ApprovalResult, type CommandAnswer } from '../../workflows/protocol';
import { AGENT, SECRET, TENANT, publish } from './desk';
import { DESK_DIRECTORY, DESK_POLICY } from './desk-policy';
import type { TestStore } from './store';

export { AGENT, SECRET, TENANT, publish } from './desk';
export { actionOf, refund } from './requests';

export interface WorldOptions {
  readonly store: TestStore;
  /** The time-skipping environment; its clock is the engine's. */
  readonly skipping?: TestWorkflowEnvironment;
  /** The development server's address. */
  readonly address?: string;
  readonly policy?: string;
  readonly directory?: string;
  readonly bundle?: WorkflowBundle;
  readonly clock?: Clock;
  readonly taskQueue?: string;
  /** Of client and worker; without it payloads lie in the engine in clear. */
  readonly dataConverter?: DataConverter;
  /** The installation's webhook, and how long a call may take. */
  readonly calls?: Pick<WorkerOptions, 'webhook' | 'credentialHook' | 'callTimeoutMs'>;
  /** Addresses that the mail server refuses, with its code. */
  readonly refuseMail?: (address: string) => number | null;
  /** Without a worker: the test starts one itself, or none. */
  readonly withoutWorker?: boolean;
}

export interface World {
  readonly core: Core;
  readonly client: Client;
  readonly mail: MailSink;
  readonly taskQueue: string;
  readonly activities: ApprovalActivities;
  submit(request: RequestDraft, key?: string, identity?: AgentIdentity): Promise<SubmitAnswer>;
  /** Submits and starts the approval workflow, as the API does. */
  ask(request: RequestDraft, key?: string): Promise<SubmitAnswer>;
  /** A person's move through a stored, signed command and an Update. */
  move(
    approvalId: string,
    person: string,
    move: Move,
    options?: { readonly packetDigest?: string | null; readonly commandId?: string; readonly now?: number },
  ): Promise<CommandAnswer>;
  result(approvalId: string): Promise<ApprovalResult>;
  story(approvalId: string): Promise<ApprovalEvent[]>;
  startWorker(): Promise<{ stop(): Promise<void> }>;
  close(): Promise<void>;
}

/** The bundle made once by the engine project's global setup. */
export const sharedBundle = (): WorkflowBundle | undefined => {
  const path = process.env['COUNTERSIGN_TEST_BUNDLE'];
  return path ? { code: readFileSync(path, 'utf8') } : undefined;
};

export async function openWorld(options: WorldOptions): Promise<World> {
  const { store, skipping } = options;
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const clock = options.clock ?? (skipping ? engineClock : databaseClock);
  const taskQueue = options.taskQueue ?? `test-${randomUUID()}`;
  const encryption = options.dataConverter ? { dataConverter: options.dataConverter } : {};
  const core = createCore({ db: store.db, clock, keys: store.keys, log, publicUrl: 'http://localhost:8700', development: true, allowLoopback: true });
  const connection = skipping ? null : await Connection.connect({ address: options.address ?? '' });
  const native = skipping ? null : await NativeConnection.connect({ address: options.address ?? '' });
  const client = skipping?.client ?? new TemporalClient({ connection: connection ?? (undefined as never), ...encryption });
  if (skipping) await addAttributes(skipping);
  const mail = await startMailSink({ httpPort: null, ...(options.refuseMail ? { refuse: options.refuseMail } : {}) });
  const { activities, close: closeActivities } = createActivities(core, {
    client,
    taskQueue,
    smtpUrl: mail.smtpUrl,
    mailFrom: 'Countersign <desk@example.com>',
    reconcileGraceMs: 0,
    ...options.calls,
  });
  await publish(store, options.policy ?? DESK_POLICY, options.directory ?? DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
  const bundle = options.bundle ?? sharedBundle();

  const startWorker: World['startWorker'] = async () => {
    const worker = await createWorker({
      connection: skipping?.nativeConnection ?? native ?? (undefined as never),
      namespace: 'default',
      taskQueue,
      activities,
      ...(bundle ? { bundle } : {}),
      ...encryption,
    });
    const running = worker.run();
    return {
      async stop() {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await running;
      },
    };
  };
  const worker = options.withoutWorker ? null : await startWorker();

  const world: World = {
    core,
    client,
    mail,
    taskQueue,
    activities,
    submit: (request, key = randomUUID(), identity = AGENT) => core.submit(identity, key, request),
    async ask(request, key) {
      const answer = await world.submit(request, key);
      if (answer.needsWorkflow) {
        await startApproval(
          client,
          { taskQueue, timeScale: clock.scale },
          {
            tenant: TENANT,
            approvalId: answer.approvalId,
            lane: answer.plan.lane,
            headline: answer.headline,
          },
        );
      }
      return answer;
    },
    async move(approvalId, person, move, given = {}) {
      const now = instant(given.now ?? (skipping ? await skipping.currentTimeMs() : Date.now()));
      const row = await store.db
        .selectFrom('requests')
        .select('packet_digest')
        .where('tenant', '=', TENANT)
        .where('approval_id', '=', approvalId)
        .executeTakeFirst();
      const commandId = given.commandId ?? randomUUID();
      const packetDigest = given.packetDigest !== undefined ? given.packetDigest : DECIDING.includes(move.type) ? (row?.packet_digest ?? null) : null;
      await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, move, packetDigest, signedInAt: now, now });
      return await client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).executeUpdate<CommandAnswer, [{ commandId: string }]>(COMMAND_UPDATE, {
        args: [{ commandId }],
        updateId: commandId,
      });
    },
    result: (approvalId) => client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).result() as Promise<ApprovalResult>,
    story: async (approvalId) => (await readEvents(store.db, TENANT, approvalId)).map((r) => r.event),
    startWorker,
    async close() {
      await worker?.stop();
      await closeActivities();
      await mail.stop();
      await connection?.close();
      await native?.close();
    },
  };
  return world;
}

/** The status code of gRPC. */
const ALREADY_EXISTS = 6;

/** The engine that skips time knows no search attributes of its own; it has no lists, so its types are looked up here. */
async function addAttributes({ connection }: TestWorkflowEnvironment): Promise<void> {
  const types = { Keyword: 2, KeywordList: 7, Datetime: 6 } as const;
  const searchAttributes = Object.fromEntries(Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, types[type]]));
  await connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes }).catch((error: unknown) => {
    // A second world on the same engine finds them there.
    if (!(error instanceof Error && 'code' in error && error.code === ALREADY_EXISTS)) throw error;
  });
}
