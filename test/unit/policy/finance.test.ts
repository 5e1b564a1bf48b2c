import { checkAgainstDirectory, formatFindings, resolve, type RoutingInput } from '../../../policy';
import type { Plan } from '../../../domain/plan';
import { asking, compileExample, exampleDirectory, usd } from './support';

const { policy, findings } = compileExample('finance');

const planOf = (input: RoutingInput): Plan => {
  const resolved = resolve(policy, input);
  if (!resolved.ok) throw new Error(resolved.issues.map((i) => i.message).join('; '));
  return resolved.plan;
};
const invoice = (invoiced: number, ordered: number): RoutingInput =>
  asking('invoice.pay', { invoice_id: 'I-1', supplier: 'Acme', invoiced: usd(invoiced), ordered: usd(ordered) }, { evidence: ['invoice', 'purchase_order'] });

describe('the sample policy', () => {
  it('has no finding, alone or against its directory', () => {
    expect(formatFindings(findings)).toBe('');
    expect(formatFindings(checkAgainstDirectory(policy, exampleDirectory('finance')))).toBe('');
  });

  it('asks the finance manager for 30 minutes, then the CFO for two hours, then expires with a ticket and a word to the customer', () => {
    const plan = planOf(invoice(1480, 1000));
    expect(plan).toMatchObject({
      effect: 'approval',
      lane: 'finance',
      owner: 'finance_manager',
      tier: 'strong',
      amount: usd(480),
      meanwhile: { agent: 'freeze_decision' },
      evidence: ['invoice', 'purchase_order'],
      onTimeout: { end: 'expire', ticket: { queue: 'manual-review', owner: 'finance_manager' }, tellCustomer: { subject: 'Your invoice is under review' } },
      onDeny: { path: 'log the reason, tell the requester, end the run', tellRequester: true },
    });
    expect(plan.signOffs.map((s) => s.ladder.map((l) => [l.name, l.role, l.withinMs / 60_000, l.reminders]))).toEqual([
      [
        ['finance manager', 'finance_manager', 30, [0.5]],
        ['CFO', 'cfo', 120, [0.5]],
      ],
    ]);
    expect(plan.rows).toEqual([
      expect.objectContaining({
        id: 'invoice_discrepancy',
        why: 'action.type ("invoice.pay") == "invoice.pay" && facts.discrepancy (USD 480.00) > usd(50)',
        unevaluated: false,
      }),
    ]);
  });

  it('asks the CFO as well above what the finance manager may sign, and not at the limit itself', () => {
    expect(planOf(invoice(6000, 1000)).signOffs.map((s) => s.role)).toEqual(['finance_manager']);
    expect(planOf(invoice(6000.01, 1000)).signOffs.map((s) => s.role)).toEqual(['finance_manager', 'cfo']);
  });

  it('names each missing piece of evidence', () => {
    const resolved = resolve(policy, { ...invoice(1480, 1000), evidence: [] });
    expect(resolved).toMatchObject({
      ok: false,
      issues: [
        { code: 'missing_evidence', path: 'evidence.invoice' },
        { code: 'missing_evidence', path: 'evidence.purchase_order' },
      ],
    });
  });

  it.each<[string, RoutingInput, Partial<Plan>]>([
    ['pays what was ordered', invoice(1050, 1000), { effect: 'allow', lane: 'finance', tier: 'none', signOffs: [] }],
    [
      'has two security officers release an export',
      asking('data.export', { dataset: 'sales', rows: 2000, destination: 'internal' }, { evidence: ['export_summary'] }),
      { effect: 'approval', lane: 'security', tier: 'dual' },
    ],
    [
      'forbids personal data in public',
      asking('data.export', { dataset: 'people', rows: 5, destination: 'public' }, { action: { data: ['personal'] } }),
      { effect: 'block', lane: 'security', signOffs: [] },
    ],
    [
      'forbids it also where an approval matches',
      asking('data.export', { dataset: 'people', rows: 5000, destination: 'public' }, { action: { data: ['personal'] } }),
      { effect: 'block' },
    ],
    [
      'has engineering release a change',
      asking('production.change', { service: 'api', environment: 'production', change: 'x' }, { evidence: ['change_plan', 'rollback_plan'] }),
      { effect: 'approval', lane: 'engineering' },
    ],
    [
      'holds an apology to an enterprise customer',
      asking('email.send', { to: 'a', subject: 'b', template: 'apology' }, { facts: { account_tier: 'enterprise' }, evidence: ['draft'] }),
      { effect: 'approval', lane: 'customer' },
    ],
    [
      'lets everyday mail go',
      asking('email.send', { to: 'a', subject: 'b', template: 'notice' }, { facts: { account_tier: 'enterprise' } }),
      { effect: 'allow', lane: 'manager' },
    ],
    ['asks about what no row speaks of', asking('data.export', { dataset: 'usage', rows: 5, destination: 'public' }), { effect: 'approval', lane: 'manager' }],
  ])('%s', (_, input, expected) => {
    expect(planOf(input)).toMatchObject(expected);
  });

  it('has a quorum of two where the tier is dual', () => {
    const plan = planOf(asking('data.export', { dataset: 'sales', rows: 10, destination: 'partner' }, { evidence: ['export_summary'] }));
    expect(plan.signOffs.map((s) => s.quorum)).toEqual([2]);
  });
});
