/**
 * What a row says of waiting, asking, taking over and of one no: checked when the policy is read, merged to the strictest, absent in the plan of a
 * policy that does not say it.
 */
import type { Plan } from '../../../domain/plan';
import { compilePolicy, movesInWords, resolve, type RoutingInput } from '../../../policy';
import { asking as askingRow, filesOf, policyOf, TRIGGERS, type Row } from './sample';
import { asking, usd } from './support';

type Rest = Readonly<Record<string, unknown>>;

const row = (id: string, rest: Rest = {}): Row => ({ id, ...askingRow, ...TRIGGERS.pay, ...rest });
const two = {
  ladder: [
    { role: 'lead', within: '60m' },
    { role: 'chief', within: '60m' },
  ],
};
const planOf = (rows: readonly Row[], input: RoutingInput = asking('pay', { amount: usd(480) })): Plan => {
  const resolved = resolve(policyOf(rows), input);
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
};
/** The sample declares roles and facts that one row does not use. */
const told = (finding: string): boolean => !finding.startsWith('warning unused_');

const found = (rest: Rest, defaults?: Rest): string[] => {
  const [file] = filesOf([row('a', rest)]);
  const text = JSON.stringify({ ...(JSON.parse(file?.text ?? '') as Rest), ...(defaults ? { defaults } : {}) });
  return compilePolicy([{ path: 'policy.yaml', text }])
    .findings.map((f) => `${f.severity} ${f.code}`)
    .filter(told);
};
const meanwhile = (agent: string, rest: Rest = {}): Rest => ({ meanwhile: { agent, operator: 'look', ...rest } });
const ticket = { queue: 'q', owner: 'lead', title: 'Look at it' };

describe('a directive', () => {
  it.each<[string, Rest, string]>([
    ['retry_once without the time', meanwhile('retry_once'), 'error missing_meanwhile_detail'],
    ['degrade without the safe path', meanwhile('degrade'), 'error missing_meanwhile_detail'],
    ['reduce_throughput without the measure', meanwhile('reduce_throughput'), 'error missing_meanwhile_detail'],
    ['a time that is none', meanwhile('retry_once', { retry_after: 'soon' }), 'error bad_duration'],
    ['a safe path that nobody declared', meanwhile('degrade', { alternative: { type: 'fly', summary: 'Fly' } }), 'error unknown_action_type'],
    ['a measure of everything', meanwhile('reduce_throughput', { to_percent: 100 }), 'error bad_shape'],
    ['a time beside a block', meanwhile('block', { retry_after: '5m' }), 'error decorative_key'],
    ['a safe path beside a retry', meanwhile('retry_once', { retry_after: '5m', alternative: { type: 'close', summary: 'x' } }), 'error decorative_key'],
    ['effects that are none', meanwhile('block', { effects: {} }), 'error decorative_key'],
    ['a case of a person', meanwhile('block', { effects: { open_case: { ...ticket, owner: 'ann@shop.example' } } }), 'error person_owner'],
    ['an effect that is none', meanwhile('block', { effects: { call_police: true } }), 'error unknown_key'],
    ['effects of a row that asks nobody', { tier: 'none', ...meanwhile('block', { effects: { open_case: ticket } }) }, 'error decorative_key'],
  ])('is refused with %s', (_, rest, code) => {
    expect(found(rest)).toContain(code);
  });

  it('has its detail in the plan, and nothing where it needs none', () => {
    const directed = (agent: string, rest?: Rest) => planOf([row('a', meanwhile(agent, rest))]).meanwhile;
    expect(directed('retry_once', { retry_after: '5m' })).toEqual({ agent: 'retry_once', operator: 'look', retryAfterMs: 300_000 });
    expect(directed('degrade', { alternative: { type: 'close', params: { ref: 'r' }, summary: 'Close it' } })).toEqual({
      agent: 'degrade',
      operator: 'look',
      alternative: { type: 'close', params: { ref: 'r' }, summary: 'Close it' },
    });
    expect(directed('reduce_throughput', { to_percent: 30 })).toEqual({ agent: 'reduce_throughput', operator: 'look', toPercent: 30 });
    expect(directed('block')).toEqual({ agent: 'block', operator: 'look' });
  });

  it('takes what it needs from the defaults, which say nothing that no row takes', () => {
    const said = { meanwhile: { to_percent: 40 } };
    expect(found(meanwhile('reduce_throughput'), said)).toEqual([]);
    expect(found(meanwhile('reduce_throughput', { to_percent: 10 }), said)).toEqual(['error decorative_key']);
    expect(found(meanwhile('block'), said)).toEqual(['error decorative_key']);
    expect(found({ meanwhile: { effects: {} } }, { meanwhile: { agent: 'block', operator: 'look', effects: { open_case: ticket } } })).toEqual([]);
  });
});

describe('where several rows apply', () => {
  it('the strictest directive holds, with the strictest detail of those that give it', () => {
    const of = (...all: readonly Rest[]) => planOf(all.map((rest, i) => row(`r${String(i)}`, rest))).meanwhile;
    const [early, late] = [meanwhile('retry_once', { retry_after: '5m' }), meanwhile('retry_once', { retry_after: '20m' })];
    expect(of(early, late).retryAfterMs).toBe(20 * 60_000);
    expect(of(late, early).retryAfterMs).toBe(20 * 60_000);
    const [half, tenth] = [meanwhile('reduce_throughput', { to_percent: 50 }), meanwhile('reduce_throughput', { to_percent: 10 })];
    expect(of(half, tenth)).toEqual({ agent: 'reduce_throughput', operator: 'look', toPercent: 10 });
    expect(of(half, early)).toEqual({ agent: 'reduce_throughput', operator: 'look', toPercent: 50 });
    const safe = (type: string) => meanwhile('degrade', { alternative: { type, summary: type } });
    expect(of(safe('close'), safe('pay')).alternative?.type).toBe('close');
    expect(of(safe('close'), meanwhile('hold_send'))).toEqual({ agent: 'hold_send', operator: 'look' });
  });

  it('their effects are united, each credential once, and the first row gives the words', () => {
    const pause = (credential: string, reason: string) => ({ pause_credential: { credential, reason } });
    const tell = (subject: string) => ({ tell_customer: { subject, text: 'We look at it' } });
    const plan = planOf([
      row('a', meanwhile('park_item', { effects: { ...tell('First'), ...pause('bank', 'one') } })),
      row('b', meanwhile('block', { effects: { ...tell('Second'), ...pause('crm', 'two'), open_case: ticket } })),
      row('c', meanwhile('hold_send', { effects: { ...pause('bank', 'three'), raise_incident: ticket } })),
      row('d'),
    ]);
    expect(plan.meanwhile).toEqual({
      agent: 'block',
      operator: 'look',
      effects: {
        tellCustomer: { subject: 'First', text: 'We look at it' },
        openCase: ticket,
        raiseIncident: ticket,
        pauseCredentials: [
          { credential: 'bank', reason: 'one' },
          { credential: 'crm', reason: 'two' },
        ],
      },
    });
  });

  it('the clock runs, time and number of questions are the smaller, and a row that says nothing lets the clock run', () => {
    const ask = (clock: string, within: string, atMost: number) => row('a', { questions: { clock, within, at_most: atMost } });
    expect(planOf([ask('pauses', '30m', 9)]).questions).toEqual({ clock: 'pauses', withinMs: 1_800_000, atMost: 9 });
    const b = row('b', { questions: { clock: 'runs', within: '1h', at_most: 3 } });
    expect(planOf([ask('pauses', '30m', 9), b]).questions).toEqual({ clock: 'runs', withinMs: 1_800_000, atMost: 3 });
    expect(planOf([ask('pauses', '12h', 90), row('b')]).questions).toEqual({ clock: 'runs', withinMs: 4 * 3_600_000, atMost: 20 });
  });

  it('the shorter takeover holds, and a row that says no longer one gives none', () => {
    const over = (id: string, within: string, atMost?: string) => row(id, { takeover_within: within, ...(atMost ? { takeover_at_most: atMost } : {}) });
    expect(planOf([over('a', '2h', '12h'), over('b', '3h', '20h')])).toMatchObject({ takeoverMs: 2 * 3_600_000, takeoverAtMostMs: 12 * 3_600_000 });
    expect(planOf([over('a', '2h', '12h'), over('b', '3h')])).toMatchObject({ takeoverMs: 2 * 3_600_000, takeoverAtMostMs: 3 * 3_600_000 });
  });

  it('a no moves up only where every one of them says so', () => {
    const up = (id: string) => row(id, { ...two, on_deny: { path: 'stop', one_no: 'next_level' } });
    expect(planOf([up('a'), up('b')]).onDeny).toEqual({ path: 'stop', oneNo: 'next_level', tellRequester: false });
    expect(planOf([up('a'), row('b')]).onDeny).toEqual({ path: 'stop', tellRequester: false });
    // What allows asks nobody, and has no say in it.
    expect(planOf([up('a'), { id: 'b', tier: 'none', lane: 'manager', owner: 'lead', ...TRIGGERS.pay }]).onDeny.oneNo).toBe('next_level');
  });
});

describe('questions, takeovers and one no', () => {
  it.each<[string, Rest, string]>([
    ['questions that say nothing', { questions: {} }, 'error bad_shape'],
    ['a question without an end', { questions: { within: 'long' } }, 'error bad_duration'],
    ['a clock that is none', { questions: { clock: 'stops' } }, 'error bad_shape'],
    ['questions of a row that asks nobody', { tier: 'none', questions: { at_most: 3 } }, 'error decorative_key'],
    ['a question of more than a day', { questions: { within: '25h' } }, 'warning long_deadline'],
    ['a pause that outlasts the ladder', { questions: { clock: 'pauses', within: '61m' } }, 'warning long_question'],
    ['a takeover that is no longer', { takeover_within: '4h', takeover_at_most: '4h' }, 'error contradiction'],
    ['a takeover that is shorter than the usual', { takeover_at_most: '3h' }, 'error contradiction'],
    ['a takeover of no time', { takeover_at_most: 'all day' }, 'error bad_duration'],
    ['a takeover of more than a day', { takeover_at_most: '25h' }, 'warning long_deadline'],
    ['a no that has no level above', { on_deny: { path: 'stop', one_no: 'next_level' } }, 'error decorative_key'],
    ['a no of two who choose unseen', { ...two, tier: 'dual', on_deny: { path: 'stop', one_no: 'next_level' } }, 'error decorative_key'],
    ['a no that goes elsewhere', { ...two, on_deny: { path: 'stop', one_no: 'the_boss' } }, 'error bad_shape'],
    ['a no where nobody is asked', { effect: 'block', on_deny: { path: 'stop', one_no: 'next_level' } }, 'error decorative_key'],
  ])('%s', (_, rest, code) => {
    expect(found(rest)).toContain(code);
  });

  it('are taken where they mean something', () => {
    expect(found({ questions: { clock: 'pauses', within: '60m', at_most: 0 } })).toEqual([]);
    // Where nobody may ask there is no pause, and where the clock runs none either.
    expect(found({ questions: { clock: 'pauses', at_most: 0 } })).toEqual([]);
    expect(found({ questions: { clock: 'runs', within: '23h' } })).toEqual([]);
    expect(found({ takeover_within: '4h', takeover_at_most: '24h' })).toEqual([]);
    expect(found({ ...two, on_deny: { path: 'stop', one_no: 'next_level' } })).toEqual([]);
    expect(found({ ...two, kind: 'escalation', tier: 'dual', on_deny: { path: 'stop', one_no: 'next_level' } })).toEqual([]);
  });

  it('may stand in the defaults, and a row says only what is different', () => {
    const defaults = { questions: { clock: 'pauses', within: '50m', at_most: 4 }, takeover_within: '1h', takeover_at_most: '8h' };
    const [file] = filesOf([row('a', { questions: { at_most: 2 }, takeover_within: '2h' })]);
    const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text: JSON.stringify({ ...(JSON.parse(file?.text ?? '') as Rest), defaults }) }]);
    expect(findings.map((f) => `${f.severity} ${f.code}`).filter(told)).toEqual([]);
    expect(policy?.rows[0]).toMatchObject({
      questions: { clock: 'pauses', withinMs: 3_000_000, atMost: 2 },
      takeoverMs: 7_200_000,
      takeoverAtMostMs: 28_800_000,
    });
    expect(policy?.defaultRow).toMatchObject({ questions: null, takeoverAtMostMs: null });
    // With more at once than the defaults give in all, the two cannot both be meant; as much is no mistake of the row.
    expect(found({ takeover_within: '9h' }, defaults)).toContain('error contradiction');
    expect(found({ takeover_within: '8h' }, defaults)).not.toContain('error contradiction');
    const stop = { on_deny: { path: 'stop', one_no: 'next_level' } };
    expect(found({ on_deny: undefined, ...two }, stop)).toEqual([]);
    expect(found({ on_deny: undefined }, stop)).toEqual(['error decorative_key']);
    expect(found({ on_deny: { path: 'stop' }, ...two }, stop)).toEqual(['error decorative_key']);
  });
});

it('a plan of a policy that says none of it has none of it', () => {
  const plan = planOf([row('a')]);
  expect(Object.keys(plan.meanwhile)).toEqual(['agent', 'operator']);
  expect(Object.keys(plan.onDeny)).toEqual(['path', 'tellRequester']);
  for (const key of ['questions', 'takeoverAtMostMs', 'operators']) expect(plan).not.toHaveProperty(key);
  expect(movesInWords(plan)).toEqual([]);
});

it('says in words what it says', () => {
  const plan = planOf([
    row('a', {
      ...two,
      ...meanwhile('reduce_throughput', { to_percent: 25, effects: { raise_incident: ticket, pause_credential: { credential: 'bank', reason: 'Looked at' } } }),
      questions: { clock: 'pauses', within: '90m', at_most: 3 },
      takeover_within: '4h',
      takeover_at_most: '12h',
      on_deny: { path: 'stop', one_no: 'next_level' },
    }),
  ]);
  expect(movesInWords(plan)).toEqual([
    'reduce_throughput to 25% of the usual',
    'at once an incident is raised in q for lead: Look at it',
    'at once the credential bank is paused: Looked at',
    'questions: 3 at most, 1h30m each; the clock stands still meanwhile',
    'a no goes to the next level, and ends it at the last',
    'who takes over has 4h, and with updates 12h in all',
  ]);
});
