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

const askingRows = fc.record({
  trigger,
  kind: fc.constantFrom('approval', 'escalation'),
  tier: fc.constantFrom('lightweight', 'strong', 'dual'),
  lane: fc.constantFrom('finance', 'security', 'customer'),
  ladder,
  chain: fc.boolean(),
  risk: fc.constantFrom(...RISKS),
  urgency: fc.constantFrom(...URGENCIES),
  agent: fc.constantFrom(...MEANWHILE),
  evidence: fc.subarray(['a', 'b', 'c']),
  end: fc.constantFrom('expire', 'deny'),
  same: fc.boolean(),
  tell: fc.boolean(),
  takeover: minutes,
  order: fc.constantFrom('none', 'sequence', 'parallel'),
  besides,
});

export const anyRow: fc.Arbitrary<Omit<Row, 'id'>> = fc.oneof(
  {
    weight: 6,
    arbitrary: askingRows.map(({ trigger: t, agent, end, same, tell, takeover, chain, order, besides: also, ladder: levels, kind, ...rest }) => ({
      ...askingRow,
      ...rest,
      ...t,
      kind,
      ladder: levels,
      meanwhile: { agent, operator: 'look' },
      on_timeout: { end, ...also },
      on_deny: { path: 'stop', tell_requester: tell },
      same_person_allowed: same,
      takeover_within: takeover,
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
    })),
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
