/**
 * Deploy, ramp and roll back while approvals are open, by the commands of docs/deploy.md as they stand there: workers are real processes
 * of two releases, the second with a guarded change of the approval workflow.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { createTokens } from '../../activities/tokens';
import { writeBundle } from '../../workers/bundle';
import { approvalWorkflowId, reconcileScheduleId } from '../../workflows/protocol';
import { TENANT } from '../support/desk';
import { engineAddress } from '../support/engine';
import { openInstallation, type Installation, type RunningApi, type RunningWorker } from '../support/installation';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { temporalCli, type TemporalCli } from '../support/temporal-cli';

const DEPLOYMENT = `countersign-${randomUUID()}`;
const [OLD, NEW] = ['1.0.0', '1.1.0-rc.1'];
const GUIDE = readFileSync(join(__dirname, '..', '..', 'docs', 'deploy.md'), 'utf8');

let installation: Installation;
let client: Client;
let connection: Connection;
let api: RunningApi;
let agent: ReferenceAgent;
let cli: TemporalCli;
afterAll(async () => {
  await installation.close();
  await agent.stop();
  await connection.close();
});
const store = useStore();
beforeAll(async () => {
  installation = await openInstallation(store, engineAddress());
  connection = await Connection.connect({ address: engineAddress() });
  client = new Client({ connection });
  cli = await temporalCli(engineAddress());
  agent = await startReferenceAgent({
    jwks: createTokens({ keys: store.keys, issuer: 'http://localhost:8700' }).jwks(),
    // Away at the first call.
    before: () => (agent.calls.length === 1 ? 503 : null),
  });
  api = await installation.startApi();
});

/** Runs the commands of one section of the guide, as they are written there; `change` for a value in the middle of one. */
async function follow(heading: string, which: number | null = null, change: (command: string) => string = (same) => same): Promise<string> {
  const section = GUIDE.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const commands = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => (block ?? '').trim().split('\n'));
  const chosen = which === null ? commands : commands.slice(which, which + 1);
  if (chosen.length === 0) throw new Error(`docs/deploy.md has no such command under "${heading}"`);
  let output = '';
  for (const command of chosen) {
    const values: Record<string, string> = { DEPLOYMENT, OLD, NEW, TASK_QUEUE: installation.taskQueue };
    const typed = change(command).replaceAll(/\$([A-Z_]+)/g, (_, name: string) => values[name] ?? '');
    const [program, ...args] = [...typed.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
    expect(program).toBe('temporal');
    const said = await cli(...args);
    if (!said.ok) throw new Error(`${typed}\n${said.output}`);
    output += said.output;
  }
  // The guide says where to see it: what was set takes effect a moment later.
  await until(async () => (await routing()) !== IN_PROGRESS, 'the routing of tasks is in effect');
  return output;
}

const IN_PROGRESS = temporal.api.enums.v1.RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS;

async function routing(): Promise<temporal.api.enums.v1.RoutingConfigUpdateState | null | undefined> {
  const { workerDeploymentInfo } = await connection.workflowService.describeWorkerDeployment({ namespace: 'default', deploymentName: DEPLOYMENT });
  return workerDeploymentInfo?.routingConfigUpdateState;
}

const startBuild = (buildId: string, bundle?: string): Promise<RunningWorker> =>
  installation.startWorker({
    COUNTERSIGN_DEPLOYMENT: DEPLOYMENT,
    COUNTERSIGN_BUILD_ID: buildId,
    ...(bundle === undefined ? {} : { COUNTERSIGN_WORKFLOW_BUNDLE: bundle }),
  });

/** Which build completed the last task of a run. */
async function buildOf(workflowId: string): Promise<string | undefined> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId ?? undefined;
}

/** The record is ahead of the engine by the rest of a task. */
const untilBuild = (approvalId: string): Promise<string> => until(() => buildOf(approvalWorkflowId(TENANT, approvalId)), 'its first task is complete');

const approve = async ({
  approvalId,
  packetDigest,
}: {
  approvalId: string;
  packetDigest: string;
}): Promise<[status: number, state: string, build: string | undefined]> => {
  const { status } = await installation.move(api, approvalId, 'fay', { type: 'approve', packet_digest: packetDigest });
  const workflowId = approvalWorkflowId(TENANT, approvalId);
  await client.workflow.getHandle(workflowId).result();
  return [status, await installation.stateOf(approvalId), await buildOf(workflowId)];
};

const ask = async (more: Parameters<typeof refund>[1] = {}) => {
  const asked = await installation.ask(api, refund(48_000, more));
  await installation.untilState(asked.approvalId, 'waiting');
  return asked;
};

const says = (worker: RunningWorker, words: string) => until(() => worker.output().includes(words), `the worker says: ${words}`);

const readiness = async (worker: RunningWorker): Promise<{ status: number; checks: Record<string, string> }> => {
  const response = await fetch(`${worker.metricsUrl}/readyz`);
  return { status: response.status, checks: ((await response.json()) as { checks: Record<string, string> }).checks };
};

let old: RunningWorker;
let next: RunningWorker;
/** Opened under the old build, before the new one was there. */
const opened: { approvalId: string; packetDigest: string }[] = [];

it('the first time: without a current version nobody gets work, which the worker says; with one, approvals go on', async () => {
  old = await startBuild(OLD);
  const waits = await installation.ask(api, refund(48_000));
  await says(old, `no version of the deployment ${DEPLOYMENT} is current, so nobody gets work: make one current with temporal worker deployment`);
  const before = await until(async () => {
    const ready = await readiness(old);
    return ready.checks['engine'] === 'ok' ? ready : null;
  }, 'the worker polls');
  expect(before).toMatchObject({ status: 503, checks: { versions: expect.stringContaining('is current, so nobody gets work') as unknown } });
  expect(await installation.stateOf(waits.approvalId)).toBe('routing');

  await follow('The first time');
  await installation.untilState(waits.approvalId, 'waiting');
  expect(await readiness(old)).toMatchObject({ status: 200, checks: { versions: 'ok' } });
  expect(await approve(waits)).toEqual([200, 'approved', OLD]);
  for (let i = 0; i < 4; i += 1) opened.push(await ask());
});

it('deploy: the new build waits beside the old one, takes a share, then everything; open approvals go on under it', async () => {
  const bundle = join(installation.dir, 'next.js');
  await writeBundle(bundle, require.resolve('../support/workflows/guarded'));
  next = await startBuild(NEW, bundle);
  await says(next, 'another version of the deployment is current');
  await until(async () => (await readiness(next)).status === 200, 'the new build is ready');
  expect(await approve(opened[0] as (typeof opened)[0])).toEqual([200, 'approved', OLD]);

  await follow('Deploy', 0);
  expect(await follow('Deploy', 2)).toContain('10');
  await follow('Deploy', 0, (command) => command.replace('10', '100'));
  const ramped = await ask();
  expect(await untilBuild(ramped.approvalId)).toBe(NEW);
  await follow('Roll back', 1);
  expect(await untilBuild((await ask()).approvalId)).toBe(OLD);

  await follow('Deploy', 1);
  expect(await approve(opened[1] as (typeof opened)[0])).toEqual([200, 'approved', NEW]);
});

it('roll back: what began before goes on under the old build, a delivery too; what began under a changed workflow starts again from the record', async () => {
  const changed = [await ask(), await ask()];
  const { status: claimed } = await installation.move(api, changed[0]?.approvalId ?? '', 'fay', { type: 'claim' });
  expect(claimed).toBe(200);
  const delivered = await ask({ resume: { type: 'callback', url: agent.url } });
  expect(await approve(delivered)).toEqual([200, 'approved', NEW]);

  await follow('Roll back', 0);
  expect(await next.stop()).toEqual({ code: 0, signal: null });
  expect(await approve(opened[2] as (typeof opened)[0])).toEqual([200, 'approved', OLD]);
  expect(await approve(await ask())).toEqual([200, 'approved', OLD]);

  // The old build cannot read what the new one began: the guide says what to do, and the sweep does the rest.
  await follow('Roll back', 2);
  for (const { approvalId } of changed) {
    const run = client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
    await until(async () => (await run.describe()).status.name !== 'RUNNING', 'its run is terminated');
  }
  // A request this young is left to the API for fifteen seconds, so one knock may be too early.
  await until(async () => {
    await follow('Roll back', 3);
    const states = await Promise.all(
      changed.map(async ({ approvalId }) => (await client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe()).status.name),
    );
    return states.every((name) => name === 'RUNNING');
  }, 'the sweep has started them again');
  const row = await store.db
    .selectFrom('approvals')
    .select('owner')
    .where('approval_id', '=', changed[0]?.approvalId ?? '')
    .executeTakeFirstOrThrow();
  expect(row.owner).toBe('fay');
  for (const one of changed) expect(await approve(one)).toEqual([200, 'approved', OLD]);

  await until(() => agent.acts.length === 1, 'the delivery that began under the new build is carried out under the old one');
  expect(agent.acts[0]).toMatchObject({ approvalId: delivered.approvalId, outcome: 'approved' });
});

it('the sweep runs under the current build as well', async () => {
  const { info } = await client.schedule.getHandle(reconcileScheduleId(installation.taskQueue)).describe();
  const last = info.recentActions.at(-1)?.action.workflow.workflowId ?? '';
  await client.workflow.getHandle(last).result();
  expect(await buildOf(last)).toBe(OLD);
});

it('switching it off again: workers without a version take over what is open', async () => {
  const plain = await installation.startWorker();
  await follow('Switching it off again');
  await old.stop();
  const { status } = await installation.move(api, opened[3]?.approvalId ?? '', 'fay', { type: 'approve', packet_digest: opened[3]?.packetDigest ?? '' });
  expect({ status, state: await installation.stateOf(opened[3]?.approvalId ?? '') }).toEqual({ status: 200, state: 'approved' });
  expect(await plain.stop()).toEqual({ code: 0, signal: null });
});
