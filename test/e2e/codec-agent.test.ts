/**
 * Agents' workflows beside an encrypted Countersign: an agent's worker has none of its payload keys, or keys of its own, and gets every
 * outcome all the same; and what it may not read does not lie in its history.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure, defaultPayloadConverter, type DataConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { createCipher, createCodec } from '../../activities/codec/codec';
import { newPayloadKeys } from '../../activities/codec/keys';
import type { RefundReport } from '../../examples/temporal-agent/workflow';
import { RECONCILE_WORKFLOW, approvalWorkflowId, type ApprovalResult } from '../../workflows/protocol';
import { openAgentWorker, type AgentWorker } from '../support/agent-worker';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, openWorld, type World } from '../support/world';

const cipher = createCipher(newPayloadKeys());
const ofAgents: DataConverter = { payloadCodecs: [createCodec(createCipher(newPayloadKeys()))] };
const KINDS = ['without any keys', 'with keys of its own'] as const;
type Kind = (typeof KINDS)[number];

let world: World;
let agents: AgentWorker;
let connection: Connection;
afterAll(async () => {
  await agents.close();
  await connection.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  world = await openWorld({ store, address, dataConverter: { payloadCodecs: [createCodec(cipher)] } });
  const payloads = { cipher, encrypts: true, uiOrigin: null, operatorTenant: null };
  connection = await Connection.connect({ address });
  agents = await openAgentWorker({
    store,
    address,
    world,
    workflowsPath: require.resolve('../support/workflows/agents'),
    activities: { issueRefund: () => Promise.resolve(), logRefusal: () => Promise.resolve() },
    converters: [null, ofAgents],
    payloads,
  });
});

const queueOf = (kind: Kind): string => agents.taskQueues[KINDS.indexOf(kind)] ?? '';
const clientOf = (kind: Kind): Client => new Client({ connection, ...(kind === 'with keys of its own' ? { dataConverter: ofAgents } : {}) });

async function start(kind: Kind) {
  const workflowId = `refund-${randomUUID()}`;
  const task = { order: workflowId, cents: 48_000, reason: 'The parcel never came', countersignQueue: world.taskQueue };
  return await clientOf(kind).workflow.start('refundAgent', { workflowId, taskQueue: queueOf(kind), args: [task] });
}

const asked = (agent: { readonly workflowId: string }): Promise<string> => agents.asked(agent);

interface Followed {
  readonly fetchHistory: () => Promise<temporal.api.history.v1.IHistory>;
}

/** Why tasks of the agent's workflow failed; what it could not read would be among it. A message that came in the middle is no failure. */
const failures = async (agent: Followed): Promise<string[]> =>
  ((await agent.fetchHistory()).events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) =>
    failed && failed.cause !== temporal.api.enums.v1.WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
      ? [failed.failure?.message ?? '']
      : [],
  );

const bytesOf = async (agent: Followed): Promise<string> =>
  Buffer.from(temporal.api.history.v1.History.encode(await agent.fetchHistory()).finish()).toString('utf8');

describe.each(KINDS)('an agent %s', (kind) => {
  it('acts after a yes', async () => {
    const agent = await start(kind);
    const approvalId = await asked(agent);
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect((await agent.result()) as RefundReport).toMatchObject({ did: 'refunded', outcome: 'approved', approvalId });
    expect(await failures(agent)).toEqual([]);
  });

  it('takes its path after a no, whose reason it reads from the record', async () => {
    const agent = await start(kind);
    await insist(world, await asked(agent), 'fay', { type: 'deny', reason: 'No receipt' });
    expect((await agent.result()) as RefundReport).toMatchObject({ did: 'nothing', outcome: 'denied', why: expect.stringContaining('No receipt') as string });
    expect(await failures(agent)).toEqual([]);
  });

  it('cancelled, it ends when the withdrawal is on the record', async () => {
    const agent = await start(kind);
    const approvalId = await asked(agent);
    await agent.cancel();
    const failure = await agent.result().catch((error: unknown) => error);
    expect((failure as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    const { state } = await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    expect(state).toBe('withdrawn');
    expect(await failures(agent)).toEqual([]);
  });

  it('lives on when its approval closes, whose end it can read', async () => {
    const workflowId = `refund-${randomUUID()}`;
    const agent = await clientOf(kind).workflow.start('busyAgent', { workflowId, taskQueue: queueOf(kind), args: [workflowId, world.taskQueue] });
    const approvalId = await asked(agent);
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    const ended = await until(
      async () => (await agent.fetchHistory()).events?.find((e) => e.childWorkflowExecutionCompletedEventAttributes),
      'the agent has heard that its approval closed',
    );
    expect((ended.childWorkflowExecutionCompletedEventAttributes?.result?.payloads ?? []).map((p) => defaultPayloadConverter.fromPayload(p))).toEqual([
      { approvalId, outcome: 'denied' },
    ]);
    await agent.signal('go');
    expect((await agent.result()) as ApprovalResult).toMatchObject({ outcome: 'denied', approvalId, reason: expect.stringContaining('No receipt') as string });
    expect(await failures(agent)).toEqual([]);
  });

  it('begun anew while it waits, it gets the outcome by signal', async () => {
    const workflowId = `refund-${randomUUID()}`;
    const agent = await clientOf(kind).workflow.start('renewingAgent', { workflowId, taskQueue: queueOf(kind), args: [workflowId, world.taskQueue] });
    const approvalId = await asked(agent);
    const first = (await agent.describe()).runId;
    await agent.signal('go');
    await until(async () => (await agent.describe()).runId !== first, 'the agent began anew');
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect((await agent.result()) as ApprovalResult).toMatchObject({ outcome: 'approved', approvalId });
    expect(await failures(clientOf(kind).workflow.getHandle(workflowId))).toEqual([]);
  });

  it('gets the outcome of an approval that was terminated and started again from the record', async () => {
    const agent = await start(kind);
    const approvalId = await asked(agent);
    await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).terminate('an operator slipped');
    await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] });
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect((await agent.result()) as RefundReport).toMatchObject({ did: 'refunded', approvalId });
    expect(await failures(agent)).toEqual([]);
  });
});

describe('what lies in clear', () => {
  it('of an approval that an agent started: that it ended; never its words, its reason or its token', async () => {
    const agent = await start('with keys of its own');
    const approvalId = await asked(agent);
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    await agent.result();
    const approval = world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
    for (const history of [await bytesOf(agent), await bytesOf(approval)]) {
      for (const words of ['No receipt', 'Refund order', 'The parcel never came', 'Fay Okafor', 'eyJ']) expect(history).not.toContain(words);
    }
    // The knock.
    expect(await bytesOf(agent)).toContain(`{"approvalId":"${approvalId}"}`);
  });

  it('of an approval that an agent without keys started: not its words either, in its own run', async () => {
    const agent = await start('without any keys');
    const approvalId = await asked(agent);
    const approval = clientOf('without any keys').workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
    expect(await (await approval.describe()).staticSummary()).toBe(`${approvalId} (finance)`);
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    await agent.result();
    for (const words of ['No receipt', 'Refund order', 'Fay Okafor', 'eyJ']) expect(await bytesOf(approval)).not.toContain(words);
  });
});
