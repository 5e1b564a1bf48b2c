import { checkAgainstDirectory, parseDirectory, type CompiledPolicy, type FindingCode } from '../../../policy';
import { asking as askingRow, policyOf, TRIGGERS, type Row } from './sample';

const GOOD = `people:
  ann: { name: Ann, email: ann@shop.example, roles: [lead, officer] }
  ben: { name: Ben, email: ben@shop.example, roles: [lead, head], absences: [{ from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00+01:00 }] }
  cem: { name: Cem, email: cem@shop.example, roles: [head, chief] }
  dee: { name: Dee, email: dee@shop.example, roles: [chief, officer] }
duty:
  lead: [ann, ben]
  head: [cem, ben]
  chief: [dee, cem]
  officer: [dee, ann]
`;

const parsed = (text: string) => {
  const { directory, findings } = parseDirectory(text, 'directory.yaml');
  if (!directory) throw new Error(JSON.stringify(findings));
  return directory;
};

const marked = (from: string, to: string): { text: string; place: [number, number] } => {
  if (!GOOD.includes(from)) throw new Error(`There is no ${from}`);
  const text = GOOD.replace(from, to);
  const lines = (text.split('▸')[0] ?? '').split('\n');
  return { text: text.replace('▸', ''), place: [lines.length, (lines[lines.length - 1] ?? '').length + 1] };
};

describe('a directory', () => {
  it('says who people are, who has duty, and when they are away, in UTC', () => {
    const directory = parsed(GOOD);
    expect(directory.duty['head']).toEqual(['cem', 'ben']);
    expect(directory.people['ben']).toEqual({
      id: 'ben',
      name: 'Ben',
      email: 'ben@shop.example',
      roles: ['lead', 'head'],
      absences: [{ from: '2026-12-24T00:00:00.000Z', to: '2027-01-01T23:00:00.000Z' }],
    });
    expect(directory.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(parsed(`${GOOD}# note\n`).hash).not.toBe(directory.hash);
  });

  it.each<[string, FindingCode, string, string]>([
    ['duty for somebody unknown', 'unknown_person', 'lead: [ann, ben]', 'lead: [ann, ▸bob]'],
    ['duty named like what every object has', 'unknown_person', 'lead: [ann, ben]', 'lead: [ann, ▸constructor]'],
    ['duty for a role that is not held', 'role_not_held', 'lead: [ann, ben]', 'lead: [ann, ▸cem]'],
    ['somebody as own backup', 'duplicate_person', 'lead: [ann, ben]', 'lead: [ann, ▸ann]'],
    ['one address for two people', 'duplicate_email', 'email: ben@shop.example', 'email: ▸Ann@shop.example'],
    ['an absence that ends before it begins', 'bad_absence', '{ from: 2026-12-24T00:00:00Z', '▸{ from: 2027-12-24T00:00:00Z'],
    ['an absence without a zone', 'bad_shape', 'from: 2026-12-24T00:00:00Z', 'from: ▸2026-12-24T00:00:00'],
    ['an address that is none', 'bad_shape', 'email: ann@shop.example', 'email: ▸ann'],
    ['an unknown key', 'unknown_key', 'roles: [lead, officer] }', 'roles: [lead, officer], ▸phone: 1 }'],
    ['an owner who is nobody', 'unknown_person', '  officer: [dee, ann]', '  officer: [dee, ann]\nowners: { account_lead: { acme-42: [ann, ▸bob] } }'],
    ['an owner as own stand-in', 'duplicate_person', '  officer: [dee, ann]', '  officer: [dee, ann]\nowners: { account_lead: { acme-42: [ann, ▸ann] } }'],
    ['nobody as owner', 'bad_shape', '  officer: [dee, ann]', '  officer: [dee, ann]\nowners: { account_lead: { acme-42: ▸[] } }'],
    [
      'an owner who owns everything',
      'relative_role_held',
      'roles: [head, chief] }\n  dee: { name: Dee, email: dee@shop.example, roles: [chief, officer] }\nduty:',
      'roles: ▸[head, chief] }\n  dee: { name: Dee, email: dee@shop.example, roles: [chief, officer] }\nowners: { head: { acme-42: [ann] } }\nduty:',
    ],
    ['a person listed twice', 'yaml_syntax', '  ben:', '  ▸ann:'],
  ])('is refused at the very place: %s', (_, code, from, to) => {
    const { text, place } = marked(from, to);
    const { directory, findings } = parseDirectory(text, 'directory.yaml');
    expect(directory).toBeNull();
    expect(findings.map((f) => [f.code, f.line, f.column])).toContainEqual([code, ...place]);
  });
});

describe('a policy held against a directory', () => {
  const row = (rest: Readonly<Record<string, unknown>> = {}): Row => ({ id: 'r', ...askingRow, ...TRIGGERS.pay, ...rest });
  const codes = (policy: CompiledPolicy, text = GOOD): string[] => checkAgainstDirectory(policy, parsed(text)).map((f) => `${f.severity} ${f.code}`);

  it('passes when everybody who is asked is there, with a backup', () => {
    expect(
      codes(
        policyOf([
          row({
            ladder: [
              { role: 'lead', within: '1h' },
              { role: 'chief', within: '1h' },
            ],
          }),
        ]),
      ),
    ).toEqual([]);
  });

  const table: readonly (readonly [string, Readonly<Record<string, unknown>>, string, string?])[] = [
    [
      'a level whose role nobody holds',
      {
        ladder: [
          { role: 'lead', within: '1h' },
          { role: 'clerk', within: '1h' },
        ],
      },
      'error role_unheld',
    ],
    ['an owner whose role nobody holds', { owner: 'clerk' }, 'warning role_unheld'],
    ['a person where a role belongs', { owner: 'ann' }, 'error person_owner'],
    ['a person on a level', { ladder: [{ role: 'ann', within: '1h' }] }, 'error person_owner'],
    ['a hold that pages nobody', { on_timeout: { end: 'hold', hold: { role: 'clerk', for: '1h', then: 'deny' } } }, 'error role_unheld'],
    [
      'a hold that pages the person that has just not answered',
      { ladder: [{ role: 'chief', within: '1h' }], on_timeout: { end: 'hold', hold: { role: 'officer', for: '1h', then: 'deny' } } },
      'error same_person_fallback',
    ],
    [
      'a hold that pages the inbox that has just not answered',
      { on_timeout: { end: 'hold', hold: { role: 'head', for: '1h', then: 'deny' } } },
      'error same_inbox_fallback',
      GOOD.replace('cem@shop.example', 'ann+duty@shop.example'),
    ],
    [
      'a hold that is no other person for one of two sign-offs',
      {
        sign_offs: [{ ladder: [{ role: 'lead', within: '1h' }] }, { lane: 'security', ladder: [{ role: 'chief', within: '1h' }] }],
        ladder: undefined,
        on_timeout: { end: 'hold', hold: { role: 'officer', for: '1h', then: 'deny' } },
      },
      'warning same_person_fallback',
    ],
    [
      'more signatures than people',
      { tier: 'dual', ladder: [{ role: 'lead', within: '1h' }] },
      'error not_enough_people',
      GOOD.replace('roles: [lead, head]', 'roles: [head]').replace('lead: [ann, ben]', 'lead: [ann]'),
    ],
    [
      'a fallback who is the person that has just not answered',
      {
        ladder: [
          { role: 'chief', within: '1h' },
          { role: 'officer', within: '1h' },
        ],
      },
      'error same_person_fallback',
    ],
    ['a role with one holder', {}, 'warning no_backup', GOOD.replace('roles: [lead, head]', 'roles: [head]').replace('lead: [ann, ben]', 'lead: [ann]')],
    ['a role without duty', {}, 'warning role_without_duty', GOOD.replace('  lead: [ann, ben]\n', '')],
  ];
  it.each(table.map(([title, rest, expected, text]) => ({ title, rest, expected, text: text ?? GOOD })))('finds $title', ({ rest, expected, text }) => {
    expect(codes(policyOf([row(rest)]), text)).toContain(expected);
  });

  it('finds one person behind every lane', () => {
    const alone = 'people:\n  ann: { name: Ann, email: ann@shop.example, roles: [lead, officer] }\n';
    const rows = [row(), row({ id: 's', lane: 'security', ladder: [{ role: 'officer', within: '1h' }] })];
    expect(codes(policyOf(rows), alone)).toContain('warning one_person_behind_all');
    expect(codes(policyOf(rows))).not.toContain('warning one_person_behind_all');
  });

  it('names the file, line and row of what nobody can answer', () => {
    expect(checkAgainstDirectory(policyOf([row({ owner: 'clerk' })]), parsed(GOOD))[0]).toMatchObject({ file: 'policy.yaml', line: 1, row: 'r' });
  });
});
