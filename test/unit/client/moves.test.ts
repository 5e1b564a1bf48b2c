/** Moves on the wire: named the same for the same key, and split from what their maker saw. */
import { commandIdOf, splitMove } from '../../../client/api/moves';
import { cursorOf, readCursor } from '../../../client/api/reads';
import { MoveSchema } from '../../../client/api/schemas';
import { headerKey } from '../../../client/sdk/activities';
import { COMMAND_ID } from '../../../workflows/protocol';

const DIGEST = 'a'.repeat(64);

it('a key names one command per tenant, approval and person', () => {
  const id = commandIdOf('acme', 'ap_1', 'fay', 'k');
  expect(id).toMatch(COMMAND_ID);
  expect(commandIdOf('acme', 'ap_1', 'fay', 'k')).toBe(id);
  const others = [
    commandIdOf('acme', 'ap_1', 'finn', 'k'),
    commandIdOf('acme', 'ap_2', 'fay', 'k'),
    commandIdOf('umbrella', 'ap_1', 'fay', 'k'),
    commandIdOf('acme', 'ap_1', 'fay', 'k2'),
    commandIdOf('acmeap_1', '', 'fay', 'k'),
  ];
  expect(new Set([id, ...others]).size).toBe(6);
});

it('the packet a move was made on travels beside it, and moves that decide nothing name none', () => {
  expect(splitMove(MoveSchema.parse({ type: 'deny', reason: 'no', packet_digest: DIGEST }))).toEqual({
    move: { type: 'deny', reason: 'no' },
    packetDigest: DIGEST,
  });
  expect(splitMove(MoveSchema.parse({ type: 'claim' }))).toEqual({ move: { type: 'claim' }, packetDigest: null });
});

it.each([
  [{ type: 'approve' }],
  [{ type: 'approve', packet_digest: 'short' }],
  [{ type: 'approve', packet_digest: DIGEST, decided_by: 'cleo' }],
  [{ type: 'approve', packet_digest: DIGEST, reason: 'x'.repeat(2001) }],
  [{ type: 'expire', packet_digest: DIGEST }],
  [{}],
  [null],
])('%j is no move', (body) => {
  expect(MoveSchema.safeParse(body).success).toBe(false);
});

it('a cursor says where a list went on, and anything else is none', () => {
  expect(readCursor(cursorOf('2026-11-21T09:00:00.000Z', 'ap_1'))).toEqual({ at: '2026-11-21T09:00:00.000Z', id: 'ap_1' });
  for (const bad of [undefined, '', 'x', Buffer.from("' or 1=1 --").toString('base64url')]) expect(readCursor(bad)).toBeNull();
});

it('a workflow id that no header takes is named by its digest', () => {
  expect(headerKey('run-1/step')).toBe('run-1/step');
  expect(headerKey('Prüfung 1/step')).toMatch(/^sha256-[0-9a-f]{64}$/);
  expect(headerKey('x'.repeat(300))).not.toBe(headerKey('x'.repeat(301)));
});
