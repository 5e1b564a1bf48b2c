/**
 * The keys that encrypt what lies in the engine's histories: one that encrypts, and those that still decrypt.
 * Promises: a file is read strictly, and a key that is not the one its id names is refused; keys are never printed, because they
 * are held as key objects. Reading and writing the file is the caller's business. Must not import Temporal.
 */
import { createHash, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { Json, JsonObject } from '../../domain/json';
import { base64url, unbase64url } from '../../record/hash';
import { CodecError } from './errors';

/** In bytes: AES-256. */
const KEY_BYTES = 32;

export interface PayloadKeys {
  /** The id of the key that encrypts. */
  readonly current: string;
  /** By id: the current one, and all that may still be met in a history or will be soon. */
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** 16 hex digits of a hash under a name of its own: a mistyped key is noticed, and the id says nothing of the key. */
const keyIdOf = (key: Uint8Array): string => createHash('sha256').update('countersign payload key\0').update(key).digest('hex').slice(0, 16);

function newKey(): readonly [string, KeyObject] {
  const key = randomBytes(KEY_BYTES);
  return [keyIdOf(key), createSecretKey(key)];
}

export function newPayloadKeys(): PayloadKeys {
  const [current, key] = newKey();
  return { current, keys: new Map([[current, key]]) };
}

/** The first half of a rotation: a key that every process learns before any of them encrypts with it. */
export function withAnotherKey({ current, keys }: PayloadKeys): { readonly keys: PayloadKeys; readonly added: string } {
  const [added, key] = newKey();
  return { added, keys: { current, keys: new Map([...keys, [added, key]]) } };
}

/** The second half: from now on this key encrypts; the others still decrypt. */
export function withCurrent({ keys }: PayloadKeys, id: string): PayloadKeys {
  if (keys.has(id)) return { current: id, keys };
  throw new CodecError('unknown_payload_key', `The keys file holds no key ${id}; it holds ${[...keys.keys()].join(', ')}`);
}

/** What the keys file holds. Secret. */
export const payloadKeysToJson = ({ current, keys }: PayloadKeys): Json => ({
  v: 1,
  current,
  keys: Object.fromEntries([...keys].map(([id, key]) => [id, base64url(key.export())])),
});

/** Keys as {@link payloadKeysToJson} writes them. */
export function payloadKeysFromJson(value: Json): PayloadKeys {
  const { v, current, keys } = objectOf(value, 'the file');
  if (v !== 1) throw bad('v is not 1');
  const known = new Map(Object.entries(objectOf(keys, 'keys')).map(([id, text]) => [id, keyFrom(id, text)]));
  if (typeof current !== 'string' || !known.has(current)) throw bad('current names none of its keys');
  return { current, keys: known };
}

const bad = (what: string): CodecError => new CodecError('bad_payload_keys', `The payload keys cannot be read: ${what}; restore the file from its backup`);

function objectOf(value: Json | undefined, name: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${name} is not an object`);
  return value as JsonObject;
}

function keyFrom(id: string, text: Json): KeyObject {
  const key = typeof text === 'string' ? unbase64url(text) : null;
  if (key?.length !== KEY_BYTES) throw bad(`keys.${id} is not ${String(KEY_BYTES)} bytes in base64url`);
  if (keyIdOf(key) !== id) throw bad(`keys.${id} is not the key of that id`);
  return createSecretKey(key);
}
