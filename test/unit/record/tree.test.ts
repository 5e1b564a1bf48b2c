import fc from 'fast-check';
import { ed25519 } from '@noble/curves/ed25519.js';
import { makeNote, noteKeyId, readNote, verifierKey } from '../../../record/checkpoint';
import { hex, unbase64, unhex, utf8 } from '../../../record/hash';
import { generateKeys, keyPairFromSeed } from '../../../record/keys';
import {
  consistencyProof,
  EMPTY_RANGE,
  EMPTY_ROOT,
  extend,
  inclusionProof,
  isRange,
  leafHash,
  merkleRoot,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../../record/tree';

/** The eight leaves and their roots that Certificate Transparency's reference implementation is tested with. */
const INPUTS = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = INPUTS.map((input) => leafHash(unhex(input)));
const many = (n: number): string[] => Array.from({ length: n }, (_, i) => leafHash(utf8(`leaf ${String(i)}`)));

describe('the Merkle tree (RFC 6962)', () => {
  test.each(ROOTS.map((root, n) => [n + 1, root] as const))('of %i leaves has the root %s', (size, root) => {
    expect(merkleRoot(leaves.slice(0, size))).toBe(root);
  });

  test('of no leaves has the hash of nothing as its root', () => {
    expect(merkleRoot([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('grown in any steps is the tree grown at once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 12 }), (steps) => {
        let range = EMPTY_RANGE;
        const all = many(steps.reduce((a, b) => a + b, 0));
        for (const step of steps) range = extend(range, all.slice(range.size, range.size + step));
        expect(rootOf(range)).toBe(merkleRoot(all));
        expect(isRange(range)).toBe(true);
        expect(isRange({ ...range, size: range.size + 1 }) && isRange({ ...range, roots: [...range.roots, EMPTY_ROOT] })).toBe(false);
      }),
    );
  });

  test('the proofs of the reference implementation', () => {
    expect(inclusionProof(leaves, 0)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect(consistencyProof(leaves, 6)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
  });

  test('every leaf of every tree up to 33 is proved included, and nothing else is', () => {
    for (let size = 1; size <= 33; size += 1) {
      const all = many(size);
      const root = merkleRoot(all);
      for (let i = 0; i < size; i += 1) {
        const proof = inclusionProof(all, i) ?? [];
        const leaf = all[i] ?? '';
        expect(verifyInclusion(leaf, i, size, proof, root)).toBe(true);
        const wrong: readonly (readonly [string, number, number, readonly string[], string])[] = [
          [EMPTY_ROOT, i, size, proof, root],
          [leaf, i + 1, size, proof, root],
          [leaf, i - 1, size, proof, root],
          [leaf, i, size, [...proof, EMPTY_ROOT], root],
          [leaf, i, size, proof, EMPTY_ROOT],
          [leaf, i, size, ['zz', ...proof], root],
          [leaf, i, i, proof, root],
          [leaf, Number.NaN, size, proof, root],
          [leaf, i + 0.5, size, proof, root],
          ...(proof.length > 0
            ? ([
                [leaf, i, size, proof.slice(1), root],
                [leaf, i, size, proof.slice(0, -1), root],
              ] as const)
            : []),
        ];
        expect(wrong.filter((w) => verifyInclusion(...w))).toEqual([]);
      }
      expect([inclusionProof(all, size), inclusionProof(all, -1)]).toEqual([null, null]);
    }
  });

  test('every tree up to 33 is proved to grow from each smaller one, and from no other', () => {
    for (let second = 1; second <= 33; second += 1) {
      const all = many(second);
      const root = merkleRoot(all);
      for (let first = 0; first <= second; first += 1) {
        const proof = consistencyProof(all, first) ?? ['none'];
        const older = merkleRoot(all.slice(0, first));
        expect(verifyConsistency(first, second, older, root, proof)).toBe(true);
        const other = merkleRoot([...many(first).slice(0, -1), leafHash(utf8('another'))]);
        expect(verifyConsistency(first, second, other, root, proof)).toBe(false);
        expect(verifyConsistency(first, second, older, root, [...proof, EMPTY_ROOT])).toBe(false);
        if (proof.length > 0) expect(verifyConsistency(first, second, older, root, proof.slice(1))).toBe(false);
        if (first > 0) expect(verifyConsistency(first, second, older, other === root ? EMPTY_ROOT : other, proof)).toBe(false);
      }
      expect(verifyConsistency(second + 1, second, root, root, [])).toBe(false);
      expect(consistencyProof(all, second + 1)).toBeNull();
    }
  });
});

describe('checkpoints', () => {
  const keys = generateKeys();
  const head = { size: 8, root: ROOTS[7] ?? '' };
  const trusted = keys.trusted.record;
  const note = makeNote('acme', head, keys.record);

  test("key ids and signatures are those of Go's note package", () => {
    // The example of golang.org/x/mod/sumdb/note.
    const key = unbase64('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW')?.slice(1) ?? new Uint8Array();
    const signature = unbase64('x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=') ?? new Uint8Array();
    expect([hex(noteKeyId('PeterNeumann', key)), hex(signature.slice(0, 4))]).toEqual(['c74f20a3', 'c74f20a3']);
    expect(
      ed25519.verify(signature.slice(4), utf8("If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"), key),
    ).toBe(true);
  });

  test('are five lines and a signature', () => {
    expect(note.split('\n').slice(0, 4)).toEqual(['countersign/acme', '8', Buffer.from(head.root, 'hex').toString('base64'), '']);
    expect(note.split('\n')[4]).toMatch(/^\u2014 countersign\/acme [A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2}$/);
    expect(verifierKey('acme', keys.record.publicKey)).toMatch(/^countersign\/acme\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
  });

  test('are read back, with signatures of witnesses beside ours', () => {
    expect(readNote('acme', note, trusted)).toEqual({ ok: true, head, keyId: keys.record.keyId });
    expect(readNote('acme', `${note}\u2014 witness.example ${Buffer.alloc(76).toString('base64')}\n`, trusted)).toMatchObject({ ok: true });
  });

  test('of another log, size, root, key or shape are refused', () => {
    const verdict = (text: string, tenant = 'acme', keysOf = trusted) => {
      const reading = readNote(tenant, text, keysOf);
      return reading.ok ? 'ok' : reading.why;
    };
    expect(verdict(note, 'other')).toBe('other_log');
    expect(verdict(note.replaceAll('acme', 'other'), 'other')).toBe('unknown_key');
    expect(verdict(note.replace('\n8\n', '\n9\n'))).toBe('bad_signature');
    expect(verdict(note.replace('\n8\nX', '\n8\nY'))).toBe('bad_signature');
    expect(verdict(note, 'acme', generateKeys().trusted.record)).toBe('unknown_key');
    for (const text of [
      '',
      note.trimEnd(),
      note.replace('\n8\n', '\n08\n'),
      note.replace('\n\n', '\n'),
      `${note}x`,
      note.replace('\u2014', '-'),
      note.replace('\n8\n', '\n99999999999999999999\n'),
    ])
      expect([text, verdict(text)]).toEqual([text, 'malformed']);
  });

  test('of a tenant whose name could be read as two are not made', () => {
    for (const tenant of ['', 'a b', 'a+b', 'a\nb']) expect(() => makeNote(tenant, head, keyPairFromSeed(new Uint8Array(32)))).toThrow('cannot name a log');
  });
});
