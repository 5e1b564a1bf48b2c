/**
 * `npm start` as a newcomer meets it: real processes, real ports, one home in a temporary directory.
 * The second start finds what the first one left; whatever goes wrong is one sentence.
 */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { holdPorts } from '../support/ports';
import { isRunning, runProgram, until, type Program } from '../support/program';

let dir: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-up-'));
  // The store's own user must be able to pass, or its data would lie elsewhere and outlive the test.
  chmodSync(dir, 0o755);
  const [api, temporal, ui, smtp, mail] = await holdPorts(5);
  env = {
    ...process.env,
    TEMPORAL_ADDRESS: '',
    DATABASE_URL: '',
    SMTP_URL: '',
    COUNTERSIGN_HOME: join(dir, 'home'),
    COUNTERSIGN_TASK_QUEUE: '',
    COUNTERSIGN_SAMPLE: '',
    COUNTERSIGN_API_PORT: String(api),
    COUNTERSIGN_TEMPORAL_PORT: String(temporal),
    COUNTERSIGN_TEMPORAL_UI_PORT: String(ui),
    MAIL_SINK_PORT: String(smtp),
    MAIL_SINK_HTTP_PORT: String(mail),
  };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const start = (more: readonly string[] = []): Program => runProgram(['tools/start.mjs', ...more], env);
const api = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`http://127.0.0.1:${env['COUNTERSIGN_API_PORT']}${path}`, init);
/** What a stack trace looks like. */
const STACK = /^\s+at .+[:(]/m;

async function stopped(program: Program): Promise<void> {
  program.kill('SIGINT');
  expect(await program.ended).toBe(0);
  expect(program.output()).toMatch(/Stopped\.\n$/);
  expect(program.output()).not.toMatch(STACK);
}

const agentFile = (): Record<string, string> =>
  Object.fromEntries(
    readFileSync(join(dir, 'home', 'agent.env'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

const exportRequest = {
  action: {
    type: 'data.export',
    summary: 'Send the customer list to a partner',
    params: { dataset: 'customers', rows: 12_000, destination: 'partner' },
    system: 'warehouse',
    reversibility: 'none',
    audience: { reach: 'many', count: 12_000 },
  },
  evidence: [{ name: 'export_summary', title: 'What would leave', source: 'system', content: '12000 rows of customers' }],
  run: 'run-1',
  reason: 'The partner asked for it',
  resume: { type: 'poll' },
};

async function ask(key: string): Promise<string> {
  const response = await api('/v1/requests', {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'export-1' },
    body: JSON.stringify(exportRequest),
  });
  const body = (await response.json()) as { readonly approval_id?: string };
  if (body.approval_id === undefined) throw new Error(JSON.stringify(body));
  return body.approval_id;
}

const stateOf = async (id: string, key: string): Promise<unknown> =>
  ((await (await api(`/v1/requests/${id}`, { headers: { authorization: `Bearer ${key}` } })).json()) as { readonly state?: unknown }).state;

it('brings everything up, says where it is, stops on Ctrl-C, and picks up every open approval at the next start', async () => {
  const first = start();
  await first.says(/Ctrl-C stops everything/);
  expect((await api('/readyz')).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${env['COUNTERSIGN_TEMPORAL_UI_PORT']}/`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${env['MAIL_SINK_HTTP_PORT']}/`)).status).toBe(200);
  const key = agentFile()['COUNTERSIGN_KEY'] ?? '';
  expect(first.output()).toContain(key);
  expect((await api('/v1/me', { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
  for (const secret of ['agent.env', 'keys.json']) expect(statSync(join(dir, 'home', secret)).mode & 0o777).toBe(0o600);
  const id = await ask(key);
  await until(async () => (await stateOf(id, key)) === 'waiting');
  await first.says(/Mail to priya\.nair@company\.example/);

  const beside = start();
  expect(await beside.ended).toBe(1);
  expect(beside.output()).toMatch(/^Countersign already runs here as process \d+, with its data in .*\.\n$/);
  await stopped(first);

  const second = start();
  await second.says(/Ctrl-C stops everything/);
  expect(second.output()).not.toContain(key);
  expect(await stateOf(id, key)).toBe('waiting');
  await stopped(second);
  expect(readdirSync(join(dir, 'home'))).not.toContain('up.lock');
});

it('starts the API again when it is killed, and leaves nothing running when it is killed itself', async () => {
  const program = start();
  await program.says(/Ctrl-C stops everything/);
  const supervisor = Number((JSON.parse(readFileSync(join(dir, 'home', 'up.lock'), 'utf8')) as { pid: number }).pid);
  const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  const commandOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  const apiPid = childrenOf(supervisor).find((pid) => commandOf(pid).includes('client/api/main.ts')) ?? 0;
  process.kill(apiPid, 'SIGKILL');
  await program.says(/The api stopped \(SIGKILL\); starting it again/);
  await until(() =>
    api('/readyz').then(
      (response) => response.ok,
      () => false,
    ),
  );
  const parts = childrenOf(supervisor);
  expect(parts.length).toBeGreaterThanOrEqual(4);
  process.kill(supervisor, 'SIGKILL');
  await until(() => parts.every((pid) => !isRunning(pid)));

  const again = start();
  await again.says(/Ctrl-C stops everything/);
  await stopped(again);
});

it('a port in use: one sentence that names the port, what it is for and the setting', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const program = start(['--mail-port', String(port)]);
    expect(await program.ended).toBe(1);
    expect(program.output()).toBe(
      `Port ${port}, wanted for the development mailbox, to read, is in use: stop the program that listens there, or set MAIL_SINK_HTTP_PORT to a free port.\n`,
    );
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

it('explains its flags, and refuses an unknown one and a bad port in one sentence', async () => {
  const help = start(['--help']);
  expect(await help.ended).toBe(0);
  expect(help.output()).toContain('--temporal-ui-port');
  const unknown = start(['--colour']);
  expect(await unknown.ended).toBe(1);
  expect(unknown.output()).toBe("Unknown option '--colour': see npm start -- --help.\n");
  const bad = start(['--api-port', '0']);
  expect(await bad.ended).toBe(1);
  expect(bad.output()).toBe('The port for the API must be 1 to 65535, not "0": correct --api-port or COUNTERSIGN_API_PORT.\n');
});
