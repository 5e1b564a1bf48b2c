/**
 * `npm start` on hard ground, whole and real: killed again and again in its very first moments, started several times at once, with its engine's
 * database ruined, without a network, with a port taken under its hands, on a full disk, as an ordinary user.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { findEngine } from '../../workers/engine/binary';
import { isReachable } from '../../workers/store/places';
import { holdPorts } from '../support/ports';
import { isRunning, runProgram, until, type Program } from '../support/program';

const ROOT = resolve(__dirname, '..', '..');
const isRoot = process.getuid?.() === 0;
// Only root may become another user, and mount a small disk; elsewhere these are skipped by name.
const asRoot = isRoot ? it : it.skip;
const onTmpfs = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0 ? it : it.skip;
/** What a stack trace looks like. */
const STACK = /^\s+at .+[:(]/m;

let dir: string;
let env: NodeJS.ProcessEnv;
const mounts: string[] = [];
const home = (...path: readonly string[]): string => join(dir, 'home', ...path);

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-cold-'));
  // The store's own user must be able to pass, or its data would lie elsewhere and outlive the test.
  chmodSync(dir, 0o755);
  const [api, temporal, ui, smtp, mail] = await holdPorts(5);
  env = {
    ...process.env,
    TEMPORAL_ADDRESS: '',
    DATABASE_URL: '',
    SMTP_URL: '',
    COUNTERSIGN_HOME: home(),
    COUNTERSIGN_TASK_QUEUE: '',
    COUNTERSIGN_SAMPLE: '',
    COUNTERSIGN_API_PORT: String(api),
    COUNTERSIGN_TEMPORAL_PORT: String(temporal),
    COUNTERSIGN_TEMPORAL_UI_PORT: String(ui),
    MAIL_SINK_PORT: String(smtp),
    MAIL_SINK_HTTP_PORT: String(mail),
  };
});
afterEach(async () => {
  // The watchdogs end what a killed start left; PostgreSQL still writes while it goes.
  await until(() => left().length === 0);
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

/** Processes that have our home in their command line. */
const left = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home());
      } catch {
        return false;
      }
    })
    .map(Number);

const start = (more: NodeJS.ProcessEnv = {}): Program => runProgram(['tools/start.mjs'], { ...env, ...more });
const RUNS = /Ctrl-C stops everything/;
const api = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`http://127.0.0.1:${env['COUNTERSIGN_API_PORT'] ?? ''}${path}`, init);
const keyOf = (): string => /COUNTERSIGN_KEY=(.*)/.exec(readFileSync(home('agent.env'), 'utf8'))?.[1] ?? '';
const bearer = (): { authorization: string } => ({ authorization: `Bearer ${keyOf()}` });

async function stopped(program: Program): Promise<void> {
  program.kill('SIGINT');
  expect(await program.ended).toBe(0);
  expect(program.output()).toMatch(/Stopped\.\n$/);
  expect(program.output()).not.toMatch(STACK);
}

async function ask(): Promise<string> {
  const request = JSON.parse(readFileSync(join(ROOT, 'examples', 'finance', 'request.json'), 'utf8')) as object;
  const response = await api('/v1/requests', {
    method: 'POST',
    headers: { ...bearer(), 'content-type': 'application/json', 'idempotency-key': 'cold-1' },
    body: JSON.stringify({ ...request, resume: { type: 'poll' } }),
  });
  const body = (await response.json()) as { readonly approval_id?: string };
  if (body.approval_id === undefined) throw new Error(JSON.stringify(body));
  return body.approval_id;
}

const stateOf = async (id: string): Promise<unknown> =>
  ((await (await api(`/v1/requests/${id}`, { headers: bearer() })).json()) as { readonly state?: unknown }).state;

/** Numbers between 0 and 1, the same each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

it('killed at eight moments of its very first start, each time at another depth, it heals, and keeps what was made before', async () => {
  const random = seeded(20_19);
  let keys: string | null = null;
  for (let kill = 0; kill < 8; kill += 1) {
    // Detached from us: what it prints must not hold us.
    const child = spawn(process.execPath, ['tools/start.mjs'], { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'ignore'] });
    const gone = new Promise((done) => child.once('exit', done));
    await new Promise((done) => setTimeout(done, 400 + random() * 6_000));
    const supervisor = existsSync(home('up.lock')) ? (JSON.parse(readFileSync(home('up.lock'), 'utf8')) as { pid: number }).pid : 0;
    // Sometimes the command, sometimes what it started, sometimes both at once.
    const which = Math.floor(random() * 3);
    if (which !== 1) child.kill('SIGKILL');
    if (which !== 0 && supervisor > 1 && isRunning(supervisor)) process.kill(supervisor, 'SIGKILL');
    child.kill('SIGKILL');
    await gone;
    if (keys !== null) expect(readFileSync(home('keys.json'), 'utf8')).toBe(keys);
    else if (existsSync(home('keys.json'))) keys = readFileSync(home('keys.json'), 'utf8');
  }
  // A start of which the command alone was killed stops by itself, and has its home until then.
  await until(() => !existsSync(home('up.lock')) || !isRunning((JSON.parse(readFileSync(home('up.lock'), 'utf8')) as { pid: number }).pid));
  const program = start();
  await program.says(RUNS);
  const id = await ask();
  await until(async () => (await stateOf(id)) === 'waiting');
  await stopped(program);
  expect(readdirSync(home()).filter((name) => /\.new$|\.making$|up\.lock/.test(name))).toEqual([]);
});

it('several at the same moment: one runs, the others say so in one sentence, and the one goes on unharmed', async () => {
  const all = Array.from({ length: 4 }, () => start());
  const losers = await new Promise<Program[]>((done) => {
    const over: Program[] = [];
    for (const program of all) void program.ended.then(() => over.push(program) === all.length - 1 && done(over));
  });
  for (const loser of losers) {
    expect(await loser.ended).toBe(1);
    expect(loser.output()).toMatch(
      /^Countersign already runs here as process \d+, with its data in .*: use that one, or set COUNTERSIGN_HOME and other ports for a second\.\n$/,
    );
  }
  const winner = all.find((program) => !losers.includes(program));
  await winner?.says(RUNS);
  expect((await api('/readyz')).status).toBe(200);
  const id = await ask();
  await until(async () => (await stateOf(id)) === 'waiting');
  if (winner) await stopped(winner);
});

it("the engine's database is ruined: it says so loudly, keeps the file, and the approval that was open runs again from the record", async () => {
  const first = start();
  await first.says(RUNS);
  const id = await ask();
  await until(async () => (await stateOf(id)) === 'waiting');
  await stopped(first);
  for (const part of ['-wal', '-shm']) rmSync(`${home('temporal.db')}${part}`, { force: true });
  writeFileSync(home('temporal.db'), Buffer.alloc(50_000, 'ruin'));

  const second = start();
  await second.says(/WARNING: The Temporal server cannot use its database .* \(file is not a database\)\. It was moved to .*temporal\.db\.dead-/);
  await second.says(RUNS);
  expect(await stateOf(id)).toBe('waiting');
  const connection = await Connection.connect({ address: `127.0.0.1:${env['COUNTERSIGN_TEMPORAL_PORT'] ?? ''}` });
  try {
    await until(async () => {
      const { executions } = await connection.workflowService.listWorkflowExecutions({ namespace: 'default', query: 'WorkflowType = "approval"' });
      return executions.some(({ execution }) => execution?.workflowId?.includes(id) === true);
    });
  } finally {
    await connection.close();
  }
  await stopped(second);
});

it('without a network, everything that is here already starts: no proxy is asked for what runs on this machine', async () => {
  const nowhere = 'http://127.0.0.1:1';
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy', 'GOPROXY', 'npm_config_registry'];
  const program = start({ ...Object.fromEntries(proxies.map((name) => [name, nowhere])), no_proxy: '', NO_PROXY: '' });
  await program.says(RUNS);
  const id = await ask();
  await until(async () => (await stateOf(id)) === 'waiting');
  await stopped(program);
});

it('a port that is taken between our look and the start of the API: one sentence that names it, and nothing stays behind', async () => {
  const program = start();
  await program.says(/Starting the worker/);
  const thief = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  await new Promise<void>((done) => thief.listen(Number(env['COUNTERSIGN_API_PORT']), '127.0.0.1', done));
  try {
    expect(await program.ended).toBe(1);
    expect(program.output().trim().split('\n').at(-1)).toBe(
      `Port ${env['COUNTERSIGN_API_PORT'] ?? ''}, wanted for the API, is in use: stop the program that listens there, or set COUNTERSIGN_API_PORT to a free port.`,
    );
    expect(left()).toEqual([]);
  } finally {
    await new Promise((done) => thief.close(done));
  }
});

it.each([
  ['COUNTERSIGN_API_PORT', 'the API'],
  ['COUNTERSIGN_TEMPORAL_PORT', 'the Temporal server'],
  ['COUNTERSIGN_TEMPORAL_UI_PORT', "Temporal's UI"],
  ['MAIL_SINK_PORT', 'the development mailbox, SMTP'],
])('%s is taken by something else: one sentence, and nothing was started', async (variable, what) => {
  const thief = createServer();
  await new Promise<void>((done) => thief.listen(Number(env[variable]), '127.0.0.1', done));
  try {
    const program = start();
    expect(await program.ended).toBe(1);
    expect(program.output()).toBe(
      `Port ${env[variable] ?? ''}, wanted for ${what}, is in use: stop the program that listens there, or set ${variable} to a free port.\n`,
    );
    expect(existsSync(home('store'))).toBe(false);
  } finally {
    await new Promise((done) => thief.close(done));
  }
});

onTmpfs('on a disk that is full: one sentence that names it, no half-written keys; with room again it starts', async () => {
  mkdirSync(home());
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=755', 'tmpfs', home()]);
  mounts.push(home());
  for (const filled of ['24m', '44m']) {
    execFileSync('mount', ['-o', `remount,size=${filled}`, home()]);
    const program = start();
    expect(await program.ended).toBe(1);
    expect(program.output().trim().split('\n').at(-1)).toMatch(new RegExp(`^The disk that holds ${home()}\\S* is full\\b.*\\.$`));
    expect(program.output()).not.toMatch(STACK);
    if (existsSync(home('keys.json'))) JSON.parse(readFileSync(home('keys.json'), 'utf8'));
    expect(readdirSync(home()).filter((name) => name.endsWith('.new'))).toEqual([]);
  }
  execFileSync('mount', ['-o', 'remount,size=500m', home()]);
  const program = start();
  await program.says(RUNS);
  await stopped(program);
});

asRoot(
  'an ordinary user starts it from a copy of the tree, and meets a sentence in a home that root made',
  async () => {
    // A user that every system knows; PostgreSQL runs as another one for root.
    const uid = Number(execFileSync('id', ['-u', 'daemon']).toString());
    const copy = join(dir, 'copy');
    mkdirSync(copy);
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT }).toString().split('\0').filter(Boolean);
    for (const file of files) {
      if (file.startsWith('test/') || !existsSync(join(ROOT, file))) continue;
      mkdirSync(join(copy, dirname(file)), { recursive: true });
      copyFileSync(join(ROOT, file), join(copy, file));
    }
    if (isReachable(join(ROOT, 'node_modules', 'any'))) symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    else cpSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    copyFileSync((await findEngine({ env: process.env, onProgress: () => undefined })).path, join(bin, 'temporal'));
    chmodSync(join(bin, 'temporal'), 0o755);
    execFileSync('chown', ['-R', `${String(uid)}:${String(uid)}`, copy]);
    chownSync(dir, uid, uid);
    const user = { ...env, HOME: dir, TMPDIR: dir, PATH: `${bin}:${process.env['PATH'] ?? ''}`, XDG_CACHE_HOME: join(dir, 'cache') };
    const asUser = (): Program => {
      // Through a small Node of root's, which becomes the user and then is the program.
      const become = `process.setgroups([]); process.setgid(${String(uid)}); process.setuid(${String(uid)}); process.chdir(${JSON.stringify(copy)}); process.argv[1] = ${JSON.stringify(join(copy, 'tools', 'start.mjs'))}; import(process.argv[1]);`;
      return runProgram(['-e', become], user);
    };
    const program = asUser();
    await program.says(RUNS);
    const id = await ask();
    await until(async () => (await stateOf(id)) === 'waiting');
    for (const name of ['store/data', 'keys.json', 'temporal.db']) expect(statSync(home(name)).uid).toBe(uid);
    await stopped(program);
    // Root may use what the user made, and hands nothing of the data over.
    const root = start();
    await root.says(RUNS);
    expect(await stateOf(id)).toBe('waiting');
    await stopped(root);
    expect(statSync(home('store', 'data')).uid).toBe(uid);

    execFileSync('chown', ['-R', '0:0', home()]);
    const refused = asUser();
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/^The directory .*home cannot be written \(.+\): mend its owner and permissions, or set COUNTERSIGN_HOME to another\.\n$/);
  },
  180_000,
);
