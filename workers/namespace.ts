/**
 * Makes the engine ready for Countersign and ends: the namespace with its retention, the search attributes, and a wait until the
 * server answers for both. For a server of one's own; in Temporal Cloud, namespace and attributes are made there.
 * Promises: running it again changes nothing but the retention; whatever fails is one sentence. Must not import client.
 */
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { ConfigError, readNamespace } from '../activities/config';
import { engineAccess } from '../activities/connect';
import { EngineError, registerSearchAttributes, SEARCH_ATTRIBUTES } from './engine';
import { sayCause } from './engine/errors';

/** A server looks at its list of namespaces every few seconds. */
const KNOWN_MS = 60_000;
const DAY_MS = 86_400_000;
/** gRPC's code of what is there already. */
const ALREADY_EXISTS = 6;

async function main(): Promise<void> {
  const settings = readNamespace(process.env);
  const { temporalAddress: address, temporalNamespace: namespace, retentionDays } = settings;
  const access = engineAccess(settings);
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...access, connectTimeout: '5s' });
  } catch (cause) {
    throw new EngineError('engine_unreachable', `No Temporal server answers at ${address}: start one there, or set TEMPORAL_ADDRESS to where one runs.`, {
      cause,
    });
  }
  try {
    await makeNamespace(connection, namespace, retentionDays * DAY_MS);
    await known(() => connection.workflowService.describeNamespace({ namespace }), namespace);
    await registerSearchAttributes(address, namespace, access);
    await known(() => connection.workflowService.countWorkflowExecutions({ namespace, query: EVERY_ATTRIBUTE }), namespace);
  } finally {
    await connection.close();
  }
  process.stdout.write(`Namespace ${namespace} at ${address} is ready: closed runs are kept for ${String(retentionDays)} days.\n`);
}

const EVERY_ATTRIBUTE = Object.keys(SEARCH_ATTRIBUTES)
  .map((name) => `${name} IS NOT NULL`)
  .join(' AND ');

async function makeNamespace({ workflowService }: Connection, namespace: string, retentionMs: number): Promise<void> {
  const retention = msToTs(retentionMs);
  try {
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention, description: 'Approvals and escalations' });
  } catch (error) {
    if (!isGrpcServiceError(error) || (error.code as number) !== ALREADY_EXISTS) throw error;
    await workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } });
  }
}

/** Asks until the server knows what was just made. */
async function known(ask: () => Promise<unknown>, namespace: string): Promise<void> {
  const until = Date.now() + KNOWN_MS;
  for (;;) {
    try {
      await ask();
      return;
    } catch (cause) {
      if (Date.now() > until)
        throw new EngineError(
          'engine_failed',
          `Namespace ${namespace} was made but is not served after ${String(KNOWN_MS / 1000)} s (${sayCause(cause)}): start again.`,
          {
            cause,
          },
        );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigError || error instanceof EngineError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
