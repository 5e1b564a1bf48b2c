/** Who stands in for whom while somebody is away, and that nobody gets more say by it. */
import fc from 'fast-check';
import { actsAs, boundTo, holds, isAbsent, rosterOf, type Directory, type Person, type Seat } from '../../../domain/directory';
import { after } from '../../../domain/json';
import {
  approve,
  deny,
  directoryOf,
  HOUR,
  level,
  MINUTE,
  person,
  Play,
  planOf,
  refusal,
  resolve,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';

const LATER = after(START, 24 * HOUR);
const away = (id: string, roles: readonly string[], deputy?: string, to = LATER): Person =>
  person(id, roles, [{ from: after(START, -HOUR), to, ...(deputy === undefined ? {} : { deputy }) }]);
const roster = (people: readonly Person[], excluded: readonly string[] = [], now = START): readonly Seat[] =>
  rosterOf(directoryOf(people, { cfo: ['cleo', 'carl'] }), 'cfo', now, excluded);
const cfo = [level('CFO', 'cfo', 60)];

describe('a deputy', () => {
  it('is asked in the place of who is absent, and the record says for whom', () => {
    expect(roster([away('cleo', ['cfo'], 'dora'), person('carl', ['cfo']), person('dora', [])])).toEqual([{ person: 'dora', for: 'cleo' }, { person: 'carl' }]);
  });

  it('who holds the role themselves is asked in that place, in their own name', () => {
    expect(roster([away('cleo', ['cfo'], 'zita'), person('carl', ['cfo']), person('zita', ['cfo'])])).toEqual([{ person: 'zita' }, { person: 'carl' }]);
  });

  it('who is absent passes it to their own, for the first of them', () => {
    const line = [away('cleo', ['cfo'], 'dora'), away('dora', [], 'edna'), away('edna', [], 'fred'), person('fred', [])];
    expect(roster(line)).toEqual([{ person: 'fred', for: 'cleo' }]);
  });

  it('is at most the third in line', () => {
    const line = [away('cleo', ['cfo'], 'dora'), away('dora', [], 'edna'), away('edna', [], 'fred'), away('fred', [], 'gina'), person('gina', [])];
    expect(roster(line)).toEqual([]);
  });

  it('is nobody in a circle', () => {
    expect(roster([away('cleo', ['cfo'], 'dora'), away('dora', [], 'cleo')])).toEqual([]);
    expect(roster([away('cleo', ['cfo'], 'cleo')])).toEqual([]);
  });

  it('is nobody whom the directory does not know', () => {
    expect(roster([away('cleo', ['cfo'], 'ghost')])).toEqual([]);
    expect(roster([away('cleo', ['cfo'], 'constructor')])).toEqual([]);
  });

  it.each(['cleo', 'dora', 'edna'])('is nobody where %s, who is on the way, may not have a say', (excluded) => {
    const line = [away('cleo', ['cfo'], 'dora'), away('dora', [], 'edna'), person('edna', [])];
    expect(roster(line, [excluded])).toEqual([]);
    expect(actsAs(directoryOf(line, {}), 'edna', 'cfo', START, [excluded])).toBeNull();
  });

  it('has the role from the first instant of the absence to before its last', () => {
    const team = directoryOf([away('cleo', ['cfo'], 'dora', after(START, HOUR)), person('dora', [])], {});
    const at = (ms: number) => actsAs(team, 'dora', 'cfo', after(START, ms));
    expect([at(-HOUR - 1), at(-HOUR), at(HOUR - 1), at(HOUR)]).toEqual([null, { for: 'cleo' }, { for: 'cleo' }, null]);
  });

  it('takes nothing from who is absent: they may still act themselves', () => {
    const team = directoryOf([away('cleo', ['cfo'], 'dora'), person('dora', [])], {});
    expect(actsAs(team, 'cleo', 'cfo', START)).toEqual({});
    expect(actsAs(team, 'dora', 'cfo', START)).toEqual({ for: 'cleo' });
    expect(holds(team, 'dora', 'cfo')).toBe(false);
  });

  it('stands in for the owner in a relative role as well, before its backup', () => {
    const people = [away('lena', [], 'dora'), person('dora', []), person('carl', ['cfo'])];
    const team: Directory = { ...directoryOf(people, { cfo: ['carl'] }), owners: { lead: { payments: ['lena'] } } };
    const bound = boundTo(team, { lead: { of: 'payments', backup: 'cfo' } });
    expect(rosterOf(bound, 'lead', START, [])).toEqual([{ person: 'dora', for: 'lena' }, { person: 'carl' }]);
    expect(actsAs(bound, 'dora', 'lead', START)).toEqual({ for: 'lena' });
    expect(actsAs(boundTo(team, { lead: { of: 'refunds', backup: 'cfo' } }), 'dora', 'lead', START)).toBeNull();
  });
});

describe('an approval with a deputy', () => {
  const people = [...TEAM.filter((p) => p.id !== 'fay'), away('fay', ['finance_manager'], 'dora'), person('dora', [])];
  const team = directoryOf(people);
  const opened = (patch = {}, context = {}): Play => new Play(planOf(patch), { directory: team, ...context }).open();

  it('asks them, and says for whom they decided', () => {
    const play = opened();
    expect(play.last('level_opened')).toMatchObject({ owner: 'dora', asked: [{ person: 'dora', role: 'finance_manager', for: 'fay' }] });
    expect(types(play.says('dora', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('ended').deciders).toEqual([{ person: 'dora', role: 'finance_manager', at: START, for: 'fay' }]);
  });

  it('lets them take it over and end it, for as long as the absence lasts', () => {
    const play = opened();
    expect(types(play.says('dora', takeOver()))).toEqual(['taken_over']);
    const back = new Play(planOf(), { directory: team }).open();
    back.says('dora', takeOver());
    back.directory(directoryOf([...TEAM, person('dora', [])]));
    expect(refusal(back.says('dora', resolve())).code).toBe('role_not_held');
    expect(types(play.says('dora', resolve()))).toEqual(['resolved', 'ended']);
    expect(play.last('ended').deciders).toMatchObject([{ person: 'dora', for: 'fay' }]);
  });

  it('asks nobody for who is on the asking side', () => {
    const play = opened({}, { requesters: ['fay'] });
    expect(play.last('level_opened').asked).toEqual([{ person: 'finn', role: 'finance_manager' }]);
    expect(refusal(play.says('dora', approve())).code).toBe('role_not_held');
  });

  it('asks no deputy who is on the asking side', () => {
    const play = opened({}, { requesters: ['dora'] });
    expect(play.last('level_opened').owner).toBe('finn');
    expect(refusal(play.says('dora', approve())).code).toBe('requester_may_not_decide');
  });

  const chain = { signOffs: [signOff('1', [level('manager', 'finance_manager', 30)]), signOff('2', cfo)] };

  it('counts a yes for somebody as theirs: two sign-offs are two people', () => {
    const both = directoryOf([away('fay', ['finance_manager', 'cfo'], 'dora', after(START, 10 * MINUTE)), person('dora', []), person('carl', ['cfo'])], {});
    const play = new Play(planOf(chain), { directory: both }).open();
    play.says('dora', approve());
    expect(play.last('level_opened')).toMatchObject({ signOff: '2', owner: 'carl' });
    play.passes(20 * MINUTE);
    expect(refusal(play.says('fay', approve())).code).toMatch(/same_person|role_not_held/);
    expect(play.state.signOffs[1]?.given).toEqual([]);
  });

  it('counts a yes of a deputy as their own as well', () => {
    const both = directoryOf([away('fay', ['finance_manager'], 'cleo'), person('cleo', ['cfo']), person('carl', ['cfo'])], {});
    const play = new Play(planOf(chain), { directory: both }).open();
    play.says('cleo', approve());
    expect(play.last('level_opened')).toMatchObject({ signOff: '2', owner: 'carl' });
    expect(refusal(play.says('cleo', deny())).code).toMatch(/same_person|role_not_held/);
  });
});

describe('whoever is away, and whoever stands in', () => {
  const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];
  const people = fc.tuple(
    ...IDS.map((id) =>
      fc
        .record({ holds: fc.boolean(), away: fc.boolean(), deputy: fc.option(fc.constantFrom(...IDS), { nil: undefined }) })
        .map((p): Person => (p.away ? away(id, p.holds ? ['cfo'] : [], p.deputy) : person(id, p.holds ? ['cfo'] : []))),
    ),
  );

  it('a line never reaches or passes who is excluded, never turns in a circle, and ends with somebody who is there', () => {
    fc.assert(
      fc.property(people, fc.subarray(IDS), fc.shuffledSubarray(IDS), (team, excluded, duty) => {
        const directory = directoryOf(team, { cfo: duty });
        const seats = rosterOf(directory, 'cfo', START, excluded);
        expect(new Set(seats.map((s) => s.person)).size).toBe(seats.length);
        for (const { person: id, for: absent } of seats) {
          const at = (one: string): Person => directory.people[one] ?? person('', []);
          expect(excluded).not.toContain(id);
          expect(isAbsent(at(id), START)).toBe(false);
          if (absent === undefined) {
            expect(holds(directory, id, 'cfo')).toBe(true);
            continue;
          }
          expect(holds(directory, absent, 'cfo') && !holds(directory, id, 'cfo')).toBe(true);
          const way = [absent];
          while (way[way.length - 1] !== id) {
            way.push(at(way[way.length - 1] ?? '').absences[0]?.deputy ?? '');
            expect(way.length).toBeLessThanOrEqual(4);
          }
          expect(new Set(way).size).toBe(way.length);
          expect(way.filter((one) => excluded.includes(one))).toEqual([]);
          expect(actsAs(directory, id, 'cfo', START, excluded)).not.toBeNull();
        }
        // And whoever may act without holding the role is on the roster.
        for (const id of IDS) {
          const as = actsAs(directory, id, 'cfo', START, excluded);
          if (as?.for !== undefined) expect(seats.map((s) => s.person)).toContain(id);
        }
      }),
    );
  });
});
