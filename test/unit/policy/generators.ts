/** Policies and requests, generated: rows of every kind, and what an agent could send. */
import fc from 'fast-check';
import { MEANWHILE } from '../../../domain/plan';
import type { RoutingInput } from '../../../policy';
import { RISKS, URGENCIES } from '../../../policy/schema';
import { asking as askingRow, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

const roles = ['lead', 'head', 'chief', 'officer'];
const trigger = fc.constantFrom(...Object.values(TRIGGERS));
const minutes = fc.integer({ min: 1, max: 300 }).map((m) => `${m}m`);
const ladder = fc
  .tuple(fc.shuffledSubarray(roles, { minLength: 1, maxLength: 3 }), fc.array(minutes, { minLength: 3, maxLength: 3 }))
  .map(([asked, within]) => asked.map((role, i) => ({ role, within: within[i] })));

/** What silence does besides its end. */
const besides = fc.record(
  {
    ticket: fc.constantFrom('a', 'b').map((queue) => ({ queue, owner: 'lead', title: 'Look at it' })),
    tell_customer: fc.constant({ subject: 'Under review', text: 'We are looking at it.' }),
    pause_workflow: fc.constantFrom('one', 'two').map((reason) => ({ reason })),
    disable_credential: fc.constantFrom('crm', 'bank').map((credential) => ({ credential, reason: 'nobody answered' })),
  },
  { requiredKeys: [] },
);

const open = fc.constantFrom('a', 'b').map((queue) => ({ queue, owner: 'lead', title: 'Look at it' }));

/** What the agent is told, with the detail that it needs, and what is carried out for it. */
const told = fc
  .record({
    agent: fc.constantFrom(...MEANWHILE),
    after: minutes,
    percent: fc.integer({ min: 1, max: 99 }),
    safe: fc.constantFrom('pay', 'close'),
    effects: fc.option(
      fc
        .record(
          {
            tell_customer: fc.constant({ subject: 'Under review', text: 'We are looking at it.' }),
            open_case: open,
            raise_incident: open,
            pause_credential: fc.constantFrom('crm', 'bank').map((credential) => ({ credential, reason: 'looked at' })),
          },
          { requiredKeys: [] },
        )
        .filter((effects) => Object.keys(effects).length > 0),
    ),
  })
  .map(({ agent, after, percent, safe, effects }) => ({
    agent,
    operator: 'look',
    ...(agent === 'retry_once' ? { retry_after: after } : {}),
    ...(agent === 'degrade' ? { alternative: { type: safe, summary: 'Do less' } } : {}),
    ...(agent === 'reduce_throughput' ? { to_percent: percent } : {}),
    ...(effects ? { effects } : {}),
  }));

const questions = fc
  .record({ clock: fc.constantFrom('pauses', 'pauses', 'runs'), within: minutes, at_most: fc.integer({ min: 0, max: 30 }) }, { requiredKeys: [] })
  .filter((said) => Object.keys(said).length > 0);

const askingRows = fc.record({
  trigger,
  kind: fc.constantFrom('approval', 'escalation'),
  tier: fc.constantFrom('lightweight', 'strong', 'dual'),
  lane: fc.constantFrom('finance', 'security', 'customer'),
  ladder,
  chain: fc.boolean(),
  risk: fc.constantFrom(...RISKS),
  urgency: fc.constantFrom(...URGENCIES),
  told,
  questions: fc.option(questions),
  evidence: fc.subarray(['a', 'b', 'c']),
  end: fc.constantFrom('expire', 'deny'),
  same: fc.boolean(),
  tell: fc.boolean(),
  takeover: minutes,
  longer: fc.option(fc.integer({ min: 1, max: 600 })),
  moves: fc.boolean(),
  order: fc.constantFrom('none', 'sequence', 'parallel'),
  besides,
});

export const anyRow: fc.Arbitrary<Omit<Row, 'id'>> = fc.oneof(
  {
    weight: 6,
    arbitrary: askingRows.map(
      ({
        trigger: t,
        told: meanwhile,
        questions: asked,
        end,
        same,
        tell,
        takeover,
        longer,
        moves,
        chain,
        order,
        besides: also,
        ladder: levels,
        kind,
        ...rest
      }) => ({
        ...askingRow,
        ...rest,
        ...t,
        kind,
        ladder: levels,
        meanwhile,
        ...(asked ? { questions: asked } : {}),
        on_timeout: { end, ...also },
        on_deny: {
          path: 'stop',
          tell_requester: tell,
          // Where it could have no effect it is refused.
          ...(moves && levels.length > 1 && !(kind === 'approval' && rest.tier === 'dual') ? { one_no: 'next_level' } : {}),
        },
        same_person_allowed: same,
        takeover_within: takeover,
        ...(longer === null ? {} : { takeover_at_most: `${String(Number.parseInt(takeover, 10) + longer)}m` }),
        ...(order !== 'none' && kind === 'approval'
          ? {
              order,
              sign_offs: [
                {},
                { ladder: [{ role: 'officer', within: '7m' }], lane: 'engineering' },
                { ladder: levels.slice(-1), lane: rest.lane === 'customer' ? 'finance' : 'customer' },
              ],
            }
          : {}),
        ...(chain && order === 'none' && kind === 'approval'
          ? { amount: 'action.params.amount', sign_offs: [{}, { only: 'above_authority', ladder: [{ role: 'chief', within: '5m' }], lane: 'manager' }] }
          : {}),
      }),
    ),
  },
  { weight: 1, arbitrary: trigger.map((t) => ({ ...t, tier: 'none', lane: 'manager', owner: 'lead' })) },
  { weight: 1, arbitrary: trigger.map((t) => ({ ...t, effect: 'block', lane: 'security', owner: 'officer', on_deny: { path: 'never' } })) },
);

export const inputs: fc.Arbitrary<RoutingInput> = fc
  .record({
    cents: fc.integer({ min: 0, max: 300_000 }),
    note: fc.boolean(),
    fee: fc.option(fc.constantFrom(usd(1), usd(2), { minor: 5, currency: 'EUR' })),
    tier: fc.option(fc.constantFrom('gold', 'silver')),
  })
  .map(({ cents, note, fee, tier }) =>
    asking(
      'pay',
      { amount: { minor: cents, currency: 'USD' }, ...(note ? { note: 'x' } : {}), ...(fee ? { fee } : {}) },
      { facts: tier ? { tier } : {}, evidence: ['a', 'b', 'c'] },
    ),
  );
