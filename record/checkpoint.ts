/**
 * Signed tree heads: a C2SP tlog-checkpoint in a C2SP signed note, which Go's `golang.org/x/mod/sumdb/note` reads as well.
 *
 *   countersign/acme          origin
 *   42                        size
 *   q8s…=                     root, base64
 *   (empty line)
 *   — countersign/acme x7j…=  base64(first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key) || Ed25519 signature of the text)
 *
 * Pure: imports hashes and `@noble/curves` only.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { RecordError } from './errors';
import { base64, concat, hex, sha256, unbase64, unhex, utf8 } from './hash';
import type { KeyPair, PublicKeys } from './keys';
import { strictVerify, type RawVerify } from './signing';
import { isHash, type Hash } from './tree';

export interface TreeHead {
  readonly size: number;
  readonly root: Hash;
}

const ED25519 = 0x01;

/** The log's name, of which a tenant has one. */
export function originOf(tenant: string): string {
  if (!/^[^\s+]+$/u.test(tenant))
    throw new RecordError('bad_note', `The tenant ${JSON.stringify(tenant)} cannot name a log: use no white space and no plus sign`);
  return `countersign/${tenant}`;
}

const textOf = (origin: string, { size, root }: TreeHead): string => `${origin}\n${String(size)}\n${base64(unhex(root))}\n`;

/** C2SP signed-note: the key's id within a note. */
export const noteKeyId = (name: string, publicKey: Uint8Array): Uint8Array => sha256(concat(utf8(`${name}\n`), Uint8Array.of(ED25519), publicKey)).slice(0, 4);

/** The verifier key as Go's note package takes it: `name+hash+base64`. */
export const verifierKey = (tenant: string, publicKey: Uint8Array): string =>
  `${originOf(tenant)}+${hex(noteKeyId(originOf(tenant), publicKey))}+${base64(concat(Uint8Array.of(ED25519), publicKey))}`;

export function makeNote(tenant: string, head: TreeHead, key: KeyPair): string {
  const origin = originOf(tenant);
  const text = textOf(origin, head);
  const signature = concat(noteKeyId(origin, key.publicKey), ed25519.sign(utf8(text), key.privateKey));
  return `${text}\n\u2014 ${origin} ${base64(signature)}\n`;
}

export type NoteReading =
  | { readonly ok: true; readonly head: TreeHead; readonly keyId: string }
  | { readonly ok: false; readonly why: 'malformed' | 'other_log' | 'unknown_key' | 'bad_signature' };

const NOTE = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n\n((?:\u2014 [^\s+]+ [A-Za-z0-9+/]+={0,2}\n)+)$/u;

/** Reads a note that must be signed by one of the trusted keys. Signatures by others, such as witnesses, are passed over. */
export function readNote(tenant: string, note: string, trusted: PublicKeys, raw: RawVerify = strictVerify): NoteReading {
  const [, origin = '', sizeText = '', rootText = '', signatures = ''] = NOTE.exec(note) ?? [];
  const size = Number(sizeText);
  const root = hex(unbase64(rootText) ?? new Uint8Array());
  if (origin === '' || !Number.isSafeInteger(size) || !isHash(root)) return { ok: false, why: 'malformed' };
  if (origin !== `countersign/${tenant}`) return { ok: false, why: 'other_log' };
  const text = utf8(textOf(origin, { size, root }));
  let known = false;
  for (const line of signatures.trimEnd().split('\n')) {
    const [, name = '', encoded = ''] = line.split(' ');
    const bytes = unbase64(encoded);
    if (name !== origin || bytes?.length !== 68) continue;
    for (const [keyId, publicKey] of Object.entries(trusted)) {
      if (hex(noteKeyId(origin, publicKey)) !== hex(bytes.slice(0, 4))) continue;
      known = true;
      if (raw(bytes.slice(4), text, publicKey)) return { ok: true, head: { size, root }, keyId };
    }
  }
  return { ok: false, why: known ? 'bad_signature' : 'unknown_key' };
}
