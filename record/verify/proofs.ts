/**
 * The signatures of people: each decision on the record bears that of the signed-in person's command, checked here without the store it came from.
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
  /** What the person signed was erased in part, so that the signature says nothing any more; the seal still holds. */
  readonly uncheckable: number;
}

/** What a move of that type carried, by the entry's type; `maybe` is what it carries only at times. */
const MOVES: { readonly [type: string]: { readonly move: string; readonly words: string | null; readonly maybe?: string } } = {
  claimed: { move: 'claim', words: null },
  released: { move: 'release', words: null },
  signed_off: { move: 'approve', words: 'reason', maybe: 'conditions' },
  denied: { move: 'deny', words: 'reason' },
  taken_over: { move: 'take_over', words: 'reason' },
  answered: { move: 'answer', words: 'facts' },
  handed_back: { move: 'hand_back', words: 'instructions' },
  resolved: { move: 'resolve', words: 'result' },
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
  const kind = Object.hasOwn(MOVES, entry.type) ? MOVES[entry.type] : undefined;
  if (!kind) return 'none';
  const fields = disclosedFields(entry, personal);
  const proof = fields['proof'];
  if (!isObject(proof)) return { why: 'it holds no proof' };
  if (entry.commandId !== null && entry.commandId !== proof['commandId']) return { why: 'it answers another command than the one it proves' };
  if (fields['implicit'] === true) return decisionWith(proof, entry, group) ? 'valid' : { why: 'no decision of the same command follows it' };
  const words = [kind.words, kind.maybe ?? null].filter((name) => name !== null).filter((name) => name === kind.words || Object.hasOwn(fields, name));
  // What is not kept apart is not erased: it lies in the entry itself.
  if (words.some((name) => !Object.hasOwn(entry.fields, name) && !personal.some((p) => p.name === name))) return 'erased';
  const { commandId, packetDigest, signedInAt, issuedAt, expiresAt, signature, keyId } = proof;
  const move = { type: kind.move, ...Object.fromEntries(words.map((name) => [name, fields[name] ?? null])) };
  const v = commandVersion({ move });
  const body = {
    v,
    tenant: entry.tenant,
    approvalId: entry.approvalId,
    commandId,
    person: fields['by'],
    move,
    packetDigest,
    signedInAt,
    issuedAt,
    expiresAt,
  };
  if (typeof signature !== 'string' || typeof keyId !== 'string' || Object.values(body).includes(undefined)) return { why: 'its proof is not whole' };
  const verdict = checkSignature(trusted, keyId, commandLabel(v), body as JsonObject, signature, raw);
  if (verdict === 'valid') return 'valid';
  return { why: verdict === 'unknown_key' ? `the key ${keyId} is not a trusted command key` : 'the signature is not that of the command it tells of' };
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
