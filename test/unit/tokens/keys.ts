/** Key pairs from fixed seeds, in the shape of record/keys, so that tokens in tests are the same every time. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { TokenKeys } from '../../../activities/tokens';

export type Pair = TokenKeys['token'];

export function keyPair(seedByte: number): Pair {
  const privateKey = new Uint8Array(32).fill(seedByte);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), privateKey]);
  const jwk = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' });
  const publicKey = new Uint8Array(Buffer.from(jwk.x ?? '', 'base64url'));
  return { keyId: createHash('sha256').update(publicKey).digest('hex').slice(0, 16), privateKey, publicKey };
}

export const tokenKeys = (own: Pair, ...retired: readonly Pair[]): TokenKeys => ({
  token: own,
  trusted: { token: Object.fromEntries([own, ...retired].map(({ keyId, publicKey }) => [keyId, publicKey])) },
});
