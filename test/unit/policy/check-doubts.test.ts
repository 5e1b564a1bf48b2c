/** Doubts and limits that no other page shows, each beside what is left alone. */
import { compilePolicy, type Finding } from '../../../policy';
import { asking, TRIGGERS } from './sample';

const head = {
  name: 'doubts',
  version: '1',
  actions: { pay: { params: { amount: 'money', customer: 'string?' } }, close: {} },
  facts: { confidence: { type: 'double', source: 'agent' } },
  default: { tier: 'none', lane: 'manager', owner: 'lead' },
};
const findings = (more: Readonly<Record<string, unknown>>, row: Readonly<Record<string, unknown>> = {}): Finding[] => [
  ...compilePolicy([{ path: 'policy.yaml', text: JSON.stringify({ ...head, ...more, rows: [{ ...asking, ...TRIGGERS.pay, id: 'r', ...row }] }) }]).findings,
];
const codes = (...given: Parameters<typeof findings>): string[] =>
  findings(...given)
    .filter((f) => f.code !== 'unused_fact')
    .map((f) => `${f.severity} ${f.code}`);

const unsure = (when: string) => ({
  when,
  examples: {
    match: [{ action: { type: 'pay' }, facts: { confidence: 0.1 } }],
    no_match: [{ action: { type: 'pay' }, facts: { confidence: 0.9 } }],
  },
});

it('doubts a trigger that reads nothing but how sure the agent is', () => {
  expect(codes({}, unsure('facts.confidence < 0.72'))).toEqual(['warning confidence_only']);
  expect(codes({}, unsure('facts.confidence < 0.72 && action.type == "pay"'))).toEqual([]);
});

it('doubts a count that no row reads', () => {
  const recent = { paid: { of: ['pay'], per: 'agent', within: '24h', count: true } };
  expect(codes({ recent })).toEqual(['warning unused_recent']);
  const examples = { match: [{ action: { type: 'pay' }, recent: { paid: 4 } }], no_match: [{ action: { type: 'pay' }, recent: { paid: 3 } }] };
  expect(codes({ recent }, { when: 'recent.paid > 3', examples })).toEqual([]);
});

it('reads a file of a million characters, and none longer', () => {
  const of = (length: number) => {
    const text = JSON.stringify({ ...head, rows: [{ ...asking, ...TRIGGERS.pay, id: 'r' }] });
    return compilePolicy([{ path: 'policy.yaml', text: `${text}\n${'#'.repeat(length - text.length - 1)}` }]).findings.map((f) => f.code);
  };
  expect(of(1_000_000)).not.toContain('too_large');
  expect(of(1_000_001)).toContain('too_large');
});
