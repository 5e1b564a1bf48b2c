/** Who holds a role, who is on duty, who is away. */
import { holds, isAbsent, personOf, rosterOf } from '../../../domain/directory';
import { directoryOf, person } from '../../support/approval-play';

const away = person('ana', ['finance_manager'], [{ from: '2026-11-23T08:00:00.000Z', to: '2026-11-23T12:00:00.000Z' }]);
const directory = directoryOf([person('zoe', ['finance_manager']), away, person('bob', ['finance_manager', 'cfo']), person('max', ['cfo'])], {
  finance_manager: ['ana', 'zoe'],
});
const ids = (role: string, now: string, excluded: readonly string[] = []): string[] => rosterOf(directory, role, now, excluded).map((p) => p.person);

describe('the roster of a role', () => {
  it('names duty first, then its backup, then the other holders by id', () => {
    expect(ids('finance_manager', '2026-11-23T13:00:00.000Z')).toEqual(['ana', 'zoe', 'bob']);
  });

  it('leaves out who is absent', () => {
    expect(ids('finance_manager', '2026-11-23T09:00:00.000Z')).toEqual(['zoe', 'bob']);
  });

  it('leaves out who is excluded', () => {
    expect(ids('finance_manager', '2026-11-23T13:00:00.000Z', ['ana', 'bob'])).toEqual(['zoe']);
  });

  it('lists the holders of a role without duty by id', () => {
    expect(ids('cfo', '2026-11-23T09:00:00.000Z')).toEqual(['bob', 'max']);
  });

  it.each(['nobody', 'constructor', '__proto__'])('is empty for a role that nobody holds: %s', (role) => {
    expect(ids(role, '2026-11-23T09:00:00.000Z')).toEqual([]);
  });

  it('asks nobody who is on duty but lost the role', () => {
    expect(rosterOf({ ...directory, duty: { cfo: ['zoe', 'max'] } }, 'cfo', '2026-11-23T09:00:00.000Z', []).map((p) => p.person)).toEqual(['max', 'bob']);
  });
});

describe('an absence', () => {
  it.each([
    ['2026-11-23T07:59:59.999Z', false],
    ['2026-11-23T08:00:00.000Z', true],
    ['2026-11-23T11:59:59.999Z', true],
    ['2026-11-23T12:00:00.000Z', false],
  ])('begins with its first instant and ends before its last: at %s %p', (at, expected) => {
    expect(isAbsent(away, at)).toBe(expected);
  });
});

describe('holding a role', () => {
  it('is for people of the directory only', () => {
    expect(holds(directory, 'bob', 'cfo')).toBe(true);
    expect(holds(directory, 'zoe', 'cfo')).toBe(false);
    expect(holds(directory, 'constructor', 'cfo')).toBe(false);
    expect(personOf(directory, 'toString')).toBeUndefined();
  });
});
