/**
 * Who may see an approval: the agent that asked, holders of a role that the plan may ask or lets operate, whoever stands in for one of
 * these, whoever was drawn into it by name, and watchers of the same tenant.
 */
import type { Person } from '../../../domain/directory';
import type { Plan } from '../../../domain/plan';
import { hasDeputies, isWatcher, maySee, operatorRolesOf, rolesOf, standsFor, type Caller } from '../../../client/api/visibility';

const plan = {
  signOffs: [{ role: 'finance_manager', ladder: [{ role: 'finance_manager' }, { role: 'cfo' }] }],
  onTimeout: { end: 'hold', hold: { role: 'controller', forMs: 1, then: 'deny' } },
} as unknown as Plan;
const approval = { tenant: 'acme', agent: 'refund-bot', plan };

const person = (roles: readonly string[], tenant = 'acme'): Caller => {
  const who: Person = { id: 'p', name: 'P', email: 'p@example.com', roles, absences: [] };
  return { kind: 'person', tenant, person: who, directory: { hash: 'h', people: { p: who }, duty: {} }, signedInAt: '2026-11-21T09:00:00.000Z', session: 's' };
};
const agent = (name: string, tenant = 'acme'): Caller => ({ kind: 'agent', tenant, agent: name, owner: null });

it('a plan may ask every role of its ladders, and the backup of its hold', () => {
  expect(rolesOf(plan).sort()).toEqual(['cfo', 'controller', 'finance_manager']);
});

it.each([
  ['the agent that asked', agent('refund-bot'), true],
  ['another agent', agent('other-bot'), false],
  ['the agent of the same name elsewhere', agent('refund-bot', 'umbrella'), false],
  ['who is asked first', person(['finance_manager']), true],
  ['who is asked next', person(['cfo']), true],
  ['the backup of a hold', person(['controller']), true],
  ['a role that is not asked', person(['security_officer']), false],
  ['nobody in particular', person([]), false],
  ['an operator', person(['operator']), true],
  ['an auditor', person(['auditor']), true],
  ['an auditor of another tenant', person(['auditor'], 'umbrella'), false],
  ['a CFO of another tenant', person(['cfo'], 'umbrella'), false],
])('%s: %s %s', (_who, caller, sees) => {
  expect(maySee(caller, approval)).toBe(sees);
});

it('watching is a role of its own, not one that sounds like it', () => {
  const who = (roles: readonly string[]): Person => ({ id: 'p', name: 'P', email: 'p@example.com', roles, absences: [] });
  expect([['operator'], ['auditor'], ['auditors'], ['co_operator'], []].map((roles) => isWatcher(who(roles)))).toEqual([true, true, false, false, false]);
});

describe('whom the policy lets operate', () => {
  const operators = {
    roles: ['desk_lead'],
    override: { roles: ['risk_officer'], may: ['deny'], reasons: { outage: 'Nobody is there' }, secondPerson: false },
    breakGlass: { roles: ['incident_lead'], review: { queue: 'q', owner: 'cfo', title: 't' } },
  } as const;
  const operated = { ...approval, plan: { ...plan, operators } };

  it.each([
    ['who operates', ['desk_lead'], true],
    ['who overrides', ['risk_officer'], true],
    ['who breaks the glass', ['incident_lead'], true],
    ['an operator, whom this policy does not name, still watches', ['operator'], true],
    ['somebody else', ['security_officer'], false],
  ])('%s: %j %s', (_who, roles, sees) => {
    expect(maySee(person(roles), operated)).toBe(sees);
    expect(maySee(person(roles, 'umbrella'), operated)).toBe(false);
  });

  it('is operators where it says nothing', () => {
    expect(operatorRolesOf({})).toEqual(['operator']);
    expect(operatorRolesOf({ operators })).toEqual(['desk_lead', 'risk_officer', 'incident_lead']);
    expect(maySee(person(['desk_lead']), approval)).toBe(false);
  });
});

it.each([
  ['asked, or given it, by name', ['p'], 'acme', true],
  ['another one was', ['q'], 'acme', false],
  ['of the same name in another tenant', ['p'], 'umbrella', false],
])('who holds no role of it: %s', (_who, involved, tenant, sees) => {
  expect(maySee(person(['warehouse'], tenant), { ...approval, involved })).toBe(sees);
});

describe('a deputy', () => {
  const AT = '2026-11-21T09:00:00.000Z';
  const away = { from: '2026-11-20T00:00:00.000Z', to: '2026-11-22T00:00:00.000Z' };
  const one = (id: string, roles: readonly string[], absences: Person['absences'] = []): [string, Person] => [
    id,
    { id, name: id, email: `${id}@example.com`, roles, absences },
  ];
  const people = Object.fromEntries([
    one('fay', ['finance_manager'], [{ ...away, deputy: 'dan' }]),
    one('cleo', ['cfo'], [{ from: away.to, to: '2026-11-30T00:00:00.000Z', deputy: 'kim' }]),
    one('dan', ['clerk']),
    one('kim', ['clerk']),
  ]);
  const directory = { hash: 'h', people, duty: {} };
  const as = (id: string): Caller => {
    const who = people[id];
    if (!who) throw new Error(`nobody is called ${id}`);
    return { kind: 'person', tenant: 'acme', person: who, directory, standsFor: standsFor(directory, id, AT), signedInAt: AT, session: 's' };
  };

  it('sees what the absent would see, while they are absent', () => {
    expect(hasDeputies(directory)).toBe(true);
    expect(standsFor(directory, 'dan', AT).map(({ id }) => id)).toEqual(['fay']);
    expect([maySee(as('dan'), approval), maySee(as('kim'), approval)]).toEqual([true, false]);
  });

  it('watches nothing by it', () => {
    const watched = { ...directory, people: { ...people, ...Object.fromEntries([one('omar', ['operator'], [{ ...away, deputy: 'dan' }])]) } };
    const elsewhere = {
      ...approval,
      plan: { ...plan, signOffs: [], onTimeout: { end: 'deny' }, operators: { roles: ['desk_lead'] } },
    } as unknown as typeof approval;
    const caller = as('dan');
    if (caller.kind !== 'person') throw new Error('dan is a person');
    expect(maySee({ ...caller, directory: watched, standsFor: standsFor(watched, 'dan', AT) }, elsewhere)).toBe(false);
  });
});
