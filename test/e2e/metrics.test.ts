/**
 * What the worker and the API tell those who watch: health, readiness, metrics; where, to whom, and what each figure does when
 * something happens.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { sql } from 'kysely';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { createTokens } from '../../activities/tokens';
import { reconcileScheduleId } from '../../workflows/protocol';
import { engineAddress } from '../support/engine';
import { openInstallation, type Installation, type RunningApi, type RunningWorker } from '../support/installation';
import { until } from '../support/processes';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { startTcpProxy } from '../support/tcp-proxy';

let installation: Installation;
let worker: RunningWorker;
let api: RunningApi;
let agent: ReferenceAgent;
let connection: Connection;
let client: Client;
afterAll(async () => {
  await installation.close();
  await connection.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  installation = await openInstallation(store, engineAddress());
  connection = await Connection.connect({ address: engineAddress() });
  client = new Client({ connection });
  [worker, api] = await Promise.all([installation.startWorker(), installation.startApi()]);
  agent = await startReferenceAgent({ jwks: createTokens({ keys: store.keys, issuer: 'http://localhost:8700' }).jwks() });
});

/** The value of the one series whose name and labels match. */
async function value(url: string, name: string, ...labels: string[]): Promise<number | null> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split('\n').find((l) => (l.startsWith(`${name}{`) || l.startsWith(`${name} `)) && labels.every((label) => l.includes(label)));
  return line === undefined ? null : Number(line.slice(line.lastIndexOf(' ') + 1));
}

const json = async (url: string): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
};

it('the worker says that it runs, and that it is ready once it polls, store and engine answer, and the sweep is scheduled', async () => {
  expect(await json(`${worker.metricsUrl}/healthz`)).toEqual({ status: 200, body: { status: 'ok' } });
  const ready = await until(async () => {
    const answer = await json(`${worker.metricsUrl}/readyz`);
    return answer.status === 200 ? answer : null;
  }, 'the worker is ready');
  expect(ready.body).toEqual({ status: 'ready', checks: { store: 'ok', engine: 'ok', schedule: 'ok' } });
});

it('the port for those who watch answers nothing else, and the port of agents and people has no metrics', async () => {
  expect((await fetch(`${worker.metricsUrl}/`)).status).toBe(404);
  expect((await fetch(`${worker.metricsUrl}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await fetch(`${api.metricsUrl}/v1/me`)).status).toBe(404);
  expect((await fetch(`${api.url}/metrics`)).status).toBe(404);
});

it('an approval from request to callback moves the figures of commits, refusals, attempts, requests and the log', async () => {
  const { approvalId, packetDigest } = await installation.ask(api, refund(48_000, { resume: { type: 'callback', url: agent.url } }));
  await installation.untilState(approvalId, 'waiting');
  expect(await value(api.metricsUrl, 'countersign_approvals_open', 'state="waiting"')).toBe(1);
  const refused = await installation.move(api, approvalId, 'rita', { type: 'approve', packet_digest: packetDigest });
  expect(refused.status).toBe(403);
  const approved = await installation.move(api, approvalId, 'fay', { type: 'approve', packet_digest: packetDigest });
  expect(approved.status).toBe(200);
  await until(async () => (await value(worker.metricsUrl, 'countersign_attempts_total', 'kind="callback"', 'status="done"')) === 1, 'the callback is counted');
  const commit = (...labels: string[]) => value(worker.metricsUrl, 'countersign_commits_total', ...labels);
  expect(await commit('command="open"', 'answer="done"')).toBe(1);
  expect(await commit('command="command"', 'answer="accepted"')).toBe(1);
  expect(await commit('command="command"', 'answer="refused"')).toBe(1);
  expect(await value(worker.metricsUrl, 'countersign_refusals_total', 'code="requester_may_not_decide"')).toBe(1);
  expect(await value(worker.metricsUrl, 'countersign_attempts_total', 'kind="ask"', 'status="done"')).toBe(1);
  expect(await value(worker.metricsUrl, 'countersign_commit_seconds_count', 'command="command"')).toBe(2);
  expect(await value(api.metricsUrl, 'countersign_api_requests_total', 'route="/v1/approvals/:id/moves"', 'status="200"')).toBe(1);
  expect(await value(api.metricsUrl, 'countersign_api_requests_total', 'route="/v1/approvals/:id/moves"', 'status="403"')).toBe(1);
  expect(await value(api.metricsUrl, 'countersign_api_moves_waiting')).toBe(0);
  expect(await value(api.metricsUrl, 'countersign_api_in_flight')).toBe(0);
  await until(async () => (await value(worker.metricsUrl, 'countersign_entries_unsequenced')) === 0, 'every entry has its place in the log');
  expect(await value(worker.metricsUrl, 'countersign_sequenced_entries_total')).toBeGreaterThan(5);
  expect(await value(worker.metricsUrl, 'countersign_sequencer_refused')).toBe(0);
  for (const name of ['countersign_approvals_overdue', 'countersign_deliveries_late', 'countersign_commands_unanswered'])
    expect({ name, value: await value(worker.metricsUrl, name) }).toEqual({ name, value: 0 });
  // Temporal's own, from the same page.
  expect(await value(worker.metricsUrl, 'temporal_num_pollers')).not.toBeNull();
});

it('each figure that wakes an operator rises with what it is about', async () => {
  const { approvalId } = await installation.ask(api, refund(49_000));
  await installation.untilState(approvalId, 'waiting');
  // Every entry writes the projection anew, so the last one to come is waited for.
  const asked = () => store.db.selectFrom('deliveries').select('status').where('approval_id', '=', approvalId).executeTakeFirst();
  await until(async () => (await asked())?.status === 'done', 'the person was asked');
  const long = new Date(Date.now() - 600_000).toISOString();
  const at = { tenant: 'acme', approval_id: approvalId };
  await store.adminDb.updateTable('approvals').set({ wake_at: long }).where('approval_id', '=', approvalId).execute();
  const delivery = (owed_id: string, status: string, next_at: string | null) => ({
    ...at,
    ...{ owed_id, kind: 'callback', target: 'x', status, attempts: 1, last_detail: '', next_at, created_at: long, updated_at: long },
  });
  await store.adminDb
    .insertInto('deliveries')
    .values([delivery('dead', 'failed_for_good', null), delivery('late', 'failed_for_now', long)])
    .execute();
  const body = JSON.stringify({ expiresAt: new Date(Date.now() + 600_000).toISOString() });
  await store.adminDb
    .insertInto('commands')
    .values({ tenant: 'acme', command_id: 'forgotten', approval_id: approvalId, person: 'fay', body, signature: '', key_id: '', created_at: long })
    .execute();
  for (const url of [worker.metricsUrl, api.metricsUrl]) {
    expect(await value(url, 'countersign_store_up')).toBe(1);
    expect(await value(url, 'countersign_approvals_overdue')).toBe(1);
    expect(await value(url, 'countersign_overdue_seconds')).toBeGreaterThan(590);
    expect(await value(url, 'countersign_dead_letters', 'kind="callback"')).toBe(1);
    expect(await value(url, 'countersign_deliveries_late')).toBe(1);
    expect(await value(url, 'countersign_deliveries_pending', 'kind="callback"')).toBe(1);
    expect(await value(url, 'countersign_commands_unanswered')).toBe(1);
  }
});

it('a figure that is late is counted and keeps none of the others back, and only a store that does not answer is down', async () => {
  let unlock: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (unlock = resolve));
  let locked: () => void = () => undefined;
  const isLocked = new Promise<void>((resolve) => (locked = resolve));
  // Whatever reads the commands of people waits; everything else goes on.
  const holding = store.adminDb.transaction().execute(async (trx) => {
    await sql`lock table commands in access exclusive mode`.execute(trx);
    locked();
    await held;
  });
  await isLocked;
  try {
    const page = await until(async () => {
      const text = await (await fetch(`${api.metricsUrl}/metrics`)).text();
      // On a busy machine another may be late once.
      return /^countersign_figures_late 1$/m.test(text) ? text : null;
    }, 'one figure alone is late');
    expect(page).toMatch(/^countersign_store_up 1$/m);
    expect(page).toMatch(/^countersign_approvals_overdue \d/m);
    expect(page).toMatch(/^countersign_entries_unsequenced \d/m);
    expect(page).not.toContain('countersign_commands_unanswered');
  } finally {
    unlock();
    await holding;
  }
  await until(async () => (await value(api.metricsUrl, 'countersign_figures_late')) === 0, 'none is late any more');
  expect(await value(api.metricsUrl, 'countersign_commands_unanswered')).not.toBeNull();
});

it('a store that does not answer is down, and no figure of it is served', async () => {
  const url = new URL(store.appUrl);
  const toStore = await startTcpProxy(url.host);
  url.host = toStore.address;
  const other = await installation.startApi({ DATABASE_URL: url.href });
  toStore.cut();
  try {
    const page = await (await fetch(`${other.metricsUrl}/metrics`)).text();
    expect(page).toMatch(/^countersign_store_up 0$/m);
    expect(page).not.toMatch(/countersign_(figures_late|approvals_open|entries_unsequenced)/);
  } finally {
    toStore.mend();
    await other.stop();
    await toStore.stop();
  }
});

it('docs/metrics.md names every figure of ours that is served, and no other', async () => {
  // Whichever of the two says it; the sweep counts from its first round on.
  const served = async (): Promise<string[]> => {
    const pages = await Promise.all([worker, api].map(async ({ metricsUrl }) => await (await fetch(`${metricsUrl}/metrics`)).text()));
    return [...new Set(pages.flatMap((page) => [...page.matchAll(/^# TYPE (countersign_\w+)/gm)].map(([, name]) => name ?? '')))].sort();
  };
  await client.schedule.getHandle(reconcileScheduleId(installation.taskQueue)).trigger();
  await until(async () => (await served()).includes('countersign_sweep_found'), 'a sweep has ended');
  const guide = readFileSync(join(__dirname, '..', '..', 'docs', 'metrics.md'), 'utf8');
  expect([...guide.matchAll(/^\| `(countersign_\w+)`/gm)].map(([, name]) => name).sort()).toEqual(await served());
});

it('a port in use is one sentence that names the setting', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    await expect(installation.startApi({ COUNTERSIGN_API_METRICS_PORT: String(port) })).rejects.toThrow(
      new RegExp(
        `COUNTERSIGN_API_METRICS_PORT names port ${String(port)} of 127.0.0.1, which cannot be listened on \\(EADDRINUSE\\): set it to a free port, or leave it out\\.`,
      ),
    );
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});
