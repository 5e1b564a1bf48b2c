/**
 * Lives with conditions, answers and exceptions: who said what, what it came to, and who may not grant what they refused.
 */
import type { Conditions, Plan } from '../../../domain/plan';
import type { Move } from '../../../domain/moves';
import { fold } from '../../../domain/state';
import { after } from '../../../domain/json';
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
  Play,
  planOf,
  refusal,
  signOff,
  START,
  takeOver,
  types,
} from '../../support/approval-play';

const usd = (minor: number) => ({ minor, currency: 'USD' });
const yes = (conditions: Conditions): Move => ({ type: 'approve', reason: 'ok', conditions });
const answer = (facts: Extract<Move, { type: 'answer' }>['facts']): Move => ({ type: 'answer', facts });
const OFFERS: NonNullable<Plan['offers']> = {
  amountAtMost: { param: 'amount', atMost: usd(48_000) },
  onlyRecipients: { param: 'recipients', of: ['a', 'b', 'c'] },
  expiresWithinMs: 24 * HOUR,
};
const TWO = [signOff('1', LADDER), signOff('2', [level('security', 'security_lead', 60)])];

describe('a yes with conditions', () => {
  it('of several signers comes to the tightest, and is told as such', () => {
    const play = new Play(planOf({ offers: OFFERS, signOffs: TWO })).open();
    play.says('fay', yes({ amount_at_most: usd(20_000), only_recipients: ['a', 'b'] }));
    expect(play.state.conditions).toEqual({ amount_at_most: usd(20_000), only_recipients: ['a', 'b'] });
    play.says('sam', yes({ amount_at_most: usd(30_000), only_recipients: ['b', 'c'], expires_at: after(play.now, HOUR) }));
    expect(play.state.state).toBe('approved_with_conditions');
    expect(play.last('ended')).toMatchObject({
      outcome: 'approved_with_conditions',
      conditions: {
        amount_at_most: usd(20_000),
        only_recipients: ['b'],
        expires_at: after(START, HOUR),
        params: { amount_at_most: 'amount', only_recipients: 'recipients' },
      },
      why: `Approved by Fay (finance_manager) and Sam (security_lead), with conditions: at most USD 200.00; only to b; until ${after(START, HOUR)}`,
      deciders: [{ person: 'fay' }, { person: 'sam' }],
    });
    expect(fold(play.record)).toEqual(play.state);
  });

  it('holds although a later signer adds none, and needs none', () => {
    const play = new Play(planOf({ offers: OFFERS, signOffs: TWO })).open();
    play.says('fay', yes({ amount_at_most: usd(20_000) }));
    play.says('sam', approve());
    expect(play.last('ended')).toMatchObject({ outcome: 'approved_with_conditions', conditions: { amount_at_most: usd(20_000) } });
    const plain = new Play(planOf({ offers: OFFERS })).open();
    plain.says('fay', approve());
    expect(plain.last('ended')).toMatchObject({ outcome: 'approved', conditions: {} });
  });

  it('that is not offered is refused, and nothing else changes', () => {
    const play = new Play().open();
    expect(refusal(play.says('fay', yes({ amount_at_most: usd(1) }))).code).toBe('condition_not_offered');
    expect(play.state.state).toBe('waiting');
    expect(types(play.says('fay', yes({})))).toContain('ended');
  });

  it('for one of several options needs the option, and the same one from everybody', () => {
    const play = new Play(planOf({ offers: { options: { voucher: 'As vouchers', cash: 'As money' } }, signOffs: TWO })).open();
    expect(refusal(play.says('fay', approve())).code).toBe('condition_required');
    play.says('fay', yes({ option: 'voucher' }));
    expect(refusal(play.says('sam', yes({ option: 'cash' }))).code).toBe('condition_not_offered');
    play.says('sam', yes({ option: 'voucher' }));
    expect(play.last('ended')).toMatchObject({ outcome: 'approved_with_conditions', conditions: { option: 'voucher', params: {} } });
  });

  it('that ran out before the last one came is never an approval', () => {
    const play = new Play(planOf({ offers: OFFERS, signOffs: TWO })).open();
    play.says('fay', yes({ expires_at: after(play.now, 10 * MINUTE) }));
    play.passes(10 * MINUTE);
    expect(refusal(play.says('sam', approve())).code).toBe('condition_not_offered');
    expect(types(play.says('sam', deny()))).toContain('ended');
  });

  it('whose conditions were erased counts no more, because nobody can keep to them', () => {
    const play = new Play(planOf({ offers: OFFERS, signOffs: TWO })).open();
    play.says('fay', yes({ amount_at_most: usd(20_000) }));
    play.state = fold(play.record.map((r) => (r.event.type === 'signed_off' ? { ...r, event: { ...r.event, conditions: '[erased]' as never } } : r)));
    expect(refusal(play.says('sam', approve())).code).toBe('condition_not_offered');
  });
});

describe('an escalation that asks for facts', () => {
  const plan = planOf({ effect: 'escalation', asksFor: { order_total: 'money', intent: 'enum[refund, exchange]' } });
  const FACTS = { order_total: usd(12_000), intent: 'refund' };

  it('ends with them, by whoever is asked, and the agent gets them', () => {
    const play = new Play(plan).open();
    expect(types(play.says('fay', answer(FACTS)))).toEqual(['answered', 'ended']);
    expect(play.last('ended')).toMatchObject({
      outcome: 'answered',
      why: 'Answered by Fay (finance_manager): order_total, intent',
      next: { facts: FACTS },
      deciders: [{ person: 'fay', role: 'finance_manager' }],
      conditions: {},
    });
    expect(play.last('ended').owed.map((o) => o.kind)).toEqual(['callback']);
  });

  it('can be answered by who took it over, and by nobody else', () => {
    const play = new Play(plan).open();
    play.says('fay', takeOver());
    expect(refusal(play.says('finn', answer(FACTS))).code).toBe('taken_over_by_another');
    expect(types(play.says('fay', answer(FACTS)))).toEqual(['answered', 'ended']);
  });

  it('refuses what is no answer, a stale packet, a missing role, and an old sign-in where the tier asks for one', () => {
    const play = new Play({ ...plan, tier: 'strong' }).open();
    expect(refusal(play.says('fay', answer({ order_total: 5 }))).code).toBe('answer_invalid');
    expect(refusal(play.says('fay', answer(FACTS), { packetDigest: '0'.repeat(64) })).code).toBe('stale_packet');
    expect(refusal(play.says('sam', answer(FACTS))).code).toBe('role_not_held');
    expect(refusal(play.says('fay', answer(FACTS), { signedInAgo: HOUR, issuedAgo: 0 })).code).toBe('sign_in_too_old');
    expect(refusal(play.says('rita', answer(FACTS))).code).toBe('requester_may_not_decide');
    expect(refusal(play.says('fay', approve())).code).toBe('approval_needs_takeover');
  });

  it('is the only thing that can be answered', () => {
    expect(refusal(new Play().open().says('fay', answer({}))).code).toBe('answer_not_asked');
    expect(refusal(new Play(planOf({ effect: 'escalation' })).open().says('fay', answer({}))).code).toBe('answer_not_asked');
    const handed = new Play(planOf({ effect: 'escalation' })).open();
    handed.says('fay', takeOver());
    expect(refusal(handed.says('fay', answer({}))).code).toBe('answer_not_asked');
    expect(types(handed.says('fay', handBack()))).toContain('ended');
  });
});

describe('an exception to what a person denied', () => {
  const denied = (patch: Partial<NonNullable<Plan['exception']>> = {}): Plan =>
    planOf({ exception: { of: 'ap_1', outcome: 'denied', rows: ['refund'], by: [{ person: 'fay', role: 'finance_manager' }], ...patch } });

  it('is neither asked of who said no nor granted by them', () => {
    const play = new Play(denied()).open();
    expect(play.last('level_opened').asked).toEqual([{ person: 'finn', role: 'finance_manager' }]);
    for (const move of [claim, approve(), takeOver()]) expect(refusal(play.says('fay', move)).code).toBe('refuser_may_not_grant');
    expect(types(play.says('finn', approve()))).toContain('ended');
    expect(play.state.state).toBe('approved');
  });

  it('may be refused by them again, and granted by them where a row says so', () => {
    expect(types(new Play(denied()).open().says('fay', deny()))).toContain('ended');
    const play = new Play(denied({ refuserAllowed: true })).open();
    expect(play.last('level_opened').asked).toEqual([{ person: 'fay', role: 'finance_manager' }]);
    play.says('fay', approve());
    expect(play.state.state).toBe('approved');
  });

  it('goes past a level where nobody else is, and ends as silence does where nobody is left', () => {
    const alone = directoryOf([...Object.values(directoryOf().people)].filter((p) => !['finn', 'rita'].includes(p.id)));
    const play = new Play(denied(), { directory: alone }).open();
    expect(play.last('level_skipped').role).toBe('finance_manager');
    expect(play.last('level_opened').asked).toEqual([{ person: 'cleo', role: 'cfo' }]);
  });

  it('needs at least the authority of who said no', () => {
    const play = new Play(denied({ by: [{ person: 'carl', role: 'cfo' }], below: ['finance_manager'] })).open();
    expect(refusal(play.says('fay', approve())).code).toBe('authority_exceeded');
    play.passes(30 * MINUTE);
    play.says('cleo', approve());
    expect(play.state.state).toBe('approved');
  });
});
