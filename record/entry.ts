/**
 * One entry of the record: what it commits to, and how it is chained and sealed.
 *
 *   digest of a field = SHA-256(canonical([salt, name, value]))
 *   leaf              = SHA-256(0x00 || canonical({v, tenant, approval, seq, prev, type, at, command, digests}))   (RFC 6962 leaf hash)
 *   prev              = leaf of the approval's entry before, zeros for the first
 *   seal              = Ed25519 of the record key over the leaf
 *
 * Promises: a personal field can be erased, with its salt, and every digest, leaf, seal and proof stays valid.
 * Pure: salts are injected; imports hashes and types only.
 */
import type { ApprovalEvent } from '../domain/events';
import { PERSONAL } from '../domain/events';
import type { Instant, Json, JsonObject } from '../domain/json';
import type { AdminEvent } from './admin';
import { canonical, strictCanonical } from './canonical';
import { base64url, textHash, type TextHash } from './hash';
import type { KeyPair, RandomBytes } from './keys';
import { plainSign, sign, type RawSign } from './signing';

/** `prev` of an approval's first entry. */
export const ZERO_HASH = '0'.repeat(64);
export const SALT_BYTES = 16;
/** What stands where an erased value stood. */
export const ERASED = '[erased]';
/** Names of business context begin so; event fields never hold a dot. */
export const CONTEXT = 'context.';

export type RecordEvent = ApprovalEvent | AdminEvent;

/** A value that can be checked against its digest. */
export interface Disclosed {
  readonly salt: string;
  readonly value: Json;
}

/** An entry as it is kept and exported. */
export interface StoredEntry {
  readonly tenant: string;
  readonly approvalId: string;
  readonly seq: number;
  readonly type: string;
  readonly at: Instant;
  readonly commandId: string | null;
  readonly fields: { readonly [name: string]: Disclosed };
  /** Digests of the fields that lie apart. */
  readonly personal: { readonly [name: string]: string };
  readonly prev: string;
  readonly leaf: string;
  readonly seal: string;
  readonly keyId: string;
}

/** A personal field, kept apart and erasable. */
export interface PersonalField extends Disclosed {
  readonly approvalId: string;
  readonly seq: number;
  readonly name: string;
}

export interface Head {
  readonly seq: number;
  readonly hash: string;
}

export const NO_HEAD: Head = { seq: 0, hash: ZERO_HASH };

/** `text` is the value's canonical form. */
const digestOf = (name: string, salt: string, text: string, hash: TextHash): string => hash(`[${canonical(salt)},${canonical(name)},${text}]`);

export const fieldDigest = (name: string, { salt, value }: Disclosed, hash: TextHash = textHash): string => digestOf(name, salt, canonical(value), hash);

type Unsealed = Omit<StoredEntry, 'leaf' | 'seal' | 'keyId'>;

function leafFrom({ tenant, approvalId: approval, seq, prev, type, at, commandId: command }: Unsealed, digests: { [name: string]: string }, hash: TextHash) {
  // U+0000 is the zero byte in UTF-8.
  return hash(`\0${canonical({ v: 1, tenant, approval, seq, prev, type, at, command, digests })}`);
}

/** The RFC 6962 leaf hash of what the entry says, from its own fields. */
export function leafOf(entry: Unsealed, hash: TextHash = textHash): string {
  const digests: { [name: string]: string } = { ...entry.personal };
  for (const [name, field] of Object.entries(entry.fields)) digests[name] = fieldDigest(name, field, hash);
  return leafFrom(entry, digests, hash);
}

const isPersonal = (event: RecordEvent, name: string): boolean =>
  name === `${CONTEXT}personal` || (Object.hasOwn(PERSONAL, event.type) && (PERSONAL[event.type as ApprovalEvent['type']] ?? []).includes(name));

/** An empty list or object tells of nobody, and needs no row of its own to be erased from. */
const tellsNothing = (value: Json): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** The fields of an event with its business context; an optional member that is undefined is no member. */
function* fieldsOf(event: RecordEvent, context: JsonObject): Generator<readonly [string, unknown]> {
  for (const [name, value] of Object.entries<unknown>(event)) if (name !== 'type' && value !== undefined) yield [name, value];
  for (const [name, value] of Object.entries<unknown>(context)) if (value !== undefined) yield [`${CONTEXT}${name}`, value];
}

/** As JSON says it, in a copy that nobody else holds. */
const plain = (value: unknown): Json => (typeof value === 'string' || typeof value === 'boolean' ? value : (JSON.parse(JSON.stringify(value)) as Json));

export interface NewEntry {
  readonly tenant: string;
  readonly approvalId: string;
  readonly head: Head;
  readonly at: Instant;
  readonly event: RecordEvent;
  readonly commandId: string | null;
  readonly context: JsonObject;
}

/** The next entry after `head`, sealed, and its personal fields. */
export function makeEntry(
  input: NewEntry,
  record: KeyPair,
  random: RandomBytes,
  raw: RawSign = plainSign,
  hash: TextHash = textHash,
): { readonly entry: StoredEntry; readonly personal: readonly PersonalField[] } {
  const { tenant, approvalId, at, event, commandId } = input;
  const seq = input.head.seq + 1;
  const fields: { [name: string]: Disclosed } = {};
  const digests: { [name: string]: string } = {};
  const apart: { [name: string]: string } = {};
  const personal: PersonalField[] = [];
  for (const [name, given] of fieldsOf(event, input.context)) {
    const value = plain(given);
    // What cannot be read back alike is refused here, before it is on the record.
    const text = strictCanonical(value);
    const salt = base64url(random(SALT_BYTES));
    const digest = digestOf(name, salt, text, hash);
    digests[name] = digest;
    if (isPersonal(event, name) && !tellsNothing(value)) {
      apart[name] = digest;
      personal.push({ approvalId, seq, name, salt, value });
    } else {
      fields[name] = { salt, value };
    }
  }
  const body = { tenant, approvalId, seq, type: event.type, at, commandId, fields, personal: apart, prev: input.head.hash };
  const leaf = leafFrom(body, digests, hash);
  return { entry: { ...body, leaf, seal: sign(record, 'countersign/entry/v1', leaf, raw), keyId: record.keyId }, personal };
}

/** Every field of an entry by name; {@link ERASED} where a personal one is gone. */
export function disclosedFields(
  entry: Pick<StoredEntry, 'fields' | 'personal'>,
  personal: readonly Pick<PersonalField, 'name' | 'value'>[],
): { [name: string]: Json } {
  const values: { [name: string]: Json } = {};
  for (const [name, { value }] of Object.entries(entry.fields)) values[name] = value;
  for (const name of Object.keys(entry.personal)) values[name] = personal.find((p) => p.name === name)?.value ?? ERASED;
  return values;
}

/** The event that an entry tells, without its context. */
export function eventOf(type: string, values: { readonly [name: string]: Json }): RecordEvent {
  const own = Object.entries(values).filter(([name]) => !name.startsWith(CONTEXT));
  return { ...Object.fromEntries(own), type } as unknown as RecordEvent;
}
