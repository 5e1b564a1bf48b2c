/**
 * The tenant's one order and its signed heads: rows sealed and without gaps, each for its entry, and every checkpoint's root that of the leaves before it.
 * Pure.
 */
import type { StoredEntry } from '../entry';
import { readNote } from '../checkpoint';
import type { PublicKeys } from '../keys';
import { checkpointBody, logBody, type CheckpointRow, type LogRow } from '../log';
import { checkSignature, type RawVerify } from '../signing';
import { EMPTY_RANGE, extend, isHash, rootOf, type Hash, type Range } from '../tree';
import { entryKey } from './entries';
import { gaps, type Findings } from './findings';

interface Context {
  readonly tenant: string;
  readonly trusted: PublicKeys;
  readonly raw: RawVerify;
  readonly findings: Findings;
}

/** How many entries have no place yet. That is no fault: places are given after entries count. */
export function checkLog(groups: ReadonlyMap<string, readonly StoredEntry[]>, rows: readonly LogRow[], { tenant, trusted, raw, findings }: Context): number {
  const entries = new Map([...groups.values()].flat().map((e) => [entryKey(e.approvalId, e.seq), e]));
  const placed = new Map<string, number>();
  const last = new Map<string, number>();
  let next = 0;
  for (const row of rows) {
    const { position, approvalId, seq } = row;
    const at = { approvalId, seq, position };
    const of = `Position ${String(position)} of the log (entry ${String(seq)} of ${approvalId})`;
    if (position < next) findings.add('log_repeated', at, `${of} is there more than once`);
    for (const gap of gaps(next, position)) findings.add('log_removed', { position: gap.at }, `Position ${gap.text} of the log was removed`);
    next = Math.max(next, position + 1);
    const sealed = row.tenant === tenant && checkSignature(trusted, row.keyId, 'countersign/log/v1', logBody(row), row.seal, raw) === 'valid';
    if (!sealed) findings.add('log_changed', at, `${of} was changed, moved or added by someone without the record key`);
    const key = entryKey(approvalId, seq);
    const entry = entries.get(key);
    if (!entry) findings.add('entry_removed', at, `Entry ${String(seq)} of ${approvalId} was removed: position ${String(position)} of the log tells of it`);
    else if (entry.leaf !== row.leaf && sealed && !findings.names(approvalId, seq))
      findings.add('entry_changed', at, `Entry ${String(seq)} of ${approvalId} is not the one that position ${String(position)} of the log tells of`);
    if (placed.has(key) && sealed) findings.add('log_repeated', at, `${of} tells of an entry that has position ${String(placed.get(key))} already`);
    if (seq < (last.get(approvalId) ?? 0) && sealed) findings.add('log_reordered', at, `${of} comes after a later entry of the same approval`);
    placed.set(key, position);
    last.set(approvalId, Math.max(seq, last.get(approvalId) ?? 0));
  }
  let unplaced = 0;
  for (const entry of entries.values()) {
    if (placed.has(entryKey(entry.approvalId, entry.seq))) continue;
    unplaced += 1;
    if (entry.seq < (last.get(entry.approvalId) ?? 0))
      findings.add(
        'log_removed',
        entry,
        `Entry ${String(entry.seq)} of ${entry.approvalId} has no place in the log, though a later one has: its row was removed or changed`,
      );
  }
  return unplaced;
}

/** Tree heads over the log's leaves, asked for in ascending size. */
function headsOf(leaves: readonly Hash[]): (size: number) => Range {
  let range = EMPTY_RANGE;
  return (size) => (range = extend(range, leaves.slice(range.size, size)));
}

/** Leaves from position 0 to the first that is missing or no hash. */
function leavesOf(rows: readonly LogRow[]): readonly Hash[] {
  const leaves: Hash[] = [];
  for (const row of rows) {
    if (row.position < leaves.length) continue;
    if (row.position > leaves.length || !isHash(row.leaf)) break;
    leaves.push(row.leaf);
  }
  return leaves;
}

export function checkCheckpoints(rows: readonly LogRow[], checkpoints: readonly CheckpointRow[], witnesses: readonly string[], context: Context): Hash {
  const { findings } = context;
  const leaves = leavesOf(rows);
  const heads = headsOf(leaves);
  let before = 0;
  let good = 0;
  for (const checkpoint of checkpoints) {
    const { size, previous } = checkpoint;
    const at = { position: size };
    const of = `The checkpoint at size ${String(size)}`;
    if (size === before) findings.add('checkpoint_repeated', at, `${of} is there more than once`);
    const fault = faultOf(checkpoint, context);
    if (fault !== null) findings.add('checkpoint_changed', at, `${of} was changed or added by someone without the record key: ${fault}`);
    else if (previous !== before && size !== before)
      findings.add(
        'checkpoint_removed',
        { position: previous },
        `The checkpoint at size ${String(previous)} was removed: the one at size ${String(size)} follows it`,
      );
    if (fault === null && size > leaves.length)
      findings.add(
        'log_removed',
        { position: leaves.length },
        `The log ends or breaks at position ${String(leaves.length)}, but a checkpoint was signed at size ${String(size)}`,
      );
    else if (fault === null) {
      const range = heads(size);
      if (rootOf(range) !== checkpoint.root || range.roots.join() !== checkpoint.range.join())
        findings.add(
          'root_differs',
          at,
          `The leaves that were signed at size ${String(size)} are not those of the log: one of the positions ${String(good)} to ${String(size - 1)} or before was changed`,
        );
      else good = size;
    }
    before = size;
  }
  if (rows.length > 0 && before < leaves.length)
    findings.add(
      'checkpoint_removed',
      { position: leaves.length },
      `The checkpoint at size ${String(leaves.length)} was removed, or positions from ${String(before)} on were added: no checkpoint covers them`,
    );
  for (const note of witnesses) checkWitness(note, leaves, context);
  return rootOf(extend(EMPTY_RANGE, leaves));
}

function faultOf(c: CheckpointRow, { tenant, trusted, raw }: Context): string | null {
  if (c.tenant !== tenant) return 'it is of another tenant';
  if (checkSignature(trusted, c.keyId, 'countersign/checkpoint/v1', checkpointBody(c), c.seal, raw) !== 'valid')
    return 'its seal is not that of the record key';
  const note = readNote(tenant, c.note, trusted, raw);
  if (!note.ok) return `its note does not verify (${note.why})`;
  return note.head.size === c.size && note.head.root === c.root ? null : 'its note tells of another head';
}

/** A checkpoint that was handed out, say with a token: the log may have grown since, but never differ or shrink. */
function checkWitness(text: string, leaves: readonly Hash[], { tenant, trusted, raw, findings }: Context): void {
  const note = readNote(tenant, text, trusted, raw);
  if (!note.ok) {
    findings.add('witness_contradicted', {}, `A checkpoint that was kept elsewhere is not one of this log (${note.why})`);
    return;
  }
  const { size, root } = note.head;
  const at = { position: size };
  if (size > leaves.length)
    findings.add(
      'witness_contradicted',
      at,
      `The log was cut: a checkpoint kept elsewhere was signed at size ${String(size)}, but only ${String(leaves.length)} positions are left`,
    );
  else if (rootOf(extend(EMPTY_RANGE, leaves.slice(0, size))) !== root)
    findings.add('witness_contradicted', at, `The log was rewritten: a checkpoint kept elsewhere tells of other leaves before position ${String(size)}`);
}
