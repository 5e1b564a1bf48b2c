import fc from 'fast-check';
import { base64, base64url, hex, unbase64, unbase64url, unhex } from '../../../record/hash';
import { generateKeys, keyIdOf, keyPairFromSeed, keysFromJson, keysToJson, trustedFromJson, trustedToJson } from '../../../record/keys';
import { checkSignature, LABELS, sign, verifySignature } from '../../../record/signing';
import { nativeSign, nativeVerify } from '../../../record/store/signatures';
import type { Json } from '../../../domain/json';

/** RFC 8032 section 7.1, test 1. */
const seed = unhex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');

test('a key pair is that of RFC 8032, named by its public key', () => {
  const pair = keyPairFromSeed(seed);
  expect(hex(pair.publicKey)).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  expect(pair.keyId).toBe(keyIdOf(pair.publicKey));
  expect(pair.keyId).toMatch(/^[0-9a-f]{16}$/);
});

test('text forms of bytes are those of Node, and have one spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      expect([base64(bytes), base64url(bytes)]).toEqual([buffer.toString('base64'), buffer.toString('base64url')]);
      expect([unbase64(base64(bytes)), unbase64url(base64url(bytes))]).toEqual([bytes, bytes]);
    }),
  );
  for (const text of ['A', 'AB', 'AB=', 'AB==', 'A===', 'AA=A', 'A A=', 'AA==\n', '====']) expect([text, unbase64(text)]).toEqual([text, null]);
  expect([unbase64url('AB'), unbase64url('AA=='), unbase64url('A+A'), unbase64url('AA')]).toEqual([null, null, null, Uint8Array.of(0)]);
});

describe('the key file', () => {
  test('is read back alike, and keeps keys that were rotated out', () => {
    const old = generateKeys();
    const keys = generateKeys();
    const both = { ...keys, trusted: { ...keys.trusted, record: { ...keys.trusted.record, ...old.trusted.record } } };
    expect(keysFromJson(JSON.parse(JSON.stringify(keysToJson(both))) as Json)).toEqual(both);
    expect(trustedFromJson(trustedToJson(both.trusted))).toEqual(both.trusted);
    expect(JSON.stringify(trustedToJson(keys.trusted))).not.toContain(base64url(keys.command.privateKey));
  });

  test('that is broken is refused in a sentence', () => {
    const good = keysToJson(generateKeys()) as { [key: string]: Json };
    const other = Object.keys(generateKeys().trusted.record)[0] ?? '';
    const broken: readonly (readonly [Json, string])[] = [
      [null, 'private is missing'],
      [{}, 'private is missing'],
      [{ ...good, private: { command: 'x' } }, 'private.command is not 32 bytes'],
      [{ ...good, trusted: {} }, 'command is missing'],
      [{ ...good, trusted: { command: {}, record: { [other]: base64url(seed) }, token: {} } }, `trusted.record.${other} is not the key of that id`],
    ];
    for (const [value, what] of broken) expect(() => keysFromJson(value)).toThrow(what);
  });
});

describe('signatures', () => {
  const keys = generateKeys();
  const { record } = keys;

  test('hold for their value, label and key only', () => {
    const value = { approval: 'a', n: 1 };
    const signature = sign(record, 'countersign/entry/v1', value);
    const check = (change: { keyId?: string; label?: (typeof LABELS)[number]; value?: Json; signature?: string }) =>
      checkSignature(
        keys.trusted.record,
        change.keyId ?? record.keyId,
        change.label ?? 'countersign/entry/v1',
        change.value ?? value,
        change.signature ?? signature,
      );
    expect(check({})).toBe('valid');
    expect(check({ value: { n: 1, approval: 'a' } })).toBe('valid');
    expect(check({ value: { approval: 'a', n: 2 } })).toBe('invalid');
    for (const label of LABELS.filter((l) => l !== 'countersign/entry/v1')) expect(check({ label })).toBe('invalid');
    expect(check({ keyId: keys.command.keyId })).toBe('unknown_key');
    expect(check({ keyId: '__proto__' })).toBe('unknown_key');
    for (const bad of ['', 'x', `${signature}A`, `${signature}==`, signature.slice(1), base64url(new Uint8Array(64))])
      expect(check({ signature: bad })).toBe('invalid');
    expect(verifySignature(keys.trusted.command, record.keyId, 'countersign/entry/v1', value, signature)).toBe(false);
  });

  test('no label begins another, and none holds the byte that ends it', () => {
    for (const a of LABELS) {
      expect(a).not.toContain('\0');
      expect(LABELS.filter((b) => b.startsWith(a))).toEqual([a]);
    }
  });

  test("are the same bytes from Node's library, which accepts and refuses alike", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.string({ unit: 'grapheme' }),
        fc.nat(63),
        fc.integer({ min: 0, max: 255 }),
        (bytes, text, at, change) => {
          const pair = keyPairFromSeed(bytes);
          const trusted = { [pair.keyId]: pair.publicKey };
          const signature = sign(pair, 'countersign/log/v1', text);
          expect(sign(pair, 'countersign/log/v1', text, nativeSign)).toBe(signature);
          const altered = unbase64url(signature) ?? new Uint8Array();
          altered[at] = (altered[at] ?? 0) ^ change;
          const verdicts = [undefined, nativeVerify].map((raw) => checkSignature(trusted, pair.keyId, 'countersign/log/v1', text, base64url(altered), raw));
          expect(verdicts).toEqual(change === 0 ? ['valid', 'valid'] : ['invalid', 'invalid']);
        },
      ),
      { numRuns: 30 },
    );
  });
});
