/** Scenario files: what they may say, what they find, and that each finding names its line with what was expected and what came. */
import fc from 'fast-check';
import { compilePolicy, formatFindings, parseDirectory, partition, testScenarios } from '../../../policy';
import { durationText, parseDuration } from '../../../policy/units';

const POLICY = `
name: sample
version: "1"
lanes: { customer: { owner: support_lead }, finance: { owner: cfo } }
authority: { support_lead: { up_to: 500.00 USD }, cfo: { up_to: unlimited } }
calendars: { office: { zone: Europe/Berlin, hours: { mon-fri: "09:00-17:00" } } }
actions:
  credit.grant: { params: { amount: money } }
  record.write: {}
  other: {}
facts: { urgent: { type: bool, source: agent } }
recent: { credits: { of: [credit.grant], per: customer, within: 24h, sum: amount }, asks: { of: [credit.grant], per: agent, within: 1h, count: true } }
operators: { roles: [cfo], extend_at_most: 2h, override: { roles: [cfo], may: [deny], reasons: { outage: Nobody is there } } }
defaults:
  tier: strong
  risk: medium
  urgency: soon
  meanwhile: { agent: hold_send, operator: look at the queue }
  evidence: []
  on_deny: { path: end the run }
  on_timeout: { end: expire }
default: { tier: none, lane: customer, why: Nothing here is risky }
rows:
  - id: credit
    when: action.type == "credit.grant" && (recent.credits > usd(250) || recent.asks > 5)
    examples:
      match: [{ action: { type: credit.grant, params: { amount: 1.00 USD } }, recent: { credits: 251.00 USD } }]
      no_match: [{ action: { type: credit.grant, params: { amount: 1.00 USD } }, recent: { credits: 250.00 USD, asks: 1 } }]
    lane: customer
    meanwhile:
      agent: reduce_throughput
      to_percent: 20
      operator: look at the queue
      effects:
        open_case: { queue: support, owner: support_lead, title: A credit }
        pause_credential: { credential: runtime, reason: It is looked at }
    questions: { clock: pauses, within: 90m, at_most: 4 }
    takeover_at_most: 12h
    on_deny: { path: end the run, one_no: next_level }
    evidence: [history]
    amount: recent.credits
    offers: { amount_at_most: { param: amount }, options: { now: At once, later: Next month } }
    on_timeout:
      end: expire
      pause_workflow: { reason: Nobody answered }
      disable_credential: { credential: runtime, reason: Nobody answered }
      ticket: { queue: support, owner: support_lead, title: Nobody answered }
      tell_customer: { subject: Your credit, text: We are looking at it }
    ladder:
      - { name: lead, role: support_lead, within: 30m, calendar: office, reminders: [0.5] }
      - { name: CFO, role: cfo, within: 2h }
  - id: never
    when: action.type == "credit.grant" && action.params.amount > usd(9000)
    examples:
      match: [{ action: { type: credit.grant, params: { amount: 9001.00 USD } } }]
      no_match: [{ action: { type: credit.grant, params: { amount: 9000.00 USD } } }]
    lane: finance
    effect: block
  - id: incomplete
    when: action.type == "record.write"
    examples: { match: [{ action: { type: record.write } }], no_match: [{ action: { type: other } }] }
    kind: escalation
    lane: customer
    asks_for: { value: string, source: string }
    ladder: [{ role: support_lead, within: 30m }]
  - id: exception
    excepts: [never]
    when: action.params.amount <= usd(20000)
    examples:
      match: [{ action: { type: credit.grant, params: { amount: 9001.00 USD } } }]
      no_match: [{ action: { type: credit.grant, params: { amount: 20001.00 USD } } }]
    lane: finance
    tier: dual
    order: parallel
    sign_offs: [{ ladder: [{ role: cfo, within: 4h }] }, { lane: customer, ladder: [{ role: support_lead, within: 4h }] }]
`;
const DIRECTORY = `
people:
  ann: { name: Ann Ode, email: ann@x.example, roles: [support_lead] }
  bo: { name: Bo Lind, email: bo@x.example, roles: [cfo] }
  cy: { name: Cy Roth, email: cy@x.example, roles: [cfo] }
duty: { support_lead: [ann], cfo: [bo, cy] }
`;

const compiled = compilePolicy([{ path: 'policy.yaml', text: POLICY }]);
const { directory } = parseDirectory(DIRECTORY, 'directory.yaml');

function run(text: string, people = directory) {
  if (!compiled.policy) throw new Error(formatFindings(compiled.findings));
  return testScenarios(compiled.policy, people, [{ path: 'scenarios/a.yaml', text }]);
}

const CREDIT = 'action: { type: credit.grant, params: { amount: 250.01 USD } }';
const one = (expect: string, request = `${CREDIT}, evidence: [history]`, more = ''): string =>
  `scenarios:\n  - name: one\n    at: '2026-11-20T15:45:00Z'\n${more}    request: { ${request} }\n    expect: { ${expect} }\n`;
const said = (text: string): string[] => run(text).findings.map((f) => `${String(f.line)} ${f.code} ${f.message}`);

describe('a scenario passes', () => {
  it.each([
    ['with all that a plan says', one('effect: approval, rows: [credit], lane: customer, owner: support_lead, tier: strong, risk: medium, urgency: soon')],
    ['with evidence and what the agent does meanwhile', one('evidence: [history], meanwhile: reduce_throughput')],
    ['with what belongs to that, and what is carried out for it', one('while_it_waits: { to_percent: 20, effects: [pause_credential, open_case] }')],
    [
      'with questions, takeovers, one no and operators',
      one(
        'questions: { clock: pauses, within: 90m, at_most: 4 }, takeover_within: 4h, takeover_at_most: 12h, on_a_no: next_level, operators: { roles: [cfo], extend_at_most: 2h, override_by: [cfo], second_person: false, break_glass_by: [] }',
      ),
    ],
    [
      'with what a plan that says nothing of it means',
      one(
        'questions: { clock: runs, within: 4h, at_most: 20 }, takeover_at_most: 4h, on_a_no: ends_it, while_it_waits: { effects: [] }',
        'action: { type: record.write }',
      ),
    ],
    [
      'with the stage of sign-offs that are asked for at the same time',
      one(
        'sign_offs: [{ stage: 1, ladder: [{ role: cfo }] }, { stage: 1, ladder: [{ role: support_lead }] }]',
        'action: { type: credit.grant, params: { amount: 9000.01 USD } }, evidence: [history]',
        '    recent: { credits: 1.00 USD }\n    exception: { outcome: blocked, rows: [never] }\n',
      ),
    ],
    [
      'with who is asked, how long, on which calendar and how',
      one(
        'sign_offs: [{ lane: customer, quorum: 1, ladder: [{ role: support_lead, name: lead, within: 30m, calendar: office, channels: [email] }, { role: cfo, within: 120m, calendar: elapsed }] }]',
      ),
    ],
    ['with nobody asked', one('effect: allow, sign_offs: []', 'action: { type: other }')],
    ['with a refusal', one('refused: missing_evidence', CREDIT)],
    [
      'with the sum of the first request of a window, where it says none',
      one('effect: allow', 'action: { type: credit.grant, params: { amount: 250.00 USD } }'),
    ],
    [
      'with a sum of its own',
      one('rows: [credit]', 'action: { type: credit.grant, params: { amount: 1.00 USD } }, evidence: [history]', '    recent: { credits: 250.01 USD }\n'),
    ],
    [
      'with what may be added to a yes, and what silence brings with it',
      one(
        'offers: [options, amount_at_most], options: [later, now], asks_for: [], when_nobody_answers: { effects: [pause_workflow, disable_credential, ticket, tell_customer] }',
      ),
    ],
    ['with what a person supplies', one('asks_for: [source, value], offers: [], when_nobody_answers: { effects: [] }', 'action: { type: record.write }')],
    ['with a block', one('effect: block', 'action: { type: credit.grant, params: { amount: 9000.01 USD } }, evidence: [history]')],
    [
      'with an exception to it',
      one(
        'rows: [exception, credit], tier: dual',
        'action: { type: credit.grant, params: { amount: 9000.01 USD } }, evidence: [history]',
        '    exception: { outcome: blocked, rows: [never] }\n',
      ),
    ],
    [
      'with the timeline of silence, over a weekend of its calendar',
      one(`when_nobody_answers: { outcome: expired, end: expire, at: '2026-11-23T10:15:00Z', timeline: [
        { after: 0m, says: Ann Ode (lead) is asked until 2026-11-23T08:15:00.000Z },
        { at: '2026-11-20T16:00:00Z', says: a reminder is sent },
        { at: '2026-11-23T08:15:00Z', says: Bo Lind (CFO) is asked },
        { after: 66h30m, says: it ends as expired }] }`),
    ],
  ])('%s', (_, text) => {
    expect(formatFindings(run(text).findings)).toBe('');
    expect(run(text).scenarios).toEqual([{ name: 'one', file: 'scenarios/a.yaml', line: 2, ok: true }]);
  });

  it('without a directory, each role being a person of its own', () => {
    expect(run(one("when_nobody_answers: { outcome: expired, at: '2026-11-23T10:15:00Z' }"), null).findings).toEqual([]);
  });
});

describe('a scenario that expects otherwise says so at its line', () => {
  it.each([
    ['effect: block', 'the effect should be block, and is approval by credit'],
    ['refused: no_exception', 'the refusal should be no_exception, and is none: approval by credit'],
    ['rows: [credit, never]', 'the rows that apply should be credit, never, and is credit'],
    ['tier: dual', 'the tier should be dual, and is strong'],
    ['owner: cfo', 'the owner should be cfo, and is support_lead'],
    ['evidence: []', 'the evidence needed should be none, and is history'],
    ['meanwhile: block', 'what the agent does meanwhile should be block, and is reduce_throughput'],
    ['while_it_waits: { to_percent: 10 }', 'how much of the usual the agent does should be 10%, and is 20%'],
    ['while_it_waits: { retry_after: 5m }', 'how long the agent waits before it tries again should be 5m, and is not said'],
    ['while_it_waits: { alternative: other }', 'the safe path should be other, and is none'],
    ['while_it_waits: { effects: [tell_customer] }', 'what is carried out meanwhile should be tell_customer, and is open_case, pause_credential'],
    ['questions: { clock: runs }', 'whether the clock pauses or runs while a question is open should be runs, and is pauses'],
    ['questions: { within: 1h }', 'how long a question waits should be 1h, and is 1h30m'],
    ['questions: { at_most: 5 }', 'how many questions there may be should be 5, and is 4'],
    ['takeover_within: 5h', 'how long who takes over has should be 5h, and is 4h'],
    ['takeover_at_most: 4h', 'how long who takes over has in all should be 4h, and is 12h'],
    ['on_a_no: ends_it', 'what a no does should be ends_it, and is next_level'],
    ['operators: { roles: [operator] }', 'who operators are should be operator, and is cfo'],
    ['operators: { extend_at_most: 3h }', 'how far a level may be extended should be 3h, and is 2h'],
    ['operators: { override_by: [] }', 'who may override should be none, and is cfo'],
    ['operators: { second_person: true }', 'what overriding takes should be two people, and is one person'],
    ['operators: { break_glass_by: [cfo] }', 'who may break the glass should be cfo, and is none'],
    ['sign_offs: [{ stage: 1, ladder: [{ role: support_lead }, { role: cfo }] }]', 'the stage of sign-off 1 should be 1, and is one of its own'],
    ['sign_offs: []', 'who is asked should be nobody, and is support_lead, then cfo'],
    ['sign_offs: [{ ladder: [{ role: cfo }] }]', 'the ladder of sign-off 1 should be cfo, and is support_lead, then cfo'],
    ['sign_offs: [{ quorum: 2, ladder: [{ role: support_lead }, { role: cfo }] }]', 'the quorum of sign-off 1 should be 2, and is 1'],
    ['sign_offs: [{ ladder: [{ role: support_lead, within: 31m }, { role: cfo }] }]', 'the time of support_lead of sign-off 1 should be 31m, and is 30m'],
    ['offers: [expires_within]', 'what may be added to a yes should be expires_within, and is amount_at_most, options'],
    ['options: [now]', 'what may be chosen should be now, and is now, later'],
    ['asks_for: [value]', 'what the person supplies should be value, and is none'],
    [
      'when_nobody_answers: { effects: [ticket] }',
      'what silence brings with it should be ticket, and is pause_workflow, disable_credential, ticket, tell_customer',
    ],
    ['when_nobody_answers: { outcome: denied }', 'the outcome when nobody answers should be denied, and is expired'],
    ['when_nobody_answers: { after: 2h30m }', 'the end when nobody answers should be after 2h30m, and is after 2d18h30m'],
    [
      "when_nobody_answers: { at: '2026-11-23T10:15:00+01:00' }",
      'the end when nobody answers should be at 2026-11-23T09:15:00.000Z, and is at 2026-11-23T10:15:00.000Z',
    ],
  ])('%s', (expected, message) => {
    expect(said(one(expected))).toEqual([`5 scenario_fails one: ${message}`]);
  });

  it('and a request that is refused says why', () => {
    expect(said(one('effect: approval', CREDIT))).toEqual([
      '5 scenario_fails one: the effect should be approval, and is refused with missing_evidence: The row credit needs the evidence history; attach it and submit again',
    ]);
  });

  it('and a plan that asks nobody has no end of silence', () => {
    expect(said(one('when_nobody_answers: { outcome: expired }', 'action: { type: other }'))).toEqual([
      '5 scenario_fails one: the end when nobody answers should be expired, and is none: nobody is asked (allow by default)',
    ]);
  });

  it('and tells the whole timeline where its steps are others', () => {
    const [finding] = said(one('when_nobody_answers: { timeline: [{ after: 0m, says: Ann }] }'));
    expect(finding).toContain('should be 1 steps, and is 4: after 0m Ann Ode (lead) is asked until');
    const wrong = said(one('when_nobody_answers: { timeline: [{ says: Bo }, { after: 1m, says: reminder }, { says: CFO }, { says: ends as denied }] }'));
    expect(wrong).toHaveLength(3);
  });

  it('all at once, each scenario on its own', () => {
    const text = `${one('effect: block, tier: dual, lane: finance')}${one('effect: approval').replace('scenarios:\n', '').replace('one', 'two')}`;
    const { scenarios, findings } = run(text);
    expect(scenarios.map(({ name, ok }) => [name, ok])).toEqual([
      ['one', false],
      ['two', true],
    ]);
    expect(findings.map(({ line, column }) => [line, column])).toEqual([
      [5, 23],
      [5, 36],
      [5, 48],
    ]);
  });
});

describe('a scenario file is refused', () => {
  it.each([
    ['with a key that is none', one('efect: block'), '5 unknown_key There is no key efect under scenarios.0.expect; check the spelling, or remove it'],
    ['with nothing expected', one(''), '5 scenario_bad one: nothing is expected, so nothing can fail; say at least the effect'],
    [
      'with a duration that is none',
      one('when_nobody_answers: { after: soon }'),
      '5 scenario_bad one: soon is no duration; write for example 30m, 2h or 1h30m',
    ],
    [
      'with a request that the API would refuse',
      one('effect: allow', 'action: { type: other, data: [Personal Data] }'),
      '4 scenario_bad one: this is no request: action.data.0: use lower-case letters, digits and _',
    ],
    [
      'with an exception to a row that is none',
      one('effect: allow', `${CREDIT}`, '    exception: { outcome: blocked, rows: [nowhere] }\n'),
      '4 scenario_bad one: there is no row nowhere that could have refused',
    ],
    ['with an instant that is none', one('effect: allow').replace('2026-11-20T15:45:00Z', 'Monday'), '3 bad_shape scenarios.0.at cannot be read: '],
  ])('%s', (_, text, message) => {
    expect(said(text)[0]).toContain(message);
    expect(run(text).scenarios.every((s) => !s.ok)).toBe(true);
  });
});

it('is no part of the policy: its identity is the same with and without it', () => {
  const files = [
    { path: 'policy.yaml', text: POLICY },
    { path: 'directory.yaml', text: DIRECTORY },
  ];
  const all = [...files, { path: 'scenarios/a.yaml', text: one('effect: block') }, { path: 'sub/scenarios/deep/b.yml', text: '' }];
  expect(partition(all).policy).toEqual(partition(files).policy);
  expect(partition(all).scenarios.map((f) => f.path)).toEqual(['scenarios/a.yaml', 'sub/scenarios/deep/b.yml']);
  expect(compilePolicy(partition(all).policy).policy?.hash).toBe(compiled.policy?.hash);
});

it('writes every duration so that it reads as the same again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000_000 }), (seconds) => {
      expect(parseDuration(durationText(seconds * 1000))).toBe(seconds * 1000);
    }),
  );
  expect([5_400_000, 86_400_000, 90_000_000, 180_000_000].map(durationText)).toEqual(['1h30m', '24h', '25h', '2d2h']);
});
