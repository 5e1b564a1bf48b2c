/** Moves on the wire: named the same for the same key, and split from what their maker saw. */
import { DECIDING, type MoveType } from '../../../domain/moves';
import * as asking from '../../../domain/asking';
import * as limits from '../../../client/api/limits';
import { commandIdOf, splitMove } from '../../../client/api/moves';
import { cursorOf, readCursor } from '../../../client/api/reads';
import { EvidenceSchema, MoveSchema } from '../../../client/api/schemas';
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
    commandIdOf('acme', 'ap_1', { agent: 'fay' }, 'k'),
  ];
  expect(new Set([id, ...others]).size).toBe(7);
});

it('the packet a move was made on travels beside it, and moves that decide nothing name none', () => {
  expect(splitMove(MoveSchema.parse({ type: 'deny', reason: 'no', packet_digest: DIGEST }))).toEqual({
    move: { type: 'deny', reason: 'no' },
    packetDigest: DIGEST,
  });
  expect(splitMove(MoveSchema.parse({ type: 'claim' }))).toEqual({ move: { type: 'claim' }, packetDigest: null });
});

/** One of each that a person may send, with all that it takes. */
const SAID: { readonly [T in Exclude<MoveType, 'add_evidence'>]: object } = {
  claim: {},
  release: {},
  approve: { reason: 'r' },
  deny: { reason: 'r' },
  take_over: { reason: 'r' },
  answer: { facts: { a: 1 } },
  hand_back: { instructions: 'i' },
  resolve: { result: 'r' },
  abandon: { reason: 'r' },
  update: { status: 'blocked', note: 'n', next_update_at: '2026-11-21T12:00:00.000Z' },
  comment: { text: 't' },
  ask: { of: 'agent', question: 'q', sign_off: '1' },
  reply: { question: 'q1', text: 't' },
  reassign: { to: 'finn', reason: 'r', sign_off: '1' },
  pass_up: { reason: 'r' },
  extend: { minutes: 30, reason: 'r', sign_off: '1' },
  override: { decision: 'approve', because: 'outage', reason: 'r' },
  break_glass: { reason: 'r' },
  reopen_delivery: { owed_id: '3-0', reason: 'r' },
};

describe.each(Object.entries(SAID))('%s', (type, said) => {
  const decides = (DECIDING as readonly string[]).includes(type);
  const saw = decides ? { packet_digest: DIGEST } : {};

  it(`is sent ${decides ? 'with' : 'without'} the packet that was read, and arrives as it was said`, () => {
    expect(splitMove(MoveSchema.parse({ type, ...said, ...saw }))).toEqual({ move: { type, ...said }, packetDigest: decides ? DIGEST : null });
    expect(MoveSchema.safeParse({ type, ...said, ...(decides ? {} : { packet_digest: DIGEST }) }).success).toBe(false);
  });

  it('takes nothing beside', () => {
    for (const more of [{ by: 'cleo' }, { agent: 'refund-bot' }, { bulk: 'b' }])
      expect(MoveSchema.safeParse({ type, ...said, ...saw, ...more }).success).toBe(false);
  });
});

it('limits on the wire are those of the machine: what it would take is not turned away before', () => {
  const { TEXT_MAX, QUESTION_MAX, EVIDENCE_BYTES_MAX } = limits;
  expect({ TEXT_MAX, QUESTION_MAX, EVIDENCE_BYTES_MAX }).toEqual({
    TEXT_MAX: asking.TEXT_MAX,
    QUESTION_MAX: asking.QUESTION_MAX,
    EVIDENCE_BYTES_MAX: asking.EVIDENCE_BYTES_MAX,
  });
  const evidence = { name: 'photo', title: 't', content: '\u0001'.repeat(EVIDENCE_BYTES_MAX) };
  expect(EvidenceSchema.safeParse(evidence).success).toBe(true);
  expect(JSON.stringify(evidence).length).toBeLessThan(limits.EVIDENCE_BODY_MAX);
});

it.each([
  [{ type: 'add_evidence', name: 'photo', title: 't', content: 'c' }],
  [{ type: 'comment', text: 'x'.repeat(4001) }],
  [{ type: 'ask', of: 'agent', question: 'x'.repeat(2001) }],
  [{ type: 'ask', question: 'of nobody' }],
  [{ type: 'update', status: 'asleep' }],
  [{ type: 'update', status: 'blocked', next_update_at: 'soon' }],
  [{ type: 'extend', minutes: 0, reason: 'r' }],
  [{ type: 'extend', minutes: 1.5, reason: 'r' }],
  [{ type: 'override', decision: 'take_over', because: 'outage', reason: 'r', packet_digest: DIGEST }],
  [{ type: 'break_glass', reason: 'r' }],
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
