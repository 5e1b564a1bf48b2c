/**
 * What a callback's body says, and whether its decision token says the same: shape and comparison only.
 * Must not import activities, workers or the store.
 */
import { isDeepStrictEqual } from 'node:util';
import { OUTCOMES, type ApprovalResult } from '../../domain/outcome';
import type { TokenClaims } from '../../domain/token';
import { ReceiverError } from './errors';

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function isResult(value: unknown): value is ApprovalResult {
  return (
    isObject(value) &&
    ['approvalId', 'tenant', 'reason', 'decidedAt', 'actionDigest', 'token'].every((name) => typeof value[name] === 'string') &&
    OUTCOMES.some((known) => known === value['outcome']) &&
    Array.isArray(value['deciders']) &&
    isObject(value['conditions']) &&
    isObject(value['policy']) &&
    isObject(value['next']) &&
    typeof value['next']['path'] === 'string'
  );
}

/** Information that somebody needs before they decide, in that person's words. */
export interface AskedQuestion {
  readonly tenant: string;
  readonly approvalId: string;
  /** Its id: `q1`. */
  readonly question: string;
  readonly text: string;
  /** Until when it is waited for. */
  readonly due: string;
}

const isQuestion = (value: unknown): value is AskedQuestion =>
  isObject(value) && ['tenant', 'approvalId', 'question', 'text', 'due'].every((name) => typeof value[name] === 'string');

export type Message =
  { readonly type: 'approval.ended'; readonly result: ApprovalResult } | { readonly type: 'approval.question'; readonly asked: AskedQuestion };

/** What a signed body says; null for a type of message that this receiver does not know. */
export function readMessage(body: string): Message | null {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch (cause) {
    throw new ReceiverError('body_malformed', 'The body is not JSON.', { cause });
  }
  if (!isObject(message) || typeof message['type'] !== 'string') throw new ReceiverError('body_malformed', 'The body is not a message: it has no type.');
  const { type, data } = message;
  if (type === 'approval.ended') {
    if (!isResult(data)) throw new ReceiverError('body_malformed', 'The body of approval.ended does not hold an outcome.');
    return { type, result: data };
  }
  if (type === 'approval.question') {
    if (!isQuestion(data)) throw new ReceiverError('body_malformed', 'The body of approval.question does not hold a question.');
    return { type, asked: data };
  }
  return null;
}

/** The token proves the outcome; a body that says otherwise is not acted on. */
export function requireSame(result: ApprovalResult, claims: TokenClaims): void {
  const { rows: _rows, ...policy } = claims.policy;
  const differs = (
    [
      ['approvalId', result.approvalId, claims.sub],
      ['tenant', result.tenant, claims.tenant],
      ['outcome', result.outcome, claims.outcome],
      ['actionDigest', result.actionDigest, claims.action_digest],
      ['conditions', result.conditions, claims.conditions],
      ['deciders', result.deciders, claims.deciders],
      ['policy', result.policy, policy],
    ] as const
  ).find(([, said, proved]) => !isDeepStrictEqual(said, proved));
  if (differs) throw new ReceiverError('token_mismatch', `The body's ${differs[0]} is not the one that the decision token proves.`);
}
