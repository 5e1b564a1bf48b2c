/**
 * A whole Countersign for a test file: a real store, a real engine (the development server, or the one that skips time), a real
 * worker, a real SMTP sink; and the moves of its users in the domain's words.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Client } from '@temporalio/client';
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
import { compilePolicy, formatFindings, parseDirectory } from '../../policy';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { publishDirectory, publishPolicy } from '../../record/store/policies';
import { createActivities } from '../../workers/activities';
import { SEARCH_ATTRIBUTES } from '../../workers/engine';
import { startMailSink, type MailSink } from '../../workers/mail-sink';
import { createWorker } from '../../workers/worker';
import { approvalWorkflowId, COMMAND_UPDATE, type ApprovalResult, type CommandAnswer } from '../../workflows/protocol';
import { DESK_DIRECTORY, DESK_POLICY } from './desk-policy';
import type { TestStore } from './store';

export const TENANT = 'acme';
export const AGENT: AgentIdentity = { tenant: TENANT, agent: 'refund-bot', owner: 'rita' };
/** Callback secret of the test agent. */
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

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
  /** Without a worker: the test starts one itself, or none. */
  readonly withoutWorker?: boolean;
}

export interface World {
  readonly core: Core;
  readonly client: Client;
  readonly mail: MailSink;
  readonly taskQueue: string;
  readonly activities: ReturnType<typeof createActivities>;
  submit(request: RequestDraft, key?: string, identity?: AgentIdentity): Promise<SubmitAnswer>;
  /** Submits and starts the approval workflow, as the API does. */
  ask(request: RequestDraft, key?: string): Promise<SubmitAnswer>;
  /** A person's move through a stored, signed command and an Update. */
  move(approvalId: string, person: string, move: Move, options?: { readonly packetDigest?: string | null; readonly commandId?: string; readonly now?: number }): Promise<CommandAnswer>;
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
  const core = createCore({ db: store.db, clock, keys: store.keys, log, publicUrl: 'http://localhost:8700', development: true, allowLoopback: true });
  const connection = skipping ? null : await Connection.connect({ address: options.address ?? '' });
  const native = skipping ? null : await NativeConnection.connect({ address: options.address ?? '' });
  const client = skipping?.client ?? new TemporalClient({ connection: connection ?? (undefined as never) });
  if (skipping) await addAttributes(skipping);
  const mail = await startMailSink({ httpPort: null });
  const activities = createActivities(core, { client, taskQueue, smtpUrl: mail.smtpUrl, mailFrom: 'Countersign <desk@example.com>', reconcileGraceMs: 0 });
  await publish(store, options.policy ?? DESK_POLICY, options.directory ?? DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
  const bundle = options.bundle ?? sharedBundle();

  const startWorker: World['startWorker'] = async () => {
    const worker = await createWorker({
      connection: skipping?.nativeConnection ?? native ?? (undefined as never), namespace: 'default', taskQueue, activities, ...(bundle ? { bundle } : {}),
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
    core, client, mail, taskQueue, activities,
    submit: (request, key = randomUUID(), identity = AGENT) => core.submit(identity, key, request),
    async ask(request, key) {
      const answer = await world.submit(request, key);
      if (answer.needsWorkflow) {
        await startApproval(client, { taskQueue, timeScale: clock.scale }, {
          tenant: TENANT, approvalId: answer.approvalId, lane: answer.plan.lane, headline: answer.headline,
        });
      }
      return answer;
    },
    async move(approvalId, person, move, given = {}) {
      const now = instant(given.now ?? (skipping ? await skipping.currentTimeMs() : Date.now()));
      const row = await store.db.selectFrom('requests').select('packet_digest').where('tenant', '=', TENANT).where('approval_id', '=', approvalId).executeTakeFirst();
      const commandId = given.commandId ?? randomUUID();
      const packetDigest = given.packetDigest !== undefined ? given.packetDigest : DECIDING.includes(move.type) ? (row?.packet_digest ?? null) : null;
      await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, move, packetDigest, signedInAt: now, now });
      return await client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).executeUpdate<CommandAnswer, [{ commandId: string }]>(COMMAND_UPDATE, {
        args: [{ commandId }], updateId: commandId,
      });
    },
    result: (approvalId) => client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).result() as Promise<ApprovalResult>,
    story: async (approvalId) => (await readEvents(store.db, TENANT, approvalId)).map((r) => r.event),
    startWorker,
    async close() {
      await worker?.stop();
      activities.close();
      await mail.stop();
      await connection?.close();
      await native?.close();
    },
  };
  return world;
}

/** The engine that skips time knows no search attributes of its own; it has no lists, so its types are looked up here. */
async function addAttributes({ connection }: TestWorkflowEnvironment): Promise<void> {
  const types = { Keyword: 2, KeywordList: 7, Datetime: 6 } as const;
  const searchAttributes = Object.fromEntries(Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, types[type]]));
  await connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes });
}

/** Publishes as an operator would; a policy with findings fails the test with them. */
export async function publish(store: Pick<TestStore, 'db' | 'keys'>, policyText: string, directoryText: string): Promise<void> {
  const files = [{ path: 'policy.yaml', text: policyText }];
  const { policy, findings } = compilePolicy(files);
  if (!policy) throw new Error(formatFindings(findings));
  const parsed = parseDirectory(directoryText, 'directory.yaml');
  if (!parsed.directory) throw new Error(formatFindings(parsed.findings));
  const meta = { tenant: TENANT, by: 'omar', at: new Date().toISOString(), record: store.keys.record };
  await publishPolicy(store.db, { hash: policy.hash, name: policy.name, version: policy.version, files }, meta);
  await publishDirectory(store.db, { hash: parsed.directory.hash, text: directoryText }, meta);
}

/** A refund of so many cents for order o1. */
export const refund = (minor: number, more: Partial<RequestDraft> = {}): RequestDraft => ({
  action: {
    type: 'refund.issue', summary: 'Refund order o1 to the customer', params: { amount: { minor, currency: 'USD' }, order: 'o1' }, system: 'billing',
    reversibility: 'hard', audience: { reach: 'one_customer', count: 1 },
  },
  run: 'run-1', reason: 'The parcel never came', customer: { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' }, case: 'T-100', resume: { type: 'poll' }, ...more,
});

/** Any other action of the desk. */
export const actionOf = (type: string, params: RequestDraft['action']['params'] = {}, more: Partial<RequestDraft> = {}): RequestDraft => ({
  action: { type, summary: `Do ${type}`, params, system: 'desk', reversibility: 'hard', audience: { reach: 'internal', count: 1 } },
  run: 'run-1', reason: 'It was asked for', resume: { type: 'poll' }, ...more,
});
