import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { ATTEMPTS_MAX, createCallback, nextDelay, retryDelay, sign, webhookId } from '../../../activities/callback';
import { createEgress } from '../../../activities/egress';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const NOW = '2026-11-21T09:30:00.000Z';

describe('signing a callback', () => {
  it('gives the signature of the published vector', () => {
    const headers = sign({ secrets: [SECRET], id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: '2021-02-25T15:02:10.000Z', body: '{"test": 2432232314}' });
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('signs with every secret while they rotate, separated by single spaces, so that either holder can verify', () => {
    const timestamp = new Date().toISOString();
    const headers = sign({ secrets: [OTHER, SECRET], id: 'apr_1', timestamp, body: '{}' });
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/=]+ v1,[A-Za-z0-9+/=]+$/);
    for (const secret of [OTHER, SECRET]) expect(new Webhook(secret).verify('{}', headers)).toEqual({});
  });

  it('refuses an id with a dot, which would move the border between id and timestamp', () => {
    expect(() => sign({ secrets: [SECRET], id: 'a.b', timestamp: NOW, body: '{}' })).toThrow(/webhook id/);
    expect(webhookId('apr.1', '7.0')).toBe('apr-1_7-0');
  });

  it.each([{ secrets: [] }, { secrets: ['whsec_'] }, { secrets: ['whsec_!!!'] }])('says it when the agent has no usable secret: %j', ({ secrets }) => {
    expect(() => sign({ secrets, id: 'a', timestamp: NOW, body: '{}' })).toThrow(expect.objectContaining({ code: 'secret_invalid' }) as Error);
  });
});

describe('the time between attempts', () => {
  it('follows the schedule over about three days, then gives up', () => {
    const middle = Array.from({ length: ATTEMPTS_MAX + 1 }, (_, i) => retryDelay(i + 1, 0.5));
    expect(middle).toEqual([0, 5e3, 3e5, 18e5, 72e5, 18e6, 36e6, 504e5, 72e6, 864e5, null]);
  });

  it('is spread by up to a tenth either way, whatever chance says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: ATTEMPTS_MAX }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const planned = retryDelay(attempt, 0.5) ?? NaN;
        const delay = retryDelay(attempt, random) ?? NaN;
        expect(Math.abs(delay - planned)).toBeLessThanOrEqual(planned / 10 + 1);
      }),
    );
    expect(retryDelay(0, 0.5)).toBeNull();
  });

  it('is never shorter than the receiver asked for, and still ends', () => {
    expect(nextDelay(2, 0.5, 60_000)).toBe(60_000);
    expect(nextDelay(3, 0.5, 60_000)).toBe(300_000);
    expect(nextDelay(2, 0.5, null)).toBe(5_000);
    expect(nextDelay(11, 0.5, 60_000)).toBeNull();
  });
});

describe('what an answer means', () => {
  let server: Server;
  let url: string;
  let answer: { status: number; headers?: Record<string, string> };
  const seen: { request: IncomingMessage; body: string }[] = [];
  const egress = createEgress({ allowLoopback: true });
  const callback = createCallback({ egress });
  const send = (over: object = {}) => callback.send({ url, secrets: [SECRET], id: 'apr_1_7', timestamp: NOW, body: '{"type":"approval.ended"}', ...over });

  beforeAll(async () => {
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        seen.push({ request, body: Buffer.concat(parts).toString() });
        response.writeHead(answer.status, answer.headers).end('secret of the receiver');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  });
  afterAll(async () => {
    await egress.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('sends exactly the signed bytes with the three headers', async () => {
    answer = { status: 204 };
    expect(await send()).toMatchObject({ status: 'done', reached: 'delivered', httpStatus: 204, retryAfterMs: null });
    const { request, body } = seen.at(-1) ?? {};
    expect(body).toBe('{"type":"approval.ended"}');
    expect(request?.method).toBe('POST');
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      ...sign({ secrets: [SECRET], id: 'apr_1_7', timestamp: NOW, body: '{"type":"approval.ended"}' }),
    });
  });

  it.each([
    [200, 'done'],
    [201, 'done'],
    [299, 'done'],
    [410, 'failed_for_good'],
    [400, 'failed_for_now'],
    [401, 'failed_for_now'],
    [404, 'failed_for_now'],
    [429, 'failed_for_now'],
    [500, 'failed_for_now'],
    [502, 'failed_for_now'],
    [503, 'failed_for_now'],
    [504, 'failed_for_now'],
  ])('%i is %s', async (status, expected) => {
    answer = { status };
    const result = await send();
    expect(result).toMatchObject({ status: expected, httpStatus: status });
    expect(result.detail).not.toContain('secret of the receiver');
  });

  it.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    const before = seen.length;
    answer = { status, headers: { location: `${url}/elsewhere` } };
    expect(await send()).toMatchObject({ status: 'failed_for_now', httpStatus: status });
    expect(seen.length).toBe(before + 1);
  });

  it.each([
    [429, '120', 120_000],
    [503, 'Sat, 21 Nov 2026 09:31:00 GMT', 60_000],
    [502, '999999999', 86_400_000],
    [504, 'Fri, 20 Nov 2026 09:31:00 GMT', 0],
    [429, 'soon', null],
    [429, '-5', null],
    [429, '1e3', null],
    [500, '120', null],
  ])('%i with Retry-After %j asks for %j ms', async (status, retryAfter, expected) => {
    answer = { status, headers: { 'retry-after': retryAfter } };
    expect((await send()).retryAfterMs).toBe(expected);
  });

  it('a host that does not answer, an address that is refused and a missing secret are tried again, each with its sentence', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    expect(await send({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      status: 'failed_for_now',
      httpStatus: null,
      detail: 'The connection to the callback host failed.',
    });
    expect(await send({ url: 'https://10.0.0.1/' })).toMatchObject({
      status: 'failed_for_now',
      httpStatus: null,
      detail: expect.stringContaining('private') as string,
    });
    expect(await send({ secrets: [] })).toMatchObject({ status: 'failed_for_now', detail: expect.stringContaining('no callback secret') as string });
    expect(await send({ registeredHosts: ['agents.example.com'] })).toMatchObject({
      status: 'failed_for_now',
      detail: expect.stringContaining('not registered') as string,
    });
  });
});
