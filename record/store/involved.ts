/**
 * Whom an entry draws into an approval by name, whatever roles they hold: a person who is asked for information, one to whom it is given,
 * one who is asked in place of somebody absent. An index of its own (migration 0008) finds them by the very words that stand here.
 * Pure: builds SQL.
 */
import { sql, type RawBuilder } from 'kysely';

/** Entries that draw somebody in. `table` is the name under which entries are read. */
export const involving = (table: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`(
  ${table}.type in ('information_asked', 'reassigned')
  or (${table}.type in ('level_opened', 'held', 'resolved_anew') and ${table}.fields @? '$.asked.value[*].for'))`;

/** Who it is, by id, as a JSON array. An agent that is asked is nobody of the directory. */
export const INVOLVED = (fields: RawBuilder<unknown>): RawBuilder<readonly string[]> => sql<readonly string[]>`(
  jsonb_path_query_array(${fields}, '$.of.value ? (@ != "agent")')
  || jsonb_path_query_array(${fields}, '$.to.value.person')
  || jsonb_path_query_array(${fields}, '$.asked.value[*] ? (exists(@.for)).person'))`;
