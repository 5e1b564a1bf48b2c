/**
 * The Merkle tree of RFC 6962 section 2.1, over leaf hashes that are already made.
 * Promises: every index, size and hash of a proof is taken as hostile; a wrong one gives `false`, never an error or a loop.
 * Size 0: the root is SHA-256 of nothing; no leaf is included; nothing needs a proof to be consistent with it.
 * Pure: imports hashes only.
 */
import { concat, hex, sha256, unhex } from './hash';

/** Lower-case hex of 32 bytes. */
export type Hash = string;

const HASH = /^[0-9a-f]{64}$/;
export const isHash = (text: string): boolean => HASH.test(text);

export const EMPTY_ROOT: Hash = hex(sha256(new Uint8Array()));

/** RFC 6962: a leaf's hash is that of its data after a zero byte. */
export const leafHash = (data: Uint8Array): Hash => hex(sha256(concat(Uint8Array.of(0), data)));

export const nodeHash = (left: Hash, right: Hash): Hash => hex(sha256(concat(Uint8Array.of(1), unhex(left), unhex(right))));

/** A growing tree: its size and the roots of the perfect trees it is made of, largest first. One root for each set bit of the size. */
export interface Range {
  readonly size: number;
  readonly roots: readonly Hash[];
}

export const EMPTY_RANGE: Range = { size: 0, roots: [] };

/** The range with these leaves added at its end. */
export function extend(range: Range, leaves: readonly Hash[]): Range {
  const roots = [...range.roots];
  let { size } = range;
  for (const leaf of leaves) {
    let node = leaf;
    // As in adding one to a binary number: each carry joins two trees of the same size.
    for (let bits = size; bits % 2 === 1; bits = Math.floor(bits / 2)) node = nodeHash(roots.pop() ?? '', node);
    roots.push(node);
    size += 1;
  }
  return { size, roots };
}

export const rootOf = ({ roots }: Range): Hash => (roots.length === 0 ? EMPTY_ROOT : roots.reduceRight((right, left) => nodeHash(left, right)));

export const merkleRoot = (leaves: readonly Hash[]): Hash => rootOf(extend(EMPTY_RANGE, leaves));

/** Whether a range read from somewhere has the shape of one. */
export function isRange({ size, roots }: Range): boolean {
  let ones = 0;
  for (let bits = size; bits > 0; bits = Math.floor(bits / 2)) ones += bits % 2;
  return Number.isSafeInteger(size) && size >= 0 && roots.length === ones && roots.every(isHash);
}

/** The largest power of two below `size` (at least 2). */
function split(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** PATH(index, leaves) of RFC 6962 section 2.1.1, lowest sibling first; null when there is no such leaf. */
export function inclusionProof(leaves: readonly Hash[], index: number): readonly Hash[] | null {
  if (!Number.isSafeInteger(index) || index < 0 || index >= leaves.length) return null;
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const left = leaves.slice(0, k);
  const right = leaves.slice(k);
  const [path, sibling] = index < k ? [inclusionProof(left, index), right] : [inclusionProof(right, index - k), left];
  return path && [...path, merkleRoot(sibling)];
}

/** RFC 9162 section 2.1.3.2. */
export function verifyInclusion(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (![leaf, root, ...proof].every(isHash)) return false;
  let [fn, sn, node] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      node = nodeHash(sibling, node);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      node = nodeHash(node, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && node === root;
}

/** PROOF(first, leaves) of RFC 6962 section 2.1.2; empty for the same size and for size 0; null when there are fewer leaves. */
export function consistencyProof(leaves: readonly Hash[], first: number): readonly Hash[] | null {
  if (!Number.isSafeInteger(first) || first < 0 || first > leaves.length) return null;
  return first === 0 ? [] : subProof(leaves, first, true);
}

function subProof(leaves: readonly Hash[], first: number, whole: boolean): readonly Hash[] {
  if (first === leaves.length) return whole ? [] : [merkleRoot(leaves)];
  const k = split(leaves.length);
  if (first <= k) return [...subProof(leaves.slice(0, k), first, whole), merkleRoot(leaves.slice(k))];
  return [...subProof(leaves.slice(k), first - k, false), merkleRoot(leaves.slice(0, k))];
}

/** RFC 9162 section 2.1.4.2. */
export function verifyConsistency(first: number, second: number, firstRoot: Hash, secondRoot: Hash, proof: readonly Hash[]): boolean {
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || first < 0 || first > second) return false;
  if (![firstRoot, secondRoot, ...proof].every(isHash)) return false;
  if (first === 0) return proof.length === 0 && firstRoot === EMPTY_ROOT;
  if (first === second) return proof.length === 0 && firstRoot === secondRoot;
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  // A first tree that is perfect is its own starting node.
  const [start, ...rest] = fn === 0 ? [firstRoot, ...proof] : proof;
  if (start === undefined) return false;
  let [older, newer] = [start, start];
  for (const node of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [older, newer] = [nodeHash(node, older), nodeHash(node, newer)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      newer = nodeHash(newer, node);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && older === firstRoot && newer === secondRoot;
}
