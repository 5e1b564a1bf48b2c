/** Relative roles: what a request binds them to, who is then asked, and what the policy and the directory have to say for that. */
import fc from 'fast-check';
import { boundTo, holds, ownedBy, rosterOf, type Directory } from '../../../domain/directory';
import { maySee, rolesOf, type Caller } from '../../../client/api/visibility';
import type { Plan } from '../../../domain/plan';
import { checkAgainstDirectory, parseDirectory, resolve, silenceOf, testScenarios, type RoutingInput } from '../../../policy';
import { FACTS_DIRECTORY, FACTS_POLICY } from '../../support/facts-policy';
import { asking, compiled, usd } from './support';

const NOW = '2026-11-23T09:00:00.000Z';
const policyWith = (change: (text: string) => string = (text) => text) => compiled([{ path: 'policy.yaml', text: change(FACTS_POLICY) }]).policy;
const directoryWith = (change: (text: string) => string = (text) => text): Directory => {
  const { directory, findings } = parseDirectory(change(FACTS_DIRECTORY), 'directory.yaml');
  if (!directory) throw new Error(JSON.stringify(findings));
  return directory;
};
const policy = policyWith();
const directory = directoryWith();

const vip: RoutingInput['provided'] = { 'facts.customer_tier': { value: 'vip', provider: 'crm', at: NOW } };
const spends: RoutingInput['provided'] = { 'facts.annual_spend': { value: usd(1), provider: 'crm', at: NOW } };

function planFor(input: RoutingInput, by = policy): Plan {
  const resolved = resolve(by, input);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
}
const credit = (account: string): Plan => planFor(asking('credit.grant', { account, amount: usd(50) }, { provided: { ...vip, ...spends } }));
const asked = (plan: Plan, from: Directory = directory, now = NOW): string[] =>
  rosterOf(boundTo(from, plan.relative), plan.signOffs[0]?.role ?? '', now, []).map((seat) => seat.person);

describe('a request', () => {
  it('binds the relative roles that its plan names, and no others', () => {
    expect(credit('acme-42').relative).toEqual({ account_lead: { of: 'acme-42', backup: 'support_lead' } });
    expect(planFor(asking('service.restart', {}, { action: { system: 'checkout' } })).relative).toEqual({
      service_owner: { of: 'checkout', backup: 'engineering_manager' },
    });
    expect(planFor(asking('note.add', { account: 'acme-42' }))).not.toHaveProperty('relative');
  });

  it.each([
    ['a hold', 'on_timeout: { end: expire }', 'on_timeout: { end: hold, hold: { role: account_lead, for: 1h, then: deny } }'],
    ['the owner of its row', 'customer: { owner: support_lead }', 'customer: { owner: account_lead }'],
    ['a ticket', 'on_timeout: { end: expire }', 'on_timeout: { end: expire, ticket: { queue: review, owner: account_lead, title: Look } }'],
  ])('binds one that stands in %s', (_where, from, to) => {
    const by = policyWith((text) =>
      text.replace(from, to).replaceAll('ladder: [{ role: account_lead, within: 30m }', 'ladder: [{ role: helper, within: 30m }'),
    );
    expect(planFor(asking('credit.grant', { account: 'acme-42', amount: usd(50) }, { provided: { ...vip, ...spends } }), by).relative).toHaveProperty(
      'account_lead',
    );
  });

  it('asks the owners in their order, and then whoever stands in, on duty first', () => {
    expect(asked(credit('acme-42'))).toEqual(['tom', 'ann', 'lea', 'leo']);
    expect(asked(credit('umbra-7'))).toEqual(['uma', 'lea', 'leo']);
    const away = directoryWith((text) =>
      text.replace('email: tom@example.com', 'email: tom@example.com, absences: [{ from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z" }]'),
    );
    expect(asked(credit('acme-42'), away)).toEqual(['ann', 'lea', 'leo']);
  });

  it.each(['nobody-9', '', '__proto__', 'constructor'])('about what nobody owns (%s) asks whoever stands in alone', (account) => {
    expect(asked(credit(account))).toEqual(['lea', 'leo']);
  });

  it('that does not say what it is about asks whoever stands in alone', () => {
    const by = policyWith((text) =>
      text.replace('of: action.params.account', 'of: facts.home').replace('facts:\n', 'facts:\n  home: { type: string, source: provider, provider: crm }\n'),
    );
    const plan = planFor(asking('credit.grant', { account: 'acme-42', amount: usd(50) }, { provided: { ...vip, ...spends } }), by);
    expect(plan.relative).toEqual({ account_lead: { of: null, backup: 'support_lead' } });
    expect(asked(plan)).toEqual(['lea', 'leo']);
  });

  it('shows what silence comes to, by the names of owners', () => {
    expect(silenceOf(credit('acme-42'), directory, NOW).moments.map(({ what }) => what.replace(/ until.*/, ''))).toEqual([
      'Tom Hale (account lead) is asked',
      'Lea Roth (support lead) is asked',
      'it ends as expired: Nobody answered in time',
    ]);
    expect(silenceOf(credit('acme-42'), null, NOW).moments[0]?.what).toMatch(/^whoever is account lead of acme-42 \(account lead\) is asked/);
  });
});

describe('a directory that is bound', () => {
  it('has the role held by owners and by who stands in, and by nobody else; all else stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.subarray(['a', 'b', 'c', 'd']), { minLength: 2, maxLength: 2 }),
        fc.array(fc.subarray(['lead', 'support', 'other']), { minLength: 4, maxLength: 4 }),
        fc.constantFrom('x', 'y', 'z', null),
        ([x = [], y = []], roles, of) => {
          const people = Object.fromEntries(['a', 'b', 'c', 'd'].map((id, i) => [id, { id, name: id, email: id, roles: roles[i] ?? [], absences: [] }]));
          const plain: Directory = { hash: 'h', people, duty: {}, owners: { lead: { x, y } } };
          const bound = boundTo(plain, { lead: { of, backup: 'support' } });
          for (const id of Object.keys(people)) {
            const owns = of !== null && ownedBy(plain, id).some((owned) => owned.role === 'lead' && owned.of === of);
            expect(holds(bound, id, 'lead')).toBe(owns || holds(plain, id, 'support'));
            for (const role of ['support', 'other']) expect(holds(bound, id, role)).toBe(holds(plain, id, role));
          }
          expect(boundTo(plain, undefined)).toBe(plain);
          expect(bound.hash).toBe(plain.hash);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('decides who may see a request: an owner of this, who stands in, and no owner of anything else', () => {
    const plan = credit('acme-42');
    expect(rolesOf(plan)).toEqual(['account_lead', 'support_lead']);
    const sees = (id: string): boolean => {
      const person = directory.people[id];
      if (!person) throw new Error(id);
      const caller: Caller = { kind: 'person', tenant: 'acme', person, directory, signedInAt: NOW, session: 's' };
      return maySee(caller, { tenant: 'acme', agent: 'a', plan });
    };
    expect(['tom', 'ann', 'uma', 'lea', 'eve', 'rita', 'omar'].map((id) => [id, sees(id)])).toEqual([
      ['tom', true],
      ['ann', true],
      ['uma', false],
      ['lea', true],
      ['eve', false],
      ['rita', false],
      ['omar', true],
    ]);
  });
});

describe('policy and directory together', () => {
  const codes = (change: (text: string) => string, of = policy): string[] =>
    checkAgainstDirectory(of, directoryWith(change)).map((f) => `${f.severity} ${f.code}`);

  it('fit: owners are listed, and somebody stands in', () => {
    expect(
      codes((text) =>
        text
          .replace(
            'roles: [engineering_manager] }',
            'roles: [engineering_manager] }\n  edd: { name: Edd, email: edd@example.com, roles: [engineering_manager] }',
          )
          .replace('duty:\n', 'duty:\n  engineering_manager: [eve, edd]\n'),
      ),
    ).toEqual([]);
  });

  it.each([
    ['nobody stands in', (t: string) => t.replace('roles: [engineering_manager]', 'roles: []'), 'error role_unheld'],
    [
      'a person holds the role for everything',
      (t: string) => t.replace(/ {2}service_owner:\n.*\n/, '').replace('email: rita@example.com', 'email: rita@example.com, roles: [service_owner]'),
      'error relative_role_held',
    ],
    ['nobody owns anything', (t: string) => t.replace(/ {2}service_owner:\n.*\n/, ''), 'warning no_owners'],
    [
      'owners are listed of a role that is not relative',
      (t: string) => t.replace('  service_owner:', '  incident_owner:\n    i-1: [ann]\n  service_owner:'),
      'warning unused_owners',
    ],
  ])('do not where %s', (_what, change, finding) => {
    expect(codes(change)).toContain(finding);
  });

  it('need as many who stand in as have to say yes', () => {
    const dual = policyWith((text) => text.replace('    ladder: [{ role: service_owner', '    tier: dual\n    ladder: [{ role: service_owner'));
    expect(codes((text) => text, dual)).toContain('error not_enough_people');
  });
});

describe('a scenario', () => {
  const run = (rest: string, people: Directory | null = null) =>
    testScenarios(policy, people, [
      {
        path: 'scenarios/a.yaml',
        text: `scenarios:\n  - name: a\n    request: { action: { type: credit.grant, params: { account: acme-42, amount: 50.00 USD } } }\n    provided: { customer_tier: vip, annual_spend: 1.00 USD }\n${rest}`,
      },
    ]).findings.map((f) => f.message);

  it('says what a role is bound to, and who owns it', () => {
    const who =
      'expect: { relative: { account_lead: acme-42 }, when_nobody_answers: { timeline: [{ after: 0m, says: PERSON }, { after: 30m, says: support lead }, { after: 90m, says: expired }] } }\n';
    expect(run(`    owners: { account_lead: { acme-42: [zoe] } }\n    ${who.replace('PERSON', 'whoever is zoe')}`)).toEqual([]);
    expect(run(`    ${who.replace('PERSON', 'Tom Hale')}`, directory)).toEqual([]);
    expect(run(`    owners: { account_lead: { acme-42: [uma] } }\n    ${who.replace('PERSON', 'Uma Rao')}`, directory)).toEqual([]);
  });

  it('fails where it is bound to something else, or an owner is nobody', () => {
    expect(run('    expect: { relative: { account_lead: umbra-7, service_owner: checkout } }\n')).toEqual([
      'a: what account_lead is bound to should be umbra-7, and is acme-42',
      'a: what service_owner is bound to should be checkout, and is no role of this plan',
    ]);
    expect(run('    owners: { account_lead: { acme-42: [zoe] } }\n    expect: { effect: approval }\n', directory)).toEqual([
      'a: zoe is not in the directory; add the person, or mend the id',
    ]);
  });
});
