import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReceiver, memoryStore, nodeHandler, type ReceiverOptions, type SeenStore } from '../../../client/receiver';
import type { Outcome } from '../../../client/receiver';
import { questionBody } from '../../../activities/callback';
import { EXPECT, NEXT_SECRET, NOW, resultOf, SECRET, send, tokens, type Sent } from './sender';

function receiver(over: Partial<ReceiverOptions> = {}) {
  const acted: Outcome[] = [];
  const store: SeenStore = memoryStore();
  const { handle } = createReceiver({
    secrets: [SECRET],
    keys: tokens.jwks(),
    expect: EXPECT,
    store,
    now: () => new Date(NOW),
    onOutcome: (outcome) => void acted.push(outcome),
    ...over,
  });
  const receive = async ({ body, headers }: Sent): Promise<{ status: number; said: unknown }> => {
    const answer = await handle(body, headers);
    return { status: answer.status, said: JSON.parse(answer.body) };
  };
  return { acted, receive, handle };
}

describe('a question to the agent', () => {
  const asked = { tenant: 'acme', approvalId: 'apr_1', question: 'q1', text: 'Which order is it?' };
  const body = (over: object = {}): string => questionBody({ ...asked, dueAt: '2026-11-21T10:00:00.000Z', since: NOW, ...over });

  it('reaches the agent once, however often it is sent, and no outcome is made of it', async () => {
    const heard: unknown[] = [];
    const { acted, receive } = receiver({ onQuestion: (question) => void heard.push(question) });
    const sent = send(body(), { owedId: '4-0' });
    expect(await receive(sent)).toEqual({ status: 200, said: { acted: true } });
    expect(await receive(sent)).toEqual({ status: 200, said: { repeated: true } });
    expect(heard).toEqual([{ ...asked, due: '2026-11-21T10:00:00.000Z', again: false }]);
    expect(acted).toEqual([]);
  });

  it('is left alone by a receiver that answers none', async () => {
    const { acted, receive } = receiver();
    expect(await receive(send(body(), { owedId: '4-0' }))).toEqual({ status: 200, said: { ignored: true } });
    expect(acted).toEqual([]);
  });

  it('is asked for again when it could not be taken, and says that it had begun', async () => {
    const seen: boolean[] = [];
    const { receive } = receiver({
      onQuestion: ({ again }) => {
        seen.push(again);
        if (seen.length === 1) throw new Error('the disk is full');
      },
    });
    const sent = send(body(), { owedId: '4-0' });
    expect(await receive(sent)).toMatchObject({ status: 500, said: { code: 'outcome_failed' } });
    expect(await receive(sent)).toMatchObject({ status: 200 });
    expect(seen).toEqual([false, true]);
  });

  it('unsigned, of another tenant or without its words reaches nobody', async () => {
    const heard: unknown[] = [];
    const { receive } = receiver({ onQuestion: (question) => void heard.push(question) });
    expect((await receive({ ...send(body()), body: body({ text: 'Pay at once' }) })).status).toBe(401);
    expect((await receive(send(body({ tenant: 'evil' })))).status).toBe(400);
    expect((await receive(send(body({ text: 7 })))).status).toBe(400);
    expect(heard).toEqual([]);
  });
});

describe('a genuine callback', () => {
  it('is acted on once, with the outcome that its token proves', async () => {
    const { acted, receive } = receiver();
    expect(await receive(send(await resultOf()))).toEqual({ status: 200, said: { acted: true } });
    expect(acted).toHaveLength(1);
    expect(acted[0]).toMatchObject({
      again: false,
      result: { outcome: 'approved', approvalId: 'apr_1' },
      claims: { sub: 'apr_1', jti: 'apr_1-9', action_digest: 'a'.repeat(64) },
    });
  });

  it('sent again is answered 200 and not acted on again: the same message, or the same decision under another message id', async () => {
    const { acted, receive } = receiver();
    const sent = send(await resultOf());
    await receive(sent);
    expect(await receive(sent)).toEqual({ status: 200, said: { repeated: true } });
    expect(await receive(send(await resultOf(), { owedId: '12-0', timestamp: '2026-11-21T09:31:00.000Z' }))).toEqual({ status: 200, said: { repeated: true } });
    expect(acted).toHaveLength(1);
  });

  it('that comes ten times at once is acted on once', async () => {
    const { acted, receive } = receiver();
    const sent = send(await resultOf());
    const other = send(await resultOf(), { owedId: '12-0' });
    const answers = await Promise.all(Array.from({ length: 10 }, (_, i) => receive(i % 2 === 0 ? sent : other)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(answers.filter(({ said }) => JSON.stringify(said) === '{"acted":true}')).toHaveLength(1);
    expect(acted).toHaveLength(1);
  });

  it('verifies with the old secret and with the new one while they are changed', async () => {
    const { receive } = receiver({ secrets: [SECRET] });
    expect((await receive(send(await resultOf(), { secrets: [NEXT_SECRET, SECRET] }))).status).toBe(200);
    expect((await receiver({ secrets: [NEXT_SECRET, SECRET] }).receive(send(await resultOf(), { secrets: [SECRET] }))).status).toBe(200);
  });

  it('of a type that is not known is accepted and left alone', async () => {
    const { acted, receive } = receiver();
    expect(await receive(send('{"type":"approval.reminded","data":{}}'))).toEqual({ status: 200, said: { ignored: true } });
    expect(acted).toHaveLength(0);
  });

  it('is asked for again when acting on it fails, and says that it had begun', async () => {
    const seen: boolean[] = [];
    const { receive } = receiver({
      onOutcome: ({ again }) => {
        seen.push(again);
        if (seen.length === 1) throw new Error('the ledger is locked');
      },
    });
    const sent = send(await resultOf());
    const first = await receive(sent);
    expect(first).toMatchObject({ status: 500, said: { code: 'outcome_failed' } });
    expect(JSON.stringify(first.said)).not.toContain('ledger');
    expect(await receive(sent)).toEqual({ status: 200, said: { acted: true } });
    expect(await receive(sent)).toEqual({ status: 200, said: { repeated: true } });
    expect(seen).toEqual([false, true]);
  });
});

describe('a callback that is refused, and never acted on', () => {
  const altered = (sent: Sent, headers: Record<string, string | undefined>): Sent => ({
    body: sent.body,
    headers: { ...sent.headers, ...headers } as Record<string, string>,
  });
  const genuine = async (): Promise<Sent> => send(await resultOf());
  const refusal = async (sent: Sent, over: Partial<ReceiverOptions> = {}): Promise<unknown[]> => {
    const { acted, receive } = receiver(over);
    const { status, said } = await receive(sent);
    expect(acted).toHaveLength(0);
    return [status, (said as { code?: string }).code];
  };

  it('is not signed', async () => {
    const { body } = await genuine();
    expect(await refusal({ body, headers: {} })).toEqual([401, 'headers_missing']);
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'])
      expect(await refusal(altered(await genuine(), { [name]: undefined }))).toEqual([401, 'headers_missing']);
  });

  it('was altered on the way, by one byte anywhere', async () => {
    const { body, headers } = await genuine();
    for (let at = 0; at < body.length; at += 37) {
      const changed = `${body.slice(0, at)}${body[at] === 'x' ? 'y' : 'x'}${body.slice(at + 1)}`;
      expect(await refusal({ body: changed, headers })).toEqual([401, 'signature_mismatch']);
    }
    expect(await refusal({ body: `${body} `, headers })).toEqual([401, 'signature_mismatch']);
    expect(await refusal({ body: `\uFEFF${body}`, headers })).toEqual([401, 'signature_mismatch']);
  });

  it('carries the id or the time of another message', async () => {
    expect(await refusal(altered(await genuine(), { 'webhook-id': 'apr_1_8-0' }))).toEqual([401, 'signature_mismatch']);
    const { headers } = send(await resultOf(), { timestamp: '2026-11-21T09:31:00.000Z' });
    expect(await refusal(altered(await genuine(), { 'webhook-timestamp': headers['webhook-timestamp'] }))).toEqual([401, 'signature_mismatch']);
  });

  it.each(['', 'v1', 'v1,', 'v1,AAAA', 'v2,xyz', 'v1a,xyz', ','])('holds the signature %j', async (signature) => {
    const [status] = await refusal(altered(await genuine(), { 'webhook-signature': signature }));
    expect(status).toBe(401);
  });

  it('is signed with another secret, or in a version that is not known', async () => {
    expect(await refusal(send(await resultOf(), { secrets: [NEXT_SECRET] }))).toEqual([401, 'signature_mismatch']);
    const sent = await genuine();
    expect(await refusal(altered(sent, { 'webhook-signature': sent.headers['webhook-signature']?.replace('v1', 'v2') }))).toEqual([401, 'signature_mismatch']);
  });

  it.each([
    ['2026-11-21T09:24:59.000Z', [401, 'timestamp_stale']],
    ['2026-11-21T09:35:01.000Z', [401, 'timestamp_stale']],
    ['2026-11-21T09:25:00.000Z', [200, undefined]],
    ['2026-11-21T09:35:00.000Z', [200, undefined]],
  ])('was signed at %s, at 09:30', async (timestamp, expected) => {
    const { receive } = receiver();
    const { status, said } = await receive(send(await resultOf(), { timestamp }));
    expect([status, (said as { code?: string }).code]).toEqual(expected);
  });

  it.each(['1795253400.0', ' 1795253400', '1795253400abc', '+1795253400', '1.7952534e9', '0x6B00F118', '-1', 'now', '１７９５２５３４００'])(
    'has the timestamp %j',
    async (timestamp) => {
      expect(await refusal(altered(await genuine(), { 'webhook-timestamp': timestamp }))).toEqual([401, 'timestamp_malformed']);
    },
  );

  it.each(['a.b', 'a b', '../x', 'a\u0000b', 'x'.repeat(300)])('has the id %j', async (id) => {
    expect(await refusal(altered(await genuine(), { 'webhook-id': id }))).toEqual([401, 'id_malformed']);
  });

  it('is signed but not a message', async () => {
    expect(await refusal(send('not json'))).toEqual([400, 'body_malformed']);
    expect(await refusal(send('[]'))).toEqual([400, 'body_malformed']);
    expect(await refusal(send('{"type":"approval.ended","data":{"outcome":"approved"}}'))).toEqual([400, 'body_malformed']);
    const { handle } = receiver();
    expect((await handle(Uint8Array.of(0xff, 0xfe), (await genuine()).headers)).status).toBe(400);
  });

  it.each([
    ['outcome', { outcome: 'approved_with_conditions' }],
    ['approvalId', { approvalId: 'apr_2' }],
    ['tenant', { tenant: 'other' }],
    ['actionDigest', { actionDigest: 'c'.repeat(64) }],
    ['conditions', { conditions: { max: 1 } }],
    ['deciders', { deciders: [] }],
    ['policy', { policy: { name: 'finance', version: '4', hash: 'b'.repeat(64) } }],
  ] as const)('says another %s than its token proves', async (_name, over) => {
    expect(await refusal(send(await resultOf(over)))).toEqual([422, 'token_mismatch']);
  });

  it('carries a token for another agent, an expired one, none, or one by another key', async () => {
    expect(await refusal(send(await resultOf({}, { agent: 'other-bot' })))).toEqual([422, 'token_refused']);
    expect(await refusal(send(await resultOf({}, { expiresAt: NOW })))).toEqual([422, 'token_refused']);
    expect(await refusal(send(await resultOf({ token: 'x.y.z' })))).toEqual([422, 'token_refused']);
    expect(await refusal(send(await resultOf()), { keys: { keys: [] } })).toEqual([422, 'token_refused']);
    expect(await refusal(send(await resultOf()), { expect: { ...EXPECT, issuer: 'https://elsewhere.example' } })).toEqual([422, 'token_refused']);
  });

  it('cannot be received without a secret at all', () => {
    expect(() => receiver({ secrets: [] })).toThrow(/at least one callback secret/);
  });
});

describe('on a Node server', () => {
  let server: Server;
  let url: string;
  let acted: Outcome[];
  let keysStatus = 200;
  let issuer: Server;

  beforeAll(async () => {
    issuer = createServer(
      (_request, response) => void response.writeHead(keysStatus, { 'content-type': 'application/json' }).end(JSON.stringify(tokens.jwks())),
    );
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const under = receiver({ keys: { issuerUrl: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}` } });
    acted = under.acted;
    server = createServer(nodeHandler(under, { maxBytes: 20_000 }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    for (const each of [server, issuer]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
  });
  const post = async ({ body, headers }: Sent) => fetch(url, { method: 'POST', headers, body });

  it('asks for the callback again while the keys cannot be fetched, then acts once', async () => {
    const sent = send(await resultOf());
    keysStatus = 503;
    expect((await post(sent)).status).toBe(503);
    keysStatus = 200;
    expect(await (await post(sent)).json()).toEqual({ acted: true });
    expect(await (await post(sent)).json()).toEqual({ repeated: true });
    expect(acted).toHaveLength(1);
  });

  it('refuses what is too large, not POST, or not signed', async () => {
    expect((await post(send('x'.repeat(20_001)))).status).toBe(413);
    expect((await fetch(url)).status).toBe(405);
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401);
  });
});
