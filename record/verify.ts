/**
 * Verification of a whole record, offline, with the public keys alone: finds and names every changed, removed, reordered or added row.
 * What one export cannot tell: that its end was cut off together with the checkpoints about it. A checkpoint kept elsewhere (`witnesses`) tells.
 * Promises: hostile input gives findings, never an error; knows nothing of the store.
 * Pure.
 */
import type { PersonalField, StoredEntry } from './entry';
import type { Trusted } from './keys';
import type { CheckpointRow, LogRow } from './log';
import { strictVerify, type RawVerify } from './signing';
import type { Hash } from './tree';
import { byApproval, checkEntries, checkPersonal } from './verify/entries';
import { Findings, type Finding } from './verify/findings';
import { checkCheckpoints, checkLog } from './verify/log';
import { checkProofs } from './verify/proofs';
import { checkRequests, type RequestDigests } from './verify/requests';

export type { Finding, FindingCode } from './verify/findings';
export type { RequestDigests } from './verify/requests';

/** Everything that is on the record of one tenant. */
export interface RecordExport {
  readonly tenant: string;
  readonly entries: readonly StoredEntry[];
  readonly personal: readonly PersonalField[];
  readonly log: readonly LogRow[];
  readonly checkpoints: readonly CheckpointRow[];
  readonly requests: readonly RequestDigests[];
  /** Last entries as the projection of approvals names them: tells of a removed last entry that had no place in the log yet. */
  readonly heads: readonly { readonly approvalId: string; readonly seq: number; readonly hash: Hash }[];
}

export interface VerifyOptions {
  /** Notes of checkpoints that were kept elsewhere. */
  readonly witnesses?: readonly string[];
  /** A faster Ed25519, if the process has one. */
  readonly raw?: RawVerify;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly tenant: string;
  readonly entries: number;
  readonly approvals: number;
  /** Rows of the log, and the root over them. */
  readonly size: number;
  readonly root: Hash;
  readonly checkpoints: number;
  /** Entries without a place in the log yet. */
  readonly unplaced: number;
  /** Personal fields that were erased. */
  readonly erased: number;
  /** People's signatures that were checked, and those that erasure left uncheckable. */
  readonly signatures: { readonly checked: number; readonly uncheckable: number };
  readonly findings: readonly Finding[];
}

export function verifyRecord(record: RecordExport, trusted: Pick<Trusted, 'record' | 'command'>, options: VerifyOptions = {}): VerifyReport {
  const { tenant } = record;
  const raw = options.raw ?? strictVerify;
  const findings = new Findings();
  const context = { tenant, trusted: trusted.record, raw, findings };
  const groups = byApproval(record.entries);
  const log = [...record.log].sort((a, b) => a.position - b.position);
  const checkpoints = [...record.checkpoints].sort((a, b) => a.size - b.size);

  checkEntries(tenant, groups, trusted.record, raw, findings);
  const { fields, erased } = checkPersonal(groups, record.personal, findings);
  const signatures = checkProofs(groups, fields, trusted.command, raw, findings);
  const unplaced = checkLog(groups, log, context);
  const root = checkCheckpoints(log, checkpoints, options.witnesses ?? [], context);
  checkRequests(groups, record.requests, findings);
  checkHeads(record, groups, findings);

  const list = findings.list();
  return {
    ok: list.length === 0,
    tenant,
    entries: record.entries.length,
    approvals: groups.size,
    size: log.length,
    root,
    checkpoints: checkpoints.length,
    unplaced,
    erased,
    signatures,
    findings: list,
  };
}

function checkHeads({ heads }: RecordExport, groups: ReadonlyMap<string, readonly StoredEntry[]>, findings: Findings): void {
  for (const { approvalId, seq, hash } of heads) {
    const last = groups.get(approvalId)?.at(-1);
    if (seq > (last?.seq ?? 0))
      findings.add('entry_removed', { approvalId, seq }, `Entry ${String(seq)} of ${approvalId} was removed: the approval's row names it as the last`);
    else if (last && (last.seq !== seq || last.leaf !== hash)) {
      findings.add(
        'head_differs',
        { approvalId, seq: last.seq },
        `Entry ${String(last.seq)} of ${approvalId} is not the last that the approval's row names (entry ${String(seq)}): one of them was changed or added`,
      );
    }
  }
}
