/**
 * Signatures over canonical JSON, each under a label that says what is being said: a command's signature can never be read as an entry's seal.
 * Pure: imports `@noble/curves` only.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import type { Json } from '../domain/json';
import type { CommandBody } from '../domain/moves';
import { canonical } from './canonical';
import { base64url, concat, unbase64url, utf8 } from './hash';
import type { KeyPair, PublicKeys } from './keys';

/** Everything that is ever signed this way. Part of the record's format: add, never change. */
export const LABELS = [
  'countersign/command/v1',
  'countersign/command/v2',
  'countersign/command/v3',
  'countersign/entry/v1',
  'countersign/log/v1',
  'countersign/checkpoint/v1',
] as const;
export type Label = (typeof LABELS)[number];

/** Under which label a command of this version is signed. */
export const commandLabel = (version: CommandBody['v']): Label => `countersign/command/v${version}`;

/** Label, a zero byte that no label holds, canonical JSON. */
const messageOf = (label: Label, value: Json): Uint8Array => concat(utf8(label), Uint8Array.of(0), utf8(canonical(value)));

/** How raw bytes are signed. Ed25519 is deterministic, so every implementation gives the same bytes; a process that has a faster one may bring it. */
export type RawSign = (message: Uint8Array, key: KeyPair) => Uint8Array;

export const plainSign: RawSign = (message, key) => ed25519.sign(message, key.privateKey);

/** Ed25519 over the labelled value, base64url without padding. */
export const sign = (key: KeyPair, label: Label, value: Json, raw: RawSign = plainSign): string => base64url(raw(messageOf(label, value), key));

/** Nobody signed what has no canonical form. */
function messageOrNull(label: Label, value: Json): Uint8Array | null {
  try {
    return messageOf(label, value);
  } catch {
    return null;
  }
}

export type SignatureVerdict = 'valid' | 'unknown_key' | 'invalid';

/** How raw bytes are checked; a process that has a faster Ed25519 may bring it. */
export type RawVerify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

/** RFC 8032 without the laxness of ZIP 215: one signature has one spelling. Never throws. */
export const strictVerify: RawVerify = (signature, message, publicKey) => {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: false });
  } catch {
    return false;
  }
};

/** Whether `signature` is that of the trusted key `keyId` over the labelled value. */
export function checkSignature(
  trusted: PublicKeys,
  keyId: string,
  label: Label,
  value: Json,
  signature: string,
  raw: RawVerify = strictVerify,
): SignatureVerdict {
  const publicKey = Object.hasOwn(trusted, keyId) ? trusted[keyId] : undefined;
  if (!publicKey) return 'unknown_key';
  const bytes = unbase64url(signature);
  const message = messageOrNull(label, value);
  return message && bytes?.length === 64 && raw(bytes, message, publicKey) ? 'valid' : 'invalid';
}

/** The same as yes or no. */
export const verifySignature = (trusted: PublicKeys, keyId: string, label: Label, value: Json, signature: string, raw: RawVerify = strictVerify): boolean =>
  checkSignature(trusted, keyId, label, value, signature, raw) === 'valid';
