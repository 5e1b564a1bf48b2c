/**
 * The embedded store under the ends that processes come to: interrupted, killed, started twice.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { startStore, type Store } from '../../workers/store';
import { isAlive, stopPostgres, waitUntilGone } from '../../workers/store/processes';

let dir: string;
/** Programs that hold a store, and their PostgreSQL, which outlives them. */
const holders: { child: ChildProcess; pid: number }[] = [];
const stores: Store[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-test-launcher-'));
});

afterEach(async () => {
  for (const { child, pid } of holders.splice(0)) {
    child.kill('SIGKILL');
    await stopPostgres(pid);
  }
  await Promise.all(stores.splice(0).map((store) => store.stop()));
  rmSync(dir, { recursive: true, force: true });
});

const start = async (options: Partial<Parameters<typeof startStore>[0]> = {}): Promise<Store> => {
  const store = await startStore({ dir, ...options });
  stores.push(store);
  return store;
};

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Holder {
  readonly child: ChildProcess;
  readonly adminUrl: string;
  readonly pid: number;
  /** The next line it says. */
  line(): Promise<string>;
}

async function hold(): Promise<Holder> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, '../support/store-holder.ts'), dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => ((await lines.next()) as { value: string | undefined }).value ?? 'the holder has ended';
  const said = JSON.parse(await line()) as { adminUrl: string; pid: number };
  holders.push({ child, pid: said.pid });
  return { child, line, ...said };
}

test('a new directory becomes a store of PostgreSQL 18 that flushes to disk, whose passwords only its owner reads', async () => {
  const said: string[] = [];
  const store = await start({ onProgress: (line) => said.push(line) });
  expect(said).toEqual(['Preparing the store (once, a few seconds)']);
  expect(
    await query(
      store.adminUrl,
      `select current_setting('server_version_num')::int / 10000 as version, current_setting('fsync') as fsync, current_setting('TimeZone') as zone`,
    ),
  ).toEqual([{ version: 18, fsync: 'on', zone: 'UTC' }]);
  expect(
    await query(store.appUrl, 'select current_user as who, current_database() as db, (select rolsuper from pg_roles where rolname = current_user) as super'),
  ).toEqual([{ who: 'countersign_app', db: 'countersign', super: false }]);
  expect(statSync(join(store.dir, 'passwords.json')).mode & 0o777).toBe(0o600);
  const wrong = new URL(store.appUrl);
  wrong.password = 'guess';
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
  await store.stop();
  await store.stop();
  expect([isAlive(store.pid), readdirSync(store.dir).sort()]).toEqual([false, ['data', 'passwords.json', 'store.log']]);
});

test('after kill -9 of whoever ran it, the next start takes it over with everything that was committed', async () => {
  const holder = await hold();
  await query(holder.adminUrl, `create table kept (x int); insert into kept values (1)`);
  holder.child.kill('SIGKILL');
  await once(holder.child, 'exit');
  expect(isAlive(holder.pid)).toBe(true);
  const store = await start();
  expect(await waitUntilGone(holder.pid, 1)).toBe(true);
  expect(await query(store.adminUrl, 'select x from kept')).toEqual([{ x: 1 }]);
});

test('after kill -9 of PostgreSQL itself, the next start recovers', async () => {
  const first = await start();
  await query(first.adminUrl, `create table kept (x int); insert into kept values (1)`);
  process.kill(first.pid, 'SIGKILL');
  await waitUntilGone(first.pid, 10_000);
  await first.stop();
  const second = await start();
  expect(await query(second.adminUrl, 'select x from kept')).toEqual([{ x: 1 }]);
});

test('a lock file that names another living process is no obstacle', async () => {
  const first = await start();
  await first.stop();
  writeFileSync(join(first.dir, 'data', 'postmaster.pid'), `${String(process.pid)}\n${join(first.dir, 'data')}\n1\n5432\n`);
  const second = await start();
  expect(await query(second.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('an interrupted first start leaves nothing in the way', async () => {
  const half = join(dir, 'new-0123456789ab', 'data');
  mkdirSync(half, { recursive: true });
  writeFileSync(join(half, 'PG_VERSION'), '18\n');
  const store = await start();
  expect(existsSync(join(store.dir, 'new-0123456789ab'))).toBe(false);
  expect(await query(store.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('Ctrl-C in the terminal does not stop it before its clients are done', async () => {
  const holder = await hold();
  const client = new Client({ connectionString: holder.adminUrl });
  await client.connect();
  // The terminal sends it to the whole process group.
  process.kill(-(holder.child.pid ?? 0), 'SIGINT');
  expect(await holder.line()).toBe('interrupted');
  expect((await client.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  holder.child.stdin?.end();
  expect(await holder.line()).toBe('stopped');
  expect(isAlive(holder.pid)).toBe(false);
});

test('a second process is told who runs it, and nothing is disturbed', async () => {
  const holder = await hold();
  await expect(start()).rejects.toMatchObject({ code: 'store_in_use', message: expect.stringContaining(`process ${String(holder.child.pid)}`) });
  expect(await query(holder.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('of many that start at once after a crash, one has it', async () => {
  writeFileSync(join(dir, 'owner.json'), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1' }));
  const outcomes = await Promise.allSettled([start(), start(), start()]);
  expect(outcomes.map((o) => (o.status === 'fulfilled' ? 'has it' : (o.reason as { code: string }).code)).sort()).toEqual([
    'has it',
    'store_in_use',
    'store_in_use',
  ]);
});

test('a port in use is said in a sentence', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(start({ port })).rejects.toMatchObject({
    code: 'store_port_in_use',
    message: `Port ${String(port)}, which the store should use, is in use; stop what uses it, or give another port`,
  });
  server.close();
  const store = await start({ port });
  expect(new URL(store.appUrl).port).toBe(String(port));
});

test('lost passwords are said in a sentence, and nothing is removed', async () => {
  const first = await start();
  await first.stop();
  rmSync(join(first.dir, 'passwords.json'));
  await expect(start()).rejects.toMatchObject({ code: 'store_broken', message: expect.stringContaining('passwords.json') });
  expect(readFileSync(join(first.dir, 'data', 'PG_VERSION'), 'utf8')).toBe('18\n');
});
