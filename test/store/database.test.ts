/**
 * A connection that breaks fails what runs on it, and nothing else: the process lives on, and the next statement gets a new connection.
 * What a process leaves behind in the store, the store ends.
 */
import { sql } from 'kysely';
import { openDatabase, type Db } from '../../record/store/database';
import { until } from '../support/processes';
import { useStore } from '../support/store';

const store = useStore();

it('a connection that breaks between two statements of a transaction fails the transaction, not the process', async () => {
  const uncaught: unknown[] = [];
  const hear = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtExceptionMonitor', hear);
  try {
    const broken = store.db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      const pid = rows[0]?.pid ?? 0;
      await sql`select pg_terminate_backend(${pid})`.execute(store.adminDb);
      const gone = async (): Promise<boolean> => (await sql`select 1 from pg_stat_activity where pid = ${pid}`.execute(store.adminDb)).rows.length === 0;
      while (!(await gone()));
      // What the server said last arrives while nothing runs on the connection.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await sql`select 1`.execute(trx);
    });
    await expect(broken).rejects.toThrow();
    expect((await sql<{ one: number }>`select 1 as one`.execute(store.db)).rows).toEqual([{ one: 1 }]);
    expect(uncaught).toEqual([]);
  } finally {
    process.off('uncaughtExceptionMonitor', hear);
  }
});

describe('a statement that the store does not answer in time', () => {
  const agents = async (): Promise<string[]> =>
    (await store.db.selectFrom('agents').select('agent').where('tenant', '=', 'late').orderBy('agent').execute()).map(({ agent }) => agent);
  const add = async (db: Db, agent: string): Promise<void> => {
    await db.insertInto('agents').values({ tenant: 'late', agent, owner: null, callback_hosts: '[]', callback_secrets: '[]' }).execute();
  };

  it('takes with it all that its transaction did, whatever its connection would be used for next', async () => {
    const db = openDatabase(store.appUrl, { name: 'impatient', max: 1, queryMs: 300 });
    try {
      await add(store.db, 'contended');
      await store.db.transaction().execute(async (holder) => {
        await holder.selectFrom('agents').select('agent').where('agent', '=', 'contended').forUpdate().execute();
        const failing = db.transaction().execute(async (trx) => {
          await add(trx, 'half');
          await trx.selectFrom('agents').select('agent').where('agent', '=', 'contended').forUpdate().execute();
        });
        await expect(failing).rejects.toThrow('timeout');
      });
      await db.transaction().execute(async (trx) => add(trx, 'whole'));
      await add(db, 'single');
      expect(await agents()).toEqual(['contended', 'single', 'whole']);
    } finally {
      await db.destroy();
    }
  });

  it('ends in the store as well, soon after nobody waits for it any more', async () => {
    const db = openDatabase(store.appUrl, { name: 'given-up', max: 1, queryMs: 300 });
    const runs = async (): Promise<boolean> =>
      (await sql`select 1 from pg_stat_activity where application_name = 'given-up' and state = 'active'`.execute(store.adminDb)).rows.length > 0;
    try {
      // Longer than this file may take.
      await expect(sql`select pg_sleep(3600)`.execute(db)).rejects.toThrow('timeout');
      await until(async () => !(await runs()), 'the statement has ended');
    } finally {
      await db.destroy();
    }
  });
});

describe('a process that hangs in the middle of a transaction', () => {
  it.each([
    ['that serves', { queryMs: 10_000 }, '11s'],
    ['that an operator runs, whose statements may take long', {}, '0'],
  ])('%s is not waited for: the store itself ends its session, wherever the store runs', async (_, options, statement) => {
    const db = openDatabase(store.appUrl, { name: 'limits', max: 1, ...options });
    try {
      const { rows } = await sql<{ idle: string; statement: string }>`
        select current_setting('idle_in_transaction_session_timeout') as idle, current_setting('statement_timeout') as statement`.execute(db);
      expect(rows).toEqual([{ idle: '1min', statement }]);
    } finally {
      await db.destroy();
    }
  });
});

describe('a statement that comes again', () => {
  let db: Db;
  beforeEach(() => {
    db = openDatabase(store.adminUrl, { name: 'again', max: 1 });
  });
  afterEach(async () => {
    await sql`drop table if exists again`.execute(store.adminDb);
    await db.destroy();
  });
  const read = (n: number) => sql<{ n: number }>`select * from again where n = ${n}`.execute(db);
  const prepared = async (): Promise<number> =>
    (await sql`select 1 from pg_prepared_statements where statement like 'select * from again%'`.execute(db)).rows.length;

  it('is prepared from its second time on, with the values of each time', async () => {
    await sql`create table again as select n from generate_series(1, 3) n`.execute(store.adminDb);
    const found = [await read(1), await prepared(), await read(2), await prepared(), await read(3), await prepared()];
    expect(found.map((each) => (typeof each === 'number' ? each : each.rows))).toEqual([[{ n: 1 }], 0, [{ n: 2 }], 1, [{ n: 3 }], 1]);
  });

  it('fails at most once on a connection that prepared it before an upgrade changed its table', async () => {
    await sql`create table again as select 1 as n`.execute(store.adminDb);
    for (let n = 0; n < 3; n += 1) await read(1);
    await sql`alter table again add column more integer default 7`.execute(store.adminDb);
    await expect(read(1)).rejects.toThrow('cached plan');
    expect((await read(1)).rows).toEqual([{ n: 1, more: 7 }]);
    expect(await prepared()).toBe(1);
  });

  it('is not prepared any more once a pooler in between has lost what was prepared', async () => {
    await sql`create table again as select 1 as n`.execute(store.adminDb);
    for (let n = 0; n < 3; n += 1) await read(1);
    // As when the pooler goes on with another session.
    await sql`deallocate all`.execute(db);
    await expect(read(1)).rejects.toThrow('does not exist');
    for (let n = 0; n < 3; n += 1) expect((await read(1)).rows).toEqual([{ n: 1 }]);
    expect(await prepared()).toBe(0);
  });
});
