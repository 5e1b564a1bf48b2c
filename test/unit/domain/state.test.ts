/** The fold: what a record tells, entry by entry. */
import type { ApprovalEvent, AttemptStatus } from '../../../domain/events';
import { apply, fold, hasEnded, INITIAL, openSignOff, owedId, type ApprovalState } from '../../../domain/state';
import { approve, MINUTE, Play, planOf, START } from '../../support/approval-play';

const then = (state: ApprovalState, event: ApprovalEvent): ApprovalState => apply(state, { seq: state.seq + 1, at: START, event });
const attempted = (id: string, attempt: number, status: AttemptStatus): ApprovalEvent => ({
  type: 'attempted',
  owedId: id,
  kind: 'ask',
  to: 'fay@example.com',
  attempt,
  status,
  httpStatus: null,
  latencyMs: 12,
  detail: 'said so',
  retryAt: null,
});

describe('the fold of a record', () => {
  it('of nothing is routing, with nobody asked', () => {
    expect(fold([])).toBe(INITIAL);
    expect(INITIAL.state).toBe('routing');
    expect(openSignOff(INITIAL)).toBeUndefined();
    expect(hasEnded(INITIAL)).toBe(false);
  });

  it('of any prefix and the rest is the fold of the whole', () => {
    const play = new Play().open();
    play.passes(15 * MINUTE);
    play.says('finn', approve());
    for (let cut = 0; cut <= play.record.length; cut += 1) expect(play.record.slice(cut).reduce(apply, fold(play.record.slice(0, cut)))).toEqual(play.state);
  });

  it('changes no state it was given', () => {
    const play = new Play().open();
    const before = JSON.stringify(play.state);
    play.record.forEach((entry) => apply(play.state, entry));
    expect(JSON.stringify(play.state)).toBe(before);
  });

  it('is plain JSON', () => {
    const { state } = new Play(planOf()).open();
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe('what is owed', () => {
  const asked = new Play().open().state;
  const id = owedId(asked.seq, 0);

  it('is named by its entry and place, without a dot', () => {
    expect(asked.owed.map((o) => o.id)).toEqual([id]);
    expect(id).toBe('3-0');
  });

  it('counts its attempts until one ends it', () => {
    const failing = then(asked, attempted(id, 1, 'failed_for_now'));
    expect(failing.owed).toMatchObject([{ id, attempts: 1, status: 'failed_for_now' }]);
    expect(then(failing, attempted(id, 2, 'done')).owed).toMatchObject([{ id, attempts: 2, status: 'done' }]);
  });

  it('by another id changes nothing', () => {
    expect(then(asked, attempted('9-9', 1, 'done')).owed).toEqual(asked.owed);
  });

  it.each<[AttemptStatus | 'owed', string]>([
    ['owed', 'done'],
    ['failed_for_now', 'done'],
    ['done', 'done'],
    ['failed_for_good', 'failed_for_good'],
  ])('a question that is %s when it ends is %s: not asked again, and a dead letter stays visible', (status, after) => {
    const play = new Play().open();
    const before = status === 'owed' ? play.state : then(play.state, attempted(id, 1, status));
    const ended = then(before, {
      type: 'ended',
      outcome: 'withdrawn',
      why: 'no longer wanted',
      end: null,
      deciders: [],
      conditions: {},
      next: { path: 'stop' },
      owed: [],
    });
    expect(ended.owed[0]?.status).toBe(after);
  });
});

it.each<ApprovalEvent>([
  { type: 'refused', code: 'role_not_held', message: 'no', by: 'sam', move: 'approve', commandId: 'command-9' },
  { type: 'engine', what: 'restarted', why: 'closed without an end' },
])('an entry of type $type moves the sequence and nothing else', (event) => {
  const { state } = new Play().open();
  expect(then(state, event)).toEqual({ ...state, seq: state.seq + 1 });
});
