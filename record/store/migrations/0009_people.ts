/**
 * Where the people of a tenant come from, beside what was published: the file as it was last taken, calendars of duty as they were last
 * read, what an identity provider has sent, and absences that people set themselves. The directory that holds is composed of these and
 * published like any other; they are kept so that one of them can change without the others.
 * Promises: an id by which the record knows a person is never given to another; two users who are there share no name.
 */
import { sql, type Kysely, type Migration } from 'kysely';

const STATEMENTS = [
  `create table people_state (
     tenant text primary key, composed_hash text, next_at timestamptz, notes jsonb not null default '[]', role_prefix text not null default '')`,
  `create table people_sources (
     tenant text not null, kind text not null, name text not null, address text not null default '', text text, taken_at timestamptz, taken_by text not null,
     failed_at timestamptz, why text not null default '', next_at timestamptz, primary key (tenant, kind, name),
     constraint people_sources_kind check (kind in ('file', 'feed')))`,
  `create table absences (
     tenant text not null, person text not null, from_at timestamptz not null, to_at timestamptz not null, deputy text,
     set_by text not null, set_at timestamptz not null, cleared_at timestamptz, primary key (tenant, person),
     constraint absences_order check (from_at < to_at), constraint absences_deputy check (deputy <> person))`,
  `create table scim_tokens (
     token_hash text primary key, tenant text not null, created_at timestamptz not null, created_by text not null, revoked_at timestamptz)`,
  `create table scim_users (
     tenant text not null, id text not null, person text not null, user_name text, external_id text, name text not null default '', given_name text not null default '',
     family_name text not null default '', email text not null default '', is_active boolean not null, version integer not null,
     created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz, primary key (tenant, id),
     constraint scim_users_gone check (deleted_at is null or (user_name is null and external_id is null and not is_active)))`,
  `create unique index scim_users_person on scim_users (tenant, person)`,
  `create unique index scim_users_name on scim_users (tenant, lower(user_name)) where deleted_at is null`,
  `create table scim_groups (
     tenant text not null, id text not null, name text not null, external_id text, members jsonb not null default '[]', version integer not null,
     created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz, primary key (tenant, id))`,
  `create unique index scim_groups_name on scim_groups (tenant, lower(name)) where deleted_at is null`,
];

export const people: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};
