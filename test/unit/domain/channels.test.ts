import { channelsLeft, fallsTo, over } from '../../../domain/channels';
import type { OwedState } from '../../../domain/state';
import type { Channel } from '../../../domain/plan';

const SINCE = '2026-11-21T09:00:00.000Z';
const at = (seconds: number): string => new Date(Date.parse(SINCE) + seconds * 1000).toISOString();

/** A question to somebody who has `within` seconds. */
const question = (channels: readonly Channel[], within = 1800, channel = channels[0] ?? 'email'): OwedState => ({
  id: '3-0',
  owed: { kind: 'ask', to: { person: 'fay', role: 'boss' }, ...over(channels), level: 'boss', dueAt: at(within), next: 'it expires' },
  since: SINCE,
  attempts: 0,
  channel,
  tried: 0,
  status: 'owed',
});

describe('the channels of a question', () => {
  it('one channel is written as it was before there were several', () => {
    expect(over(['email'])).toEqual({ channel: 'email' });
    expect(over(['webhook', 'email'])).toEqual({ channel: 'webhook', then: ['email'] });
  });

  it('those that were given up do not come back', () => {
    expect(channelsLeft(question(['webhook', 'email']))).toEqual(['webhook', 'email']);
    expect(channelsLeft(question(['webhook', 'email'], 1800, 'email'))).toEqual(['email']);
    expect(channelsLeft({ owed: { kind: 'callback', url: 'https://a.example' }, channel: null })).toEqual([]);
  });
});

describe('when the next channel has its turn', () => {
  it.each([
    ['failed for good', 'failed_for_good', 0, null, 'email'],
    ['done', 'done', 0, null, null],
    ['there would be no further try', 'failed_for_now', 0, null, 'email'],
    ['the next try comes within two minutes', 'failed_for_now', 30, 85_000, null],
    ['the next try would come after two minutes', 'failed_for_now', 30, 95_000, 'email'],
    ['the receiver asks for an hour', 'failed_for_now', 0, 3_600_000, 'email'],
  ] as const)('%s', (_, status, seconds, retryInMs, expected) => {
    expect(fallsTo(question(['webhook', 'email']), status, at(seconds), retryInMs)).toBe(expected);
  });

  it('who has little time is reached sooner: a tenth of it is all that one channel gets', () => {
    expect(fallsTo(question(['webhook', 'email'], 300), 'failed_for_now', at(5), 24_000)).toBeNull();
    expect(fallsTo(question(['webhook', 'email'], 300), 'failed_for_now', at(5), 26_000)).toBe('email');
  });

  it('the last channel is tried to the end', () => {
    expect(fallsTo(question(['email']), 'failed_for_good', at(0), null)).toBeNull();
    expect(fallsTo(question(['webhook', 'email'], 1800, 'email'), 'failed_for_now', at(900), 3_600_000)).toBeNull();
  });

  it('word of how it stands has no deadline, and gets two minutes', () => {
    const word: OwedState = {
      ...question(['webhook', 'email']),
      owed: { kind: 'tell_asked', to: { person: 'fay', role: 'boss' }, ...over(['webhook', 'email']), what: '' },
    };
    expect(fallsTo(word, 'failed_for_now', at(60), 59_000)).toBeNull();
    expect(fallsTo(word, 'failed_for_now', at(60), 61_000)).toBe('email');
  });
});
