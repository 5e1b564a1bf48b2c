/**
 * Hosts whose clocks are wrong: the API a day ahead and the worker a day behind, and the other way round, as real processes under
 * libfaketime. Nothing ends because of it, decisions count, and what is signed is within the windows of those who check it.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { issueKey } from '../../record/store/agents';
import { instant } from '../../domain/json';
import { openStage, type Stage } from './stage';
import { holdPort } from '../support/ports';
import { startProgram, until, type Program } from '../support/processes';
import { useStore } from '../support/store';
import { AGENT, SECRET, TENANT, refund } from '../support/world';

/** As Debian's package of that name puts it; `npm test` installs it. */
const LIBRARY = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`).find((path) => existsSync(path));
/** Only what a calendar would show is off: how long something takes is measured by another clock. */
const off = (by: string): NodeJS.ProcessEnv => ({ LD_PRELOAD: LIBRARY, FAKETIME: by, FAKETIME_DONT_FAKE_MONOTONIC: '1' });

let stage: Stage;
let receiver: Server;
/** What came, and why it was not believed, if it was not. */
const heard: { readonly approvalId: string; readonly wrong: string | null; readonly token: string }[] = [];
let callbackUrl = '';
afterAll(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  await stage.close();
});
const store = useStore();
beforeAll(async () => {
  stage = await openStage(store);
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const { data } = JSON.parse(body) as { readonly data: { readonly approvalId: string; readonly token: string } };
      let wrong: string | null = null;
      try {
        // A library that we did not write, with its five minutes of patience.
        new Webhook(SECRET).verify(body, request.headers as Record<string, string>);
      } catch (error) {
        wrong = String(error);
      }
      heard.push({ approvalId: data.approvalId, wrong, token: data.token });
      response.writeHead(wrong === null ? 204 : 400).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  callbackUrl = `http://127.0.0.1:${String((receiver.address() as AddressInfo).port)}/`;
});

const when = LIBRARY === undefined ? describe.skip : describe;

when.each([
  { api: '+1d', worker: '-1d' },
  { api: '-1d', worker: '+1d' },
])('the API at $api and the worker at $worker', ({ api: apiOff, worker: workerOff }) => {
  const taskQueue = `clocks-${randomUUID()}`;
  const programs: Program[] = [];
  let url = '';
  let agentKey = '';
  afterAll(async () => {
    for (const program of programs) await program.stop();
  });
  beforeAll(async () => {
    const port = await holdPort();
    url = `http://127.0.0.1:${String(port)}`;
    agentKey = await issueKey(store.db, { tenant: TENANT, agent: AGENT.agent, at: instant(Date.now()) });
    const env = stage.workerEnv(taskQueue, { COUNTERSIGN_API_PORT: String(port) });
    programs.push(await startProgram('workers/main.ts', { ...env, ...off(workerOff) }));
    programs.push(await startProgram('client/api/main.ts', { ...env, ...off(apiOff) }));
  });

  async function call<T>(path: string, token: string, body?: unknown): Promise<{ readonly status: number; readonly body: T }> {
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T };
  }
  const row = async (id: string) => await store.db.selectFrom('approvals').selectAll().where('approval_id', '=', id).executeTakeFirstOrThrow();
  const ask = async (): Promise<{ readonly id: string; readonly digest: string }> => {
    const { status, body } = await call<{ approval_id: string; packet_digest: string }>(
      '/v1/requests',
      agentKey,
      refund(48_000, { resume: { type: 'callback', url: callbackUrl } }),
    );
    expect(status).toBeLessThan(300);
    return { id: body.approval_id, digest: body.packet_digest };
  };

  it('nothing ends, a decision counts, and its callback and token are believed', async () => {
    const before = Date.now();
    const [left, decided] = [await ask(), await ask()];
    for (const { id } of [left, decided])
      await until(async () => (await stage.world.story(id)).some((e) => e.type === 'attempted' && e.kind === 'ask' && e.status === 'done'), 'Fay is asked');
    // Half an hour from the moment that the store's clock shows, whatever the hosts' do.
    const due = Date.parse((await row(left.id)).due_at ?? '');
    expect(due).toBeGreaterThanOrEqual(before + 30 * 60_000);
    expect(due).toBeLessThanOrEqual(Date.now() + 30 * 60_000);

    const { body: fay } = await call<{ token: string }>('/v1/dev/login', '', { person: 'fay', tenant: TENANT });
    const move = { type: 'approve', reason: 'Receipt checked', packet_digest: decided.digest };
    expect(await call(`/v1/approvals/${decided.id}/moves`, fay.token, move)).toMatchObject({ status: 200, body: { state: 'approved' } });
    await until(() => heard.some(({ approvalId }) => approvalId === decided.id), 'the agent is called back');
    const [told] = heard.filter(({ approvalId }) => approvalId === decided.id);
    expect(told?.wrong).toBeNull();
    const claims = await stage.world.core.tokens.verify(told?.token ?? '', { now: instant(Date.now()) });
    expect(claims).toMatchObject({ sub: decided.id, outcome: 'approved' });
    expect(Math.abs(claims.iat * 1000 - Date.now())).toBeLessThan(10 * 60_000);

    // A knock makes the worker look at its clock and the record: the one that was left alone waits as it did.
    await stage.world.client.workflow.getHandle(`approval/${TENANT}/${left.id}`).signal('nudge');
    const { state, head } = await row(left.id);
    expect(state).toBe('waiting');
    await until(async () => (await row(left.id)).adopted === head, 'its workflow has seen all of it');
    const story = await stage.world.story(left.id);
    expect(story.map((e) => e.type).filter((type) => !['requested', 'routed', 'level_opened', 'attempted', 'meanwhile_begun'].includes(type))).toEqual([]);
  });
});
