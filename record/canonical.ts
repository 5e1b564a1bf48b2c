/**
 * One byte form for each JSON value (RFC 8785), so that a digest names a value and nothing else.
 * Promises: equal values give equal text, different values give different text, and what has no such text is refused.
 * Pure: imports no I/O and no Node built-ins.
 */
import type { Json } from '../domain/json';
import { RecordError } from './errors';
import { textHash, type TextHash } from './hash';
import { DEPTH_MAX } from './parse';

export { parseStrict } from './parse';

/** The place of the first surrogate without its partner, or -1. */
export function loneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || Number.isNaN(next) || next < 0xdc00 || next > 0xdfff) return i;
    i += 1;
  }
  return -1;
}

/** Read by code points, a surrogate that is seen at all has no partner. */
const LONE = /\p{Surrogate}/u;

function quoted(text: string): string {
  if (LONE.test(text)) {
    const at = loneSurrogate(text);
    throw new RecordError('lone_surrogate', `Text holds half of a surrogate pair at ${String(at)}; send well-formed Unicode`, at);
  }
  // RFC 8785 3.2.2.2 escapes exactly what ECMAScript escapes, once surrogates are paired.
  return JSON.stringify(text);
}

/** What is looked at on the way. */
interface Look {
  readonly text: (text: string) => void;
  readonly number: (value: number) => void;
  readonly depth: (depth: number) => void;
}

function write(value: Json, depth: number, look: Look | null): string {
  look?.depth(depth);
  if (typeof value === 'string') {
    look?.text(value);
    return quoted(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RecordError('not_json', `${String(value)} is not a JSON number`);
    look?.number(value);
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw new RecordError('not_json', `A ${typeof value} is not a JSON value`);
  let [text, between] = ['', ''];
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) {
      text += between + write(item, depth + 1, look);
      between = ',';
    }
    return `[${text}]`;
  }
  const members = value as { readonly [key: string]: Json };
  for (const key of Object.keys(members).sort()) {
    look?.text(key);
    text += `${between}${quoted(key)}:${write(members[key] as Json, depth + 1, look)}`;
    between = ',';
  }
  return `{${text}}`;
}

/** RFC 8785: no white space, keys sorted by UTF-16 units, numbers and strings as ECMAScript writes them. */
export const canonical = (value: Json): string => write(value, 0, null);

const STRICT: Look = {
  text(text) {
    if (text.includes('\0')) throw new RecordError('nul_character', 'The character U+0000 cannot be kept; remove it');
  },
  number(value) {
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) throw new RecordError('integer_too_large', `${String(value)} is beyond 2^53 and would lose digits`);
  },
  depth(depth) {
    if (depth > DEPTH_MAX) throw new RecordError('too_deep', `Nested more than ${String(DEPTH_MAX)} deep; flatten it`);
  },
};

/** The same, and refuses what {@link parseStrict} would not read back. */
export const strictCanonical = (value: Json): string => write(value, 0, STRICT);

/** SHA-256 of the canonical JSON, lower-case hex. */
export const digest = (value: Json, hash: TextHash = textHash): string => hash(canonical(value));
