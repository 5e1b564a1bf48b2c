/** What whoever has taken it over does with it, and that it ends at its bound however often they say a word. */
import fc from 'fast-check';
import { after, ms } from '../../../domain/json';
import { WORK_STATUSES, type Move, type WorkStatus } from '../../../domain/moves';
import type { Plan } from '../../../domain/plan';
import { hasEnded } from '../../../domain/state';
import { approve, claim, directoryOf, HOUR, MINUTE, person, Play, planOf, refusal, resolve, START, takeOver, TEAM, types } from '../../support/approval-play';

const update = (status: WorkStatus = 'working', next?: string, note = 'called the customer'): Move => ({
  type: 'update',
  status,
  note,
  ...(next === undefined ? {} : { next_update_at: next }),
});
const abandon = (reason = 'the customer no longer wants it'): Move => ({ type: 'abandon', reason });
const team = directoryOf([...TEAM, person('olga', ['operator']), person('otto', ['operator'])]);
const taken = (patch: Partial<Plan> = {}): Play => {
  const play = new Play(planOf(patch), { directory: team }).open();
  play.says('fay', takeOver());
  return play;
};

describe('a word on where it stands', () => {
  it('is on the record, moves the next word, and is told to who was asked without the note', () => {
    const play = new Play(planOf({ takeoverAtMostMs: 4 * HOUR }), { directory: team }).open();
    play.passes(30 * MINUTE);
    play.says('cleo', takeOver());
    play.passes(30 * MINUTE);
    expect(types(play.says('cleo', update('blocked')))).toEqual(['worked']);
    const dueAt = after(START, 2 * HOUR);
    expect(play.last('worked')).toMatchObject({ by: 'cleo', role: 'cfo', status: 'blocked', note: 'called the customer', dueAt });
    expect(play.last('worked').owed).toEqual([
      expect.objectContaining({
        kind: 'tell_asked',
        to: { person: 'fay', role: 'finance_manager' },
        what: `Cleo (cfo) is blocked; the next word comes by ${dueAt}`,
      }),
    ]);
    expect(play.state.takeover).toMatchObject({ dueAt, status: 'blocked' });
  });

  it('says until when the next one comes', () => {
    const play = taken({ takeoverAtMostMs: 4 * HOUR });
    const next = after(START, 3 * HOUR);
    play.says('fay', update('waiting_for_others', next));
    expect(play.state.takeover?.dueAt).toBe(next);
    expect(play.passes(3 * HOUR)).toEqual(['takeover_lapsed', 'ended']);
  });

  it('gives no time beyond the bound of the policy', () => {
    const play = taken({ takeoverAtMostMs: 2 * HOUR });
    expect(refusal(play.says('fay', update('working', after(START, 2 * HOUR + 1)))).code).toBe('update_too_late');
    play.passes(HOUR - MINUTE);
    play.says('fay', update());
    expect(play.state.takeover?.dueAt).toBe(after(START, 2 * HOUR - MINUTE));
    play.passes(50 * MINUTE);
    play.says('fay', update());
    expect(play.state.takeover?.dueAt).toBe(after(START, 2 * HOUR));
  });

  it('gives no time at all where the policy has no bound of its own', () => {
    const play = taken();
    play.passes(10 * MINUTE);
    play.says('fay', update());
    expect(play.state.takeover?.dueAt).toBe(after(START, HOUR));
  });

  it.each(['not a time', START, after(START, -HOUR)])('comes at an instant that is ahead: %s is not', (next) => {
    expect(refusal(taken().says('fay', update('working', next))).code).toBe('update_too_late');
  });

  it('has words in it', () => {
    expect(refusal(taken().says('fay', update('working', undefined, '  '))).code).toBe('text_required');
  });

  it('is of who has it, and of who still holds the role', () => {
    const play = taken();
    expect(refusal(play.says('finn', update())).code).toBe('taken_over_by_another');
    play.directory(directoryOf(TEAM.map((p) => (p.id === 'fay' ? person('fay', []) : p))));
    expect(refusal(play.says('fay', update())).code).toBe('role_not_held');
    expect(refusal(new Play(planOf()).open().says('fay', update())).code).toBe('not_taken_over');
  });
});

describe('abandoning it', () => {
  it('ends it for the agent as something that is not to be done', () => {
    const play = taken();
    expect(types(play.says('fay', abandon()))).toEqual(['resolved', 'ended']);
    expect(play.last('resolved')).toMatchObject({ how: 'abandoned', result: 'the customer no longer wants it' });
    expect(play.last('ended')).toMatchObject({
      outcome: 'resolved_by_person',
      why: 'Abandoned by Fay (finance_manager): the customer no longer wants it',
      next: { path: 'do not execute; it was abandoned' },
      deciders: [{ person: 'fay' }],
    });
  });

  it('says why', () => {
    expect(refusal(taken().says('fay', abandon(' '))).code).toBe('reason_required');
  });

  it('is a decision: on the packet of now, with the ceremony of the tier', () => {
    expect(refusal(taken().says('fay', abandon(), { packetDigest: 'b'.repeat(64) })).code).toBe('stale_packet');
    expect(refusal(taken({ tier: 'strong' }).says('fay', abandon(), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
  });
});

it.each([approve(), claim, takeOver()])('while it is taken over nothing else is done with it: $type', (move) => {
  expect(refusal(taken().says('fay', move)).code).toBe('taken_over_by_another');
});

it('a question of who has taken it over is open beside their work, and ends with it', () => {
  const play = taken({ takeoverAtMostMs: 4 * HOUR });
  expect(types(play.says('fay', { type: 'ask', of: 'agent', question: 'Which parcel?' }))).toEqual(['information_asked']);
  expect(play.state.state).toBe('taken_over');
  play.says('fay', update());
  play.says('clerk', { type: 'reply', question: 'q1', text: 'Parcel 7' }, { agent: 'clerk' });
  expect(types(play.says('fay', resolve()))).toEqual(['resolved', 'ended']);
});

it('whatever is said, and whoever takes it over from whom, it ends at its bound', () => {
  const step = fc.record({
    minutes: fc.integer({ min: 0, max: 70 }),
    status: fc.constantFrom(...WORK_STATUSES),
    next: fc.option(fc.integer({ min: -30, max: 400 }), { nil: undefined }),
    by: fc.constantFrom('fay', 'olga', 'otto'),
    takes: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 20 }), (hours, steps) => {
      const play = taken({ takeoverAtMostMs: hours * HOUR });
      const bound = ms(START) + hours * HOUR;
      for (const { minutes, status, next, by, takes } of steps) {
        play.passes(minutes * MINUTE);
        if (hasEnded(play.state)) break;
        play.says(by, takes ? takeOver() : update(status, next === undefined ? undefined : after(play.now, next * MINUTE)));
        expect(ms(play.state.takeover?.dueAt ?? START)).toBeLessThanOrEqual(bound);
      }
      play.passes(Math.max(0, bound - ms(play.now)));
      expect(hasEnded(play.state)).toBe(true);
    }),
  );
});
