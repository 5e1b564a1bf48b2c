/** The sample of docs/policy.md is a policy without a finding, and means what the page says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MEANWHILE } from '../../../domain/plan';
import { compilePolicy, formatFindings, resolve, testScenarios, workingTimeAfter } from '../../../policy';

const page = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'policy.md'), 'utf8');
const sample = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
const { policy, findings } = compilePolicy([{ path: 'policy.yaml', text: sample }]);

const refund = (minor: number) => ({
  action: {
    type: 'refund.issue',
    summary: 'Refund',
    params: { amount: { minor, currency: 'USD' }, order: 'o' },
    system: 'billing',
    reversibility: 'hard' as const,
    audience: { reach: 'one_customer' as const, count: 1 },
    data: [],
    artifacts: [],
  },
  facts: { days: 3, deadline_minutes: 600 },
  recent: { refunds_today: { value: { minor, currency: 'USD' }, requests: 1, since: '2026-11-20T00:00:00.000Z' } },
  evidence: [],
  requester: { agent: 'a', run: 'r', onBehalfOf: null },
  tenant: 't',
});

it('has no finding', () => {
  expect(findings.map((f) => `${String(f.line)} ${f.code} ${f.message}`)).toEqual([]);
});

it('does what the scenarios of the page expect', () => {
  const text = /```yaml scenario\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const tested = policy && testScenarios(policy, null, [{ path: 'scenarios/page.yaml', text }]);
  expect(tested && formatFindings(tested.findings)).toBe('');
  expect(tested?.scenarios).toHaveLength(4);
});

it('takes what the page shows of waiting, questions, a no, takeovers and operators, and plans as it says', () => {
  const [waiting, questioning, ending] = [...page.matchAll(/```yaml waiting\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
  const [, operators = ''] = /```yaml operators\n([\s\S]*?)```/.exec(page) ?? [];
  const told = '    amount: recent.refunds_today\n    questions: { clock: pauses, within: 2h, at_most: 3 }\n';
  expect(sample).toContain(told);
  const text = sample
    .replace(told, `    amount: recent.refunds_today\n${[waiting, questioning, ending].join('')}`)
    .replace(/^operators:[\s\S]*?\n\n/m, `${operators}\n`);
  const changed = compilePolicy([{ path: 'policy.yaml', text }]);
  expect(formatFindings(changed.findings)).toBe('');
  const resolved = changed.policy && resolve(changed.policy, refund(50_001));
  if (!resolved?.ok) throw new Error(JSON.stringify(resolved));
  const { meanwhile, questions, onDeny, takeoverMs, takeoverAtMostMs, operators: may } = resolved.plan;
  expect([meanwhile.agent, meanwhile.alternative?.type, Object.keys(meanwhile.effects ?? {})]).toEqual([
    'degrade',
    'message.send',
    ['tellCustomer', 'openCase', 'raiseIncident', 'pauseCredentials'],
  ]);
  expect([questions, onDeny.oneNo, takeoverMs, takeoverAtMostMs]).toEqual([
    { clock: 'pauses', withinMs: 3_600_000, atMost: 3 },
    'next_level',
    2 * 3_600_000,
    12 * 3_600_000,
  ]);
  expect([may?.roles, may?.extendAtMostMs, may?.override?.may, Object.keys(may?.override?.reasons ?? {}), may?.breakGlass?.roles]).toEqual([
    ['desk'],
    8 * 3_600_000,
    ['approve', 'deny'],
    ['unreachable', 'recall'],
    ['desk'],
  ]);
});

it('lists every directive, with the detail that it needs', () => {
  const section = /\n## While it waits\n([\s\S]*?)\n## /.exec(page)?.[1] ?? '';
  const listed = [...section.matchAll(/^\| `([a-z_]+)` \| .* \| (.*)\|$/gm)].map(([, agent, needs]) => [agent, /`([a-z_]+)/.exec(needs ?? '')?.[1] ?? null]);
  const needs: Readonly<Record<string, string>> = { retry_once: 'retry_after', degrade: 'alternative', reduce_throughput: 'to_percent' };
  // The first is the head of the table.
  expect(listed.slice(1)).toEqual(MEANWHILE.map((agent) => [agent, needs[agent] ?? null]));
});

it('is due on Monday at 09:15 where half an hour is asked for on Friday at 14:45', () => {
  const calendar = policy?.calendars['office'] ?? null;
  expect(workingTimeAfter(calendar, '2026-11-20T13:45:00.000Z', 30 * 60_000)).toBe('2026-11-23T08:15:00.000Z');
});

it.each([
  [25_000, ['default'], undefined],
  [25_001, ['refund_over_250'], 120],
  [50_001, ['refund_over_250'], 10],
])('routes a refund of %d cents to %j', (minor, rows, minutes) => {
  const resolved = policy && resolve(policy, refund(minor));
  if (!resolved?.ok) throw new Error(JSON.stringify(resolved));
  expect(resolved.plan.rows.map((row) => row.id)).toEqual(rows);
  expect(resolved.plan.signOffs[0]?.ladder[0]?.withinMs).toBe(minutes === undefined ? undefined : minutes * 60_000);
});
