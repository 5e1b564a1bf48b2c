/**
 * The error of payload encryption: a stable code and one sentence that says what, where and how to mend it.
 * Imports nothing.
 */
export type CodecErrorCode =
  /** The keys file is not one. */
  | 'bad_payload_keys'
  /** Encrypted with a key that this process was not given. */
  | 'unknown_payload_key'
  /** Not what was encrypted: changed, cut off, or under another key's or tenant's name. */
  | 'payload_altered'
  /** Encrypted for one tenant and found in the history of another. */
  | 'payload_of_another_tenant';

export class CodecError extends Error {
  override readonly name = 'CodecError';

  constructor(
    readonly code: CodecErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
