/** What operators may do, within what the policy says, and what they may not do with it. */
import fc from 'fast-check';
import { after } from '../../../domain/json';
import type { Move } from '../../../domain/moves';
import type { Money } from '../../../domain/money';
import type { Operators, Plan } from '../../../domain/plan';
import { apply, hasEnded } from '../../../domain/state';
import {
  approve,
  claim,
  deny,
  directoryOf,
  handBack,
  HOUR,
  LADDER,
  level,
  MINUTE,
  person,
  Play,
  planOf,
  refusal,
  resolve,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';

const usd = (minor: number): Money => ({ minor, currency: 'USD' });
const REASONS = { wrong_lane: 'it was asked of the wrong people', outage: 'the approvers cannot be reached' };
const REVIEW = { queue: 'reviews', owner: 'operations', title: 'Review a broken glass' };
const OPERATING: Operators = {
  roles: ['operator'],
  extendAtMostMs: HOUR,
  override: { roles: ['head_of_desk'], may: ['approve', 'deny'], reasons: REASONS, secondPerson: false },
  breakGlass: { roles: ['incident_lead'], review: REVIEW },
};
const two = { ...OPERATING, override: { ...OPERATING.override, secondPerson: true } } as Operators;
const team = directoryOf([
  ...TEAM,
  person('olga', ['operator']),
  person('otto', ['operator', 'finance_manager']),
  person('hana', ['head_of_desk']),
  person('hugo', ['head_of_desk']),
  person('ines', ['incident_lead']),
  person('rudi', ['operator', 'head_of_desk', 'incident_lead']),
]);
const opened = (patch: Partial<Plan> = {}): Play =>
  new Play(planOf({ operators: OPERATING, ...patch }), { directory: team, requesters: ['rita', 'rudi'] }).open();
const dual = (patch: Partial<Plan> = {}): Play => opened({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)], ...patch });

const reassign = (to: string, which?: string): Move => ({ type: 'reassign', to, reason: 'fay is busy', ...(which === undefined ? {} : { sign_off: which }) });
const extend = (minutes: number, which?: string): Move => ({
  type: 'extend',
  minutes,
  reason: 'the invoice is late',
  ...(which === undefined ? {} : { sign_off: which }),
});
const override = (decision: 'approve' | 'deny' = 'approve', because = 'outage', reason = 'there is a reason'): Move => ({
  type: 'override',
  decision,
  because,
  reason,
});
const breakGlass = (reason = 'the line is down'): Move => ({ type: 'break_glass', reason });
const reopen = (id: string, reason = 'the hook works again'): Move => ({ type: 'reopen_delivery', owed_id: id, reason });

describe('who operates', () => {
  it.each([extend(10), reopen('3-0')])('is who holds an operator’s role: $type', (move) => {
    expect(refusal(opened().says('fay', move)).code).toBe('not_an_operator');
  });

  it('is said by the policy; without a word of it, the role operator', () => {
    const play = new Play(planOf(), { directory: team }).open();
    expect(types(play.says('olga', reassign('finn')))).toEqual(['reassigned']);
    expect(refusal(play.says('olga', extend(10))).code).toBe('extension_not_allowed');
    expect(refusal(play.says('hana', override())).code).toBe('override_not_allowed');
    expect(refusal(play.says('ines', breakGlass())).code).toBe('break_glass_not_allowed');
    expect(refusal(opened({ operators: { roles: [] } }).says('olga', extend(10))).code).toBe('not_an_operator');
  });

  it('is nobody by a deputy', () => {
    const away = person('olga', ['operator'], [{ from: START, to: after(START, HOUR), deputy: 'sam' }]);
    const play = new Play(planOf({ operators: OPERATING }), { directory: directoryOf([...TEAM, away]) }).open();
    expect(refusal(play.says('sam', extend(10))).code).toBe('not_an_operator');
  });

  it.each([extend(10), override(), breakGlass(), reassign('finn'), takeOver(), reopen('3-0')])('is nobody of the asking side: $type', (move) => {
    expect(refusal(opened().says('rudi', move)).code).toBe('requester_may_not_decide');
  });

  it.each<Move>([
    { type: 'extend', minutes: 5, reason: ' ' },
    { type: 'reassign', to: 'finn', reason: '' },
    { type: 'take_over', reason: '' },
    { type: 'reopen_delivery', owed_id: '3-0', reason: '' },
  ])('says why: $type', (move) => {
    expect(refusal(opened().says('olga', move)).code).toBe('reason_required');
  });
});

describe('reassigning', () => {
  it('gives it to somebody who may be asked, with the deadline as it was', () => {
    const play = opened();
    play.passes(10 * MINUTE);
    expect(types(play.says('olga', reassign('finn')))).toEqual(['reassigned']);
    expect(play.last('reassigned')).toMatchObject({ by: 'olga', role: 'operator', from: 'fay', to: { person: 'finn', role: 'finance_manager' } });
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'finn', dueAt: after(START, 30 * MINUTE) });
    expect(play.last('reassigned').owed.map((o) => o.kind)).toEqual(['ask', 'tell_asked']);
  });

  it('is done as whoever is asked where they have it in hand themselves', () => {
    const play = opened();
    play.says('otto', claim);
    play.says('otto', reassign('finn'));
    expect(play.last('reassigned')).toMatchObject({ by: 'otto', role: 'finance_manager' });
  });

  it.each(['cleo', 'rita', 'ghost'])('is not to %s, who may not be asked', (to) => {
    expect(refusal(opened().says('olga', reassign(to))).code).toBe('assignee_unfit');
  });

  it('of one of several says which', () => {
    const signOffs = [
      { ...signOff('1', [level('manager', 'finance_manager', 30)]), stage: 1 },
      { ...signOff('2', [level('CFO', 'cfo', 60)]), stage: 1 },
    ];
    const play = opened({ signOffs });
    expect(refusal(play.says('olga', reassign('carl'))).code).toBe('not_open');
    expect(refusal(play.says('olga', reassign('carl', '3'))).code).toBe('not_open');
    expect(types(play.says('olga', reassign('carl', '2')))).toEqual(['reassigned']);
    expect(play.last('reassigned')).toMatchObject({ signOff: '2', from: 'cleo' });
  });
});

describe('taking over as an operator', () => {
  it('needs none of the asked roles, and is visible at once to everyone who was asked', () => {
    const play = opened();
    expect(types(play.says('olga', takeOver()))).toEqual(['taken_over']);
    expect(play.last('taken_over')).toMatchObject({
      by: 'olga',
      role: 'operator',
      dueAt: after(START, HOUR),
      owed: [{ kind: 'tell_asked', to: { person: 'fay' } }],
    });
    expect(types(play.says('olga', resolve()))).toEqual(['resolved', 'ended']);
  });

  it('is possible from somebody who has taken it over, who is told, and takes no longer in all', () => {
    const play = opened({ takeoverAtMostMs: 90 * MINUTE });
    play.says('finn', takeOver());
    play.passes(50 * MINUTE);
    expect(types(play.says('olga', takeOver()))).toEqual(['taken_over']);
    expect(play.state.takeover).toMatchObject({ by: 'olga', at: START, dueAt: after(START, 90 * MINUTE) });
    expect(play.last('taken_over').owed).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'tell_asked', to: { person: 'finn', role: 'finance_manager' } })]),
    );
    expect(refusal(play.says('finn', resolve())).code).toBe('taken_over_by_another');
  });

  it('lets go of questions, and of clocks that stood still for them', () => {
    const play = opened({ questions: { clock: 'pauses', withinMs: HOUR, atMost: 5 } });
    play.says('fay', { type: 'ask', of: 'agent', question: 'Which parcel?' });
    expect(play.state.signOffs[0]?.paused).toBeDefined();
    play.says('olga', takeOver());
    expect(play.state).toMatchObject({ state: 'taken_over', questions: [{ status: 'lapsed' }] });
    expect(play.state.signOffs[0]?.paused).toBeUndefined();
    expect(refusal(play.says('clerk', { type: 'reply', question: 'q1', text: 'Parcel 7' }, { agent: 'clerk' })).code).toBe('unknown_question');
    expect(play.passes(HOUR)).toEqual(['takeover_lapsed', 'ended']);
  });

  it('keeps to the ceremony of the tier, and nobody decides or extends meanwhile', () => {
    expect(refusal(opened({ tier: 'strong' }).says('olga', takeOver(), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
    const play = opened();
    play.says('olga', takeOver());
    expect(refusal(play.says('hana', override())).code).toBe('taken_over_by_another');
    expect(refusal(play.says('ines', breakGlass())).code).toBe('taken_over_by_another');
    expect(refusal(play.says('otto', reassign('finn'))).code).toBe('taken_over_by_another');
    expect(refusal(play.says('otto', extend(5))).code).toBe('extension_not_allowed');
    expect(refusal(play.says('olga', takeOver())).code).toBe('taken_over_by_another');
  });

  it('is of something that somebody was asked for', () => {
    const play = new Play(planOf({ operators: OPERATING }), { directory: team });
    for (const [who, move] of [
      ['olga', takeOver()],
      ['olga', reassign('finn')],
      ['olga', extend(5)],
      ['hana', override()],
      ['ines', breakGlass()],
    ] as const)
      expect(refusal(play.says(who, move)).code).toBe('not_open');
  });
});

describe('extending', () => {
  it('moves the deadline by plain minutes, and tells who is asked', () => {
    const play = opened();
    expect(types(play.says('olga', extend(20)))).toEqual(['extended']);
    expect(play.last('extended')).toMatchObject({ from: after(START, 30 * MINUTE), dueAt: after(START, 50 * MINUTE), minutes: 20 });
    expect(play.last('extended').owed).toMatchObject([
      { kind: 'tell_asked', to: { person: 'fay' }, what: 'Olga (operator) has extended the deadline by 20 minutes' },
    ]);
    expect(play.comes(after(START, 49 * MINUTE))).toEqual(['reminded']);
    expect(play.comes(after(START, 50 * MINUTE))).toEqual(['level_timed_out', 'level_opened']);
  });

  it.each([0, -5, 1.5, Number.NaN, 61])('is by whole minutes that the policy allows: not by %p', (minutes) => {
    expect(refusal(opened().says('olga', extend(minutes))).code).toBe('extension_too_long');
  });

  it('is bounded level by level', () => {
    const play = opened();
    play.says('olga', extend(60));
    expect(refusal(play.says('otto', extend(1))).message).toContain('no more can be given');
    play.passes(90 * MINUTE);
    expect(types(play.says('olga', extend(60)))).toEqual(['extended']);
  });

  it('of a level whose clock stands still is added to what is left', () => {
    const play = opened({ questions: { clock: 'pauses', withinMs: 2 * HOUR, atMost: 5 } });
    play.says('fay', { type: 'ask', of: 'agent', question: 'Which parcel?' });
    play.says('olga', extend(10));
    play.passes(HOUR);
    play.says('clerk', { type: 'reply', question: 'q1', text: 'Parcel 7' }, { agent: 'clerk' });
    expect(play.state.signOffs[0]?.dueAt).toBe(after(START, HOUR + 40 * MINUTE));
  });

  it('is of a level: a hold is not extended', () => {
    const play = opened({
      signOffs: [signOff('1', [level('manager', 'finance_manager', 30)])],
      onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } },
    });
    play.passes(30 * MINUTE);
    expect(refusal(play.says('olga', extend(5))).code).toBe('extension_not_allowed');
  });

  it('whatever the order, never comes to more than the policy says', () => {
    const steps = fc.array(
      fc.record({ minutes: fc.integer({ min: -5, max: 80 }), wait: fc.integer({ min: 0, max: 40 }), by: fc.constantFrom('olga', 'otto') }),
      { maxLength: 25 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 90 }), steps, (atMost, all) => {
        const play = opened({ operators: { ...OPERATING, extendAtMostMs: atMost * MINUTE } });
        for (const { minutes, wait, by } of all) {
          play.passes(wait * MINUTE);
          if (hasEnded(play.state)) break;
          play.says(by, extend(minutes));
        }
        let given = 0;
        for (const { event } of play.record) {
          if (event.type === 'level_opened') given = 0;
          if (event.type === 'extended') given += event.minutes;
          expect(given).toBeLessThanOrEqual(atMost);
        }
      }),
    );
  });
});

describe('overriding', () => {
  it('decides in place of who is asked, for a named reason, and tells them', () => {
    const play = opened();
    expect(types(play.says('hana', override()))).toEqual(['overridden', 'ended']);
    expect(play.last('ended')).toMatchObject({
      outcome: 'approved',
      why: 'Overridden by Hana (head_of_desk), the approvers cannot be reached: there is a reason',
      deciders: [{ person: 'hana', role: 'head_of_desk' }],
      next: { path: 'execute the action exactly as approved' },
    });
    expect(play.last('ended').owed).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'tell_asked', to: { person: 'fay', role: 'finance_manager' } })]),
    );
    const no = opened();
    expect(types(no.says('hana', override('deny')))).toEqual(['overridden', 'ended']);
    expect(no.last('ended')).toMatchObject({ outcome: 'denied', next: { path: 'log the reason and end the run' } });
  });

  it('is what the policy lets, and whom it lets', () => {
    const only = { ...OPERATING, override: { ...OPERATING.override, may: ['deny'] } } as Operators;
    expect(refusal(opened({ operators: only }).says('hana', override())).code).toBe('override_not_allowed');
    expect(refusal(opened().says('olga', override())).code).toBe('override_not_allowed');
    expect(refusal(opened({ operators: { roles: ['operator'] } }).says('hana', override())).code).toBe('override_not_allowed');
    for (const because of ['boredom', 'constructor']) expect(refusal(opened().says('hana', override('deny', because))).code).toBe('override_reason_unknown');
  });

  it('takes a reason and a recent sign-in, whatever the tier', () => {
    expect(refusal(opened().says('hana', override('deny', 'outage', ' '))).code).toBe('reason_required');
    expect(refusal(opened().says('hana', override('deny'), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
    expect(refusal(opened().says('hana', override(), { packetDigest: 'b'.repeat(64) })).code).toBe('stale_packet');
  });

  it('with a yes needs authority over the amount by itself, with a no none', () => {
    const amount = usd(50_000);
    const short = opened({ amount, authority: { head_of_desk: usd(49_999), finance_manager: null } });
    expect(refusal(short.says('hana', override())).code).toBe('authority_exceeded');
    expect(types(short.says('hana', override('deny')))).toEqual(['overridden', 'ended']);
    expect(refusal(opened({ amount, authority: {} }).says('hana', override())).code).toBe('authority_exceeded');
    expect(refusal(opened({ amount, authority: { head_of_desk: { minor: 99_999, currency: 'EUR' } } }).says('hana', override())).code).toBe(
      'authority_exceeded',
    );
    expect(refusal(opened({ amount, authority: { head_of_desk: null }, unmeasured: ['head_of_desk'] }).says('hana', override())).code).toBe(
      'authority_exceeded',
    );
    expect(types(opened({ amount, authority: { head_of_desk: amount } }).says('hana', override()))).toEqual(['overridden', 'ended']);
  });

  it('without authority over the amount is refused, however the amounts lie', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.option(fc.nat(1000), { nil: null }), fc.boolean(), fc.boolean(), (asked, limit, named, second) => {
        const authority = named ? { head_of_desk: limit === null ? null : usd(limit) } : {};
        const play = opened({ amount: usd(asked), authority, operators: second ? two : OPERATING });
        play.says('hana', override());
        play.says('hugo', override());
        const reaches = named && (limit === null || asked <= limit);
        expect(play.state.state).toBe(reaches ? 'approved' : 'waiting');
      }),
    );
  });

  it('is no approval of an escalation, and no yes without the option that a yes is for', () => {
    expect(refusal(opened({ effect: 'escalation' }).says('hana', override())).code).toBe('approval_needs_takeover');
    expect(types(opened({ effect: 'escalation' }).says('hana', override('deny')))).toEqual(['overridden', 'ended']);
    expect(refusal(opened({ offers: { options: { mail: 'by mail' } } }).says('hana', override())).code).toBe('condition_required');
  });

  it('is not of who gave a yes of the chain, nor of who said no to what this is an exception to', () => {
    const chain = { signOffs: [signOff('1', [level('manager', 'head_of_desk', 30)]), signOff('2', [level('CFO', 'cfo', 60)])] };
    const play = opened(chain);
    play.says('hana', approve());
    expect(refusal(play.says('hana', override())).code).toBe('same_person');
    expect(types(play.says('hugo', override()))).toEqual(['overridden', 'ended']);
    const exception = {
      of: 'apr-0',
      outcome: 'denied',
      rows: [],
      by: [
        { person: 'hana', role: 'head_of_desk' },
        { person: 'ines', role: 'cfo' },
        { person: 'olga', role: 'cfo' },
      ],
    } as const;
    const asked = opened({ exception });
    expect(refusal(asked.says('hana', override())).code).toBe('refuser_may_not_grant');
    expect(refusal(asked.says('ines', breakGlass())).code).toBe('refuser_may_not_grant');
    for (const move of [takeOver(), reassign('finn')]) expect(refusal(asked.says('olga', move)).code).toBe('refuser_may_not_grant');
  });

  it('keeps the conditions of the yeses that were given', () => {
    const offers = { amountAtMost: { param: 'amount', atMost: usd(1000) } };
    const chain = { signOffs: [signOff('1', [level('manager', 'finance_manager', 30)]), signOff('2', [level('CFO', 'cfo', 60)])], offers };
    const play = opened(chain);
    play.says('fay', { type: 'approve', reason: 'half of it', conditions: { amount_at_most: usd(500) } });
    play.says('hana', override());
    expect(play.last('ended')).toMatchObject({ outcome: 'approved_with_conditions', conditions: { amount_at_most: usd(500) } });
  });
});

describe('overriding by two', () => {
  const play = (): Play => opened({ operators: two });

  it('changes nothing with the first, who is named to everyone asked and to who may be the second', () => {
    const one = play();
    expect(types(one.says('hana', override()))).toEqual(['override_proposed']);
    expect(one.state.state).toBe('waiting');
    expect(one.last('override_proposed').owed.map((o) => 'to' in o && typeof o.to === 'object' && o.to.person)).toEqual(['fay', 'hugo']);
    expect(JSON.stringify(one.last('override_proposed').owed)).not.toContain('there is a reason');
    expect(refusal(one.says('hana', override())).code).toBe('same_person');
    expect(types(one.says('hugo', override()))).toEqual(['overridden', 'ended']);
    expect(one.last('overridden')).toMatchObject({ by: 'hugo', first: 'hana' });
    expect(one.last('ended').deciders.map((d) => d.person)).toEqual(['hana', 'hugo']);
  });

  it.each([override('deny'), override('approve', 'wrong_lane')])('who says something else begins anew', (other) => {
    const one = play();
    one.says('hana', override());
    expect(types(one.says('hugo', other))).toEqual(['override_proposed']);
    expect(types(one.says('hana', other))).toEqual(['overridden', 'ended']);
  });

  it('the first counts for the packet that they saw: what was added since has to be seen by both', () => {
    const one = play();
    one.says('hana', override());
    one.says('', { type: 'add_evidence', name: 'letter', title: 'A letter', content: 'the invoice is forged' }, { agent: 'clerk', packetDigest: null });
    expect(types(one.says('hugo', override()))).toEqual(['override_proposed']);
    expect(one.state.state).toBe('waiting');
  });

  it('the first counts for as long as they may still say it', () => {
    const one = play();
    one.says('hana', override());
    one.directory(directoryOf([...TEAM, person('hugo', ['head_of_desk'])]));
    expect(types(one.says('hugo', override()))).toEqual(['override_proposed']);
  });
});

describe('what two choose unseen', () => {
  it('is not overridden with a yes while one has chosen, whatever they chose: the refusal tells nobody', () => {
    const messages = [approve(), deny()].map((choice) => {
      const play = dual();
      play.says('fay', choice);
      return refusal(play.says('hana', override()));
    });
    expect(messages[0]).toEqual(messages[1]);
    expect(messages[0]?.code).toBe('override_not_allowed');
  });

  it('may be overridden with a no, and the glass may be broken', () => {
    for (const choice of [approve(), deny()]) {
      const no = dual();
      no.says('fay', choice);
      expect(types(no.says('hana', override('deny')))).toEqual(['overridden', 'ended']);
      const glass = dual();
      glass.says('fay', choice);
      expect(types(glass.says('ines', breakGlass()))).toEqual(['glass_broken', 'ended']);
    }
  });

  it('a proposal that was made before is not completed either', () => {
    const play = dual({ operators: two });
    play.says('hana', override());
    play.says('fay', deny());
    expect(refusal(play.says('hugo', override())).code).toBe('override_not_allowed');
  });
});

describe('breaking the glass', () => {
  it('allows it at once, loudly, and somebody has to look at it afterwards', () => {
    const play = opened({ owner: 'operations', amount: usd(99_999), authority: {} });
    expect(types(play.says('ines', breakGlass()))).toEqual(['glass_broken', 'ended']);
    const { owed } = play.last('glass_broken');
    expect(owed[0]).toEqual({ kind: 'open_ticket', ...REVIEW });
    expect(owed.slice(1).map((o) => 'to' in o && typeof o.to === 'object' && o.to.person)).toEqual(['fay', 'omar']);
    expect(JSON.stringify(owed)).not.toContain('the line is down');
    expect(play.last('ended')).toMatchObject({
      outcome: 'approved',
      why: 'Glass broken by Ines (incident_lead): the line is down',
      deciders: [{ person: 'ines', role: 'incident_lead' }],
      next: { path: 'execute the action exactly as approved; glass was broken by Ines (incident_lead), and it is reviewed afterwards in reviews' },
    });
  });

  it('is for those whom the policy names, with a reason and a recent sign-in', () => {
    for (const who of ['fay', 'olga', 'hana']) expect(refusal(opened().says(who, breakGlass())).code).toBe('break_glass_not_allowed');
    expect(refusal(opened().says('ines', breakGlass(' '))).code).toBe('reason_required');
    expect(refusal(opened().says('ines', breakGlass(), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
  });

  it('is not for what a person has to do, nor for what has ended', () => {
    for (const effect of ['escalation', 'block'] as const) expect(refusal(opened({ effect }).says('ines', breakGlass())).code).toBe('break_glass_not_allowed');
    const denied = opened();
    denied.says('fay', deny());
    expect(refusal(denied.says('ines', breakGlass())).code).toBe('already_decided');
  });

  it('tells who is on duty for the row alone, where there is a duty', () => {
    const play = opened({ owner: 'cfo' });
    play.says('ines', breakGlass());
    expect(
      play
        .last('glass_broken')
        .owed.slice(1)
        .map((o) => 'to' in o && typeof o.to === 'object' && o.to.person),
    ).toEqual(['fay', 'cleo', 'carl']);
  });
});

describe('opening a delivery again', () => {
  const failed = (play: Play, kind: string, status: 'failed_for_good' | 'failed_for_now' = 'failed_for_good'): string => {
    const debt = play.state.owed.find((o) => o.owed.kind === kind);
    if (!debt) throw new Error(`no ${kind} is owed`);
    const event = {
      type: 'attempted',
      owedId: debt.id,
      kind: debt.owed.kind,
      to: 'x',
      attempt: 5,
      status,
      httpStatus: 500,
      latencyMs: 3,
      detail: 'no',
      retryAt: null,
    } as const;
    play.state = apply(play.state, { seq: play.state.seq + 1, at: play.now, event });
    return debt.id;
  };

  it('is possible for what was given up, also after the end', () => {
    const open = opened();
    const ask = failed(open, 'ask');
    expect(types(open.says('olga', reopen(ask)))).toEqual(['delivery_reopened']);
    expect(open.state.owed.find((o) => o.id === ask)?.status).toBe('owed');
    open.says('fay', approve());
    const callback = failed(open, 'callback');
    expect(types(open.says('olga', reopen(callback)))).toEqual(['delivery_reopened']);
    expect(open.state).toMatchObject({ state: 'approved' });
    expect(open.last('delivery_reopened')).toMatchObject({ owedId: callback, by: 'olga', role: 'operator', reason: 'the hook works again' });
  });

  it('is for nothing else', () => {
    const play = opened();
    expect(refusal(play.says('olga', reopen('9-9'))).code).toBe('unknown_delivery');
    const id = play.state.owed[0]?.id ?? '';
    expect(refusal(play.says('olga', reopen(id))).code).toBe('delivery_not_given_up');
    failed(play, 'ask', 'failed_for_now');
    expect(refusal(play.says('olga', reopen(id))).code).toBe('delivery_not_given_up');
    failed(play, 'ask');
    play.says('fay', approve());
    // Nobody is asked any more.
    expect(refusal(play.says('olga', reopen(id))).code).toBe('delivery_not_given_up');
    expect(refusal(play.says('fay', reopen(id))).code).toBe('not_an_operator');
  });
});

it('whatever operators do, in whatever order, nobody of the asking side comes to decide', () => {
  const moves: readonly Move[] = [
    approve(),
    deny(),
    claim,
    takeOver(),
    resolve(),
    handBack(),
    extend(5),
    override(),
    override('deny'),
    breakGlass(),
    reassign('rita'),
    reassign('rudi'),
    reassign('finn'),
    { type: 'pass_up', reason: 'not mine' },
  ];
  const step = fc.tuple(fc.constantFrom('rita', 'rudi', 'olga', 'otto', 'hana', 'fay'), fc.constantFrom(...moves));
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 15 }), (second, steps) => {
      const play = opened({ operators: second ? two : OPERATING });
      for (const [who, move] of steps) {
        const decision = play.says(who, move);
        if (who === 'rita' || who === 'rudi') expect('refusal' in decision).toBe(true);
        for (const s of play.state.signOffs) for (const { person: id } of s.asked) expect(['rita', 'rudi']).not.toContain(id);
      }
      for (const { person: id } of play.state.ended?.deciders ?? []) expect(['rita', 'rudi']).not.toContain(id);
    }),
  );
});
