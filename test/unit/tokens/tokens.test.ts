import { createHmac, createPublicKey, verify } from 'node:crypto';
import { CompactSign, decodeProtectedHeader, importJWK, type JWK } from 'jose';
import { createTokens, TokenError, type MintInput } from '../../../activities/tokens';
import { verifyDecisionToken } from '../../../client/receiver/token';
import { keyPair, tokenKeys } from './keys';

const NOW = '2026-11-21T09:30:00.000Z';
const ISSUER = 'https://approvals.example.com';
const own = keyPair(7);
const other = keyPair(9);
const tokens = createTokens({ keys: tokenKeys(own), issuer: ISSUER });

const decision: MintInput = {
  id: 'apr_1-9',
  tenant: 'acme',
  approvalId: 'apr_1',
  agent: 'refund-bot',
  outcome: 'approved_with_conditions',
  actionDigest: 'a'.repeat(64),
  conditions: { max: { minor: 25_000, currency: 'USD' } },
  policy: { name: 'finance', version: '3', hash: 'b'.repeat(64), rows: ['refund-over-250'] },
  deciders: [{ person: 'ana', role: 'finance_manager', at: '2026-11-21T09:29:00.000Z' }],
  entry: 9,
  issuedAt: NOW,
};

const encode = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const payloadOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
const signedBy = async (
  pair: typeof own,
  header: { readonly alg?: string; readonly typ?: string; readonly kid?: string },
  payload: unknown,
): Promise<string> => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const jwk: JWK = { kty: 'OKP', crv: 'Ed25519', x: text(pair.publicKey), d: text(pair.privateKey) };
  const alg = header.alg ?? 'Ed25519';
  return new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader({ ...header, alg }).sign(await importJWK(jwk, alg));
};
const refusal = async (token: string, now = NOW): Promise<string> => {
  try {
    await tokens.verify(token, { now });
  } catch (error) {
    if (error instanceof TokenError) return error.code;
    throw error;
  }
  return 'accepted';
};
const GENUINE = { typ: 'countersign-decision+jwt', kid: own.keyId };

describe('a decision token', () => {
  it('says what was decided, bound to action, conditions, policy and deciders', async () => {
    const token = await tokens.mint(decision);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'Ed25519', typ: 'countersign-decision+jwt', kid: own.keyId });
    expect(await tokens.verify(token, { now: NOW, audience: 'acme/refund-bot' })).toEqual({
      iss: ISSUER,
      sub: 'apr_1',
      aud: 'acme/refund-bot',
      jti: 'apr_1-9',
      iat: 1795253400,
      exp: 1795253400 + 7 * 86_400,
      agent: 'refund-bot',
      tenant: 'acme',
      outcome: 'approved_with_conditions',
      action_digest: 'a'.repeat(64),
      conditions: { max: { minor: 25_000, currency: 'USD' } },
      policy: { name: 'finance', version: '3', hash: 'b'.repeat(64), rows: ['refund-over-250'] },
      deciders: [{ person: 'ana', role: 'finance_manager', at: '2026-11-21T09:29:00.000Z' }],
      entry: 9,
    });
  });

  it('is the same token when the same decision is minted again after a crash', async () => {
    expect(await tokens.mint(decision)).toBe(await tokens.mint(decision));
  });

  it('verifies with the published keys alone, and they hold no private part', async () => {
    const document = tokens.jwks();
    expect(document.keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(own.publicKey).toString('base64url'), kid: own.keyId, alg: 'Ed25519', use: 'sig' },
    ]);
    const claims = await verifyDecisionToken(await tokens.mint(decision), document, {
      tenant: 'acme',
      agent: 'refund-bot',
      issuer: ISSUER,
      now: new Date(NOW),
    });
    expect(claims.sub).toBe('apr_1');
  });

  it('verifies with another implementation of Ed25519 than the one that signed it', async () => {
    const [header = '', payload = '', signature = ''] = (await tokens.mint(decision)).split('.');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(own.publicKey).toString('base64url') }, format: 'jwk' });
    expect(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
    expect(verify(null, Buffer.from(`${header}.${payload}x`), key, Buffer.from(signature, 'base64url'))).toBe(false);
  });

  it('still counts after the key was rotated, as long as the old key is trusted', async () => {
    const token = await tokens.mint(decision);
    const rotated = createTokens({ keys: tokenKeys(other, own), issuer: ISSUER });
    expect((await rotated.verify(token, { now: NOW })).jti).toBe('apr_1-9');
    expect(
      rotated
        .jwks()
        .keys.map((key) => key.kid)
        .sort(),
    ).toEqual([own.keyId, other.keyId].sort());
    await expect(createTokens({ keys: tokenKeys(other), issuer: ISSUER }).verify(token, { now: NOW })).rejects.toMatchObject({ code: 'token_key_unknown' });
  });

  it('is not minted for an outcome that does not exist', async () => {
    await expect(tokens.mint({ ...decision, outcome: 'probably' })).rejects.toMatchObject({ code: 'token_claims' });
  });
});

describe('a token that is refused', () => {
  const valid = async (): Promise<Record<string, unknown>> => payloadOf(await tokens.mint(decision));

  it.each(['none', 'None', 'NONE'])('claims algorithm %s', async (alg) => {
    expect(await refusal(`${encode({ ...GENUINE, alg })}.${encode(await valid())}.`)).toBe('token_algorithm');
  });

  it.each(['raw key', 'base64url key', 'JWK'])('is an HS256 token with the public key (%s) as the secret', async (form) => {
    const secrets: Record<string, Uint8Array | string> = {
      'raw key': own.publicKey,
      'base64url key': Buffer.from(own.publicKey).toString('base64url'),
      JWK: JSON.stringify(tokens.jwks().keys[0]),
    };
    const signed = `${encode({ ...GENUINE, alg: 'HS256' })}.${encode(await valid())}`;
    const token = `${signed}.${createHmac('sha256', secrets[form] ?? '')
      .update(signed)
      .digest('base64url')}`;
    expect(await refusal(token)).toBe('token_algorithm');
  });

  it('is signed with the older EdDSA identifier', async () => {
    expect(await refusal(await signedBy(own, { ...GENUINE, alg: 'EdDSA' }, await valid()))).toBe('token_algorithm');
  });

  it.each([{ typ: 'JWT' }, { typ: 'countersign-command+jwt' }, {}])('has another type: %j', async (header) => {
    expect(await refusal(await signedBy(own, { kid: own.keyId, ...header }, await valid()))).toBe('token_type');
  });

  it('names a key that is not trusted', async () => {
    expect(await refusal(await signedBy(other, { ...GENUINE, kid: other.keyId }, await valid()))).toBe('token_key_unknown');
  });

  it('names a trusted key but is signed by another', async () => {
    expect(await refusal(await signedBy(other, GENUINE, await valid()))).toBe('token_signature');
  });

  it.each([
    ['outcome', 'approved'],
    ['action_digest', 'c'.repeat(64)],
    ['conditions', {}],
    ['agent', 'other-bot'],
    ['tenant', 'evil'],
    ['exp', 4_000_000_000],
    ['entry', 1],
    ['deciders', []],
  ])('was altered in %s', async (claim, value) => {
    const [header, , signature] = (await tokens.mint(decision)).split('.');
    expect(await refusal(`${header ?? ''}.${encode({ ...(await valid()), [claim]: value })}.${signature ?? ''}`)).toBe('token_signature');
  });

  it('has expired, to the second', async () => {
    const token = await tokens.mint({ ...decision, expiresAt: '2026-11-21T10:30:00.000Z' });
    expect(await refusal(token, '2026-11-21T10:29:59.000Z')).toBe('accepted');
    expect(await refusal(token, '2026-11-21T10:30:00.000Z')).toBe('token_expired');
  });

  it('was issued by another installation', async () => {
    expect(await refusal(await createTokens({ keys: tokenKeys(own), issuer: 'https://elsewhere.example' }).mint(decision))).toBe('token_claims');
  });

  it.each(['outcome', 'jti', 'conditions', 'policy', 'deciders', 'exp', 'action_digest'])('is signed but lacks %s', async (claim) => {
    const { [claim]: _, ...rest } = await valid();
    expect(await refusal(await signedBy(own, GENUINE, rest))).toBe('token_claims');
  });

  it.each(['', 'a.b', 'not a token', '..', 'a.b.c.d.e'])('is not a token at all: %j', async (text) => {
    expect(await refusal(text)).toBe('token_malformed');
  });

  it('was made for another agent or tenant', async () => {
    const token = await tokens.mint(decision);
    const now = new Date(NOW);
    await expect(verifyDecisionToken(token, tokens.jwks(), { tenant: 'acme', agent: 'other-bot', now })).rejects.toMatchObject({ claim: 'aud' });
    await expect(verifyDecisionToken(token, tokens.jwks(), { tenant: 'other', agent: 'refund-bot', now })).rejects.toMatchObject({ claim: 'aud' });
    await expect(tokens.verify(token, { now: NOW, audience: 'acme/other-bot' })).rejects.toMatchObject({ code: 'token_claims' });
  });
});
