/**
 * The record's rows between their columns and the names that ../entry, ../log and ../verify use.
 */
import type { Selectable } from 'kysely';
import type { PersonalField, StoredEntry } from '../entry';
import type { CheckpointRow, LogRow } from '../log';
import type { RequestDigests } from '../verify';
import { digest } from '../canonical';
import type { Tables } from './tables';

export const entryOf = (r: Omit<Selectable<Tables['entries']>, 'id'>): StoredEntry => ({
  tenant: r.tenant,
  approvalId: r.approval_id,
  seq: r.seq,
  type: r.type,
  at: r.at,
  commandId: r.command_id,
  fields: r.fields,
  personal: r.personal,
  prev: r.prev,
  leaf: r.leaf,
  seal: r.seal,
  keyId: r.key_id,
});

export const personalOf = (r: Selectable<Tables['entry_personal']>): PersonalField => ({
  approvalId: r.approval_id,
  seq: r.seq,
  name: r.name,
  salt: r.salt,
  value: r.value,
});

export const logRowOf = (r: Selectable<Tables['log']>): LogRow => ({
  tenant: r.tenant,
  position: r.position,
  approvalId: r.approval_id,
  seq: r.seq,
  leaf: r.leaf,
  seal: r.seal,
  keyId: r.key_id,
});

export const checkpointOf = (r: Selectable<Tables['checkpoints']>): CheckpointRow => ({
  tenant: r.tenant,
  size: r.size,
  root: r.root,
  note: r.note,
  at: r.at,
  previous: r.previous,
  range: r.range,
  seal: r.seal,
  keyId: r.key_id,
});

/** Its digests only: what was asked may hold personal data, and an export is handed around. */
export const requestOf = (
  r: Pick<Selectable<Tables['requests']>, 'approval_id' | 'agent' | 'body' | 'plan' | 'packet' | 'body_digest' | 'packet_digest' | 'action_digest'>,
): RequestDigests => ({
  approvalId: r.approval_id,
  agent: r.agent,
  kept: { body: r.body_digest, packet: r.packet_digest, action: r.action_digest },
  found: { body: digest(r.body), packet: digest(r.packet), action: digest(r.body['action'] ?? null), plan: digest(r.plan) },
});
