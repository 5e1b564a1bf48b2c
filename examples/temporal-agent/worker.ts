/**
 * The sample agent's own worker. Its key stays here: workflows and histories never see it.
 *
 *   COUNTERSIGN_URL=http://localhost:8700 COUNTERSIGN_KEY=… node --import tsx examples/temporal-agent/worker.ts
 *
 * then start a workflow of type `refundAgent` on the task queue `refund-agent`, in the Temporal UI or with its CLI.
 */
import { NativeConnection, Worker } from '@temporalio/worker';
import { createAgentActivities } from '../../client/sdk/activities';
import { printing } from './activities';

async function main(): Promise<void> {
  const { COUNTERSIGN_URL: url = 'http://localhost:8700', COUNTERSIGN_KEY: key, TEMPORAL_ADDRESS: address = '127.0.0.1:7233' } = process.env;
  if (key === undefined) throw new Error('COUNTERSIGN_KEY is not set; give the key that npm start printed for the sample agent.');
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: 'refund-agent',
    workflowsPath: require.resolve('./workflow'),
    activities: { ...createAgentActivities({ url, key }), ...printing((line) => process.stdout.write(`${line}\n`)) },
  });
  await worker.run();
  await connection.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
