/** Who is asked, until when, who is asked next, and how silence ends. */
import { nextInstant } from '../../../domain/ladder';
import { after, type JsonObject } from '../../../domain/json';
import type { OnTimeout, Plan } from '../../../domain/plan';
import { openSignOff } from '../../../domain/state';
import { approve, claim, directoryOf, HOUR, LADDER, level, MINUTE, person, Play, planOf, signOff, START, TEAM, types } from '../../support/approval-play';

const ticket = { queue: 'finance review', owner: 'operations', title: 'Review the refund' };
const notice = { subject: 'Your case is under review', text: 'We are looking at it.' };
const alternative = { type: 'voucher.offer', params: { percent: 10 } as JsonObject, summary: 'offer a voucher' };
const silent = (onTimeout: OnTimeout, patch: Partial<Plan> = {}): Play => {
  const play = new Play(planOf({ onTimeout, ...patch })).open();
  play.passes(30 * MINUTE);
  return play;
};

describe('the first level opens', () => {
  const play = new Play().open();

  it('asks the person on duty, with an owner, a due time, reminders and what comes next', () => {
    expect(play.state.state).toBe('waiting');
    expect(play.last('level_opened')).toMatchObject({
      signOff: '1',
      level: 0,
      name: 'finance manager',
      role: 'finance_manager',
      lane: 'finance',
      owner: 'fay',
      asked: [{ person: 'fay', role: 'finance_manager' }],
      dueAt: '2026-11-23T09:30:00.000Z',
      reminders: ['2026-11-23T09:15:00.000Z'],
      next: 'CFO is asked',
      directory: directoryOf().hash,
    });
  });

  it('owes one question per person and channel', () => {
    expect(play.last('level_opened').owed).toEqual([
      {
        kind: 'ask',
        to: { person: 'fay', role: 'finance_manager' },
        channel: 'email',
        level: 'finance manager',
        dueAt: '2026-11-23T09:30:00.000Z',
        next: 'CFO is asked',
      },
    ]);
  });

  it('opens once, however often it is told to', () => {
    expect(types(play.send({ type: 'open' }))).toEqual([]);
  });

  it('where rows with different calendars were united, the earliest deadline holds, for reminders too', () => {
    const limits = [
      { withinMs: 30 * MINUTE, calendar: 'office' },
      { withinMs: 60 * MINUTE, calendar: null },
    ];
    const united = new Play(planOf({ signOffs: [signOff('1', [{ ...level('desk', 'finance_manager', 30), calendar: 'office', limits, reminders: [0.5] }])] }), {
      // The office opens in three quarters of an hour.
      dueAt: (now, withinMs, calendar) => after(now, withinMs + (calendar === null ? 0 : 45 * MINUTE)),
    }).open();
    expect(united.last('level_opened')).toMatchObject({ dueAt: after(START, 60 * MINUTE), reminders: [after(START, 30 * MINUTE)] });
  });

  it('computes the due time on the calendar of the level', () => {
    const calls: unknown[] = [];
    const onCalendar = new Play(planOf({ signOffs: [signOff('1', [{ ...level('desk', 'finance_manager', 30), calendar: 'office' }])] }), {
      dueAt: (now, withinMs, calendar) => {
        calls.push([now, withinMs, calendar]);
        return after(now, withinMs + HOUR);
      },
    }).open();
    expect(calls).toEqual([[START, 30 * MINUTE, 'office']]);
    expect(onCalendar.last('level_opened').dueAt).toBe('2026-11-23T10:30:00.000Z');
  });
});

describe('who is asked', () => {
  it('passes to the backup while the person on duty is absent', () => {
    const away = TEAM.map((p) => (p.id === 'fay' ? person('fay', p.roles, [{ from: START, to: after(START, HOUR) }]) : p));
    expect(new Play(planOf(), { directory: directoryOf(away) }).open().last('level_opened').owner).toBe('finn');
  });

  it('never asks the requester, also when they are on duty', () => {
    const duty = directoryOf(TEAM, { finance_manager: ['rita', 'finn'] });
    expect(new Play(planOf(), { directory: duty }).open().last('level_opened').asked).toEqual([{ person: 'finn', role: 'finance_manager' }]);
  });

  it('never asks on whose behalf the agent acts, nor who answers for the agent', () => {
    expect(new Play(planOf(), { requesters: ['rita', 'fay'] }).open().last('level_opened').owner).toBe('finn');
  });

  it('opens the next level at once when nobody is there, and says so', () => {
    const play = new Play(planOf(), { directory: directoryOf(TEAM.filter((p) => !p.roles.includes('finance_manager'))) }).open();
    expect(play.last('level_skipped')).toMatchObject({ name: 'finance manager', role: 'finance_manager', why: 'Nobody holds finance_manager and is present' });
    expect(play.last('level_opened')).toMatchObject({ level: 1, owner: 'cleo', dueAt: '2026-11-23T11:00:00.000Z', next: 'the request expires' });
  });

  it('says when only the requester holds the role', () => {
    const play = new Play(planOf(), { directory: directoryOf(TEAM.filter((p) => !['fay', 'finn'].includes(p.id))) }).open();
    expect(play.last('level_skipped').why).toBe('Not enough people hold finance_manager beside the requester and those who signed already');
  });

  it('ends as silence does when nobody is there at any level', () => {
    const play = new Play(planOf(), { directory: directoryOf([]) }).open();
    expect(play.record.map((r) => r.event.type)).toEqual(['requested', 'routed', 'level_skipped', 'level_skipped', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'expired', end: 'expire' });
  });

  it('skips a level that cannot fill a quorum of two', () => {
    const alone = directoryOf(TEAM.filter((p) => p.id !== 'finn'));
    const play = new Play(planOf({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)] }), { directory: alone }).open();
    expect(play.last('level_opened')).toMatchObject({
      level: 1,
      asked: [
        { person: 'cleo', role: 'cfo' },
        { person: 'carl', role: 'cfo' },
      ],
    });
  });

  it('denies a plan that names nobody who could say yes, instead of approving it', () => {
    const play = new Play(planOf({ signOffs: [] })).open();
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', deciders: [] });
  });
});

describe('reminders', () => {
  it('reminds the asked when due, and not before', () => {
    const play = new Play().open();
    expect(play.passes(15 * MINUTE - 1)).toEqual([]);
    expect(play.passes(1)).toEqual(['reminded']);
    expect(play.last('reminded')).toMatchObject({ at: '2026-11-23T09:15:00.000Z', owed: [{ kind: 'remind', to: { person: 'fay' }, next: 'CFO is asked' }] });
    expect(play.passes(0)).toEqual([]);
    expect(nextInstant(play.state)).toBe('2026-11-23T09:30:00.000Z');
  });

  it('gives one reminder for all that came due while the worker was away', () => {
    const play = new Play(planOf({ signOffs: [signOff('1', [level('desk', 'finance_manager', 60, [0.25, 0.5, 0.75])])] })).open();
    expect(play.passes(31 * MINUTE)).toEqual(['reminded']);
    expect(play.last('reminded').at).toBe('2026-11-23T09:30:00.000Z');
    expect(nextInstant(play.state)).toBe('2026-11-23T09:45:00.000Z');
  });

  it('reminds only the one who claimed it', () => {
    const play = new Play().open();
    play.says('finn', claim);
    play.passes(15 * MINUTE);
    expect(play.last('reminded').owed.map((o) => ('to' in o ? o.to : null))).toEqual([{ person: 'finn', role: 'finance_manager' }]);
  });

  it('does not remind who has said yes already', () => {
    const play = new Play(planOf({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)] })).open();
    play.says('fay', approve());
    play.passes(15 * MINUTE);
    expect(play.last('reminded').owed.map((o) => ('to' in o ? o.to.person : null))).toEqual(['finn']);
  });
});

describe('silence', () => {
  it('asks the next level when the first is due, with the time counted from then', () => {
    const play = new Play().open();
    expect(play.passes(42 * MINUTE)).toEqual(['level_timed_out', 'level_opened']);
    expect(play.last('level_timed_out')).toMatchObject({ name: 'finance manager', owner: 'fay', dueAt: '2026-11-23T09:30:00.000Z' });
    expect(play.last('level_opened')).toMatchObject({ name: 'CFO', owner: 'cleo', dueAt: '2026-11-23T11:42:00.000Z' });
  });

  it('expires: the agent takes no action, a ticket opens, the customer and the asked are told', () => {
    const play = silent({ end: 'expire', ticket, tellCustomer: notice });
    expect(play.passes(2 * HOUR)).toEqual(['level_timed_out', 'ended']);
    expect(play.state.state).toBe('expired');
    const ended = play.last('ended');
    expect(ended).toMatchObject({ outcome: 'expired', end: 'expire', deciders: [], next: { path: 'take no action; submit again if it is still wanted' } });
    expect(ended.owed).toEqual([
      { kind: 'callback', url: 'https://agent.example/resume' },
      { kind: 'open_ticket', ...ticket },
      { kind: 'tell_customer', ...notice },
      { kind: 'tell_asked', to: { person: 'fay', role: 'finance_manager' }, channel: 'email', what: '' },
      { kind: 'tell_asked', to: { person: 'cleo', role: 'cfo' }, channel: 'email', what: '' },
    ]);
    expect(nextInstant(play.state)).toBeNull();
  });

  it('denies, with the declared path on no, and tells the requester', () => {
    const play = silent({ end: 'deny' });
    play.passes(2 * HOUR);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', end: 'deny', deciders: [], next: { path: 'log the reason and end the run' } });
    expect(play.last('ended').owed).toContainEqual({ kind: 'tell_requester', what: '' });
  });

  it('offers the declared safe alternative', () => {
    const play = silent({ end: 'safe_alternative', alternative });
    play.passes(2 * HOUR);
    expect(play.last('ended')).toMatchObject({
      outcome: 'expired',
      end: 'safe_alternative',
      next: { path: 'take the declared safe alternative', alternative },
    });
  });

  it('tells no customer without an address', () => {
    const play = new Play(planOf({ onTimeout: { end: 'expire', tellCustomer: notice } }), { hasCustomerAddress: false, directory: directoryOf([]) }).open();
    expect(play.last('ended').owed.map((o) => o.kind)).toEqual(['callback']);
  });

  it('resumes a workflow by its id, and owes a polling agent nothing', () => {
    const nobody = { directory: directoryOf([]) };
    expect(new Play(planOf(), { ...nobody, resume: { type: 'workflow', workflowId: 'agent-7' } }).open().last('ended').owed).toEqual([
      { kind: 'signal_workflow', workflowId: 'agent-7' },
    ]);
    expect(new Play(planOf(), { ...nobody, resume: { type: 'poll' } }).open().last('ended').owed).toEqual([]);
  });
});

describe('a hold', () => {
  const hold = { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } } as const;

  it('pages the backup, and says until when', () => {
    const play = silent(hold);
    expect(play.passes(2 * HOUR)).toEqual(['level_timed_out', 'held']);
    expect(play.state.state).toBe('held');
    expect(play.last('held')).toMatchObject({
      owner: 'omar',
      dueAt: '2026-11-23T12:30:00.000Z',
      then: 'expire',
      owed: [
        { kind: 'page_backup', to: { person: 'omar', role: 'operations' }, channel: 'email', dueAt: '2026-11-23T12:30:00.000Z', next: 'the request expires' },
      ],
    });
    expect(nextInstant(play.state)).toBe('2026-11-23T12:30:00.000Z');
  });

  it('is bounded: it ends as the row says when the backup is silent too', () => {
    const play = silent(hold);
    play.passes(2 * HOUR);
    expect(play.passes(HOUR - 1)).toEqual([]);
    expect(play.passes(1)).toEqual(['ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'expired', end: 'expire' });
  });

  it('denies at its end where the row says deny', () => {
    const play = silent({ end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } });
    play.passes(2 * HOUR);
    play.passes(HOUR);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', end: 'deny' });
  });

  it('ends at once when there is nobody to page', () => {
    const play = silent({ end: 'hold', hold: { role: 'nobody', forMs: HOUR, then: 'deny' } });
    expect(play.passes(2 * HOUR)).toEqual(['level_timed_out', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', why: 'Nobody answered in time, and nobody holds nobody to page' });
  });

  it('lets the paged person decide, also when somebody had claimed it before', () => {
    const play = silent(hold);
    play.says('carl', claim);
    play.passes(2 * HOUR);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'omar', claimedBy: null });
    expect(types(play.says('omar', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'approved', deciders: [{ person: 'omar', role: 'operations' }] });
  });

  it('is over when its sign-off is given: the next sign-off has a ladder of its own', () => {
    const play = new Play(
      planOf({ onTimeout: hold, signOffs: [signOff('1', [level('manager', 'finance_manager', 30)]), signOff('2', [level('CFO', 'cfo', 60)])] }),
    ).open();
    play.passes(30 * MINUTE);
    expect(types(play.says('omar', approve()))).toEqual(['signed_off', 'level_opened']);
    expect(play.state).toMatchObject({ state: 'waiting', signOffs: [{ hold: null }, { hold: null }] });
    expect(nextInstant(play.state)).toBe('2026-11-23T10:30:00.000Z');
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
  });
});

describe('withdrawal', () => {
  it('ends it from any open state, and tells those who were asked', () => {
    const play = new Play().open();
    expect(play.withdrawn()).toEqual(['ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'withdrawn', why: 'Withdrawn by clerk: no longer wanted', end: null, next: { path: 'stop' } });
    expect(play.last('ended').owed.map((o) => o.kind)).toEqual(['callback', 'tell_asked']);
  });

  it('ends it before anyone was asked', () => {
    expect(new Play().withdrawn()).toEqual(['ended']);
  });

  it('changes nothing after the end', () => {
    const play = new Play().open();
    play.says('fay', approve());
    expect(play.withdrawn()).toEqual([]);
    expect(play.state.state).toBe('approved');
  });
});
