/**
 * What an identity provider has sent: users, groups, and the tokens it shows. Plain rows; what they mean is said in client/api/scim and
 * activities/people.
 * Promises: a token is told once and kept as its SHA-256 (it has 256 random bits, so a slow hash would add nothing); of a user who is
 * deleted only the id stays that the record knows, so that nobody else gets it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Instant } from '../../domain/json';
import type { Db, Trx } from './database';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** One more token for a tenant's identity provider, shown this once. */
export async function issueScimToken(
  db: Db | Trx,
  { tenant, at, by }: { readonly tenant: string; readonly at: Instant; readonly by: string },
): Promise<string> {
  const token = `csi_${randomBytes(32).toString('base64url')}`;
  await db
    .insertInto('scim_tokens')
    .values({ token_hash: hashOf(token), tenant, created_at: at, created_by: by, revoked_at: null })
    .execute();
  return token;
}

/** From now on the token opens nothing; whether there was such a token. */
export async function revokeScimToken(db: Db | Trx, token: string, at: Instant): Promise<boolean> {
  const done = await db
    .updateTable('scim_tokens')
    .set({ revoked_at: at })
    .where('token_hash', '=', hashOf(token))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}

/** Whose identity provider shows it; null where it is unknown or revoked. */
export async function tenantOfScimToken(db: Db, token: string): Promise<string | null> {
  const row = await db.selectFrom('scim_tokens').select('tenant').where('token_hash', '=', hashOf(token)).where('revoked_at', 'is', null).executeTakeFirst();
  return row?.tenant ?? null;
}

interface Kept {
  readonly id: string;
  readonly version: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** What a provider says of a user. */
export interface UserFields {
  readonly userName: string;
  readonly externalId: string | null;
  readonly name: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
  readonly isActive: boolean;
}

export interface ScimUser extends UserFields, Kept {
  /** By which Countersign knows them, for ever. */
  readonly person: string;
}

export interface GroupFields {
  readonly name: string;
  readonly externalId: string | null;
  /** Ids of users. */
  readonly members: readonly string[];
}

export interface ScimGroup extends GroupFields, Kept {}

const USER = [
  'id',
  'person',
  'user_name as userName',
  'external_id as externalId',
  'name',
  'given_name as givenName',
  'family_name as familyName',
  'email',
  'is_active as isActive',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
] as const;
const GROUP = ['id', 'name', 'external_id as externalId', 'members', 'version', 'created_at as createdAt', 'updated_at as updatedAt'] as const;

/** What a list is asked for: all of it has to be so. Texts are compared as data, whatever is in them. */
export interface Wanted {
  readonly id?: string;
  /** Of users `userName`, of groups `displayName`: without regard to case. */
  readonly name?: string;
  /** Of users: `displayName`. */
  readonly display?: string;
  readonly externalId?: string;
  readonly email?: string;
  readonly isActive?: boolean;
  /** Groups that this user is in. */
  readonly member?: string;
}

interface Window {
  readonly skip: number;
  readonly take: number;
}

interface Found<T> {
  readonly total: number;
  readonly items: readonly T[];
}

const userQuery = (db: Db | Trx, tenant: string, { id, name, display, externalId, email, isActive }: Wanted) =>
  db
    .selectFrom('scim_users')
    .where('tenant', '=', tenant)
    .where('deleted_at', 'is', null)
    .$if(id !== undefined, (q) => q.where('id', '=', id ?? ''))
    .$if(name !== undefined, (q) => q.where(sql<boolean>`lower(user_name) = lower(${name ?? ''})`))
    .$if(display !== undefined, (q) => q.where(sql<boolean>`lower(name) = lower(${display ?? ''})`))
    .$if(externalId !== undefined, (q) => q.where('external_id', '=', externalId ?? ''))
    .$if(email !== undefined, (q) => q.where(sql<boolean>`lower(email) = lower(${email ?? ''})`))
    .$if(isActive !== undefined, (q) => q.where('is_active', '=', isActive ?? false));

const groupQuery = (db: Db | Trx, tenant: string, { id, name, externalId, member }: Wanted) =>
  db
    .selectFrom('scim_groups')
    .where('tenant', '=', tenant)
    .where('deleted_at', 'is', null)
    .$if(id !== undefined, (q) => q.where('id', '=', id ?? ''))
    .$if(name !== undefined, (q) => q.where(sql<boolean>`lower(name) = lower(${name ?? ''})`))
    .$if(externalId !== undefined, (q) => q.where('external_id', '=', externalId ?? ''))
    .$if(member !== undefined, (q) => q.where(sql<boolean>`members @> ${JSON.stringify([member ?? ''])}::jsonb`));

const named = ({ userName, ...row }: Omit<ScimUser, 'userName'> & { readonly userName: string | null }): ScimUser => ({ ...row, userName: userName ?? '' });

export async function findUsers(db: Db | Trx, tenant: string, wanted: Wanted, { skip, take }: Window): Promise<Found<ScimUser>> {
  const query = userQuery(db, tenant, wanted);
  const { total } = await query.select(({ fn }) => fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  const rows = await query.select(USER).orderBy('created_at').orderBy('id').offset(skip).limit(take).execute();
  return { total: Number(total), items: rows.map(named) };
}

export async function findGroups(db: Db | Trx, tenant: string, wanted: Wanted, { skip, take }: Window): Promise<Found<ScimGroup>> {
  const query = groupQuery(db, tenant, wanted);
  const { total } = await query.select(({ fn }) => fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  const items = await query.select(GROUP).orderBy('created_at').orderBy('id').offset(skip).limit(take).execute();
  return { total: Number(total), items };
}

/** Everyone who is not deleted, and every group. */
export async function providedBy(db: Db | Trx, tenant: string): Promise<{ readonly users: readonly ScimUser[]; readonly groups: readonly ScimGroup[] }> {
  const users = await userQuery(db, tenant, {}).select(USER).orderBy('person').execute();
  const groups = await groupQuery(db, tenant, {}).select(GROUP).orderBy('name').execute();
  return { users: users.map(named), groups };
}

/** Ids that were given to users, those of the deleted too. */
export async function personsEver(db: Db | Trx, tenant: string): Promise<ReadonlyMap<string, { readonly isDeleted: boolean }>> {
  const rows = await db.selectFrom('scim_users').select(['person', 'deleted_at']).where('tenant', '=', tenant).execute();
  return new Map(rows.map((row) => [row.person, { isDeleted: row.deleted_at !== null }]));
}

const userColumns = ({ userName, externalId, name, givenName, familyName, email, isActive }: UserFields) => ({
  user_name: userName,
  external_id: externalId,
  name,
  given_name: givenName,
  family_name: familyName,
  email,
  is_active: isActive,
});

export async function addUser(
  trx: Trx,
  tenant: string,
  { id, person, at, ...fields }: UserFields & { id: string; person: string; at: Instant },
): Promise<void> {
  await trx
    .insertInto('scim_users')
    .values({ tenant, id, person, ...userColumns(fields), version: 1, created_at: at, updated_at: at, deleted_at: null })
    .execute();
}

export async function changeUser(trx: Trx, tenant: string, id: string, fields: UserFields, at: Instant): Promise<void> {
  await trx
    .updateTable('scim_users')
    .set(({ eb }) => ({ ...userColumns(fields), version: eb('version', '+', 1), updated_at: at }))
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .execute();
}

export async function deleteUser(trx: Trx, tenant: string, id: string, at: Instant): Promise<void> {
  await trx
    .updateTable('scim_users')
    .set({
      user_name: null,
      external_id: null,
      name: '',
      given_name: '',
      family_name: '',
      email: '',
      is_active: false,
      deleted_at: at,
      updated_at: at,
    })
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .execute();
  // Nobody is a member who is not there: whoever comes later comes with an id of their own.
  await trx
    .updateTable('scim_groups')
    .set(({ eb }) => ({ members: sql`members - ${id}::text`, version: eb('version', '+', 1), updated_at: at }))
    .where('tenant', '=', tenant)
    .where(sql<boolean>`members @> ${JSON.stringify([id])}::jsonb`)
    .execute();
}

const groupColumns = ({ name, externalId, members }: GroupFields) => ({ name, external_id: externalId, members: JSON.stringify(members) });

export async function addGroup(trx: Trx, tenant: string, { id, at, ...fields }: GroupFields & { id: string; at: Instant }): Promise<void> {
  await trx
    .insertInto('scim_groups')
    .values({ tenant, id, ...groupColumns(fields), version: 1, created_at: at, updated_at: at, deleted_at: null })
    .execute();
}

export async function changeGroup(trx: Trx, tenant: string, id: string, fields: GroupFields, at: Instant): Promise<void> {
  await trx
    .updateTable('scim_groups')
    .set(({ eb }) => ({ ...groupColumns(fields), version: eb('version', '+', 1), updated_at: at }))
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .execute();
}

export async function deleteGroup(trx: Trx, tenant: string, id: string, at: Instant): Promise<void> {
  await trx
    .updateTable('scim_groups')
    .set({ name: '', external_id: null, members: '[]', deleted_at: at, updated_at: at })
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .execute();
}
