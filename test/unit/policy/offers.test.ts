/**
 * What rows offer and ask for: checked when the policy is read, merged to the tightest, measured against the request.
 */
import fc from 'fast-check';
import type { Offers, Plan } from '../../../domain/plan';
import { compilePolicy, resolve, type RoutingInput } from '../../../policy';
import { asking as askingRow, policyOf, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

const row = (id: string, rest: Readonly<Record<string, unknown>> = {}): Row => ({ id, ...askingRow, ...TRIGGERS.pay, ...rest });
const takeover = (id: string, rest: Readonly<Record<string, unknown>> = {}): Row => row(id, { kind: 'escalation', ...rest });
const pay = (amount: number): RoutingInput => asking('pay', { amount: usd(amount) });
const planOf = (rows: readonly Row[], input: RoutingInput = pay(480)): Plan => {
  const resolved = resolve(policyOf(rows), input);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
};
const offered = (rows: readonly Row[], input?: RoutingInput): Offers | undefined => planOf(rows, input).offers;
const amount = (atMost?: string) => ({ amount_at_most: { param: 'amount', ...(atMost ? { at_most: atMost } : {}) } });

describe('an offer of a row', () => {
  const findings = (rest: Readonly<Record<string, unknown>>): string[] =>
    compilePolicy([
      {
        path: 'policy.yaml',
        text: JSON.stringify({
          name: 'x',
          version: '1',
          actions: { pay: { params: { amount: 'money', note: 'string?', to: 'list<string>' } }, close: { params: { fee: 'money' } } },
          default: { tier: 'none', lane: 'manager', owner: 'lead' },
          rows: [row('a', rest)],
        }),
      },
    ]).findings.map((f) => f.code);

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['on a row that asks for nobody', { tier: 'none', offers: amount() }, 'decorative_key'],
    ['on an escalation', { kind: 'escalation', offers: amount() }, 'decorative_key'],
    ['of nothing', { offers: {} }, 'bad_shape'],
    ['of no option at all', { offers: { options: {} } }, 'bad_shape'],
    ['about a param that is none', { offers: { amount_at_most: { param: 'price' } } }, 'unknown_name'],
    ['about a param of another action', { offers: { amount_at_most: { param: 'fee' } } }, 'unknown_name'],
    ['of an amount that is a text', { offers: { amount_at_most: { param: 'note' } } }, 'cel_type'],
    ['of recipients that are an amount', { offers: { only_recipients: { param: 'amount' } } }, 'cel_type'],
    ['up to no amount', { offers: amount('lots') }, 'bad_money'],
    ['up to nothing', { offers: amount('0.00 USD') }, 'bad_money'],
    ['within no time', { offers: { expires_within: 'soon' } }, 'bad_duration'],
    ['with a key that is none', { offers: { edited_copy: true } }, 'unknown_key'],
    ['facts asked for by an approval', { asks_for: { total: 'money' } }, 'decorative_key'],
    ['facts asked for by a block', { effect: 'block', asks_for: { total: 'money' } }, 'decorative_key'],
    ['no facts', { kind: 'escalation', asks_for: {} }, 'bad_shape'],
    ['facts of no type', { kind: 'escalation', asks_for: { total: 'cash' } }, 'bad_type'],
    ['facts with the name of what every object has', { kind: 'escalation', asks_for: { constructor: 'string' } }, 'bad_type'],
    ['who refused, without an exception', { refuser_allowed: true }, 'decorative_key'],
  ])('is refused %s', (_, rest, code) => {
    expect(findings(rest)).toContain(code);
  });

  it('is taken where it means something', () => {
    expect(findings({ offers: { ...amount('250.00 USD'), only_recipients: { param: 'to' }, expires_within: '24h', options: { all: 'As asked' } } })).toEqual(
      [],
    );
    expect(findings({ kind: 'escalation', asks_for: { total: 'money', why: 'string?' } })).toEqual([]);
  });
});

describe('what is offered for a request', () => {
  it('is never more than was asked, and nothing that is not there', () => {
    const rows = [row('a', { offers: amount('250.00 USD') })];
    expect(offered(rows)?.amountAtMost).toEqual({ param: 'amount', atMost: usd(250) });
    expect(offered(rows, pay(100))?.amountAtMost).toEqual({ param: 'amount', atMost: usd(100) });
    expect(offered([row('a', { offers: amount() })])?.amountAtMost?.atMost).toEqual(usd(480));
    expect(offered(rows, pay(0))).toBeUndefined();
    expect(offered(rows, asking('pay', { amount: { minor: 100, currency: 'EUR' } }))).toBeUndefined();
    expect(offered([row('a', { offers: { amount_at_most: { param: 'fee' } } })])).toBeUndefined();
  });

  it('needs every row that asks, and the tightest holds', () => {
    const both = [
      row('a', { offers: { ...amount('300.00 USD'), expires_within: '24h' } }),
      row('b', { offers: { ...amount('200.00 USD'), expires_within: '2h' } }),
    ];
    expect(offered(both)).toEqual({ amountAtMost: { param: 'amount', atMost: usd(200) }, expiresWithinMs: 2 * 3_600_000 });
    expect(offered([...both, row('c')])).toBeUndefined();
    expect(offered([row('a', { offers: amount('300.00 USD') }), row('b', { offers: amount('200.00 EUR') })])).toBeUndefined();
    expect(offered([row('a', { offers: amount() }), row('b', { offers: { amount_at_most: { param: 'fee' } } })])).toBeUndefined();
  });

  it('is a demand where it is a choice: one row is enough, and several leave what they share', () => {
    const a = row('a', { offers: { options: { whole: 'All of it', half: 'Half of it' } } });
    const b = row('b', { offers: { options: { half: 'The half', none: 'A voucher' } } });
    expect(offered([a, row('c')])?.options).toEqual({ whole: 'All of it', half: 'Half of it' });
    expect(offered([a, b])?.options).toEqual({ half: 'Half of it' });
    expect(offered([a, row('d', { offers: { options: { other: 'Something else' } } })])?.options).toEqual({});
  });

  it('is nothing in an escalation', () => {
    expect(offered([row('a', { offers: amount() }), takeover('b')])).toBeUndefined();
  });
});

describe('what is asked for', () => {
  it('is the union of what the escalations ask for, and nothing where one of them asks for none', () => {
    const a = takeover('a', { asks_for: { total: 'money' } });
    expect(planOf([a]).asksFor).toEqual({ total: 'money' });
    expect(planOf([a, takeover('b', { asks_for: { intent: 'enum[x, y]' } })]).asksFor).toEqual({ total: 'money', intent: 'enum[x, y]' });
    expect(planOf([a, takeover('b')]).asksFor).toBeUndefined();
    expect(planOf([a, row('c')]).asksFor).toEqual({ total: 'money' });
    expect(() => policyOf([a, takeover('b', { asks_for: { total: 'int' } })])).toThrow('one name has one type');
  });
});

describe('an exception', () => {
  const rows = [
    row('a', { ladder: [{ role: 'head', within: '1h' }] }),
    row('again', {
      excepts: ['a'],
      ladder: [
        { role: 'lead', within: '1h' },
        { role: 'chief', within: '1h' },
      ],
    }),
  ];
  const denied = (role: string): RoutingInput => ({ ...pay(1), exception: { of: 'ap_1', outcome: 'denied', rows: ['a'], by: [{ person: 'pat', role }] } });

  it('says whose yes has less authority than who said no had', () => {
    expect(planOf(rows, denied('head')).exception).toMatchObject({ by: [{ person: 'pat', role: 'head' }], below: ['lead'] });
    expect(planOf(rows, denied('chief')).exception?.below).toEqual(['lead']);
    expect(planOf(rows, denied('lead')).exception?.below).toBeUndefined();
    // A role that is no authority over money gives nothing to measure by.
    expect(planOf(rows, denied('lawyer')).exception?.below).toBeUndefined();
  });

  it('can be granted by who said no only where every row that makes it says so', () => {
    expect(planOf(rows, denied('lead')).exception?.refuserAllowed).toBeUndefined();
    const [a, again] = rows as [Row, Row];
    const open = { ...again, refuser_allowed: true };
    expect(planOf([a, open], denied('lead')).exception?.refuserAllowed).toBe(true);
    expect(planOf([a, open, { ...again, id: 'third' }], denied('lead')).exception?.refuserAllowed).toBeUndefined();
  });

  it('reads by whom it was refused', () => {
    const only = { ...(rows[1] as Row), when: 'exception.outcome == "denied" && "head" in exception.by' };
    const example = (by: string) => ({ action: { type: 'pay' }, exception: { outcome: 'denied', by: [by] } });
    const policy = policyOf([rows[0] as Row, { ...only, examples: { match: [example('head')], no_match: [example('lead')] } }]);
    expect(resolve(policy, denied('head'))).toMatchObject({ ok: true });
    expect(resolve(policy, denied('lead'))).toMatchObject({ ok: false, issues: [{ code: 'no_exception' }] });
  });
});

describe('adding a row', () => {
  const offers = fc.record(
    {
      amount_at_most: fc.record(
        { param: fc.constantFrom('amount', 'fee'), at_most: fc.constantFrom('100.00 USD', '300.00 USD', '5.00 EUR') },
        { requiredKeys: ['param'] },
      ),
      expires_within: fc.constantFrom('1h', '24h'),
      options: fc.constantFrom({ a: 'A' }, { a: 'A', b: 'B' }, { b: 'B', c: 'C' }),
    },
    { requiredKeys: [] },
  );
  const asks = fc.constantFrom(undefined, { total: 'money' }, { intent: 'string' });
  const any = fc.oneof(
    { weight: 4, arbitrary: offers.map((o) => (Object.keys(o).length === 0 ? {} : { offers: o })) },
    { weight: 1, arbitrary: asks.map((a) => ({ kind: 'escalation', ...(a ? { asks_for: a } : {}) })) },
  );

  it('never lets a yes be given for more, with more choice, or later, nor a person answer less', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 3 }), any, fc.nat(3), (rows, added, at) => {
        const old = rows.map((r, i) => row(`row_${i}`, r));
        const input = asking('pay', { amount: usd(480), fee: usd(2) });
        const before = planOf(old, input);
        const after = planOf([...old.slice(0, at), row('added', added), ...old.slice(at)], input);
        if (before.effect === after.effect && after.effect === 'approval') {
          const [was, is] = [before.offers ?? {}, after.offers ?? {}];
          if (is.amountAtMost) {
            seen.add('amount');
            expect(is.amountAtMost.param).toBe(was.amountAtMost?.param);
            expect(is.amountAtMost.atMost.minor).toBeLessThanOrEqual(was.amountAtMost?.atMost.minor ?? -1);
          }
          if (is.expiresWithinMs !== undefined) {
            seen.add('expiry');
            expect(is.expiresWithinMs).toBeLessThanOrEqual(was.expiresWithinMs ?? -1);
          }
          if (was.options) {
            seen.add('options');
            expect(is.options).toBeDefined();
            expect(Object.keys(was.options)).toEqual(expect.arrayContaining(Object.keys(is.options ?? {})));
          }
        }
        if (before.effect === 'escalation' && after.asksFor) {
          seen.add('asked');
          expect(after.asksFor).toMatchObject(before.asksFor ?? { nothing: 'was asked before' });
        }
      }),
      { numRuns: 400 },
    );
    expect([...seen].sort()).toEqual(['amount', 'asked', 'expiry', 'options']);
  });
});
