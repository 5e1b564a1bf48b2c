/**
 * The sample agent workflow (examples/temporal-agent) with its own worker, its key and the real API: it asks, a child approval
 * waits, and it does what was decided; cancelled, terminated or repeated, the record and the agent agree.
 */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import type { RefundActivities } from '../../examples/temporal-agent/activities';
import type { refundAgent, RefundReport } from '../../examples/temporal-agent/workflow';
import { OUTCOME_SIGNAL, RECONCILE_WORKFLOW, approvalWorkflowId } from '../../workflows/protocol';
import { openAgentWorker, type AgentWorker } from '../support/agent-worker';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, openWorld, type World } from '../support/world';

let world: World;
let agents: AgentWorker;
const refunds: { order: string; cents: number; token: string }[] = [];
const refusals: { order: string; path: string; why: string }[] = [];
const activities: RefundActivities = {
  issueRefund: (refund) => Promise.resolve(void refunds.push(refund)),
  logRefusal: (refusal) => Promise.resolve(void refusals.push(refusal)),
};

afterAll(async () => {
  await agents.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  world = await openWorld({ store, address });
  agents = await openAgentWorker({ store, address, world, workflowsPath: require.resolve('../../examples/temporal-agent/workflow'), activities });
});

type Agent = WorkflowHandle<typeof refundAgent>;

const start = async (cents: number, workflowId = `refund-${randomUUID()}`): Promise<Agent> =>
  await world.client.workflow.start<typeof refundAgent>('refundAgent', {
    workflowId,
    taskQueue: agents.taskQueues[0] ?? '',
    args: [{ order: workflowId, cents, reason: 'The parcel never came', countersignQueue: world.taskQueue }],
  });

const asked = (agent: Agent): Promise<string> => agents.asked(agent);
const result = async (agent: Agent): Promise<RefundReport> => await agent.result();
const refundsOf = ({ workflowId }: Agent): readonly unknown[] => refunds.filter((r) => r.order === workflowId);
const requestsOf = (agent: Agent): Promise<number> => agents.requestsOf(agent);

/** How often the agent's workflow asked the record how it ended. */
const readsOf = ({ events }: Awaited<ReturnType<Agent['fetchHistory']>>): number =>
  (events ?? []).filter((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'readApprovalResult').length;

describe('an agent workflow', () => {
  it('acts after a yes, with a token that proves it; the approval was its child', async () => {
    const agent = await start(48_000);
    const approvalId = await asked(agent);
    const child = await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe();
    expect(child.raw.workflowExecutionInfo?.parentExecution?.workflowId).toBe(agent.workflowId);
    expect(await child.staticSummary()).toContain(`Refund order ${agent.workflowId} to the customer (USD 480.00`);
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect(await result(agent)).toMatchObject({ did: 'refunded', outcome: 'approved', approvalId });
    expect(refundsOf(agent)).toHaveLength(1);
    const claims = await world.core.tokens.verify(refunds.find((r) => r.order === agent.workflowId)?.token ?? '', { now: new Date().toISOString() });
    expect(claims).toMatchObject({ sub: approvalId, outcome: 'approved' });
  });

  it('takes its declared path after a no', async () => {
    const agent = await start(48_000);
    await insist(world, await asked(agent), 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await result(agent)).toMatchObject({ did: 'nothing', outcome: 'denied' });
    expect(refundsOf(agent)).toEqual([]);
    expect(refusals.filter((r) => r.order === agent.workflowId)).toMatchObject([
      { path: 'log the reason and end the run', why: expect.stringContaining('No receipt') },
    ]);
  });

  it('goes on at once with what the policy allows, without a child', async () => {
    const agent = await start(10_000);
    expect(await result(agent)).toMatchObject({ did: 'refunded', outcome: 'allowed' });
    const events = (await agent.fetchHistory()).events ?? [];
    expect(events.filter((e) => e.startChildWorkflowExecutionInitiatedEventAttributes)).toEqual([]);
  });

  it('fails with the code of a refusal when its request is malformed, and asks nobody', async () => {
    const agent = await world.client.workflow.start('refundAgent', {
      workflowId: `refund-${randomUUID()}`,
      taskQueue: agents.taskQueues[0] ?? '',
      args: [{ order: 'o1', cents: 'much', reason: 'x', countersignQueue: world.taskQueue }],
    });
    const failure = await agent.result().then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(WorkflowFailedError);
    expect(String((failure as WorkflowFailedError).cause?.cause)).toContain('amount');
  });

  it('cancelled while it waits, it ends only when the withdrawal is on the record', async () => {
    const agent = await start(48_000);
    const approvalId = await asked(agent);
    await agent.cancel();
    const failure = await agent.result().then(
      () => null,
      (error: unknown) => error,
    );
    const { state } = await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    expect((failure as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    expect(state).toBe('withdrawn');
    expect((await world.story(approvalId)).find((e) => e.type === 'ended')).toMatchObject({
      why: expect.stringContaining('The agent was cancelled') as string,
    });
    expect(refundsOf(agent)).toEqual([]);
  });

  it('cancelled while its approval is terminated, the withdrawal reaches the one that the sweep starts', async () => {
    const agent = await start(48_000);
    const approvalId = await asked(agent);
    await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).terminate('an operator slipped');
    await agent.cancel();
    await until(
      async () => (await agent.fetchHistory()).events?.some((e) => e.signalExternalWorkflowExecutionFailedEventAttributes),
      'the withdrawal found no workflow',
    );
    await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] });
    await expect(agent.result()).rejects.toThrow(WorkflowFailedError);
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn' });
  });

  it('gets the outcome by signal when its child was terminated and started again from the record', async () => {
    const agent = await start(48_000);
    const approvalId = await asked(agent);
    await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).terminate('an operator slipped');
    await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] });
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect(await result(agent)).toMatchObject({ did: 'refunded', outcome: 'approved', approvalId });
    expect(refundsOf(agent)).toHaveLength(1);
  });

  it('does not believe a signal: an outcome that somebody made up is not on the record', async () => {
    const agent = await start(48_000);
    const approvalId = await asked(agent);
    await agent.signal(OUTCOME_SIGNAL, { approvalId, outcome: 'approved', token: 'made.up.token', next: { path: 'execute' } });
    await agent.signal(OUTCOME_SIGNAL, 'approved');
    await until(async () => readsOf(await agent.fetchHistory()) === 1, 'the agent looked at the record');
    expect(refundsOf(agent)).toEqual([]);
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await result(agent)).toMatchObject({ did: 'nothing', outcome: 'denied' });
    expect(refundsOf(agent)).toEqual([]);
  });

  it('run again from the start, the same step is the same approval, whose outcome stands', async () => {
    const first = await start(48_000);
    const approvalId = await asked(first);
    // The run is lost in the middle of the wait, and somebody starts the agent again under its id.
    await first.terminate('the machine room was rebuilt');
    const second = await start(48_000, first.workflowId);
    await until(
      async () => (await second.fetchHistory()).events?.some((e) => e.startChildWorkflowExecutionFailedEventAttributes),
      'it met the approval that runs already',
    );
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    expect(await result(second)).toMatchObject({ did: 'refunded', approvalId });
    const third = await start(48_000, first.workflowId);
    expect(await result(third)).toMatchObject({ outcome: 'approved', approvalId });
    expect(await requestsOf(first)).toBe(1);
    expect((await world.story(approvalId)).filter((e) => e.type === 'ended')).toHaveLength(1);
  });
});
