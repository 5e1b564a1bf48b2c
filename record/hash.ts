/**
 * Bytes, their hashes and their text forms.
 * Pure: imports `@noble/hashes` only.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';

/** SHA-256 of a text's UTF-8, in lower-case hex; a process that has a faster one may bring it. */
export type TextHash = (text: string) => string;

export const textHash: TextHash = (text) => bytesToHex(sha256(utf8ToBytes(text)));

export { sha256, bytesToHex as hex, concatBytes as concat, hexToBytes as unhex, utf8ToBytes as utf8 };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_ALPHABET = ALPHABET.replace('+/', '-_');

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let n = 0; n < 4 && n <= left; n += 1) text += alphabet.charAt((word >> (18 - 6 * n)) & 63);
  }
  return text;
}

/** RFC 4648 section 4, with padding. */
export const base64 = (bytes: Uint8Array): string => encode(bytes, ALPHABET) + '='.repeat((3 - (bytes.length % 3)) % 3);

/** The bytes of a base64 text, or null when it is not exactly what {@link base64} writes: no second spelling is accepted. */
export function unbase64(text: string): Uint8Array | null {
  const body = text.replace(/={1,2}$/, '');
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let word = 0;
  for (let i = 0, bits = 0, out = 0; i < body.length; i += 1) {
    const value = ALPHABET.indexOf(body.charAt(i));
    if (value < 0) return null;
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[out] = (word >> bits) & 0xff;
    out += 1;
  }
  return base64(bytes) === text ? bytes : null;
}

/** RFC 4648 section 5, without padding. */
export const base64url = (bytes: Uint8Array): string => encode(bytes, URL_ALPHABET);

/** The bytes of a base64url text without padding, or null when it is not exactly that. */
export function unbase64url(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  return unbase64(text.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (text.length % 4)) % 4));
}
