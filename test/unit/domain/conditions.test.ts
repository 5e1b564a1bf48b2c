/**
 * Conditions: only what is offered, the tightest of several, honoured by whoever executes. Answers: of the types that were asked for.
 */
import fc from 'fast-check';
import { whyNoAnswer } from '../../../domain/answers';
import { actionWithout, conditionedParams, conditionWords, grantedOf, offerWords, readGranted, tightened, unite, whyNot } from '../../../domain/conditions';
import { uncovered } from '../../../domain/covers';
import { after, type Json, type JsonObject } from '../../../domain/json';
import type { Conditions, Offers, Plan } from '../../../domain/plan';
import type { TokenClaims } from '../../../domain/token';
import { type NotExecutable, requireExecutable, type Execution } from '../../../client/receiver';
import { digest } from '../../../record/canonical';
import { HOUR, LADDER, level, planOf, signOff, START } from '../../support/approval-play';

const usd = (minor: number) => ({ minor, currency: 'USD' });
const OFFERS: Offers = {
  amountAtMost: { param: 'amount', atMost: usd(25_000) },
  onlyRecipients: { param: 'recipients', of: ['a', 'b', 'c'] },
  expiresWithinMs: 24 * HOUR,
  options: { voucher: 'As vouchers', cash: 'As money' },
};

const conditions: fc.Arbitrary<Conditions> = fc
  .record({
    amount: fc.option(fc.integer({ min: 1, max: 25_000 })),
    recipients: fc.option(fc.subarray(['a', 'b', 'c'], { minLength: 1 })),
    hours: fc.option(fc.integer({ min: 1, max: 24 })),
    option: fc.constant('voucher'),
  })
  .map(({ amount, recipients, hours, option }) => ({
    ...(amount === null ? {} : { amount_at_most: usd(amount) }),
    ...(recipients === null ? {} : { only_recipients: recipients }),
    ...(hours === null ? {} : { expires_at: after(START, hours * HOUR) }),
    option,
  }));

describe('what may be added to a yes', () => {
  const refusedAs = (said: Conditions | undefined, offers: Offers | undefined = OFFERS, before?: Conditions): string | null =>
    whyNot(said, offers, before, START)?.code ?? null;

  it('is what is offered, and nothing else', () => {
    fc.assert(fc.property(conditions, (said) => expect(whyNot(said, OFFERS, undefined, START)).toBeNull()));
    for (const said of [{ amount_at_most: usd(1) }, { only_recipients: ['a'] }, { expires_at: after(START, HOUR) }, { option: 'cash' }])
      expect(refusedAs(said, {})).toBe('condition_not_offered');
    expect(refusedAs(undefined, {})).toBeNull();
    expect(refusedAs({}, {})).toBeNull();
  });

  it.each<[string, Conditions]>([
    ['a cent above the limit', { option: 'cash', amount_at_most: usd(25_001) }],
    ['nothing', { option: 'cash', amount_at_most: usd(0) }],
    ['less than nothing', { option: 'cash', amount_at_most: usd(-1) }],
    ['another currency', { option: 'cash', amount_at_most: { minor: 1, currency: 'EUR' } }],
    ['nobody', { option: 'cash', only_recipients: [] }],
    ['somebody new', { option: 'cash', only_recipients: ['a', 'z'] }],
    ['an end that is now', { option: 'cash', expires_at: START }],
    ['an end too far away', { option: 'cash', expires_at: after(START, 24 * HOUR + 1) }],
    ['an end that is no instant', { option: 'cash', expires_at: 'soon' }],
    ['an option that is none', { option: 'toString' }],
  ])('is not %s', (_, said) => {
    expect(refusedAs(said)).toBe('condition_not_offered');
  });

  it('the limit itself is within', () => {
    expect(refusedAs({ option: 'cash', amount_at_most: usd(25_000), expires_at: after(START, 24 * HOUR) })).toBeNull();
  });

  it('has to be said where there are options, and is one of those that the rows share', () => {
    expect(refusedAs(undefined)).toBe('condition_required');
    expect(refusedAs({ amount_at_most: usd(1) })).toBe('condition_required');
    expect(refusedAs({ option: 'cash' }, { options: {} })).toBe('condition_required');
  });

  it('is measured against what the signers before left', () => {
    expect(refusedAs({ option: 'cash' }, OFFERS, { option: 'voucher' })).toBe('condition_not_offered');
    expect(refusedAs({ option: 'voucher', only_recipients: ['b'] }, OFFERS, { option: 'voucher', only_recipients: ['a'] })).toBe('condition_not_offered');
    expect(refusedAs({ option: 'voucher', only_recipients: ['a', 'b'] }, OFFERS, { option: 'voucher', only_recipients: ['a'] })).toBeNull();
    // A yes that ran out cannot be completed by anybody.
    expect(refusedAs({ option: 'voucher' }, OFFERS, { option: 'voucher', expires_at: START })).toBe('condition_not_offered');
  });

  it('is told in words', () => {
    expect(offerWords(OFFERS)).toEqual([
      'A yes may be limited to a lower amount, up to USD 250.00',
      'A yes may be limited to some of the 3 in recipients',
      'A yes may be given until an earlier instant, at most 24 h away',
      'A yes is for exactly one of: voucher (As vouchers); cash (As money)',
    ]);
    expect(conditionWords({ amount_at_most: usd(100), only_recipients: ['a'], expires_at: START, option: 'cash' }, OFFERS.options)).toEqual([
      'at most USD 1.00',
      'only to a',
      `until ${START}`,
      'cash: As money',
    ]);
  });
});

describe('several yeses', () => {
  it('come to the tightest, in whatever order and grouping they are given', () => {
    const within = (tight: Conditions | undefined, loose: Conditions): boolean =>
      (loose.amount_at_most === undefined || (tight?.amount_at_most?.minor ?? Infinity) <= loose.amount_at_most.minor) &&
      (loose.only_recipients === undefined || (tight?.only_recipients ?? ['?']).every((one) => loose.only_recipients?.includes(one))) &&
      (loose.expires_at === undefined || (tight?.expires_at ?? '9') <= loose.expires_at);
    fc.assert(
      fc.property(conditions, conditions, conditions, (a, b, c) => {
        const ab = unite(a, b);
        for (const one of [a, b]) expect(within(ab, one)).toBe(true);
        const sorted = (said: Conditions | undefined): Json => ({ ...said, only_recipients: [...(said?.only_recipients ?? [])].sort() }) as unknown as Json;
        expect(digest(sorted(unite(b, a)))).toBe(digest(sorted(ab)));
        expect(digest(sorted(unite(ab, c)))).toBe(digest(sorted(unite(a, unite(b, c)))));
        expect(unite(a, a)).toEqual(a);
        expect(unite(a, undefined)).toEqual(a);
      }),
    );
    expect(unite({}, undefined)).toBeUndefined();
  });
});

describe('whoever executes', () => {
  const ACTION = { type: 'gift.send', params: { amount: usd(48_000), recipients: ['a', 'b', 'c'], note: 'sorry' }, system: 'shop' };
  const claimsOf = (said: Conditions, patch: Partial<TokenClaims> = {}): TokenClaims => {
    const granted = grantedOf(said, OFFERS) as unknown as JsonObject;
    const names = conditionedParams(granted);
    return {
      outcome: 'approved_with_conditions',
      action_digest: digest(ACTION),
      conditions: granted,
      ...(names.length > 0 ? { action_rest_digest: digest(actionWithout(ACTION, names)) } : {}),
      ...patch,
    } as TokenClaims;
  };
  const ALL: Conditions = { amount_at_most: usd(20_000), only_recipients: ['a', 'b'], expires_at: after(START, HOUR), option: 'voucher' };
  const within: Execution = {
    action: { ...ACTION, params: { ...ACTION.params, amount: usd(20_000), recipients: ['b'] } },
    option: 'voucher',
    now: new Date(START),
  };
  const codeOf = (claims: TokenClaims, execution: Execution): string => {
    try {
      requireExecutable(claims, execution);
      return 'may execute';
    } catch (error) {
      return (error as NotExecutable).code;
    }
  };

  it('may do what is within the conditions', () => {
    expect(codeOf(claimsOf(ALL), within)).toBe('may execute');
  });

  const params = (patch: JsonObject): Partial<Execution> => ({ action: { ...within.action, params: { ...within.action.params, ...patch } } });
  it.each<[string, string, Partial<Execution>]>([
    ['a cent more than the amount', 'amount_above', params({ amount: usd(20_001) })],
    ['the amount in another currency', 'amount_above', params({ amount: { minor: 1, currency: 'EUR' } })],
    ['an amount below zero', 'amount_above', params({ amount: usd(-1) })],
    ['no amount', 'amount_above', { action: actionWithout(within.action, ['amount']) as unknown as Execution['action'] }],
    ['a recipient outside', 'recipient_outside', params({ recipients: ['a', 'c'] })],
    ['recipients that are no list', 'recipient_outside', params({ recipients: 'a' })],
    ['nobody', 'recipient_outside', params({ recipients: [] })],
    ['the instant at which the yes ends', 'yes_expired', { now: new Date(after(START, HOUR)) }],
    ['another option', 'option_differs', { option: 'cash' }],
    ['anything else that was not approved', 'action_differs', params({ note: 'thanks' })],
    ['another param', 'action_differs', params({ rush: true })],
    ['what cannot be digested', 'action_differs', params({ note: '\ud800' })],
  ])('may not do %s', (_, code, patch) => {
    expect(codeOf(claimsOf(ALL), { ...within, ...patch })).toBe(code);
  });

  it('has to say which option it carries out, and none where none was chosen', () => {
    const { option: _option, ...silent } = within;
    expect(codeOf(claimsOf(ALL), silent)).toBe('option_missing');
    expect(codeOf(claimsOf({ amount_at_most: usd(20_000) }), { ...within, ...params({ recipients: ACTION.params.recipients }) })).toBe('option_differs');
  });

  it('may do exactly the action approved where no condition is about a param, and nothing without an outcome that allows', () => {
    const exact: Execution = { action: ACTION, now: new Date(START) };
    expect(codeOf(claimsOf({ expires_at: after(START, HOUR) }), exact)).toBe('may execute');
    expect(codeOf(claimsOf({ expires_at: after(START, HOUR) }), { ...exact, ...params({}) })).toBe('action_differs');
    expect(codeOf(claimsOf({}, { outcome: 'approved', conditions: {} }), exact)).toBe('may execute');
    for (const outcome of ['denied', 'expired', 'answered', 'handed_back'] as const)
      expect(codeOf(claimsOf({}, { outcome, conditions: {} }), exact)).toBe('outcome_forbids');
  });

  it('may do nothing under a condition that is not understood', () => {
    const granted = grantedOf(ALL, OFFERS) as unknown as JsonObject;
    for (const strange of [
      { ...granted, only_on: 'monday' },
      { ...granted, params: {} },
      { ...granted, expires_at: 'soon' },
      { ...granted, amount_at_most: 5 },
      {},
    ]) {
      expect(readGranted(strange)).toBeNull();
      expect(codeOf(claimsOf(ALL, { conditions: strange }), within)).toBe('condition_unknown');
    }
    expect(codeOf(claimsOf(ALL, { outcome: 'approved' }), within)).toBe('condition_unknown');
  });

  it('is never let through with more than was asked, whatever was offered', () => {
    fc.assert(
      fc.property(conditions, fc.integer({ min: 0, max: 60_000 }), fc.subarray(['a', 'b', 'c', 'z']), (said, amount, recipients) => {
        const action = { ...ACTION, params: { ...ACTION.params, amount: usd(amount), recipients } };
        const allowed = codeOf(claimsOf(said), { action, option: 'voucher', now: new Date(START) }) === 'may execute';
        if (said.amount_at_most ? amount > said.amount_at_most.minor : amount !== 48_000) expect(allowed).toBe(false);
        if (said.only_recipients ? !recipients.every((one) => said.only_recipients?.includes(one)) : recipients.join() !== 'a,b,c') expect(allowed).toBe(false);
      }),
    );
  });

  it('is routed again by what the conditions leave, and nothing else', () => {
    expect(tightened(ACTION.params, ALL, OFFERS)).toEqual({ amount: usd(20_000), recipients: ['a', 'b'], note: 'sorry' });
    expect(tightened(ACTION.params, { option: 'cash', expires_at: START }, OFFERS)).toEqual(ACTION.params);
  });
});

describe('what a chain covers', () => {
  const relative = { account_owner: { of: 'acme', backup: 'support_lead' } };
  const chain = planOf({ amount: usd(48_000), relative, authority: { finance_manager: usd(100_000), cfo: null } });
  it.each<[string, Partial<Plan>, string]>([
    ['a block', { effect: 'block' }, 'forbids'],
    ['an escalation', { effect: 'escalation' }, 'take it over'],
    ['a higher tier', { tier: 'strong' }, 'tier strong'],
    ['another sign-off', { signOffs: [signOff('1', LADDER), signOff('2', [level('guard', 'security_lead', 30)])] }, 'security_lead'],
    ['more people', { signOffs: [signOff('1', LADDER, 2)] }, '2 people'],
    ['a ladder on which fewer stand in', { signOffs: [signOff('1', LADDER.slice(0, 1))] }, 'cfo does not stand in'],
    ['a greater amount', { amount: usd(48_001) }, 'authority for USD 480.01'],
    ['an amount in another currency', { amount: { minor: 1, currency: 'EUR' } }, 'authority'],
    ['a lower authority', { amount: usd(1), authority: { finance_manager: usd(1), cfo: null } }, 'measured'],
    ['a choice among options', { offers: { options: { half: 'Half of it' } } }, 'options half'],
    ['what is left being of another owner', { relative: { account_owner: { of: 'globex', backup: 'support_lead' } } }, 'account_owner of globex'],
    ['more authority than who refused', { exception: { of: 'ap', outcome: 'denied', rows: [], below: ['cfo'] } }, 'more authority than cfo'],
  ])('is not %s', (_, patch, words) => {
    expect(uncovered(chain, { ...chain, ...patch }, { option: 'cash' }).join()).toContain(words);
  });

  it('is itself, what allows, and less', () => {
    expect(uncovered(chain, chain, {})).toEqual([]);
    expect(uncovered(chain, { ...chain, effect: 'allow', tier: 'none', signOffs: [], amount: null, authority: {} }, {})).toEqual([]);
    expect(uncovered(chain, { ...chain, amount: usd(1) }, {})).toEqual([]);
    expect(uncovered(chain, { ...chain, offers: { options: { half: 'Half of it' } } }, { option: 'half' })).toEqual([]);
  });
});

describe('an answer', () => {
  const ASKS = { order_total: 'money', intent: 'enum[refund, exchange]', note: 'string?', items: 'list<string>' };
  const GOOD: JsonObject = { order_total: usd(12_000), intent: 'refund', items: ['a'] };
  const codeOf = (facts: JsonObject): string | null => whyNoAnswer(facts, ASKS)?.code ?? null;

  it('has every fact that is asked for, of its type, and no other', () => {
    expect(codeOf(GOOD)).toBeNull();
    expect(codeOf({ ...GOOD, note: 'call first' })).toBeNull();
    for (const wrong of [{ order_total: 120 }, { intent: 'swap' }, { items: 'a' }, { note: 5 }, { lane: 'manager' }, { constructor: 'x' }])
      expect(codeOf({ ...GOOD, ...(wrong as JsonObject) })).toBe('answer_invalid');
    for (const name of Object.keys(GOOD)) expect(codeOf(Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name)))).toBe('answer_invalid');
  });

  it('says all that is wrong with it at once', () => {
    expect(whyNoAnswer({ intent: 'swap', lane: 'x' }, ASKS)?.message).toBe(
      'order_total is missing: money, {"minor": 25000, "currency": "USD"} for USD 250.00; intent has to be enum[refund, exchange]; items is missing: a list of at most 200 texts; lane is not asked for',
    );
  });

  it('is none where nothing is asked for', () => {
    expect(whyNoAnswer({}, undefined)?.code).toBe('answer_not_asked');
    expect(whyNoAnswer({ a: 1 }, { a: 'nonsense' })?.code).toBe('answer_invalid');
  });
});
