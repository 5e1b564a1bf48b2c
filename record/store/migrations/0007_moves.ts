/**
 * What a ticket is: a ticket, a case with evidence (named, with its digest), or an incident. And when an open approval was last held against the people and the
 * calendars that hold, so that those to look at again are found without reading the others. What is on the record about a tenant itself
 * (publications, intake) is found by type: requests ask for it one by one.
 */
import { sql, type Kysely, type Migration } from 'kysely';

const STATEMENTS = [
  `alter table tickets add column kind text not null default 'ticket', add column evidence jsonb not null default '[]'`,
  `alter table approvals add column looked_directory text, add column looked_policy text, add column anew_at timestamptz`,
  `create index approvals_anew on approvals (anew_at) where anew_at is not null`,
  `create index entries_of_tenant on entries (tenant, type, seq) where approval_id = 'policy'`,
];

export const moves: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};
