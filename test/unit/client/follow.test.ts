import { follow, type Directive, type MeanwhileHandlers } from '../../../client/sdk/follow';
import { MEANWHILE, type MeanwhileAction } from '../../../domain/plan';

const alternative = { type: 'refund.voucher', params: { percent: 10 }, summary: 'Offer a voucher' };
/** A directive with everything that any of them carries. */
const directive = (agent: string): Directive => ({ agent, retryAfterMs: 30_000, alternative, toPercent: 25 });

/** Each says which it is and what it was given. */
const all: MeanwhileHandlers<readonly [MeanwhileAction, unknown]> = {
  retry_once: (carried) => ['retry_once', carried],
  degrade: (carried) => ['degrade', carried],
  reduce_throughput: (carried) => ['reduce_throughput', carried],
  stop_noncritical: (carried) => ['stop_noncritical', carried],
  park_item: (carried) => ['park_item', carried],
  hold_send: (carried) => ['hold_send', carried],
  freeze_decision: (carried) => ['freeze_decision', carried],
  pause_job: (carried) => ['pause_job', carried],
  block: (carried) => ['block', carried],
  deny_and_keep_logs: (carried) => ['deny_and_keep_logs', carried],
};
const only = (...names: readonly MeanwhileAction[]): typeof all => ({
  ...Object.fromEntries(Object.entries(all).filter(([name]) => (names as readonly string[]).includes(name))),
  block: all.block,
});

const CARRIED: Partial<Record<MeanwhileAction, unknown>> = {
  retry_once: { afterMs: 30_000 },
  degrade: { alternative },
  reduce_throughput: { toPercent: 25 },
};

describe('following what the policy says to do meanwhile', () => {
  it.each(MEANWHILE)('%s runs its own handler and no other, with what it carries', (action) => {
    expect(follow(directive(action), all)).toEqual([action, CARRIED[action] ?? {}]);
  });

  it.each(MEANWHILE)('%s without a handler falls to the next stricter one that is there', (action) => {
    const stricter = MEANWHILE.slice(MEANWHILE.indexOf(action) + 1);
    const without = only(...MEANWHILE.filter((name) => name !== action));
    // What is strictest falls to block, which does nothing either.
    const expected = action === 'block' ? 'block' : (stricter[0] ?? 'block');
    expect(follow(directive(action), without)[0]).toBe(expected);
  });

  it.each(MEANWHILE)('%s falls to block where nothing else is there, and never to a milder one', (action) => {
    expect(follow(directive(action), only())[0]).toBe('block');
    const milder = MEANWHILE.slice(0, MEANWHILE.indexOf(action));
    expect(follow(directive(action), only(...milder))[0]).toBe('block');
  });

  it('what it does not carry cannot be followed: it falls on', () => {
    expect(follow({ agent: 'degrade' }, all)[0]).toBe('stop_noncritical');
    expect(follow({ agent: 'reduce_throughput' }, all)[0]).toBe('stop_noncritical');
    expect(follow({ agent: 'retry_once' }, only('degrade', 'pause_job'))[0]).toBe('pause_job');
    expect(follow({ agent: 'retry_once' }, all)).toEqual(['retry_once', { afterMs: 0 }]);
  });

  it('a directive of a later version is followed as block', () => {
    expect(follow(directive('go_home'), all)[0]).toBe('block');
    expect(follow(directive('toString'), all)[0]).toBe('block');
  });

  it('gives back what its handler gives, a promise too', async () => {
    expect(await follow(directive('park_item'), { park_item: () => Promise.resolve('parked'), block: () => Promise.resolve('blocked') })).toBe('parked');
  });
});
