/**
 * The way into the store: PostgreSQL 15 or newer through Kysely.
 * Promises: what is read is plain JSON (see ./parsers), sessions keep UTC, and a connection that breaks, idle or in use, does not end the process.
 * What a statement that nobody waited for to its end would still do is undone: its connection is closed, and never used for anything else.
 * A statement that comes again is prepared, once for each connection: PostgreSQL reads and plans it no more.
 * What a process holds in the store that hangs or has gone, the store itself lets go, wherever it runs.
 */
import { Kysely, PostgresDialect, sql, type PostgresPool, type Transaction } from 'kysely';
import { DatabaseError, Pool, type PoolClient, type QueryResult } from 'pg';
import { RecordError } from '../errors';
import { parsers } from './parsers';
import type { Instant } from '../../domain/json';
import type { Tables } from './tables';

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

export interface DatabaseOptions {
  /** Connections at most. 10 unless told. */
  readonly max?: number;
  /** After so long without an answer a query fails, in milliseconds; none unless told. A store that hangs must not hang who asks. */
  readonly queryMs?: number;
  /** Seen in pg_stat_activity. */
  readonly name?: string;
  /** Told of connections that broke while idle; they are replaced. */
  readonly onError?: (error: Error) => void;
}

/** So long may a transaction be idle before the store ends its session, in milliseconds: a process that was stopped in one must not hold its locks. */
export const IDLE_MS = 60_000;
/** A statement that its caller has given up ends so much later in the store as well, in milliseconds. */
const GIVEN_UP_MS = 1_000;

/** Opens the store; connects at the first query. Close with `db.destroy()`. */
export function openDatabase(url: string, options: DatabaseOptions = {}): Db {
  const pool = new Pool({
    connectionString: url,
    max: options.max ?? 10,
    application_name: options.name ?? 'countersign',
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: IDLE_MS,
    ...(options.queryMs === undefined ? {} : { query_timeout: options.queryMs, statement_timeout: options.queryMs + GIVEN_UP_MS }),
    types: parsers,
  });
  // Without a listener the error of a connection would end the process: of an idle one, and of one that waits between two statements of a transaction.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded(pool) }) });
}

/**
 * A statement that was given up as late still runs, and the rollback behind it is never sent: back in the pool, its connection would carry
 * the open transaction into whatever comes next, which would commit it, or believe itself committed when it is not.
 */
function guarded(pool: Pool): PostgresPool {
  const prepared = createPrepared();
  return {
    async connect() {
      const client = await pool.connect();
      let broken: Error | null = null;
      const query = async (text: string, values: readonly unknown[]): Promise<QueryResult> => {
        if (broken) throw broken;
        const name = values.length > 0 ? prepared.nameOf(text) : undefined;
        try {
          return await client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) });
        } catch (error) {
          if (!isOfServer(error) || prepared.isStale(error)) broken = error instanceof Error ? error : new Error(String(error));
          throw error;
        }
      };
      return { query: query as PoolClient['query'], release: () => client.release(broken ?? undefined) };
    },
    end: () => pool.end(),
  };
}

/** Statements that are prepared at most: each connection keeps them all. Ours are some dozens; those whose length varies could be many. */
const PREPARED_MAX = 200;

/** `cached plan must not change result type`: the tables were changed by an upgrade since it was prepared. The next connection prepares it anew. */
const PLAN_CHANGED = '0A000';
/** A pooler between us and the store gives each transaction another session, which knows no statement of ours, or has one of the same name. */
const UNKNOWN_OR_TAKEN = ['26000', '42P05'];

/** Which statements are prepared, and under which name. */
function createPrepared() {
  const names = new Map<string, string>();
  const seen = new Set<string>();
  let off = false;
  return {
    /** From its second time on: what is asked once is not worth keeping. */
    nameOf(text: string): string | undefined {
      if (off) return undefined;
      const known = names.get(text);
      if (known !== undefined || names.size >= PREPARED_MAX) return known;
      if (!seen.delete(text)) {
        if (seen.size >= PREPARED_MAX) seen.clear();
        seen.add(text);
        return undefined;
      }
      const name = `countersign_${String(names.size + 1)}`;
      names.set(text, name);
      return name;
    },
    /** Whether a statement failed because it was prepared: its connection is given up. Behind a pooler nothing is prepared from then on. */
    isStale(error: unknown): boolean {
      const code = error instanceof DatabaseError ? error.code : undefined;
      if (code === undefined || names.size === 0) return false;
      if (UNKNOWN_OR_TAKEN.includes(code)) off = true;
      return code === PLAN_CHANGED || UNKNOWN_OR_TAKEN.includes(code);
    },
  };
}

/** What PostgreSQL itself refused has ended there: the connection is in order. */
const isOfServer = (error: unknown): boolean => error instanceof DatabaseError;

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
