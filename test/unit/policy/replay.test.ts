/** A candidate over past requests: what it says of them, and that the policy that routed them says nothing new. */
import fc from 'fast-check';
import { after, ms, instant } from '../../../domain/json';
import type { Plan } from '../../../domain/plan';
import { createReplay, ReplaySchema, resolve, type CompiledPolicy, type ReplayReport } from '../../../policy';
import type { PastRequest } from '../../../policy/replay';
import { Counter } from '../../../policy/replay-recent';
import { anyRow, inputs } from './generators';
import { asking as askingRow, policyOf, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

const AT = '2026-11-16T09:00:00.000Z';
let made = 0;

/** A request as the record would hold it, had this policy routed it; null where it would not have been taken. */
function past(policy: CompiledPolicy, input: ReturnType<typeof asking>, more: Partial<PastRequest> = {}): PastRequest | null {
  const resolved = resolve(policy, input);
  if (!resolved.ok) return null;
  made += 1;
  const { action, facts, evidence, requester, tenant } = input;
  const body = { action, facts, run: requester.run, ...(requester.onBehalfOf === null ? {} : { on_behalf_of: requester.onBehalfOf }) };
  const effect = resolved.plan.effect;
  const ended = effect === 'allow' ? 'allowed' : effect === 'block' ? 'blocked' : null;
  return {
    approvalId: `ap_${String(made)}`,
    at: AT,
    tenant,
    agent: requester.agent,
    body,
    evidence,
    // As it comes back from the store.
    plan: JSON.parse(JSON.stringify(resolved.plan)) as Plan,
    state: ended ?? 'waiting',
    endedAt: ended === null ? null : AT,
    answers: [],
    ...more,
  };
}

function sure(request: PastRequest | null): PastRequest {
  if (!request) throw new Error('The policy would not have taken it');
  return request;
}

function replayed(candidate: CompiledPolicy, requests: readonly PastRequest[], versions: readonly CompiledPolicy[] = []): ReplayReport {
  const versionOf = (hash: string): CompiledPolicy | null => versions.find((v) => v.hash === hash) ?? null;
  const run = createReplay(candidate, { tenant: 'shop', since: null, until: AT, limit: null, versionOf });
  for (const request of requests) run.add(request);
  // The form that programs rely on.
  return ReplaySchema.parse(run.report());
}

const pay = (dollars: number, more: Parameters<typeof asking>[2] = {}) => asking('pay', { amount: usd(dollars) }, { evidence: ['a', 'b', 'c'], ...more });
const rowOf = (more: Partial<Record<string, unknown>> = {}): Row => ({ id: 'big', ...askingRow, ...TRIGGERS.over100, ...more });

describe('the policy that routed them', () => {
  const anyRequest = fc.record({ input: inputs, afterMinutes: fc.option(fc.integer({ min: 1, max: 1_000 })) });

  it('changes nothing, whatever the policy and whatever was asked', () => {
    let asked = 0;
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 4 }), fc.array(anyRequest, { minLength: 1, maxLength: 8 }), (rows, wanted) => {
        const policy = policyOf(rows.map((row, i): Row => ({ id: `row_${String(i)}`, ...row })));
        const requests = wanted.flatMap(({ input, afterMinutes }) => {
          const one = past(policy, input);
          const decided = one && one.state === 'waiting' && afterMinutes !== null;
          return one ? [decided ? { ...one, state: 'approved' as const, endedAt: AT, answers: [after(AT, afterMinutes * 60_000)] } : one] : [];
        });
        asked += requests.filter((r) => r.plan.signOffs.length > 0).length;
        const report = replayed(policy, requests);
        expect(report).toMatchObject({ requests: requests.length, unchanged: requests.length, changed: 0, refused: 0, less_asked: 0 });
        expect([report.outcomes, report.tiers, report.ends, report.aspects, report.refusals, report.unknown, report.counted_again]).toEqual([
          [],
          [],
          [],
          [],
          [],
          [],
          [],
        ]);
        for (const load of [report.load.sign_offs, ...report.load.lanes, ...report.load.roles])
          expect([load.after, load.busiest_after]).toEqual([load.before, load.busiest_before]);
        for (const day of report.load.days) expect(day.after).toBe(day.before);
        for (const row of report.rows) expect(row.after).toBe(row.before);
        expect([report.deadlines.passed_on.after, report.deadlines.missed.after]).toEqual([report.deadlines.passed_on.before, report.deadlines.missed.before]);
      }),
      { numRuns: 80 },
    );
    expect(asked).toBeGreaterThan(10);
  });
});

describe('a candidate', () => {
  it('says what becomes of requests by how they ended, first of all where less is asked', () => {
    const policy = policyOf([rowOf({ tier: 'dual' })]);
    const denied = sure(past(policy, pay(300), { state: 'denied', endedAt: AT }));
    const open = sure(past(policy, pay(150)));
    const allowed = sure(past(policy, pay(50)));
    const report = replayed(policyOf([]), [denied, open, allowed]);
    expect(report).toMatchObject({ requests: 3, unchanged: 1, changed: 2, less_asked: 2 });
    expect(report.outcomes).toEqual([
      { was: { effect: 'approval', outcome: 'denied' }, now: 'allow', requests: 1, examples: [denied.approvalId] },
      { was: { effect: 'approval', outcome: 'open' }, now: 'allow', requests: 1, examples: [open.approvalId] },
    ]);
    expect(report.rows).toContainEqual({ row: 'big', effect: null, before: 2, after: 0, unevaluated: 0 });
    expect(report.load.sign_offs).toMatchObject({ before: 4, after: 0, busiest_before: { day: '2026-11-16', requests: 4 }, busiest_after: null });
    expect(report.load.days).toEqual([{ day: '2026-11-16', role: 'lead', before: 4, after: 0 }]);
  });

  it('says who is asked how often, by lane, role and day', () => {
    const [now, then] = [policyOf([rowOf({ lane: 'security', ladder: [{ role: 'head', within: '60m' }], tier: 'dual' })]), policyOf([rowOf()])];
    const days = ['2026-11-16', '2026-11-16', '2026-11-17'].map((day) => sure(past(then, pay(300), { at: `${day}T09:00:00.000Z` })));
    const { load, aspects } = replayed(now, days);
    expect(load.lanes).toEqual([
      { lane: 'security', before: 0, after: 6, busiest_before: null, busiest_after: { day: '2026-11-16', requests: 4 } },
      { lane: 'finance', before: 3, after: 0, busiest_before: { day: '2026-11-16', requests: 2 }, busiest_after: null },
    ]);
    expect(load.days).toContainEqual({ day: '2026-11-17', role: 'head', before: 0, after: 2 });
    expect(aspects.map((a) => a.what)).toEqual(expect.arrayContaining(['lane', 'who is asked']));
    expect(aspects.map((a) => a.what)).not.toContain('words');
    // Only the text of a trigger: nothing else becomes of them.
    const rewritten = policyOf([rowOf({ when: `${TRIGGERS.over100.when} && true` })]);
    expect(replayed(rewritten, days)).toMatchObject({ reworded: 3, changed: 0, unchanged: 0, aspects: [{ what: 'words', requests: 3 }] });
  });

  it('says which answers would have come too late, and which would have been passed on first', () => {
    const ladder = (first: string) =>
      rowOf({
        ladder: [
          { role: 'lead', within: first },
          { role: 'head', within: first },
        ],
      });
    const [then, now] = [policyOf([ladder('60m')]), policyOf([ladder('20m')])];
    const answeredAfter = (minutes: number): PastRequest =>
      sure(past(then, pay(300), { state: 'approved', endedAt: after(AT, minutes * 60_000), answers: [after(AT, minutes * 60_000)] }));
    const silent = sure(past(then, pay(300), { state: 'expired', endedAt: after(AT, 7_200_000) }));
    const late = answeredAfter(40);
    const { deadlines } = replayed(now, [answeredAfter(19), answeredAfter(20), late, silent]);
    expect(deadlines).toMatchObject({ compared: 3, passed_on: { before: 0, after: 2 }, missed: { before: 0, after: 1 }, unanswered: 1, more_sign_offs: 0 });
    expect(deadlines.examples).toEqual([{ approval: late.approvalId, sign_off: '1', role: 'lead', due: after(AT, 2_400_000), answered: after(AT, 2_400_000) }]);
    expect(replayed(policyOf([rowOf(), { ...rowOf({ ladder: [{ role: 'chief', within: '1h' }] }), id: 'more' }]), [late]).deadlines.more_sign_offs).toBe(1);
  });

  it('says what it would not take, by code and place', () => {
    const then = policyOf([]);
    const now = policyOf([rowOf({ evidence: ['invoice'] })]);
    const report = replayed(now, [sure(past(then, pay(300))), sure(past(then, pay(200))), sure(past(then, pay(50)))]);
    expect(report).toMatchObject({ refused: 2, unchanged: 1 });
    expect(report.refusals).toEqual([
      expect.objectContaining({ code: 'missing_evidence', requests: 2, paths: [{ path: 'evidence.invoice', requests: 2 }] }) as unknown,
    ]);
    expect(report.outcomes).toMatchObject([{ was: { effect: 'allow', outcome: 'allowed' }, now: 'refused', requests: 2 }]);
  });

  it('names rows that never apply, and those that only apply because they cannot be evaluated', () => {
    const now = policyOf([rowOf(), { ...askingRow, ...TRIGGERS.gold, id: 'gold' }, { ...askingRow, ...TRIGGERS.noted, id: 'noted' }]);
    const report = replayed(now, [sure(past(policyOf([rowOf()]), pay(300)))]);
    expect(report.never).toEqual(['noted', 'default']);
    expect(report.rows).toContainEqual({ row: 'gold', effect: 'approval', before: 0, after: 1, unevaluated: 1 });
  });
});

describe('counts and sums of a candidate', () => {
  const recent = { name: 'paid', of: ['pay'], per: 'agent', withinMs: 3_600_000, sum: 'amount' } as const;
  const policy: CompiledPolicy = { ...policyOf([]), recent: { paid: recent } };

  it('of the policy that routed it are taken as they were noted; others are counted again', () => {
    const noted = { paid: { value: usd(7), requests: 7, since: AT } };
    const other = { ...policy, hash: 'other', recent: { paid: { ...recent, withinMs: recent.withinMs * 2 } } };
    const base = sure(past(policyOf([]), pay(1)));
    const request: PastRequest = { ...base, plan: { ...base.plan, policy: { ...base.plan.policy, hash: policy.hash }, recent: noted } };
    expect(replayed(policy, [request], [policy]).counted_again).toEqual([]);
    expect(replayed(other, [request], [policy]).counted_again).toEqual(['paid']);
    expect(replayed({ ...policy, hash: 'the same, where the old one cannot be read' }, [request]).counted_again).toEqual(['paid']);
  });

  it('counted again are what a look at all of the past gives, for any past', () => {
    const one = fc.record({
      gap: fc.integer({ min: 0, max: 40 }),
      agent: fc.constantFrom('a', 'b'),
      customer: fc.constantFrom('x', 'y', null),
      type: fc.constantFrom('pay', 'close'),
      amount: fc.option(fc.record({ minor: fc.integer({ min: -50, max: 500 }), currency: fc.constantFrom('USD', 'USD', 'EUR') })),
      undoneAfter: fc.option(fc.integer({ min: 0, max: 60 })),
    });
    const meaning = fc.record({
      per: fc.constantFrom('agent', 'customer', 'tenant'),
      sum: fc.constantFrom('amount', null),
      within: fc.integer({ min: 1, max: 90 }),
    });
    fc.assert(
      fc.property(meaning, fc.array(one, { maxLength: 40 }), ({ per, sum, within }, all) => {
        const withinMs = within * 60_000;
        const counter = new Counter({ name: 'n', of: ['pay'], per, withinMs, sum });
        let at = ms(AT);
        const seen = all.map(({ gap, amount, undoneAfter, ...rest }) => {
          at += gap * 60_000;
          const undoneAt = undoneAfter === null ? null : instant(at + undoneAfter * 60_000);
          return { ...rest, at: instant(at), params: amount ? { amount } : {}, undoneAt };
        });
        for (const [i, request] of seen.entries()) {
          const now = ms(request.at);
          const whose = (r: (typeof seen)[number]): string | null => (per === 'agent' ? r.agent : per === 'customer' ? r.customer : '');
          const counted = seen
            .slice(0, i + 1)
            .filter(
              (r, j) =>
                r.type === 'pay' && whose(r) === whose(request) && ms(r.at) > now - withinMs && (j === i || r.undoneAt === null || ms(r.undoneAt) > now),
            );
          const value = counter.next(request);
          if (whose(request) === null) expect(value).toBeNull();
          else if (sum === null) expect(value).toMatchObject({ value: counted.length, requests: counted.length });
          else {
            const currencies = new Set(counted.map((r) => r.params.amount?.currency ?? null));
            const [currency] = currencies;
            if (currencies.size !== 1 || typeof currency !== 'string') expect(value).toBeNull();
            else expect(value?.value).toEqual({ currency, minor: counted.reduce((total, r) => total + Math.max(r.params.amount?.minor ?? 0, 0), 0) });
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
