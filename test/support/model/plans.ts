/**
 * Plans, teams and hours for the model tests, as fast-check draws them: every tier, chain, ladder, end and offer that a plan can have, and
 * people who are few enough to meet each other again. Must not import anything but the domain.
 */
import fc from 'fast-check';
import type { Directory, Person } from '../../../domain/directory';
import { after } from '../../../domain/json';

import type { Meanwhile, Offers, OnTimeout, Operators, Plan, Questions, SignOff } from '../../../domain/plan';
import type { Context } from '../../../domain/story';
import { HOUR, level, MINUTE, person, planOf, signOff, START } from '../approval-play';
import type { Hours } from './hours';
import type { Ground } from './stage';

export const ASKED = ['manager', 'chief', 'director', 'board', 'backup'] as const;
/** What operators are called: who may do everything, who may override, who may break the glass. */
export const OPERATING = ['operator', 'chair', 'captain'] as const;
const ROLES = [...ASKED, ...OPERATING];
export const PEOPLE = ['ada', 'ben', 'cy', 'dee', 'eli', 'fay', 'gus', 'hal', 'ivy'] as const;
/** They ask, in every walk; one of them is also one of the people. */
export const REQUESTERS = ['rita', 'ivy'] as const;

/** Present, or away for a while, with somebody in their place or without. */
const absences: fc.Arbitrary<Person['absences']> = fc.oneof(
  { weight: 4, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc
      .record({
        from: fc.constantFrom(-HOUR, 0, 20 * MINUTE, HOUR),
        lasts: fc.constantFrom(30 * MINUTE, 2 * HOUR, 40 * HOUR),
        deputy: fc.option(fc.constantFrom(...PEOPLE, 'rita'), { nil: undefined, freq: 4 }),
      })
      .map(({ from, lasts, deputy }) => [{ from: after(START, from), to: after(START, from + lasts), ...(deputy === undefined ? {} : { deputy }) }]),
  },
);

const somebody = (id: string): fc.Arbitrary<Person> =>
  fc
    .record({
      roles: fc.uniqueArray(fc.constantFrom(...ASKED), { minLength: 1, maxLength: 3 }),
      operates: fc.option(fc.constantFrom(...OPERATING), { freq: 3 }),
      absences,
    })
    .map(({ roles, operates, absences: away }) => person(id, [...roles, ...(operates === null ? [] : [operates])], away));

const HEX = '0123456789abcdef';
export const team: fc.Arbitrary<Directory> = fc
  .record({
    people: fc.tuple(...PEOPLE.map(somebody)),
    gone: fc.option(fc.nat(PEOPLE.length - 1), { freq: 2 }),
    duty: fc.shuffledSubarray([...PEOPLE], { maxLength: 4 }),
    hash: fc.array(fc.constantFrom(...HEX), { minLength: 12, maxLength: 12 }),
  })
  .map(({ people, gone, duty, hash }) => {
    const here = [...people.filter((_, i) => i !== gone), person('rita', ROLES)];
    return {
      hash: hash.join('').padEnd(64, '0'),
      people: Object.fromEntries(here.map((p) => [p.id, p])),
      // Who is listed for a role holds it.
      duty: Object.fromEntries(ROLES.map((role) => [role, duty.filter((id) => here.find((p) => p.id === id)?.roles.includes(role))])),
    };
  });

/** Half of the levels run on the office's hours. */
export const hours: fc.Arbitrary<Hours> = fc.constantFrom({ from: 8, to: 18 }, { from: 9, to: 12 }, { from: 0, to: 24 });

const rung = fc.record({
  role: fc.constantFrom(...ASKED),
  minutes: fc.integer({ min: 15, max: 240 }),
  reminders: fc.constantFrom([], [0.5], [0.25, 0.5, 0.9]),
  calendar: fc.constantFrom(null, 'office'),
  channels: fc.constantFrom(['email'], ['webhook', 'email']),
});
const signOffs: fc.Arbitrary<readonly SignOff[]> = fc
  .array(fc.record({ ladder: fc.array(rung, { minLength: 1, maxLength: 4 }), quorum: fc.constantFrom(1, 1, 2), beside: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((list) =>
    list.map((s, i) => ({
      ...signOff(
        String(i + 1),
        s.ladder.map((l, n) => ({ ...level(`level ${String(n)}`, l.role, l.minutes, l.reminders), calendar: l.calendar, channels: l.channels as never })),
        s.quorum,
      ),
      // Beside the one before, or in a stage of its own.
      ...(list.some((o, n) => o.beside && (n === i || n === i + 1) && n > 0)
        ? { stage: list.slice(0, i + 1).filter((o, n) => !o.beside || n === 0).length }
        : {}),
    })),
  );

const ALTERNATIVE = { type: 'voucher.send', params: {}, summary: 'send a voucher' };
const onTimeout: fc.Arbitrary<OnTimeout> = fc
  .tuple(
    fc.constantFrom<OnTimeout>(
      { end: 'expire' },
      { end: 'deny' },
      { end: 'safe_alternative', alternative: ALTERNATIVE },
      { end: 'hold', hold: { role: 'backup', forMs: HOUR, then: 'expire' } },
      { end: 'hold', hold: { role: 'chief', forMs: HOUR, then: 'deny' } },
      { end: 'hold', hold: { role: 'backup', forMs: HOUR, then: 'deny' } },
    ),
    fc.record(
      {
        pauseWorkflow: fc.constant({ reason: 'nobody answered' }),
        disableCredentials: fc.constantFrom([{ credential: 'crm', reason: 'nobody answered' }], [{ credential: 'mail', reason: 'nobody answered' }]),
        ticket: fc.constant({ queue: 'review', owner: 'manager', title: 'Look at it' }),
        tellCustomer: fc.constant({ subject: 'Your case', text: 'We look at it.' }),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([end, also]) => ({ ...end, ...also }));

const meanwhile: fc.Arbitrary<Meanwhile> = fc
  .option(
    fc.record(
      {
        tellCustomer: fc.constant({ subject: 'Your case', text: 'It takes a while.' }),
        openCase: fc.constant({ queue: 'cases', owner: 'manager', title: 'Look at the evidence' }),
        raiseIncident: fc.constant({ queue: 'incidents', owner: 'chief', title: 'An agent waits' }),
        pauseCredentials: fc.constantFrom(
          [{ credential: 'crm', reason: 'a request is open' }],
          [
            { credential: 'crm', reason: 'a request is open' },
            { credential: 'ads', reason: 'a request is open' },
          ],
        ),
      },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  )
  .map((effects) => ({ agent: 'park_item', operator: 'look at the invoice', ...(effects ? { effects } : {}) }));

const questions: fc.Arbitrary<Questions> = fc.record({
  clock: fc.constantFrom('pauses' as const, 'runs' as const),
  withinMs: fc.constantFrom(10 * MINUTE, HOUR, 6 * HOUR),
  atMost: fc.constantFrom(1, 1, 20),
});

const REASONS = { outage: 'The people asked cannot be reached', safety: 'Somebody would be hurt' };
export const BECAUSE = Object.keys(REASONS);
const operators: fc.Arbitrary<Operators> = fc.record(
  {
    roles: fc.constantFrom(['operator'], ['operator', 'chair']),
    extendAtMostMs: fc.constantFrom(30 * MINUTE, 3 * HOUR),
    override: fc.record({
      roles: fc.constantFrom(['chair'], ['operator', 'chair']),
      may: fc.constantFrom(['deny' as const], ['approve' as const, 'deny' as const], ['approve' as const]),
      reasons: fc.constant(REASONS),
      secondPerson: fc.boolean(),
    }),
    breakGlass: fc.record({
      roles: fc.constantFrom(['captain'], ['captain', 'operator']),
      review: fc.constant({ queue: 'glass', owner: 'board', title: 'Review what was allowed in an emergency' }),
    }),
  },
  { requiredKeys: ['roles'] },
);

const offers: fc.Arbitrary<Offers | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Offers>(
      { options: { voucher: 'As a voucher', cash: 'As money' } },
      { amountAtMost: { param: 'amount', atMost: { minor: 3, currency: 'USD' } }, expiresWithinMs: 24 * HOUR },
      { onlyRecipients: { param: 'to', of: ['ann', 'bob'] } },
    ),
  },
);

const money = fc.integer({ min: 0, max: 3 }).map((minor) => ({ minor, currency: 'USD' }));
const limit = fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: money });

export const plan: fc.Arbitrary<Plan> = fc
  .record({
    signOffs,
    onTimeout,
    meanwhile,
    effect: fc.constantFrom('approval' as const, 'approval' as const, 'approval' as const, 'escalation' as const),
    tier: fc.constantFrom('lightweight' as const, 'strong' as const, 'dual' as const),
    amount: fc.option(money, { freq: 2 }),
    authority: fc.dictionary(fc.constantFrom(...ROLES), limit, { minKeys: 3, noNullPrototype: true }),
    samePersonAllowed: fc.constantFrom(false, false, true),
    oneNo: fc.boolean(),
    questions: fc.option(questions, { nil: undefined, freq: 3 }),
    operators: fc.option(operators, { nil: undefined, freq: 4 }),
    offers,
    asksFor: fc.option(fc.constant({ order_total: 'int', note: 'string?' }), { nil: undefined, freq: 2 }),
    takeoverMs: fc.constantFrom(30 * MINUTE, 2 * HOUR),
    takeoverAtMostMs: fc.option(fc.constant(5 * HOUR), { nil: undefined }),
    refuser: fc.option(fc.constantFrom('ada', 'ben'), { nil: undefined, freq: 8 }),
  })
  .map(({ oneNo, refuser, questions: asks, operators: operate, offers: offered, asksFor, takeoverAtMostMs, ...patch }) =>
    planOf({
      ...patch,
      onDeny: { path: 'log the reason and end the run', tellRequester: true, ...(oneNo ? { oneNo: 'next_level' as const } : {}) },
      ...(asks ? { questions: asks } : {}),
      ...(operate ? { operators: operate } : {}),
      ...(offered && patch.effect === 'approval' ? { offers: offered } : {}),
      ...(asksFor && patch.effect === 'escalation' ? { asksFor } : {}),
      ...(takeoverAtMostMs === undefined ? {} : { takeoverAtMostMs }),
      ...(refuser === undefined
        ? {}
        : { exception: { of: 'apr-0', outcome: 'denied' as const, rows: ['refund'], by: [{ person: refuser, role: 'manager' }] } }),
    }),
  );

const resume: fc.Arbitrary<Context['resume']> = fc.constantFrom<Context['resume']>(
  { type: 'callback', url: 'https://agent.example/resume' },
  { type: 'workflow', workflowId: 'agent-1' },
  { type: 'poll' },
);

export const ground: fc.Arbitrary<Ground> = fc.record({ plan, directory: team, hours, resume }).map((drawn) => ({ ...drawn, requesters: [...REQUESTERS] }));
