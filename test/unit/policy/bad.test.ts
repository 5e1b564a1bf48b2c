import { compilePolicy, formatFindings, type Finding, type FindingCode } from '../../../policy';

/**
 * A policy without a finding, to be spoiled one thing at a time. In what is put in, ▸ marks the place the finding must name.
 */
const GOOD = `name: sample
version: "1"
authority: { boss: { up_to: "100.00 USD" }, chief: { up_to: unlimited } }
actions:
  pay: { params: { amount: money, tier: "enum[a, b]", days: int, score: double, to: string, tags: "list<string>", blob: any? } }
  close: { params: { ref: string } }
facts:
  big: { type: bool, source: action, value: action.params.amount > usd(1000) }
  region: { type: "enum[north, south]", source: agent }
default: { tier: none, lane: manager, owner: boss }
rows:
  - id: first
    when: action.type == "pay" && (facts.big || has(facts.region))
    examples:
      match: [{ action: { type: pay, params: { amount: 1000.01 USD } } }]
      no_match: [{ action: { type: pay, params: { amount: 1000.00 USD } } }]
    lane: finance
    owner: boss
    tier: strong
    risk: high
    urgency: soon
    meanwhile: { agent: block, operator: look }
    evidence: [invoice]
    amount: action.params.amount
    sign_offs:
      - ladder: [{ role: boss, within: 1h, reminders: [0.5] }, { role: chief, within: 1h }]
      - { only: above_authority, ladder: [{ role: chief, within: 1h, name: second }] }
    on_timeout: { end: expire }
    on_deny: { path: stop }
`;

interface Spoiled {
  readonly code: FindingCode;
  readonly row?: string | null;
  readonly from: string;
  readonly to: string;
  /** A second thing to put in, where one alone would not be wrong. */
  readonly also?: readonly [string, string];
  readonly severity?: 'warning';
}

function spoil({ from, to, also }: Spoiled): { text: string; line: number; column: number } {
  if (GOOD.split(from).length !== 2) throw new Error(`The text to spoil occurs ${GOOD.split(from).length - 1} times: ${from}`);
  const marked = GOOD.replace(from, () => to).replace(also?.[0] ?? '', () => also?.[1] ?? '');
  const before = marked.split('▸')[0] ?? '';
  const lines = before.split('\n');
  return { text: marked.replace('▸', ''), line: lines.length, column: (lines[lines.length - 1] ?? '').length + 1 };
}

const row = 'first';
const WHEN = 'action.type == "pay" && (facts.big || has(facts.region))';
const LADDER = '{ role: boss, within: 1h, reminders: [0.5] }';
/** Where a finding about something missing stands: the row's id. */
const ID = '  - id: first\n';
const without = (code: FindingCode, key: string, rest = ''): [string, Spoiled] => [`a row without ${key}`, { code, row, from: `    ${key}:${rest}\n`, to: '' }];

const REGION = 'region: { type: "enum[north, south]", source: agent }';
const CRM = ['actions:\n', 'providers: { crm: {} }\nactions:\n'] as const;
const PROVIDED = [REGION, `${REGION.replace('agent', 'provider, provider: crm')}\nproviders: { crm: {} }`] as const;
/** A relative role called lead. */
const relative = (body: string): { from: string; to: string } => ({ from: 'facts:\n', to: `relative_roles: { lead: ${body} }\nfacts:\n` });

const TABLE: readonly [string, Spoiled][] = [
  ['a key that does not exist', { code: 'unknown_key', row, from: '    tier: strong\n', to: '    tier: strong\n    ▸teir: dual\n' }],
  ['a key that does not exist at the top', { code: 'unknown_key', from: 'version: "1"', to: 'version: "1"\n▸calendar: x' }],
  ['a calendar that nobody declared', { code: 'unknown_calendar', row, from: LADDER, to: '{ role: boss, within: 1h, calendar: ▸office }' }],
  ['a value of the wrong kind', { code: 'bad_shape', row, from: 'tier: strong', to: 'tier: ▸strongest' }],
  ['a version that is a number', { code: 'bad_shape', from: '"1"', to: '▸1' }],
  ['broken YAML', { code: 'yaml_syntax', from: 'evidence: [invoice]\n    amount:', to: 'evidence: [invoice\n    ▸amount:' }],
  ['the same key twice', { code: 'yaml_syntax', from: '    risk: high\n', to: '    risk: high\n    ▸risk: low\n' }],
  ['an alias', { code: 'yaml_alias', from: '    lane: finance\n    owner: boss', to: '    lane: &l finance\n    owner: ▸*l' }],
  ['no name', { code: 'missing_name', from: 'name: sample\n', to: '▸' }],
  ['no version', { code: 'missing_version', from: 'name: sample\nversion: "1"\n', to: '▸name: sample\n' }],
  ['no default row', { code: 'missing_default', from: 'default: { tier: none, lane: manager, owner: boss }\n', to: '' }],
  ['two rows of one name', { code: 'duplicate_row', row, from: '    on_deny: { path: stop }\n', to: '    on_deny: { path: stop }\n  - id: ▸first\n' }],
  [
    'a row that calls itself default',
    { code: 'duplicate_row', row: 'default', from: '    on_deny: { path: stop }\n', to: '    on_deny: { path: stop }\n  - id: ▸default\n' },
  ],
  without('missing_trigger', 'when', ` ${WHEN}`),
  [
    'a row without a no_match example',
    { code: 'missing_examples', row, from: '      no_match: [{ action: { type: pay, params: { amount: 1000.00 USD } } }]\n', to: '' },
  ],
  without('missing_lane', 'lane', ' finance'),
  ['a row without owner', { code: 'missing_owner', row, from: '    lane: finance\n    owner: boss\n', to: '    lane: finance\n' }],
  without('missing_tier', 'tier', ' strong'),
  without('missing_risk', 'risk', ' high'),
  without('missing_urgency', 'urgency', ' soon'),
  [
    'a row that does not say what the agent does meanwhile',
    { code: 'missing_meanwhile_agent', row, from: '{ agent: block, operator: look }', to: '{ operator: look }' },
  ],
  [
    'a row that does not say what the operator does',
    { code: 'missing_meanwhile_operator', row, from: '{ agent: block, operator: look }', to: '{ agent: block }' },
  ],
  without('missing_evidence', 'evidence', ' [invoice]'),
  without('missing_on_timeout', 'on_timeout', ' { end: expire }'),
  without('missing_on_deny', 'on_deny', ' { path: stop }'),
  ['a timeout without an end', { code: 'missing_terminal_outcome', row, from: '{ end: expire }', to: '▸{}' }],
  [
    'a sign-off without a ladder',
    { code: 'missing_ladder', row, from: `      - ladder: [${LADDER}, { role: chief, within: 1h }]`, to: '      - ▸{ role: boss }' },
  ],
  ['a level without deadline', { code: 'missing_deadline', row, from: LADDER, to: '▸{ role: boss }', also: ['    urgency: soon\n', ''] }],
  ['a deadline that is no duration', { code: 'bad_duration', row, from: LADDER, to: '{ role: boss, within: ▸soon }' }],
  ['a reminder after the deadline', { code: 'bad_reminder', row, from: 'reminders: [0.5]', to: 'reminders: ▸[0.5, 1.5]' }],
  ['reminders that go back', { code: 'bad_reminder', row, from: 'reminders: [0.5]', to: 'reminders: ▸[0.5, 0.4]' }],
  ['a person as owner', { code: 'person_owner', row, from: '    lane: finance\n    owner: boss', to: '    lane: finance\n    owner: ▸ann@shop.example' }],
  ['a person on a level', { code: 'person_owner', row, from: LADDER, to: '{ role: ▸Ann Berg, within: 1h }' }],
  ['a level that reaches only a shared channel', { code: 'shared_channel', row, from: LADDER, to: '{ role: boss, within: 1h, channels: ▸["#finance"] }' }],
  ['a channel that is not there', { code: 'unknown_channel', row, from: LADDER, to: '{ role: boss, within: 1h, channels: [email, ▸pigeon] }' }],
  ['a channel named twice', { code: 'duplicate_channel', row, from: LADDER, to: '{ role: boss, within: 1h, channels: [email, webhook, ▸email] }' }],
  ['the webhook alone', { code: 'webhook_only', severity: 'warning', row, from: LADDER, to: '{ role: boss, within: 1h, channels: ▸[webhook] }' }],
  ['a fallback that is the same role', { code: 'same_fallback', row, from: '{ role: chief, within: 1h }', to: '{ role: ▸boss, name: again, within: 1h }' }],
  ['two levels of one name', { code: 'duplicate_level', row, from: '{ role: chief, within: 1h }', to: '▸{ role: chief, name: boss, within: 1h }' }],
  [
    'two sign-offs that would be one signature',
    {
      code: 'duplicate_sign_off',
      row,
      from: '      - { only: above_authority, ladder: [{ role: chief, within: 1h, name: second }] }',
      to: '      - { only: above_authority, ladder: [{ role: chief, within: 1h, name: second }] }\n      - ▸{ lane: finance, role: boss, ladder: [{ role: boss, within: 1h }] }',
    },
  ],
  [
    'a hold for the role that every sign-off ends with',
    { code: 'same_fallback', row, from: '{ end: expire }', to: '{ end: hold, hold: { role: ▸chief, for: 1h, then: deny } }' },
  ],
  [
    'a hold for the role that one of two sign-offs ends with',
    {
      code: 'same_fallback',
      severity: 'warning',
      row,
      from: '{ end: expire }',
      to: '{ end: hold, hold: { role: ▸chief, for: 1h, then: deny } }',
      also: ['reminders: [0.5] }, { role: chief, within: 1h }]', 'reminders: [0.5] }]'],
    },
  ],
  ['a lane that is not declared', { code: 'unknown_lane', row, from: 'lane: finance', to: 'lane: ▸legal' }],
  [
    'a role that is asked about money without authority',
    { code: 'role_without_authority', row, from: '{ role: chief, within: 1h }', to: '{ role: ▸clerk, within: 1h }' },
  ],
  ['a limit that is no money', { code: 'bad_money', from: '"100.00 USD"', to: '▸"100 dollars"' }],
  ['a limit with half a cent', { code: 'bad_money', from: '"100.00 USD"', to: '▸"100.005 USD"' }],
  ['a type that is none', { code: 'bad_type', from: 'days: int', to: 'days: ▸integer' }],
  ['a param with the name of what every object has', { code: 'bad_type', from: 'days: int', to: 'constructor: ▸int' }],
  ['one param with two types', { code: 'conflicting_param', from: 'ref: string', to: 'ref: string, days: ▸string' }],
  [
    'a quorum of one for two people',
    { code: 'bad_quorum', row, from: '    tier: strong', to: '    tier: dual', also: ['      - ladder:', '      - quorum: ▸1\n        ladder:'] },
  ],
  ['a row that supersedes one that is not there', { code: 'unknown_row', row, from: ID, to: '  - id: ▸first\n    supersedes: [other]\n' }],
  ['a row that supersedes itself', { code: 'supersedes_itself', row, from: ID, to: '  - id: ▸first\n    supersedes: [first]\n' }],
  [
    'only: without a sign-off before',
    {
      code: 'contradiction',
      row,
      from: `- ladder: [${LADDER}, { role: chief, within: 1h }]`,
      to: `- ladder: [${LADDER}, { role: chief, within: 1h }]\n        only: ▸above_authority`,
    },
  ],
  [
    'a ladder that no sign-off uses',
    { code: 'decorative_key', row, from: '    sign_offs:\n', to: '    ladder: ▸[{ role: boss, within: 1h }]\n    sign_offs:\n' },
  ],
  ['hold without saying whom to page', { code: 'contradiction', row, from: '{ end: expire }', to: '▸{ end: hold }' }],
  [
    'an alternative that never happens',
    { code: 'contradiction', row, from: '{ end: expire }', to: '{ end: expire, alternative: ▸{ type: close, summary: close it } }' },
  ],
  [
    'an alternative that is no action',
    { code: 'unknown_action_type', row, from: '{ end: expire }', to: '{ end: safe_alternative, alternative: { type: ▸shut, summary: shut it } }' },
  ],
  ['a block that also asks', { code: 'contradiction', row, from: ID, to: '  - id: first\n    effect: block\n    kind: ▸approval\n' }],
  [
    'an allowing row with a ladder',
    { code: 'decorative_key', row, from: '    tier: strong', to: '    tier: none', also: ['    meanwhile:', '    ▸meanwhile:'] },
  ],
  ['a claimed fact with a value', { code: 'decorative_key', from: 'source: agent }', to: 'source: agent, value: ▸"1 == 1" }' }],
  ['a computed fact that does not say how', { code: 'bad_shape', from: ', value: action.params.amount > usd(1000) }', to: ' }' }],
  ['a fact required for no action', { code: 'unknown_action_type', from: 'source: agent }', to: 'source: agent, required_for: [▸payy] }' }],
  // conditions
  ['a condition that does not parse', { code: 'cel_syntax', row, from: WHEN, to: 'action.type == ▸&& true' }],
  ['a fact that is not declared', { code: 'unknown_fact', row, from: WHEN, to: 'action.type == "pay" && ▸facts.bigg' }],
  ['a param that is not declared', { code: 'unknown_name', row, from: WHEN, to: '▸action.params.amout > usd(1)' }],
  ['a root that does not exist', { code: 'unknown_name', row, from: WHEN, to: '▸user.name == "x"' }],
  ['an opaque param', { code: 'unknown_name', row, from: WHEN, to: '▸action.params.blob == "x"' }],
  ['a condition that is no bool', { code: 'cel_type', row, from: WHEN, to: '▸action.params.days' }],
  ['money compared to a number', { code: 'cel_type', row, from: WHEN, to: '▸action.params.amount > 250' }],
  ['a whole number compared to a decimal with ==', { code: 'cel_int_double', row, from: WHEN, to: 'true && ▸action.params.score == 250' }],
  ['a text that is none of the enum', { code: 'cel_enum', row, from: WHEN, to: 'action.params.tier == ▸"c"' }],
  ['a text that is none of the enum, the other way round and in a list', { code: 'cel_enum', row, from: WHEN, to: 'action.params.tier in ["a", ▸"c"]' }],
  ['a trigger for an action that is not declared', { code: 'unknown_action_type', row, from: WHEN, to: 'action.type == ▸"payy"' }],
  ['has() of a typo', { code: 'cel_has', row, from: WHEN, to: '▸has(facts.regoin)' }],
  ['half a cent', { code: 'cel_constant', row, from: WHEN, to: 'action.params.amount > ▸usd(0.005)' }],
  [
    'a type error in the third line of a folded condition',
    { code: 'unknown_fact', row, from: WHEN, to: '>-\n      action.type == "pay"\n      && true\n      && ▸facts.nope' },
  ],
  ['a type error inside quotes', { code: 'unknown_fact', row, from: WHEN, to: "'true && ▸facts.nope'" }],
  ['an amount that is no money', { code: 'cel_type', row, from: 'amount: action.params.amount\n', to: 'amount: ▸action.params.days\n' }],
  ['a computed fact of another type than declared', { code: 'cel_type', from: 'value: action.params.amount > usd(1000)', to: 'value: ▸action.params.days' }],
  ['a computed fact that reads a fact', { code: 'unknown_fact', from: 'value: action.params.amount > usd(1000)', to: 'value: ▸facts.region == "north"' }],
  // examples
  [
    'an example that does not match',
    {
      code: 'example_fails',
      row,
      from: '[{ action: { type: pay, params: { amount: 1000.01 USD } } }]',
      to: '[▸{ action: { type: pay, params: { amount: 999.00 USD } } }]',
    },
  ],
  [
    'an example that must not match but does',
    {
      code: 'example_fails',
      row,
      from: '[{ action: { type: pay, params: { amount: 1000.00 USD } } }]',
      to: '[▸{ action: { type: pay, params: { amount: 1000.02 USD } } }]',
    },
  ],
  [
    'an example that lacks what the trigger reads',
    { code: 'example_unevaluable', row, from: '[{ action: { type: pay, params: { amount: 1000.01 USD } } }]', to: '[▸{ action: { type: pay } }]' },
  ],
  [
    'an example with an unknown action',
    { code: 'unknown_action_type', row, from: '[{ action: { type: pay, params: { amount: 1000.01 USD } } }]', to: '[{ action: { type: ▸payy } }]' },
  ],
  ['an example with a mistyped param', { code: 'example_bad', row, from: '{ amount: 1000.01 USD }', to: '{ amount: ▸1000.01 }' }],
  [
    'an example that claims a computed fact',
    { code: 'example_bad', row, from: '{ amount: 1000.01 USD } }', to: '{ amount: 1000.01 USD } }, facts: { big: ▸true }' },
  ],
  // doubts
  ['a deadline of more than a day', { code: 'long_deadline', severity: 'warning', row, from: LADDER, to: '{ role: boss, within: ▸25h }' }],
  [
    'a hold of more than a day',
    { code: 'long_deadline', severity: 'warning', row, from: '{ end: expire }', to: '{ end: hold, hold: { role: boss, for: ▸25h, then: deny } }' },
  ],
  [
    'a day and more for who took over',
    { code: 'long_deadline', severity: 'warning', row, from: '    tier: strong\n', to: '    tier: strong\n    takeover_within: ▸25h\n' },
  ],
  ['a lane that no row uses', { code: 'unused_lane', severity: 'warning', from: 'actions:\n', to: 'lanes:\n  ▸legal: { owner: boss }\nactions:\n' }],
  [
    'a lane that is there anyway, described for no row',
    { code: 'unused_lane', severity: 'warning', from: 'actions:\n', to: 'lanes:\n  ▸security: { owner: boss }\nactions:\n' },
  ],
  [
    'an authority of a role that nobody asks',
    { code: 'unused_authority', severity: 'warning', from: 'chief: { up_to: unlimited }', to: 'chief: { up_to: unlimited }, ▸clerk: { up_to: 1.00 USD }' },
  ],
  [
    'three levels',
    {
      code: 'many_levels',
      severity: 'warning',
      row,
      from: '{ role: chief, within: 1h }',
      to: '{ role: chief, within: 1h }, ▸{ role: boss, name: last, within: 1h }',
    },
  ],
  // providers and relative roles
  ['a fact from the record', { code: 'bad_shape', from: 'source: agent }', to: 'source: ▸record }' }],
  ['a provider that is not named', { code: 'missing_provider', from: REGION, to: REGION.replace('agent', 'provider').replace('{', '▸{') }],
  ['a provider that is declared nowhere', { code: 'unknown_provider', from: 'source: agent }', to: 'source: provider, provider: ▸crm }' }],
  ['a provider of a claimed fact', { code: 'decorative_key', from: 'source: agent }', to: 'source: agent, provider: ▸crm }', also: CRM }],
  ['a computed fact that is required', { code: 'decorative_key', from: 'usd(1000) }', to: 'usd(1000), required_for: ▸[pay] }' }],
  ['a provider that nobody reads', { code: 'unused_provider', severity: 'warning', from: 'facts:\n', to: 'providers:\n  ▸crm: {}\nfacts:\n' }],
  ['a provider that may take a minute', { code: 'bad_duration', from: 'facts:\n', to: 'providers: { crm: { within: ▸1m } }\nfacts:\n' }],
  ['asking whether a provider answered', { code: 'cel_has_provided', row, from: WHEN, to: '▸has(facts.region)', also: PROVIDED }],
  ['a system fact of nobody', { code: 'unknown_provider', from: 'facts:\n', to: 'system: { depth: { type: int, provider: ▸ops } }\nfacts:\n' }],
  [
    'a system fact that no row reads',
    { code: 'unused_fact', severity: 'warning', from: 'facts:\n', to: 'system:\n  ▸depth: { type: int, provider: crm }\nfacts:\n', also: CRM },
  ],
  ['an owner found by nothing', { code: 'bad_owner_path', ...relative('{ of: ▸facts.account, backup: chief }') }],
  ['an owner found by a number', { code: 'bad_owner_path', ...relative('{ of: ▸action.params.days, backup: chief }') }],
  ['an owner found by who asks', { code: 'bad_owner_path', ...relative('{ of: ▸requester.agent, backup: chief }') }],
  ['an owner without a backup', { code: 'bad_shape', ...relative('{ of: action.params.to }') }],
  ['a backup who is a person', { code: 'person_owner', ...relative('{ of: action.params.to, backup: ▸Anna Berg }') }],
  ['a backup who depends on the request', { code: 'contradiction', ...relative('{ of: action.params.to, backup: ▸lead }') }],
  [
    'a relative role that no row names',
    { code: 'unused_relative_role', severity: 'warning', from: 'facts:\n', to: 'relative_roles:\n  ▸lead: { of: action.params.to, backup: chief }\nfacts:\n' },
  ],
  [
    'an owner that the agent claims',
    {
      code: 'claimed_owner',
      severity: 'warning',
      from: 'facts:\n',
      to: 'relative_roles: { chief: { of: ▸facts.account, backup: boss } }\nfacts:\n  account: { type: string, source: agent }\n',
    },
  ],
  ['a fact nobody reads', { code: 'unused_fact', severity: 'warning', from: 'facts:\n', to: 'facts:\n  ▸lone: { type: bool, source: agent }\n' }],
  [
    'an amount above everybody',
    { code: 'authority_gap', severity: 'warning', row, from: 'up_to: unlimited', to: 'up_to: "900.00 USD"', also: ['- { only:', '- ▸{ only:'] },
  ],
  [
    'money with the manager',
    { code: 'risk_owned_by_manager', severity: 'warning', row, from: '    lane: finance\n    owner: boss', to: '    lane: manager\n    owner: ▸boss' },
  ],
  [
    'a trigger that catches every action without the param',
    { code: 'unguarded_param', severity: 'warning', row, from: WHEN, to: '▸action.params.amount > usd(1000)' },
  ],
  [
    'an escalation about an amount',
    { code: 'decorative_key', row, from: '    tier: strong', to: '    kind: escalation\n    tier: strong', also: ['    amount:', '    ▸amount:'] },
  ],
  [
    'an escalation with a chain',
    { code: 'contradiction', row, from: '    tier: strong', to: '    kind: escalation\n    tier: strong', also: ['- { only:', '- ▸{ only:'] },
  ],
  [
    'a hold about money that pages a role without authority',
    { code: 'role_without_authority', row, from: '{ end: expire }', to: '{ end: hold, hold: { role: clerk, for: 1h, then: deny } }' },
  ],
  ['nesting without end', { code: 'yaml_syntax', from: 'evidence: [invoice]', to: `evidence: ${'['.repeat(60)}${']'.repeat(60)}` }],
];

function placeOf(text: string, what: string, skip: number): readonly [number, number] {
  const lines = text.slice(0, text.indexOf(what) + skip).split('\n');
  return [lines.length, (lines[lines.length - 1] ?? '').length + 1];
}

const of = (findings: readonly Finding[], code: FindingCode): Finding[] => findings.filter((f) => f.code === code);

describe('a policy that is wrong', () => {
  it('is compared with one that is right', () => {
    const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text: GOOD }]);
    expect(formatFindings(findings)).toBe('');
    expect(policy).toMatchObject({ name: 'sample', version: '1', hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown });
  });

  it.each(TABLE)('is refused at the very place: %s', (_, spoiled) => {
    const { text, line, column } = spoil(spoiled);
    const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text }]);
    const found = of(findings, spoiled.code);
    const place = `${spoiled.to}${spoiled.also?.[1] ?? ''}`.includes('▸')
      ? [line, column]
      : (spoiled.row ?? null) === null
        ? null
        : placeOf(text, 'id: first', 4);
    expect(found.map((f) => f.severity)).toContain(spoiled.severity ?? 'error');
    if (place) expect(found.map((f) => [f.line, f.column, f.row])).toContainEqual([...place, spoiled.row ?? null]);
    for (const f of findings) expect(f.message.length).toBeGreaterThan(20);
    expect(policy === null).toBe(spoiled.severity !== 'warning');
  });

  it('is told everything at once, in the order of reading', () => {
    const text = GOOD.replace('    risk: high\n', '')
      .replace('    urgency: soon\n', '')
      .replace('facts.big ||', 'facts.bigg ||')
      .replace('{ role: chief, within: 1h }', '{ role: chief }');
    const { findings } = compilePolicy([{ path: 'policy.yaml', text }]);
    expect(findings.map((f) => f.code)).toEqual(expect.arrayContaining(['missing_risk', 'missing_urgency', 'unknown_fact', 'missing_deadline']));
    expect(findings.map((f) => f.line)).toEqual([...findings.map((f) => f.line)].sort((a, b) => a - b));
  });

  it('is printed with file, line, column, code and row', () => {
    const { findings } = compilePolicy([{ path: 'rules/policy.yaml', text: GOOD.replace('lane: finance', 'lane: legal') }]);
    expect(formatFindings(findings)).toMatch(/^rules\/policy\.yaml:17:11 error unknown_lane \(first\): There is no lane legal; declare it under lanes/);
  });

  it('is refused, and not a crash, however deeply it is nested', () => {
    const { policy, findings } = compilePolicy([{ path: 'a.yaml', text: '['.repeat(100_000) }]);
    expect(policy).toBeNull();
    expect(findings[0]?.code).toBe('yaml_syntax');
  });

  it('is refused when there is no file, or an empty one', () => {
    expect(compilePolicy([]).findings.map((f) => f.code)).toEqual(['no_files']);
    expect(compilePolicy([{ path: 'a.yaml', text: '' }]).findings.map((f) => f.code)).toContain('bad_shape');
  });

  it('is refused when two files declare the same thing, and names both places', () => {
    const { findings } = compilePolicy([
      { path: 'a.yaml', text: GOOD },
      { path: 'b.yaml', text: 'name: other\nactions: { close: {} }\n' },
    ]);
    expect(findings.map((f) => [f.code, f.file, f.line])).toEqual([
      ['duplicate_declaration', 'b.yaml', 1],
      ['duplicate_declaration', 'b.yaml', 2],
    ]);
    expect(findings[0]?.message).toContain('a.yaml:1');
  });
});

describe('the identity of a policy', () => {
  const split = GOOD.split('rows:\n');
  const files = [
    { path: 'a.yaml', text: split[0] ?? '' },
    { path: 'b.yaml', text: `rows:\n${split[1] ?? ''}` },
  ];
  const hash = (of: typeof files): string => compilePolicy(of).policy?.hash ?? '';

  it('is the same in whatever order the files are read', () => {
    expect(hash(files)).toMatch(/^[0-9a-f]{64}$/);
    expect(hash([...files].reverse())).toBe(hash(files));
  });

  it('changes with any character, with a path, and with where a file ends', () => {
    const [a, b] = files;
    if (!a || !b) throw new Error('two files');
    const others = [
      [a, { ...b, text: `${b.text}\n` }],
      [a, { ...b, path: 'c.yaml' }],
      [{ ...a, text: `${a.text}\n` }, b],
    ].map(hash);
    expect(new Set([hash(files), ...others]).size).toBe(4);
  });
});
