/**
 * The codec endpoint as operators use it: the real Temporal CLI shows an encrypted history in clear with it, and nothing without it; who
 * may read what, from where, and what is logged.
 */
import { Writable } from 'node:stream';
import type { AddressInfo } from 'node:net';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import pino from 'pino';
import { createCipher, createCodec } from '../../activities/codec/codec';
import { newPayloadKeys, withAnotherKey, withCurrent } from '../../activities/codec/keys';
import { APPROVAL_WORKFLOW, approvalWorkflowId } from '../../workflows/protocol';
import { openApi, OTHER_TENANT, type ApiWorld } from '../support/api';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { temporalCli, type TemporalCli } from '../support/temporal-cli';
import { TENANT, openWorld, refund, type World } from '../support/world';

const UI = 'http://localhost:8233';
const first = newPayloadKeys();
const { keys: both, added } = withAnotherKey(first);
/** As after a rotation: the old key still decrypts. */
const cipher = createCipher(withCurrent(both, added));

let world: World;
let api: ApiWorld;
let production: ApiWorld;
let cli: TemporalCli;
let endpoint: string;
const lines: string[] = [];
afterAll(async () => {
  await production.close();
  await api.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  world = await openWorld({ store, address, dataConverter: { payloadCodecs: [createCodec(cipher)] } });
  const payloads = { cipher, encrypts: true, uiOrigin: UI, operatorTenant: TENANT };
  const log = pino({ level: 'info' }, new Writable({ write: (chunk, _encoding, done) => (lines.push(String(chunk)), done()) }));
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, payloads, log });
  production = await openApi({ store, payloads: { ...payloads, operatorTenant: null }, development: false });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  endpoint = `http://127.0.0.1:${String((api.app.server.address() as AddressInfo).port)}/codec`;
  cli = await temporalCli(address);
});

async function asked(): Promise<string> {
  const { approvalId } = await world.ask(refund(48_000));
  await world.mail.waitFor((mail) => mail.text.includes(approvalId), 90_000);
  return approvalId;
}

const withCodec = async (person: string, tenant?: string): Promise<string[]> => [
  '--codec-endpoint',
  endpoint,
  '--codec-auth',
  `Bearer ${await api.signIn(person, tenant)}`,
];

interface Wire {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: string;
}

const wire = ({ metadata, data }: Payload): Wire => ({
  metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')])),
  data: Buffer.from(data ?? []).toString('base64'),
});
const sealed = (value: unknown, tenant = TENANT): Wire => wire(cipher.seal(defaultPayloadConverter.toPayload(value), tenant));
const clear = (value: unknown): Wire => wire(defaultPayloadConverter.toPayload(value));

async function decode(
  payloads: readonly unknown[],
  { by = 'omar', tenant, from = api, headers = {}, remoteAddress = '127.0.0.1' }: Caller = {},
): Promise<{ readonly status: number; readonly payloads: readonly Wire[] | undefined; readonly headers: Readonly<Record<string, unknown>> }> {
  const authorization = `Bearer ${await from.signIn(by, tenant)}`;
  const response = await from.app.inject({
    method: 'POST',
    url: '/codec/decode',
    headers: { authorization, ...headers },
    payload: { payloads },
    remoteAddress,
  });
  return { status: response.statusCode, payloads: response.json<{ payloads?: Wire[] }>().payloads, headers: response.headers };
}

interface Caller {
  readonly by?: string;
  readonly tenant?: string;
  readonly from?: ApiWorld;
  readonly headers?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
}

/** What the CLI prints as JSON holds payloads in base64. */
const readable = (output: string): string =>
  output.replace(/"data": "([A-Za-z0-9+/=]+)"/g, (_, data: string) => `"data": ${Buffer.from(data, 'base64').toString('utf8')}`);

describe('the Temporal CLI', () => {
  it('shows what was asked, by what way and with what reason to an operator of the tenant, and to nobody without the endpoint', async () => {
    const approvalId = await asked();
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
    await world.result(approvalId);
    const show = ['workflow', 'show', '--workflow-id', approvalWorkflowId(TENANT, approvalId), '--output', 'json'];
    const words = ['Refund order o1 to the customer', 'No receipt', 'Remind finance manager (Fay Okafor)', 'Commit: command', 'log the reason and end the run'];

    const without = await cli(...show);
    expect(without.ok).toBe(true);
    for (const word of words) expect(readable(without.output)).not.toContain(word);
    expect(without.output).toContain(Buffer.from('binary/encrypted').toString('base64'));

    const operator = await cli(...show, ...(await withCodec('omar')));
    for (const word of words) expect(readable(operator.output)).toContain(word);

    const stranger = await cli(...show, ...(await withCodec('ada', OTHER_TENANT)));
    expect(stranger.ok).toBe(true);
    for (const word of words) expect(readable(stranger.output)).not.toContain(word);
  });

  it('shows the details of a run that waits', async () => {
    const approvalId = await asked();
    const metadata = ['workflow', 'metadata', '--workflow-id', approvalWorkflowId(TENANT, approvalId), '--output', 'json'];
    expect((await cli(...metadata)).output).not.toContain('Fay Okafor');
    expect((await cli(...metadata, ...(await withCodec('omar')))).output).toContain('Fay Okafor');
    await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
  });

  it('shows why a run failed', async () => {
    const workflowId = approvalWorkflowId(TENANT, 'ap_none');
    const args = [{ tenant: TENANT, approvalId: 'ap_none', timeScale: 1 }];
    const failing = await world.client.workflow.start(APPROVAL_WORKFLOW, { workflowId, taskQueue: world.taskQueue, args });
    await expect(failing.result()).rejects.toThrow();
    const show = ['workflow', 'show', '--workflow-id', workflowId, '--output', 'json'];
    const without = await cli(...show);
    expect(without.output).toContain('Encoded failure');
    expect(readable(without.output)).not.toContain('never submitted');
    expect(readable((await cli(...show, ...(await withCodec('omar')))).output)).toContain('never submitted');
  });

  it('encrypts what an operator sends', async () => {
    const approvalId = await asked();
    const workflowId = approvalWorkflowId(TENANT, approvalId);
    const message = JSON.stringify({ by: 'omar', reason: 'Customer Kim Doe called' });
    expect(await cli('workflow', 'signal', '--workflow-id', workflowId, '--name', 'withdraw', '--input', message, ...(await withCodec('omar')))).toMatchObject({
      ok: true,
    });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn', reason: expect.stringContaining('Customer Kim Doe called') as string });
    const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
    const signal = (events ?? []).flatMap((e) => e.workflowExecutionSignaledEventAttributes?.input?.payloads ?? [])[0];
    expect(Buffer.from(signal?.metadata?.['encoding'] ?? []).toString()).toBe('binary/encrypted');
  });
});

describe('what an operator may read', () => {
  it('is their own tenant; the rest comes back as it was, in its place', async () => {
    const old = wire(createCipher(first).seal(defaultPayloadConverter.toPayload('old key'), TENANT));
    const lost = wire(createCipher(newPayloadKeys()).seal(defaultPayloadConverter.toPayload('lost key'), TENANT));
    const foreign = sealed('theirs', OTHER_TENANT);
    const given = [sealed('mine'), foreign, clear('never encrypted'), old, lost, { ...sealed('x'), data: '' }];
    const { status, payloads } = await decode(given);
    expect(status).toBe(200);
    expect(payloads).toEqual([clear('mine'), foreign, clear('never encrypted'), clear('old key'), lost, given[5]]);
    expect((await decode([foreign], { by: 'ada', tenant: OTHER_TENANT })).payloads).toEqual([clear('theirs')]);
  });

  it('is what belongs to no tenant for those alone who run the installation', async () => {
    const sweep = sealed({ looked: 7 }, '');
    expect((await decode([sweep])).payloads).toEqual([clear({ looked: 7 })]);
    expect((await decode([sweep], { by: 'ada', tenant: OTHER_TENANT })).payloads).toEqual([sweep]);
    expect((await decode([sweep], { from: production })).payloads).toEqual([sweep]);
  });

  it('is in no log: only who, and how many', async () => {
    lines.length = 0;
    await decode([sealed('Kim Doe'), sealed('x', OTHER_TENANT)], { headers: { 'x-namespace': 'default' } });
    const said = await until(() => lines.find((line) => line.includes('payloads: decode')), 'it is logged');
    expect(JSON.parse(said)).toMatchObject({ tenant: TENANT, person: 'omar', payloads: 2, withheld: 1 });
    expect(lines.join('')).not.toMatch(/Kim|S2lt|encrypted/);
  });

  it('is asked for at most so often in a minute', async () => {
    const headers = { 'x-forwarded-for': '10.0.0.1' };
    const { headers: answered } = await decode([], { headers });
    expect(Number(answered['x-ratelimit-limit'])).toBe(1_200);
  });
});

describe('from where', () => {
  it('pages of the Temporal UI read it, with their cookie; other pages do not', async () => {
    const preflight = await api.app.inject({
      method: 'OPTIONS',
      url: '/codec/decode',
      headers: { origin: UI, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-namespace' },
    });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': UI,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'authorization, content-type, x-namespace',
    });
    const cookies = { countersign_session: await api.signIn('omar') };
    const post = (origin: string) =>
      api.app.inject({ method: 'POST', url: '/codec/decode', headers: { origin }, cookies, payload: { payloads: [sealed('mine')] } });
    const read = await post(UI);
    expect(read.headers['access-control-allow-origin']).toBe(UI);
    expect(read.json<{ payloads: Wire[] }>().payloads).toEqual([clear('mine')]);
    for (const origin of ['http://evil.example', 'http://localhost:8234', 'null']) {
      const refused = await post(origin);
      expect({ origin, status: refused.statusCode, allowed: refused.headers['access-control-allow-origin'] }).toEqual({
        origin,
        status: 403,
        allowed: undefined,
      });
      expect((await api.app.inject({ method: 'OPTIONS', url: '/codec/decode', headers: { origin } })).headers).not.toHaveProperty(
        'access-control-allow-origin',
      );
    }
  });

  it('in development, where anyone may sign in as anyone, only this machine; in production any', async () => {
    expect(await decode([sealed('mine')], { remoteAddress: '10.1.2.3' })).toMatchObject({ status: 403, payloads: undefined });
    expect(await decode([sealed('mine')], { remoteAddress: '::ffff:127.0.0.1' })).toMatchObject({ status: 200 });
    expect(await decode([sealed('mine')], { remoteAddress: '10.1.2.3', from: production })).toMatchObject({ status: 200, payloads: [clear('mine')] });
  });
});
