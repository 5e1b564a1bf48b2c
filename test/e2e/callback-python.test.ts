import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { callbackBody, sign } from '../../activities/callback';
import { noticeOf } from '../../activities/notify/notice';
import { OUTCOMES } from '../../domain/outcome';
import { createSender, OTHER_SECRET, SECRET, type Sender } from './callback-sender';

const dir = mkdtempSync(join(tmpdir(), 'python-agent-'));
const venv = join(dir, 'venv');
const python = join(venv, 'bin', 'python');

/** A virtual environment with exactly the pinned library; why not, where it cannot be had. */
function prepare(): string | null {
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', venv]],
    [
      python,
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1', '--timeout', '15', '-r', 'examples/python-agent/requirements.txt'],
    ],
  ];
  for (const [command, args] of steps) {
    const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 });
    if (error || status !== 0) return `${command} ${args.slice(0, 3).join(' ')}: ${error?.message ?? stderr.trim().split('\n').at(-1) ?? 'failed'}`;
  }
  return null;
}
const missing = prepare();
const whenPython = missing === null ? describe : describe.skip;

interface Entry {
  readonly type: 'acted' | 'replayed' | 'turned_away';
  readonly approvalId?: string;
  readonly outcome?: string;
}

whenPython(`a Python agent with the standardwebhooks package from PyPI${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const journal = join(dir, 'journal.jsonl');
  let sender: Sender;
  let agent: ChildProcess;
  let url: string;

  async function start(): Promise<void> {
    const started = spawn(python, ['examples/python-agent/agent.py'], {
      env: { ...process.env, COUNTERSIGN_SECRET: `${OTHER_SECRET} ${SECRET}`, AGENT_JOURNAL: journal, AGENT_PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    agent = started;
    url = await new Promise<string>((resolve, reject) => {
      started.once('exit', (code) => reject(new Error(`The agent ended with ${String(code)}`)));
      createInterface({ input: started.stdout }).once('line', (line) => resolve((JSON.parse(line) as { url: string }).url));
    });
  }
  const kill = () => new Promise((resolve) => agent.once('exit', resolve).kill('SIGKILL'));
  const entries = (): Entry[] =>
    readFileSync(journal, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Entry);
  const post = async (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string>): Promise<number> =>
    (await fetch(url, { method: 'POST', body, headers })).status;

  beforeAll(async () => {
    sender = createSender();
    await start();
  });
  afterAll(async () => {
    await kill();
    await sender.close();
  });

  it('accepts 200 genuine callbacks, acts once on each, and turns 200 tampered ones away', async () => {
    const outcomes = OUTCOMES.filter((outcome) => outcome !== 'allowed' && outcome !== 'blocked');
    for (let i = 0; i < 200; i += 1) {
      const result = await sender.result(`apr_${i}`, outcomes[i % outcomes.length] ?? 'approved');
      const body = callbackBody(result);
      // A tampered copy comes first: it must not spoil the genuine one.
      const headers = sign({ secrets: [SECRET], id: `apr_${i}_9-0`, timestamp: new Date().toISOString(), body });
      expect([i, await post(...tampered(i, body, headers))]).toEqual([i, 401]);
      expect(
        await sender.send(url, result, { secrets: i % 2 === 0 ? [SECRET] : [`whsec_${Buffer.alloc(24, 50).toString('base64')}`, OTHER_SECRET] }),
      ).toMatchObject({ status: 'done', httpStatus: 200 });
    }
    const acted = entries().filter(({ type }) => type === 'acted');
    expect(acted.map(({ approvalId, outcome }) => [approvalId, outcome])).toEqual(
      Array.from({ length: 200 }, (_, i) => [`apr_${i}`, outcomes[i % outcomes.length]]),
    );
    expect(entries().filter(({ type }) => type === 'turned_away')).toHaveLength(200);
  });

  it('ignores a replay, also after it was killed and started again', async () => {
    const result = await sender.result('apr_7', 'approved');
    expect(await sender.send(url, result)).toMatchObject({ status: 'done' });
    await kill();
    await start();
    expect(await sender.send(url, result)).toMatchObject({ status: 'done' });
    expect(entries().filter(({ type, approvalId }) => type === 'acted' && approvalId === 'apr_7')).toHaveLength(1);
    expect(entries().filter(({ type, approvalId }) => type === 'replayed' && approvalId === 'apr_7')).toHaveLength(2);
  });
});

whenPython('the webhook, verified as the documentation shows it in Python', () => {
  /** The lines of docs/webhooks.md over each message of standard input; what is not genuine is named by its error. */
  const VERIFY = `
import json, sys
from standardwebhooks import Webhook
answers = []
for body, headers, secret in json.load(sys.stdin):
    try:
        notice = Webhook(secret).verify(body, headers)
        answers.append(notice["type"])
    except Exception as error:
        answers.append(type(error).__name__)
print(json.dumps(answers))
`;

  it('accepts a message signed with either of two secrets, and no other, no altered and no old one', () => {
    const notice = noticeOf(
      {
        tenant: 'acme',
        approvalId: 'apr_1',
        plan: { effect: 'approval', lane: 'finance', amount: { minor: 48_000, currency: 'USD' } },
        actionType: 'refund.issue',
        person: { id: 'zoe', name: 'Zoë Müller ✓', role: 'finance_manager' },
        since: new Date().toISOString(),
        kind: 'ask',
        level: 'finance manager',
        dueAt: new Date(Date.now() + 1_800_000).toISOString(),
        next: 'CFO is asked',
      },
      'https://approvals.example.com',
    );
    const body = JSON.stringify(notice);
    const signed = (at: number) => sign({ secrets: [OTHER_SECRET, SECRET], id: 'apr_1_3-0', timestamp: new Date(at).toISOString(), body });
    const now = signed(Date.now());
    const cases = [
      [body, now, SECRET],
      [body, now, OTHER_SECRET],
      [body, now, `whsec_${Buffer.alloc(32, 99).toString('base64')}`],
      [body.replace('480', '980'), now, SECRET],
      [body, signed(Date.now() - 301_000), SECRET],
    ];
    const { stdout } = spawnSync(python, ['-c', VERIFY], { input: JSON.stringify(cases), encoding: 'utf8', timeout: 60_000 });
    const refused = 'WebhookVerificationError';
    expect(JSON.parse(stdout)).toEqual(['approval.asked', 'approval.asked', refused, refused, refused]);
  });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** One of ten ways to tamper with a callback. */
function tampered(i: number, body: string, headers: Record<string, string>): [string | Uint8Array<ArrayBuffer>, Record<string, string>] {
  const at = (i * 31) % body.length;
  const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '', 'webhook-signature': signature = '' } = headers;
  switch (i % 10) {
    case 0:
      return [`${body.slice(0, at)}${body[at] === '#' ? '%' : '#'}${body.slice(at + 1)}`, headers];
    case 1:
      return [body, {}];
    case 2:
      return [body, sign({ secrets: [SECRET], id, timestamp: new Date(Date.now() - 301_000).toISOString(), body })];
    case 3:
      return [body, sign({ secrets: [`whsec_${Buffer.alloc(32, 99).toString('base64')}`], id, timestamp: new Date().toISOString(), body })];
    case 4:
      return [body, { ...headers, 'webhook-id': `${id}0` }];
    case 5:
      return [body, { ...headers, 'webhook-timestamp': String(Number(timestamp) + 1) }];
    case 6:
      return [body, { ...headers, 'webhook-timestamp': `${timestamp}.0` }];
    case 7:
      return [body, { ...headers, 'webhook-signature': signature.replace('v1,', 'v2,') }];
    case 8:
      return [`${body}\n`, headers];
    default:
      return [Uint8Array.of(0xff, 0xfe, ...Buffer.from(body)), headers];
  }
}
