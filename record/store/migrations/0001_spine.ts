/**
 * The tables, their keys and the indexes of the lists. Instants are kept to the millisecond, which is what entries commit to.
 */
import { sql, type Kysely, type Migration } from 'kysely';

const SCHEMA = [
  `create table policies (
     tenant text not null, hash text not null, name text not null, version text not null, files jsonb not null,
     published_at timestamptz(3) not null, published_by text not null, primary key (tenant, hash))`,
  `create table directories (
     tenant text not null, hash text not null, text text not null,
     published_at timestamptz(3) not null, published_by text not null, primary key (tenant, hash))`,
  `create table active (tenant text primary key, policy_hash text, directory_hash text)`,

  `create table agents (
     tenant text not null, agent text not null, owner text, callback_hosts jsonb not null default '[]', callback_secrets jsonb not null default '[]',
     primary key (tenant, agent))`,
  `create table agent_keys (
     key_hash text primary key check (key_hash ~ '^[0-9a-f]{64}$'), tenant text not null, agent text not null,
     created_at timestamptz(3) not null, revoked_at timestamptz(3), foreign key (tenant, agent) references agents)`,

  `create table requests (
     tenant text not null, approval_id text not null, agent text not null, idempotency_key text not null, body_digest text not null,
     body jsonb not null, plan jsonb not null, packet jsonb not null, packet_digest text not null, action_digest text not null,
     created_at timestamptz(3) not null, primary key (tenant, approval_id),
     constraint requests_once unique (tenant, agent, idempotency_key))`,

  `create table approvals (
     tenant text not null, approval_id text not null, head integer not null, head_hash text not null, adopted integer not null default 0,
     state text not null, lane text not null, owner text, level text not null, due_at timestamptz(3), wake_at timestamptz(3), result jsonb,
     summary text not null, agent text not null, tier text not null, created_at timestamptz(3) not null, updated_at timestamptz(3) not null,
     needs_workflow boolean not null, workflow_started_at timestamptz(3), primary key (tenant, approval_id))`,
  `create index approvals_newest on approvals (tenant, created_at desc, approval_id desc)`,
  `create index approvals_by_state on approvals (tenant, state, created_at desc, approval_id desc)`,
  `create index approvals_open_by_lane on approvals (tenant, lane, due_at) where result is null`,
  `create index approvals_open_by_owner on approvals (tenant, owner, due_at) where result is null`,
  `create index approvals_open_by_due on approvals (due_at) where result is null`,
  `create index approvals_open_by_wake on approvals (wake_at) where result is null`,
  `create index approvals_without_workflow on approvals (created_at) where needs_workflow and workflow_started_at is null`,
  `create index approvals_ahead on approvals (updated_at) where needs_workflow and adopted < head`,

  `create table entries (
     tenant text not null, approval_id text not null, seq integer not null check (seq > 0), type text not null, at timestamptz(3) not null,
     command_id text, fields jsonb not null, personal jsonb not null,
     prev text not null check (prev ~ '^[0-9a-f]{64}$'), leaf text not null check (leaf ~ '^[0-9a-f]{64}$'), seal text not null, key_id text not null,
     id bigint generated always as identity, primary key (tenant, approval_id, seq))`,
  `create unique index entries_once_per_command on entries (tenant, approval_id, command_id) where command_id is not null`,
  `create unique index entries_by_id on entries (id)`,
  `create table entry_personal (
     tenant text not null, approval_id text not null, seq integer not null, name text not null, salt text not null, value jsonb not null,
     primary key (tenant, approval_id, seq, name))`,
  `create table log (
     tenant text not null, position bigint not null check (position >= 0), approval_id text not null, seq integer not null, leaf text not null,
     seal text not null, key_id text not null, primary key (tenant, position), unique (tenant, approval_id, seq))`,
  `create table checkpoints (
     tenant text not null, size bigint not null check (size > 0), root text not null, note text not null, at timestamptz(3) not null,
     previous bigint not null, range jsonb not null, seal text not null, key_id text not null, primary key (tenant, size))`,

  `create table commands (
     tenant text not null, command_id text not null, approval_id text not null, person text not null, body jsonb not null,
     signature text not null, key_id text not null, created_at timestamptz(3) not null, primary key (tenant, command_id))`,
  `create index commands_by_approval on commands (tenant, approval_id, created_at)`,
  `create table answers (
     tenant text not null, command_id text not null, approval_id text not null, answer jsonb not null, at timestamptz(3) not null,
     primary key (tenant, approval_id, command_id))`,

  `create table deliveries (
     tenant text not null, approval_id text not null, owed_id text not null, kind text not null, target text not null, status text not null,
     attempts integer not null default 0, last_detail text not null default '', next_at timestamptz(3),
     created_at timestamptz(3) not null, updated_at timestamptz(3) not null, primary key (tenant, approval_id, owed_id))`,
  `create index deliveries_by_status on deliveries (tenant, status, updated_at desc)`,
  `create index deliveries_unfinished on deliveries (next_at) where status not in ('done', 'failed_for_good')`,
  `create table tickets (
     tenant text not null, ticket_id text not null, approval_id text not null, owed_id text not null, queue text not null, owner text not null,
     title text not null, state text not null, created_at timestamptz(3) not null, primary key (tenant, ticket_id),
     constraint tickets_once unique (tenant, approval_id, owed_id))`,
  `create index tickets_by_queue on tickets (tenant, queue, state, created_at)`,
];

export const spine: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of SCHEMA) await sql.raw(statement).execute(db);
  },
};
