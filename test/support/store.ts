/**
 * A real, migrated store for a test file: one PostgreSQL in a temporary directory, closed and removed at the end.
 * Fails the file when a test left connections open or transactions running.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { generateKeys, type Keys } from '../../record/keys';
import { openDatabase, roleOf, type Db } from '../../record/store/database';
import { migrate } from '../../record/store/migrate';
import { startStore, type Store } from '../../workers/store';

export interface TestStore {
  /** As the application. */
  readonly db: Db;
  /** As the owner of the database, a superuser. */
  readonly adminDb: Db;
  readonly appUrl: string;
  readonly adminUrl: string;
  readonly keys: Keys;
}

interface Open extends TestStore {
  readonly store: Store;
  readonly dir: string;
}

/** Outside Jest's hooks: for programs and for tests that need two stores. Close it. */
export async function openTestStore(): Promise<Open & { close(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-test-store-'));
  const store = await startStore({ dir, durable: false });
  const { appUrl, adminUrl } = store;
  await migrate(adminUrl, roleOf(appUrl));
  const open = {
    db: openDatabase(appUrl, { name: 'test-app' }),
    adminDb: openDatabase(adminUrl, { name: 'test-admin' }),
    appUrl,
    adminUrl,
    keys: generateKeys(),
    store,
    dir,
  };
  return { ...open, close: () => close(open) };
}

async function close(open: Open): Promise<void> {
  try {
    await Promise.all([open.db.destroy(), open.adminDb.destroy()]);
    await expectNoSessions(open.adminUrl);
  } finally {
    await open.store.stop();
    rmSync(open.store.dir, { recursive: true, force: true });
    rmSync(open.dir, { recursive: true, force: true });
  }
}

/** A session ends a moment after its client has gone, so a few are waited for. */
async function expectNoSessions(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    let left: string[] = [];
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const { rows } = await client.query<{ who: string }>(
        `select application_name || ': ' || coalesce(query, '') as who from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      left = rows.map((row) => row.who);
      if (left.length === 0) return;
      await client.query('select pg_sleep(0.1)');
    }
    throw new Error(`Connections to the store were left open:\n${left.join('\n')}`);
  } finally {
    await client.end();
  }
}

/** For the whole file: read its members inside tests and hooks only. */
export function useStore(): TestStore {
  let open: Awaited<ReturnType<typeof openTestStore>> | undefined;
  const ready = (): Open => {
    if (!open) throw new Error('The test store is read before it is open: use it inside a test or a hook');
    return open;
  };
  beforeAll(async () => {
    open = await openTestStore();
  });
  afterAll(async () => {
    await open?.close();
  });
  return {
    get db() {
      return ready().db;
    },
    get adminDb() {
      return ready().adminDb;
    },
    get appUrl() {
      return ready().appUrl;
    },
    get adminUrl() {
      return ready().adminUrl;
    },
    get keys() {
      return ready().keys;
    },
  };
}
