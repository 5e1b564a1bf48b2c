/**
 * The signatures of people and of agents: each move on the record bears that of the command it came from, checked here without the store.
 * Pure.
 */
import type { Json, JsonObject } from '../../domain/json';
import { commandVersion } from '../../domain/moves';
import { disclosedFields, type PersonalField, type StoredEntry } from '../entry';
import { canonical } from '../canonical';
import type { PublicKeys } from '../keys';
import { checkSignature, commandLabel, type RawVerify } from '../signing';
import { entryKey } from './entries';
import type { Findings } from './findings';

export interface ProofReport {
  readonly checked: number;
  /** What was signed has been erased in part, so that the signature says nothing any more; the seal still holds. */
  readonly uncheckable: number;
}

type Fields = { readonly [name: string]: Json };

/** What a move carried, as its entry tells it. */
interface Told {
  readonly move: string;
  /** Fields of the entry by the move's own names. Those of them that were erased make it uncheckable. */
  readonly says: { readonly [member: string]: string };
  /** Those that a move carries only at times: what the entry says then. Tried with each and without. */
  readonly maybe?: { readonly [member: string]: string };
  /** The same, where the entry has the field only if the move had it. */
  readonly optional?: { readonly [member: string]: string };
  /** An agent's, which the entry names under `by`. */
  readonly isAgents?: (fields: Fields) => boolean;
}

const REASON = { reason: 'reason' } as const;
const WHICH = { sign_off: 'signOff' } as const;
const OVERRIDE: Told = { move: 'override', says: { decision: 'decision', because: 'because', ...REASON } };
const DENY: Told = { move: 'deny', says: REASON };

/** Which move each entry tells of that a command led to. */
const MOVES: { readonly [type: string]: Told | ((fields: Fields) => Told) } = {
  claimed: { move: 'claim', says: {} },
  released: { move: 'release', says: {} },
  signed_off: { move: 'approve', says: REASON, optional: { conditions: 'conditions' } },
  denied: DENY,
  said_no: DENY,
  taken_over: { move: 'take_over', says: REASON },
  answered: { move: 'answer', says: { facts: 'facts' } },
  handed_back: { move: 'hand_back', says: { instructions: 'instructions' } },
  resolved: ({ how }) => (how === 'abandoned' ? { move: 'abandon', says: { reason: 'result' } } : { move: 'resolve', says: { result: 'result' } }),
  worked: { move: 'update', says: { status: 'status', note: 'note' }, maybe: { next_update_at: 'dueAt' } },
  commented: { move: 'comment', says: { text: 'text' } },
  information_asked: { move: 'ask', says: { of: 'of', question: 'text' }, maybe: WHICH },
  information_given: { move: 'reply', says: { question: 'question', text: 'text' }, isAgents: ({ byAgent }) => byAgent === true },
  evidence_added: { move: 'add_evidence', says: { name: 'name', title: 'title', content: 'content' }, isAgents: () => true },
  reassigned: { move: 'reassign', says: { to: 'to.person', ...REASON }, maybe: WHICH },
  passed_up: { move: 'pass_up', says: REASON },
  extended: { move: 'extend', says: { minutes: 'minutes', ...REASON }, maybe: WHICH },
  override_proposed: OVERRIDE,
  overridden: OVERRIDE,
  glass_broken: { move: 'break_glass', says: REASON },
  delivery_reopened: { move: 'reopen_delivery', says: { owed_id: 'owedId', ...REASON } },
};

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

export function checkProofs(
  groups: ReadonlyMap<string, readonly StoredEntry[]>,
  personal: ReadonlyMap<string, readonly PersonalField[]>,
  trusted: PublicKeys,
  raw: RawVerify,
  findings: Findings,
): ProofReport {
  let [checked, uncheckable] = [0, 0];
  for (const [approvalId, group] of groups) {
    for (const entry of group) {
      const verdict = verdictOn(entry, group, personal.get(entryKey(approvalId, entry.seq)) ?? [], trusted, raw);
      if (verdict === 'erased') uncheckable += 1;
      if (verdict === 'valid') checked += 1;
      if (typeof verdict === 'object')
        findings.add(
          'signature_invalid',
          entry,
          `Entry ${String(entry.seq)} of ${approvalId} (${entry.type}) does not bear the signature of the person it names: ${verdict.why}`,
        );
    }
  }
  return { checked, uncheckable };
}

type Verdict = 'none' | 'valid' | 'erased' | { readonly why: string };

function verdictOn(entry: StoredEntry, group: readonly StoredEntry[], personal: readonly PersonalField[], trusted: PublicKeys, raw: RawVerify): Verdict {
  const known = Object.hasOwn(MOVES, entry.type) ? MOVES[entry.type] : undefined;
  if (!known) return 'none';
  const fields = disclosedFields(entry, personal);
  const told = typeof known === 'function' ? known(fields) : known;
  const { proof } = fields;
  if (!isObject(proof)) return { why: 'it holds no proof' };
  if (entry.commandId !== null && entry.commandId !== proof['commandId']) return { why: 'it answers another command than the one it proves' };
  if (fields['implicit'] === true) return decisionWith(proof, entry, group) ? 'valid' : { why: 'no decision of the same command follows it' };
  const optional = Object.entries(told.optional ?? {}).filter(([, name]) => Object.hasOwn(fields, name));
  const says = [...Object.entries(told.says), ...optional];
  // What is not kept apart is not erased: it lies in the entry itself.
  if (says.some(([, name]) => !Object.hasOwn(entry.fields, rootOf(name)) && !personal.some((p) => p.name === name))) return 'erased';
  const { commandId, bulk, packetDigest, signedInAt, issuedAt, expiresAt, signature, keyId } = proof;
  const isAgents = told.isAgents?.(fields) === true;
  const by = {
    person: isAgents ? '' : fields['by'],
    ...(isAgents ? { agent: fields['by'] } : {}),
    ...(bulk === undefined ? {} : { bulk }),
  };
  if (typeof signature !== 'string' || typeof keyId !== 'string') return { why: 'its proof is not whole' };
  let why = 'its proof is not whole';
  for (const move of movesOf(told.move, says, maybeOf(told, fields, group), fields)) {
    const v = commandVersion({ move, ...by });
    const body = { v, tenant: entry.tenant, approvalId: entry.approvalId, commandId, ...by, move, packetDigest, signedInAt, issuedAt, expiresAt };
    if (Object.values(body).includes(undefined)) continue;
    const verdict = checkSignature(trusted, keyId, commandLabel(v), body as JsonObject, signature, raw);
    if (verdict === 'valid') return 'valid';
    why = verdict === 'unknown_key' ? `the key ${keyId} is not a trusted command key` : 'the signature is not that of the command it tells of';
  }
  return { why };
}

/** The name of the field that a member comes from: `to` of `to.person`. */
const rootOf = (name: string): string => name.split('.')[0] ?? name;

function valueOf(fields: Fields, name: string): Json {
  const [root = '', member] = name.split('.');
  const value = fields[root] ?? null;
  return member === undefined ? value : ((isObject(value) ? value[member] : null) ?? null);
}

/**
 * The moves that the entry may tell of: one, and where the move may have named what was clear without it (the sign-off, the next update),
 * one with each. Whoever signed either of them said the same.
 */
function movesOf(
  type: string,
  says: readonly (readonly [string, string])[],
  maybe: readonly JsonObject[],
  fields: Fields,
): (JsonObject & { readonly type: string })[] {
  const certain = { type, ...Object.fromEntries(says.map(([member, name]): [string, Json] => [member, valueOf(fields, name)])) };
  return [certain, ...maybe.map((one) => ({ ...certain, ...one }))];
}

/** In a takeover there is no sign-off that a question is about, whichever one of the plan's was named. */
function maybeOf({ maybe = {} }: Told, fields: Fields, group: readonly StoredEntry[]): JsonObject[] {
  const planned = group.find(({ type }) => type === 'routed')?.fields['signOffs']?.value;
  return Object.entries(maybe).flatMap(([member, name]): JsonObject[] => {
    const value = valueOf(fields, name);
    return value === '' && Array.isArray(planned) ? planned.map((id) => ({ [member]: id as Json })) : [{ [member]: value }];
  });
}

/** A claim that a decision implied has no signature of its own: the decision of the same command has it. */
const decisionWith = (proof: JsonObject, claim: StoredEntry, group: readonly StoredEntry[]): boolean =>
  group.some((e) => e.seq > claim.seq && e.type !== 'claimed' && isObject(e.fields['proof']?.value) && isSame(e.fields['proof'].value, proof));

function isSame(a: Json, b: Json): boolean {
  try {
    return canonical(a) === canonical(b);
  } catch {
    return false;
  }
}
