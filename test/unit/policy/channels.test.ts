import { resolve } from '../../../policy';
import { DESK_POLICY } from '../../support/desk-policy';
import { asking, compiled, usd } from './support';

const FIRST = '{ name: finance manager, role: finance_manager, within: 30m, reminders: [0.5] }';

/** What the first level of a refund's plan goes out on. */
function channelsOf(level: string, policy = DESK_POLICY): readonly (readonly string[])[] {
  const made = resolve(
    compiled([{ path: 'policy.yaml', text: policy.replace(FIRST, level) }]).policy,
    asking('refund.issue', { amount: usd(480), order: 'o1' }),
  );
  if (!made.ok) throw new Error(JSON.stringify(made.issues));
  return made.plan.signOffs.flatMap(({ ladder }) => ladder.map(({ channels }) => channels));
}

const level = (channels: string): string => FIRST.replace('}', `, channels: [${channels}] }`);

describe('the channels of a level', () => {
  it('are e-mail where it says nothing', () => {
    expect(channelsOf(FIRST)).toEqual([['email'], ['email']]);
  });

  it.each([['email'], ['webhook, email'], ['email, webhook']])('[%s] stand in the plan in the order they are written', (written) => {
    expect(channelsOf(level(written))).toEqual([written.split(', '), ['email']]);
  });

  it('of two rows that ask the same are united, the first row’s first, none twice', () => {
    const second = `
  - id: refund_at_all
    when: action.type == "refund.issue"
    examples:
      match: [{ action: { type: refund.issue, params: { amount: { minor: 1, currency: USD }, order: o1 } } }]
      no_match: [{ action: { type: banner.change } }]
    lane: finance
    amount: action.params.amount
    ladder: [{ role: finance_manager, within: 30m, channels: [webhook, email] }]`;
    expect(channelsOf(FIRST, DESK_POLICY + second)).toEqual([['email', 'webhook']]);
  });
});
