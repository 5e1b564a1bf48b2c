/**
 * Where the people of a tenant come from: the file as last taken, calendars as last read, absences that people set, and what was composed
 * of them. What an identity provider sends is in ./scim.
 * Promises: who changes one of them holds the tenant's lock until its transaction has ended, so that of two changes at once the second
 * sees the first.
 */
import { sql } from 'kysely';
import type { Instant } from '../../domain/json';
import type { Db, Trx } from './database';

/** Taken first, before any other lock of the tenant. */
export async function lockPeople(trx: Trx, tenant: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`people\n${tenant}`}, 0))`.execute(trx);
}

interface PeopleState {
  /** What the last composition published; null before the first. */
  readonly composedHash: string | null;
  /** When duty changes next; null: not by time. */
  readonly nextAt: Instant | null;
  /** What was left out of the last composition, and why, in sentences. */
  readonly notes: readonly string[];
  /** Groups of the identity provider whose names begin so are roles. */
  readonly rolePrefix: string;
}

const NEW: PeopleState = { composedHash: null, nextAt: null, notes: [], rolePrefix: '' };

export async function peopleState(db: Db | Trx, tenant: string): Promise<PeopleState> {
  const row = await db
    .selectFrom('people_state')
    .select(['composed_hash as composedHash', 'next_at as nextAt', 'notes', 'role_prefix as rolePrefix'])
    .where('tenant', '=', tenant)
    .executeTakeFirst();
  return row ?? NEW;
}

export async function savePeopleState(trx: Trx, tenant: string, { composedHash, nextAt, notes, rolePrefix }: PeopleState): Promise<void> {
  const state = { composed_hash: composedHash, next_at: nextAt, notes: JSON.stringify(notes), role_prefix: rolePrefix };
  await trx
    .insertInto('people_state')
    .values({ tenant, ...state })
    .onConflict((c) => c.column('tenant').doUpdateSet(state))
    .execute();
}

/** Tenants whose directory is to be composed anew: duty changes by now, or somebody published another one than was composed. */
export async function tenantsToCompose(db: Db, now: Instant): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('active as a')
    .leftJoin('people_state as s', 's.tenant', 'a.tenant')
    .select('a.tenant')
    .where('a.directory_hash', 'is not', null)
    .where((eb) => eb.or([eb('s.next_at', '<=', now), sql<boolean>`s.composed_hash is distinct from a.directory_hash`]))
    .orderBy('a.tenant')
    .execute();
  return rows.map((row) => row.tenant);
}

interface Source {
  /** Null: nothing was ever read. */
  readonly text: string | null;
  readonly address: string;
  readonly takenAt: Instant | null;
  readonly takenBy: string;
  /** Since then it could not be taken anew. */
  readonly failedAt: Instant | null;
  readonly why: string;
}

const SOURCE = ['text', 'address', 'taken_at as takenAt', 'taken_by as takenBy', 'failed_at as failedAt', 'why'] as const;

/** The directory's file as it was last taken. */
export async function fileOf(db: Db | Trx, tenant: string): Promise<Source | null> {
  const row = await db.selectFrom('people_sources').select(SOURCE).where('tenant', '=', tenant).where('kind', '=', 'file').executeTakeFirst();
  return row ?? null;
}

/** Calendars of duty by role. */
export async function feedsOf(db: Db | Trx, tenant: string): Promise<ReadonlyMap<string, Source & { readonly nextAt: Instant | null }>> {
  const rows = await db
    .selectFrom('people_sources')
    .select([...SOURCE, 'name', 'next_at as nextAt'])
    .where('tenant', '=', tenant)
    .where('kind', '=', 'feed')
    .execute();
  return new Map(rows.map(({ name, ...row }) => [name, row]));
}

interface Taken {
  readonly tenant: string;
  readonly kind: 'file' | 'feed';
  /** Of a calendar: its role. */
  readonly name?: string;
  readonly address?: string;
  readonly text: string;
  readonly at: Instant;
  readonly by: string;
}

/** What was read holds from now on, and what was wrong before is forgotten. */
export async function saveSource(trx: Trx, { tenant, kind, name = '', address = '', text, at, by }: Taken): Promise<void> {
  const taken = { address, text, taken_at: at, taken_by: by, failed_at: null, why: '' };
  await trx
    .insertInto('people_sources')
    .values({ tenant, kind, name, next_at: null, ...taken })
    .onConflict((c) => c.columns(['tenant', 'kind', 'name']).doUpdateSet(taken))
    .execute();
}

/** What was there before holds on, and is shown with why. */
export async function saveFailure(
  db: Db | Trx,
  { tenant, kind, name = '', address = '', at, by, why }: Omit<Taken, 'text'> & { readonly why: string },
): Promise<void> {
  await db
    .insertInto('people_sources')
    .values({ tenant, kind, name, address, text: null, taken_at: null, taken_by: by, failed_at: at, why, next_at: null })
    .onConflict((c) => c.columns(['tenant', 'kind', 'name']).doUpdateSet({ failed_at: at, why }))
    .execute();
}

/** Whether it falls to the caller to read this calendar now: of several processes one reads it, and then none before `until`. */
export async function claimFeed(
  db: Db,
  {
    tenant,
    role,
    address,
    now,
    until,
  }: { readonly tenant: string; readonly role: string; readonly address: string; readonly now: Instant; readonly until: Instant },
): Promise<boolean> {
  const fresh = { tenant, kind: 'feed' as const, name: role, address, text: null, taken_at: null, taken_by: '', failed_at: null, why: '', next_at: until };
  const { address: _address, tenant: _tenant, kind: _kind, name: _name, ...anew } = fresh;
  const done = await db
    .insertInto('people_sources')
    .values(fresh)
    // Another address is another calendar: what was read at the one before says nothing of it.
    .onConflict((c) =>
      c
        .columns(['tenant', 'kind', 'name'])
        .doUpdateSet({ ...anew, address })
        .where('people_sources.address', '<>', address),
    )
    .executeTakeFirst();
  if ((done.numInsertedOrUpdatedRows ?? 0n) > 0n) return true;
  const due = await db
    .updateTable('people_sources')
    .set({ next_at: until })
    .where('tenant', '=', tenant)
    .where('kind', '=', 'feed')
    .where('name', '=', role)
    .where((eb) => eb.or([eb('next_at', 'is', null), eb('next_at', '<=', now)]))
    .executeTakeFirst();
  return due.numUpdatedRows > 0n;
}

export interface SetAbsence {
  readonly person: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly deputy: string | null;
  readonly setBy: string;
  readonly setAt: Instant;
}

const absenceQuery = (db: Db | Trx, tenant: string, now: Instant) =>
  db
    .selectFrom('absences')
    .select(['person', 'from_at as from', 'to_at as to', 'deputy', 'set_by as setBy', 'set_at as setAt'])
    .where('tenant', '=', tenant)
    .where('cleared_at', 'is', null)
    .where('to_at', '>', now)
    .orderBy('person');

/** Absences that were set and are not over. */
export const absencesOf = (db: Db | Trx, tenant: string, now: Instant): Promise<SetAbsence[]> => absenceQuery(db, tenant, now).execute();

export async function absenceOf(db: Db | Trx, tenant: string, person: string, now: Instant): Promise<SetAbsence | null> {
  return (await absenceQuery(db, tenant, now).where('person', '=', person).executeTakeFirst()) ?? null;
}

/** In place of the one that was set before. */
export async function saveAbsence(trx: Trx, tenant: string, { person, from, to, deputy, setBy, setAt }: SetAbsence): Promise<void> {
  const set = { from_at: from, to_at: to, deputy, set_by: setBy, set_at: setAt, cleared_at: null };
  await trx
    .insertInto('absences')
    .values({ tenant, person, ...set })
    .onConflict((c) => c.columns(['tenant', 'person']).doUpdateSet(set))
    .execute();
}

/** Whether there was one. */
export async function clearAbsence(trx: Trx, tenant: string, person: string, at: Instant, by: string): Promise<boolean> {
  const done = await trx
    .updateTable('absences')
    .set({ cleared_at: at, set_by: by })
    .where('tenant', '=', tenant)
    .where('person', '=', person)
    .where('cleared_at', 'is', null)
    .where('to_at', '>', at)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}
