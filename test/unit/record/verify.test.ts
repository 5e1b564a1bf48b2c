import fc from 'fast-check';
import type { ApprovalEvent } from '../../../domain/events';
import { makeNote } from '../../../record/checkpoint';
import { makeEntry, NO_HEAD, type Head, type PersonalField, type StoredEntry } from '../../../record/entry';
import { exportLines, readExport } from '../../../record/export';
import { generateKeys, type Keys } from '../../../record/keys';
import { sealCheckpoint, sealLogRow } from '../../../record/log';
import { EMPTY_RANGE, extend, rootOf } from '../../../record/tree';
import { verifyRecord, type RecordExport } from '../../../record/verify';
import { AT, proofFor } from '../../support/record';

const keys = generateKeys();
const TENANT = 'acme';
const salts = (length: number): Uint8Array => new Uint8Array(length).fill(7);

/** A whole record of one approval with these events, placed and signed. */
function recordOf(events: readonly ApprovalEvent[], by: Keys = keys): RecordExport {
  const entries: StoredEntry[] = [];
  const personal: PersonalField[] = [];
  let head: Head = NO_HEAD;
  for (const event of events) {
    const made = makeEntry({ tenant: TENANT, approvalId: 'a', head, at: AT, event, commandId: null, context: {} }, by.record, salts);
    head = { seq: made.entry.seq, hash: made.entry.leaf };
    entries.push(made.entry);
    personal.push(...made.personal);
  }
  const log = entries.map((e, position) => sealLogRow({ tenant: TENANT, position, approvalId: 'a', seq: e.seq, leaf: e.leaf }, by.record));
  const range = extend(
    EMPTY_RANGE,
    entries.map((e) => e.leaf),
  );
  const tip = { size: range.size, root: rootOf(range) };
  const checkpoint = sealCheckpoint({ tenant: TENANT, ...tip, note: makeNote(TENANT, tip, by.record), at: AT, previous: 0, range: range.roots }, by.record);
  return { tenant: TENANT, entries, personal, log, checkpoints: [checkpoint], requests: [], heads: [{ approvalId: 'a', seq: head.seq, hash: head.hash }] };
}

const denied = (reason: string, signedReason = reason, person = 'maria', by: Keys = keys): ApprovalEvent => ({
  type: 'denied',
  signOff: '1',
  by: 'maria',
  role: 'cfo',
  reason,
  directory: 'd',
  proof: proofFor(by, TENANT, 'a', person, { type: 'deny', reason: signedReason }, 'command-1'),
});
const codes = (record: RecordExport): string[] => verifyRecord(record, keys.trusted).findings.map((f) => `${f.code} ${String(f.seq)}`);

describe('the signature of the person who decided', () => {
  test('is checked from the entry alone', () => {
    expect(verifyRecord(recordOf([denied('too much')]), keys.trusted)).toMatchObject({ ok: true, signatures: { checked: 1, uncheckable: 0 } });
  });

  test('finds words or a person that were never signed, even when whoever wrote them has the record key', () => {
    expect(codes(recordOf([denied('fine', 'too much')]))).toEqual(['signature_invalid 1']);
    expect(codes(recordOf([denied('too much', 'too much', 'tom')]))).toEqual(['signature_invalid 1']);
    const { proof } = denied('too much') as Extract<ApprovalEvent, { type: 'denied' }>;
    expect(
      codes(
        recordOf([
          { type: 'signed_off', signOff: '1', by: 'maria', role: 'cfo', authority: 'full', reason: 'too much', complete: true, directory: 'd', proof },
        ]),
      ),
    ).toEqual(['signature_invalid 1']);
    expect(codes(recordOf([{ ...denied('x'), proof: { ...proof, packetDigest: null } } as ApprovalEvent]))).toEqual(['signature_invalid 1']);
  });

  test('must be by a trusted command key: neither a stranger nor the record key itself counts', () => {
    expect(codes(recordOf([denied('too much', 'too much', 'maria', generateKeys())]))).toEqual(['signature_invalid 1']);
    expect(codes(recordOf([denied('too much', 'too much', 'maria', { ...keys, command: keys.record })]))).toEqual(['signature_invalid 1']);
  });

  test('covers the claim that it implied, and no other', () => {
    const decision = denied('too much') as Extract<ApprovalEvent, { type: 'denied' }>;
    const claim: ApprovalEvent = { type: 'claimed', by: 'maria', role: 'cfo', implicit: true, proof: decision.proof };
    expect(codes(recordOf([claim, decision]))).toEqual([]);
    expect(codes(recordOf([claim]))).toEqual(['signature_invalid 1']);
    expect(codes(recordOf([{ ...claim, implicit: false }, decision]))).toEqual(['signature_invalid 1']);
  });

  test('cannot be checked once its words are erased, which is no fault', () => {
    const whole = recordOf([denied('too much')]);
    expect(verifyRecord({ ...whole, personal: [] }, keys.trusted)).toMatchObject({ ok: true, erased: 1, signatures: { checked: 0, uncheckable: 1 } });
  });
});

describe('the export', () => {
  const whole = recordOf([denied('zu teuer — 🙂'), { type: 'engine', what: 'nudged', why: 'because' }]);
  const lines = [...exportLines(whole)];

  test('is read back alike and verifies with the public keys alone', () => {
    expect(readExport([...lines, ''])).toEqual(whole);
    expect(verifyRecord(readExport(lines), { record: keys.trusted.record, command: keys.trusted.command }).ok).toBe(true);
  });

  test('that was cut, extended or mixed up is refused with its line', () => {
    const broken: readonly (readonly [readonly string[], string])[] = [
      [[], 'ends too early'],
      [lines.slice(0, -1), 'ends too early'],
      [[...lines.slice(0, 2), ...lines.slice(3)], `it counts ${String(lines.length - 2)} rows`],
      [[...lines, lines[1] ?? ''], `Line ${String(lines.length + 1)} of the export cannot be read: it stands after the end`],
      [lines.slice(1), 'Line 1 of the export cannot be read: the first line'],
      [[lines[0] ?? '', ...lines], 'Line 2 of the export'],
      [[lines[0] ?? '', '{"kind":"entry"}'], 'Line 2 of the export cannot be read: tenant'],
      [[lines[0] ?? '', '{"kind":"log","kind":"entry"}'], 'appears twice'],
      [['not json'], 'Line 1 of the export'],
    ];
    for (const [text, what] of broken) expect(() => readExport(text)).toThrow(what);
  });

  test('whatever character of a row is altered, it is refused or found', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: lines.length - 2 }), fc.nat(), fc.constantFrom('0', 'A', 'x', '"', '9', '-'), (row, at, put) => {
        const line = lines[row] ?? '';
        const i = at % line.length;
        fc.pre(line[i] !== put);
        const altered = lines.map((text, n) => (n === row ? line.slice(0, i) + put + line.slice(i + 1) : text));
        let record: RecordExport;
        try {
          record = readExport(altered);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_export' });
          return;
        }
        expect(verifyRecord(record, keys.trusted).ok).toBe(false);
      }),
      { numRuns: 400 },
    );
  });
});

test('hostile rows give findings, never an error', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'acme', '__proto__', 'toString', 'denied', 'proof', '\ud800', 'f'.repeat(64)));
  const number = fc.oneof(fc.nat(5), fc.maxSafeNat());
  const value = fc.jsonValue() as fc.Arbitrary<never>;
  const entry = fc.record({
    tenant: text,
    approvalId: text,
    seq: number,
    type: text,
    at: text,
    commandId: fc.option(text),
    fields: fc.dictionary(text, fc.record({ salt: text, value })),
    personal: fc.dictionary(text, text),
    prev: text,
    leaf: text,
    seal: text,
    keyId: fc.oneof(text, fc.constant(keys.record.keyId)),
  });
  const record = fc.record({
    tenant: text,
    entries: fc.array(entry, { maxLength: 4 }),
    personal: fc.array(fc.record({ approvalId: text, seq: number, name: text, salt: text, value }), { maxLength: 3 }),
    log: fc.array(fc.record({ tenant: text, position: number, approvalId: text, seq: number, leaf: text, seal: text, keyId: text }), { maxLength: 3 }),
    checkpoints: fc.array(
      fc.record({ tenant: text, size: number, root: text, note: text, at: text, previous: number, range: fc.array(text), seal: text, keyId: text }),
      { maxLength: 3 },
    ),
    requests: fc.constant([]),
    heads: fc.array(fc.record({ approvalId: text, seq: number, hash: text }), { maxLength: 2 }),
  });
  fc.assert(
    fc.property(record, (hostile) => {
      const report = verifyRecord(hostile, keys.trusted, { witnesses: ['nonsense'] });
      expect(report.ok).toBe(false);
    }),
    { numRuns: 300 },
  );
});
