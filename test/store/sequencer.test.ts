import { sql } from 'kysely';
import { makeEntry, NO_HEAD, type Head } from '../../record/entry';
import { generateKeys } from '../../record/keys';
import { openDatabase, type Db } from '../../record/store/database';
import { append } from '../../record/store/entries';
import { exportTenant, verifyStore } from '../../record/store/export';
import { sequence } from '../../record/store/sequencer';
import { merkleRoot } from '../../record/tree';
import { until } from '../support/processes';
import { AT } from '../support/record';
import { useStore } from '../support/store';

const store = useStore();
const nudge = (why: string) => ({ event: { type: 'engine', what: 'nudged', why } as const, commandId: null });

async function write(tenant: string, approvalId: string, times: number): Promise<void> {
  let head: Head = NO_HEAD;
  for (let n = 0; n < times; n += 1)
    ({ head } = await append(store.db, { tenant, approvalId, head, at: AT, items: [nudge(String(n))], context: {}, record: store.keys.record }));
}

test('sequencers and writers at once give one order without gaps, each approval in its own', async () => {
  const writers = Array.from({ length: 12 }, (_, n) => write('busy', `approval-${String(n)}`, 8));
  const sequencers = Array.from({ length: 12 }, () => sequence(store.db, store.keys, AT, 'busy'));
  await Promise.all([...writers, ...sequencers]);
  await sequence(store.db, store.keys, AT, 'busy');
  const { log, checkpoints } = await exportTenant(store.db, 'busy');
  expect(log.map((l) => l.position)).toEqual(Array.from({ length: 96 }, (_, n) => n));
  for (let n = 0; n < 12; n += 1) expect(log.filter((l) => l.approvalId === `approval-${String(n)}`).map((l) => l.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(checkpoints.at(-1)).toMatchObject({ size: 96, root: merkleRoot(log.map((l) => l.leaf)) });
  expect(await verifyStore(store.db, store.keys.trusted, 'busy')).toMatchObject({ ok: true, unplaced: 0, size: 96 });
});

test('a backlog longer than one batch is placed whole', async () => {
  const items = Array.from({ length: 1100 }, (_, n) => nudge(String(n)));
  await append(store.db, { tenant: 'long', approvalId: 'a', head: NO_HEAD, at: AT, items, context: {}, record: store.keys.record });
  expect(await sequence(store.db, store.keys, AT, 'long')).toEqual([{ tenant: 'long', added: 1100, size: 1100, refused: [] }]);
  expect(await sequence(store.db, store.keys, AT, 'long')).toEqual([{ tenant: 'long', added: 0, size: 1100, refused: [] }]);
});

test('each tenant has an order of its own', async () => {
  await write('one', 'a', 2);
  await write('two', 'a', 3);
  const done = await sequence(store.db, store.keys, AT);
  expect(done.filter(({ tenant }) => ['one', 'two'].includes(tenant))).toEqual([
    { tenant: 'one', added: 2, size: 2, refused: [] },
    { tenant: 'two', added: 3, size: 3, refused: [] },
  ]);
});

test('an entry that bears no valid seal gets no place, and the others go on', async () => {
  const thief = generateKeys().record;
  const { entry: e } = makeEntry(
    { tenant: 'thief', approvalId: 'forged', head: NO_HEAD, at: AT, event: nudge('forged').event, commandId: null, context: {} },
    thief,
    (n) => new Uint8Array(n),
  );
  await store.db
    .insertInto('entries')
    .values({
      tenant: 'thief',
      approval_id: 'forged',
      seq: 1,
      type: e.type,
      at: AT,
      command_id: null,
      fields: JSON.stringify(e.fields),
      personal: '{}',
      prev: e.prev,
      leaf: e.leaf,
      seal: e.seal,
      key_id: e.keyId,
    })
    .execute();
  await write('thief', 'honest', 3);
  const [done] = await sequence(store.db, store.keys, AT, 'thief');
  expect(done).toMatchObject({ added: 3, size: 3, refused: [{ approvalId: 'forged', seq: 1, why: expect.stringContaining('not trusted') }] });
  expect((await verifyStore(store.db, store.keys.trusted, 'thief')).findings).toMatchObject([{ code: 'entry_forged', approvalId: 'forged', seq: 1 }]);
});

/** Rows of the record and its queue that the statements of `work` look at, by the database's own count. On one connection, whose counts are its own to send. */
async function rowsVisited(work: (db: Db) => Promise<unknown>): Promise<number> {
  const db = openDatabase(store.appUrl, { max: 1 });
  const visited = async (): Promise<number> => {
    await sql`select pg_stat_force_next_flush()`.execute(db);
    await sql`select pg_stat_clear_snapshot()`.execute(db);
    const { rows } = await sql<{ n: number }>`
      select (select sum(seq_tup_read) from pg_stat_user_tables where relname in ('entries', 'log', 'unplaced', 'checkpoints'))
        + (select sum(idx_tup_read) from pg_stat_user_indexes where relname in ('entries', 'log', 'unplaced', 'checkpoints')) as n`.execute(db);
    return rows[0]?.n ?? Number.NaN;
  };
  try {
    const before = await visited();
    await work(db);
    return (await visited()) - before;
  } finally {
    await db.destroy();
  }
}

test('what a round looks at follows what is new, and not what is on the record', async () => {
  const round = async (): Promise<number> => {
    await write('new', `approval-${String(Math.random())}`, 5);
    return await rowsVisited((db) => sequence(db, store.keys, AT));
  };
  // What other tests left without a place is looked at each time, and is no part of this.
  await sql`analyze`.execute(store.adminDb);
  await round();
  const few = await round();
  const items = Array.from({ length: 4_000 }, (_, n) => nudge(String(n)));
  await append(store.db, { tenant: 'new', approvalId: 'old', head: NO_HEAD, at: AT, items, context: {}, record: store.keys.record });
  await sequence(store.db, store.keys, AT, 'new');
  await sql`analyze`.execute(store.adminDb);
  // What was placed stays in the index until nobody else's older transaction could still see it.
  let many = Infinity;
  await until(
    async () => {
      await sql`vacuum unplaced`.execute(store.adminDb);
      many = await round();
      return many < few + 100;
    },
    `a round looks at no more than before: ${String(few)}`,
  );
  const { count } = await store.db
    .selectFrom('entries')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  expect(count).toBeGreaterThan(4_000);
  expect(few).toBeGreaterThan(0);
  expect(many).toBeLessThan(few + 100);
});

test('an entry that got its place from a sequencer of an older release, which knows no queue, is not placed again', async () => {
  await write('beside', 'a', 2);
  await sequence(store.db, store.keys, AT, 'beside');
  await store.adminDb.transaction().execute(async (trx) => {
    await sql`insert into unplaced select tenant, approval_id, seq, id from entries where tenant = 'beside'`.execute(trx);
  });
  await write('beside', 'b', 1);
  expect(await sequence(store.db, store.keys, AT, 'beside')).toEqual([{ tenant: 'beside', added: 1, size: 3, refused: [] }]);
  expect(await store.db.selectFrom('unplaced').selectAll().where('tenant', '=', 'beside').execute()).toEqual([]);
  expect(await verifyStore(store.db, store.keys.trusted, 'beside')).toMatchObject({ ok: true, unplaced: 0, size: 3 });
});

test('a log whose last checkpoint was changed is not built upon', async () => {
  await write('broken', 'a', 3);
  await sequence(store.db, store.keys, AT, 'broken');
  await store.adminDb.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    await sql`update checkpoints set range = '["00"]' where tenant = 'broken'`.execute(trx);
  });
  await write('broken', 'b', 1);
  await expect(sequence(store.db, store.keys, AT, 'broken')).rejects.toMatchObject({ code: 'bad_proof', message: expect.stringContaining('record verify') });
});

test('a log that is not built upon holds up no other tenant', async () => {
  await write('sound', 'a', 2);
  await expect(sequence(store.db, store.keys, AT)).rejects.toMatchObject({ code: 'bad_proof', message: expect.stringContaining('log of broken') });
  expect(await verifyStore(store.db, store.keys.trusted, 'sound')).toMatchObject({ ok: true, unplaced: 0, size: 2 });
});
