/**
 * The store's tables as Kysely sees them. PostgreSQL >= 15. Migrations in ./migrations make them so.
 * Drivers differ: a bigint arrives as a string and is made a number at the edge (./database.ts sets the parser);
 * jsonb arrives parsed; timestamptz arrives as an ISO string with milliseconds (parser set there too).
 * Must not import anything but types.
 */
import type { ColumnType, Generated } from 'kysely';
import type { Reached } from '../../domain/events';
import type { Json, JsonObject, Instant } from '../../domain/json';
import type { Channel } from '../../domain/plan';

/** jsonb: written as text (JSON.stringify), read as parsed JSON. */
type Jsonb<T> = ColumnType<T, string, string>;
/** Written once. */
type Once<T> = ColumnType<T, T, never>;
type Time = ColumnType<Instant, Instant, Instant>;

export interface Tables {
  /** Published policies by content hash. Append-only. */
  policies: {
    tenant: Once<string>;
    hash: Once<string>;
    name: Once<string>;
    version: Once<string>;
    files: Jsonb<readonly { path: string; text: string }[]>;
    published_at: Time;
    published_by: Once<string>;
  };
  /** Published directories by content hash. Append-only. */
  directories: { tenant: Once<string>; hash: Once<string>; text: Once<string>; published_at: Time; published_by: Once<string> };
  /** Which policy and directory hold now. One row per tenant. */
  active: { tenant: Once<string>; policy_hash: string | null; directory_hash: string | null };

  agents: {
    tenant: Once<string>;
    agent: Once<string>;
    owner: string | null;
    callback_hosts: Jsonb<readonly string[]>;
    callback_secrets: Jsonb<readonly string[]>;
  };
  /** Keys of agents: SHA-256 of the key, hex. */
  agent_keys: { key_hash: Once<string>; tenant: Once<string>; agent: Once<string>; created_at: Time; revoked_at: Time | null };

  /** What was asked and what the policy said. Written once, by submit. */
  requests: {
    tenant: Once<string>;
    approval_id: Once<string>;
    agent: Once<string>;
    idempotency_key: Once<string>;
    body_digest: Once<string>;
    body: Jsonb<JsonObject>;
    plan: Jsonb<JsonObject>;
    packet: Jsonb<JsonObject>;
    packet_digest: Once<string>;
    action_digest: Once<string>;
    created_at: Time;
  };

  /** The projection of each approval: what lists show, and the row that a commit locks. */
  approvals: {
    tenant: Once<string>;
    approval_id: Once<string>;
    head: number;
    head_hash: string;
    adopted: number;
    state: string;
    lane: string;
    owner: string | null;
    /** Of the sign-offs that are open side by side; empty where there is one at most. */
    lanes: ColumnType<readonly string[], string | undefined, string>;
    owners: ColumnType<readonly string[], string | undefined, string>;
    level: string;
    due_at: Instant | null;
    wake_at: Instant | null;
    /** ApprovalResult once ended, with the decision token. */
    result: ColumnType<JsonObject | null, string | null, string | null>;
    summary: string;
    agent: string;
    tier: string;
    created_at: Time;
    updated_at: Time;
    /** Whether an approval workflow is wanted (not for allowed and blocked), and since when one is known to run. */
    needs_workflow: boolean;
    workflow_started_at: Instant | null;
    /** The directory that the open levels were last held against, and the policy, where the plan names calendars; null: none yet. */
    looked_directory: ColumnType<string | null, string | null | undefined, string | null>;
    looked_policy: ColumnType<string | null, string | null | undefined, string | null>;
    /** When an absence of somebody who is asked begins or ends next. */
    anew_at: ColumnType<Instant | null, Instant | null | undefined, Instant | null>;
  };

  /** The record. Append-only by trigger and by privilege. */
  entries: {
    tenant: Once<string>;
    approval_id: Once<string>;
    seq: Once<number>;
    type: Once<string>;
    at: Once<Instant>;
    command_id: Once<string | null>;
    /** Business context and event fields that are not personal, with a salt for each. */
    fields: Jsonb<{ readonly [name: string]: { readonly salt: string; readonly value: Json } }>;
    /** Digests of the personal fields, whose salts and values lie in entry_personal. */
    personal: Jsonb<{ readonly [name: string]: string }>;
    prev: Once<string>;
    leaf: Once<string>;
    seal: Once<string>;
    key_id: Once<string>;
    /** Insertion order; never the order of the log. */
    id: Generated<number>;
  };
  /** Personal fields, erasable. */
  entry_personal: { tenant: Once<string>; approval_id: Once<string>; seq: Once<number>; name: Once<string>; salt: Once<string>; value: Jsonb<Json> };
  /** Entries without a place in the log. Filled by a trigger on entries; a row may go once the log holds its entry. */
  unplaced: { tenant: Once<string>; approval_id: Once<string>; seq: Once<number>; id: Once<number> };
  /** One order per tenant, given by the sequencer. Append-only. */
  log: {
    tenant: Once<string>;
    position: Once<number>;
    approval_id: Once<string>;
    seq: Once<number>;
    leaf: Once<string>;
    seal: Once<string>;
    key_id: Once<string>;
  };
  /** Signed tree heads, each with the size of the one before and the roots of the perfect trees that it is made of. Append-only. */
  checkpoints: {
    tenant: Once<string>;
    size: Once<number>;
    root: Once<string>;
    note: Once<string>;
    at: Once<Instant>;
    previous: Once<number>;
    range: Jsonb<readonly string[]>;
    seal: Once<string>;
    key_id: Once<string>;
  };

  /** Signed commands of people, written by the API before the workflow hears of them. Append-only. */
  commands: {
    tenant: Once<string>;
    command_id: Once<string>;
    approval_id: Once<string>;
    person: Once<string>;
    body: Jsonb<JsonObject>;
    signature: Once<string>;
    key_id: Once<string>;
    created_at: Time;
  };
  /** The answer that each command got. Append-only. */
  answers: { tenant: Once<string>; command_id: Once<string>; approval_id: Once<string>; answer: Jsonb<JsonObject>; at: Time };

  /** Where each debt stands: messages, tickets, callbacks. A projection. */
  deliveries: {
    tenant: Once<string>;
    approval_id: Once<string>;
    owed_id: Once<string>;
    kind: Once<string>;
    target: string;
    status: string;
    attempts: number;
    last_detail: string;
    next_at: Instant | null;
    /** For messages: what it goes out on now. Null before the first attempt. */
    channel: Channel | null;
    /** How far what is done is known to have come: `sent` or `delivered`. */
    reached: Reached | null;
    created_at: Time;
    updated_at: Time;
  };
  tickets: {
    tenant: Once<string>;
    ticket_id: Once<string>;
    approval_id: Once<string>;
    owed_id: Once<string>;
    /** `ticket`, `case` or `incident`. */
    kind: ColumnType<string, string | undefined, string>;
    /** Of a case: what there is to look at, by name and digest, and not what it says. */
    evidence: ColumnType<readonly { readonly name: string; readonly sha256: string }[], string | undefined, never>;
    queue: string;
    owner: string;
    title: string;
    state: string;
    created_at: Time;
  };

  /** How a tenant's directory was last composed of its sources: as what, and when duty changes next. `role_prefix`: which groups are roles. */
  people_state: {
    tenant: Once<string>;
    composed_hash: string | null;
    next_at: Instant | null;
    notes: Jsonb<readonly string[]>;
    role_prefix: ColumnType<string, string | undefined, string>;
  };
  /** The directory's file as it was last taken (`file`, one) and calendars of duty as they were last read (`feed`, one for each role). */
  people_sources: {
    tenant: Once<string>;
    kind: Once<'file' | 'feed'>;
    name: Once<string>;
    /** Of a calendar: where it was read. */
    address: string;
    text: string | null;
    taken_at: Instant | null;
    taken_by: string;
    /** Since it was taken, somebody has tried to take it anew and could not; the sentence says why. */
    failed_at: Instant | null;
    why: string;
    next_at: Instant | null;
  };
  /** Absences that people set, one for each person. */
  absences: {
    tenant: Once<string>;
    person: Once<string>;
    from_at: Time;
    to_at: Time;
    deputy: string | null;
    set_by: string;
    set_at: Time;
    cleared_at: Instant | null;
  };
  /** Keys of identity providers: SHA-256 of the token, hex. */
  scim_tokens: { token_hash: Once<string>; tenant: Once<string>; created_at: Time; created_by: Once<string>; revoked_at: Instant | null };
  /** People as an identity provider sends them. Of one that is deleted only the id stays that the record knows. */
  scim_users: {
    tenant: Once<string>;
    id: Once<string>;
    person: Once<string>;
    user_name: string | null;
    external_id: string | null;
    name: string;
    given_name: string;
    family_name: string;
    email: string;
    is_active: boolean;
    version: number;
    created_at: Time;
    updated_at: Time;
    deleted_at: Instant | null;
  };
  /** Its groups: who is in them, by the ids of users. */
  scim_groups: {
    tenant: Once<string>;
    id: Once<string>;
    name: string;
    external_id: string | null;
    members: Jsonb<readonly string[]>;
    version: number;
    created_at: Time;
    updated_at: Time;
    deleted_at: Instant | null;
  };
}
