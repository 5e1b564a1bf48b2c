/**
 * An answer and what an effect leads to, both out of one task of the engine: told in one order when they happen and when the history is
 * replayed. With made-up activities, so that the moment can be chosen; the workflow, the engine and the replay are the real ones.
 */
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { startApproval } from '../../activities/engine';
import type { ApprovalView } from '../../domain/view';
import { createWorker } from '../../workers/worker';
import {
  COMMAND_UPDATE,
  approvalWorkflowId,
  deliveryWorkflowId,
  type ApprovalActivities,
  type CommandAnswer,
  type CommitInput,
} from '../../workflows/protocol';
import { engineAddress, workflowBundle } from '../support/engine';
import { until } from '../support/processes';

const TENANT = 'acme';
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

const viewAt = (seq: number): ApprovalView => ({
  seq,
  state: 'waiting',
  now: '2026-11-21T09:00:00.000Z',
  wake: null,
  attributes: { state: 'waiting', level: 'desk', lanes: ['finance'], owners: ['fay'], due: null },
  details: 'somebody is asked',
  todo: [{ id: '1-0', kind: 'ask', summary: 'Ask Fay (finance_manager) by email' }],
  result: null,
});

it('an answer first, then the delivery that a failed message leads to; and the history replays', async () => {
  const approvalId = `ap_${randomUUID()}`;
  const taskQueue = `turns-${randomUUID()}`;
  const workflowId = approvalWorkflowId(TENANT, approvalId);
  let answered = 0;
  const activities = {
    commit: ({ command }: CommitInput) => {
      if (command.type !== 'command') return Promise.resolve({ view: viewAt(1), answer: null });
      const answer: CommandAnswer = { commandId: command.commandId, accepted: true, state: 'waiting', seq: 2, refusal: null };
      answered = Date.now();
      return Promise.resolve({ view: viewAt(2), answer });
    },
    // It fails just after the move was committed, while the engine still holds the same task open for it.
    ask: async () => {
      await until(() => answered > 0 && Date.now() > answered + 50, 'the move is committed');
      return { status: 'failed_for_now', seq: 2, retryInMs: 3_600_000, detail: 'The mail server is away' } as const;
    },
  } as unknown as ApprovalActivities;

  await startApproval(client, { taskQueue, timeScale: 1 }, { tenant: TENANT, approvalId, lane: 'finance', headline: 'A question' });
  const handle = client.workflow.getHandle(workflowId);
  const commandId = randomUUID();
  const moving = handle.executeUpdate<CommandAnswer, [{ commandId: string }]>(COMMAND_UPDATE, { args: [{ commandId }], updateId: commandId });
  // Both wait for a worker, so that the first task holds them both.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const worker = await createWorker({ connection: native, namespace: 'default', taskQueue, activities, bundle: workflowBundle() });
  const running = worker.run();
  try {
    expect(await moving).toMatchObject({ accepted: true });
    await until(
      async () => (await handle.fetchHistory()).events?.some((e) => e.startChildWorkflowExecutionInitiatedEventAttributes),
      'the delivery is started',
    );
    const history = await handle.fetchHistory();
    const order = (history.events ?? []).flatMap((e) =>
      e.workflowExecutionUpdateCompletedEventAttributes ? ['answer'] : e.startChildWorkflowExecutionInitiatedEventAttributes ? ['delivery'] : [],
    );
    expect(order).toEqual(['answer', 'delivery']);
    for await (const { error } of Worker.runReplayHistories({ workflowBundle: workflowBundle() }, [{ workflowId, history }])) expect(error).toBeUndefined();
  } finally {
    worker.shutdown();
    await running;
    await Promise.allSettled(
      [workflowId, deliveryWorkflowId(TENANT, approvalId, '1-0')].map((id) => client.workflow.getHandle(id).terminate('the test is over')),
    );
  }
});
