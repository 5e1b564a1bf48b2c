/**
 * The record against someone who owns the database: a superuser switches the triggers off, changes, removes, reorders or adds a row,
 * and `verify` must name it. Every attempt is made in a transaction of its own, which is rolled back.
 */
import fc from 'fast-check';
import { sql } from 'kysely';
import { leafOf, makeEntry } from '../../record/entry';
import { generateKeys } from '../../record/keys';
import { sealCheckpoint, sealLogRow } from '../../record/log';
import { makeNote } from '../../record/checkpoint';
import type { Trx } from '../../record/store/database';
import { exportTenant, readRecord, verifyStore } from '../../record/store/export';
import { nativeVerify } from '../../record/store/signatures';
import { verifyRecord, type Finding, type RecordExport } from '../../record/verify';
import { AT, writeRecord } from '../support/record';
import { useStore } from '../support/store';

const store = useStore();
// Hundreds of attempts, each verified whole.
const TENANT = 'acme';
const thief = generateKeys().record;
let whole: RecordExport;

beforeAll(async () => {
  await writeRecord(store.db, store.keys, TENANT, 9);
  whole = await exportTenant(store.db, TENANT);
});

class RollBack extends Error {}

/** Does it as a superuser without triggers, verifies what is there then, and undoes it. */
async function afterTampering(tamper: (trx: Trx) => Promise<unknown>): Promise<readonly Finding[]> {
  let findings: readonly Finding[] = [];
  await store.adminDb
    .transaction()
    .execute(async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx);
      await tamper(trx);
      findings = verifyRecord(await readRecord(trx, TENANT), store.keys.trusted, { raw: nativeVerify }).findings;
      throw new RollBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof RollBack)) throw error;
    });
  return findings;
}

interface Attempt {
  readonly what: string;
  readonly tamper: (trx: Trx) => Promise<unknown>;
  /** Whether a finding names the row. */
  readonly names: (finding: Finding) => boolean;
}

const flip = (text: string): string => (text.startsWith('0') ? '1' : '0') + text.slice(1);
const one = <T>(items: readonly T[], n: number): T => items[n % items.length] as T;
const entryAt = (e: { approvalId: string; seq: number }) => (f: Finding) => f.approvalId === e.approvalId && f.seq === e.seq;
const positionAt = (position: number) => (f: Finding) => f.position === position;
const whereEntry = (e: { approvalId: string; seq: number }) => sql`tenant = ${TENANT} and approval_id = ${e.approvalId} and seq = ${e.seq}`;

const ENTRY_CHANGES = [
  sql`type = type || 'x'`,
  sql`at = at + interval '1 millisecond'`,
  sql`command_id = coalesce(command_id, '') || 'x'`,
  sql`fields = fields || '{"added": {"salt": "AAAAAAAAAAAAAAAAAAAAAA", "value": true}}'`,
  sql`fields = fields - (select min(k) from jsonb_object_keys(fields) k)`,
  sql`fields = jsonb_set(fields, array[(select max(k) from jsonb_object_keys(fields) k), 'value'], '"changed"')`,
  sql`fields = jsonb_set(fields, array[(select max(k) from jsonb_object_keys(fields) k), 'salt'], '"AAAAAAAAAAAAAAAAAAAAAA"')`,
  sql`personal = personal || '{"added": "00"}'`,
  sql`prev = md5(prev) || md5(leaf)`,
  sql`leaf = md5(prev) || md5(leaf)`,
  sql`seal = reverse(seal)`,
  sql`key_id = reverse(key_id) || '0'`,
  sql`tenant = 'other'`,
  sql`approval_id = approval_id || 'x'`,
  sql`seq = seq + 500`,
];

const changedEntry = (row: number, column: number): Attempt => {
  // The last of a publication that has no place yet has no witness inside the database; those that have are as good as any.
  const e = one(whole.entries, row);
  const change = one(ENTRY_CHANGES, column);
  return {
    what: `entry ${e.approvalId}/${String(e.seq)} changed (${String(column % ENTRY_CHANGES.length)})`,
    tamper: (trx) => sql`update entries set ${change} where ${whereEntry(e)}`.execute(trx),
    names: entryAt(e),
  };
};

/** The change is made to look right everywhere a hash alone can make it so. */
const rewrittenEntry = (row: number): Attempt => {
  const e = one(whole.entries, row);
  const name = Object.keys(e.fields)[0] ?? '';
  const fields = { ...e.fields, [name]: { salt: e.fields[name]?.salt ?? '', value: 'rewritten' } };
  const leaf = leafOf({ ...e, fields });
  return {
    what: `entry ${e.approvalId}/${String(e.seq)} rewritten with a new leaf`,
    tamper: async (trx) => {
      await sql`update entries set fields = ${JSON.stringify(fields)}, leaf = ${leaf} where ${whereEntry(e)}`.execute(trx);
      await sql`update entries set prev = ${leaf} where tenant = ${TENANT} and approval_id = ${e.approvalId} and seq = ${e.seq + 1}`.execute(trx);
      await sql`update log set leaf = ${leaf} where ${whereEntry(e)}`.execute(trx);
    },
    names: entryAt(e),
  };
};

const removedEntry = (row: number, withLog: boolean): Attempt => {
  const e = one(whole.entries, row);
  const place = whole.log.find((l) => l.approvalId === e.approvalId && l.seq === e.seq);
  return {
    what: `entry ${e.approvalId}/${String(e.seq)} removed${withLog ? ' with its row of the log' : ''}`,
    tamper: async (trx) => {
      await sql`delete from entries where ${whereEntry(e)}`.execute(trx);
      if (withLog) await sql`delete from log where ${whereEntry(e)}`.execute(trx);
    },
    names: (f) => entryAt(e)(f) || (withLog && place !== undefined && f.position === place.position),
  };
};

const addedEntry = (row: number, fresh: boolean, seal: 'thief' | 'copied'): Attempt => {
  const last = whole.entries.filter((e) => e.approvalId === one(whole.entries, row).approvalId).at(-1) ?? one(whole.entries, row);
  const approvalId = fresh ? 'approval-never' : last.approvalId;
  const head = fresh ? { seq: 0, hash: '0'.repeat(64) } : { seq: last.seq, hash: last.leaf };
  const { entry } = makeEntry(
    { tenant: TENANT, approvalId, head, at: AT, event: { type: 'engine', what: 'nudged', why: 'forged' }, commandId: null, context: {} },
    thief,
    (n) => new Uint8Array(n),
  );
  const [sealText, keyId] = seal === 'thief' ? [entry.seal, entry.keyId] : [last.seal, last.keyId];
  return {
    what: `entry added to ${approvalId} with a ${seal} seal`,
    tamper: (trx) =>
      trx
        .insertInto('entries')
        .values({
          tenant: TENANT,
          approval_id: approvalId,
          seq: entry.seq,
          type: entry.type,
          at: entry.at,
          command_id: null,
          fields: JSON.stringify(entry.fields),
          personal: '{}',
          prev: entry.prev,
          leaf: entry.leaf,
          seal: sealText,
          key_id: keyId,
        })
        .execute(),
    names: entryAt(entry),
  };
};

const swappedEntries = (row: number, other: number): Attempt => {
  const a = one(whole.entries, row);
  const rest = whole.entries.filter((e) => e !== a && (other % 2 === 0 || e.approvalId === a.approvalId));
  const b = one(rest, other);
  return {
    what: `entries ${a.approvalId}/${String(a.seq)} and ${b.approvalId}/${String(b.seq)} change places`,
    tamper: async (trx) => {
      await sql`update entries set approval_id = 'aside', seq = 1 where ${whereEntry(a)}`.execute(trx);
      await sql`update entries set approval_id = ${a.approvalId}, seq = ${a.seq} where ${whereEntry(b)}`.execute(trx);
      await sql`update entries set approval_id = ${b.approvalId}, seq = ${b.seq} where tenant = ${TENANT} and approval_id = 'aside'`.execute(trx);
    },
    names: (f) => entryAt(a)(f) || entryAt(b)(f),
  };
};

const PERSONAL_CHANGES = [sql`value = '"changed"'`, sql`salt = 'AAAAAAAAAAAAAAAAAAAAAA'`, sql`name = name || 'x'`, sql`seq = seq + 500`];

const changedPersonal = (row: number, column: number): Attempt => {
  const p = one(whole.personal, row);
  const moved = column % PERSONAL_CHANGES.length === 3 ? 500 : 0;
  return {
    what: `personal field ${p.name} of ${p.approvalId}/${String(p.seq)} changed (${String(column % PERSONAL_CHANGES.length)})`,
    tamper: (trx) => sql`update entry_personal set ${one(PERSONAL_CHANGES, column)} where ${whereEntry(p)} and name = ${p.name}`.execute(trx),
    names: entryAt({ approvalId: p.approvalId, seq: p.seq + moved }),
  };
};

const addedPersonal = (row: number): Attempt => {
  const e = one(whole.entries, row);
  return {
    what: `personal field added to ${e.approvalId}/${String(e.seq)}`,
    tamper: (trx) =>
      trx.insertInto('entry_personal').values({ tenant: TENANT, approval_id: e.approvalId, seq: e.seq, name: 'planted', salt: 's', value: '1' }).execute(),
    names: entryAt(e),
  };
};

const LOG_CHANGES = [
  sql`leaf = md5(leaf) || md5(seal)`,
  sql`seq = seq + 500`,
  sql`approval_id = approval_id || 'x'`,
  sql`seal = reverse(seal)`,
  sql`key_id = 'x'`,
  sql`tenant = 'other'`,
];

const changedLog = (row: number, column: number): Attempt => {
  const l = one(whole.log, row);
  return {
    what: `position ${String(l.position)} changed (${String(column % LOG_CHANGES.length)})`,
    tamper: (trx) => sql`update log set ${one(LOG_CHANGES, column)} where tenant = ${TENANT} and position = ${l.position}`.execute(trx),
    names: positionAt(l.position),
  };
};

const removedLog = (row: number): Attempt => {
  const l = one(whole.log, row);
  return {
    what: `position ${String(l.position)} removed`,
    tamper: (trx) => sql`delete from log where tenant = ${TENANT} and position = ${l.position}`.execute(trx),
    names: positionAt(l.position),
  };
};

const swappedLog = (row: number, other: number): Attempt => {
  const a = one(whole.log, row);
  const b = one(
    whole.log.filter((l) => l !== a),
    other,
  );
  return {
    what: `positions ${String(a.position)} and ${String(b.position)} change places`,
    tamper: async (trx) => {
      await sql`update log set position = 100000 where tenant = ${TENANT} and position = ${a.position}`.execute(trx);
      await sql`update log set position = ${a.position} where tenant = ${TENANT} and position = ${b.position}`.execute(trx);
      await sql`update log set position = ${b.position} where tenant = ${TENANT} and position = 100000`.execute(trx);
    },
    names: (f) => positionAt(a.position)(f) || positionAt(b.position)(f),
  };
};

const addedLog = (row: number): Attempt => {
  const placed = new Set(whole.log.map((l) => `${l.approvalId}/${String(l.seq)}`));
  const e = one(
    whole.entries.filter((x) => !placed.has(`${x.approvalId}/${String(x.seq)}`)),
    row,
  );
  const l = sealLogRow({ tenant: TENANT, position: whole.log.length, approvalId: e.approvalId, seq: e.seq, leaf: e.leaf }, thief);
  return {
    what: `position ${String(l.position)} added`,
    tamper: (trx) =>
      trx
        .insertInto('log')
        .values({ tenant: TENANT, position: l.position, approval_id: l.approvalId, seq: l.seq, leaf: l.leaf, seal: l.seal, key_id: l.keyId })
        .execute(),
    names: positionAt(l.position),
  };
};

const CHECKPOINT_CHANGES = [
  sql`root = md5(root) || md5(seal)`,
  sql`note = replace(note, 'countersign', 'countersagn')`,
  sql`at = at + interval '1 day'`,
  sql`previous = previous + 1`,
  sql`range = range || '["00"]'`,
  sql`seal = reverse(seal)`,
  sql`key_id = 'x'`,
];

const changedCheckpoint = (row: number, column: number): Attempt => {
  const c = one(whole.checkpoints, row);
  return {
    what: `checkpoint ${String(c.size)} changed (${String(column % CHECKPOINT_CHANGES.length)})`,
    tamper: (trx) => sql`update checkpoints set ${one(CHECKPOINT_CHANGES, column)} where tenant = ${TENANT} and size = ${c.size}`.execute(trx),
    names: positionAt(c.size),
  };
};

const removedCheckpoint = (row: number): Attempt => {
  const c = one(whole.checkpoints, row);
  return {
    what: `checkpoint ${String(c.size)} removed`,
    tamper: (trx) => sql`delete from checkpoints where tenant = ${TENANT} and size = ${c.size}`.execute(trx),
    names: positionAt(c.size),
  };
};

const addedCheckpoint = (row: number): Attempt => {
  const l = one(
    whole.log.filter(({ position }) => !whole.checkpoints.some((c) => c.size === position + 1)),
    row,
  );
  const size = l.position + 1;
  const head = { size, root: l.leaf };
  const c = sealCheckpoint({ tenant: TENANT, ...head, note: makeNote(TENANT, head, thief), at: AT, previous: 0, range: [] }, thief);
  return {
    what: `checkpoint ${String(size)} added`,
    tamper: (trx) =>
      trx
        .insertInto('checkpoints')
        .values({ tenant: TENANT, size, root: c.root, note: c.note, at: AT, previous: 0, range: '[]', seal: c.seal, key_id: c.keyId })
        .execute(),
    names: positionAt(size),
  };
};

const REQUEST_CHANGES = [
  sql`body = jsonb_set(body, '{action,n}', '1000000')`,
  sql`body = body || '{"added": true}'`,
  sql`plan = plan || '{"tier": "none"}'`,
  sql`packet = '{}'`,
  sql`agent = 'another'`,
  sql`body_digest = reverse(body_digest)`,
  sql`packet_digest = reverse(packet_digest)`,
  sql`action_digest = reverse(action_digest)`,
  sql`approval_id = approval_id || 'x'`,
  sql`tenant = 'other'`,
];

const changedRequest = (row: number, column: number): Attempt => {
  const { approvalId } = one(whole.requests, row);
  return {
    what: `request of ${approvalId} changed (${String(column % REQUEST_CHANGES.length)})`,
    tamper: (trx) => sql`update requests set ${one(REQUEST_CHANGES, column)} where tenant = ${TENANT} and approval_id = ${approvalId}`.execute(trx),
    names: (f) => f.approvalId === approvalId,
  };
};

const removedRequest = (row: number): Attempt => {
  const { approvalId } = one(whole.requests, row);
  return {
    what: `request of ${approvalId} removed`,
    tamper: (trx) => sql`delete from requests where tenant = ${TENANT} and approval_id = ${approvalId}`.execute(trx),
    names: (f) => f.code === 'request_removed' && f.approvalId === approvalId,
  };
};

const addedRequest = (): Attempt => ({
  what: 'request added',
  tamper: (trx) =>
    sql`insert into requests select tenant, 'never', agent, 'never', body_digest, body, plan, packet, packet_digest, action_digest, created_at from requests limit 1`.execute(
      trx,
    ),
  names: (f) => f.code === 'request_added' && f.approvalId === 'never',
});

const KINDS: readonly ((row: number, other: number) => Attempt)[] = [
  changedEntry,
  changedEntry,
  changedEntry,
  rewrittenEntry,
  (row) => removedEntry(row, false),
  (row) => removedEntry(row, true),
  (row, other) => addedEntry(row, other % 2 === 0, other % 3 === 0 ? 'thief' : 'copied'),
  swappedEntries,
  changedPersonal,
  addedPersonal,
  changedLog,
  removedLog,
  swappedLog,
  addedLog,
  changedCheckpoint,
  removedCheckpoint,
  addedCheckpoint,
  changedRequest,
  removedRequest,
  addedRequest,
];

test('the record, left alone, is found whole', async () => {
  const report = await verifyStore(store.db, store.keys.trusted, TENANT);
  expect(report).toMatchObject({ ok: true, findings: [], erased: 0, approvals: 10 });
  expect(report.unplaced).toBeGreaterThan(0);
  expect(report.checkpoints).toBeGreaterThan(3);
  expect(report.signatures).toEqual({ checked: 15, uncheckable: 0 });
});

test('every column of every table is covered by some change', async () => {
  const uncovered: string[] = [];
  const attempts = [
    ...ENTRY_CHANGES.map((_, n) => changedEntry(7, n)),
    ...PERSONAL_CHANGES.map((_, n) => changedPersonal(3, n)),
    ...LOG_CHANGES.map((_, n) => changedLog(5, n)),
    ...CHECKPOINT_CHANGES.map((_, n) => changedCheckpoint(2, n)),
    ...REQUEST_CHANGES.map((_, n) => changedRequest(2, n)),
  ];
  for (const { what, tamper, names } of attempts) if (!(await afterTampering(tamper)).some(names)) uncovered.push(what);
  expect(uncovered).toEqual([]);
});

test('a changed, removed, reordered or added row is found and named', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(KINDS.length - 1), fc.nat(1000), fc.nat(1000), async (kind, row, other) => {
      const { what, tamper, names } = (KINDS[kind] as (typeof KINDS)[number])(row, other);
      const findings = await afterTampering(tamper);
      if (!findings.some(names)) throw new Error(`Not named: ${what}\n${findings.map((f) => `${f.code}: ${f.message}`).join('\n')}`);
    }),
    { numRuns: 250 },
  );
});

test('a log cut at its end with its checkpoints is told by a checkpoint that someone kept', async () => {
  const kept = whole.checkpoints.at(-1);
  const before = whole.checkpoints.at(-2);
  if (!kept || !before) throw new Error('the record has too few checkpoints');
  const cut = { ...whole, log: whole.log.filter((l) => l.position < before.size), checkpoints: whole.checkpoints.filter((c) => c !== kept) };
  expect(verifyRecord(cut, store.keys.trusted).ok).toBe(true);
  expect(verifyRecord(cut, store.keys.trusted, { witnesses: [kept.note] }).findings).toMatchObject([{ code: 'witness_contradicted', position: kept.size }]);
  expect(verifyRecord(whole, store.keys.trusted, { witnesses: whole.checkpoints.map((c) => c.note) }).ok).toBe(true);
  expect(verifyRecord(whole, store.keys.trusted, { witnesses: [makeNote(TENANT, { size: before.size, root: flip(before.root) }, store.keys.record)] }).ok).toBe(
    false,
  );
});

test('with other keys nothing is believed', () => {
  const codes = new Set(verifyRecord(whole, generateKeys().trusted, { raw: nativeVerify }).findings.map((f) => f.code));
  expect([...codes].sort()).toEqual(['checkpoint_changed', 'entry_forged', 'log_changed', 'signature_invalid']);
});
