/**
 * What can be paused: an approval's workflow, and the schedule of the sweep. Decisions wait, nothing is lost, and it is said. On a server
 * that allows workflows to be paused, with Temporal's own command line. See docs/side-doors.md.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { createGateway } from '../../client/api/gateway';
import { issueCommand } from '../../activities/commands';
import { instant } from '../../domain/json';
import { startEngine, type Engine } from '../../workers/engine';
import { keepReconcileSchedule } from '../../workers/schedule';
import { RECONCILE_WORKFLOW, approvalWorkflowId, reconcileScheduleId, type ReconcileReport } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { temporalCli, type Said, type TemporalCli } from '../support/temporal-cli';
import { TENANT, openWorld, refund, type World } from '../support/world';

let engine: Engine;
let world: World;
let agent: ReferenceAgent;
let temporal: TemporalCli;
afterAll(async () => {
  await world.close();
  await agent.stop();
  await engine.stop();
});
const store = useStore();
beforeAll(async () => {
  engine = await startEngine({ port: await holdPort(), settings: ['frontend.WorkflowPauseEnabled=true'] });
  world = await openWorld({ store, address: engine.address });
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
  temporal = await temporalCli(engine.address);
});

/** Where it fails, what the program said is shown. */
const DONE = expect.objectContaining({ ok: true }) as Said;
const sweepNow = async (): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] })) as ReconcileReport;
const row = async (approvalId: string) => await store.db.selectFrom('approvals').selectAll().where('approval_id', '=', approvalId).executeTakeFirstOrThrow();

describe('a paused approval', () => {
  it('keeps its decisions waiting, is reported, leaves no entry for each look, and goes on where it was', async () => {
    const { approvalId, packetDigest } = await world.ask(refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'Fay is asked');
    const workflowId = approvalWorkflowId(TENANT, approvalId);
    expect(await temporal('workflow', 'pause', '-w', workflowId, '--reason', 'let me look')).toEqual(DONE);

    // A decision: the API hears that it is paused, keeps the command, and answers that it is stored.
    const now = instant(Date.now());
    const commandId = randomUUID();
    const move = { type: 'approve', reason: 'Receipt checked' } as const;
    await issueCommand(world.core.deps, { tenant: TENANT, approvalId, commandId, person: 'fay', move, packetDigest, signedInAt: now, now });
    const gateway = createGateway(world.client, { taskQueue: world.taskQueue, timeScale: 1 });
    await expect(gateway.sendCommand(TENANT, approvalId, commandId, 5_000)).rejects.toMatchObject({
      code: 'paused',
      message: `The workflow ${workflowId} is paused; unpause it in Temporal and the move goes through`,
    });

    for (let n = 0; n < 3; n += 1) await sweepNow();
    // Its clock runs out meanwhile: said, and nothing is done about it.
    await store.adminDb
      .updateTable('approvals')
      .set({ wake_at: instant(Date.now() - 120_000) })
      .where('approval_id', '=', approvalId)
      .execute();
    expect(await sweepNow()).toMatchObject({ paused: [approvalId], overdue: [approvalId], found: { paused: 1, overdue: 1 }, restarted: 0, started: 0 });
    expect((await world.story(approvalId)).filter((e) => e.type === 'engine').length).toBeLessThanOrEqual(1);
    expect(await row(approvalId)).toMatchObject({ state: 'waiting', result: null });

    expect(await temporal('workflow', 'unpause', '-w', workflowId)).toEqual(DONE);
    // The sweep had handed the stored command over; or it does now.
    await insist(world, approvalId, 'fay', move, commandId);
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
    await until(() => agent.acts.length > 0, 'the agent is told');
    expect(agent.acts.map((act) => [act.approvalId, act.outcome])).toEqual([[approvalId, 'approved']]);
    expect((await world.story(approvalId)).filter((e) => e.type === 'signed_off')).toHaveLength(1);
  });
});

describe('the schedule of the sweep', () => {
  it('comes back when it is deleted, is said to be paused when it is, and may be triggered and backfilled', async () => {
    const said: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) });
    const scheduleId = reconcileScheduleId(world.taskQueue);
    const kept = await keepReconcileSchedule({ client: world.client, taskQueue: world.taskQueue, everySeconds: 3600, log, lookMs: 100 });
    const schedule = async (...args: string[]): Promise<Said> => await temporal('schedule', ...args, '--schedule-id', scheduleId);
    try {
      expect(said).toEqual([]);
      expect(await schedule('delete')).toEqual(DONE);
      await until(async () => (await schedule('describe')).ok, 'it is there again');
      await until(() => said.includes('the schedule of the sweep was not there and has been made'), 'that is said');

      expect(await schedule('toggle', '--pause', '--reason', 'maintenance')).toEqual(DONE);
      await until(() => said.some((line) => line.startsWith('the schedule of the sweep is paused')), 'that is said as well');
      // A person paused it: nobody but a person unpauses it.
      await sleep(300);
      expect((await world.client.schedule.getHandle(scheduleId).describe()).state.paused).toBe(true);
      expect(await schedule('toggle', '--unpause', '--reason', 'done')).toEqual(DONE);

      const { approvalId } = await world.submit(refund(48_000));
      const hours = (n: number): string => new Date(Date.now() - n * 3600_000).toISOString().replace(/\.\d+Z$/, 'Z');
      expect(await schedule('backfill', '--start-time', hours(4), '--end-time', hours(0), '--overlap-policy', 'AllowAll')).toEqual(DONE);
      expect(await schedule('trigger', '--overlap-policy', 'AllowAll')).toEqual(DONE);
      await until(async () => (await row(approvalId)).state === 'waiting', 'a sweep has started it');
      await until(async () => (await world.client.schedule.getHandle(scheduleId).describe()).info.runningActions.length === 0, 'all sweeps have ended');
      expect((await world.story(approvalId)).flatMap((e) => (e.type === 'engine' ? [e.what] : []))).toEqual(['started']);
      await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });

      // The next sweep goes on where the last one stopped.
      const ended = async (count: number): Promise<boolean> => {
        const { runningActions, numActionsTaken } = (await world.client.schedule.getHandle(scheduleId).describe()).info;
        return runningActions.length === 0 && numActionsTaken >= count;
      };
      const { numActionsTaken } = (await world.client.schedule.getHandle(scheduleId).describe()).info;
      for (let n = 1; n <= 2; n += 1) {
        expect(await schedule('trigger')).toEqual(DONE);
        await until(() => ended(numActionsTaken + n), 'that sweep has ended');
      }
      const { recentActions } = (await world.client.schedule.getHandle(scheduleId).describe()).info;
      const { workflowId } = recentActions.at(-1)?.action.workflow ?? { workflowId: '' };
      const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
      const [input] = (events ?? []).flatMap((e) => e.activityTaskScheduledEventAttributes?.input?.payloads ?? []);
      expect(JSON.parse(Buffer.from(input?.data ?? []).toString())).toMatchObject({ cursor: { record: '', engine: '' } });
    } finally {
      await kept.stop();
    }
  });
});

describe('without a worker', () => {
  it('everything waits, and is carried out when one comes', async () => {
    const { approvalId } = await world.ask(refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    const quiet = await openWorld({ store, address: engine.address, withoutWorker: true });
    try {
      const lonely = await quiet.ask(refund(48_000));
      expect(await temporal('workflow', 'signal', '-w', approvalWorkflowId(TENANT, lonely.approvalId), '--name', 'anybody')).toEqual(DONE);
      await sleep(300);
      expect(await row(lonely.approvalId)).toMatchObject({ state: 'routing' });
      const worker = await quiet.startWorker();
      await until(async () => (await row(lonely.approvalId)).state === 'waiting', 'somebody is asked');
      await insist(quiet, lonely.approvalId, 'fay', { type: 'approve', reason: 'ok' });
      expect(await quiet.result(lonely.approvalId)).toMatchObject({ outcome: 'approved' });
      await worker.stop();
    } finally {
      await quiet.close();
    }
    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
  });
});
