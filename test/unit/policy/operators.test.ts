/** What the policy lets operators do: checked when it is read and against the directory, pinned in every plan, with the authority it needs. */
import type { Plan } from '../../../domain/plan';
import { checkAgainstDirectory, compilePolicy, movesInWords, parseDirectory, resolve, type CompiledPolicy } from '../../../policy';
import { asking as askingRow, filesOf, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

type Rest = Readonly<Record<string, unknown>>;

const row = (id: string, rest: Rest = {}): Row => ({ id, ...askingRow, ...TRIGGERS.pay, ...rest });
const review = { queue: 'audit', owner: 'auditor', title: 'It was forced' };
const override = { roles: ['chief'], may: ['approve', 'deny'], reasons: { outage: 'Nobody can be reached' } };

const compiled = (operators: Rest, rows: readonly Row[] = [row('a')], more: Rest = {}) => {
  const [file] = filesOf(rows);
  return compilePolicy([{ path: 'policy.yaml', text: JSON.stringify({ ...(JSON.parse(file?.text ?? '') as Rest), ...more, operators }) }]);
};
const all = (...given: Parameters<typeof compiled>): string[] => compiled(...given).findings.map((f) => `${f.severity} ${f.code}`);
/** The sample declares roles and facts that one row does not use. */
const found = (...given: Parameters<typeof compiled>): string[] => all(...given).filter((finding) => !finding.startsWith('warning unused_'));
const policyOf = (...given: Parameters<typeof compiled>): CompiledPolicy => {
  const { policy, findings } = compiled(...given);
  if (!policy) throw new Error(JSON.stringify(findings));
  return policy;
};
const planOf = (policy: CompiledPolicy, params: Rest = { amount: usd(480) }, rest: Parameters<typeof asking>[2] = {}): Plan => {
  const resolved = resolve(policy, asking('pay', params as Parameters<typeof asking>[1], rest));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
};

describe('what operators may do', () => {
  it('is in every plan of the policy, also where nobody is asked', () => {
    const whole = {
      roles: ['desk', 'desk'],
      extend_at_most: '8h',
      override: { ...override, second_person: true },
      break_glass: { roles: ['desk'], review },
    };
    const said = {
      roles: ['desk'],
      extendAtMostMs: 8 * 3_600_000,
      override: { roles: ['chief'], may: ['approve', 'deny'], reasons: { outage: 'Nobody can be reached' }, secondPerson: true },
      breakGlass: { roles: ['desk'], review },
    };
    const policy = policyOf(whole, [row('a', TRIGGERS.noted)]);
    const asked = planOf(policy, { amount: usd(1), note: 'x' });
    expect([asked.effect, asked.operators]).toEqual(['approval', said]);
    const allowed = planOf(policy, { amount: usd(1) });
    expect([allowed.effect, allowed.operators]).toEqual(['allow', said]);
    expect(movesInWords(asked)).toEqual([
      'operators: desk may reassign, take over and re-open deliveries, and extend a level by 8h in all',
      'operators: chief may override (approve or deny), two of them together, because of outage',
      'operators: desk may break the glass; auditor reviews it',
    ]);
  });

  it('is no more than it says', () => {
    expect(planOf(policyOf({ roles: ['desk'] })).operators).toEqual({ roles: ['desk'] });
    expect(planOf(policyOf({ roles: ['desk'], override })).operators?.override?.secondPerson).toBe(false);
  });

  it.each<[string, Rest, string]>([
    ['without saying who they are', { extend_at_most: '8h' }, 'error bad_shape'],
    ['by nobody', { roles: [] }, 'error bad_shape'],
    ['by a person', { roles: ['Ann Berg'] }, 'error person_owner'],
    ['by whom depends on the request', { roles: ['account_lead'] }, 'error contradiction'],
    [
      'with a review by whom depends on the request',
      { roles: ['desk'], break_glass: { roles: ['desk'], review: { ...review, owner: 'account_lead' } } },
      'error contradiction',
    ],
    ['for no time', { roles: ['desk'], extend_at_most: 'a bit' }, 'error bad_duration'],
    ['for more than a week', { roles: ['desk'], extend_at_most: '8d' }, 'warning long_extension'],
    ['with a glass that nobody reviews', { roles: ['desk'], break_glass: { roles: ['desk'] } }, 'error bad_shape'],
    ['with a glass that who breaks it reviews', { roles: ['desk'], break_glass: { roles: ['desk', 'auditor'], review } }, 'warning own_glass'],
    ['with a glass that the only owner breaks', { roles: ['desk'], break_glass: { roles: ['lead'], review } }, 'warning own_glass'],
    ['with an override for no reason', { roles: ['desk'], override: { ...override, reasons: {} } }, 'error bad_shape'],
    ['with an override that may do nothing', { roles: ['desk'], override: { ...override, may: [] } }, 'error bad_shape'],
    ['with a key that is none', { roles: ['desk'], kill: true }, 'error unknown_key'],
  ])('is refused or doubted %s', (_, operators, code) => {
    const relative = { relative_roles: { account_lead: { of: 'action.system', backup: 'lead' } } };
    expect(found(operators, [row('a', { ladder: [{ role: 'account_lead', within: '1h' }] })], relative)).toContain(code);
  });

  it('is said once, in one file', () => {
    const [file] = filesOf([row('a')]);
    const again = { path: 'more.yaml', text: 'operators: { roles: [desk] }' };
    const text = JSON.stringify({ ...(JSON.parse(file?.text ?? '') as Rest), operators: { roles: ['desk'] } });
    expect(compilePolicy([{ path: 'policy.yaml', text }, again]).findings.filter((f) => f.severity === 'error')).toMatchObject([
      { code: 'duplicate_declaration' },
    ]);
    expect(compilePolicy([...(file ? [file] : []), again]).policy?.operators?.said).toEqual({ roles: ['desk'] });
  });

  it('has an effect only where somebody is asked, and a glass only where a yes is', () => {
    const never: Row = { id: 'a', effect: 'block', lane: 'security', owner: 'officer', on_deny: { path: 'never' }, ...TRIGGERS.pay };
    const whole = { roles: ['desk'], extend_at_most: '1h', override, break_glass: { roles: ['desk'], review } };
    expect(found(whole, [never])).toEqual(['error decorative_key', 'error decorative_key', 'error decorative_key']);
    expect(found(whole, [row('a', { kind: 'escalation' })])).toEqual(['error decorative_key']);
    expect(found({ roles: ['desk'] }, [never])).toEqual([]);
  });
});

describe('who overrides', () => {
  const measured = (more: Rest = {}) =>
    row('a', {
      amount: 'action.params.amount',
      ladder: [
        { role: 'lead', within: '1h' },
        { role: 'chief', within: '1h' },
      ],
      ...more,
    });

  it('has authority as far as their role reaches, beside those who are asked', () => {
    const { authority, unmeasured } = planOf(policyOf({ roles: ['desk'], override: { ...override, roles: ['head', 'desk'] } }, [measured()]));
    expect(authority).toEqual({ lead: usd(100), chief: null, head: usd(1000) });
    expect(unmeasured).toBeUndefined();
    // Nobody is asked, so nobody can be overridden.
    expect(planOf(policyOf({ roles: ['desk'], override }, [measured({ ...TRIGGERS.noted })])).authority).toEqual({});
  });

  it('is doubted where their role has none, and that is no authority nobody uses', () => {
    expect(found({ roles: ['desk'], override: { ...override, roles: ['desk'] } }, [measured()])).toContain('warning role_without_authority');
    expect(found({ roles: ['desk'], override: { ...override, roles: ['desk'], may: ['deny'] } }, [measured()])).not.toContain('warning role_without_authority');
    const unused = (operators: Rest): number => all(operators, [measured()]).filter((one) => one === 'warning unused_authority').length;
    expect(unused({ roles: ['desk'] }) - unused({ roles: ['desk'], override: { ...override, roles: ['head'] } })).toBe(1);
  });

  it('of what somebody with more authority refused has less than is needed', () => {
    const rows = [measured(), row('b', { excepts: ['a'], ...measured({ excepts: ['a'] }), id: 'b' })];
    const policy = policyOf({ roles: ['desk'], override: { ...override, roles: ['head'] } }, rows);
    const by = [{ person: 'somebody', role: 'chief' }];
    expect(planOf(policy, { amount: usd(5) }, { exception: { of: 'ap_1', outcome: 'denied', rows: ['a'], by } }).exception?.below).toEqual(['lead', 'head']);
  });
});

describe('against the directory', () => {
  const people = (more: string): string => `people:
  ann: { name: Ann, email: ann@shop.example, roles: [lead, desk] }
  ben: { name: Ben, email: ben@shop.example, roles: [lead] }
  ${more}
duty: { lead: [ann, ben] }
`;
  const codes = (operators: Rest, more = ''): string[] => {
    const { directory, findings } = parseDirectory(people(more), 'directory.yaml');
    if (!directory) throw new Error(JSON.stringify(findings));
    return checkAgainstDirectory(policyOf(operators), directory).map((f) => `${f.severity} ${f.code}`);
  };
  const chiefs = 'cem: { name: Cem, email: cem@shop.example, roles: [chief, auditor] }';
  const more = `${chiefs}\n  dee: { name: Dee, email: dee@shop.example, roles: [chief, auditor] }`;

  it('passes where somebody holds each role, two of them where two are needed, and others review', () => {
    const whole = { roles: ['desk'], override: { ...override, second_person: true }, break_glass: { roles: ['desk'], review } };
    expect(codes(whole, more)).toEqual([]);
  });

  it.each<[string, Rest, string, string]>([
    ['operators whom nobody is', { roles: ['clerk'] }, 'error role_unheld', ''],
    ['one role of operators that nobody holds', { roles: ['clerk', 'desk'] }, 'warning role_unheld', ''],
    ['a person as operator', { roles: ['ann'] }, 'error person_owner', ''],
    ['an override by nobody', { roles: ['desk'], override }, 'error role_unheld', ''],
    ['an override by two of whom there is one', { roles: ['desk'], override: { ...override, second_person: true } }, 'error not_enough_people', chiefs],
    ['a glass that nobody can break', { roles: ['desk'], break_glass: { roles: ['clerk'], review } }, 'error role_unheld', more],
    ['a glass that nobody reviews', { roles: ['desk'], break_glass: { roles: ['desk'], review } }, 'error role_unheld', ''],
    ['a glass whose only reviewer may break it', { roles: ['desk'], break_glass: { roles: ['chief'], review } }, 'warning own_glass', chiefs],
  ])('finds %s', (_, operators, code, held) => {
    expect(codes(operators, held)).toContain(code);
  });

  it('finds a level at which nobody is left who was not asked before', () => {
    const levels = (roles: readonly string[]) => roles.map((role) => ({ role, within: '1h' }));
    const skipped = (tier: string, text: string): string[] => {
      const policy = policyOf({ roles: ['desk'] }, [row('a', { tier, ladder: levels(['lead', 'chief']) })]);
      const { directory, findings } = parseDirectory(text, 'directory.yaml');
      if (!directory) throw new Error(JSON.stringify(findings));
      return checkAgainstDirectory(policy, directory).flatMap((f) => (f.code === 'same_person_fallback' ? [f.message] : []));
    };
    const text = `people:
  ann: { name: Ann, email: ann@shop.example, roles: [lead, desk] }
  ben: { name: Ben, email: ben@shop.example, roles: [lead, chief] }
  cem: { name: Cem, email: cem@shop.example, roles: [chief] }
duty: { lead: [ann, ben], chief: [cem, ben] }
`;
    expect(skipped('strong', text)).toEqual([]);
    expect(skipped('dual', text)).toEqual([
      'chief would be skipped: of those who hold chief only cem has not been asked before, and 2 are needed; give the role to more people',
    ]);
    expect(skipped('dual', text.replace('duty:', '  dee: { name: Dee, email: dee@shop.example, roles: [chief] }\nduty:'))).toEqual([]);
  });
});
