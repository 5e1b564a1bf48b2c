/**
 * Silence that pauses an agent: its own workflow, with the helper, stands still until a person resumes it; a signal that comes again, or
 * from somebody else, does nothing more than that. With a clock so fast that the hours of a ladder are a second.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker, bundleWorkflowCode } from '@temporalio/worker';
import { scaledClock } from '../../domain/clock';
import type { ApprovalResult } from '../../domain/outcome';
import { PAUSED_QUERY, PAUSE_SIGNAL, RESUME_SIGNAL, type AgentActivities, type PauseMessage } from '../../workflows/protocol';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { SIDE_POLICY } from '../support/side-policy';
import { useStore } from '../support/store';
import type { loopingAgent } from '../support/workflows/agents';
import { TENANT, openWorld, type World } from '../support/world';

/** The refunds of the looping agent end as its policy's access does: silence pauses who asked. */
const POLICY = SIDE_POLICY.replace(
  '      ticket: { queue: finance-review,',
  '      pause_workflow: { reason: Nobody answered about a refund }\n      ticket: { queue: finance-review,',
);

/** Half an hour in a third of a second. */
const SCALE = 6000;

let world: World;
let native: NativeConnection;
let agents: { stop(): Promise<void> };
const agentQueue = `agent-${randomUUID()}`;

afterAll(async () => {
  await agents.stop();
  await world.close();
  await native.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  native = await NativeConnection.connect({ address });
  world = await openWorld({ store, address, policy: POLICY, clock: scaledClock(new Date().toISOString(), SCALE) });
  const activities: AgentActivities = {
    async submitApprovalRequest({ idempotencyKey, request }) {
      const { approvalId, needsWorkflow, result, headline } = await world.submit(request, idempotencyKey);
      return { approvalId, tenant: TENANT, needsWorkflow, result, headline, timeScale: SCALE };
    },
    async readApprovalResult({ approvalId }) {
      const row = await store.db.selectFrom('approvals').select('result').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
      return row.result as unknown as ApprovalResult | null;
    },
  };
  const worker = await Worker.create({
    connection: native,
    taskQueue: agentQueue,
    workflowBundle: await bundleWorkflowCode({ workflowsPath: require.resolve('../support/workflows/agents') }),
    activities,
  });
  const running = worker.run();
  agents = {
    async stop() {
      worker.shutdown();
      await running;
    },
  };
});

type Agent = WorkflowHandle<typeof loopingAgent>;
const start = async (...orders: string[]): Promise<Agent> =>
  await world.client.workflow.start<typeof loopingAgent>('loopingAgent', {
    workflowId: `loop-${randomUUID()}`,
    taskQueue: agentQueue,
    args: [orders, world.taskQueue],
  });
const asked = async ({ workflowId }: Agent, order: string): Promise<string> =>
  await until(async () => {
    const row = await store.db
      .selectFrom('requests')
      .innerJoin('approvals', 'approvals.approval_id', 'requests.approval_id')
      .select('requests.approval_id')
      .where('idempotency_key', '=', `${workflowId}/${order}`)
      .where('approvals.state', '!=', 'routing')
      .executeTakeFirst();
    return row?.approval_id;
  }, `${order} was asked for`);
const paused = (agent: Agent) => agent.query<PauseMessage | null>(PAUSED_QUERY);
const rounds = (agent: Agent) => agent.query<readonly string[]>('rounds');
const requests = async ({ workflowId }: Agent): Promise<number> =>
  (await store.db.selectFrom('requests').select('approval_id').where('idempotency_key', 'like', `${workflowId}/%`).execute()).length;

it('holds the loop of the agent whose request nobody answered, until a person resumes it', async () => {
  // A third round, since an agent whose last round is over waits for nobody.
  const agent = await start('first', 'second', 'third');
  const approvalId = await asked(agent, 'first');
  const { outcome, next } = await silence(approvalId);
  expect({ outcome, next }).toMatchObject({ outcome: 'expired', next: { pause: { reason: 'Nobody answered about a refund' } } });
  await until(async () => (await rounds(agent)).length === 1, 'its first round is over');
  expect(await paused(agent)).toEqual({ approvalId, reason: 'Nobody answered about a refund' });
  // The debt is settled, and on the record.
  await until(async () => (await attempts(approvalId)).length === 1, 'the pause is on the record');
  expect(await attempts(approvalId)).toMatchObject([{ status: 'done', reached: 'delivered', to: agent.workflowId }]);
  // It has nothing under way, and has asked for nothing more.
  expect((await agent.describe()).raw.pendingActivities ?? []).toEqual([]);
  expect(await requests(agent)).toBe(1);

  await agent.signal(RESUME_SIGNAL);
  const second = await asked(agent, 'second');
  await silence(second);
  await until(async () => (await paused(agent)) !== null, 'the second pauses it as well');
  await agent.signal(RESUME_SIGNAL);
  await asked(agent, 'third');
  expect(await agent.result()).toEqual(['first: expired', 'second: expired', 'third: expired']);
});

it('is paused once by one approval: the same signal, late or again, does not pause it anew', async () => {
  const agent = await start('first', 'second');
  const approvalId = await asked(agent, 'first');
  await silence(approvalId);
  await until(async () => (await paused(agent)) !== null, 'it is paused');
  await agent.signal(PAUSE_SIGNAL, { approvalId, reason: 'again' });
  expect(await paused(agent)).toMatchObject({ reason: 'Nobody answered about a refund' });
  await agent.signal(RESUME_SIGNAL);
  await agent.signal(PAUSE_SIGNAL, { approvalId, reason: 'late' });
  await asked(agent, 'second');
  expect(await agent.result()).toEqual(['first: expired', 'second: expired']);
});

it('what is broken in a signal fails no task: it pauses, and says that no reason was given', async () => {
  const agent = await start('first', 'second');
  const approvalId = await asked(agent, 'first');
  await agent.signal(PAUSE_SIGNAL, 42);
  expect(await paused(agent)).toEqual({ approvalId: '', reason: 'no reason was given' });
  await silence(approvalId);
  await until(async () => (await rounds(agent)).length === 1, 'its first round is over');
  await agent.signal(RESUME_SIGNAL);
  await asked(agent, 'second');
  expect(await agent.result()).toEqual(['first: expired', 'second: expired']);
});

it('a workflow that is not there any more cannot be paused: that is shown, and the end stands', async () => {
  const agent = await start('first');
  const approvalId = await asked(agent, 'first');
  await agent.terminate('gone');
  const { outcome } = await silence(approvalId);
  expect(outcome).toBe('expired');
  await until(async () => (await attempts(approvalId)).length === 1, 'the attempt is on the record');
  expect(await attempts(approvalId)).toMatchObject([{ status: 'failed_for_good', detail: 'No agent workflow of this id is open, so there is none to pause' }]);
});

/** Nobody says anything until its ladder has run to its end. */
const silence = async (approvalId: string): Promise<ApprovalResult> =>
  await until(async () => {
    const row = await store.db.selectFrom('approvals').select('result').where('approval_id', '=', approvalId).executeTakeFirst();
    return row?.result as unknown as ApprovalResult | null | undefined;
  }, `${approvalId} has ended`);

const attempts = async (approvalId: string) => (await world.story(approvalId)).filter((e) => e.type === 'attempted').filter((e) => e.kind === 'pause_workflow');
