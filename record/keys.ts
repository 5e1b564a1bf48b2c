/**
 * Key pairs (Ed25519) and the public keys that are trusted, each for one purpose only.
 * Promises: a key made for commands never counts for the record or for tokens.
 * Pure: random bytes are injected; reading and writing the file is the caller's business.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { randomBytes as nobleRandomBytes } from '@noble/hashes/utils.js';
import type { Json } from '../domain/json';
import { RecordError } from './errors';
import { base64url, hex, sha256, unbase64url } from './hash';

/** People's commands, the record's seals and checkpoints, decision tokens. */
export const PURPOSES = ['command', 'record', 'token'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface KeyPair {
  /** First 16 hex digits of SHA-256 of the public key. */
  readonly keyId: string;
  /** The 32-byte seed of RFC 8032. */
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

export type PublicKeys = Readonly<Record<string, Uint8Array>>;
/** Public keys by purpose and key id: the present ones and those that have been rotated out. */
export type Trusted = { readonly [P in Purpose]: PublicKeys };
export type Keys = { readonly [P in Purpose]: KeyPair } & { readonly trusted: Trusted };

export type RandomBytes = (length: number) => Uint8Array;

export const keyIdOf = (publicKey: Uint8Array): string => hex(sha256(publicKey)).slice(0, 16);

export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const publicKey = ed25519.getPublicKey(seed);
  return { keyId: keyIdOf(publicKey), privateKey: seed, publicKey };
}

const trustedOf = (pairs: { readonly [P in Purpose]: KeyPair }): Trusted => ({
  command: { [pairs.command.keyId]: pairs.command.publicKey },
  record: { [pairs.record.keyId]: pairs.record.publicKey },
  token: { [pairs.token.keyId]: pairs.token.publicKey },
});

/** A new key for each purpose. */
export function generateKeys(random: RandomBytes = nobleRandomBytes): Keys {
  const pairs = { command: keyPairFromSeed(random(32)), record: keyPairFromSeed(random(32)), token: keyPairFromSeed(random(32)) };
  return { ...pairs, trusted: trustedOf(pairs) };
}

const textOf = (keys: PublicKeys): { [keyId: string]: string } => Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, base64url(key)]));

/** The public half alone: what an auditor needs to verify. */
export const trustedToJson = (trusted: Trusted): { readonly [purpose: string]: { readonly [keyId: string]: string } } => ({
  command: textOf(trusted.command),
  record: textOf(trusted.record),
  token: textOf(trusted.token),
});

/** What the key file holds. Secret. */
export const keysToJson = (keys: Keys): Json => ({
  v: 1,
  private: { command: base64url(keys.command.privateKey), record: base64url(keys.record.privateKey), token: base64url(keys.token.privateKey) },
  trusted: trustedToJson(keys.trusted),
});

const bad = (what: string): RecordError => new RecordError('bad_keys', `The keys cannot be read: ${what}; restore the file from its backup`);

function memberOf(value: Json | undefined, name: string): Json {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, name)) throw bad(`${name} is missing`);
  return (value as { readonly [key: string]: Json })[name] as Json;
}

function bytesOf(value: Json, name: string): Uint8Array {
  const bytes = typeof value === 'string' ? unbase64url(value) : null;
  if (bytes?.length !== 32) throw bad(`${name} is not 32 bytes in base64url`);
  return bytes;
}

function publicKeysFrom(value: Json, purpose: Purpose): PublicKeys {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw bad(`trusted.${purpose} is not an object`);
  const keys = Object.entries(value as { readonly [key: string]: Json }).map(([id, text]) => {
    const key = bytesOf(text, `trusted.${purpose}.${id}`);
    if (keyIdOf(key) !== id) throw bad(`trusted.${purpose}.${id} is not the key of that id`);
    return [id, key] as const;
  });
  return Object.fromEntries(keys);
}

/** Public keys as {@link trustedToJson} writes them. */
export const trustedFromJson = (value: Json): Trusted => ({
  command: publicKeysFrom(memberOf(value, 'command'), 'command'),
  record: publicKeysFrom(memberOf(value, 'record'), 'record'),
  token: publicKeysFrom(memberOf(value, 'token'), 'token'),
});

/** Keys as {@link keysToJson} writes them; the present keys are always among the trusted ones. */
export function keysFromJson(value: Json): Keys {
  const secret = memberOf(value, 'private');
  const pair = (purpose: Purpose): KeyPair => keyPairFromSeed(bytesOf(memberOf(secret, purpose), `private.${purpose}`));
  const pairs = { command: pair('command'), record: pair('record'), token: pair('token') };
  const own = trustedOf(pairs);
  const trusted = trustedFromJson(memberOf(value, 'trusted'));
  return {
    ...pairs,
    trusted: { command: { ...trusted.command, ...own.command }, record: { ...trusted.record, ...own.record }, token: { ...trusted.token, ...own.token } },
  };
}
