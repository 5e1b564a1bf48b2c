/**
 * Appending to an approval's record and reading it back. The caller holds the lock on the approval's row and passes the head it read there.
 * Promises: one statement per append; two writers from the same head cannot both succeed (the primary key refuses the second).
 */
import { randomBytes } from 'node:crypto';
import { sql, type Insertable, type Kysely, type RawBuilder } from 'kysely';
import type { Instant, Json, JsonObject } from '../../domain/json';
import type { Recorded } from '../../domain/state';
import type { ApprovalEvent } from '../../domain/events';
import { disclosedFields, eventOf, makeEntry, type Head, type PersonalField, type RecordEvent, type StoredEntry } from '../entry';
import { RecordError } from '../errors';
import type { KeyPair, RandomBytes } from '../keys';
import { isUniqueViolation } from './errors';
import { nativeHash, nativeSign } from './signatures';
import type { Tables } from './tables';

export interface AppendInput {
  readonly tenant: string;
  readonly approvalId: string;
  /** The last entry there is; {@link NO_HEAD} before the first. */
  readonly head: Head;
  readonly at: Instant;
  /** In order. Of the events that one command gave, only the first names it. */
  readonly items: readonly { readonly event: RecordEvent; readonly commandId: string | null }[];
  /** Business context, copied into each entry; a member named `personal` lies apart and can be erased. */
  readonly context: JsonObject;
  readonly record: KeyPair;
  /** What these entries owe: rows written in the same statement. */
  readonly owing?: readonly Insertable<Tables['deliveries']>[];
  /** Salts; the system's randomness unless told. */
  readonly random?: RandomBytes;
}

export interface AppendResult {
  readonly head: Head;
  readonly entries: readonly StoredEntry[];
}

export async function append(db: Kysely<Tables>, input: AppendInput): Promise<AppendResult> {
  const random = input.random ?? pooled();
  const entries: StoredEntry[] = [];
  const personal: PersonalField[] = [];
  let head = input.head;
  for (const { event, commandId } of input.items) {
    const made = makeEntry(
      { tenant: input.tenant, approvalId: input.approvalId, head, at: input.at, event, commandId, context: input.context },
      input.record,
      random,
      nativeSign,
      nativeHash,
    );
    head = { seq: made.entry.seq, hash: made.entry.leaf };
    entries.push(made.entry);
    personal.push(...made.personal);
  }
  if (entries.length > 0) await insert(db, entries, personal, input.owing ?? []);
  return { head, entries };
}

/** Randomness fetched for many salts at once, since each fetch costs more than a hash. No byte is given out twice. */
function pooled(): RandomBytes {
  let pool = new Uint8Array();
  let used = 0;
  return (length) => {
    if (used + length > pool.length) [pool, used] = [new Uint8Array(randomBytes(Math.max(POOL_BYTES, length))), 0];
    used += length;
    return pool.slice(used - length, used);
  };
}

/** As much as the salts of a usual entry. */
const POOL_BYTES = 512;

/** Where a part of a statement has nothing to write. */
export const NOTHING: RawBuilder<{ none: number }> = sql`(select 0 as none)`;

async function insert(
  db: Kysely<Tables>,
  entries: readonly StoredEntry[],
  personal: readonly PersonalField[],
  owing: readonly Insertable<Tables['deliveries']>[],
): Promise<void> {
  const rows = entries.map((e) => ({
    tenant: e.tenant,
    approval_id: e.approvalId,
    seq: e.seq,
    type: e.type,
    at: e.at,
    command_id: e.commandId,
    fields: JSON.stringify(e.fields),
    personal: JSON.stringify(e.personal),
    prev: e.prev,
    leaf: e.leaf,
    seal: e.seal,
    key_id: e.keyId,
  }));
  const tenant = rows[0]?.tenant ?? '';
  const apart = personal.map((p) => ({ tenant, approval_id: p.approvalId, seq: p.seq, name: p.name, salt: p.salt, value: JSON.stringify(p.value) }));
  try {
    await db
      .with('apart', (cte) => (apart.length > 0 ? cte.insertInto('entry_personal').values(apart) : NOTHING))
      .with('owing', (cte) => (owing.length > 0 ? cte.insertInto('deliveries').values(owing) : NOTHING))
      .insertInto('entries')
      .values(rows)
      .execute();
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    const what = isUniqueViolation(cause, 'entries_once_per_command') ? 'this command already has its entry' : 'another writer was first';
    throw new RecordError(
      'stale_head',
      `Nothing was appended to ${rows[0]?.approval_id ?? ''} after entry ${String((rows[0]?.seq ?? 1) - 1)}: ${what}; read the record and try again`,
      null,
      { cause },
    );
  }
}

/** An entry with everything that is still known of it. */
export interface TimelineEntry {
  readonly seq: number;
  readonly type: string;
  readonly at: Instant;
  readonly commandId: string | null;
  /** Event fields by name, business context as `context.<name>`; `[erased]` where personal data is gone. */
  readonly fields: { readonly [name: string]: Json };
  readonly leaf: string;
}

export async function readTimeline(db: Kysely<Tables>, tenant: string, approvalId: string): Promise<TimelineEntry[]> {
  // One statement, so that both halves come from one moment.
  const rows = await db
    .selectFrom('entries as e')
    .leftJoin('entry_personal as p', (join) =>
      join.onRef('p.tenant', '=', 'e.tenant').onRef('p.approval_id', '=', 'e.approval_id').onRef('p.seq', '=', 'e.seq'),
    )
    .select(['e.seq', 'e.type', 'e.at', 'e.command_id', 'e.fields', 'e.personal', 'e.leaf', 'p.name', 'p.value'])
    .where('e.tenant', '=', tenant)
    .where('e.approval_id', '=', approvalId)
    .orderBy('e.seq')
    .execute();
  const timeline: TimelineEntry[] = [];
  for (let i = 0; i < rows.length;) {
    const row = rows[i];
    if (!row) break;
    const apart: { name: string; value: Json }[] = [];
    for (; rows[i]?.seq === row.seq; i += 1) {
      const { name, value } = rows[i] ?? row;
      if (name !== null) apart.push({ name, value: value });
    }
    timeline.push({ seq: row.seq, type: row.type, at: row.at, commandId: row.command_id, fields: disclosedFields(row, apart), leaf: row.leaf });
  }
  return timeline;
}

/** An entry as {@link timelineValue} gives it. */
interface TimelineValue {
  readonly seq: number;
  readonly type: string;
  readonly at: string;
  readonly command: string | null;
  readonly fields: StoredEntry['fields'];
  readonly personal: StoredEntry['personal'];
  readonly leaf: string;
  readonly apart: readonly { readonly name: string; readonly value: Json }[] | null;
}

/** The same as one value, for a statement that reads more than the timeline; for {@link timelineOf}. */
export const timelineValue = (tenant: string, approvalId: string): RawBuilder<readonly TimelineValue[]> => sql`(
  select coalesce(json_agg(json_build_object('seq', e.seq, 'type', e.type, 'at', e.at, 'command', e.command_id, 'fields', e.fields, 'personal', e.personal, 'leaf', e.leaf,
    'apart', (select json_agg(json_build_object('name', p.name, 'value', p.value)) from entry_personal p
      where p.tenant = e.tenant and p.approval_id = e.approval_id and p.seq = e.seq)) order by e.seq), '[]')
  from entries e where e.tenant = ${tenant} and e.approval_id = ${approvalId})`;

export const timelineOf = (value: readonly TimelineValue[]): TimelineEntry[] =>
  value.map(({ seq, type, at, command, fields, personal, leaf, apart }) => ({
    seq,
    type,
    at: new Date(at).toISOString(),
    commandId: command,
    fields: disclosedFields({ fields, personal }, apart ?? []),
    leaf,
  }));

/** The approval's events in order, ready to fold. */
export async function readEvents(db: Kysely<Tables>, tenant: string, approvalId: string): Promise<Recorded[]> {
  const timeline = await readTimeline(db, tenant, approvalId);
  return timeline.map(({ seq, at, type, fields }) => ({ seq, at, event: eventOf(type, fields) as ApprovalEvent }));
}
