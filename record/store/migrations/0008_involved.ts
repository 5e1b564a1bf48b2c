/**
 * Lists show people what they were drawn into by name, also where they hold none of its roles. Few entries do that: an index of just
 * those finds them without reading the others.
 */
import { sql, type Kysely, type Migration } from 'kysely';

// Word for word as ../involved.ts asks: the planner takes the index for nothing else.
const INDEX = `create index entries_involving on entries using gin ((
  jsonb_path_query_array(fields, '$.of.value ? (@ != "agent")')
  || jsonb_path_query_array(fields, '$.to.value.person')
  || jsonb_path_query_array(fields, '$.asked.value[*] ? (exists(@.for)).person')))
  where type in ('information_asked', 'reassigned') or (type in ('level_opened', 'held', 'resolved_anew') and fields @? '$.asked.value[*].for')`;

export const involved: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw(INDEX).execute(db);
  },
};
