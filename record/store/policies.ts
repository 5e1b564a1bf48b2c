/**
 * Which policy and which directory hold. Each publication stores the content by its hash, moves the active pointer and writes an entry, in one transaction.
 * Promises: what was pinned by hash can be read for ever; two publications at once come one after the other; publishing what holds already does nothing.
 */
import type { Instant } from '../../domain/json';
import { ADMIN_APPROVAL, type AdminEvent } from '../admin';
import { NO_HEAD, type Head } from '../entry';
import type { KeyPair } from '../keys';
import type { Db, Trx } from './database';
import { append } from './entries';

export interface PolicyFile {
  readonly path: string;
  readonly text: string;
}

export interface PolicyContent {
  readonly hash: string;
  readonly name: string;
  readonly version: string;
  readonly files: readonly PolicyFile[];
}

export interface DirectoryContent {
  readonly hash: string;
  readonly text: string;
}

export interface Published {
  readonly publishedAt: Instant;
  readonly publishedBy: string;
}

export interface PublishMeta {
  readonly tenant: string;
  readonly by: string;
  readonly at: Instant;
  readonly record: KeyPair;
}

/** `seq` is the entry that says so; null when it held already and nothing changed. */
export interface PublishResult {
  readonly hash: string;
  readonly seq: number | null;
}

interface Pointer {
  readonly policy_hash: string | null;
  readonly directory_hash: string | null;
}

/** Locks the tenant's pointer, which also orders the entries about it. */
async function lockPointer(trx: Trx, tenant: string): Promise<Pointer> {
  await trx
    .insertInto('active')
    .values({ tenant, policy_hash: null, directory_hash: null })
    .onConflict((c) => c.doNothing())
    .execute();
  return trx.selectFrom('active').select(['policy_hash', 'directory_hash']).where('tenant', '=', tenant).forUpdate().executeTakeFirstOrThrow();
}

async function headOf(trx: Trx, tenant: string): Promise<Head> {
  const last = await trx
    .selectFrom('entries')
    .select(['seq', 'leaf'])
    .where('tenant', '=', tenant)
    .where('approval_id', '=', ADMIN_APPROVAL)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ? { seq: last.seq, hash: last.leaf } : NO_HEAD;
}

async function tell(trx: Trx, { tenant, at, record }: PublishMeta, event: AdminEvent, before: string | null): Promise<number> {
  const head = await headOf(trx, tenant);
  const done = await append(trx, { tenant, approvalId: ADMIN_APPROVAL, head, at, items: [{ event, commandId: null }], context: { replaces: before }, record });
  return done.head.seq;
}

/** Stores a checked policy and makes it the one that holds from the next request on. */
export const publishPolicy = (db: Db, policy: PolicyContent, meta: PublishMeta): Promise<PublishResult> =>
  db.transaction().execute(async (trx) => {
    const { tenant, at, by } = meta;
    const { hash, name, version } = policy;
    const before = (await lockPointer(trx, tenant)).policy_hash;
    if (before === hash) return { hash, seq: null };
    const row = { tenant, hash, name, version, files: JSON.stringify(policy.files), published_at: at, published_by: by };
    await trx
      .insertInto('policies')
      .values(row)
      .onConflict((c) => c.doNothing())
      .execute();
    await trx.updateTable('active').set({ policy_hash: hash }).where('tenant', '=', tenant).execute();
    return { hash, seq: await tell(trx, meta, { type: 'policy_published', name, version, hash, by }, before) };
  });

/** Stores a checked directory and makes it the one that holds. */
export const publishDirectory = (db: Db, directory: DirectoryContent, meta: PublishMeta): Promise<PublishResult> =>
  db.transaction().execute(async (trx) => {
    const { tenant, at, by } = meta;
    const { hash, text } = directory;
    const before = (await lockPointer(trx, tenant)).directory_hash;
    if (before === hash) return { hash, seq: null };
    await trx
      .insertInto('directories')
      .values({ tenant, hash, text, published_at: at, published_by: by })
      .onConflict((c) => c.doNothing())
      .execute();
    await trx.updateTable('active').set({ directory_hash: hash }).where('tenant', '=', tenant).execute();
    return { hash, seq: await tell(trx, meta, { type: 'directory_published', hash, by }, before) };
  });

const policyQuery = (db: Db | Trx, tenant: string) =>
  db
    .selectFrom('policies as p')
    .select(['p.hash', 'p.name', 'p.version', 'p.files', 'p.published_at as publishedAt', 'p.published_by as publishedBy'])
    .where('p.tenant', '=', tenant);

const directoryQuery = (db: Db | Trx, tenant: string) =>
  db
    .selectFrom('directories as d')
    .select(['d.hash', 'd.text', 'd.published_at as publishedAt', 'd.published_by as publishedBy'])
    .where('d.tenant', '=', tenant);

/** The policy that holds, or null before the first was published. */
export async function activePolicy(db: Db | Trx, tenant: string): Promise<(PolicyContent & Published) | null> {
  const active = db.selectFrom('active').select('policy_hash').where('tenant', '=', tenant);
  return (await policyQuery(db, tenant).where('p.hash', '=', active).executeTakeFirst()) ?? null;
}

/** Only its hash: cheap enough to ask for each request, so that a cache knows when it is old. */
export async function activeHashes(db: Db | Trx, tenant: string): Promise<{ readonly policy: string | null; readonly directory: string | null }> {
  const row = await db.selectFrom('active').select(['policy_hash as policy', 'directory_hash as directory']).where('tenant', '=', tenant).executeTakeFirst();
  return row ?? { policy: null, directory: null };
}

/** A policy as it was published, whether or not it holds now. */
export const policyByHash = async (db: Db | Trx, tenant: string, hash: string): Promise<(PolicyContent & Published) | null> =>
  (await policyQuery(db, tenant).where('p.hash', '=', hash).executeTakeFirst()) ?? null;

/** The directory that holds, or null before the first was published. */
export async function activeDirectory(db: Db | Trx, tenant: string): Promise<(DirectoryContent & Published) | null> {
  const active = db.selectFrom('active').select('directory_hash').where('tenant', '=', tenant);
  return (await directoryQuery(db, tenant).where('d.hash', '=', active).executeTakeFirst()) ?? null;
}

/** A directory as it was published, whether or not it holds now. */
export const directoryByHash = async (db: Db | Trx, tenant: string, hash: string): Promise<(DirectoryContent & Published) | null> =>
  (await directoryQuery(db, tenant).where('d.hash', '=', hash).executeTakeFirst()) ?? null;
