/**
 * Brings a database to the schema that ./tables names, as its owner, and gives the application role exactly its privileges.
 * Promises: several processes may do so at once (one does, the others wait); each migration is one transaction; running it again does nothing.
 */
import { Kysely, Migrator, PostgresDialect, sql } from 'kysely';
import { Client, escapeIdentifier, escapeLiteral, Pool } from 'pg';
import { RecordError } from '../errors';
import { IDLE_MS } from './database';
import { migrations } from './migrations';
import { grants } from './privileges';

/** Held while migrating: any number, but always the same. */
const LOCK = 7_202_611_210;
const OLDEST = 150_000;

export interface AppRole {
  readonly role: string;
  /** Needed only where the role does not exist yet and is to be made. */
  readonly password?: string | undefined;
}

/** Migrates and answers with the names of the migrations that this call ran. */
export async function migrate(adminUrl: string, app: AppRole): Promise<readonly string[]> {
  const client = new Client({ connectionString: adminUrl, application_name: 'countersign-migrate', connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
  } catch (cause) {
    throw new RecordError('store_unreachable', `The store does not answer at ${hostOf(adminUrl)}; start it or correct DATABASE_ADMIN_URL`, null, { cause });
  }
  try {
    await refuseOldServers(client);
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    const done = await runMigrations(adminUrl);
    await ensureRoles(client, app);
    for (const statement of grants(app.role)) await client.query(statement);
    return done;
  } finally {
    await client.end();
  }
}

const hostOf = (url: string): string => {
  const { host, pathname } = new URL(url);
  return host + pathname;
};

async function refuseOldServers(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version_num') as version");
  if (Number(rows[0]?.version ?? 0) < OLDEST) throw new RecordError('store_too_old', 'The store is older than PostgreSQL 15; upgrade it');
}

async function runMigrations(adminUrl: string): Promise<readonly string[]> {
  const db = new Kysely<unknown>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: adminUrl, max: 1, idle_in_transaction_session_timeout: IDLE_MS }) }),
  });
  try {
    await refuseNewerStores(db);
    const { error, results } = await new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } }).migrateToLatest();
    if (error !== undefined) throw error instanceof Error ? error : new Error('The migration failed', { cause: error });
    return (results ?? []).map((result) => result.migrationName);
  } finally {
    await db.destroy();
  }
}

/** What a newer Countersign made of the store, this one cannot read, and never turns back. */
async function refuseNewerStores(db: Kysely<unknown>): Promise<void> {
  const { rows: tables } = await sql<{ there: boolean }>`select to_regclass('kysely_migration') is not null as there`.execute(db);
  if (!tables[0]?.there) return;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = rows.map((row) => row.name).filter((name) => !(name in migrations));
  if (unknown.length === 0) return;
  throw new RecordError(
    'store_too_new',
    `The store was brought to ${unknown.at(-1) ?? ''} by a newer Countersign, and this one knows nothing above ${Object.keys(migrations).at(-1) ?? ''}; ` +
      'start that version or a newer one, or restore a backup from before the upgrade',
  );
}

/** Roles belong to the whole cluster, so another database's migration may be making them too. */
async function ensureRoles(client: Client, app: AppRole): Promise<void> {
  const login = app.password === undefined ? 'login' : `login password ${escapeLiteral(app.password)}`;
  await ensureRole(client, app.role, login);
  await ensureRole(client, 'countersign_eraser', 'nologin');
  const { rows } = await client.query<{ same: boolean }>('select current_user = $1 as same', [app.role]);
  if (rows[0]?.same)
    throw new RecordError(
      'bad_role',
      `The role ${app.role} both owns the store and runs the application; give the application a role of its own in DATABASE_URL`,
    );
}

async function ensureRole(client: Client, role: string, attributes: string): Promise<void> {
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  if (rowCount !== 0) return;
  try {
    await client.query(`create role ${escapeIdentifier(role)} ${attributes}`);
  } catch (error) {
    const { rowCount: made } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
    if (made === 0) throw error;
  }
}
