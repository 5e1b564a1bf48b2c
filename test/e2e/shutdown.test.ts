/**
 * Orderly stops of the real processes, in the middle of work: what was acknowledged stands, who waits gets an answer, nothing is sent
 * twice, and neither a lost store nor a lost engine keeps a process from ending.
 */
import { sql } from 'kysely';
import { createTokens } from '../../activities/tokens';
import { engineAddress } from '../support/engine';
import { openInstallation, type Answer, type Installation, type RunningApi } from '../support/installation';
import { until } from '../support/processes';
import { startReferenceAgent, type Call, type ReferenceAgent } from '../support/reference-agent';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy';

const WELL = { code: 0, signal: null };

let installation: Installation;
let agent: ReferenceAgent;
let toStore: TcpProxy;
let toEngine: TcpProxy;
/** What keeps the agent's answer back, by approval. */
const held = new Map<string, Promise<null>>();
afterAll(async () => {
  await installation.close();
  await agent.stop();
  await toStore.stop();
  await toEngine.stop();
});
const store = useStore();
beforeAll(async () => {
  installation = await openInstallation(store, engineAddress());
  agent = await startReferenceAgent({
    jwks: createTokens({ keys: store.keys, issuer: 'http://localhost:8700' }).jwks(),
    before: ({ approvalId }: Call) => held.get(approvalId) ?? null,
  });
  toStore = await startTcpProxy(new URL(store.appUrl).host);
  toEngine = await startTcpProxy(engineAddress());
});

const callback = () => refund(48_000, { resume: { type: 'callback', url: agent.url } });
const ask = async (api: RunningApi) => {
  const asked = await installation.ask(api, callback());
  await installation.untilState(asked.approvalId, 'waiting');
  return asked;
};
const approve = (api: RunningApi, { approvalId, packetDigest }: { approvalId: string; packetDigest: string }): Promise<Answer> =>
  installation.move(api, approvalId, 'fay', { type: 'approve', packet_digest: packetDigest });
const callsFor = (approvalId: string): number => agent.calls.filter((call) => call.approvalId === approvalId).length;
/** Through proxies that can be cut. */
const severable = (): NodeJS.ProcessEnv => {
  const url = new URL(store.appUrl);
  url.host = toStore.address;
  return { DATABASE_URL: url.href, TEMPORAL_ADDRESS: toEngine.address };
};

it('worker and API are told to stop amid a crowd of moves: each move is answered, counts once, and its agent is told once', async () => {
  const [worker, api] = await Promise.all([installation.startWorker(), installation.startApi()]);
  const asked = await Promise.all(Array.from({ length: 12 }, () => ask(api)));
  const moving = Promise.all(asked.map((one) => approve(api, one)));
  // Some are answered, some are on the way.
  await until(() => agent.calls.length > 0, 'the first agent is called back');
  const workerGone = worker.stop();
  const next = installation.startWorker();
  const apiGone = api.stop();
  const answers = await moving;
  expect(await workerGone).toEqual(WELL);
  expect(await apiGone).toEqual(WELL);
  for (const { status, body } of answers) expect([200, 202]).toContain(body['code'] === undefined ? status : body['code']);
  await next;
  await Promise.all(asked.map(({ approvalId }) => installation.untilState(approvalId, 'approved')));
  await until(() => asked.every(({ approvalId }) => callsFor(approvalId) > 0), 'every agent is called back');
  const done = async () =>
    (await store.db.selectFrom('deliveries').select('status').where('kind', '=', 'callback').execute()).every(({ status }) => status === 'done');
  await until(done, 'every callback is on the record as done');
  expect(asked.map(({ approvalId }) => callsFor(approvalId))).toEqual(asked.map(() => 1));
  expect(await (await next).stop()).toEqual(WELL);
});

it('a worker that is told to stop in the middle of a callback waits for its answer, so that nobody calls again', async () => {
  const [worker, api] = await Promise.all([installation.startWorker(), installation.startApi()]);
  const asked = await ask(api);
  let release: (go: null) => void = () => undefined;
  held.set(asked.approvalId, new Promise<null>((resolve) => (release = resolve)));
  expect((await approve(api, asked)).status).toBe(200);
  await until(() => callsFor(asked.approvalId) === 1, 'the agent is called');
  const gone = worker.stop();
  const second = await installation.startWorker();
  release(null);
  expect(await gone).toEqual(WELL);
  const statusOf = async () =>
    (
      await store.db
        .selectFrom('deliveries')
        .select('status')
        .where('approval_id', '=', asked.approvalId)
        .where('kind', '=', 'callback')
        .executeTakeFirstOrThrow()
    ).status;
  await until(async () => (await statusOf()) === 'done', 'the callback is on the record');
  expect(callsFor(asked.approvalId)).toBe(1);
  expect(await second.stop()).toEqual(WELL);
  expect(await api.stop()).toEqual(WELL);
});

it('told twice, a process stops at once; what it had begun is done again, and the agent acts once', async () => {
  const [worker, api] = await Promise.all([installation.startWorker(), installation.startApi()]);
  const asked = await ask(api);
  held.set(asked.approvalId, new Promise<null>(() => undefined));
  expect((await approve(api, asked)).status).toBe(200);
  await until(() => callsFor(asked.approvalId) === 1, 'the agent is called');
  const gone = worker.stop();
  await until(async () => (await fetch(`${worker.metricsUrl}/readyz`)).status === 503, 'the worker is stopping');
  process.kill(worker.pid, 'SIGTERM');
  expect(await gone).toEqual({ code: 1, signal: null });
  held.delete(asked.approvalId);
  const next = await installation.startWorker();
  await until(() => agent.acts.some(({ approvalId }) => approvalId === asked.approvalId), 'the agent has acted');
  expect(agent.acts.filter(({ approvalId }) => approvalId === asked.approvalId)).toHaveLength(1);
  expect(new Set(agent.calls.filter((call) => call.approvalId === asked.approvalId).map((call) => call.messageId)).size).toBe(1);
  await Promise.all([next.stop(), api.stop()]);
});

it('a stopping API says that it is not ready, ends what waits, answers what comes, and asks everybody to go elsewhere', async () => {
  const api = await installation.startApi({ COUNTERSIGN_DRAIN_SECONDS: '3' });
  const { approvalId } = await installation.ask(api, refund(48_000));
  const authorization = `Bearer ${installation.key}`;
  const waiting = fetch(`${api.url}/v1/requests/${approvalId}?wait=30`, { headers: { authorization } });
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
  const gone = api.stop();
  const drained = await until(async () => {
    const response = await fetch(`${api.url}/readyz`);
    return response.status === 503 ? response : null;
  }, 'it is not ready');
  expect(drained.headers.get('connection')).toBe('close');
  expect(await drained.json()).toMatchObject({ code: 'unavailable', detail: 'Not ready: this process is stopping; send new requests to another' });
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  const late = await fetch(`${api.url}/v1/requests/${approvalId}`, { headers: { authorization } });
  expect([late.status, late.headers.get('connection')]).toEqual([200, 'close']);
  expect(await (await waiting).json()).toMatchObject({ ended: false });
  expect(await gone).toEqual(WELL);
  await expect(fetch(`${api.url}/healthz`)).rejects.toThrow();
});

it('the engine is gone while a sweep is in its hands: the worker does not wait until it can say how the sweep went', async () => {
  const worker = await installation.startWorker(severable());
  let unlock: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (unlock = resolve));
  const holding = store.adminDb.transaction().execute(async (trx) => {
    await sql`lock table approvals in access exclusive mode`.execute(trx);
    await held;
  });
  try {
    const waits = sql<{ n: string }>`
      select count(*) as n from pg_stat_activity where application_name = 'countersign-worker' and wait_event_type = 'Lock'`;
    await until(async () => Number((await waits.execute(store.adminDb)).rows[0]?.n) > 0, 'the sweep waits for the store');
    toEngine.cut();
    expect(await worker.stop()).toEqual(WELL);
    expect(worker.output()).toContain('the engine does not answer');
    expect(worker.output()).not.toMatch(/could not be reported in time|did not come to an end in time/);
  } finally {
    unlock();
    await holding;
    toEngine.mend();
  }
});

it('the engine is gone in the middle of a callback: the worker waits for the agent, and the answer is on the record', async () => {
  const [worker, api] = await Promise.all([installation.startWorker(severable()), installation.startApi()]);
  const asked = await ask(api);
  let release: (go: null) => void = () => undefined;
  held.set(asked.approvalId, new Promise<null>((resolve) => (release = resolve)));
  try {
    expect((await approve(api, asked)).status).toBe(200);
    await until(() => callsFor(asked.approvalId) === 1, 'the agent is called');
    toEngine.cut();
    const gone = worker.stop();
    await until(() => worker.output().includes('the engine does not answer'), 'the worker has noticed');
    release(null);
    expect(await gone).toEqual(WELL);
    const { status } = await store.db
      .selectFrom('deliveries')
      .select('status')
      .where('approval_id', '=', asked.approvalId)
      .where('kind', '=', 'callback')
      .executeTakeFirstOrThrow();
    expect([status, callsFor(asked.approvalId)]).toEqual(['done', 1]);
  } finally {
    toEngine.mend();
    await api.stop();
  }
});

it.each([
  ['the store is gone', () => toStore],
  ['the store hangs', () => toStore],
  ['the engine is gone', () => toEngine],
])('%s: both processes end all the same, in order', async (how, which) => {
  const [worker, api] = await Promise.all([installation.startWorker(severable()), installation.startApi(severable())]);
  await ask(api);
  const proxy = which();
  if (how.endsWith('hangs')) proxy.freeze();
  else proxy.cut();
  try {
    expect(await Promise.all([worker.stop(), api.stop()])).toEqual([WELL, WELL]);
  } finally {
    proxy.mend();
  }
});
