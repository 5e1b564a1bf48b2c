import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { callbackBody, questionBody, sign } from '../../activities/callback';
import { startAgent, type Agent } from '../../examples/http-agent/agent';
import type { Entry } from '../../examples/http-agent/journal';
import { createSender, digestOf, OTHER_SECRET, SECRET, type Sender } from './callback-sender';

/** The two routes that an agent uses. What the real API answers there is tested with the API; here the agent is. */
interface Desk {
  readonly url: string;
  readonly asked: { key: string; auth: string; body: Record<string, unknown> }[];
  reply: (key: string) => Promise<{ status: number; body: object }>;
  stop(): Promise<void>;
}

async function openDesk(sender: Sender): Promise<Desk> {
  const asked: Desk['asked'] = [];
  const server: Server = createServer((request, response) => {
    if (request.url === '/.well-known/jwks.json') return void response.end(JSON.stringify(sender.tokens.jwks()));
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const key = String(request.headers['idempotency-key']);
      asked.push({ key, auth: String(request.headers.authorization), body: JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown> });
      void desk.reply(key).then(({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const desk: Desk = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    reply: async (key) => ({ status: 201, body: taken(key) }),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return desk;
}

const taken = (approvalId: string, result: unknown = null): object => ({
  approval_id: approvalId,
  action_digest: digestOf(approvalId),
  state: 'waiting',
  meanwhile: { agent: 'park_item', operator: 'Look at the invoice' },
  result,
});

let dir: string;
let sender: Sender;
let desk: Desk;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agent-'));
  sender = createSender();
  desk = await openDesk(sender);
});
afterEach(async () => {
  await desk.stop();
  await sender.close();
  rmSync(dir, { recursive: true });
});
const journalPath = (): string => join(dir, 'journal.jsonl');

describe('an agent that paused', () => {
  let agent: Agent;
  beforeEach(async () => {
    agent = await startAgent({ apiUrl: desk.url, key: 'key-1', secret: [OTHER_SECRET, SECRET], journal: journalPath() });
  });
  afterEach(() => agent.stop());
  const turnedAway = (): string[] => agent.entries().flatMap((entry) => (entry.type === 'turned_away' ? [entry.why] : []));
  const post = (body: string, headers: Record<string, string>) => fetch(agent.url, { method: 'POST', body, headers });

  it('asks with its key, says where it is called back, and resumes with the verified answer', async () => {
    expect(await agent.submit({ action: { type: 'refund.issue' } }, 'apr_1')).toEqual({
      approvalId: 'apr_1',
      state: 'waiting',
      meanwhile: { agent: 'park_item', operator: 'Look at the invoice' },
    });
    expect(desk.asked).toEqual([
      { key: 'apr_1', auth: 'Bearer key-1', body: { action: { type: 'refund.issue' }, resume: { type: 'callback', url: agent.url } } },
    ]);
    expect(await sender.send(agent.url, await sender.result('apr_1', 'approved'))).toMatchObject({ status: 'done', httpStatus: 200 });
    expect(await agent.waitFor('apr_1')).toMatchObject({ outcome: 'approved', did: 'executed the action', tokenId: 'apr_1-9', messageId: 'apr_1_9-0' });
  });

  it.each([
    ['denied', 'took no action: log the reason and end the run'],
    ['expired', 'took no action: log the reason and end the run'],
    ['handed_back', 'went on as instructed: log the reason and end the run'],
  ] as const)('does not execute when the answer is %s', async (outcome, did) => {
    await agent.submit({}, 'apr_1');
    await sender.send(agent.url, await sender.result('apr_1', outcome));
    expect(agent.outcomes()).toMatchObject([{ outcome, did }]);
  });

  it('answers a question with its key, every time under the same one; what it does not know, and what it does not understand, it leaves alone', async () => {
    const knowing = await startAgent({
      apiUrl: desk.url,
      key: 'key-1',
      secret: SECRET,
      journal: join(dir, 'knowing.jsonl'),
      answer: ({ text }) => (text.includes('order') ? 'Order 7' : null),
    });
    const now = new Date().toISOString();
    const ask = async (text: string, type?: string) => {
      const asked = questionBody({ tenant: 'acme', approvalId: 'apr_1', question: 'q1', text, dueAt: now, since: now });
      const body = type === undefined ? asked : asked.replace('approval.question', type);
      const answer = await fetch(knowing.url, { method: 'POST', body, headers: sign({ secrets: [SECRET], id: 'apr_1_4-0', timestamp: now, body }) });
      return [answer.status, await answer.json()];
    };
    expect(await ask('Which order?')).toEqual([200, { answered: true }]);
    expect(await ask('Which order?')).toEqual([200, { answered: true }]);
    expect(await ask('Who are you?')).toEqual([200, { ignored: true }]);
    expect(await ask('Which order?', 'approval.later')).toEqual([200, { ignored: true }]);
    const reply = { key: 'apr_1/q1', auth: 'Bearer key-1', body: { question: 'q1', text: 'Order 7' } };
    expect(desk.asked).toEqual([reply, reply]);
    expect(knowing.outcomes()).toEqual([]);
    await knowing.stop();
  });

  it('acts once when it is called ten times, one after the other and at once', async () => {
    await agent.submit({}, 'apr_1');
    const result = await sender.result('apr_1', 'approved');
    const answers = await Promise.all(Array.from({ length: 5 }, () => sender.send(agent.url, result)));
    for (let i = 0; i < 5; i += 1) answers.push(await sender.send(agent.url, result));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill('done'));
    expect(agent.outcomes()).toHaveLength(1);
    expect(agent.entries().filter(({ type }) => type === 'replayed')).toHaveLength(9);
  });

  it('turns away what is unsigned, altered, stale, or signed with another secret', async () => {
    await agent.submit({}, 'apr_1');
    const result = await sender.result('apr_1', 'denied');
    const body = callbackBody(result);
    const headers = sign({ secrets: [SECRET], id: 'apr_1_9-0', timestamp: new Date().toISOString(), body });
    expect((await post(body, {})).status).toBe(401);
    expect((await post(body.replace('"denied"', '"approved"'), headers)).status).toBe(401);
    expect((await post(body, { ...headers, 'webhook-id': 'apr_1_8-0' })).status).toBe(401);
    expect((await post(body, { ...headers, 'webhook-timestamp': `${headers['webhook-timestamp'] ?? ''}abc` })).status).toBe(401);
    expect(await sender.send(agent.url, result, { timestamp: new Date(Date.now() - 301_000).toISOString() })).toMatchObject({ httpStatus: 401 });
    expect(await sender.send(agent.url, result, { timestamp: new Date(Date.now() + 301_000).toISOString() })).toMatchObject({ httpStatus: 401 });
    expect(await sender.send(agent.url, result, { secrets: [`whsec_${Buffer.alloc(32, 99).toString('base64')}`] })).toMatchObject({ httpStatus: 401 });
    expect((await fetch(agent.url)).status).toBe(401);
    expect(turnedAway()).toHaveLength(8);
    expect(agent.outcomes()).toEqual([]);
  });

  it('turns away an answer that its token does not prove, or about what it never asked', async () => {
    await agent.submit({}, 'apr_1');
    const denied = await sender.result('apr_1', 'denied');
    const elsewhere = await sender.result('apr_2', 'approved');
    expect(await sender.send(agent.url, { ...denied, outcome: 'approved' })).toMatchObject({ httpStatus: 401 });
    expect(await sender.send(agent.url, { ...denied, outcome: 'approved', token: elsewhere.token })).toMatchObject({ httpStatus: 401 });
    expect(await sender.send(agent.url, { ...denied, token: 'e30.e30.' })).toMatchObject({ httpStatus: 401 });
    expect(await sender.send(agent.url, elsewhere)).toMatchObject({ httpStatus: 401 });
    expect(agent.outcomes()).toEqual([]);
    expect(turnedAway().at(-1)).toBe('never asked for apr_2');
  });

  it('acts on an answer that is faster than the reply to its question', async () => {
    const result = await sender.result('apr_1', 'approved');
    let calling: Promise<unknown> = Promise.resolve();
    desk.reply = async (key) => {
      calling = sender.send(agent.url, result);
      // The call is under way before the reply leaves: give it time to reach the agent without depending on it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { status: 201, body: taken(key) };
    };
    await agent.submit({}, 'apr_1');
    expect(await calling).toMatchObject({ status: 'done' });
    expect(agent.outcomes()).toHaveLength(1);
  });

  it('acts at once on what is allowed at once, and only when the token proves it', async () => {
    const allowed = await sender.result('apr_1', 'allowed');
    desk.reply = async (key) => ({ status: 201, body: taken(key, key === 'apr_1' ? allowed : { ...allowed, approvalId: 'apr_2' }) });
    await agent.submit({}, 'apr_1');
    expect(agent.outcomes()).toMatchObject([{ approvalId: 'apr_1', outcome: 'allowed', messageId: null }]);
    await expect(agent.submit({}, 'apr_2')).rejects.toThrow('the token proves something else');
    expect(agent.outcomes()).toHaveLength(1);
  });

  it('sends the same request again under the same key until it is taken, and gives up when it is refused', async () => {
    let failures = 2;
    desk.reply = async (key) => ((failures -= 1) >= 0 ? { status: 503, body: {} } : { status: 201, body: taken(key) });
    await agent.submit({ reason: 'x' }, 'apr_1');
    expect(new Set(desk.asked.map(({ key, body }) => JSON.stringify([key, body]))).size).toBe(1);
    expect(desk.asked).toHaveLength(3);
    desk.reply = async () => ({ status: 422, body: { code: 'missing_fact', detail: 'The fact action.params.amount is missing.' } });
    await expect(agent.submit({}, 'apr_2')).rejects.toMatchObject({ code: 'missing_fact' });
  });
});

describe('an agent that is killed', () => {
  let child: ChildProcess | undefined;
  afterEach(() => {
    child?.kill('SIGKILL');
  });

  /** The agent as its own process; resolves when it listens. */
  async function start(
    port: number,
    ...requests: readonly string[]
  ): Promise<{ readonly url: string; kill(): Promise<void>; until(type: Entry['type']): Promise<void> }> {
    const mine = spawn(process.execPath, ['--import', 'tsx', 'examples/http-agent/agent.ts', ...requests], {
      env: {
        ...process.env,
        COUNTERSIGN_URL: desk.url,
        COUNTERSIGN_KEY: 'key-1',
        COUNTERSIGN_SECRET: SECRET,
        AGENT_JOURNAL: journalPath(),
        AGENT_PORT: String(port),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = mine;
    const said: string[] = [];
    const listeners = new Set<() => void>();
    createInterface({ input: mine.stdout }).on('line', (line) => {
      said.push(line);
      for (const listener of listeners) listener();
    });
    const line = (type: string) =>
      new Promise<string>((resolve) => {
        const look = (): void => {
          const found = said.find((text) => (JSON.parse(text) as { type: string }).type === type);
          if (found === undefined) return;
          listeners.delete(look);
          resolve(found);
        };
        listeners.add(look);
        look();
      });
    const { url } = JSON.parse(await line('listening')) as { url: string };
    return {
      url,
      until: async (type) => void (await line(type)),
      kill: () => new Promise((resolve) => mine.once('exit', () => resolve()).kill('SIGKILL')),
    };
  }
  const lines = (): Entry[] =>
    readFileSync(journalPath(), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Entry);

  it('asks again in the same words after dying between asking and pausing, and resumes once after dying with the answer', async () => {
    const request = join(dir, 'request.json');
    writeFileSync(request, JSON.stringify({ reason: 'The invoice differs' }));
    desk.reply = () => new Promise(() => undefined);
    const first = await start(0, request);
    await first.until('asked');
    while (desk.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await first.kill();
    const port = Number(new URL(first.url).port);

    desk.reply = async () => ({ status: 201, body: taken('apr_1') });
    const second = await start(port);
    await second.until('paused');
    expect(desk.asked.at(-1)).toEqual(desk.asked[0]);
    await second.kill();

    const result = await sender.result('apr_1', 'approved');
    expect(await sender.send(first.url, result)).toMatchObject({ status: 'failed_for_now', httpStatus: null });
    const third = await start(port);
    // Dies as soon as it has acted, whether or not the caller was told.
    const [told] = await Promise.all([sender.send(third.url, result), third.until('acted').then(() => third.kill())]);
    expect(['done', 'failed_for_now']).toContain(told.status);

    const fourth = await start(port);
    expect(await sender.send(fourth.url, result)).toMatchObject({ status: 'done' });
    await fourth.kill();
    expect(lines().filter(({ type }) => type === 'acted')).toHaveLength(1);
    expect(lines().at(-1)).toMatchObject({ type: 'replayed', approvalId: 'apr_1' });
  });
});
