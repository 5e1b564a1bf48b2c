/**
 * Which policy and which directory hold, and which held before. Each publication stores the content by its hash, moves the active pointer and
 * writes an entry, in one transaction.
 * Promises: what was pinned by hash can be read for ever; two publications at once come one after the other; a request is routed by the policy
 * that holds when it is recorded, in whichever process; publishing what holds already does nothing.
 */
import { sql, type RawBuilder } from 'kysely';
import type { Instant } from '../../domain/json';
import { ADMIN_APPROVAL, type AdminEvent } from '../admin';
import { NO_HEAD, type Head } from '../entry';
import { RecordError } from '../errors';
import type { KeyPair } from '../keys';
import { databaseTime, type Db, type Trx } from './database';
import { append, readTimeline } from './entries';

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
  /** The store's own time unless told. */
  readonly at?: Instant;
  readonly record: KeyPair;
  /** Publishes only over the policy whose hash begins so; null: only where there is none yet. */
  readonly expect?: string | null;
}

/** `seq` is the entry that says so; null when it held already and nothing changed. */
export interface PublishResult {
  readonly hash: string;
  readonly seq: number | null;
  /** What held before; null where nothing did. */
  readonly replaces: string | null;
}

interface Pointer {
  readonly policy_hash: string | null;
  readonly directory_hash: string | null;
}

const lockName = (tenant: string): RawBuilder<unknown> => sql`hashtextextended(${`policy\n${tenant}`}, 0)`;

/**
 * For a transaction that routes by the policy that holds: none is published before it has ended. Taken in a statement before the one
 * that reads which policy holds, and before any other lock.
 */
export const whilePolicyHolds = (tenant: string): RawBuilder<unknown> => sql`pg_advisory_xact_lock_shared(${lockName(tenant)})`;

/** The hash of the policy that the record says was published last: the pointer that says otherwise was not moved by a publication. */
export const lastPublished = (tenant: string | RawBuilder<unknown>): RawBuilder<string | null> => sql`(
  select e.fields #>> '{hash,value}' from entries e
  where e.tenant = ${tenant} and e.approval_id = ${sql.lit(ADMIN_APPROVAL)} and e.type = 'policy_published' order by e.seq desc limit 1)`;

const lastPublishedHash = async (db: Db | Trx, tenant: string): Promise<string | null> =>
  (await sql<{ hash: string | null }>`select ${lastPublished(tenant)} as hash`.execute(db)).rows[0]?.hash ?? null;

/** How long a publication waits for the requests that are being routed. What comes after them waits as long. */
const PATIENCE_MS = 5_000;
const LOCK_TIMEOUT = '55P03';

/** Waits until no request is being routed and no other publication runs; then locks the tenant's pointer. `nothing`: what is said where it waits in vain. */
export async function lockPointer(trx: Trx, tenant: string, nothing = 'Nothing was published'): Promise<Pointer> {
  await sql.raw(`set local lock_timeout = ${String(PATIENCE_MS)}`).execute(trx);
  try {
    await sql`select pg_advisory_xact_lock(${lockName(tenant)})`.execute(trx);
  } catch (cause) {
    if (!isCode(cause, LOCK_TIMEOUT)) throw cause;
    const message = `${nothing}: requests of ${tenant} have been in the middle of routing for ${String(PATIENCE_MS / 1000)} s, or somebody else publishes; try again`;
    throw new RecordError('store_busy', message, null, { cause });
  }
  await trx
    .insertInto('active')
    .values({ tenant, policy_hash: null, directory_hash: null })
    .onConflict((c) => c.doNothing())
    .execute();
  return trx.selectFrom('active').select(['policy_hash', 'directory_hash']).where('tenant', '=', tenant).forUpdate().executeTakeFirstOrThrow();
}

const isCode = (error: unknown, code: string): boolean => typeof error === 'object' && error !== null && 'code' in error && error.code === code;

interface Last {
  readonly head: Head;
  readonly at: Instant | null;
}

export async function lastOf(trx: Trx, tenant: string): Promise<Last> {
  const last = await trx
    .selectFrom('entries')
    .select(['seq', 'leaf', 'at'])
    .where('tenant', '=', tenant)
    .where('approval_id', '=', ADMIN_APPROVAL)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  return last ? { head: { seq: last.seq, hash: last.leaf }, at: last.at } : { head: NO_HEAD, at: null };
}

/** Read under the lock: whatever was routed before it is older, whatever comes after it is younger. A clock that jumped back reorders nothing. */
export async function timeOf(trx: Trx, given: Instant | undefined, last: Instant | null): Promise<Instant> {
  const now = given ?? (await databaseTime(trx));
  return given === undefined && last !== null && last > now ? last : now;
}

interface PublishContent {
  readonly policy?: PolicyContent;
  readonly directory?: DirectoryContent;
}

interface PublishResults {
  readonly policy: PublishResult | null;
  readonly directory: PublishResult | null;
}

/** Stores what was checked, policy and people together, and makes it hold from the next request on; all of it or nothing. */
export const publish = (db: Db, content: PublishContent, meta: PublishMeta): Promise<PublishResults> =>
  db.transaction().execute((trx) => publishIn(trx, content, meta));

/** The same in a transaction of the caller's, for what has to change together with it. */
export async function publishIn(trx: Trx, content: PublishContent, meta: PublishMeta): Promise<PublishResults> {
  const { tenant, by, record } = meta;
  const { policy, directory } = content;
  const held = await lockPointer(trx, tenant);
  if (policy) await expectHeld(trx, policy.hash, held.policy_hash, meta);
  const last = await lastOf(trx, tenant);
  const at = await timeOf(trx, meta.at, last.at);
  let { head } = last;
  const tell = async (event: AdminEvent, before: string | null): Promise<number> => {
    const items = [{ event, commandId: null }];
    const done = await append(trx, { tenant, approvalId: ADMIN_APPROVAL, head, at, items, context: { replaces: before }, record });
    ({ head } = done);
    return head.seq;
  };
  const publishDirectoryIn = async ({ hash, text }: DirectoryContent): Promise<PublishResult> => {
    const replaces = held.directory_hash;
    if (replaces === hash) return { hash, seq: null, replaces };
    await trx
      .insertInto('directories')
      .values({ tenant, hash, text, published_at: at, published_by: by })
      .onConflict((c) => c.doNothing())
      .execute();
    await trx.updateTable('active').set({ directory_hash: hash }).where('tenant', '=', tenant).execute();
    return { hash, seq: await tell({ type: 'directory_published', hash, by }, replaces), replaces };
  };
  const publishPolicyIn = async ({ hash, name, version, files }: PolicyContent): Promise<PublishResult> => {
    const replaces = held.policy_hash;
    // A pointer that somebody moved by hand is set right by publishing, also where it points to just this.
    if (replaces === hash && (await lastPublishedHash(trx, tenant)) === hash) return { hash, seq: null, replaces };
    await trx
      .insertInto('policies')
      .values({ tenant, hash, name, version, files: JSON.stringify(files), published_at: at, published_by: by })
      .onConflict((c) => c.doNothing())
      .execute();
    await trx.updateTable('active').set({ policy_hash: hash }).where('tenant', '=', tenant).execute();
    return { hash, seq: await tell({ type: 'policy_published', name, version, hash, by }, replaces), replaces };
  };
  return { directory: directory ? await publishDirectoryIn(directory) : null, policy: policy ? await publishPolicyIn(policy) : null };
}

/** Compare and swap: whoever looked at one policy does not replace another. What holds already needs no swap. */
async function expectHeld(trx: Trx, hash: string, held: string | null, { tenant, expect }: PublishMeta): Promise<void> {
  if (expect === undefined || held === hash || (expect === null ? held === null : held?.startsWith(expect) === true)) return;
  const wanted = expect === null ? 'none' : expect.slice(0, 12);
  const is = held === null ? null : await policyByHash(trx, tenant, held);
  const who = is ? `${is.name} ${is.version} (${is.hash.slice(0, 12)}), which ${is.publishedBy} published` : (held?.slice(0, 12) ?? 'none');
  throw new RecordError(
    'policy_moved',
    `Nothing was published: the policy of ${tenant} that holds is ${who}, and ${wanted} was expected; look at what changed meanwhile (policy diff active DIR), then expect that one`,
  );
}

/** Only the policy. */
export const publishPolicy = async (db: Db, policy: PolicyContent, meta: PublishMeta): Promise<PublishResult> =>
  only((await publish(db, { policy }, meta)).policy);

/** Only the people. */
export const publishDirectory = async (db: Db, directory: DirectoryContent, meta: PublishMeta): Promise<PublishResult> =>
  only((await publish(db, { directory }, meta)).directory);

function only(result: PublishResult | null): PublishResult {
  if (!result) throw new Error('What was to be published was not');
  return result;
}

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

/** Versions whose hash begins so, at most a few: enough to say that a prefix is not unique. */
export const policiesByPrefix = (db: Db | Trx, tenant: string, prefix: string): Promise<(PolicyContent & Published)[]> =>
  policyQuery(db, tenant).where('p.hash', 'like', `${prefix}%`).orderBy('p.hash').limit(5).execute();

/** What holds for whom, and which policy the record says was published last. */
export const pointers = async (
  db: Db | Trx,
): Promise<readonly { readonly tenant: string; readonly policy: string | null; readonly directory: string | null; readonly published: string | null }[]> =>
  db
    .selectFrom('active as h')
    .select(['h.tenant', 'h.policy_hash as policy', 'h.directory_hash as directory', lastPublished(sql.ref('h.tenant')).as('published')])
    .orderBy('h.tenant')
    .execute();

/** One time that a policy began to hold, as the record says. */
export interface Publication {
  readonly seq: number;
  readonly at: Instant;
  readonly by: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly replaces: string | null;
  /** When the next one took its place; null: it holds. */
  readonly until: Instant | null;
  /** How many requests were routed by it while it held. */
  readonly requests: number;
}

export interface Publications {
  /** The newest first. */
  readonly publications: readonly Publication[];
  /** Requests that name a version which the record does not know to have been published. */
  readonly unknown: number;
}

export async function publicationsOf(db: Db, tenant: string): Promise<Publications> {
  const timeline = await readTimeline(db, tenant, ADMIN_APPROVAL);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const told = timeline
    .filter((entry) => entry.type === 'policy_published')
    .map(({ seq, at, fields }) => ({
      seq,
      at,
      by: text(fields['by']),
      name: text(fields['name']),
      version: text(fields['version']),
      hash: text(fields['hash']),
      replaces: text(fields['context.replaces']) || null,
    }));
  const counts = await routedBy(db, tenant, told);
  const publications = told.map((one, i): Publication => ({ ...one, until: told[i + 1]?.at ?? null, requests: counts.get(one.seq) ?? 0 }));
  return { publications: publications.reverse(), unknown: counts.get(null) ?? 0 };
}

/** Requests by publication: of a version that held several times, the last time before the request. */
async function routedBy(
  db: Db,
  tenant: string,
  told: readonly { readonly seq: number; readonly at: Instant; readonly hash: string }[],
): Promise<Map<number | null, number>> {
  const { rows } = await sql<{ seq: number | null; requests: number }>`
    select (select p.seq from unnest(${told.map((t) => t.seq)}::int[], ${told.map((t) => t.at)}::timestamptz[], ${told.map((t) => t.hash)}::text[]) as p(seq, at, hash)
            where p.hash = r.plan #>> '{policy,hash}'
            order by p.at <= r.created_at desc, abs(extract(epoch from r.created_at - p.at)) limit 1) as seq,
      count(*)::int as requests
    from requests r where r.tenant = ${tenant} group by 1`.execute(db);
  return new Map(rows.map(({ seq, requests }) => [seq, requests]));
}
