import fc from 'fast-check';
import { MEANWHILE, TIERS, TIMEOUT_ENDS, type Effect, type Plan } from '../../../domain/plan';
import { resolve, type RoutingInput } from '../../../policy';
import { RISKS, URGENCIES } from '../../../policy/schema';
import { anyRow, inputs } from './generators';
import { asking as askingRow, policyOf, TRIGGERS, type Row } from './sample';
import { asking } from './support';

const EFFECTS: readonly Effect[] = ['allow', 'approval', 'escalation', 'block'];
const total = (plan: Plan, i: number): number => (plan.signOffs[i]?.ladder ?? []).reduce((sum, l) => sum + l.withinMs, 0);

/** Why `after` is looser than `before`, empty when it is not. */
function loosened(before: Plan, after: Plan): string[] {
  const looser: string[] = [];
  const want = (holds: boolean, what: string): void => {
    if (!holds) looser.push(what);
  };
  want(EFFECTS.indexOf(after.effect) >= EFFECTS.indexOf(before.effect), 'effect');
  if (after.effect === 'block' || before.effect === 'allow') return looser;
  want(TIERS.indexOf(after.tier) >= TIERS.indexOf(before.tier), 'tier');
  want(RISKS.indexOf(after.risk as (typeof RISKS)[number]) >= RISKS.indexOf(before.risk as (typeof RISKS)[number]), 'risk');
  want(URGENCIES.indexOf(after.urgency as (typeof URGENCIES)[number]) >= URGENCIES.indexOf(before.urgency as (typeof URGENCIES)[number]), 'urgency');
  want(MEANWHILE.indexOf(after.meanwhile.agent) >= MEANWHILE.indexOf(before.meanwhile.agent), 'meanwhile');
  want(TIMEOUT_ENDS.indexOf(after.onTimeout.end) <= TIMEOUT_ENDS.indexOf(before.onTimeout.end), 'end');
  want(
    before.evidence.every((e) => after.evidence.includes(e)),
    'evidence',
  );
  want(before.samePersonAllowed || !after.samePersonAllowed, 'same person');
  want(after.takeoverMs <= before.takeoverMs, 'takeover');
  want(after.onDeny.tellRequester || !before.onDeny.tellRequester, 'requester told');
  want(after.onTimeout.ticket !== undefined || before.onTimeout.ticket === undefined, 'ticket');
  want(after.onTimeout.tellCustomer !== undefined || before.onTimeout.tellCustomer === undefined, 'customer told');
  want(after.onTimeout.pauseWorkflow !== undefined || before.onTimeout.pauseWorkflow === undefined, 'workflow paused');
  const disabled = (plan: Plan): string[] => (plan.onTimeout.disableCredentials ?? []).map((d) => d.credential);
  want(
    disabled(before).every((credential) => disabled(after).includes(credential)),
    'credential disabled',
  );
  want((after.amount?.minor ?? 0) >= (before.amount?.minor ?? 0), 'amount');
  for (const [i, signOff] of before.signOffs.entries()) {
    const j = after.signOffs.findIndex((s) => s.lane === signOff.lane && s.role === signOff.role);
    const same = after.signOffs[j];
    want(same !== undefined, `sign-off ${signOff.role}`);
    if (!same) continue;
    want(same.quorum >= signOff.quorum, 'quorum');
    want(same.ladder.length > 0 && same.ladder.every((l) => signOff.ladder.some((m) => m.role === l.role && m.withinMs >= l.withinMs)), 'ladder');
    want(total(after, j) <= total(before, i), 'deadline');
  }
  return looser;
}

describe('adding a row', () => {
  it('never loosens, wherever it is put', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 0, maxLength: 4 }), anyRow, fc.nat(4), inputs, (rows, added, at, input) => {
        const old = rows.map((r, i): Row => ({ id: `row_${i}`, ...r }));
        const grown = [...old.slice(0, at), { id: 'added', ...added }, ...old.slice(at)];
        const before = resolve(policyOf(old), input);
        const after = resolve(policyOf(grown), input);
        if (!after.ok) return;
        // What could not be routed before for an unreadable amount can only be so still.
        if (!before.ok) throw new Error('a refusal became a plan');
        seen.add(`${before.plan.effect} to ${after.plan.effect}`);
        expect(loosened(before.plan, after.plan)).toEqual([]);
      }),
      { numRuns: 250 },
    );
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'allow to allow',
        'allow to approval',
        'approval to approval',
        'approval to escalation',
        'approval to block',
        'escalation to escalation',
      ]),
    );
  });

  it('gives the same plan for the same request, however often it is asked', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 3 }), inputs, (rows, input) => {
        const named = rows.map((r, i): Row => ({ id: `row_${i}`, ...r }));
        const policy = policyOf(named);
        expect(resolve(policy, input)).toEqual(resolve(policy, input));
        expect(resolve(policyOf(named), input)).toEqual(resolve(policy, input));
      }),
      { numRuns: 60 },
    );
  });
});

describe('a request', () => {
  it('never gets a looser plan by leaving out a claim', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 4 }), inputs, fc.constantFrom('gold', 'silver'), (rows, input, tier) => {
        const policy = policyOf(rows.map((r, i): Row => ({ id: `row_${i}`, ...r })));
        const claimed = resolve(policy, { ...input, facts: { tier } });
        const silent = resolve(policy, { ...input, facts: {} });
        if (!silent.ok) return;
        if (!claimed.ok) throw new Error('silence made a refusal a plan');
        expect(loosened(claimed.plan, silent.plan)).toEqual([]);
      }),
      { numRuns: 120 },
    );
  });

  it('is answered by a plan or by issues, whatever it carries', () => {
    const policy = policyOf([
      { id: 'a', ...askingRow, ...TRIGGERS.over100, amount: 'action.params.fee', ladder: [{ role: 'head', within: '1h' }] },
      { id: 'b', ...askingRow, ...TRIGGERS.gold },
    ]);
    const anything = fc.dictionary(
      fc.oneof(fc.constantFrom('amount', 'note', 'days', 'fee', 'tier', 'large', '__proto__', 'constructor', 'toString'), fc.string()),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom('pay', 'close', '__proto__', 'constructor', 'hasOwnProperty', ''), anything, anything, (type, params, facts) => {
        const resolved = resolve(policy, asking(type, params as RoutingInput['action']['params'], { facts: facts as RoutingInput['facts'] }));
        expect(resolved.ok ? resolved.plan.rows.length : resolved.issues.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a limit', () => {
  it('is within, to the cent, for any limit and amount', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -5000, max: 5000 })), (limit, offset) => {
        fc.pre(limit + offset >= 0);
        const written = (limit / 100).toFixed(2);
        const policy = policyOf([
          {
            ...askingRow,
            ladder: undefined,
            id: 'limit',
            when: `action.type == "pay" && action.params.amount > usd(${written})`,
            amount: 'action.params.amount',
            examples: {
              match: [{ action: { type: 'pay', params: { amount: `${((limit + 1) / 100).toFixed(2)} USD` } } }],
              no_match: [{ action: { type: 'pay', params: { amount: `${written} USD` } } }],
            },
            sign_offs: [{ ladder: [{ role: 'head', within: '1h' }] }, { only: 'above_authority', ladder: [{ role: 'chief', within: '1h' }] }],
          },
        ]);
        const resolved = resolve(policy, asking('pay', { amount: { minor: limit + offset, currency: 'USD' } }));
        const signOffs = resolved.ok ? resolved.plan.signOffs.length : -1;
        expect(signOffs).toBe(offset <= 0 ? 0 : limit + offset <= 100_000 ? 1 : 2);
      }),
      { numRuns: 150 },
    );
  });
});
