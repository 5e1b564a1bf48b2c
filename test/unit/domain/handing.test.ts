/** Into whose hands a request goes: by hand to somebody of the same role or to the level above, by a no that moves up, and nobody twice. */
import fc from 'fast-check';
import { after } from '../../../domain/json';
import type { OnTimeout, Plan } from '../../../domain/plan';
import { hasEnded, openSignOff, openSignOffs } from '../../../domain/state';
import {
  approve,
  ask,
  claim,
  deny,
  directoryOf,
  HOUR,
  LADDER,
  level,
  MINUTE,
  passUp,
  person,
  Play,
  planOf,
  reassign,
  refusal,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';

const opened = (patch: Partial<Plan> = {}, team = directoryOf()): Play => new Play(planOf(patch), { directory: team }).open();
const HOLD: OnTimeout = { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } };
const three = [level('manager', 'finance_manager', 30), level('CFO', 'cfo', 60), level('desk', 'operations', 90)];

describe('reassigning', () => {
  it('gives it to another holder of the role, who is asked; the deadline stays', () => {
    const play = opened();
    play.passes(10 * MINUTE);
    expect(types(play.says('fay', reassign('finn'), { packetDigest: null }))).toEqual(['reassigned']);
    expect(play.last('reassigned')).toMatchObject({
      signOff: '1',
      by: 'fay',
      role: 'finance_manager',
      from: 'fay',
      to: { person: 'finn', role: 'finance_manager' },
      reason: 'they know the customer',
    });
    expect(play.last('reassigned').owed).toEqual([
      {
        kind: 'ask',
        to: { person: 'finn', role: 'finance_manager' },
        channel: 'email',
        level: 'finance manager',
        dueAt: after(START, 30 * MINUTE),
        next: 'CFO is asked',
      },
    ]);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'finn', claimedBy: null, dueAt: after(START, 30 * MINUTE), reminders: [after(START, 15 * MINUTE)] });
    expect(play.passes(20 * MINUTE)).toEqual(['level_timed_out', 'level_opened']);
  });

  it('by another holder of the role, while nobody has claimed it: who had it is told', () => {
    const team = directoryOf([...TEAM, person('flo', ['finance_manager'])]);
    const play = opened({}, team);
    play.says('finn', reassign('flo'));
    expect(play.last('reassigned')).toMatchObject({ by: 'finn', from: 'fay' });
    expect(play.last('reassigned').owed).toMatchObject([
      { kind: 'ask', to: { person: 'flo' } },
      { kind: 'tell_asked', to: { person: 'fay' }, what: 'Finn has given it to Flo' },
    ]);
    play.says('flo', claim);
    expect(refusal(play.says('finn', reassign('fay'))).code).toBe('claimed_by_another');
    expect(types(play.says('flo', reassign('finn')))).toEqual(['reassigned']);
  });

  it('of one of two keeps the other', () => {
    const team = directoryOf([...TEAM, person('flo', ['finance_manager'])]);
    const play = opened({ tier: 'strong', signOffs: [signOff('1', LADDER, 2)] }, team);
    play.says('finn', reassign('flo'));
    expect(openSignOff(play.state)?.asked.map((a) => a.person)).toEqual(['fay', 'flo']);
  });

  it('pages who gets it while it is held', () => {
    const team = directoryOf([...TEAM, person('otto', ['operations'])], { operations: ['omar'] });
    const play = opened({ signOffs: [signOff('1', LADDER.slice(0, 1))], onTimeout: HOLD }, team);
    play.passes(30 * MINUTE);
    play.says('omar', reassign('otto'));
    expect(play.last('reassigned').owed).toMatchObject([{ kind: 'page_backup', to: { person: 'otto', role: 'operations' }, dueAt: after(START, 90 * MINUTE) }]);
  });

  it('while its clock stands still asks until when there would be time', () => {
    const play = opened({ questions: { clock: 'pauses', withinMs: 4 * HOUR, atMost: 3 } });
    play.passes(10 * MINUTE);
    play.says('fay', ask());
    play.passes(HOUR);
    play.says('fay', reassign('finn'));
    expect(play.last('reassigned').owed).toMatchObject([{ kind: 'ask', dueAt: after(play.now, 20 * MINUTE) }]);
  });

  const absent = { from: START, to: after(START, HOUR) };
  const team = directoryOf(
    [
      ...TEAM,
      person('gone', ['finance_manager'], [absent]),
      person('away', ['finance_manager'], [{ ...absent, deputy: 'dan' }]),
      person('dan', []),
      person('two', ['finance_manager', 'security_lead']),
    ],
    { finance_manager: ['fay', 'finn'], cfo: ['cleo'], security_lead: ['two'] },
  );
  const beside = [
    { ...signOff('1', LADDER), stage: 1 },
    { ...signOff('2', [level('security', 'security_lead', 60)]), stage: 1 },
  ];

  it.each([
    ['mallory', 'mallory is not in the directory'],
    ['fay', 'Fay is asked for it already'],
    ['rita', 'Rita is on the asking side'],
    ['gone', 'Gone is absent'],
    ['cleo', 'Cleo does not hold finance_manager, nor stand in for somebody who does'],
    ['two', 'Two is asked for another sign-off'],
  ])('to %s: %s', (to, why) => {
    expect(refusal(opened({ signOffs: beside }, team).says('fay', reassign(to)))).toEqual({
      code: 'assignee_unfit',
      message: `${why}; name somebody else who may be asked`,
    });
  });

  it('to who gave another sign-off of the chain, or said no to what this is an exception to, is refused', () => {
    const chain = opened({ signOffs: [signOff('1', LADDER), signOff('2', LADDER)] });
    chain.says('fay', approve());
    expect(refusal(chain.says('finn', reassign('fay'))).message).toContain('Fay gave another sign-off of this chain');
    const exception = { of: 'apr-0', outcome: 'denied', rows: [], by: [{ person: 'finn', role: 'finance_manager' }] } as const;
    expect(refusal(opened({ exception }).says('fay', reassign('finn'))).message).toContain('Finn said no to what this is an exception to');
  });

  it('to a deputy names for whom they stand in', () => {
    const play = opened({}, team);
    play.says('fay', reassign('dan'));
    expect(play.last('reassigned').to).toEqual({ person: 'dan', role: 'finance_manager', for: 'away' });
    expect(types(play.says('dan', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('ended').deciders).toMatchObject([{ person: 'dan', role: 'finance_manager', for: 'away' }]);
  });

  it('says why, and is for who may decide it', () => {
    expect(refusal(opened().says('fay', reassign('finn', ' '))).code).toBe('reason_required');
    expect(refusal(opened().says('cleo', reassign('finn'))).code).toBe('role_not_held');
    expect(refusal(opened().says('fay', reassign('finn', 'why', '7'))).code).toBe('not_open');
  });
});

describe('passing up', () => {
  it('asks the next level at once, for all of its time', () => {
    const play = opened();
    play.passes(10 * MINUTE);
    expect(types(play.says('fay', passUp(), { packetDigest: null }))).toEqual(['passed_up', 'level_opened']);
    expect(play.last('passed_up')).toMatchObject({ signOff: '1', level: 0, by: 'fay', reason: 'this is for the CFO' });
    expect(play.last('level_opened')).toMatchObject({ level: 1, owner: 'cleo', dueAt: after(START, 130 * MINUTE) });
  });

  it('from the last level goes to the hold, where the row holds', () => {
    const play = opened({ onTimeout: HOLD });
    play.passes(30 * MINUTE);
    expect(types(play.says('cleo', passUp()))).toEqual(['passed_up', 'held']);
    expect(play.last('held')).toMatchObject({ owner: 'omar' });
    expect(refusal(play.says('omar', passUp())).code).toBe('nobody_above');
  });

  it('has to have somebody above', () => {
    const play = opened();
    play.passes(30 * MINUTE);
    expect(refusal(play.says('cleo', passUp()))).toEqual({
      code: 'nobody_above',
      message: 'Nobody can be asked above CFO; decide it, reassign it, or take it over',
    });
    const alone = opened({}, directoryOf(TEAM.filter((p) => !p.roles.includes('cfo'))));
    expect(refusal(alone.says('fay', passUp())).code).toBe('nobody_above');
    expect(alone.state.state).toBe('waiting');
  });

  it('says why', () => {
    expect(refusal(opened().says('fay', passUp(''))).code).toBe('reason_required');
  });

  it('is not asked again of who passed it up, not even where they hold the role above', () => {
    const team = directoryOf([person('ada', ['finance_manager', 'cfo']), person('bo', ['cfo'])], { cfo: ['ada', 'bo'] });
    const play = opened({}, team);
    play.says('ada', passUp());
    expect(play.last('level_opened').asked).toEqual([{ person: 'bo', role: 'cfo' }]);
  });

  it('for an absent person passes it up for both of them: neither is paged for it', () => {
    const away = [{ from: START, to: after(START, 20 * MINUTE), deputy: 'dan' }];
    const team = directoryOf([person('ada', ['finance_manager', 'operations'], away), person('dan', ['operations']), person('eve', ['operations'])], {
      operations: ['ada', 'dan', 'eve'],
    });
    const play = opened({ signOffs: [signOff('1', LADDER.slice(0, 1))], onTimeout: HOLD }, team);
    play.passes(10 * MINUTE);
    play.says('dan', passUp());
    expect(play.last('passed_up')).toMatchObject({ by: 'dan', for: 'ada' });
    expect(play.last('held').asked).toEqual([{ person: 'eve', role: 'operations' }]);
  });
});

describe('one no', () => {
  const moves = { path: 'stop', tellRequester: true, oneNo: 'next_level' } as const;

  it('ends it, unless the row says otherwise', () => {
    expect(types(opened().says('fay', deny()))).toEqual(['denied', 'ended']);
  });

  it('at a level that has one above asks that one, which may say yes', () => {
    const play = opened({ onDeny: moves });
    expect(types(play.says('fay', deny()))).toEqual(['said_no', 'level_opened']);
    expect(play.last('said_no')).toMatchObject({ by: 'fay', reason: 'the parcel arrived', then: 'next_level', level: 0 });
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'approved', deciders: [{ person: 'cleo' }] });
  });

  it('at the last level ends it, in the name of all who said no', () => {
    const play = opened({ onDeny: moves });
    play.says('fay', deny('too much'));
    expect(types(play.says('cleo', deny('far too much')))).toEqual(['denied', 'ended']);
    expect(play.last('ended')).toMatchObject({
      outcome: 'denied',
      why: 'Denied by Fay (finance_manager): too much and by Cleo (cfo): far too much',
      deciders: [{ person: 'fay' }, { person: 'cleo' }],
    });
  });

  it('ends it where nobody is there above, and while it is held', () => {
    const alone = opened({ onDeny: moves, onTimeout: HOLD }, directoryOf(TEAM.filter((p) => !p.roles.includes('cfo'))));
    expect(types(alone.says('fay', deny()))).toEqual(['denied', 'ended']);
    const held = opened({ onDeny: moves, onTimeout: HOLD, signOffs: [signOff('1', LADDER.slice(0, 1))] });
    held.passes(30 * MINUTE);
    expect(types(held.says('omar', deny()))).toEqual(['denied', 'ended']);
  });

  it('is the last word of who said it: they decide nothing at the level above, though they hold its role', () => {
    const team = directoryOf([person('ada', ['finance_manager', 'cfo']), person('bo', ['cfo'])], { cfo: ['ada', 'bo'] });
    const play = opened({ onDeny: moves }, team);
    play.says('ada', deny());
    expect(play.last('level_opened').asked).toEqual([{ person: 'bo', role: 'cfo' }]);
    expect(refusal(play.says('ada', approve()))).toEqual({ code: 'already_chosen', message: 'You said no to it already; the level above yours decides now' });
    expect(refusal(play.says('ada', takeOver())).code).toBe('already_chosen');
  });
});

describe('nobody is asked twice', () => {
  it('over the levels of one sign-off: who has all the roles is asked once, and the record says why the level is skipped', () => {
    const team = directoryOf([person('ada', ['finance_manager', 'cfo', 'operations']), person('bo', ['operations'])], { operations: ['ada', 'bo'] });
    const play = opened({ signOffs: [signOff('1', three)] }, team);
    expect(play.passes(30 * MINUTE)).toEqual(['level_timed_out', 'level_skipped', 'level_opened']);
    expect(play.last('level_skipped').why).toBe('Not enough people hold cfo beside those who were asked at an earlier level');
    expect(play.last('level_opened').asked).toEqual([{ person: 'bo', role: 'operations' }]);
  });

  it('but may be paged again where nobody else is there to hold it', () => {
    const team = directoryOf([person('ada', ['finance_manager', 'operations'])]);
    const play = opened({ signOffs: [signOff('1', three.slice(0, 1))], onTimeout: HOLD }, team);
    expect(play.passes(30 * MINUTE)).toEqual(['level_timed_out', 'held']);
    expect(play.last('held').owner).toBe('ada');
    const other = opened(
      { signOffs: [signOff('1', three.slice(0, 1))], onTimeout: HOLD },
      directoryOf([...Object.values(team.people), person('bo', ['operations'])], { operations: ['ada', 'bo'] }),
    );
    other.passes(30 * MINUTE);
    expect(other.last('held').owner).toBe('bo');
  });

  it('as somebody else either: a deputy, and whom they stood in for, count as asked', () => {
    const away = [{ from: START, to: after(START, HOUR), deputy: 'dan' }];
    const team = directoryOf([person('ada', ['finance_manager', 'cfo'], away), person('dan', ['cfo']), person('eve', ['cfo'])], { cfo: ['ada', 'dan', 'eve'] });
    const play = opened({}, team);
    expect(play.last('level_opened').asked).toEqual([{ person: 'dan', role: 'finance_manager', for: 'ada' }]);
    play.passes(30 * MINUTE);
    expect(play.last('level_opened').asked).toEqual([{ person: 'eve', role: 'cfo' }]);
  });

  const ROLES = ['finance_manager', 'cfo', 'operations'] as const;
  const teams = fc.array(fc.subarray([...ROLES]), { minLength: 5, maxLength: 5 }).map((roles) =>
    directoryOf(
      roles.map((held, i) => person(`p${String(i)}`, held)),
      {},
    ),
  );

  it('whoever is there, and however it moves up; and by hand it never goes past the top', () => {
    const turns = fc.array(fc.constantFrom('time', 'pass_up', 'deny', 'reassign'), { maxLength: 6 });
    fc.assert(
      fc.property(teams, turns, fc.boolean(), fc.integer({ min: 1, max: 2 }), (team, steps, holding, quorum) => {
        const plan = planOf({
          signOffs: [signOff('1', three, quorum)],
          onDeny: { path: 'stop', tellRequester: false, oneNo: 'next_level' },
          onTimeout: holding ? HOLD : { end: 'expire' },
        });
        const play = new Play(plan, { directory: team, requesters: [] }).open();
        for (const step of steps) {
          const open = openSignOffs(play.state)[0];
          if (!open || hasEnded(play.state)) break;
          const who = open.owner ?? '';
          if (step === 'time') play.comes(open.dueAt ?? play.now);
          else if (step === 'deny') play.says(who, deny());
          else if (step === 'pass_up') {
            const decision = play.says(who, passUp());
            // It is asked of somebody above, or nothing has happened.
            if ('events' in decision) expect(['level_opened', 'held']).toContain(decision.events.at(-1)?.type);
            else expect(decision.refusal.code).toBe('nobody_above');
          } else for (const to of Object.keys(team.people)) if ('events' in play.says(who, reassign(to))) break;
        }
        const asked = play.record.flatMap(({ event }) => (event.type === 'level_opened' ? event.asked.map((a) => a.person) : []));
        expect(new Set(asked).size).toBe(asked.length);
        const had = play.record.flatMap(({ event }) => (event.type === 'passed_up' || event.type === 'said_no' ? [{ at: event, by: event.by }] : []));
        for (const { at, by } of had) {
          const later = play.record.slice(play.record.findIndex(({ event }) => event === at) + 1).map(({ event }) => event);
          const again = later.flatMap((e) => (e.type === 'level_opened' || e.type === 'held' ? e.asked : e.type === 'reassigned' ? [e.to] : []));
          expect(again.map((a) => a.person)).not.toContain(by);
        }
      }),
      { numRuns: 500 },
    );
  });
});
