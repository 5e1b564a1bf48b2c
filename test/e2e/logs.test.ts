/**
 * What the logs of the worker and the API hold, at their most talkative: every line that concerns an approval names it, every request
 * has its line; and nothing that people, agents or operators keep to themselves is in them, nor in what the processes say when they fail.
 */
import { randomUUID } from 'node:crypto';
import { createTokens } from '../../activities/tokens';
import { keysToJson } from '../../record/keys';
import { AGENT, SECRET, TENANT } from '../support/desk';
import { engineAddress } from '../support/engine';
import { openInstallation, type Installation, type RunningApi, type RunningWorker } from '../support/installation';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';

/** In every field that a request has, and in all that a person writes. */
const CANARY = 'CANARY7f3a';
const canary = (where: string): string => `${CANARY}-${where}`;

let installation: Installation;
let worker: RunningWorker;
let api: RunningApi;
let agent: ReferenceAgent;
let session: string;
let away = 0;
afterAll(async () => {
  await installation.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  installation = await openInstallation(store, engineAddress());
  agent = await startReferenceAgent({
    jwks: createTokens({ keys: store.keys, issuer: 'http://localhost:8700' }).jwks(),
    before: () => ((away += 1) === 1 ? 503 : null),
  });
  [worker, api] = await Promise.all([installation.startWorker({ LOG_LEVEL: 'trace' }), installation.startApi({ LOG_LEVEL: 'trace' })]);
  session = await installation.signIn('fay');
});

interface Line {
  readonly msg: string;
  readonly level: number;
  readonly [field: string]: unknown;
}

const linesOf = (output: string): Line[] =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);

const request = () => ({
  action: {
    type: 'refund.issue',
    summary: canary('summary'),
    params: { amount: { minor: 48_000, currency: 'USD' }, order: canary('order') },
    system: canary('system'),
    reversibility: 'hard' as const,
    audience: { reach: 'one_customer' as const, count: 1 },
  },
  run: canary('run'),
  reason: canary('reason'),
  customer: { id: canary('customer'), name: canary('name'), email: `${CANARY}@example.com` },
  case: canary('case'),
  resume: { type: 'callback' as const, url: `${agent.url}?${CANARY}=1` },
});

let approvalId: string;

it('an approval that is refused, misdelivered, decided and delivered leaves lines that name it, and no word of what it is about', async () => {
  const key = randomUUID();
  const asked = await installation.ask(api, request(), `${CANARY}-${key}`);
  ({ approvalId } = asked);
  await installation.untilState(approvalId, 'waiting');
  const post = async (path: string, body: string, headers: Record<string, string> = {}): Promise<number> => {
    const response = await fetch(`${api.url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
    return response.status;
  };
  // What goes wrong is where secrets leak: bad tokens, bad bodies, bad addresses, a reused key.
  expect(await post(`/v1/approvals/${approvalId}/moves?${CANARY}=1`, '{}', { authorization: `Bearer ${CANARY}` })).toBe(401);
  expect(await post('/v1/requests', `{"${CANARY}": `, { authorization: `Bearer ${installation.key}`, 'idempotency-key': CANARY })).toBe(400);
  expect(await post('/v1/requests', `{"${CANARY}": 1}`, { authorization: `Bearer ${installation.key}`, 'idempotency-key': CANARY })).toBe(422);
  expect((await fetch(`${api.url}/v1/requests/${CANARY}?wait=${CANARY}`, { headers: { authorization: `Bearer ${installation.key}` } })).status).toBe(400);
  expect((await fetch(`${api.url}/${CANARY}`)).status).toBe(404);
  expect((await fetch(`${api.url}/`, { headers: { cookie: `countersign_session=${session}` } })).status).toBe(200);
  const move = (person: string, body: object) => installation.move(api, approvalId, person, body);
  expect((await move('rita', { type: 'approve', reason: canary('rita'), packet_digest: asked.packetDigest })).status).toBe(403);
  expect((await move('fay', { type: 'approve', reason: canary('decision'), packet_digest: asked.packetDigest })).status).toBe(200);
  await until(() => agent.acts.length === 1, 'the callback arrives at the second attempt');
  await until(
    () => linesOf(worker.output()).filter((line) => line.msg === 'attempted' && line['kind'] === 'callback').length === 2,
    'both attempts are in the log',
  );
});

it('each request to the API is one line with its id, route, status, caller and time', async () => {
  const move = await until(
    () => linesOf(api.output()).find((line) => line['route'] === '/v1/approvals/:id/moves' && line['status'] === 200),
    'the line of the move',
  );
  expect(move).toMatchObject({ msg: 'request answered', method: 'POST', caller: 'person', tenant: TENANT, approvalId });
  expect(move['reqId']).toMatch(/^[0-9a-f-]{36}$/);
  expect(typeof move['ms']).toBe('number');
  const submitted = linesOf(api.output()).find((line) => line['route'] === '/v1/requests' && line['status'] === 201);
  expect(submitted).toMatchObject({ caller: 'agent', tenant: TENANT });
  expect(
    linesOf(api.output())
      .filter((line) => line['route'] === '/v1/approvals/:id/moves')
      .map((line) => line['status']),
  ).toEqual([401, 403, 200]);
});

it('each line about an approval names tenant and approval, Temporal’s own too', () => {
  const mine = linesOf(worker.output()).filter((line) => JSON.stringify(line).includes(approvalId));
  for (const line of mine) expect(line).toMatchObject({ tenant: TENANT, approvalId });
  const said = new Set(mine.map((line) => line.msg));
  for (const msg of ['move answered', 'attempted']) expect(said).toContain(msg);
});

it('a process that cannot start says why without the password or the key it was given', async () => {
  const password = `${CANARY}-password`;
  const failed = [
    installation.startWorker({
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      TEMPORAL_API_KEY: canary('api-key'),
      DATABASE_URL: `postgres://app:${password}@127.0.0.1:1/x`,
    }),
    installation.startApi({ COUNTERSIGN_KEYS_FILE: __filename, DATABASE_URL: `postgres://app:${password}@127.0.0.1:1/x` }),
    installation.startApi({ DATABASE_URL: `mysql://app:${password}@127.0.0.1:1/x` }),
  ];
  for (const start of await Promise.allSettled(failed)) {
    expect(start.status).toBe('rejected');
    expect(String((start as PromiseRejectedResult).reason)).not.toContain(CANARY);
  }
});

it('nothing that was kept to themselves is in any line of either process', async () => {
  await store.adminDb
    .updateTable('agents')
    .set({ callback_secrets: JSON.stringify(['not-a-secret']) })
    .where('agent', '=', AGENT.agent)
    .execute();
  expect([(await worker.stop()).code, (await api.stop()).code]).toEqual([0, 0]);
  const logs = `${worker.output()}${api.output()}`;
  const command = await store.db.selectFrom('commands').select('signature').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
  const { result } = await store.db.selectFrom('approvals').select('result').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
  const { packet_digest: digest } = await store.db
    .selectFrom('requests')
    .select('packet_digest')
    .where('approval_id', '=', approvalId)
    .executeTakeFirstOrThrow();
  const secrets = [
    CANARY,
    installation.key,
    session,
    session.split('.')[2],
    SECRET,
    command.signature,
    result?.['token'] as string,
    digest,
    new URL(store.appUrl).password,
    ...Object.values((keysToJson(store.keys) as { private: Record<string, string> }).private),
    'fay@example.com',
    'whsec_',
  ];
  expect(secrets.every((secret) => typeof secret === 'string' && secret.length >= 6)).toBe(true);
  for (const secret of secrets) expect({ secret, found: logs.includes(secret ?? '') }).toEqual({ secret, found: false });
  expect(logs.length).toBeGreaterThan(2_000);
});
