/**
 * Whom an approval waits on, and in which lanes, where several sign-offs are open at the same time. Empty where there is one at most: `owner`
 * and `lane` say it then, as before, also for what an older release wrote.
 */
import { sql, type Kysely, type Migration } from 'kysely';

export const sideBySide: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw(`alter table approvals add column lanes jsonb not null default '[]', add column owners jsonb not null default '[]'`).execute(db);
  },
};
