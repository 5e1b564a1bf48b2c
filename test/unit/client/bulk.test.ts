/** One act on several approvals: only on what is alike, an answer for each, and no more of them at once than leaves room for others. */
import type { Plan } from '../../../domain/plan';
import { moveMany, whyMixed } from '../../../client/api/bulk';
import type { Moved } from '../../../client/api/moves';
import { ApiError } from '../../../client/api/problems';
import type { ApprovalRow } from '../../../client/api/reads';
import { BulkSchema } from '../../../client/api/schemas';

const approval = (approvalId: string, type = 'refund.issue', rows: readonly string[] = ['refund_over_250'], plan: Partial<Plan> = {}): ApprovalRow =>
  ({ approvalId, packet: { action: { type } }, plan: { rows: rows.map((id) => ({ id })), ...plan } }) as unknown as ApprovalRow;

describe('a batch', () => {
  it('is of one action type, matched by the same rows in whatever order', () => {
    expect(whyMixed([approval('a', 'x', ['r1', 'r2']), approval('b', 'x', ['r2', 'r1'])])).toBeNull();
  });

  it.each([
    ['two action types', [approval('a'), approval('b', 'invoice.pay')], 'b is invoice.pay by refund_over_250; send them apart'],
    ['other rows', [approval('a'), approval('b', 'refund.issue', ['refund_over_250', 'vip'])], 'b is refund.issue by refund_over_250, vip'],
    [
      'one that wants a choice',
      [approval('a'), approval('b', undefined, undefined, { offers: { options: { cash: 'As money' } } })],
      'b asks its approver to choose',
    ],
    ['one twice', [approval('a'), approval('a')], 'a is named twice'],
  ])('with %s is refused whole, with the one that does not fit', (_what, batch, why) => {
    expect(whyMixed(batch)).toContain(why);
  });

  const items = (n: number) => Array.from({ length: n }, (_, i) => ({ approval_id: `ap_${String(i)}`, packet_digest: 'a'.repeat(64) }));
  it.each([
    ['nothing', { move: { type: 'approve', reason: 'r' }, items: [] }],
    ['more than a hundred', { move: { type: 'approve', reason: 'r' }, items: items(101) }],
    ['a yes with conditions', { move: { type: 'approve', reason: 'r', conditions: { option: 'cash' } }, items: items(2) }],
    ['a takeover', { move: { type: 'take_over', reason: 'r' }, items: items(2) }],
    ['an item without what was read', { move: { type: 'approve', reason: 'r' }, items: [{ approval_id: 'ap_1' }] }],
  ])('of %s is not well-formed', (_what, body) => {
    expect(BulkSchema.safeParse(body).success).toBe(false);
  });

  it('of a hundred is', () => {
    expect(BulkSchema.safeParse({ move: { type: 'deny', reason: 'r' }, items: items(100) }).success).toBe(true);
  });
});

describe('moving many', () => {
  const answered = (commandId: string, refusal: { code: 'role_not_held'; message: string } | null): Moved => ({
    status: 'answered',
    commandId,
    answer: { commandId, accepted: refusal === null, state: refusal ? 'waiting' : 'approved', seq: 5, refusal },
  });

  it('answers each by itself, in the order that was sent', async () => {
    const answers: Record<string, () => Promise<Moved>> = {
      a: () => Promise.resolve(answered('c-a', null)),
      b: () => Promise.resolve(answered('c-b', { code: 'role_not_held', message: 'Sam does not hold cfo' })),
      c: () => Promise.resolve({ status: 'stored', commandId: 'c-c' }),
      d: () => Promise.reject(new ApiError('busy', 'Too many wait')),
    };
    const moved = await moveMany(
      ['a', 'b', 'c', 'd'].map((id) => approval(id)),
      7,
      ({ approvalId }, deadline) => {
        expect(deadline).toBe(7);
        return answers[approvalId]?.() ?? Promise.reject(new Error(approvalId));
      },
    );
    expect(moved).toEqual([
      { approval_id: 'a', command_id: 'c-a', status: 'accepted', state: 'approved', seq: 5, problem: null },
      { approval_id: 'b', command_id: 'c-b', status: 'refused', state: 'waiting', seq: 5, problem: { code: 'role_not_held', detail: 'Sam does not hold cfo' } },
      { approval_id: 'c', command_id: 'c-c', status: 'stored', state: null, seq: null, problem: null },
      { approval_id: 'd', command_id: null, status: 'not_sent', state: null, seq: null, problem: { code: 'busy', detail: 'Too many wait' } },
    ]);
  });

  it('has a few at a time under way', async () => {
    const waiting: (() => void)[] = [];
    const all = moveMany(
      Array.from({ length: 10 }, (_, i) => approval(String(i))),
      0,
      ({ approvalId }) => new Promise((done) => waiting.push(() => done({ status: 'stored', commandId: approvalId }))),
    );
    let most = 0;
    for (let done = 0; done < 10; done += 1) {
      while (waiting.length === 0) await Promise.resolve();
      most = Math.max(most, waiting.length);
      waiting.shift()?.();
    }
    expect((await all).map((item) => item.approval_id)).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(most).toBe(4);
  });
});
