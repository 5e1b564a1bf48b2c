import fc from 'fast-check';
import { MEANWHILE, QUESTIONS, TIERS, TIMEOUT_ENDS, type Effect, type Meanwhile, type Plan } from '../../../domain/plan';
import { compilePolicy, explain, resolve, type RoutingInput } from '../../../policy';
import { RISKS, URGENCIES } from '../../../policy/schema';
import { anyRow as plainRow, inputs as plainInputs } from './generators';
import { asking as askingRow, filesOf, policyOf, TRIGGERS, type Row } from './sample';
import { asking } from './support';

const EFFECTS: readonly Effect[] = ['allow', 'approval', 'escalation', 'block'];

/** What a row may say besides, so that every field of a plan is varied. */
const more = fc.record({
  end: fc.constantFrom('as it is', 'hold', 'safe_alternative'),
  hours: fc.integer({ min: 1, max: 9 }),
  offers: fc.option(
    fc.record(
      {
        amount_at_most: fc.constantFrom({ param: 'amount' }, { param: 'amount', at_most: '50.00 USD' }, { param: 'amount', at_most: '700.00 USD' }),
        expires_within: fc.constantFrom('1h', '24h'),
        options: fc.constantFrom({ credit: 'As credit', full: 'As asked' }, { full: 'As asked' }, { later: 'Next month', full: 'As asked' }),
      },
      { requiredKeys: [] },
    ),
  ),
  asks: fc.option(fc.constantFrom({ total: 'money' }, { total: 'money', intent: 'enum[refund, exchange]' })),
  expedite: fc.boolean(),
  unless: fc.boolean(),
  channels: fc.constantFrom(['email'], ['webhook', 'email']),
});

const anyRow: fc.Arbitrary<Omit<Row, 'id'>> = fc.tuple(plainRow, more).map(([row, { end: wanted, hours, offers, asks, expedite, unless, channels }]) => {
  const levels = row['ladder'] as readonly { role: string; within: string }[] | undefined;
  const excused = unless ? { unless: 'action.params.days > 5' } : {};
  if (!levels) return { ...row, ...excused };
  // A hold for who was asked last is refused.
  const end = wanted === 'hold' && levels[levels.length - 1]?.role === 'chief' ? 'as it is' : wanted;
  const { end: usual, ...besides } = row['on_timeout'] as { end: string };
  return {
    ...row,
    ...excused,
    ladder: levels.map((level, i) => (i === 0 ? { ...level, channels } : level)),
    on_timeout: {
      ...besides,
      end: end === 'as it is' ? usual : end,
      ...(end === 'hold' ? { hold: { role: 'chief', for: `${String(hours)}h`, then: 'deny' } } : {}),
      ...(end === 'safe_alternative' ? { alternative: { type: 'close', summary: 'Close it' } } : {}),
    },
    ...(offers && Object.keys(offers).length > 0 && row['kind'] === 'approval' ? { offers } : {}),
    ...(asks && row['kind'] === 'escalation' ? { asks_for: asks } : {}),
    ...(expedite ? { expedite: { when: 'has(action.params.note)', ladder: [{ role: levels[0]?.role, within: '1m', channels }] } } : {}),
  };
});

const inputs: fc.Arbitrary<RoutingInput> = fc.tuple(plainInputs, fc.option(fc.constantFrom(1, 9))).map(([input, days]) => ({
  ...input,
  action: { ...input.action, params: { ...input.action.params, ...(days === null ? {} : { days }) } },
}));

/** What is carried out while it waits, each by its name, credentials by theirs. */
const carriedOut = ({ effects }: Meanwhile): string[] =>
  Object.entries(effects ?? {}).flatMap(([name, value]) => (Array.isArray(value) ? value.map(({ credential }: { credential: string }) => credential) : [name]));

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
  if (after.meanwhile.agent === before.meanwhile.agent) {
    want((after.meanwhile.retryAfterMs ?? 0) >= (before.meanwhile.retryAfterMs ?? 0), 'tries again sooner');
    want((after.meanwhile.toPercent ?? 0) <= (before.meanwhile.toPercent ?? 0), 'more throughput');
  }
  want(
    carriedOut(before.meanwhile).every((name) => carriedOut(after.meanwhile).includes(name)),
    'carried out meanwhile',
  );
  const [was, is] = [before.questions ?? QUESTIONS, after.questions ?? QUESTIONS];
  want(is.clock === 'runs' || was.clock === 'pauses', 'the clock pauses');
  want(is.withinMs <= was.withinMs, 'longer questions');
  want(is.atMost <= was.atMost, 'more questions');
  want((after.takeoverAtMostMs ?? after.takeoverMs) <= (before.takeoverAtMostMs ?? before.takeoverMs), 'longer takeover');
  want(after.onDeny.oneNo === undefined || before.onDeny.oneNo !== undefined, 'a no that does not end it');
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
    want(
      same.ladder.every((l) => signOff.ladder.find((m) => m.role === l.role)?.channels.every((c) => l.channels.includes(c)) ?? false),
      'channels',
    );
  }
  if (before.effect === 'approval' && after.effect === 'approval') {
    const [offered, left] = [before.offers ?? {}, after.offers ?? {}];
    want(!left.amountAtMost || (offered.amountAtMost !== undefined && left.amountAtMost.atMost.minor <= offered.amountAtMost.atMost.minor), 'smaller amount');
    want(!left.expiresWithinMs || left.expiresWithinMs <= (offered.expiresWithinMs ?? 0), 'earlier end');
    // One more that demands a choice is stricter; one that gives more to choose from is not.
    want(!offered.options || (left.options !== undefined && Object.keys(left.options).every((name) => Object.hasOwn(offered.options ?? {}, name))), 'options');
  }
  if (before.effect === 'escalation') want(!after.asksFor || before.asksFor !== undefined, 'answered instead of taken over');
  return looser;
}

/** Which of the moves of people, agents and operators are other than before, so that a property is known to have looked at them. */
function changedIn(before: Plan, after: Plan): string[] {
  const of = (plan: Plan): [string, unknown][] => [
    ['clock', (plan.questions ?? QUESTIONS).clock],
    ['questions', (plan.questions ?? QUESTIONS).atMost],
    ['takeover', plan.takeoverAtMostMs],
    ['one no', plan.onDeny.oneNo],
    ['retry', plan.meanwhile.retryAfterMs],
    ['throughput', plan.meanwhile.toPercent],
    ['effects', carriedOut(plan.meanwhile).length],
    ['paused', plan.meanwhile.effects?.pauseCredentials?.length],
  ];
  if (before.effect === 'allow' || after.effect === 'block') return [];
  const now = new Map(of(after));
  return of(before).flatMap(([what, was]) => (was === undefined || was === now.get(what) ? [] : [what]));
}

describe('adding a row', () => {
  it('never loosens, wherever it is put', () => {
    const seen = new Set<string>();
    const grows = fc.property(fc.array(anyRow, { minLength: 0, maxLength: 4 }), anyRow, fc.nat(4), inputs, (rows, added, at, input) => {
      const old = rows.map((r, i): Row => ({ id: `row_${i}`, ...r }));
      const grown = [...old.slice(0, at), { id: 'added', ...added }, ...old.slice(at)];
      const before = resolve(policyOf(old), input);
      const after = resolve(policyOf(grown), input);
      if (!after.ok) return;
      // What could not be routed before for an unreadable amount can only be so still.
      if (!before.ok) throw new Error('a refusal became a plan');
      seen.add(`${before.plan.effect} to ${after.plan.effect}`);
      for (const what of changedIn(before.plan, after.plan)) seen.add(what);
      expect(loosened(before.plan, after.plan)).toEqual([]);
    });
    fc.assert(grows, { numRuns: 150 });
    // What has to have been among them does not depend on luck.
    fc.assert(grows, { numRuns: 250, seed: 20 });
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'allow to allow',
        'allow to approval',
        'approval to approval',
        'approval to escalation',
        'approval to block',
        'escalation to escalation',
        ...['clock', 'questions', 'takeover', 'one no', 'retry', 'throughput', 'effects', 'paused'],
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

/** What the language does not let the order of rows decide; the words, the path on no, the owner and the sequence of signatures it does. */
function regardlessOfOrder(plan: Plan) {
  const byName = <T>(values: readonly T[]): T[] => [...values].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return {
    ...{ effect: plan.effect, tier: plan.tier, risk: plan.risk, urgency: plan.urgency, agent: plan.meanwhile.agent },
    ...{
      takeover: plan.takeoverMs,
      takeoverAtMost: plan.takeoverAtMostMs,
      questions: plan.questions,
      oneNo: plan.onDeny.oneNo,
      detail: [plan.meanwhile.retryAfterMs, plan.meanwhile.toPercent],
      carriedOut: byName(carriedOut(plan.meanwhile)),
      same: plan.samePersonAllowed,
      told: plan.onDeny.tellRequester,
      amount: plan.amount,
      authority: byName(Object.entries(plan.authority)),
    },
    end: plan.onTimeout.end,
    besides: [plan.onTimeout.ticket, plan.onTimeout.tellCustomer, plan.onTimeout.pauseWorkflow].map((also) => also !== undefined),
    disabled: byName((plan.onTimeout.disableCredentials ?? []).map((d) => d.credential)),
    evidence: byName(plan.evidence),
    rows: byName(plan.rows.map(({ id, effect, unevaluated }) => ({ id, effect, unevaluated }))),
    signOffs: byName(
      plan.signOffs.map(({ lane, role, quorum, ladder, rows }) => ({
        ...{ lane, role, quorum, rows: byName(rows) },
        ladder: byName(ladder.map((level) => ({ role: level.role, withinMs: level.withinMs, channels: byName(level.channels) }))),
      })),
    ),
    offers: plan.offers ? { ...plan.offers, options: plan.offers.options && byName(Object.keys(plan.offers.options)) } : null,
    asksFor: plan.asksFor ? byName(Object.entries(plan.asksFor)) : null,
  };
}

describe('the order of rows', () => {
  it('decides nothing but the words, the owner, the path on no and the sequence', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        fc
          .array(anyRow, { minLength: 2, maxLength: 4 })
          .chain((rows) => fc.tuple(fc.constant(rows), fc.shuffledSubarray([...rows.keys()], { minLength: rows.length }))),
        inputs,
        ([rows, order], input) => {
          const named = rows.map((r, i): Row => ({ id: `row_${String(i)}`, ...r }));
          const one = resolve(policyOf(named), input);
          const other = resolve(policyOf(order.flatMap((i) => named[i] ?? [])), input);
          expect(other.ok).toBe(one.ok);
          if (!one.ok || !other.ok) return;
          seen.add(one.plan.effect);
          expect(regardlessOfOrder(other.plan)).toEqual(regardlessOfOrder(one.plan));
        },
      ),
      { numRuns: 150 },
    );
    expect([...seen].sort()).toEqual(['allow', 'approval', 'block', 'escalation']);
  });
});

describe('every plan', () => {
  it('has an owner, a deadline and an end, and is explained as it is resolved', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 4 }), inputs, (rows, input) => {
        const policy = policyOf(rows.map((r, i): Row => ({ id: `row_${String(i)}`, ...r })));
        const resolved = resolve(policy, input);
        const explained = explain(policy, input);
        expect(explained.resolved).toEqual(resolved);
        const applied = explained.rows.filter(({ fate }) => fate === 'applies' || fate === 'applies_unevaluated');
        if (!resolved.ok) return;
        const { plan } = resolved;
        expect(plan.rows.map(({ id, unevaluated }) => [id, unevaluated])).toEqual(
          applied.length === 0 ? [['default', false]] : applied.map(({ id, fate }) => [id, fate === 'applies_unevaluated']),
        );
        expect(plan.owner).not.toBe('');
        expect(plan.lane).not.toBe('');
        if (plan.effect === 'allow') return;
        expect(plan.onDeny.path).not.toBe('');
        expect(TIMEOUT_ENDS).toContain(plan.onTimeout.end);
        if (plan.effect === 'block') return;
        expect(plan.takeoverMs).toBeGreaterThan(0);
        expect(plan.signOffs.length).toBeGreaterThan(0);
        for (const { lane, role, ladder, quorum } of plan.signOffs) {
          expect([lane, role]).not.toContain('');
          expect(quorum).toBeGreaterThan(0);
          expect(ladder.map((level) => level.role)).toContain(role);
          for (const level of ladder) expect(level.withinMs).toBeGreaterThan(0);
        }
        expect(plan.onTimeout.hold === undefined).toBe(plan.onTimeout.end !== 'hold');
        if (plan.onTimeout.hold) expect([plan.onTimeout.hold.forMs > 0, ['expire', 'deny'].includes(plan.onTimeout.hold.then)]).toEqual([true, true]);
        expect(plan.onTimeout.alternative === undefined).toBe(plan.onTimeout.end !== 'safe_alternative');
      }),
      { numRuns: 150 },
    );
  });

  it('is explained as it is resolved also where rows give way to others, and exceptions are asked for', () => {
    const fates = new Set<string>();
    const linked = fc.record({ row: anyRow, supersedes: fc.array(fc.nat(3), { maxLength: 2 }), excepts: fc.array(fc.nat(3), { maxLength: 2 }) });
    const explained = fc.property(
      fc.array(linked, { minLength: 1, maxLength: 4 }),
      inputs,
      fc.option(fc.array(fc.nat(3), { minLength: 1, maxLength: 2 })),
      (rows, input, refused) => {
        // Of rows that stand before it, so that there is no circle.
        const before = (all: readonly number[], i: number): string[] => [...new Set(all.filter((n) => n < i).map((n) => `row_${String(n)}`))];
        const named = rows.map(({ row, supersedes, excepts }, i): Row => {
          const [gives, makes] = [before(supersedes, i), before(excepts, i)];
          return { id: `row_${String(i)}`, ...row, ...(gives.length > 0 ? { supersedes: gives } : {}), ...(makes.length > 0 ? { excepts: makes } : {}) };
        });
        const { policy } = compilePolicy(filesOf(named));
        fc.pre(policy !== null);
        const of = refused?.map((n) => `row_${String(n % rows.length)}`);
        const asked: RoutingInput = of ? { ...input, exception: { of: 'ap_1', outcome: 'denied', rows: [...new Set(of)] } } : input;
        const resolved = resolve(policy, asked);
        const told = explain(policy, asked);
        expect(told.resolved).toEqual(resolved);
        for (const { fate } of told.rows) fates.add(fate);
        if (!resolved.ok) return;
        const applied = told.rows.filter(({ fate }) => fate === 'applies' || fate === 'applies_unevaluated').map(({ id }) => id);
        expect(resolved.plan.rows.map(({ id }) => id)).toEqual(applied.length === 0 ? ['default'] : applied);
        // What was refused before stands, or a row that applies excepts it.
        for (const id of of ?? []) {
          const fate = told.rows.find((row) => row.id === id)?.fate;
          if (fate === 'excepted') expect(applied.some((one) => named.find((row) => row.id === one)?.['excepts'] !== undefined)).toBe(true);
        }
      },
    );
    fc.assert(explained, { numRuns: 150 });
    fc.assert(explained, { numRuns: 300, seed: 4 });
    expect([...fates].sort()).toEqual(['applies', 'applies_unevaluated', 'excepted', 'not_met', 'superseded']);
  });

  it('is the one that comes of looking at every row, without what makes it fast', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 5 }), fc.array(inputs, { minLength: 5, maxLength: 5 }), (rows, requests) => {
        const policy = policyOf(rows.map((r, i): Row => ({ id: `row_${String(i)}`, ...r })));
        const slow = { ...policy, rows: policy.rows.map((row) => (row.when ? { ...row, when: { ...row.when, admits: () => null } } : row)) };
        for (const input of requests) expect(resolve(policy, input)).toEqual(resolve(slow, input));
      }),
      { numRuns: 80 },
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
