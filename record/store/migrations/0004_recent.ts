/**
 * What is looked up when a request is routed: recent requests, by tenant and time and by customer; exceptions, by what they except.
 */
import { sql, type Kysely, type Migration } from 'kysely';

export const recent: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql.raw(`create index requests_recent on requests (tenant, created_at)`).execute(db);
    await sql.raw(`create index requests_recent_of_customer on requests (tenant, (body #>> '{customer,id}'), created_at)`).execute(db);
    await sql.raw(`create index requests_excepting on requests (tenant, (body #>> '{exception,of}'))`).execute(db);
  },
};
