/**
 * The embedded store on hard ground: cut off in its first moments, given data that is dead, another's or of another version, a disk that is full,
 * locks of processes that are gone. Each heals, or is refused in one sentence with everything left as it was.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startStore, StoreError, type Store } from '../../workers/store';
import { postgresIn } from '../../workers/store/processes';

const ROOT = process.getuid?.() === 0;
const asRoot = ROOT ? test : test.skip;
const canMount = ROOT && spawnSync('unshare', ['--mount', 'true']).status === 0;
const onTmpfs = canMount ? test : test.skip;

let template: string;
let dir: string;
const stores: Store[] = [];
const children: ChildProcess[] = [];
const mounts: string[] = [];

beforeAll(async () => {
  template = mkdtempSync(join(tmpdir(), 'countersign-test-template-'));
  const store = await startStore({ dir: template, durable: false });
  await query(store.adminUrl, 'create table kept (x int); insert into kept values (1); checkpoint');
  await store.stop();
});

afterAll(() => rmSync(template, { recursive: true, force: true }));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-test-damage-'));
  // The store's own user must be able to pass.
  chmodSync(dir, 0o755);
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.stop()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const pid of postgresIn(join(dir, 'data'))) process.kill(pid, 'SIGKILL');
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

async function start(): Promise<Store> {
  const store = await startStore({ dir, durable: false });
  stores.push(store);
  return store;
}

/** A store that holds one row and does not run; as root, its data belongs to root, as a copy or a restored backup does. */
function copyOfStore(): string {
  for (const name of ['data', 'passwords.json']) cpSync(join(template, name), join(dir, name), { recursive: true });
  return join(dir, 'data');
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const results: unknown = await client.query<Record<string, unknown>>(text);
    return Array.isArray(results) ? [] : (results as { rows: unknown[] }).rows;
  } finally {
    await client.end();
  }
}

const kept = async (store: Store): Promise<unknown> => await query(store.adminUrl, 'select x from kept');

async function refusal(): Promise<StoreError> {
  const error: unknown = await start().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error(`It was not refused, but: ${String(error)}`, { cause: error });
  expect(error.message).toMatch(/^[^\n]+$/);
  return error;
}

const holder = (as: readonly string[] = []): ChildProcess => {
  const [program = '', ...args] = [...as, process.execPath, '--import', 'tsx', join(__dirname, '../support/store-holder.ts'), dir];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: join(__dirname, '../..') });
  children.push(child);
  return child;
};

const look = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('a first start that is cut off', () => {
  test.each([0, 150, 700])('killed %i ms after it began to make the data: the next start makes it whole', async (afterMs) => {
    const child = holder();
    await look(() => readdirSync(dir).some((name) => name.startsWith('new-')));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = await start();
    expect(await query(store.adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(readdirSync(dir).filter((name) => name.startsWith('new-'))).toEqual([]);
  });
});

describe('data that is dead', () => {
  const dead: readonly [string, (data: string) => void, RegExp][] = [
    ['its PG_VERSION is missing', (data) => rmSync(join(data, 'PG_VERSION')), /it has no PG_VERSION/],
    [
      'it was emptied',
      (data) => {
        for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true });
      },
      /it has no PG_VERSION/,
    ],
    ['its PG_VERSION is rubbish', (data) => writeFileSync(join(data, 'PG_VERSION'), 'rubbish'), /its PG_VERSION holds no version/],
    ['its control file is rubbish', (data) => writeFileSync(join(data, 'global', 'pg_control'), Buffer.alloc(8_192, 7)), /incompatible with server/],
    ['its control file is cut off', (data) => truncateSync(join(data, 'global', 'pg_control'), 100), /control file|pg_control/],
    ['its log of writes is gone', (data) => emptyDir(join(data, 'pg_wal')), /checkpoint record|pg_wal/],
    ['its tables are gone', (data) => emptyDir(join(data, 'base')), /base/],
  ];
  const emptyDir = (path: string): void => {
    rmSync(path, { recursive: true });
    mkdirSync(path, { mode: 0o700 });
  };

  test.each(dead)('%s: refused in one sentence that says what to put back, and nothing is removed', async (_what, damage, why) => {
    const data = copyOfStore();
    damage(data);
    const before = readdirSync(data).sort();
    const error = await refusal();
    expect(error).toMatchObject({ code: 'store_broken', message: expect.stringMatching(why) as string });
    expect(error.message).toContain(`put a backup of ${dir} in its place, or move ${dir} away to begin anew`);
    expect(readdirSync(data).sort()).toEqual(expect.arrayContaining(before.filter((name) => name !== 'postmaster.pid')));
  });

  test('it is a file: refused in one sentence', async () => {
    const data = copyOfStore();
    rmSync(data, { recursive: true });
    writeFileSync(data, 'not a directory');
    expect((await refusal()).code).toBe('store_broken');
  });

  test('passwords that are rubbish: refused in one sentence, and they are not made anew', async () => {
    copyOfStore();
    writeFileSync(join(dir, 'passwords.json'), '{"admin":');
    expect(await refusal()).toMatchObject({ code: 'store_broken', message: expect.stringContaining('restore that file from a backup') as string });
    expect(readFileSync(join(dir, 'passwords.json'), 'utf8')).toBe('{"admin":');
  });
});

test('data of another PostgreSQL: refused in one sentence that says how to carry it over', async () => {
  const data = copyOfStore();
  writeFileSync(join(data, 'PG_VERSION'), '17\n');
  expect(await refusal()).toMatchObject({
    code: 'store_other_version',
    message:
      `The store in ${data} was made by PostgreSQL 17, and this Countersign brings PostgreSQL 18; ` +
      'start the Countersign that made it and carry the data over with pg_dump, or set DATABASE_URL to a server of that version',
  });
  expect(readFileSync(join(data, 'PG_VERSION'), 'utf8')).toBe('17\n');
});

describe('data that belongs to another', () => {
  asRoot('root starts what root copied, and what an ordinary user made as that user', async () => {
    const data = copyOfStore();
    expect(statSync(data).uid).toBe(0);
    chmodSync(data, 0o755);
    const first = await start();
    expect(await kept(first)).toEqual([{ x: 1 }]);
    await first.stop();
    expect(statSync(data).uid).not.toBe(0);
    execFileSync('chown', ['-R', '54321:54321', data]);
    const second = await start();
    expect(await kept(second)).toEqual([{ x: 1 }]);
    expect(statSync(`/proc/${String(second.pid)}`).uid).toBe(54_321);
  });

  asRoot('a user without a name is told what PostgreSQL needs', async () => {
    chownSync(dir, 54_322, 54_322);
    const child = holder(['setpriv', '--reuid=54322', '--regid=54322', '--clear-groups', 'env', `HOME=${dir}`, `TMPDIR=${dir}`]);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    expect(said).toContain('PostgreSQL runs only as a user that the system knows by name, and this one has none; give it a line in /etc/passwd');
  });

  asRoot('an ordinary user is told whose it is', async () => {
    const data = copyOfStore();
    execFileSync('chown', ['-R', '54321:54321', data]);
    chmodSync(join(dir, 'passwords.json'), 0o600);
    chownSync(join(dir, 'passwords.json'), 54_322, 54_322);
    chownSync(dir, 54_322, 54_322);
    const child = holder(['setpriv', '--reuid=54322', '--regid=54322', '--clear-groups', 'env', `HOME=${dir}`, `TMPDIR=${dir}`]);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    expect(said).toContain(
      `The store's data in ${data} belongs to user 54321, and PostgreSQL runs as user 54322 here; ` +
        `start as the user it belongs to, or give it to this one with "chown -R 54322 ${data}"`,
    );
  });
});

describe('a disk that is full', () => {
  const mount = (size: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'tmpfs', dir]);
    mounts.push(dir);
  };

  onTmpfs('at the very first write: named, nothing half-written; with room again the store starts', async () => {
    mount('64k');
    execFileSync('sh', ['-c', `head -c 1M /dev/zero > ${dir}/filler 2>/dev/null || true`]);
    expect(await refusal()).toMatchObject({ code: 'store_disk_full', message: expect.stringContaining(`The disk that holds ${dir} is full`) as string });
    expect(readdirSync(dir)).toEqual(['filler']);
    execFileSync('mount', ['-o', 'remount,size=400m', dir]);
    expect(await query((await start()).adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  onTmpfs('while the data is made: named, and nothing half-made stays; with room again the store starts', async () => {
    mount('12m');
    expect(await refusal()).toMatchObject({ code: 'store_disk_full', message: expect.stringContaining(`The disk that holds ${dir} is full`) as string });
    expect(readdirSync(dir)).toEqual(['passwords.json']);
    execFileSync('mount', ['-o', 'remount,size=400m', dir]);
    expect(await query((await start()).adminUrl, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  onTmpfs('when a store that was stopped starts again: named, and the data is there once there is room', async () => {
    mount('400m');
    copyOfStore();
    execFileSync('sh', ['-c', `head -c 1G /dev/zero > ${dir}/filler 2>/dev/null || true`]);
    expect(await refusal()).toMatchObject({ code: 'store_disk_full', message: expect.stringContaining(`The disk that holds ${dir} is full`) as string });
    rmSync(join(dir, 'filler'));
    expect(await kept(await start())).toEqual([{ x: 1 }]);
  });
});

describe('locks of processes that are gone', () => {
  const dead = 2 ** 22 + 1;

  test.each([
    ['a dead process', JSON.stringify({ pid: dead, startedAt: '1' })],
    ['a process whose number another program has now', JSON.stringify({ pid: process.pid, startedAt: '1' })],
    ['nobody, because the disk was full or the power cut', ''],
  ])('owner.json of %s is taken over', async (_whose, text) => {
    copyOfStore();
    writeFileSync(join(dir, 'owner.json'), text);
    const store = await start();
    expect(await kept(store)).toEqual([{ x: 1 }]);
    await store.stop();
    expect(readdirSync(dir).sort()).toEqual(['data', 'passwords.json', 'store.log']);
  });

  test('postmaster.pid with the number of another program, of the same user: that program is left alone, and the store starts', async () => {
    const data = copyOfStore();
    const first = await start();
    await first.stop();
    const { uid, gid } = statSync(data);
    const other = spawn('sleep', ['600'], ROOT ? { uid, gid } : {});
    children.push(other);
    await once(other, 'spawn');
    writeFileSync(join(data, 'postmaster.pid'), `${String(other.pid)}\n${data}\n1\n5432\n\n127.0.0.1\n 0 0\nready\n`);
    if (ROOT) chownSync(join(data, 'postmaster.pid'), uid, gid);
    expect(await kept(await start())).toEqual([{ x: 1 }]);
    expect(other.exitCode ?? other.signalCode).toBeNull();
  });

  test.each([
    ['a dead process', `${String(dead)}\n/elsewhere\n1\n5432\n\n127.0.0.1\n 0 0\nready\n`],
    ['nobody', ''],
  ])('postmaster.pid of %s is no obstacle', async (_whose, text) => {
    const data = copyOfStore();
    writeFileSync(join(data, 'postmaster.pid'), text);
    expect(await kept(await start())).toEqual([{ x: 1 }]);
  });

  test('a server that was killed while a session works: its children are gone before the next one touches the data', async () => {
    copyOfStore();
    const first = await start();
    const busy = new Client({ connectionString: first.adminUrl });
    busy.on('error', () => undefined);
    await busy.connect();
    await busy.query('begin; insert into kept values (2)');
    const lost = busy.query('select count(*) from generate_series(1, 1e9::bigint)').catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = postgresIn(join(dir, 'data'));
    expect(before.length).toBeGreaterThan(1);
    process.kill(first.pid, 'SIGKILL');
    await first.stop();
    const second = await start();
    expect(postgresIn(join(dir, 'data')).filter((pid) => before.includes(pid))).toEqual([]);
    expect(await kept(second)).toEqual([{ x: 1 }]);
    await lost;
    await busy.end().catch(() => undefined);
  });
});

test('a data directory that was put back from a backup under its name is simply used', async () => {
  const data = copyOfStore();
  renameSync(data, `${data}-backup`);
  cpSync(`${data}-backup`, data, { recursive: true });
  expect(existsSync(join(data, 'PG_VERSION'))).toBe(true);
  expect(await kept(await start())).toEqual([{ x: 1 }]);
});
