/**
 * A store that another Countersign made: an older one's is brought up to date with all it holds, a newer one's is refused and left alone.
 */
import { Kysely, Migrator, PostgresDialect } from 'kysely';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import { RecordError } from '../../record/errors';
import { roleOf } from '../../record/store/database';
import { migrate } from '../../record/store/migrate';
import { migrations } from '../../record/store/migrations';
import { startStore, type Store } from '../../workers/store';

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
