/** Who may see an approval: the agent that asked, holders of a role the plan may ask, and watchers of the same tenant. */
import type { Person } from '../../../domain/directory';
import type { Plan } from '../../../domain/plan';
import { isWatcher, maySee, rolesOf, type Caller } from '../../../client/api/visibility';

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
