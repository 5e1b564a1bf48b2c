/** One directory of what all sources say: whose word counts, what is left out and said, what is refused. */
import fc from 'fast-check';
import { compose } from '../../../activities/people/compose';
import { PeopleError } from '../../../activities/people/errors';
import { idFrom } from '../../../activities/people/provider';
import type { Contribution } from '../../../activities/people/source';
import { roleOfGroup } from '../../../activities/people/sources';

const person = (id: string, ...roles: string[]) => ({ id, name: id, email: `${id}@shop.example`, roles });
const FILE: Contribution = {
  people: [person('ann', 'lead'), person('ben', 'lead', 'head'), person('cem', 'head')],
  duty: { lead: ['ann', 'ben'], head: ['cem', 'ben'] },
  owners: { account_lead: { 'acme-42': ['ann', 'ben'] } },
  text: 'people: {}\n',
};

it('is the file as it stands where nobody else says anything', () => {
  expect(compose([FILE]).text).toBe('people: {}\n');
});

it('is the same text whatever order people came in', () => {
  const text = (people: Contribution['people']) => compose([{ ...FILE, ...(people ? { people } : {}) }, {}]).text;
  expect(text([...(FILE.people ?? [])].reverse())).toBe(text(FILE.people));
});

describe('who is in two sources', () => {
  it('is as the later one says, with the roles that it gives alone', () => {
    const { directory } = compose([FILE, { people: [{ ...person('ben', 'clerk'), name: 'Ben Ode' }] }]);
    expect(directory.people['ben']).toMatchObject({ name: 'Ben Ode', roles: ['clerk'] });
    expect(directory.duty).toEqual({ head: ['cem'], lead: ['ann'] });
  });

  it('is not there when one of them knows that they have gone, also under the same address', () => {
    const { directory, notes } = compose([
      FILE,
      {
        gone: [
          { id: 'ann', email: null },
          { id: 'b.ode', email: 'BEN@shop.example' },
        ],
      },
    ]);
    expect(Object.keys(directory.people)).toEqual(['cem']);
    expect(directory.duty).toEqual({ head: ['cem'] });
    expect(directory.owners).toEqual({ account_lead: {} });
    expect(notes.filter((note) => note.includes('deactivated or deleted'))).toHaveLength(2);
  });
});

describe('duty', () => {
  const shift = (role: string, ...who: string[]) => ({ shifts: [{ role, who, until: '2026-03-02T00:00:00.000Z' }] });

  it('is first whose shift it is, by address or id, then who always stands there', () => {
    expect(compose([FILE, shift('lead', 'BEN@shop.example')]).directory.duty['lead']).toEqual(['ben', 'ann']);
  });

  it('passes over whoever does not hold the role, or is nobody, and says so', () => {
    const { directory, notes } = compose([FILE, shift('lead', 'cem', 'zoe@shop.example')]);
    expect(directory.duty['lead']).toEqual(['ann', 'ben']);
    expect(notes).toEqual([
      'cem has no duty for lead, because cem does not hold it',
      'zoe@shop.example has no duty for lead: nobody here is known by that id or address',
    ]);
  });

  it('is composed anew at the first change', () => {
    const early = { shifts: [{ role: 'head', who: ['cem'], until: '2026-03-01T12:00:00.000Z' }] };
    expect(compose([FILE, shift('lead', 'ben'), early]).nextAt).toBe('2026-03-01T12:00:00.000Z');
    expect(compose([FILE, {}]).nextAt).toBeNull();
  });
});

describe('absences', () => {
  const away = (who: string, deputy?: string, from = '2026-03-01T00:00:00.000Z', to = '2026-03-08T00:00:00.000Z') => ({
    person: who,
    from,
    to,
    ...(deputy === undefined ? {} : { deputy }),
  });

  it('of all sources count', () => {
    const { directory } = compose([
      { ...FILE, absences: [away('ann')] },
      { absences: [away('ann', 'ben', '2026-05-01T00:00:00.000Z', '2026-05-02T00:00:00.000Z')] },
    ]);
    expect(directory.people['ann']?.absences.map(({ deputy }) => deputy)).toEqual([undefined, 'ben']);
  });

  it('lose a deputy who has left, and say so', () => {
    const { directory, notes } = compose([FILE, { absences: [away('ann', 'ben')] }, { gone: [{ id: 'ben', email: null }] }]);
    expect(directory.people['ann']?.absences).toEqual([{ from: '2026-03-01T00:00:00.000Z', to: '2026-03-08T00:00:00.000Z' }]);
    expect(notes).toContain('ben does not stand in for ann: nobody here is known by that id');
  });

  it.each<[string, ReturnType<typeof away>[], boolean]>([
    ['two who stand in for each other', [away('ann', 'ben'), away('ben', 'ann')], true],
    ['three in a circle', [away('ann', 'ben'), away('ben', 'cem'), away('cem', 'ann')], true],
    ['a chain that ends at somebody present', [away('ann', 'ben'), away('ben', 'cem')], false],
    ['two whose absences do not meet', [away('ann', 'ben'), away('ben', 'ann', '2026-03-08T00:00:00.000Z', '2026-03-09T00:00:00.000Z')], false],
  ])('of %s', (_, absences, isRefused) => {
    const composed = () => compose([FILE, { absences }]);
    if (isRefused) expect(composed).toThrow(PeopleError);
    else expect(composed().directory.people['ann']?.absences[0]?.deputy).toBe('ben');
  });
});

it('refuses two people with one inbox', () => {
  expect(() => compose([FILE, { people: [{ ...person('dee'), email: 'ANN@shop.example' }] }])).toThrow(/share the address/);
});

it('gives nobody a relative role outright, whatever a group is called', () => {
  expect(compose([FILE, { people: [person('dee', 'account_lead', 'lead')] }]).directory.people['dee']?.roles).toEqual(['lead']);
});

it('is never stopped by somebody who leaves', () => {
  const ids = ['ann', 'ben', 'cem'];
  fc.assert(
    fc.property(fc.subarray(ids), fc.subarray(ids), (gone, shifted) => {
      const { directory } = compose([
        FILE,
        { gone: gone.map((id) => ({ id, email: null })) },
        {
          absences: ids.map((id, i) => ({
            person: id,
            from: '2026-03-01T00:00:00.000Z',
            to: '2026-03-02T00:00:00.000Z',
            ...(i === 0 ? { deputy: 'ben' } : {}),
          })),
        },
        { shifts: [{ role: 'lead', who: shifted, until: null }] },
      ]);
      for (const id of gone) {
        expect(directory.people[id]).toBeUndefined();
        expect(JSON.stringify([directory.duty, directory.owners])).not.toContain(`"${id}"`);
      }
    }),
  );
});

describe('groups', () => {
  it.each<[string, string, string | null]>([
    ['Finance Lead', '', 'finance_lead'],
    ['Countersign - Finance Lead', 'countersign', 'finance_lead'],
    ['countersign_operator', 'Countersign-', 'operator'],
    ['Everyone', 'countersign', null],
    ['countersign', 'countersign', null],
    ['2nd line', '', null],
    ['constructor', '', 'constructor'],
  ])('%s with the prefix "%s" is the role %s', (name, prefix, role) => {
    expect(roleOfGroup(name, prefix)).toBe(role);
  });
});

describe('ids', () => {
  it.each([
    ['Ana.Ruiz@acme.example', 'ana.ruiz'],
    ['Zoë O’Neil', 'zoe-o-neil'],
    ['42', 'person'],
    ['constructor@x.example', 'person'],
    ['', 'person'],
  ])('of %s begin as %s', (userName, id) => {
    expect(idFrom(userName)).toBe(id);
  });
});
