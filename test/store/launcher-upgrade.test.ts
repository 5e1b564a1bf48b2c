/**
 * A store that another Countersign made: an older one's is brought up to date with all it holds, a newer one's is refused and left alone.
 */
import { Kysely, Migrator, PostgresDialect } from 'kysely';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { makeNote } from '../../record/checkpoint';
import { NO_HEAD, type StoredEntry } from '../../record/entry';
import { RecordError } from '../../record/errors';
import { generateKeys, type Keys } from '../../record/keys';
import { sealCheckpoint, sealLogRow } from '../../record/log';
import { openDatabase, roleOf, type Db } from '../../record/store/database';
import { append } from '../../record/store/entries';
import { verifyStore } from '../../record/store/export';
import { migrate } from '../../record/store/migrate';
import { migrations } from '../../record/store/migrations';
import { sequence } from '../../record/store/sequencer';
import { EMPTY_RANGE, extend, rootOf } from '../../record/tree';
import { startStore, type Store } from '../../workers/store';
import { AT } from '../support/record';

const names = Object.keys(migrations);
let dir: string;
let store: Store;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-test-upgrade-'));
  store = await startStore({ dir, durable: false });
});

afterEach(async () => {
  await store.stop();
  rmSync(store.dir, { recursive: true, force: true });
  rmSync(dir, { recursive: true, force: true });
});

/** As an older Countersign left it: the first `levels` migrations, and no later one. */
async function olderStore(levels: number): Promise<void> {
  const known = Object.fromEntries(Object.entries(migrations).slice(0, levels));
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: store.adminUrl, max: 1 }) }) });
  try {
    const { error } = await new Migrator({ db, provider: { getMigrations: () => Promise.resolve(known) } }).migrateToLatest();
    if (error !== undefined) throw new Error('The older store could not be made', { cause: error });
  } finally {
    await db.destroy();
  }
}

async function query(text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: store.adminUrl });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

const levels = async (): Promise<unknown> => (await query('select name from kysely_migration order by name')).map((row) => (row as { name: string }).name);
const bringUp = (): Promise<readonly string[]> => migrate(store.adminUrl, roleOf(store.appUrl));

const older = names.map((_name, index) => index).slice(1);

test.each(older)('a store of level %i is brought to this one at the start, and keeps what it holds', async (level) => {
  await olderStore(level);
  await query(`create table kept as select 1 as x`);
  expect(await bringUp()).toEqual(names.slice(level));
  expect(await levels()).toEqual(names);
  expect(await query('select x from kept')).toEqual([{ x: 1 }]);
  expect(await bringUp()).toEqual([]);
});

test('a store that a newer Countersign migrated is refused in one sentence, and nothing in it is turned back', async () => {
  await bringUp();
  await query(`insert into kysely_migration (name, timestamp) values ('9999_of_the_future', '2099-01-01T00:00:00.000Z')`);
  const tables = `select table_name from information_schema.tables where table_schema = 'public' order by table_name`;
  const before = await query(tables);
  const refused: unknown = await bringUp().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RecordError);
  expect(refused).toMatchObject({
    code: 'store_too_new',
    message:
      `The store was brought to 9999_of_the_future by a newer Countersign, and this one knows nothing above ${names.at(-1) ?? ''}; ` +
      'start that version or a newer one, or restore a backup from before the upgrade',
  });
  expect(await query(tables)).toEqual(before);
  expect(await levels()).toEqual([...names, '9999_of_the_future']);
});

async function write(db: Db, keys: Keys, approvalId: string, times: number): Promise<readonly StoredEntry[]> {
  const items = Array.from({ length: times }, (_, n) => ({ event: { type: 'engine', what: 'nudged', why: String(n) } as const, commandId: null }));
  return (await append(db, { tenant: 'acme', approvalId, head: NO_HEAD, at: AT, items, context: {}, record: keys.record })).entries;
}

/** As the sequencer of a store without a queue did: places and checkpoint, and nothing else. */
async function placeAsBefore(db: Db, keys: Keys, entries: readonly StoredEntry[]): Promise<void> {
  const rows = entries.map(({ approvalId, seq, leaf }, position) => sealLogRow({ tenant: 'acme', position, approvalId, seq, leaf }, keys.record));
  await db
    .insertInto('log')
    .values(rows.map(({ approvalId, keyId, ...row }) => ({ ...row, approval_id: approvalId, key_id: keyId })))
    .execute();
  const range = extend(
    EMPTY_RANGE,
    entries.map((e) => e.leaf),
  );
  const head = { size: range.size, root: rootOf(range) };
  const note = makeNote('acme', head, keys.record);
  const { keyId, range: roots, ...sealed } = sealCheckpoint({ tenant: 'acme', ...head, note, at: AT, previous: 0, range: range.roots }, keys.record);
  await db
    .insertInto('checkpoints')
    .values({ ...sealed, range: JSON.stringify(roots), key_id: keyId })
    .execute();
}

test('entries that waited for their place when the store was upgraded get it, and those that had one keep it', async () => {
  const keys = generateKeys();
  await olderStore(names.indexOf('0005_unplaced'));
  const db = openDatabase(store.adminUrl);
  try {
    const placed = [...(await write(db, keys, 'a', 3)), ...(await write(db, keys, 'b', 2))].slice(0, 4);
    await placeAsBefore(db, keys, placed);
    await write(db, keys, 'c', 2);
    await bringUp();
    expect(await query('select approval_id, seq from unplaced order by id')).toEqual([
      { approval_id: 'b', seq: 2 },
      { approval_id: 'c', seq: 1 },
      { approval_id: 'c', seq: 2 },
    ]);
    const app = openDatabase(store.appUrl);
    try {
      await write(app, keys, 'd', 1);
      expect(await sequence(app, keys, AT)).toEqual([{ tenant: 'acme', added: 4, size: 8, refused: [] }]);
    } finally {
      await app.destroy();
    }
    expect(await query('select approval_id, seq from log order by position')).toEqual(
      [...placed.map(({ approvalId, seq }) => [approvalId, seq]), ['b', 2], ['c', 1], ['c', 2], ['d', 1]].map(([approval_id, seq]) => ({ approval_id, seq })),
    );
    expect(await verifyStore(db, keys.trusted, 'acme')).toMatchObject({ ok: true, unplaced: 0, size: 8 });
  } finally {
    await db.destroy();
  }
});
