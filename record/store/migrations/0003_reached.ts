/**
 * What a message goes out on, and how far it is known to have come.
 */
import { sql, type Kysely, type Migration } from 'kysely';

export const reached: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw('alter table deliveries add column channel text, add column reached text').execute(db);
  },
};
