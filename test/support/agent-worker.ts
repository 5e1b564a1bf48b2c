/**
 * An agent's own worker as its owner runs it, beside a world: its workflows and activities, its key, and the real API over HTTP. It has
 * nothing of Countersign's: no store, no payload keys.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import type { PayloadAccess } from '../../client/api/deps';
import { createAgentActivities } from '../../client/sdk/activities';
import { openApi } from './api';
import { until } from './processes';
import type { TestStore } from './store';
import type { World } from './world';

export interface OpenAgentWorker {
  readonly store: TestStore;
  readonly address: string;
  readonly world: World;
  /** The file of its workflows. */
  readonly workflowsPath: string;
  /** What it does besides asking. */
  readonly activities?: object;
  /** What keeps its payloads from others; one worker for each. */
  readonly converters?: readonly (DataConverter | null)[];
  /** For an API that answers operators of an encrypted Countersign. */
  readonly payloads?: PayloadAccess;
}

export interface AgentWorker {
  /** One for each converter, in their order. */
  readonly taskQueues: readonly string[];
  /** The approval of the step `refund` of this workflow of the agent's, once somebody is asked. */
  asked(agent: { readonly workflowId: string }): Promise<string>;
  /** How many requests that step has become. */
  requestsOf(agent: { readonly workflowId: string }): Promise<number>;
  close(): Promise<void>;
}

export async function openAgentWorker({
  store,
  address,
  world,
  workflowsPath,
  activities,
  converters = [null],
  payloads,
}: OpenAgentWorker): Promise<AgentWorker> {
  const api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, ...(payloads ? { payloads } : {}) });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = api.app.server.address() as AddressInfo;
  const connection = await NativeConnection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  const all = { ...createAgentActivities({ url: `http://127.0.0.1:${String(port)}`, key: api.keys.own }), ...activities };
  const workers = await Promise.all(
    converters.map((dataConverter) =>
      Worker.create({ connection, taskQueue: `agent-${randomUUID()}`, workflowBundle, activities: all, ...(dataConverter ? { dataConverter } : {}) }),
    ),
  );
  const running = workers.map((worker) => worker.run());
  const stepOf = (workflowId: string) => store.db.selectFrom('requests').where('idempotency_key', '=', `${workflowId}/refund`);
  return {
    taskQueues: workers.map((worker) => worker.options.taskQueue),
    asked: async ({ workflowId }) =>
      await until(async () => {
        const row = await stepOf(workflowId)
          .innerJoin('approvals', 'approvals.approval_id', 'requests.approval_id')
          .select('requests.approval_id')
          .where('approvals.state', '=', 'waiting')
          .executeTakeFirst();
        return row?.approval_id;
      }, `${workflowId} has asked`),
    requestsOf: async ({ workflowId }) => (await stepOf(workflowId).select('approval_id').execute()).length,
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await api.close();
    },
  };
}
