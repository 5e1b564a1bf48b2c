/**
 * What the application role may do, table by table. Nothing of what is kept may be deleted by it, and the record not even updated.
 * Pure text: run by ./migrate as the owner.
 */
import { escapeIdentifier } from 'pg';
import type { Tables } from './tables';

/** Rows are added and never changed: by trigger for everyone, by privilege for the application. */
export const APPEND_ONLY = [
  'policies',
  'directories',
  'requests',
  'entries',
  'entry_personal',
  'log',
  'checkpoints',
  'commands',
  'answers',
] as const satisfies readonly (keyof Tables)[];

/** Projections and settings. */
export const MUTABLE = [
  'active',
  'agents',
  'agent_keys',
  'approvals',
  'deliveries',
  'tickets',
  'people_state',
  'people_sources',
  'absences',
  'scim_tokens',
  'scim_users',
  'scim_groups',
] as const satisfies readonly (keyof Tables)[];

/** Rows come by trigger, and may go once what they wait for has happened: the database sees to both. */
export const WAITING = ['unplaced'] as const satisfies readonly (keyof Tables)[];

/** May erase personal fields, and do nothing else; a person takes it on with SET ROLE. */
export const ERASER_ROLE = 'countersign_eraser';

export function grants(appRole: string): readonly string[] {
  const role = escapeIdentifier(appRole);
  return [
    `revoke all on all tables in schema public from ${role}`,
    `grant usage on schema public to ${role}, ${ERASER_ROLE}`,
    ...APPEND_ONLY.map((table) => `grant select, insert on ${table} to ${role}`),
    ...MUTABLE.map((table) => `grant select, insert, update on ${table} to ${role}`),
    ...WAITING.map((table) => `grant select, delete on ${table} to ${role}`),
    `grant select, delete on entry_personal to ${ERASER_ROLE}`,
  ];
}
