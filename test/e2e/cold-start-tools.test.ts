/**
 * What runs on a bare clone, before anything is installed: the lock of the installer, npm without a network, and the other versions of Node.
 * Each test has a clone of its own that holds the tools and the lock of the packages, and nothing else.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isRunning, runProgram, until, type Program } from '../support/program';

const ROOT = resolve(__dirname, '..', '..');
const NOWHERE = 'http://127.0.0.1:1/';
const VERSION = '22.23.2';
const cached = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'countersign', `node-${VERSION}`);
// Skipped by name until the step "Node versions" has fetched that Node once: nothing is fetched in the middle of a test.
const withNode = existsSync(cached) ? it : it.skip;

let dir: string;
let clone: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-tools-'));
  clone = join(dir, 'clone');
  mkdirSync(clone);
  for (const name of ['tools', 'package.json', 'package-lock.json']) cpSync(join(ROOT, name), join(clone, name), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));

const offline = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HOME: dir,
  XDG_CACHE_HOME: join(dir, 'cache'),
  npm_config_cache: join(dir, 'npm'),
  npm_config_registry: NOWHERE,
  npm_config_replace_registry_host: 'always',
  npm_config_fetch_retries: '0',
});
const start = (env = offline()): Program => runProgram([join(clone, 'tools', 'start.mjs'), '--help'], env);
const node = (env: NodeJS.ProcessEnv): Program => runProgram([join(clone, 'tools', 'nodes.mjs'), VERSION], env);
/** A command that waits for its turn with the lock of the installer, says so, and ends. */
const turn = (): Program =>
  runProgram([
    '--input-type=module',
    '-e',
    `import { alone } from ${JSON.stringify(join(clone, 'tools', 'lib.mjs'))}; await alone(${JSON.stringify(lock())}, () => console.log('has it'));`,
  ]);
const lock = (): string => join(clone, '.countersign', 'install.lock');
function leave(text: string): void {
  mkdirSync(join(clone, '.countersign'));
  writeFileSync(lock(), text);
}

describe('the packages', () => {
  const sentence =
    /\nThe packages of package-lock\.json could not be installed in .*clone \(npm's own words stand above\): mend the connection to the npm registry or the disk and start again, or copy node_modules from a clone of this version where it worked\.\n$/;

  it('that cannot be fetched: one sentence with the ways out, and no lock stays', async () => {
    const program = start();
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(sentence);
    expect(program.output()).not.toMatch(/^\s+at .+[:(]/m);
    expect(readdirSync(join(clone, '.countersign'))).toEqual([]);
  });

  it.each([
    ['a dead process', JSON.stringify({ holders: [{ pid: 4_194_305, startedAt: '1' }] })],
    ['a process whose number another program has now', JSON.stringify({ holders: [{ pid: process.pid, startedAt: '1' }] })],
    ['an older version, which wrote a bare number', String(process.pid)],
    ['nobody, because the disk was full', ''],
  ])('a lock of %s does not keep the next one from installing', async (_whose, text) => {
    leave(text);
    const program = turn();
    expect(await program.ended).toBe(0);
    expect(program.output()).toBe('has it\n');
    expect(readdirSync(join(clone, '.countersign'))).toEqual([]);
  });

  it('are not installed beside an npm that outlives the start that was killed', async () => {
    // npm of a start that was killed, still at work.
    const npm = spawn('sleep', ['600'], { stdio: 'ignore' });
    const stat = readFileSync(`/proc/${String(npm.pid)}/stat`, 'utf8');
    const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    leave(
      JSON.stringify({
        holders: [
          { pid: 4_194_305, startedAt: '1' },
          { pid: npm.pid, startedAt },
        ],
      }),
    );
    const program = turn();
    await program.says(new RegExp(`Waiting for process ${String(npm.pid)}, which is at the same work`));
    expect(program.output()).not.toContain('has it');
    npm.kill('SIGKILL');
    expect(await program.ended).toBe(0);
    expect(program.output()).toContain('has it');
  });

  it('two starts at once: one installs, the other waits, and a killed one leaves the turn to the other', async () => {
    // A registry that takes the question and never answers: npm stays at work.
    const silent = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const env = { ...offline(), npm_config_registry: `http://127.0.0.1:${String((silent.address() as AddressInfo).port)}/` };
    try {
      const first = start(env);
      await first.says(/Installing the packages/);
      await until(() => (JSON.parse(readFileSync(lock(), 'utf8')) as { holders: unknown[] }).holders.length === 2);
      const npm = (JSON.parse(readFileSync(lock(), 'utf8')) as { holders: { pid: number }[] }).holders[1]?.pid ?? 0;
      const second = start(offline());
      await second.says(new RegExp(`Waiting for process ${String(first.pid)}, which is at the same work`));
      first.kill('SIGKILL');
      // Not its end, which npm's hold on its output puts off.
      await until(() => !isRunning(first.pid));
      expect(second.output()).not.toContain('Installing');
      process.kill(npm, 'SIGKILL');
      await second.says(/Installing the packages/);
      expect(await second.ended).toBe(1);
      expect(second.output()).toMatch(sentence);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });
});

describe('another version of Node', () => {
  it('that cannot be fetched is skipped by name, in one sentence, and leaves nothing', async () => {
    const program = node(offline());
    expect(await program.ended).toBe(1);
    expect(program.output()).toMatch(
      /^Fetching Node 22\.23\.2 from the npm registry: once per user\nNode 22\.23\.2 could not be fetched from the npm registry as node-\S+@22\.23\.2 \(.+\): mend the connection, and the next run fetches it\.\n$/,
    );
    expect(readdirSync(join(dir, 'cache', 'countersign'))).toEqual([]);
  });

  withNode('that was fetched once is never fetched again, and needs no network', async () => {
    mkdirSync(join(dir, 'cache', 'countersign'), { recursive: true });
    cpSync(cached, join(dir, 'cache', 'countersign', `node-${VERSION}`), { recursive: true });
    const program = node(offline());
    expect(await program.ended).toBe(0);
    expect(execFileSync(program.output().trim(), ['--version']).toString()).toBe(`v${VERSION}\n`);
  });

  withNode('whose program was cut off is not used', async () => {
    mkdirSync(join(dir, 'cache', 'countersign'), { recursive: true });
    cpSync(cached, join(dir, 'cache', 'countersign', `node-${VERSION}`), { recursive: true });
    const whole = node(offline());
    await whole.ended;
    truncateSync(whole.output().trim(), 1_000_000);
    const program = node(offline());
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain('could not be fetched from the npm registry');
  });

  it('is refused when the registry has something else under its name, or not the bytes that it promises', async () => {
    const name = /as (node-\S+)@/.exec(await said(node(offline())))?.[1] ?? '';
    const honest = await registry(name, (bytes) => bytes);
    try {
      const program = node({ ...offline(), npm_config_registry: honest.url });
      expect(await program.ended).toBe(1);
      expect(program.output()).toContain(`Node ${VERSION}: the npm registry has another ${name}@${VERSION} than the one that is pinned in tools/nodes.mjs.`);
    } finally {
      honest.server.close();
    }
    const broken = await registry(name, (bytes) => Buffer.concat([bytes, Buffer.from('more')]));
    try {
      const program = node({ ...offline(), npm_config_registry: broken.url, npm_config_cache: join(dir, 'npm-2') });
      expect(await program.ended).toBe(1);
      expect(program.output()).toContain(`what the npm registry sent for ${name}@${VERSION} has not the digest that it names itself.`);
    } finally {
      broken.server.close();
    }
    expect(readdirSync(join(dir, 'cache', 'countersign'))).toEqual([]);
  });
});

const said = async (program: Program): Promise<string> => {
  await program.ended;
  return program.output();
};

/** A registry that holds one package, packed by npm, and sends what `sent` makes of it. */
async function registry(name: string, sent: (bytes: Buffer) => Buffer): Promise<{ readonly server: Server; readonly url: string }> {
  const made = join(dir, 'made');
  mkdirSync(made, { recursive: true });
  writeFileSync(join(made, 'package.json'), JSON.stringify({ name, version: VERSION }));
  const file = execFileSync('npm', ['pack', '--silent'], { cwd: made, env: offline() }).toString().trim();
  const bytes = readFileSync(join(made, file));
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const server = createServer((request, response) => {
    if (request.url?.endsWith('.tgz')) return void response.end(sent(bytes));
    const tarball = `http://${request.headers.host ?? ''}/${name}/-/${file}`;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name, 'dist-tags': { latest: VERSION }, versions: { [VERSION]: { name, version: VERSION, dist: { tarball, integrity } } } }));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/` };
}
