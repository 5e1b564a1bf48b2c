/** Sign-offs side by side: two lanes asked at the same time, one ladder each, one end for all. */
import { isPastDeadline, nextInstant } from '../../../domain/ladder';
import { after } from '../../../domain/json';
import type { OnTimeout, Plan, SignOff } from '../../../domain/plan';
import { openSignOffs } from '../../../domain/state';
import { viewOf } from '../../../domain/view';
import {
  approve,
  claim,
  deny,
  directoryOf,
  HOUR,
  level,
  MINUTE,
  person,
  Play,
  planOf,
  refusal,
  release,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';

const finance: SignOff = {
  ...signOff('1', [level('finance manager', 'finance_manager', 30, [0.5]), level('CFO', 'cfo', 120)]),
  stage: 1,
};
const security: SignOff = { ...signOff('2', [level('security lead', 'security_lead', 60, [0.5])]), lane: 'security', stage: 1 };
const last: SignOff = signOff('3', [level('operations', 'operations', 60)]);
const HOLD: OnTimeout = { end: 'hold', hold: { role: 'cfo', forMs: HOUR, then: 'deny' } };
const planned = (patch: Partial<Plan> = {}): Plan => planOf({ signOffs: [finance, security], ...patch });
const opened = (patch: Partial<Plan> = {}): Play => new Play(planned(patch)).open();
const view = (play: Play, plan: Plan = planned()) => viewOf(play.state, plan, directoryOf(), play.now, null);

describe('a stage of two', () => {
  it('opens both at once, each with its own owner, deadline and reminders', () => {
    const play = opened();
    expect(openSignOffs(play.state)).toMatchObject([
      { id: '1', owner: 'fay', dueAt: after(START, 30 * MINUTE), reminders: [after(START, 15 * MINUTE)] },
      { id: '2', owner: 'sam', dueAt: after(START, 60 * MINUTE), reminders: [after(START, 30 * MINUTE)] },
    ]);
  });

  it('shows both lanes and owners, and the earliest deadline', () => {
    const play = opened();
    expect(view(play).attributes).toEqual({
      state: 'waiting',
      level: 'finance manager, security lead',
      lanes: ['finance', 'security'],
      owners: ['fay', 'sam'],
      due: after(START, 30 * MINUTE),
    });
    expect(view(play).details).toBe(
      [
        '**waiting** on **Fay** (finance manager) and **Sam** (security lead)',
        '- finance manager (Fay) until 2026-11-23 09:30 UTC, then CFO is asked',
        '- security lead (Sam) until 2026-11-23 10:00 UTC, then the request expires',
      ].join('\n'),
    );
  });

  it('is approved when both are given, in either order, by two people', () => {
    for (const order of [
      ['fay', 'sam'],
      ['sam', 'fay'],
    ] as const) {
      const play = opened();
      expect(types(play.says(order[0], approve()))).toEqual(['signed_off']);
      expect(view(play).attributes.owners).toEqual([order[1]]);
      expect(types(play.says(order[1], approve()))).toEqual(['signed_off', 'ended']);
      expect(play.last('ended')).toMatchObject({ outcome: 'approved' });
      expect(
        play
          .last('ended')
          .deciders.map((d) => d.person)
          .sort(),
      ).toEqual(['fay', 'sam']);
    }
  });

  it('opens the next stage only when all of it is given', () => {
    const play = new Play(planned({ signOffs: [finance, security, last] })).open();
    expect(types(play.says('sam', approve()))).toEqual(['signed_off']);
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'level_opened']);
    expect(openSignOffs(play.state)).toMatchObject([{ id: '3', owner: 'omar' }]);
    expect(types(play.says('omar', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('ends at one no', () => {
    const play = opened();
    play.says('sam', approve());
    expect(types(play.says('fay', deny()))).toEqual(['denied', 'ended']);
    expect(play.last('denied')).toMatchObject({ signOff: '1', by: 'fay' });
    expect(play.state.state).toBe('denied');
  });

  it('is taken over as a whole', () => {
    const play = opened();
    expect(types(play.says('sam', takeOver()))).toEqual(['taken_over']);
    expect(view(play).attributes).toMatchObject({ state: 'taken_over', owners: ['sam'], level: 'taken over' });
    expect(refusal(play.says('fay', approve())).code).toBe('taken_over_by_another');
  });

  it('says which one is claimed and released', () => {
    const play = opened();
    play.says('finn', claim);
    expect(play.last('claimed')).toMatchObject({ signOff: '1', by: 'finn' });
    expect(openSignOffs(play.state)).toMatchObject([
      { owner: 'finn', claimedBy: 'finn' },
      { owner: 'sam', claimedBy: null },
    ]);
    play.says('sam', claim);
    expect(play.last('claimed')).toMatchObject({ signOff: '2', by: 'sam' });
    expect(refusal(play.says('fay', approve())).code).toBe('claimed_by_another');
    play.says('finn', release);
    expect(play.last('released')).toMatchObject({ signOff: '1', by: 'finn' });
    expect(openSignOffs(play.state)).toMatchObject([
      { owner: 'fay', claimedBy: null },
      { owner: 'sam', claimedBy: 'sam' },
    ]);
  });

  it('refuses who is asked for neither, and says who is', () => {
    expect(refusal(opened().says('omar', approve()))).toEqual({
      code: 'role_not_held',
      message: 'Omar does not hold finance_manager or security_lead, who are asked now',
    });
  });
});

describe('two sign-offs are two people', () => {
  const both = person('bo', ['finance_manager', 'security_lead']);

  it('who holds both roles is asked for one, and another holder for the other', () => {
    const team = directoryOf([both, ...TEAM], { finance_manager: ['bo'], security_lead: ['bo', 'sam'], cfo: ['cleo'] });
    const play = new Play(planned(), { directory: team }).open();
    expect(openSignOffs(play.state).map((s) => s.owner)).toEqual(['bo', 'sam']);
    expect(types(play.says('bo', approve()))).toEqual(['signed_off']);
    expect(refusal(play.says('bo', approve())).code).toBe('same_person');
    expect(types(play.says('sam', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('a level for which only somebody is left who is asked already is skipped, and the record says so', () => {
    const team = directoryOf([both, ...TEAM.filter((p) => p.id !== 'sam')], { finance_manager: ['bo'] });
    const play = new Play(planned({ onTimeout: HOLD }), { directory: team }).open();
    expect(play.last('level_skipped')).toMatchObject({
      signOff: '2',
      why: 'Not enough people hold security_lead beside those who are asked for another sign-off',
    });
    expect(play.last('held')).toMatchObject({ signOff: '2', owner: 'carl' });
  });

  it('unless a row allows one person to give both', () => {
    const team = directoryOf([both, ...TEAM.filter((p) => p.id !== 'sam')], { finance_manager: ['bo'] });
    const play = new Play(planned({ samePersonAllowed: true }), { directory: team }).open();
    expect(openSignOffs(play.state).map((s) => s.owner)).toEqual(['bo', 'bo']);
    play.says('bo', approve());
    expect(types(play.says('bo', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.record.flatMap(({ event }) => (event.type === 'signed_off' ? [event.signOff] : []))).toEqual(['1', '2']);
  });

  it('of several that they may give a person gives the one that they are asked for', () => {
    const team = directoryOf([both, ...TEAM], { finance_manager: ['fay'], security_lead: ['bo'] });
    const play = new Play(planned(), { directory: team }).open();
    play.says('bo', approve());
    expect(play.last('signed_off')).toMatchObject({ signOff: '2', role: 'security_lead' });
  });
});

describe('time, side by side', () => {
  it('one reminder or level at a time, each on its own clock', () => {
    const play = opened();
    expect(nextInstant(play.state)).toBe(after(START, 15 * MINUTE));
    expect(play.passes(15 * MINUTE)).toEqual(['reminded']);
    expect(play.passes(15 * MINUTE)).toEqual(['level_timed_out', 'level_opened', 'reminded']);
    expect(play.last('level_timed_out')).toMatchObject({ signOff: '1' });
    expect(play.last('reminded')).toMatchObject({ signOff: '2', owed: [{ to: { person: 'sam' } }] });
    expect(openSignOffs(play.state)).toMatchObject([
      { id: '1', level: 1, owner: 'cleo', reminders: [] },
      { id: '2', level: 0, owner: 'sam', reminders: [] },
    ]);
  });

  it('one runs out while the other was given: silence has the word for the whole', () => {
    const play = opened();
    play.says('fay', approve());
    expect(isPastDeadline(play.state, after(START, 45 * MINUTE))).toBe(false);
    play.passes(30 * MINUTE);
    expect(play.passes(30 * MINUTE)).toEqual(['level_timed_out', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'expired', end: 'expire', deciders: [] });
  });

  it('one moves up its ladder while the other is given', () => {
    const play = opened();
    play.passes(30 * MINUTE);
    play.says('sam', approve());
    expect(refusal(play.says('fay', approve())).code).toBe('role_not_held');
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('both that ran out are told of, the earlier first, when the clock comes late', () => {
    const play = opened();
    expect(play.passes(61 * MINUTE)).toEqual(['level_timed_out', 'level_opened', 'level_timed_out', 'ended']);
  });
});

describe('a hold, side by side', () => {
  it('the yes of its backup counts for the one that ran out; the other waits on its own people', () => {
    const play = opened({ onTimeout: HOLD });
    play.passes(30 * MINUTE);
    expect(play.passes(30 * MINUTE)).toEqual(['level_timed_out', 'held']);
    // Cleo is asked for the other one already.
    expect(play.last('held')).toMatchObject({ signOff: '2', role: 'cfo', owner: 'carl' });
    expect(play.state.state).toBe('held');
    expect(openSignOffs(play.state)).toMatchObject([
      { id: '1', owner: 'cleo', hold: null },
      { id: '2', owner: 'carl', hold: { role: 'cfo', then: 'deny' } },
    ]);
    expect(types(play.says('carl', approve()))).toEqual(['signed_off']);
    expect(play.last('signed_off')).toMatchObject({ signOff: '2', by: 'carl', role: 'cfo' });
    expect(play.state.state).toBe('waiting');
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('is bounded for the whole request', () => {
    const play = opened({ onTimeout: HOLD });
    play.passes(30 * MINUTE);
    play.passes(30 * MINUTE);
    expect(play.passes(HOUR)).toEqual(['ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', why: 'Held for cfo and nobody decided', end: 'deny' });
  });

  it('pages the one backup there is for both, who can give only one of them, and say no to all of it', () => {
    const team = directoryOf(TEAM.filter((p) => p.id !== 'carl'));
    const play = new Play(planned({ onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } } }), { directory: team }).open();
    play.passes(30 * MINUTE);
    play.passes(30 * MINUTE);
    play.passes(90 * MINUTE);
    expect(play.state.state).toBe('expired');
    const again = new Play(
      planned({
        signOffs: [{ ...finance, ladder: finance.ladder.slice(0, 1) }, security],
        onTimeout: { end: 'hold', hold: { role: 'operations', forMs: 2 * HOUR, then: 'expire' } },
      }),
      { directory: team },
    ).open();
    again.passes(30 * MINUTE);
    again.passes(30 * MINUTE);
    expect(openSignOffs(again.state).map((s) => s.owner)).toEqual(['omar', 'omar']);
    expect(types(again.says('omar', approve()))).toEqual(['signed_off']);
    expect(refusal(again.says('omar', approve())).code).toBe('same_person');
    again.passes(2 * HOUR);
    expect(again.state.state).toBe('expired');
  });
});

describe('an amount, side by side', () => {
  it('a role that does not reach it endorses, as long as everyone asked beside it does', () => {
    const usd = (minor: number) => ({ minor, currency: 'USD' });
    const chief: SignOff = { ...signOff('1', [level('CFO', 'cfo', 60)]), lane: 'manager', stage: 1 };
    const manager: SignOff = { ...signOff('2', [level('finance manager', 'finance_manager', 60)]), stage: 1 };
    const play = new Play(planOf({ signOffs: [chief, manager], amount: usd(500), authority: { finance_manager: usd(100), cfo: null } })).open();
    expect(types(play.says('fay', approve()))).toEqual(['signed_off']);
    expect(play.last('signed_off')).toMatchObject({ signOff: '2', authority: 'endorsement' });
    play.says('cleo', approve());
    expect(play.last('signed_off')).toMatchObject({ signOff: '1', authority: 'full' });
    expect(play.state.state).toBe('approved');
  });
});
