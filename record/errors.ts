/**
 * The one error of the record: a stable code and one sentence that says what, where and how to mend it.
 * Pure: imports nothing.
 */
export type RecordErrorCode =
  | 'not_json'
  | 'syntax'
  | 'duplicate_key'
  | 'integer_too_large'
  | 'lone_surrogate'
  | 'nul_character'
  | 'too_deep'
  | 'bad_keys'
  | 'bad_note'
  | 'bad_export'
  | 'bad_proof'
  | 'stale_head'
  | 'store_unreachable'
  | 'store_too_old'
  | 'store_too_new'
  | 'bad_role'
  | 'store_busy'
  | 'unknown_policy'
  | 'policy_moved'
  | 'unknown_agent';

export class RecordError extends Error {
  override readonly name = 'RecordError';

  constructor(
    readonly code: RecordErrorCode,
    message: string,
    /** Offset into the text that was read, in UTF-16 units, where one is known. */
    readonly position: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
