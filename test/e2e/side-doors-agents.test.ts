/**
 * The side doors of the engine, seen from an agent that is a workflow itself: whatever becomes of it or of its approval, it is told how
 * its request ended, and nothing that somebody sends it makes it act. With Temporal's own command line. See docs/side-doors.md.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { instant } from '../../domain/json';
import { OUTCOME_SIGNAL, RECONCILE_WORKFLOW, approvalWorkflowId, type ApprovalResult, type ReconcileReport } from '../../workflows/protocol';
import { openAgentWorker, type AgentWorker } from '../support/agent-worker';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { temporalCli, type Said, type TemporalCli } from '../support/temporal-cli';
import { TENANT, openWorld, type World } from '../support/world';
import type { restlessAgent } from '../support/workflows/restless-agent';

let world: World;
let temporal: TemporalCli;
let agents: AgentWorker;

afterAll(async () => {
  await agents.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  world = await openWorld({ store, address });
  agents = await openAgentWorker({ store, address, world, workflowsPath: require.resolve('../support/workflows/restless-agent') });
  temporal = await temporalCli(address);
});

/** Where it fails, what the program said is shown. */
const DONE = expect.objectContaining({ ok: true }) as Said;

type Agent = WorkflowHandle<typeof restlessAgent>;

const start = async (workflowId = `restless-${randomUUID()}`): Promise<Agent> =>
  await world.client.workflow.start<typeof restlessAgent>('restlessAgent', { workflowId, taskQueue: agents.taskQueues[0] ?? '', args: [world.taskQueue] });

const asked = (agent: Agent): Promise<string> => agents.asked(agent);
const latest = ({ workflowId }: Agent): Agent => world.client.workflow.getHandle(workflowId);
const approve = async (approvalId: string): Promise<unknown> => await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
const told = async (agent: Agent): Promise<ApprovalResult> => await latest(agent).result();
const stateOf = async (approvalId: string): Promise<string> =>
  (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state;
const sweep = async (): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] })) as ReconcileReport;
const requestsOf = (agent: Agent): Promise<number> => agents.requestsOf(agent);
const endsOf = async (approvalId: string): Promise<number> => (await world.story(approvalId)).filter((e) => e.type === 'ended').length;

describe('an agent workflow', () => {
  it('that continues as new while it waits is told in its next run, and has asked once', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    for (let n = 0; n < 2; n += 1) {
      const { runId } = await latest(agent).describe();
      expect(await temporal('workflow', 'signal', '-w', agent.workflowId, '--name', 'begin-anew')).toEqual(DONE);
      await until(async () => (await latest(agent).describe()).runId !== runId, 'it has begun anew');
      await until(
        async () => (await latest(agent).fetchHistory()).events?.some((e) => e.startChildWorkflowExecutionFailedEventAttributes),
        'it met its approval',
      );
    }
    expect(await stateOf(approvalId)).toBe('waiting');
    await approve(approvalId);
    expect(await told(agent)).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await requestsOf(agent)).toBe(1);
  });

  it('that is terminated leaves its approval to the people, who decide it to the end; started again, it gets that outcome', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    expect(await temporal('workflow', 'terminate', '-w', agent.workflowId)).toEqual(DONE);
    expect(await stateOf(approvalId)).toBe('waiting');
    await approve(approvalId);
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
    expect(
      await store.db.selectFrom('deliveries').select('status').where('approval_id', '=', approvalId).where('kind', '=', 'signal_workflow').execute(),
    ).toHaveLength(1);
    expect(await told(await start(agent.workflowId))).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await requestsOf(agent)).toBe(1);
  });

  it('that is cancelled withdraws, and ends when that is on the record', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    expect(await temporal('workflow', 'cancel', '-w', agent.workflowId)).toEqual(DONE);
    await expect(told(agent)).rejects.toThrow();
    expect(await stateOf(approvalId)).toBe('withdrawn');
    expect(await endsOf(approvalId)).toBe(1);
  });

  it('that is reset to its beginning meets the approval that it has, and is told', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    expect(await temporal('workflow', 'reset', '-w', agent.workflowId, '--type', 'FirstWorkflowTask', '--reason', 'again')).toEqual(DONE);
    await approve(approvalId);
    expect(await told(agent)).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await requestsOf(agent)).toBe(1);
    expect(await endsOf(approvalId)).toBe(1);
  });

  it('is not moved by an outcome that somebody made up and sent by hand', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    const made = JSON.stringify({ approvalId, outcome: 'approved', token: 'made.up.token' });
    expect(await temporal('workflow', 'signal', '-w', agent.workflowId, '--name', OUTCOME_SIGNAL, '--input', made)).toEqual(DONE);
    await until(
      async () => (await latest(agent).fetchHistory()).events?.some((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'readApprovalResult'),
      'it has asked the record',
    );
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    expect(await told(agent)).toMatchObject({ outcome: 'denied' });
  });
});

describe('an agent workflow whose approval', () => {
  it('was cancelled by an operator is told that it is withdrawn', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    expect(await temporal('workflow', 'cancel', '-w', approvalWorkflowId(TENANT, approvalId))).toEqual(DONE);
    expect(await told(agent)).toMatchObject({ approvalId, outcome: 'withdrawn' });
  });

  it.each([
    ['terminated', ['terminate']],
    ['deleted', ['delete', '--yes']],
  ])('was %s is told after the sweep has started it again', async (_, verb) => {
    const agent = await start();
    const approvalId = await asked(agent);
    const workflowId = approvalWorkflowId(TENANT, approvalId);
    expect(await temporal('workflow', ...verb, '-w', workflowId)).toEqual(DONE);
    await until(async () => {
      const { started, restarted } = await sweep();
      return started + restarted > 0;
    }, 'the sweep has started it again');
    await approve(approvalId);
    expect(await told(agent)).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await endsOf(approvalId)).toBe(1);
  });

  it.each(['open', 'ended'])('was reset when it was %s is told once more at most, and how it ended', async (when) => {
    const agent = await start();
    const approvalId = await asked(agent);
    const workflowId = approvalWorkflowId(TENANT, approvalId);
    if (when === 'ended') await approve(approvalId);
    if (when === 'ended') expect(await told(agent)).toMatchObject({ outcome: 'approved' });
    expect(await temporal('workflow', 'reset', '-w', workflowId, '--type', 'FirstWorkflowTask', '--reason', 'again', '--reapply-exclude', 'All')).toEqual(DONE);
    if (when === 'open') await approve(approvalId);
    expect(await told(agent)).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await world.client.workflow.getHandle(workflowId).result()).toMatchObject({ approvalId, outcome: 'approved' });
    expect(await endsOf(approvalId)).toBe(1);
  });

  it('the record does not know any more is told so, in a sentence', async () => {
    const agent = await start();
    const approvalId = await asked(agent);
    // As a store restored from a backup older than the request.
    await store.adminDb
      .updateTable('approvals')
      .set({ approval_id: `${approvalId}_away` } as never)
      .where('approval_id', '=', approvalId)
      .execute();
    try {
      expect((await sweep()).unknown).toEqual([approvalId]);
      await expect(told(agent)).rejects.toMatchObject({
        cause: { type: 'request_lost', message: expect.stringContaining('Nothing was decided; ask again') as string },
      });
    } finally {
      const back = { approval_id: approvalId, needs_workflow: false, updated_at: instant(Date.now()) };
      await store.adminDb
        .updateTable('approvals')
        .set(back as never)
        .where('approval_id', '=', `${approvalId}_away`)
        .execute();
    }
  });
});
