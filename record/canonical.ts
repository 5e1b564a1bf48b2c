/**
 * One byte form for each JSON value (RFC 8785), so that a digest names a value and nothing else.
 * Promises: equal values give equal text, different values give different text, and what has no such text is refused.
 * Pure: imports no I/O and no Node built-ins.
 */
import type { Json } from '../domain/json';
import { RecordError } from './errors';
import { hex, sha256, utf8, type RawHash } from './hash';

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

function quoted(text: string): string {
  const at = loneSurrogate(text);
  if (at >= 0) throw new RecordError('lone_surrogate', `Text holds half of a surrogate pair at ${String(at)}; send well-formed Unicode`, at);
  // RFC 8785 3.2.2.2 escapes exactly what ECMAScript escapes, once surrogates are paired.
  return JSON.stringify(text);
}

/** RFC 8785: no white space, keys sorted by UTF-16 units, numbers and strings as ECMAScript writes them. */
export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RecordError('not_json', `${String(value)} is not a JSON number`);
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw new RecordError('not_json', `A ${typeof value} is not a JSON value`);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(',')}]`;
  const members = value as { readonly [key: string]: Json };
  const keys = Object.keys(members).sort();
  return `{${keys.map((key) => `${quoted(key)}:${canonical(members[key] as Json)}`).join(',')}}`;
}

/** SHA-256 of the canonical JSON, lower-case hex. */
export const digest = (value: Json, hash: RawHash = sha256): string => hex(hash(utf8(canonical(value))));
