/**
 * Each entry by itself and after the one before it: digests, leaf, seal, sequence, chain, and the personal fields that lie apart.
 * Pure.
 */
import { fieldDigest, leafOf, ZERO_HASH, type PersonalField, type StoredEntry } from '../entry';
import type { PublicKeys } from '../keys';
import { checkSignature, type RawVerify } from '../signing';
import { gaps, type Findings } from './findings';

export const entryKey = (approvalId: string, seq: number): string => JSON.stringify([approvalId, seq]);

const named = (e: { readonly approvalId: string; readonly seq: number }): string => `Entry ${String(e.seq)} of ${e.approvalId}`;

/** Entries by approval, in the order of their sequence numbers. */
export function byApproval(entries: readonly StoredEntry[]): ReadonlyMap<string, readonly StoredEntry[]> {
  const groups = new Map<string, StoredEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.approvalId);
    if (group) group.push(entry);
    else groups.set(entry.approvalId, [entry]);
  }
  for (const group of groups.values()) group.sort((a, b) => a.seq - b.seq);
  return groups;
}

export function checkEntries(
  tenant: string,
  groups: ReadonlyMap<string, readonly StoredEntry[]>,
  trusted: PublicKeys,
  raw: RawVerify,
  findings: Findings,
): void {
  for (const [approvalId, group] of groups) {
    let before: StoredEntry | null = null;
    for (const entry of group) {
      checkContent(tenant, entry, trusted, raw, findings);
      checkOrder(approvalId, before, entry, findings);
      before = entry;
    }
  }
}

function checkContent(tenant: string, entry: StoredEntry, trusted: PublicKeys, raw: RawVerify, findings: Findings): void {
  if (entry.tenant !== tenant || leafOrNull(entry) !== entry.leaf) {
    findings.add('entry_changed', entry, `${named(entry)} (${entry.type}) was changed: its content is not what its leaf commits to`);
    return;
  }
  const verdict = checkSignature(trusted, entry.keyId, 'countersign/entry/v1', entry.leaf, entry.seal, raw);
  if (verdict === 'valid') return;
  const why = verdict === 'unknown_key' ? `its seal names the key ${entry.keyId}, which is not a trusted record key` : 'its seal is not that of the record key';
  findings.add('entry_forged', entry, `${named(entry)} (${entry.type}) was added or rewritten by someone without the record key: ${why}`);
}

/** Content that has no canonical form cannot be what was sealed. */
function leafOrNull(entry: StoredEntry): string | null {
  try {
    return leafOf(entry);
  } catch {
    return null;
  }
}

function checkOrder(approvalId: string, before: StoredEntry | null, entry: StoredEntry, findings: Findings): void {
  const last = before?.seq ?? 0;
  if (entry.seq === last) {
    findings.add('entry_repeated', entry, `${named(entry)} is there more than once`);
    return;
  }
  for (const { at, text } of gaps(last + 1, entry.seq))
    findings.add('entry_removed', { approvalId, seq: at }, `Entry ${text} of ${approvalId} was removed: entry ${String(entry.seq)} follows it`);
  if (entry.seq !== last + 1 || entry.prev === (before?.leaf ?? ZERO_HASH)) return;
  // What was changed is already named; its neighbour is whole.
  if (findings.names(approvalId, entry.seq) || (before && findings.names(approvalId, before.seq))) return;
  findings.add('entry_reordered', entry, `${named(entry)} does not follow entry ${String(last)}: it was sealed after another one`);
}

export interface PersonalReport {
  /** Personal fields by entry, those that are what was committed to. */
  readonly fields: ReadonlyMap<string, readonly PersonalField[]>;
  /** Fields that are gone, rightly: erasure leaves every proof valid. */
  readonly erased: number;
}

export function checkPersonal(groups: ReadonlyMap<string, readonly StoredEntry[]>, rows: readonly PersonalField[], findings: Findings): PersonalReport {
  const entries = new Map([...groups.values()].flat().map((e) => [entryKey(e.approvalId, e.seq), e]));
  const fields = new Map<string, PersonalField[]>();
  for (const row of rows) {
    const key = entryKey(row.approvalId, row.seq);
    const personal = entries.get(key)?.personal ?? {};
    const of = `The personal field ${row.name} of entry ${String(row.seq)} of ${row.approvalId}`;
    if (!Object.hasOwn(personal, row.name)) findings.add('personal_added', row, `${of} was added: that entry does not commit to it`);
    else if (digestOrNull(row) !== personal[row.name]) findings.add('personal_changed', row, `${of} was changed: it is not what the entry commits to`);
    else fields.set(key, [...(fields.get(key) ?? []), row]);
  }
  const held = new Set(rows.map((row) => JSON.stringify([row.approvalId, row.seq, row.name])));
  let erased = 0;
  for (const e of entries.values()) for (const name of Object.keys(e.personal)) if (!held.has(JSON.stringify([e.approvalId, e.seq, name]))) erased += 1;
  return { fields, erased };
}

function digestOrNull(row: PersonalField): string | null {
  try {
    return fieldDigest(row.name, row);
  } catch {
    return null;
  }
}
