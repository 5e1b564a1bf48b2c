/**
 * A delivery that comes again and again: an attempt that was none, because too many waited for the same host, is not counted, so no number
 * of attempts bounds it. Its history stays small all the same. With made-up activities; workflow, engine and replay are the real ones.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createWorker } from '../../workers/worker';
import { DELIVERY_WORKFLOW, deliveryWorkflowId, type ApprovalActivities, type AttemptResult, type DeliveryInput } from '../../workflows/protocol';
import { engineAddress, workflowBundle } from '../support/engine';

const TENANT = 'acme';
/** More events than a run may have; a delivery hears no signal, so these only make it long. */
const EVENTS = 1_000;
let connection: Connection;
let native: NativeConnection;
let client: Client;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  connection = await Connection.connect({ address: engineAddress() });
  native = await NativeConnection.connect({ address: engineAddress() });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection.close();
  await native.close();
});

const start = (input: DeliveryInput, taskQueue: string): Promise<WorkflowHandleWithFirstExecutionRunId> =>
  client.workflow.start(DELIVERY_WORKFLOW, { workflowId: deliveryWorkflowId(TENANT, input.approvalId, input.owedId), taskQueue, args: [input] });

it('goes on in a new run when its history has grown long, with the wait and the number that are due, and every run replays', async () => {
  const approvalId = `ap_${randomUUID()}`;
  const taskQueue = `delivery-${randomUUID()}`;
  const lengths: number[] = [];
  const resumeAgent = async (): Promise<AttemptResult> => {
    lengths.push((await handle.describe()).historyLength);
    return { status: lengths.length < 3 ? 'failed_for_now' : 'done', seq: 7, retryInMs: 1, detail: 'Too many calls wait for this host' };
  };
  const activities = { resumeAgent } as unknown as ApprovalActivities;
  const input = { tenant: TENANT, approvalId, owedId: '7-0', kind: 'callback', summary: 'Resume the agent', timeScale: 1, firstInMs: 0 } as const;
  const handle = await start(input, taskQueue);
  for (let sent = 0; sent < EVENTS; sent += 50) await Promise.all(Array.from({ length: 50 }, () => handle.signal('nothing-of-ours')));
  const worker = await createWorker({ connection: native, namespace: 'default', taskQueue, activities, bundle: workflowBundle() });
  await worker.runUntil(async () => expect(await handle.result()).toMatchObject({ status: 'done' }));
  expect(lengths.map((length) => length > EVENTS)).toEqual([true, false, false]);
  const runs: unknown[] = [];
  for (let runId: string | undefined = handle.firstExecutionRunId; runId;) {
    const history: temporal.api.history.v1.IHistory = await client.workflow.getHandle(handle.workflowId, runId).fetchHistory();
    await Worker.runReplayHistory({ workflowBundle: workflowBundle() }, history, handle.workflowId);
    const continued = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
    if (continued) runs.push(defaultPayloadConverter.fromPayload(continued.input?.payloads?.[0] ?? {}));
    runId = continued?.newExecutionRunId ?? undefined;
  }
  expect(runs).toEqual([{ ...input, firstInMs: 1, attempt: 3 }]);
});
