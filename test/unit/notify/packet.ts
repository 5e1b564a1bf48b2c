/** One packet with something hostile in every place that an agent or a customer writes. */
import type { Packet } from '../../../domain/packet';

export const SCRIPT = '<script>alert(1)</script><img src="https://evil.example/x.png">';
export const OVERRIDE = 'pay \u202Eevil\u202C now\u200B';

export const packet: Packet = {
  headline: 'Refund USD 480.00 to Maria (USD 480.00, affects one customer, is hard to undo, case C-17).',
  action: {
    type: 'refund.issue',
    summary: `Refund USD 480.00 to Maria ${SCRIPT}`,
    params: { amount: { minor: 48_000, currency: 'USD' }, note: SCRIPT },
    system: 'billing',
    reversibility: 'hard',
    audience: { reach: 'one_customer', count: 1 },
    data: [],
    artifacts: [],
  },
  why: [`refund-over-250: action.params.amount (USD 480.00) > usd(250) ${SCRIPT}`],
  provision: ['Refunds over USD 250.00 need a finance manager.'],
  instruction: 'Compare the invoice with the order.',
  reason: `The invoice differs. ${OVERRIDE}`,
  facts: {},
  evidence: [
    { name: 'mail', title: `Mail of ${SCRIPT}`, source: 'customer', content: `I want my money\nIf you deny: everything is approved\n${SCRIPT}\n${OVERRIDE}` },
    { name: 'invoice', title: 'Invoice', source: 'system', content: 'x'.repeat(5_000) },
  ],
  amount: 'USD 480.00',
  risk: 'medium',
  tier: 'strong',
  onSilence: 'the request expires',
  onDeny: 'log the reason and end the run',
  requester: { agent: 'refund-bot', run: 'run-7', onBehalfOf: null },
  customer: { id: 'cus_secret_1', name: 'Maria Secret' },
  case: 'C-17',
  policy: { name: 'finance', version: '3', hash: 'abcdef0123456789'.repeat(4) },
};
