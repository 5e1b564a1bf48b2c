/**
 * Reads a tenant's whole record, as of one moment, and verifies it there.
 * Promises: reads only, in one snapshot, so that what is written meanwhile never looks like tampering.
 */
import type { Trusted } from '../keys';
import { verifyRecord, type RecordExport, type VerifyReport } from '../verify';
import type { Db, Trx } from './database';
import { checkpointOf, entryOf, logRowOf, personalOf, requestOf } from './rows';
import { nativeVerify } from './signatures';

/** Everything on the record of one tenant, as the transaction sees it. */
export async function readRecord(trx: Trx, tenant: string): Promise<RecordExport> {
  const entries = await trx.selectFrom('entries').selectAll().where('tenant', '=', tenant).orderBy('approval_id').orderBy('seq').execute();
  const personal = await trx
    .selectFrom('entry_personal')
    .selectAll()
    .where('tenant', '=', tenant)
    .orderBy('approval_id')
    .orderBy('seq')
    .orderBy('name')
    .execute();
  const log = await trx.selectFrom('log').selectAll().where('tenant', '=', tenant).orderBy('position').execute();
  const checkpoints = await trx.selectFrom('checkpoints').selectAll().where('tenant', '=', tenant).orderBy('size').execute();
  const requests = await trx
    .selectFrom('requests')
    .select(['approval_id', 'agent', 'body_digest', 'packet_digest', 'action_digest', 'body', 'plan', 'packet'])
    .where('tenant', '=', tenant)
    .orderBy('approval_id')
    .execute();
  const heads = await trx
    .selectFrom('approvals')
    .select(['approval_id as approvalId', 'head as seq', 'head_hash as hash'])
    .where('tenant', '=', tenant)
    .orderBy('approval_id')
    .execute();
  return {
    tenant,
    entries: entries.map(entryOf),
    personal: personal.map(personalOf),
    log: log.map(logRowOf),
    checkpoints: checkpoints.map(checkpointOf),
    requests: requests.map(requestOf),
    heads,
  };
}

/** The same in a snapshot of its own. Write it with `exportLines`. */
export const exportTenant = (db: Db, tenant: string): Promise<RecordExport> =>
  db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute((trx) => readRecord(trx, tenant));

/** Verifies a tenant's record in place. */
export async function verifyStore(
  db: Db,
  trusted: Pick<Trusted, 'record' | 'command'>,
  tenant: string,
  witnesses: readonly string[] = [],
): Promise<VerifyReport> {
  return verifyRecord(await exportTenant(db, tenant), trusted, { witnesses, raw: nativeVerify });
}

/** Every tenant that the record knows. */
export async function tenantsOf(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('entries').select('tenant').union(db.selectFrom('log').select('tenant')).orderBy('tenant').execute();
  return rows.map((row) => row.tenant);
}
