/**
 * The two sides of a comparison, in the same words: ask, and decide. Countersign's side calls the functions that its HTTP routes call;
 * the plain side calls the engine's client. Both run in the benchmark's own process.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiDeps } from '../../client/api/compose';
import { createMakeMove } from '../../client/api/moves';
import { getApproval } from '../../client/api/reads';
import type { SignedIn } from '../../client/api/visibility';
import { personOf } from '../../domain/directory';
import { AGENT, TENANT } from '../../test/support/desk';
import { refund } from '../../test/support/requests';
import { TASK_QUEUE } from '../../workflows/protocol';
import { PLAIN_QUEUE, PLAIN_WORKFLOW, type PlainDecision, type PlainRequest } from '../plain/protocol';
import type { Ground, Stack } from './stack';

/** Whoever asks somebody and passes their decision on. */
export interface Desk {
  /** Asks; the id under which mail and callback are heard. */
  ask(): Promise<string>;
  /** A person says yes; returns when it counts. */
  decide(id: string): Promise<void>;
}

const APPROVER = 'fay';
/** Cents: above what the desk's agents may refund by themselves, within the manager's authority. */
const AMOUNT = 48_000;
/** What a customer writes, so that the packet has the size of a real one, about 2 KB. */
const EVIDENCE = [{ name: 'thread', title: 'What the customer wrote', source: 'customer' as const, content: 'The parcel never came. '.repeat(40) }];

export async function countersignDesk(ground: Ground, stack: Stack): Promise<Desk> {
  const deps = apiDeps(ground.core, { client: stack.client, taskQueue: TASK_QUEUE });
  const { makeMove } = createMakeMove(deps);
  const directory = await deps.directoryOf(TENANT);
  const person = directory && personOf(directory, APPROVER);
  if (!person) throw new Error(`${APPROVER} is not in the directory`);
  const viewer: SignedIn = { tenant: TENANT, person, directory, signedInAt: new Date().toISOString(), session: 'bench' };
  return {
    async ask() {
      const request = refund(AMOUNT, { evidence: EVIDENCE, resume: { type: 'callback', url: ground.callbackUrl.countersign } });
      const { approvalId, plan, headline } = await deps.submit(AGENT, randomUUID(), request);
      await deps.gateway.startApproval({ tenant: TENANT, approvalId, lane: plan.lane, headline }, 60_000);
      return approvalId;
    },
    async decide(id) {
      const row = await getApproval(deps.db, { kind: 'person', ...viewer }, id);
      const moved = await makeMove(viewer, row, { type: 'approve', reason: 'Receipt checked', packet_digest: row.packetDigest }, randomUUID());
      if (moved.status !== 'answered' || !moved.answer.accepted) throw new Error(`The decision on ${id} did not count: ${JSON.stringify(moved)}`);
    },
  };
}

export function plainDesk(ground: Ground, stack: Stack): Desk {
  const { client } = stack;
  return {
    async ask() {
      const id = `plain-${randomUUID()}`;
      const request: PlainRequest = {
        id,
        summary: 'Refund order o1 to the customer',
        approver: 'fay@example.com',
        callbackUrl: ground.callbackUrl.plain,
        deadlineMs: 30 * 60_000,
      };
      await client.workflow.start(PLAIN_WORKFLOW, { workflowId: id, taskQueue: PLAIN_QUEUE, args: [request] });
      return id;
    },
    async decide(id) {
      const { accepted } = await client.workflow
        .getHandle(id)
        .executeUpdate<{ accepted: boolean }, [PlainDecision]>('decide', { args: [{ approved: true, by: 'fay', reason: 'Receipt checked' }] });
      if (!accepted) throw new Error(`The decision on ${id} did not count`);
    },
  };
}

/** The same through the HTTP API, as agents and people do. Who is turned away as busy comes again when told to; `onBusy` hears of it. */
export async function httpDesk(ground: Ground, stack: Stack, onBusy: () => void = () => undefined): Promise<Desk> {
  if (!stack.api) throw new Error('There is no API in this stack');
  const { url, agentKey } = stack.api;
  const call = async (path: string, token: string | null, body: unknown): Promise<Record<string, unknown>> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
    const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    const after = response.headers.get('retry-after');
    if (response.status === 503 && after !== null) {
      onBusy();
      await sleep(Number(after) * 1000 * (1 + Math.random() / 2));
      return await call(path, token, body);
    }
    if (!response.ok) throw new Error(`${path} answered ${String(response.status)}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  const { token } = await call('/v1/dev/login', null, { person: APPROVER, tenant: TENANT });
  const digests = new Map<string, unknown>();
  return {
    async ask() {
      const request = refund(AMOUNT, { evidence: EVIDENCE, resume: { type: 'callback', url: ground.callbackUrl.countersign } });
      const answer = await call('/v1/requests', agentKey, request);
      digests.set(String(answer['approval_id']), answer['packet_digest']);
      return String(answer['approval_id']);
    },
    async decide(id) {
      const digest = digests.get(id);
      digests.delete(id);
      await call(`/v1/approvals/${id}/moves`, String(token), { type: 'approve', reason: 'Receipt checked', packet_digest: digest });
    },
  };
}

/** One approval from the first word to the last: ask, the mail arrives, a person decides, the agent has verified the callback. */
export async function whole(ground: Ground, desk: Desk): Promise<void> {
  const id = await desk.ask();
  await ground.heard('mail', id);
  const called = ground.heard('callback', id);
  await desk.decide(id);
  await called;
}

/** Runs `count` pieces of work, `inFlight` at a time, and says how many milliseconds they took. */
export async function inParallel(count: number, inFlight: number, work: (n: number) => Promise<void>): Promise<number> {
  const started = performance.now();
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await work(next);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, inFlight) }, one));
  return performance.now() - started;
}
