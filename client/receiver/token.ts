/**
 * Verifies a decision token with nothing but the published keys: no store, no network, no clock of its own.
 * Must not import activities, workers or Node built-ins: it is what a foreign program can copy.
 */
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { isTokenClaims, TOKEN_ALG, TOKEN_TYP, tokenAudience, type TokenClaims } from '../../domain/token';

export interface TokenExpectation {
  readonly tenant: string;
  readonly agent: string;
  /** The address of the Countersign that decides; not compared when left out. */
  readonly issuer?: string;
  readonly now: Date;
}

/** A JWKS document, or a function that finds the key (jose's `createRemoteJWKSet`). */
export type TokenKeySource = JSONWebKeySet | JWTVerifyGetKey;

/** Signed by a trusted key, yet no decision for this agent. */
export class NotADecision extends Error {
  readonly code = 'token_claims';
  constructor() {
    super('The token is signed but does not claim a decision for this agent.');
    this.name = 'NotADecision';
  }
}

/**
 * The token's claims, if it is a decision for this agent, signed by one of these keys and not expired; throws otherwise
 * ({@link NotADecision} or jose's errors, with their stable codes).
 */
export async function verifyDecisionToken(token: string, keys: TokenKeySource, expect: TokenExpectation): Promise<TokenClaims> {
  const keyOf = typeof keys === 'function' ? keys : createLocalJWKSet(keys);
  const { payload } = await jwtVerify(token, keyOf, {
    algorithms: [TOKEN_ALG],
    typ: TOKEN_TYP,
    audience: tokenAudience(expect.tenant, expect.agent),
    currentDate: expect.now,
    ...(expect.issuer === undefined ? {} : { issuer: expect.issuer }),
  });
  if (!isTokenClaims(payload) || payload.tenant !== expect.tenant || payload.agent !== expect.agent) throw new NotADecision();
  return payload;
}
