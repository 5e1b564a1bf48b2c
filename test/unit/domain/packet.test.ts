/** The packet's words: built from the parts, forged by none of them. */
import { buildPacket, headlineOf, packetWith, readableParams } from '../../../domain/packet';
import { RequestSchema } from '../../../domain/request';
import { refund } from '../../support/requests';
import { planOf } from '../../support/approval-play';
import { canonical } from '../../../record/canonical';
import type { Json } from '../../../domain/json';

const request = RequestSchema.parse(refund(148_000, { reason: 'Late' }));

describe('the packet', () => {
  it('says in one sentence what, how much, for whom and whether it can be undone', () => {
    expect(headlineOf(request, planOf({ amount: { minor: 148_000, currency: 'USD' } }))).toBe(
      'Refund order o1 to the customer (USD 1,480.00, affects one customer, is hard to undo, case T-100).',
    );
  });

  it('keeps the customer’s address out, and what silence and a no mean in', () => {
    const packet = buildPacket(request, planOf(), 'refund-bot');
    expect(JSON.stringify(packet)).not.toContain('kim@example.com');
    expect(packet).toMatchObject({ onSilence: 'the request expires', onDeny: 'log the reason and end the run', customer: { id: 'c-7', name: 'Kim Doe' } });
  });

  it('shows money as money and every parameter on a line of its own', () => {
    expect(readableParams({ amount: { minor: 148_000, currency: 'USD' }, order: 'o1', items: ['a', 'b'], fast: true })).toBe(
      'amount: USD 1,480.00\norder: o1\nitems: ["a","b"]\nfast: true',
    );
  });

  it('quotes a text whose line end could pass for another parameter', () => {
    expect(readableParams({ note: 'ok\namount: USD 1.00' })).toBe('note: "ok\\namount: USD 1.00"');
  });

  it('holds what was added since, in order, with whose words they are; without any it is what it was', () => {
    const packet = buildPacket(request, planOf(), 'refund-bot');
    const text = (value: unknown): string => canonical(value as Json);
    const evidence = { name: 'invoice', title: 'The invoice', source: 'agent', by: 'refund-bot', at: '2026-11-23T09:00:00.000Z', content: 'no 42' } as const;
    const answer = { ...evidence, name: 'q1', title: 'which parcel?', source: 'person', by: 'sam', content: 'the second one' } as const;
    expect(text(packetWith(packet, []))).toBe(text(packet));
    const kept = { seq: 7, kind: 'evidence', digest: 'd' };
    expect(packetWith(packet, [{ ...evidence, ...kept }, answer]).added).toEqual([evidence, answer]);
    expect(packetWith(packetWith(packet, [evidence]), [evidence, answer])).toEqual(packetWith(packet, [evidence, answer]));
    expect(text(packetWith(packetWith(packet, [evidence]), []))).toBe(text(packet));
  });
});
