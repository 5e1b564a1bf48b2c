/**
 * What verification may find, and how a finding names its place.
 * Pure: imports nothing.
 */

/**
 * `entry_changed`: its content is not what its leaf commits to. `entry_forged`: whole, but not sealed by the record key: added or rewritten.
 * `entry_removed`: others tell of it, but it is gone. `entry_repeated`: twice the same place. `entry_reordered`: it does not follow the entry before it.
 * `personal_changed`, `personal_added`: a personal field that its entry does not commit to. `signature_invalid`: a person's command does not bear their signature.
 * `log_…`: the tenant's order. `checkpoint_…`: its signed heads. `root_differs`: the first leaves are not those that were signed.
 * `request_…`: what was asked and planned, which lies beside the record, is not what it commits to.
 * `head_differs`: the approval's projection names another last entry. `witness_contradicted`: a checkpoint that someone kept tells of another log.
 */
export type FindingCode =
  | 'entry_changed'
  | 'entry_forged'
  | 'entry_removed'
  | 'entry_repeated'
  | 'entry_reordered'
  | 'personal_changed'
  | 'personal_added'
  | 'signature_invalid'
  | 'log_changed'
  | 'log_removed'
  | 'log_repeated'
  | 'log_reordered'
  | 'checkpoint_changed'
  | 'checkpoint_removed'
  | 'checkpoint_repeated'
  | 'root_differs'
  | 'head_differs'
  | 'request_changed'
  | 'request_removed'
  | 'request_added'
  | 'witness_contradicted';

export interface Finding {
  readonly code: FindingCode;
  readonly approvalId: string | null;
  readonly seq: number | null;
  /** Position in the log, or the size of a checkpoint. */
  readonly position: number | null;
  /** One sentence. */
  readonly message: string;
}

export interface Place {
  readonly approvalId?: string;
  readonly seq?: number;
  readonly position?: number;
}

/** Findings in the order they were made; the same one is kept once. */
export class Findings {
  private readonly found = new Map<string, Finding>();

  add(code: FindingCode, place: Place, message: string): void {
    const { approvalId = null, seq = null, position = null } = place;
    const key = JSON.stringify([code, approvalId, seq, position]);
    if (!this.found.has(key)) this.found.set(key, { code, approvalId, seq, position, message });
  }

  /** Whether something was already found about that entry. */
  names(approvalId: string, seq: number): boolean {
    return this.list().some((f) => f.approvalId === approvalId && f.seq === seq);
  }

  list(): readonly Finding[] {
    return [...this.found.values()];
  }
}

/** Numbers from `from` up to `to` (exclusive), as a list when they are few and as one range when a hostile gap is wide. */
export function gaps(from: number, to: number): readonly { readonly at: number; readonly text: string }[] {
  if (to - from > 100) return [{ at: from, text: `${String(from)} to ${String(to - 1)}` }];
  return Array.from({ length: Math.max(0, to - from) }, (_, n) => ({ at: from + n, text: String(from + n) }));
}
