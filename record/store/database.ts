/**
 * The way into the store: PostgreSQL 15 or newer through Kysely.
 * Promises: what is read is plain JSON (see ./parsers), sessions keep UTC, and an idle connection that breaks does not end the process.
 */
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely';
import { Pool } from 'pg';
import { RecordError } from '../errors';
import { parsers } from './parsers';
import type { Instant } from '../../domain/json';
import type { Tables } from './tables';

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

export interface DatabaseOptions {
  /** Connections at most. 10 unless told. */
  readonly max?: number;
  /** Seen in pg_stat_activity. */
  readonly name?: string;
  /** Told of connections that broke while idle; they are replaced. */
  readonly onError?: (error: Error) => void;
}

/** Opens the store; connects at the first query. Close with `db.destroy()`. */
export function openDatabase(url: string, options: DatabaseOptions = {}): Db {
  const pool = new Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.name ?? 'countersign',
    connectionTimeoutMillis: 10_000,
    types: parsers,
  });
  // Without a listener an idle connection's error would end the process.
  pool.on('error', (error) => options.onError?.(error));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/** The database's own reading of the time. */
export async function databaseTime(db: Db): Promise<Instant> {
  const { rows } = await sql<{ now: Instant }>`select clock_timestamp() as now`.execute(db);
  const now = rows[0]?.now;
  if (now === undefined) throw new RecordError('store_unreachable', 'The store did not tell the time');
  return now;
}

/** Role and password that a connection URL names. */
export function roleOf(url: string): { readonly role: string; readonly password: string | undefined } {
  const { username, password } = new URL(url);
  if (!username) throw new RecordError('bad_role', 'The store URL names no role; write postgresql://role:password@host/database');
  return { role: decodeURIComponent(username), password: password ? decodeURIComponent(password) : undefined };
}
