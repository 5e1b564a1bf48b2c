/**
 * What Temporal itself says about a stack's approvals: which workflows there were, and how they closed.
 */
import { Client, Connection } from '@temporalio/client';
import { APPROVAL_WORKFLOW } from '../../workflows/protocol';
import { sleep } from './people';
import type { Stack } from './stack';

export interface EngineRun {
  readonly id: string;
  /** RUNNING, COMPLETED, … */
  readonly status: string;
}

/** Temporal's list is a moment behind its histories: asked again until so many are there and closed, or ten seconds have passed. */
export async function workflowsOf({ temporal: { address, namespace, taskQueue } }: Stack, expected: number): Promise<EngineRun[]> {
  const { TEMPORAL_API_KEY: apiKey, TEMPORAL_TLS: tls } = process.env;
  const connection = await Connection.connect({ address, ...(apiKey ? { apiKey } : {}), ...(apiKey || tls === 'true' || tls === '1' ? { tls: true } : {}) });
  const client = new Client({ connection, namespace });
  const list = async (): Promise<EngineRun[]> => {
    const runs: EngineRun[] = [];
    for await (const { workflowId, status } of client.workflow.list({ query: `WorkflowType = '${APPROVAL_WORKFLOW}' AND TaskQueue = '${taskQueue}'` }))
      runs.push({ id: workflowId, status: status.name });
    return runs;
  };
  try {
    for (const until = Date.now() + 10_000; ; await sleep(250)) {
      const runs = await list();
      const closed = runs.filter(({ status }) => status !== 'RUNNING').length;
      if (Date.now() > until || closed >= expected) return runs;
    }
  } finally {
    await connection.close();
  }
}
