/**
 * The error of this boundary: a stable code and one sentence that says what, where and how to mend it.
 * Imports nothing.
 */
export const SUBMIT_CODES = [
  'invalid_request',
  'too_large',
  'unknown_action',
  'missing_fact',
  'mistyped_fact',
  'forbidden_fact',
  'missing_evidence',
  'amount_unreadable',
  'fact_unavailable',
  'no_such_refusal',
  'exception_taken',
  'no_exception',
  'no_such_answer',
  'key_reused',
  'callback_not_allowed',
  'workflow_not_allowed',
  'intake_paused',
  'no_policy',
  'no_directory',
  'policy_broken',
] as const;
export type SubmitCode = (typeof SUBMIT_CODES)[number];

export interface Issue {
  readonly code: string;
  /** Where in the request: `action.params.amount`. */
  readonly path: string;
  readonly message: string;
}

/** A request that was not taken; nothing of it is stored. */
export class SubmitError extends Error {
  constructor(
    readonly code: SubmitCode,
    message: string,
    readonly issues: readonly Issue[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'SubmitError';
  }
}

export type CommitCode = 'not_submitted' | 'no_directory';

/** A commit that cannot be tried at all. A refused move is not an error: it is an answer. */
export class CommitError extends Error {
  constructor(
    readonly code: CommitCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CommitError';
  }
}

type IntakeCode = 'reason_required' | 'unknown_scope';

/** Intake that cannot be paused or resumed as it was said; nothing has changed. */
export class IntakeError extends Error {
  constructor(
    readonly code: IntakeCode,
    message: string,
  ) {
    super(message);
    this.name = 'IntakeError';
  }
}
