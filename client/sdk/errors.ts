/**
 * The one error of the SDK: the API's stable code and sentence, or why there was no answer. Pure.
 */
import type { Problem, ProblemCode, ProblemIssue } from '../api/problems';

export type CountersignCode = ProblemCode | 'unreachable' | 'unexpected_answer' | 'wait_timed_out';

export class CountersignError extends Error {
  override readonly name = 'CountersignError';

  constructor(
    readonly code: CountersignCode,
    message: string,
    /** The HTTP status; null when there was no answer. */
    readonly status: number | null,
    readonly issues: readonly ProblemIssue[] = [],
    options?: ErrorOptions,
    /** When the server wants to be asked again, in milliseconds from its answer; null where it did not say. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message, options);
  }

  /**
   * Whether the same call may succeed later without a change: no answer, too many requests, or a fault of the server. Not while people have
   * stopped the intake: whoever knocked all the while would come in a flood when they let it go on.
   */
  get retryable(): boolean {
    if (this.code === 'intake_paused') return false;
    return this.status === null ? this.code !== 'wait_timed_out' : this.status === 429 || this.status >= 500;
  }
}

const isProblem = (body: unknown): body is Problem =>
  typeof body === 'object' && body !== null && 'code' in body && typeof body.code === 'string' && 'detail' in body && typeof body.detail === 'string';

/** The error that an answer outside 2xx is. `retryAfter`: the header of that name, in seconds. */
export function errorOf(status: number, body: unknown, retryAfter: string | null): CountersignError {
  const after = retryAfter !== null && /^\d{1,5}$/.test(retryAfter) ? Number(retryAfter) * 1000 : null;
  return isProblem(body)
    ? new CountersignError(body.code, body.detail, status, body.issues ?? [], {}, after)
    : new CountersignError('unexpected_answer', `The server answered ${String(status)} without saying why; is this the address of Countersign?`, status);
}
