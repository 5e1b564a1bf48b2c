/**
 * Brings the store to this version's schema, as its owner, and ends: the step before the worker and the API of a new version start.
 * Promises: running it again, or twice at once, does nothing more; whatever fails is one sentence. Must not import client.
 */
import { ConfigError, readStoreUrls } from '../activities/config';
import { RecordError } from '../record/errors';
import { roleOf } from '../record/store/database';
import { migrate } from '../record/store/migrate';

async function main(): Promise<void> {
  const { databaseUrl, databaseAdminUrl } = readStoreUrls(process.env);
  const done = await migrate(databaseAdminUrl, roleOf(databaseUrl));
  process.stdout.write(done.length === 0 ? 'The store is up to date.\n' : `The store was brought up to date: ${done.join(', ')}.\n`);
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigError || error instanceof RecordError;
  process.stderr.write(`${known ? `${error.code}: ${error.message}` : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
