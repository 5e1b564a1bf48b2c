/**
 * What a caller is told when something is refused: RFC 9457 problems with stable codes.
 * Pure: knows codes, statuses and sentences; never a stack, never a database's or an engine's own words.
 */
import type { SubmitCode } from '../../activities/errors';
import { REFUSALS, type Refusal, type RefusalCode } from '../../domain/moves';

/** Status and title of each code that is not a move's refusal. */
const PROBLEMS = {
  // the caller
  unauthenticated: [401, 'Who are you?'],
  forbidden: [403, 'Not yours to do'],
  not_found: [404, 'Not found'],
  rate_limited: [429, 'Too many requests'],
  // the message
  invalid_json: [400, 'Not readable as JSON'],
  duplicate_key: [400, 'A key is given twice'],
  integer_too_large: [400, 'A number too large to be exact'],
  nul_character: [400, 'Text with a character that cannot be kept'],
  too_deep: [400, 'Nested too deep'],
  lone_surrogate: [400, 'Text that is not Unicode'],
  idempotency_key_required: [400, 'Idempotency-Key is missing'],
  unsupported_media_type: [415, 'Send JSON'],
  invalid_request: [422, 'The request is not well-formed'],
  invalid_query: [400, 'The address has a malformed part'],
  too_large: [413, 'Too large'],
  // moves of many at once
  mixed_batch: [422, 'Not similar enough for one act'],
  // intake
  unknown_scope: [422, 'There is nothing of that name to pause'],
  // submit
  unknown_action: [422, 'Unknown action'],
  missing_fact: [422, 'A fact is missing'],
  mistyped_fact: [422, 'A fact has another type'],
  forbidden_fact: [422, 'A fact that is not yours to claim'],
  missing_evidence: [422, 'Evidence is missing'],
  amount_unreadable: [422, 'The amount cannot be read'],
  fact_unavailable: [503, 'A fact cannot be had now'],
  no_such_refusal: [422, 'There is no such refusal'],
  exception_taken: [409, 'There is an exception already'],
  no_exception: [422, 'The policy makes no exception'],
  no_such_answer: [422, 'There is no such answer'],
  key_reused: [409, 'The key was used for something else'],
  callback_not_allowed: [422, 'The callback address is not allowed'],
  workflow_not_allowed: [422, 'The workflow to resume belongs to Countersign'],
  intake_paused: [503, 'Requests are not taken now'],
  no_policy: [503, 'No policy is published'],
  no_directory: [503, 'No directory is published'],
  policy_broken: [500, 'The policy cannot be read'],
  // people
  absence_invalid: [422, 'Not an absence'],
  deputy_invalid: [422, 'Not a deputy'],
  // ours
  busy: [503, 'Busy'],
  unavailable: [503, 'Not ready'],
  internal: [500, 'Something went wrong here'],
} as const satisfies Record<SubmitCode, readonly [number, string]> & Record<string, readonly [number, string]>;

/** How each refused move is told. */
const REFUSED: Readonly<Record<RefusalCode, number>> = {
  unknown_command: 409,
  unsigned_message: 403,
  bad_signature: 403,
  command_expired: 409,
  wrong_approval: 409,
  already_decided: 409,
  not_a_person: 403,
  role_not_held: 403,
  authority_exceeded: 403,
  requester_may_not_decide: 403,
  same_person: 403,
  stale_packet: 409,
  claimed_by_another: 409,
  not_claimed: 409,
  already_signed: 409,
  not_taken_over: 409,
  taken_over_by_another: 409,
  reason_required: 422,
  sign_in_too_old: 403,
  approval_needs_takeover: 422,
  condition_not_offered: 422,
  condition_required: 422,
  condition_needs_more: 409,
  policy_unreadable: 409,
  answer_not_asked: 422,
  answer_invalid: 422,
  refuser_may_not_grant: 403,
  not_open: 409,
  text_required: 422,
  not_involved: 403,
  not_an_operator: 403,
  not_the_agent: 403,
  unknown_person: 422,
  unknown_question: 409,
  too_many_questions: 409,
  not_asked: 403,
  evidence_invalid: 422,
  too_much_evidence: 409,
  assignee_unfit: 422,
  nobody_above: 409,
  extension_not_allowed: 403,
  extension_too_long: 422,
  override_not_allowed: 403,
  override_reason_unknown: 422,
  break_glass_not_allowed: 403,
  unknown_delivery: 422,
  delivery_not_given_up: 409,
  update_too_late: 422,
  bulk_not_allowed: 403,
  already_chosen: 409,
};

export type ProblemCode = keyof typeof PROBLEMS | RefusalCode;

export const PROBLEM_CODES: readonly ProblemCode[] = [...(Object.keys(PROBLEMS) as (keyof typeof PROBLEMS)[]), ...REFUSALS];

const isRefusal = (code: ProblemCode): code is RefusalCode => (REFUSALS as readonly string[]).includes(code);

export const statusOf = (code: ProblemCode): number => (isRefusal(code) ? REFUSED[code] : PROBLEMS[code][0]);

export const titleOf = (code: ProblemCode): string => (isRefusal(code) ? 'The move was refused' : PROBLEMS[code][1]);

/** One thing that is wrong, with where it is. */
export interface ProblemIssue {
  readonly code: string;
  readonly path: string;
  readonly message: string;
}

/** The body of an `application/problem+json` answer. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly issues?: readonly ProblemIssue[];
  /** For `internal`: what to tell the operator, who finds the cause under it in the log. */
  readonly reference?: string;
  /** For refused moves: the stored command. */
  readonly command_id?: string;
  readonly state?: string;
}

/** An answer that is a problem. The one error class of the API; the message is the sentence the caller reads. */
export class ApiError extends Error {
  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly extra: Partial<Pick<Problem, 'issues' | 'reference' | 'command_id' | 'state'>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ApiError';
  }
}

export const problemOf = (error: ApiError): Problem => ({
  type: `/problems/${error.code}`,
  title: titleOf(error.code),
  status: statusOf(error.code),
  detail: error.message,
  code: error.code,
  ...error.extra,
});

/** What a caller may not see answers exactly as what does not exist. */
export const notFound = (what: string): ApiError => new ApiError('not_found', `There is no such ${what}, or it is not yours to see`);

export const refused = ({ code, message }: Refusal, commandId: string, state: string): ApiError =>
  new ApiError(code, message, { command_id: commandId, state });
