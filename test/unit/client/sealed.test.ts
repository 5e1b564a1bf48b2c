/** What two people choose unseen: nobody but who chose it reads it, in no form, until both have chosen; then everybody does. */
import type { ApprovalEvent } from '../../../domain/events';
import type { Plan } from '../../../domain/plan';
import type { Recorded } from '../../../domain/state';
import { timelineFor } from '../../../client/api/sealed';

const AT = '2026-11-21T09:00:00.000Z';
const plan = {
  tier: 'dual',
  effect: 'approval',
  signOffs: [{ id: '1', lane: 'security', role: 'security_officer', quorum: 2, ladder: [{ name: 'security', role: 'security_officer' }], rows: ['export'] }],
  onTimeout: { end: 'expire' },
} as unknown as Plan;

const asked = [
  { person: 'sam', role: 'security_officer' },
  { person: 'sue', role: 'security_officer' },
];
const OPENED = [
  {
    type: 'routed',
    policy: { name: 'desk', version: '1', hash: 'h' },
    lane: 'security',
    effect: 'approval',
    signOffs: ['1'],
    packetDigest: 'd',
    rows: [],
  },
  { type: 'level_opened', signOff: '1', level: 0, name: 'security', role: 'security_officer', asked, owner: 'sam', dueAt: AT, reminders: [], owed: [] },
];
const YES = {
  type: 'signed_off',
  signOff: '1',
  by: 'sam',
  role: 'security_officer',
  authority: 'full',
  reason: 'a secret yes',
  complete: false,
  conditions: { option: 'half' },
};
const NO = { type: 'said_no', signOff: '1', level: 0, by: 'sam', role: 'security_officer', reason: 'a secret no', then: 'second_choice' };

const recorded = (...events: readonly object[]): Recorded[] =>
  [...OPENED, ...events].map((event, i) => ({ seq: i + 1, at: AT, event: event as ApprovalEvent }));

const read = (entries: readonly Recorded[], person: string | null, of: Plan = plan): string => JSON.stringify(timelineFor(entries, of, person, (id) => id));

const READERS = [
  ['who may still choose', 'sue'],
  ['another holder of the role', 'sid'],
  ['an operator', 'omar'],
  ['an auditor', 'ada'],
  ['the agent', null],
] as const;

describe.each([
  ['a yes', YES, 'signed_off'],
  ['a no', NO, 'said_no'],
])('%s that waits for the second choice', (_what, choice, type) => {
  it.each(READERS)('is not told to %s: neither what it was, nor why, nor under which name of an entry', (_who, person) => {
    const told = read(recorded(choice), person);
    expect(told).not.toMatch(/secret|signed_off|said_no|said yes|said no|half|second_choice/);
    expect(told).toContain('A choice was made unseen (1 of 2 has chosen)');
  });

  it('is the same to read as the other one', () => {
    expect(read(recorded(choice), 'sue')).toBe(read(recorded(choice === YES ? NO : YES), 'sue'));
  });

  it('is told to who made it', () => {
    expect(read(recorded(choice), 'sam')).toContain(`"type":"${type}"`);
    expect(read(recorded(choice), 'sam')).toContain('secret');
  });

  it('is told to everybody once it has ended', () => {
    const second = { type: 'ended', outcome: 'denied', why: 'No', end: null, deciders: [], conditions: {}, next: { path: 'stop' }, owed: [] };
    for (const [, person] of READERS) expect(read(recorded(choice, second), person)).toContain('secret');
  });
});

it.each(READERS)('a yes that was refused is not told to %s while somebody chooses: it would tell the next one', (_who, person) => {
  const refused = { type: 'refused', code: 'reason_required', message: 'Tier dual asks for a reason with a yes', by: 'sam', move: 'approve', commandId: 'c' };
  expect(read(recorded(refused), person)).not.toMatch(/approve|yes/);
  expect(read(recorded(refused), 'sam')).toContain('approve');
});

it('what is chosen in sight of all is told to all', () => {
  const strong = { ...plan, tier: 'strong' } as Plan;
  for (const [, person] of READERS) expect(read(recorded(YES), person, strong)).toContain('a secret yes');
});
