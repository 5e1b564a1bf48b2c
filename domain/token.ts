/**
 * The decision token's format: what it claims and how it is marked. A compact JWS that proves one outcome, bound to the
 * exact action, conditions, policy and deciders. Minted in activities/tokens, verified there and by receivers.
 * Pure: imports types only.
 */
import type { JsonObject } from './json';
import { OUTCOMES, type Decider, type Outcome } from './outcome';
import type { PolicyRef } from './plan';

/** Explicit typing (RFC 8725, 3.11): a token made for something else is not a decision. */
export const TOKEN_TYP = 'countersign-decision+jwt';
/** RFC 9864: fully specified, unlike the older polymorphic `EdDSA`. */
export const TOKEN_ALG = 'Ed25519';
/** Longer than the callback's retries last (about three days). */
export const TOKEN_TTL_MS = 7 * 24 * 3_600_000;

export interface TokenClaims {
  readonly iss: string;
  /** The approval. */
  readonly sub: string;
  /** For whom: {@link tokenAudience}. */
  readonly aud: string;
  /** Single use: redeemed once. The same decision minted again has the same id. */
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly agent: string;
  readonly tenant: string;
  readonly outcome: Outcome;
  readonly action_digest: string;
  readonly conditions: JsonObject;
  /** With conditions about params: digest of the action without those params, so that all else can be compared. Else absent. */
  readonly action_rest_digest?: string;
  readonly policy: PolicyRef & { readonly rows: readonly string[] };
  readonly deciders: readonly Decider[];
  /** Sequence of the entry on the approval's record that says so. */
  readonly entry: number;
}

export const tokenAudience = (tenant: string, agent: string): string => `${tenant}/${agent}`;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isDecider = (value: unknown): boolean => isObject(value) && isText(value['person']) && isText(value['role']) && isText(value['at']);

/** Whether a payload is a decision's claims, each of the right type: a signature alone does not say so. */
export function isTokenClaims(payload: unknown): payload is TokenClaims {
  if (!isObject(payload)) return false;
  const { policy, deciders, outcome } = payload;
  return (
    [payload['iss'], payload['sub'], payload['aud'], payload['jti'], payload['agent'], payload['tenant'], payload['action_digest']].every(isText) &&
    [payload['iat'], payload['exp'], payload['entry']].every(isCount) &&
    OUTCOMES.some((known) => known === outcome) &&
    isObject(payload['conditions']) &&
    (payload['action_rest_digest'] === undefined || isText(payload['action_rest_digest'])) &&
    isObject(policy) &&
    isText(policy['name']) &&
    isText(policy['version']) &&
    isText(policy['hash']) &&
    Array.isArray(policy['rows']) &&
    policy['rows'].every(isText) &&
    Array.isArray(deciders) &&
    deciders.every(isDecider)
  );
}
