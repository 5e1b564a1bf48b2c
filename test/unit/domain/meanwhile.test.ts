/** What the policy has done while a request is open, and undone at its end. */
import type { Owed } from '../../../domain/events';
import type { MeanwhileEffects, Plan } from '../../../domain/plan';
import { apply } from '../../../domain/state';
import { approve, deny, HOUR, level, MINUTE, Play, planOf, resolve, signOff, takeOver } from '../../support/approval-play';

const EFFECTS: MeanwhileEffects = {
  tellCustomer: { subject: 'Your refund', text: 'We look at it.' },
  openCase: { queue: 'refunds', owner: 'finance_manager', title: 'Look at the refund' },
  raiseIncident: { queue: 'ops', owner: 'operations', title: 'Refund held up' },
  pauseCredentials: [
    { credential: 'ledger-write', reason: 'a refund is looked at' },
    { credential: 'ledger-read', reason: 'a refund is looked at' },
  ],
};
const planWith = (effects: MeanwhileEffects, patch: Partial<Plan> = {}): Plan =>
  planOf({ meanwhile: { agent: 'park_item', operator: 'look at it', effects }, ...patch });
const opened = (patch: Partial<Plan> = {}): Play => new Play(planWith(EFFECTS, patch)).open();
const credentials = (owed: readonly Owed[], kind: string): readonly string[] =>
  owed.flatMap((one) => (one.kind === kind && 'credential' in one ? [one.credential] : []));

describe('while it is open', () => {
  it('everything that the row says is owed from the first instant, once', () => {
    const play = opened();
    expect(play.record.slice(2).map((r) => r.event.type)).toEqual(['meanwhile_begun', 'level_opened']);
    expect(play.last('meanwhile_begun')).toMatchObject({ directive: 'park_item' });
    expect(play.last('meanwhile_begun').owed.map((o) => o.kind)).toEqual([
      'pause_credential',
      'pause_credential',
      'raise_incident',
      'open_case',
      'tell_customer',
    ]);
    play.open();
    expect(play.record.filter((r) => r.event.type === 'meanwhile_begun')).toHaveLength(1);
  });

  it('nothing is told of where the row has nothing done', () => {
    for (const plan of [planOf(), planWith({})]) {
      const play = new Play(plan).open();
      expect(play.record.slice(2).map((r) => r.event.type)).toEqual(['level_opened']);
    }
  });

  it('a customer without an address is not told', () => {
    const play = new Play(planWith(EFFECTS), { hasCustomerAddress: false }).open();
    expect(play.last('meanwhile_begun').owed.map((o) => o.kind)).not.toContain('tell_customer');
  });
});

describe('what was paused works again', () => {
  const ends: readonly [string, (play: Play) => unknown][] = [
    ['approved', (play) => play.says('fay', approve())],
    ['denied', (play) => play.says('fay', deny())],
    ['withdrawn', (play) => play.withdrawn()],
    ['resolved_by_person', (play) => [play.says('fay', takeOver()), play.says('fay', resolve())]],
    ['expired', (play) => [play.passes(30 * MINUTE), play.passes(2 * HOUR)]],
  ];
  it.each(ends)('when it ends as %s', (outcome, ending) => {
    const play = opened();
    ending(play);
    expect(play.state.state).toBe(outcome);
    expect(credentials(play.last('ended').owed, 'resume_credential')).toEqual(['ledger-write', 'ledger-read']);
  });

  it('but for what silence disables', () => {
    const onTimeout: Plan['onTimeout'] = { end: 'expire', disableCredentials: [{ credential: 'ledger-write', reason: 'nobody answered' }] };
    const play = opened({ onTimeout });
    play.passes(30 * MINUTE);
    play.passes(2 * HOUR);
    expect(credentials(play.last('ended').owed, 'resume_credential')).toEqual(['ledger-read']);
    expect(credentials(play.last('ended').owed, 'disable_credential')).toEqual(['ledger-write']);
    const decided = opened({ onTimeout });
    decided.says('fay', deny());
    expect(credentials(decided.last('ended').owed, 'resume_credential')).toEqual(['ledger-write', 'ledger-read']);
  });

  it('also where nobody could be asked at all', () => {
    const play = new Play(planWith(EFFECTS, { signOffs: [signOff('1', [level('nobody', 'nobodys_role', 5)])] })).open();
    expect(play.state.state).toBe('expired');
    expect(credentials(play.last('ended').owed, 'resume_credential')).toHaveLength(2);
  });

  it('and a pause that has not arrived by then is not made any more, while one that was given up stays visible', () => {
    const play = opened();
    const [first, second] = play.state.owed.filter((o) => o.owed.kind === 'pause_credential');
    const attempt = {
      type: 'attempted',
      kind: 'pause_credential',
      to: 'hook',
      attempt: 1,
      httpStatus: 500,
      latencyMs: 3,
      detail: 'no',
      retryAt: null,
    } as const;
    for (const [debt, status] of [
      [first, 'failed_for_now'],
      [second, 'failed_for_good'],
    ] as const) {
      play.state = apply(play.state, { seq: play.state.seq + 1, at: play.now, event: { ...attempt, owedId: debt?.id ?? '', status } });
    }
    play.says('fay', approve());
    const after = play.state.owed.filter((o) => o.owed.kind === 'pause_credential').map((o) => o.status);
    expect(after).toEqual(['done', 'failed_for_good']);
  });
});
