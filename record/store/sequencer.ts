/**
 * Gives each sealed entry its place in its tenant's log, and signs the tree's new head. Off the path of decisions: entries count before they have a place.
 * Promises: one sequencer per tenant at a time, positions without gaps, an approval's entries in their order, positions and checkpoint in one transaction,
 * and no place for an entry that does not bear a valid seal: its approval is passed over and named.
 */
import { sql } from 'kysely';
import type { Instant } from '../../domain/json';
import { leafOf, type StoredEntry } from '../entry';
import { makeNote, readNote } from '../checkpoint';
import { RecordError } from '../errors';
import type { Keys } from '../keys';
import { sealCheckpoint, sealLogRow, type LogRow } from '../log';
import { checkSignature } from '../signing';
import { EMPTY_RANGE, extend, isRange, rootOf, type Range } from '../tree';
import type { Db, Trx } from './database';
import { checkpointOf, entryOf } from './rows';
import { nativeHash, nativeSign, nativeVerify } from './signatures';

/** Entries in one transaction at most; a longer backlog takes several. */
const BATCH = 500;

export interface Sequenced {
  readonly tenant: string;
  readonly added: number;
  readonly size: number;
  /** Entries that got no place, and why. */
  readonly refused: readonly Refused[];
}

export interface Refused {
  readonly approvalId: string;
  readonly seq: number;
  readonly why: string;
}

/** Places everything that waits, of all tenants or of one. Where a tenant's log cannot be built upon, the others go on, and it is said at the end. */
export async function sequence(db: Db, keys: Keys, now: Instant, tenant?: string): Promise<readonly Sequenced[]> {
  const waiting = tenant === undefined ? await tenantsWaiting(db) : [tenant];
  const done: Sequenced[] = [];
  const failures: unknown[] = [];
  for (const name of waiting) {
    try {
      done.push(await sequenceTenant(db, keys, now, name));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return done;
}

async function sequenceTenant(db: Db, keys: Keys, now: Instant, tenant: string): Promise<Sequenced> {
  const passedOver = new Set<string>();
  const refused: Refused[] = [];
  let [added, size, more] = [0, 0, true];
  while (more) {
    const batch = await db.transaction().execute((trx) => sequenceBatch(trx, keys, now, tenant, [...passedOver]));
    for (const { approvalId } of batch.refused) passedOver.add(approvalId);
    refused.push(...batch.refused);
    added += batch.added;
    ({ size, more } = batch);
  }
  return { tenant, added, size, refused };
}

async function tenantsWaiting(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('unplaced').select('tenant').distinct().orderBy('tenant').execute();
  return rows.map((row) => row.tenant);
}

/** An entry that waits, and the place in its approval's order that the log has come to. */
interface Waiting {
  readonly entry: StoredEntry;
  readonly before: number;
}

/** The oldest that wait. Each is looked up by its key: whatever the planner believes, the cost is that of what is new. */
async function readWaiting(trx: Trx, tenant: string, passedOver: readonly string[]): Promise<readonly Waiting[]> {
  const rows = await trx
    .selectFrom((db) =>
      db
        .selectFrom('unplaced')
        .select(['approval_id', 'seq', 'id'])
        .where('tenant', '=', tenant)
        .$if(passedOver.length > 0, (query) => query.where('approval_id', 'not in', passedOver))
        .orderBy('id')
        .limit(BATCH)
        .as('u'),
    )
    .innerJoinLateral(
      (db) =>
        db
          .selectFrom('entries')
          .selectAll()
          .where('entries.tenant', '=', tenant)
          .whereRef('entries.approval_id', '=', 'u.approval_id')
          .whereRef('entries.seq', '=', 'u.seq')
          .limit(1)
          .as('e'),
      (join) => join.onTrue(),
    )
    .selectAll('e')
    .select((db) =>
      db
        .selectFrom('log as l')
        .select('l.seq')
        .where('l.tenant', '=', tenant)
        .whereRef('l.approval_id', '=', 'u.approval_id')
        .orderBy('l.seq', 'desc')
        .limit(1)
        .as('before'),
    )
    .orderBy('u.id')
    .execute();
  return rows.map((row) => ({ entry: entryOf(row), before: row.before ?? 0 }));
}

async function sequenceBatch(
  trx: Trx,
  keys: Keys,
  now: Instant,
  tenant: string,
  passedOver: readonly string[],
): Promise<Sequenced & { readonly more: boolean }> {
  // A tenant's own lock: the others go on. Taken before anything is read, and read committed sees what the holder before wrote.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`countersign-sequencer/${tenant}`}, 0))`.execute(trx);
  const start = await lastRange(trx, keys, tenant);
  const waiting = await readWaiting(trx, tenant, passedOver);
  const more = waiting.length === BATCH;
  const { placed, settled, refused } = choose(keys, waiting);
  if (placed.length === 0) {
    await settle(trx, tenant, settled);
    return { tenant, added: 0, size: start.size, refused, more };
  }
  const logRows = placed.map((e, n): LogRow =>
    sealLogRow({ tenant, position: start.size + n, approvalId: e.approvalId, seq: e.seq, leaf: e.leaf }, keys.record, nativeSign),
  );
  const range = extend(
    start,
    placed.map((e) => e.leaf),
  );
  await trx
    .insertInto('log')
    .values(logRows.map((r) => ({ tenant, position: r.position, approval_id: r.approvalId, seq: r.seq, leaf: r.leaf, seal: r.seal, key_id: r.keyId })))
    .execute();
  await writeCheckpoint(trx, keys, now, tenant, start, range);
  await settle(trx, tenant, [...placed, ...settled]);
  return { tenant, added: placed.length, size: range.size, refused, more };
}

async function writeCheckpoint(trx: Trx, keys: Keys, now: Instant, tenant: string, before: Range, range: Range): Promise<void> {
  const head = { size: range.size, root: rootOf(range) };
  const note = makeNote(tenant, head, keys.record);
  const c = sealCheckpoint({ tenant, ...head, note, at: now, previous: before.size, range: range.roots }, keys.record, nativeSign);
  await trx
    .insertInto('checkpoints')
    .values({ tenant, size: c.size, root: c.root, note, at: now, previous: c.previous, range: JSON.stringify(c.range), seal: c.seal, key_id: c.keyId })
    .execute();
}

/** Where the log ends. A last checkpoint that is not ours is built upon no further: that is for `verify` to name and for a person to mend. */
async function lastRange(trx: Trx, keys: Keys, tenant: string): Promise<Range> {
  const row = await trx.selectFrom('checkpoints').selectAll().where('tenant', '=', tenant).orderBy('size', 'desc').limit(1).executeTakeFirst();
  const end = await trx
    .selectFrom('log')
    .select(({ fn }) => fn.max('position').as('last'))
    .where('tenant', '=', tenant)
    .executeTakeFirst();
  const logged = ((end?.last ?? null) === null ? -1 : Number(end?.last)) + 1;
  if (!row) {
    if (logged > 0) throw broken(tenant, `its log has ${String(logged)} rows but no checkpoint`);
    return EMPTY_RANGE;
  }
  const checkpoint = checkpointOf(row);
  const range = { size: checkpoint.size, roots: checkpoint.range };
  const note = readNote(tenant, checkpoint.note, keys.trusted.record, nativeVerify);
  if (!note.ok) throw broken(tenant, `the checkpoint at size ${String(checkpoint.size)} is not signed by the record key (${note.why})`);
  if (!isRange(range) || note.head.size !== range.size || rootOf(range) !== note.head.root)
    throw broken(tenant, `the checkpoint at size ${String(checkpoint.size)} was changed`);
  if (logged !== range.size) throw broken(tenant, `its log has ${String(logged)} rows, its last checkpoint ${String(range.size)}`);
  return range;
}

const broken = (tenant: string, what: string): RecordError =>
  new RecordError('bad_proof', `The log of ${tenant} is not continued: ${what}; run countersign record verify and restore what it names`);

/** They have their places, which the database sees for itself. */
async function settle(trx: Trx, tenant: string, entries: readonly StoredEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await sql`
    delete from unplaced u using unnest(${entries.map((e) => e.approvalId)}::text[], ${entries.map((e) => e.seq)}::integer[]) as placed (approval_id, seq)
    where u.tenant = ${tenant} and u.approval_id = placed.approval_id and u.seq = placed.seq`.execute(trx);
}

interface Chosen {
  /** Sealed entries whose predecessors have places, in the order they were written. */
  readonly placed: readonly StoredEntry[];
  /** Those that have a place already: a sequencer of an older release, beside which this one was started, gave it to them. */
  readonly settled: readonly StoredEntry[];
  readonly refused: readonly Refused[];
}

function choose(keys: Keys, waiting: readonly Waiting[]): Chosen {
  const last = new Map<string, number>();
  const placed: StoredEntry[] = [];
  const settled: StoredEntry[] = [];
  const refused: Refused[] = [];
  for (const { entry, before } of waiting) {
    const { approvalId, seq } = entry;
    const reached = last.get(approvalId) ?? before;
    if (seq <= reached) {
      settled.push(entry);
      continue;
    }
    const why = refusalOf(entry, reached, keys);
    if (why === null) {
      placed.push(entry);
      last.set(approvalId, seq);
    } else {
      refused.push({ approvalId, seq, why });
    }
  }
  return { placed, settled, refused };
}

function refusalOf(entry: StoredEntry, before: number, keys: Keys): string | null {
  if (entry.seq !== before + 1) return `entry ${String(before + 1)} has no place yet`;
  if (leafOf(entry, nativeHash) !== entry.leaf) return 'its content is not what its leaf commits to';
  const verdict = checkSignature(keys.trusted.record, entry.keyId, 'countersign/entry/v1', entry.leaf, entry.seal, nativeVerify);
  if (verdict === 'valid') return null;
  return verdict === 'unknown_key' ? `its seal is of the key ${entry.keyId}, which is not trusted` : 'its seal is not that of the record key';
}
