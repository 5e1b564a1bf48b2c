/**
 * Why a callback was not accepted. One class, a closed union of codes, each with the status that answers it.
 * Imports nothing.
 */
const STATUS = {
  too_large: 413,
  method_refused: 405,
  headers_missing: 401,
  id_malformed: 401,
  timestamp_malformed: 401,
  timestamp_stale: 401,
  signature_mismatch: 401,
  body_not_text: 400,
  body_malformed: 400,
  token_refused: 422,
  token_mismatch: 422,
  /** Not the sender's fault: it tries again. */
  keys_unavailable: 503,
  outcome_failed: 500,
} as const;

export type ReceiverCode = keyof typeof STATUS;

export class ReceiverError extends Error {
  readonly status: number;
  constructor(
    readonly code: ReceiverCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ReceiverError';
    this.status = STATUS[code];
  }
}

/** What the caller gets. */
export interface Answer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
}

/** The answer to an error; only our own sentences are shown. */
export function refused(error: unknown): Answer {
  const known = error instanceof ReceiverError ? error : new ReceiverError('outcome_failed', 'The receiver failed; send it again.', { cause: error });
  return { status: known.status, body: JSON.stringify({ code: known.code, message: known.message }) };
}
