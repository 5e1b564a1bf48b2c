/** Who is asked, and until when, when people come and go and calendars change while somebody waits. */
import fc from 'fast-check';
import type { Person } from '../../../domain/directory';
import { actsAs, isAbsent, personOf } from '../../../domain/directory';
import { after, type Instant } from '../../../domain/json';
import type { Context } from '../../../domain/ladder';
import type { Level, Plan } from '../../../domain/plan';
import { hasEnded } from '../../../domain/state';
import {
  approve,
  claim,
  deny,
  directoryOf,
  HOUR,
  LADDER,
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

const opened = (patch: Partial<Plan> = {}, context: Partial<Context> = {}): Play => new Play(planOf(patch), context).open();
const teamWith = (...changed: readonly Person[]): ReturnType<typeof directoryOf> => ({
  ...directoryOf([...TEAM.filter((p) => !changed.some((c) => c.id === p.id)), ...changed]),
  hash: 'e'.repeat(64),
});
const without = (...ids: readonly string[]): ReturnType<typeof directoryOf> => ({
  ...directoryOf(TEAM.filter((p) => !ids.includes(p.id))),
  hash: 'e'.repeat(64),
});
const away = (id: string, roles: readonly string[], deputy?: string): Person =>
  person(id, roles, [{ from: START, to: after(START, 24 * HOUR), ...(deputy === undefined ? {} : { deputy }) }]);
const told = (play: Play): readonly string[] =>
  play.last('resolved_anew').owed.map((o) => `${o.kind} ${'to' in o && typeof o.to === 'object' ? o.to.person : ''}`);

describe('people come and go', () => {
  it.each([
    ['left', without('fay'), 'Fay'],
    ['lost the role', teamWith(person('fay', [])), 'Fay does not hold finance_manager any more'],
    ['is away', teamWith(away('fay', ['finance_manager'])), 'Fay is absent'],
  ])('who is asked and %s is replaced, with the time as it was', (_, directory, why) => {
    const play = opened();
    play.directory(directory);
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    const event = play.last('resolved_anew');
    expect(event).toMatchObject({ signOff: '1', level: 0, owner: 'finn', asked: [{ person: 'finn', role: 'finance_manager' }], directory: 'e'.repeat(64) });
    expect(event.why).toContain(why.startsWith('Fay ') ? why : 'fay');
    expect(event.dueAt).toBe(after(START, 30 * MINUTE));
    expect(told(play)).toEqual(personOf(directory, 'fay') ? ['ask finn', 'tell_asked fay'] : ['ask finn']);
    expect(types(play.says('finn', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('a deputy comes in for who is away, and who is back comes in for the deputy', () => {
    const play = opened();
    play.directory(teamWith(away('fay', ['finance_manager'], 'dora'), person('dora', [])));
    play.passes(MINUTE);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'dora', asked: [{ person: 'dora', role: 'finance_manager', for: 'fay' }] });
    play.directory(teamWith(person('dora', [])));
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'fay', asked: [{ person: 'fay', role: 'finance_manager' }] });
  });

  it('being away takes it from nobody who has claimed it; losing the role does', () => {
    const play = opened();
    play.says('fay', claim);
    play.directory(teamWith(away('fay', ['finance_manager'])));
    expect(play.passes(MINUTE)).toEqual([]);
    play.directory(teamWith(person('fay', [])));
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'finn', claimedBy: null });
  });

  it('a claim of somebody else stands when who was asked leaves, and nobody else is asked for it', () => {
    const play = opened();
    play.says('finn', claim);
    play.directory(without('fay'));
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'finn', claimedBy: 'finn', asked: [{ person: 'finn', role: 'finance_manager' }] });
    expect(told(play)).toEqual([]);
    play.says('finn', release);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'finn', claimedBy: null });
  });

  it('where nobody is left the next level has its turn at once, on the record', () => {
    const play = opened();
    play.directory(without('fay', 'finn'));
    expect(play.passes(MINUTE)).toEqual(['level_skipped', 'level_opened']);
    expect(play.last('level_opened')).toMatchObject({ level: 1, owner: 'cleo', dueAt: after(START, MINUTE + 2 * HOUR) });
  });

  it('past the last level silence has the word', () => {
    const play = opened();
    play.directory(without('fay', 'finn', 'cleo', 'carl'));
    expect(play.passes(MINUTE)).toEqual(['level_skipped', 'level_skipped', 'ended']);
    expect(play.state.state).toBe('expired');
  });

  it('a held one is given to another backup, and ends as the row says where there is none', () => {
    const hold: Partial<Plan> = {
      signOffs: [signOff('1', [level('manager', 'finance_manager', 30)])],
      onTimeout: { end: 'hold', hold: { role: 'cfo', forMs: HOUR, then: 'deny' } },
    };
    const play = opened(hold);
    play.passes(30 * MINUTE);
    play.directory(without('cleo'));
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state).toMatchObject({ state: 'held', signOffs: [{ owner: 'carl', hold: { role: 'cfo' }, dueAt: after(START, 90 * MINUTE) }] });
    expect(told(play)).toEqual(['page_backup carl']);
    play.directory(without('cleo', 'carl'));
    expect(play.passes(MINUTE)).toEqual(['ended']);
    expect(play.state.state).toBe('denied');
  });

  it('a hold that pages fewer than are missing stays as it is', () => {
    const hold: Partial<Plan> = {
      signOffs: [signOff('1', [level('manager', 'finance_manager', 30)], 2)],
      onTimeout: { end: 'hold', hold: { role: 'security_lead', forMs: HOUR, then: 'deny' } },
    };
    const play = opened(hold);
    play.passes(30 * MINUTE);
    expect(play.state).toMatchObject({ state: 'held', signOffs: [{ asked: [{ person: 'sam' }] }] });
    expect(play.passes(MINUTE)).toEqual([]);
  });

  it('who has chosen has had their word; the one who is missing is replaced', () => {
    const play = opened({ signOffs: [signOff('1', LADDER, 2)] }, { directory: teamWith(person('fred', ['finance_manager'])) });
    play.says('fay', approve());
    play.directory({ ...teamWith(person('fred', ['finance_manager']), person('finn', [])), hash: 'f'.repeat(64) });
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state.signOffs[0]).toMatchObject({ owner: 'fred', asked: [{ person: 'fay' }, { person: 'fred' }] });
    expect(types(play.says('fred', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('a no that was chosen unseen ends it where nobody is left to choose', () => {
    const play = opened({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)] });
    play.says('fay', deny());
    play.directory(without('finn'));
    expect(play.passes(MINUTE)).toEqual(['level_skipped', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', deciders: [{ person: 'fay' }] });
  });

  it('a takeover is not touched', () => {
    const play = opened();
    play.says('fay', takeOver());
    play.directory(without('fay'));
    expect(play.passes(MINUTE)).toEqual([]);
  });

  it('who comes to the asking side is not asked any more', () => {
    const requesters = ['rita'];
    const play = opened({}, { requesters });
    requesters.push('fay');
    expect(play.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(play.state.signOffs[0]?.owner).toBe('finn');
    expect(refusal(play.says('fay', approve())).code).toBe('requester_may_not_decide');
  });
});

describe('calendars change', () => {
  const OFFICE: readonly Level[] = [{ ...level('manager', 'finance_manager', 60, [0.25, 0.5]), calendar: 'office' }];
  const on = (): { readonly closed: { ms: number }; readonly play: (patch?: Partial<Plan>) => Play } => {
    const closed = { ms: 0 };
    const dueAt = (from: Instant, withinMs: number, calendar: string | null): Instant => after(from, withinMs + (calendar === null ? 0 : closed.ms));
    return { closed, play: (patch = {}) => opened({ signOffs: [signOff('1', OFFICE)], ...patch }, { dueAt }) };
  };

  it('the deadline and the reminders that are left are found again from when the level opened', () => {
    const { closed, play } = on();
    const one = play();
    one.passes(15 * MINUTE);
    closed.ms = HOUR;
    expect(one.passes(MINUTE)).toEqual(['resolved_anew']);
    expect(one.state.signOffs[0]).toMatchObject({ dueAt: after(START, 2 * HOUR), reminders: [after(START, 90 * MINUTE)] });
    expect(one.last('resolved_anew')).toMatchObject({ owner: 'fay', why: 'the calendar has changed' });
    expect(told(one)).toEqual(['tell_asked fay']);
    expect(one.passes(MINUTE)).toEqual([]);
  });

  it('a claim stands', () => {
    const { closed, play } = on();
    const one = play();
    one.says('finn', claim);
    closed.ms = HOUR;
    one.passes(MINUTE);
    expect(one.state.signOffs[0]).toMatchObject({ owner: 'finn', claimedBy: 'finn' });
  });

  it('what a question or an operator has moved stays', () => {
    const { closed, play } = on();
    const extended = play({ operators: { roles: ['operations'], extendAtMostMs: HOUR } });
    extended.says('omar', { type: 'extend', minutes: 10, reason: 'late' });
    const asking = play({ questions: { clock: 'pauses', withinMs: HOUR, atMost: 3 } });
    asking.says('fay', { type: 'ask', of: 'agent', question: 'Which?' });
    closed.ms = HOUR;
    expect(extended.passes(MINUTE)).toEqual([]);
    expect(asking.passes(MINUTE)).toEqual([]);
    asking.says('clerk', { type: 'reply', question: 'q1', text: 'This one' }, { agent: 'clerk' });
    expect(asking.passes(MINUTE)).toEqual([]);
  });
});

describe('whatever changes', () => {
  const IDS = ['fay', 'finn', 'cleo', 'carl', 'omar', 'sam'];
  const ROLES = ['finance_manager', 'cfo'];
  const member = (id: string): fc.Arbitrary<Person | null> =>
    fc.option(
      fc
        .record({ roles: fc.subarray(ROLES), away: fc.boolean(), deputy: fc.option(fc.constantFrom(...IDS), { nil: undefined }) })
        .map((p) => (p.away ? away(id, p.roles, p.deputy) : person(id, p.roles))),
      { freq: 6 },
    );
  const directories = fc.array(
    fc.tuple(...IDS.map(member)).map((people) => directoryOf(people.filter((p): p is Person => p !== null))),
    { maxLength: 6 },
  );
  const acts = fc.array(fc.tuple(fc.constantFrom(...IDS), fc.constantFrom(claim, release, approve(), deny())), { maxLength: 3 });
  const plans = fc.constantFrom<Partial<Plan>>(
    {},
    { signOffs: [signOff('1', LADDER, 2)] },
    { tier: 'dual', signOffs: [signOff('1', LADDER, 2)] },
    {
      signOffs: [
        { ...signOff('1', LADDER), stage: 1 },
        { ...signOff('2', [level('CFO', 'cfo', 60)]), stage: 1 },
      ],
    },
    { onTimeout: { end: 'hold', hold: { role: 'cfo', forMs: HOUR, then: 'deny' } } },
    { signOffs: [signOff('1', [level('manager', 'finance_manager', 10)], 2)], onTimeout: { end: 'hold', hold: { role: 'cfo', forMs: HOUR, then: 'deny' } } },
  );

  it('afterwards everyone who is asked can be asked, and looking again changes nothing', () => {
    fc.assert(
      fc.property(plans, fc.array(fc.tuple(directories, acts, fc.integer({ min: 0, max: 40 })), { maxLength: 3 }), (patch, rounds) => {
        const play = opened(patch);
        for (const [changes, said, minutes] of rounds) {
          for (const directory of changes) play.directory(directory);
          const directory = changes[changes.length - 1];
          play.passes(minutes * MINUTE);
          if (hasEnded(play.state)) return;
          expect(play.passes(0)).toEqual([]);
          for (const open of play.state.signOffs.filter((s) => s.status === 'open')) {
            const role = open.hold?.role ?? planOf(patch).signOffs.find((s) => s.id === open.id)?.ladder[open.level]?.role ?? '';
            const chosen = [...open.given, ...(open.refused ?? [])].map((d) => d.person);
            for (const { person: id } of directory ? open.asked.filter((a) => !chosen.includes(a.person)) : []) {
              const one = directory && personOf(directory, id);
              expect(one).toBeDefined();
              if (!directory || !one) continue;
              expect(isAbsent(one, play.now) && open.claimedBy !== id).toBe(false);
              expect(actsAs(directory, id, role, play.now, ['rita'])).not.toBeNull();
            }
            expect(open.owner).not.toBeNull();
          }
          for (const [who, move] of said) play.says(who, move);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('nothing changes where nothing has changed, however often somebody looks', () => {
    fc.assert(
      fc.property(plans, acts, (patch, said) => {
        const play = opened(patch);
        for (const [who, move] of said) play.says(who, move);
        if (hasEnded(play.state)) return;
        const before = play.record.length;
        play.passes(MINUTE);
        play.passes(MINUTE);
        const kinds = play.record.slice(before).map((r) => r.event.type);
        expect(kinds.filter((k) => k !== 'resolved_anew')).toEqual([]);
        // Only who has signed beside, and so may not sign here, is replaced.
        if (play.state.signOffs.length === 1) expect(kinds).toEqual([]);
      }),
    );
  });
});
