/**
 * What an entry commits to is part of the record's format: the same entry has the same leaf and the same seal in every release.
 */
import type { RecordEvent } from '../../../record/entry';
import { leafOf, makeEntry, NO_HEAD } from '../../../record/entry';
import { keyPairFromSeed } from '../../../record/keys';
import { nativeHash, nativeSign } from '../../../record/store/signatures';

const KEY = keyPairFromSeed(new Uint8Array(32).fill(7));

/** Bytes that are the same in every run. */
function counted(): (length: number) => Uint8Array {
  let n = 0;
  return (length) => {
    n += 1;
    return new Uint8Array(length).map((_, i) => (n * 31 + i * 7) & 255);
  };
}

/** Texts to escape, numbers with several spellings, members that are undefined. */
const EVENT = {
  type: 'decided',
  by: 'fay',
  role: 'finance_manager',
  reason: 'ü "quoted" \u2028 😀 \u0007',
  signature: null,
  list: [1, 2.5, -0, 1e-7, { z: true, a: [] }],
  nothing: undefined,
  deep: { b: undefined, a: 'x' },
} as unknown as RecordEvent;

const INPUT = {
  tenant: 'acme',
  approvalId: 'ap_1',
  head: NO_HEAD,
  at: '2026-11-21T09:30:00.000Z',
  event: EVENT,
  commandId: 'command-1',
  context: { agent: 'a', lane: 'finance', case: null, personal: { customer: 'Kim' } },
};

test.each([
  ['plain', makeEntry(INPUT, KEY, counted())],
  ['native', makeEntry(INPUT, KEY, counted(), nativeSign, nativeHash)],
])('an entry made by the %s functions commits to what it always did', (_, { entry, personal }) => {
  expect(entry).toMatchObject({
    leaf: '09366721c135d581bbd1c363ccd8779a54847b1ccf4189349239e8b580708e62',
    seal: 'VQ2klBPLIWutV-HnAG8G_SOmY4S9GuhMmDKuohmvN_Mv5nILB5z3mi_FPxsSCZ_Qyev4GuKJIYPaNYlHVZ1ACg',
    keyId: 'fe812c12f3ab4ce6',
    personal: { 'context.personal': '964a53ac5d4544fca79062ee87a4d9ff00dd6366c82d0de8b36cfeb970c2aa55' },
  });
  expect(entry.fields['by']).toEqual({ salt: 'HyYtNDtCSVBXXmVsc3qBiA', value: 'fay' });
  expect(entry.fields['list']?.value).toEqual([1, 2.5, 0, 1e-7, { z: true, a: [] }]);
  expect(entry.fields['deep']?.value).toEqual({ a: 'x' });
  expect(entry.fields).not.toHaveProperty('nothing');
  expect(personal).toEqual([{ approvalId: 'ap_1', seq: 1, name: 'context.personal', salt: 'Nj1ES1JZYGdudXyDipGYnw', value: { customer: 'Kim' } }]);
  expect([leafOf(entry), leafOf(entry, nativeHash)]).toEqual([entry.leaf, entry.leaf]);
});
