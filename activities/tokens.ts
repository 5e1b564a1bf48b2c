/**
 * Mints and verifies decision tokens, and publishes the keys they verify with.
 * Time is always an argument: a token's life is the domain's, not this process's.
 * Must not import client, workers or the store.
 */
import { createLocalJWKSet, errors, importJWK, jwtVerify, SignJWT, type JSONWebKeySet, type JWK } from 'jose';
import { after, ms, type Instant, type JsonObject } from '../domain/json';
import type { Decider } from '../domain/outcome';
import { isTokenClaims, TOKEN_ALG, TOKEN_TTL_MS, TOKEN_TYP, tokenAudience, type TokenClaims } from '../domain/token';

/** The token keys of record/keys: the one that signs, and all whose tokens still count. */
export interface TokenKeys {
  readonly token: { readonly keyId: string; readonly privateKey: Uint8Array; readonly publicKey: Uint8Array };
  readonly trusted: { readonly token: { readonly [keyId: string]: Uint8Array } };
}

export interface MintInput {
  /** Single use; the same decision minted again after a crash has the same id, so it is still one use. */
  readonly id: string;
  readonly tenant: string;
  readonly approvalId: string;
  readonly agent: string;
  readonly outcome: string;
  /** Digest of the action as approved. */
  readonly actionDigest: string;
  readonly conditions: JsonObject;
  /** Digest of the action without the params that conditions are about; left out where none are. */
  readonly actionRestDigest?: string | undefined;
  /** With the ids of the rows that matched. */
  readonly policy: TokenClaims['policy'];
  readonly deciders: readonly Decider[];
  /** Sequence of the entry that ends the approval. */
  readonly entry: number;
  readonly issuedAt: Instant;
  /** {@link TOKEN_TTL_MS} after the issue when left out. */
  readonly expiresAt?: Instant;
}

export type TokenErrorCode = 'token_malformed' | 'token_algorithm' | 'token_key_unknown' | 'token_signature' | 'token_type' | 'token_expired' | 'token_claims';

export class TokenError extends Error {
  constructor(
    readonly code: TokenErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TokenError';
  }
}

export interface Tokens {
  mint(input: MintInput): Promise<string>;
  verify(token: string, expect: { readonly now: Instant; readonly audience?: string }): Promise<TokenClaims>;
  /** The document at /.well-known/jwks.json: every key whose tokens still count. */
  jwks(): JSONWebKeySet;
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

const seconds = (at: Instant): number => Math.floor(ms(at) / 1000);

const publicJwk = (keyId: string, publicKey: Uint8Array): JWK => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: base64url(publicKey),
  kid: keyId,
  alg: TOKEN_ALG,
  use: 'sig',
});

export function createTokens({ keys, issuer }: { readonly keys: TokenKeys; readonly issuer: string }): Tokens {
  const { token: own, trusted } = keys;
  const jwks = (): JSONWebKeySet => ({ keys: Object.entries({ ...trusted.token, [own.keyId]: own.publicKey }).map(([keyId, key]) => publicJwk(keyId, key)) });
  const privateKey = importJWK({ ...publicJwk(own.keyId, own.publicKey), d: base64url(own.privateKey) }, TOKEN_ALG);
  // Awaited by the first mint, which reports it: a broken key must not be an unhandled rejection at start.
  privateKey.catch(() => undefined);
  const keyOf = createLocalJWKSet(jwks());

  return {
    jwks,
    async mint(input) {
      const claims = {
        iss: issuer,
        sub: input.approvalId,
        aud: tokenAudience(input.tenant, input.agent),
        jti: input.id,
        iat: seconds(input.issuedAt),
        exp: seconds(input.expiresAt ?? after(input.issuedAt, TOKEN_TTL_MS)),
        agent: input.agent,
        tenant: input.tenant,
        outcome: input.outcome,
        action_digest: input.actionDigest,
        conditions: input.conditions,
        ...(input.actionRestDigest === undefined ? {} : { action_rest_digest: input.actionRestDigest }),
        policy: { name: input.policy.name, version: input.policy.version, hash: input.policy.hash, rows: input.policy.rows },
        deciders: input.deciders,
        entry: input.entry,
      };
      if (!isTokenClaims(claims))
        throw new TokenError(
          'token_claims',
          `The outcome ${input.outcome} of ${input.approvalId} cannot be claimed by a token: a claim is missing or of the wrong type.`,
        );
      return new SignJWT({ ...claims }).setProtectedHeader({ alg: TOKEN_ALG, typ: TOKEN_TYP, kid: own.keyId }).sign(await privateKey);
    },
    async verify(token, { now, audience }) {
      try {
        const { payload } = await jwtVerify(token, keyOf, {
          algorithms: [TOKEN_ALG],
          typ: TOKEN_TYP,
          issuer,
          currentDate: new Date(ms(now)),
          ...(audience === undefined ? {} : { audience }),
        });
        if (!isTokenClaims(payload)) throw new TokenError('token_claims', 'The token is signed but does not claim a decision; ask for a new one.');
        return payload;
      } catch (error) {
        throw asTokenError(error);
      }
    },
  };
}

function asTokenError(cause: unknown): TokenError {
  if (cause instanceof TokenError) return cause;
  const error = (code: TokenErrorCode, message: string): TokenError => new TokenError(code, message, { cause });
  if (cause instanceof errors.JWTExpired) return error('token_expired', 'The decision token has expired; read the approval for the outcome that stands.');
  if (cause instanceof errors.JWTClaimValidationFailed) {
    return cause.claim === 'typ'
      ? error('token_type', `The token is not a decision token: its typ must be ${TOKEN_TYP}.`)
      : error('token_claims', `The token's claim ${cause.claim} is not the expected one; it was made for something else.`);
  }
  if (cause instanceof errors.JOSEAlgNotAllowed || cause instanceof errors.JOSENotSupported)
    return error('token_algorithm', `The token's algorithm is not ${TOKEN_ALG}; no other is accepted.`);
  if (cause instanceof errors.JWKSNoMatchingKey)
    return error('token_key_unknown', 'The token names a key that is not trusted here; compare its kid with the published keys.');
  if (cause instanceof errors.JWSSignatureVerificationFailed)
    return error('token_signature', "The token's signature does not fit its content; it was altered or signed by another key.");
  return error('token_malformed', 'This is not a decision token: expected a compact JWS of three parts.');
}
