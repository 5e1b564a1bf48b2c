/** `order: parallel`, and what silence does besides its end: what a row may say, and how rows unite. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePolicy, formatFindings } from '../../../policy';
import type { Plan } from '../../../domain/plan';
import { resolve } from '../../../policy';
import { diffPolicies, formatDiff } from '../../../policy/diff';
import { asking, policyOf, TRIGGERS, type Row } from './sample';
import { asking as request, usd } from './support';

const head = { role: 'head', lane: 'manager', ladder: [{ role: 'head', within: '1h' }] };
const chief = { role: 'chief', lane: 'security', ladder: [{ role: 'chief', within: '2h' }] };
const officer = { role: 'officer', lane: 'engineering', ladder: [{ role: 'officer', within: '3h' }] };
const row = (id: string, rest: object): Row => ({ id, ...asking, ladder: undefined, ...TRIGGERS.pay, ...rest });
const plan = (...rows: Row[]): Plan => {
  const resolved = resolve(policyOf(rows), request('pay', { amount: usd(1) }));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.plan;
};
const chain = ({ signOffs }: Plan) => signOffs.map(({ role, stage, quorum }) => [role, stage ?? null, quorum]);
const findings = (rest: object): string => {
  const text = JSON.stringify({
    name: 'x',
    version: '1',
    authority: { head: { up_to: '1.00 USD' }, chief: { up_to: 'unlimited' } },
    actions: { pay: { params: { amount: 'money' } }, close: { params: {} } },
    default: { tier: 'none', lane: 'manager', owner: 'head' },
    rows: [row('a', rest)],
  });
  return formatFindings(compilePolicy([{ path: 'p.yaml', text }]).findings);
};

describe('order: parallel', () => {
  it('puts the sign-offs of its row into one stage', () => {
    expect(chain(plan(row('a', { order: 'parallel', sign_offs: [head, chief] })))).toEqual([
      ['head', 1, 1],
      ['chief', 1, 1],
    ]);
  });

  it('is not what a row means that does not say so, and a plan in sequence is as it was', () => {
    const said = plan(row('a', { order: 'sequence', sign_offs: [head, chief] }));
    expect(chain(said)).toEqual([
      ['head', null, 1],
      ['chief', null, 1],
    ]);
    expect(said.signOffs).toEqual(plan(row('a', { sign_offs: [head, chief] })).signOffs);
    expect(said.signOffs.some((s) => 'stage' in s)).toBe(false);
  });

  it('keeps the order of rows: a stage for the parallel one, one for each sign-off of the others', () => {
    const both = plan(row('a', { sign_offs: [officer] }), row('b', { order: 'parallel', sign_offs: [head, chief] }));
    expect(chain(both)).toEqual([
      ['officer', null, 1],
      ['head', 2, 1],
      ['chief', 2, 1],
    ]);
  });

  it('the same signature from two rows is given once, in the earlier place, with the greater quorum', () => {
    const first = plan(row('a', { sign_offs: [chief] }), row('b', { order: 'parallel', sign_offs: [head, { ...chief, quorum: 2 }, officer] }));
    expect(chain(first)).toEqual([
      ['chief', null, 2],
      ['head', 2, 1],
      ['officer', 2, 1],
    ]);
    const second = plan(row('a', { order: 'parallel', sign_offs: [head, chief] }), row('b', { sign_offs: [officer, chief] }));
    expect(chain(second)).toEqual([
      ['head', 1, 1],
      ['chief', 1, 1],
      ['officer', null, 1],
    ]);
    // Alone in what is left of a stage is in sequence.
    expect(chain(plan(row('a', { sign_offs: [chief] }), row('b', { order: 'parallel', sign_offs: [head, chief] })))).toEqual([
      ['chief', null, 1],
      ['head', null, 1],
    ]);
  });

  it.each([
    ['with one sign-off', { order: 'parallel', sign_offs: [head] }, 'decorative_key'],
    ['without any', { order: 'parallel', ladder: head.ladder }, 'decorative_key'],
    [
      'with one that is only needed above the authority of the one before',
      { order: 'parallel', amount: 'action.params.amount', sign_offs: [head, { ...chief, only: 'above_authority' }] },
      'contradiction',
    ],
    ['in a word that is none', { order: 'random', sign_offs: [head, chief] }, 'bad_shape'],
    ['where nobody is asked', { order: 'parallel', effect: 'block' }, 'decorative_key'],
  ])('is refused %s', (_, rest, code) => {
    expect(findings(rest)).toContain(code);
  });

  it('is in the words of a diff', () => {
    const before = policyOf([row('a', { sign_offs: [head, chief] })]);
    const after = policyOf([row('a', { order: 'parallel', sign_offs: [head, chief] })]);
    expect(formatDiff(diffPolicies(before, after))).toContain('and at the same time');
  });
});

it('the row of docs/policy.md is one', () => {
  const page = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'policy.md'), 'utf8');
  const block = /```yaml row\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const text = `
name: page
version: '1'
actions: { pay: { params: {} }, close: { params: {} } }
default: { tier: none, lane: manager, owner: head }
rows:
  - id: a
    when: action.type == "pay"
    examples: { match: [{ action: { type: pay } }], no_match: [{ action: { type: close } }] }
    lane: finance
    owner: head
    tier: lightweight
    risk: low
    urgency: soon
    evidence: []
    meanwhile: { agent: park_item, operator: look }
    on_timeout: { end: expire }
    on_deny: { path: stop }
${block}`;
  const { policy, findings: found } = compilePolicy([{ path: 'page.yaml', text }]);
  expect(formatFindings(found)).toBe('');
  expect(policy?.rows[0]).toMatchObject({ parallel: true, signOffs: [{ lane: 'finance' }, { lane: 'security' }] });
});

describe('what silence does besides', () => {
  const pause = { pause_workflow: { reason: 'Nobody answered' } };
  const crm = { disable_credential: { credential: 'crm-export', reason: 'Nobody answered' } };

  it.each(['expire', 'deny', 'hold', 'safe_alternative'])('combines with the end %s', (end) => {
    const how = {
      expire: {},
      deny: {},
      hold: { hold: { role: 'chief', for: '1h', then: 'expire' } },
      safe_alternative: { alternative: { type: 'close', summary: 'close it' } },
    }[end];
    const { onTimeout } = plan(row('a', { sign_offs: [head], on_timeout: { end, ...how, ...pause, ...crm } }));
    expect(onTimeout).toMatchObject({
      end,
      pauseWorkflow: { reason: 'Nobody answered' },
      disableCredentials: [{ credential: 'crm-export', reason: 'Nobody answered' }],
    });
  });

  it('is the union of the rows, each credential once, the first row giving the words', () => {
    const a = row('a', { sign_offs: [head], on_timeout: { end: 'deny', ...crm } });
    const b = row('b', { sign_offs: [head], on_timeout: { end: 'expire', ...pause, disable_credential: { credential: 'bank', reason: 'b' } } });
    const c = row('c', {
      sign_offs: [head],
      on_timeout: { end: 'deny', pause_workflow: { reason: 'c' }, disable_credential: { credential: 'bank', reason: 'c' } },
    });
    expect(plan(a, b, c).onTimeout).toEqual({
      end: 'expire',
      pauseWorkflow: { reason: 'Nobody answered' },
      disableCredentials: [
        { credential: 'crm-export', reason: 'Nobody answered' },
        { credential: 'bank', reason: 'b' },
      ],
    });
  });

  it('names a credential, and never holds one', () => {
    expect(findings({ sign_offs: [head], on_timeout: { end: 'deny', disable_credential: { credential: 'a b\nc', reason: 'r' } } })).toContain('bad_shape');
    expect(findings({ sign_offs: [head], on_timeout: { end: 'deny', pause_workflow: {} } })).toContain('bad_shape');
  });

  it('is in the words of a diff', () => {
    const before = policyOf([row('a', { sign_offs: [head] })]);
    const after = policyOf([row('a', { sign_offs: [head], on_timeout: { end: 'deny', ...pause, ...crm } })]);
    const words = formatDiff(diffPolicies(before, after));
    expect(words).toContain('the agent is paused: Nobody answered');
    expect(words).toContain('the credential crm-export is disabled: Nobody answered');
  });
});
