import { sql } from 'kysely';
import { Client } from 'pg';
import { openDatabase, roleOf, type Db } from '../../record/store/database';
import { isAppendOnlyViolation, isPrivilegeViolation } from '../../record/store/errors';
import { exportTenant, verifyStore } from '../../record/store/export';
import { NO_HEAD } from '../../record/entry';
import { append, readTimeline } from '../../record/store/entries';
import { migrate } from '../../record/store/migrate';
import { migrations } from '../../record/store/migrations';
import { APPEND_ONLY, MUTABLE, WAITING } from '../../record/store/privileges';
import { sequence } from '../../record/store/sequencer';
import { AT, writeRecord } from '../support/record';
import { useStore } from '../support/store';

const store = useStore();

/** Every append-only table has at least one row, so that a row trigger has something to refuse. */
async function fill(db: Db): Promise<void> {
  await writeRecord(db, store.keys, 'acme', 5);
  await db
    .insertInto('commands')
    .values({ tenant: 'acme', command_id: 'c', approval_id: 'approval-0', person: 'p', body: '{}', signature: 's', key_id: 'k', created_at: AT })
    .execute();
  await db.insertInto('answers').values({ tenant: 'acme', command_id: 'c', approval_id: 'approval-0', answer: '{}', at: AT }).execute();
}

const CHANGES = ['update', 'delete', 'truncate'] as const;
const statement = (table: string, change: (typeof CHANGES)[number]) =>
  ({ update: sql`update ${sql.table(table)} set tenant = tenant`, delete: sql`delete from ${sql.table(table)}`, truncate: sql`truncate ${sql.table(table)}` })[
    change
  ];

beforeAll(() => fill(store.db));

describe.each([...APPEND_ONLY])('the table %s', (table) => {
  test.each(CHANGES)('refuses %s to the application by privilege', async (change) => {
    const refusal: unknown = await statement(table, change)
      .execute(store.db)
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(isPrivilegeViolation(refusal)).toBe(true);
  });

  test.each(CHANGES)('refuses %s to its owner by trigger, and says why', async (change) => {
    const rows = async () => (await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(store.adminDb)).rows[0]?.n ?? 0;
    const before = await rows();
    const refusal: unknown = await statement(table, change)
      .execute(store.adminDb)
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(isAppendOnlyViolation(refusal)).toBe(true);
    expect(String(refusal)).toContain(`The table ${table} is append-only: ${change} is refused`);
    expect([before > 0, await rows()]).toEqual([true, before]);
  });
});

test('an entry that waits for its place in the log is forgotten by nobody: neither the application nor the owner takes it from the queue', async () => {
  await writeRecord(store.db, store.keys, 'queue', 2);
  await sequence(store.db, store.keys, AT, 'queue');
  await append(store.db, {
    tenant: 'queue',
    approvalId: 'late',
    head: NO_HEAD,
    at: AT,
    items: [{ event: { type: 'engine', what: 'nudged', why: 'late' }, commandId: null }],
    context: {},
    record: store.keys.record,
  });
  for (const [db, refused] of [
    [store.db, isPrivilegeViolation],
    [store.adminDb, isAppendOnlyViolation],
  ] as const) {
    for (const change of ['update', 'truncate'] as const) {
      await expect(statement('unplaced', change).execute(db).catch(refused)).resolves.toBe(true);
    }
    await expect(statement('unplaced', 'delete').execute(db).catch(isAppendOnlyViolation)).resolves.toBe(true);
  }
  await expect(sql`insert into unplaced values ('queue', 'made up', 1, 1)`.execute(store.db).catch(isPrivilegeViolation)).resolves.toBe(true);
  // A table of the session's own, under the name that is looked into, opens no door either.
  const session = openDatabase(store.appUrl, { max: 1 });
  try {
    await sql`create temporary table log as select tenant, approval_id, seq from unplaced`.execute(session);
    await expect(statement('unplaced', 'delete').execute(session).catch(isAppendOnlyViolation)).resolves.toBe(true);
  } finally {
    await session.destroy();
  }
  const waiting = async () => await store.db.selectFrom('unplaced').select('approval_id').where('tenant', '=', 'queue').execute();
  expect(await waiting()).toEqual([{ approval_id: 'late' }]);
  expect(await sequence(store.db, store.keys, AT, 'queue')).toMatchObject([{ added: 1, refused: [] }]);
  expect(await waiting()).toEqual([]);
});

test('every table is known to be append-only, a projection, or a queue', async () => {
  const { rows } = await sql<{
    name: string;
  }>`select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'kysely%' order by 1`.execute(store.adminDb);
  expect(rows.map((r) => r.name)).toEqual([...APPEND_ONLY, ...MUTABLE, ...WAITING].sort());
});

test('the application may not make, alter or drop anything, nor switch triggers off', async () => {
  for (const ddl of [
    'create table mine (x int)',
    'alter table entries disable trigger all',
    'drop table log',
    'drop trigger entries_append_only on entries',
    `set session_replication_role = 'replica'`,
    'set role countersign_eraser',
  ]) {
    const refusal: unknown = await sql
      .raw(ddl)
      .execute(store.db)
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect([ddl, isPrivilegeViolation(refusal)]).toEqual([ddl, true]);
  }
});

test('personal fields can be erased by the eraser alone, and the record stays provable', async () => {
  await expect(sql`delete from entry_personal where approval_id = 'approval-0'`.execute(store.adminDb)).rejects.toThrow(
    'erased by deleting their rows as role countersign_eraser',
  );
  const before = await exportTenant(store.db, 'acme');
  await store.adminDb.transaction().execute(async (trx) => {
    await sql`set local role countersign_eraser`.execute(trx);
    await sql`delete from entry_personal where approval_id = 'approval-0'`.execute(trx);
  });
  const report = await verifyStore(
    store.db,
    store.keys.trusted,
    'acme',
    before.checkpoints.map((c) => c.note),
  );
  const gone = before.personal.filter((p) => p.approvalId === 'approval-0').length;
  expect(report).toMatchObject({ ok: true, erased: gone, signatures: { uncheckable: 1 } });
  const timeline = await readTimeline(store.db, 'acme', 'approval-0');
  expect(timeline[0]?.fields).toMatchObject({ reason: '[erased]', customer: '[erased]', system: 'billing', 'context.personal': '[erased]' });
});

test('the eraser may erase and nothing else', async () => {
  for (const change of [
    sql`update entry_personal set value = '1'`,
    sql`delete from entries`,
    sql`select * from requests`,
    sql`insert into entry_personal values ('a', 'b', 1, 'c', 'd', '1')`,
  ]) {
    const refusal: unknown = await store.adminDb
      .transaction()
      .execute(async (trx) => {
        await sql`set local role countersign_eraser`.execute(trx);
        await change.execute(trx);
      })
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(isPrivilegeViolation(refusal) || isAppendOnlyViolation(refusal)).toBe(true);
  }
});

describe('migrating', () => {
  test('many processes at once bring one database to one schema', async () => {
    const { role } = roleOf(store.appUrl);
    const fresh = new URL(store.adminUrl);
    fresh.pathname = '/elsewhere';
    await sql`create database elsewhere`.execute(store.adminDb);
    const runs = await Promise.all(Array.from({ length: 6 }, () => migrate(fresh.href, { role })));
    expect(runs.filter((names) => names.length > 0)).toEqual([Object.keys(migrations)]);
    expect(await migrate(fresh.href, { role })).toEqual([]);
  });

  test('an owner that is no superuser can migrate, and is refused by the triggers as well', async () => {
    await sql`create role shopkeeper login createrole password 'keys'`.execute(store.adminDb);
    await sql`create database shop owner shopkeeper`.execute(store.adminDb);
    await sql`grant countersign_eraser to shopkeeper with admin option`.execute(store.adminDb);
    const url = new URL(store.adminUrl);
    Object.assign(url, { pathname: '/shop', username: 'shopkeeper', password: 'keys' });
    await migrate(url.href, { role: 'shop_app', password: 'p' });
    const db = openDatabase(url.href, { max: 1 });
    try {
      await writeRecord(db, store.keys, 'shop', 1);
      for (const change of CHANGES) await expect(statement('entries', change).execute(db)).rejects.toMatchObject({ code: 'CS001' });
    } finally {
      await db.destroy();
    }
  });

  test('one role for owner and application is refused, and so is a store that does not answer', async () => {
    await expect(migrate(store.adminUrl, roleOf(store.adminUrl))).rejects.toMatchObject({ code: 'bad_role' });
    await expect(migrate('postgresql://a:b@127.0.0.1:1/none', { role: 'x' })).rejects.toMatchObject({
      code: 'store_unreachable',
      message: expect.stringContaining('127.0.0.1:1/none'),
    });
    const client = new Client({ connectionString: store.appUrl });
    await client.connect();
    await client.end();
  });
});
