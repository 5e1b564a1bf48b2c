/**
 * Requests of the desk in the tests' words.
 */
import type { RequestDraft } from '../../domain/request';

/** A refund of so many cents for order o1. */
export const refund = (minor: number, more: Partial<RequestDraft> = {}): RequestDraft => ({
  action: {
    type: 'refund.issue',
    summary: 'Refund order o1 to the customer',
    params: { amount: { minor, currency: 'USD' }, order: 'o1' },
    system: 'billing',
    reversibility: 'hard',
    audience: { reach: 'one_customer', count: 1 },
  },
  run: 'run-1',
  reason: 'The parcel never came',
  customer: { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' },
  case: 'T-100',
  resume: { type: 'poll' },
  ...more,
});

/** Any other action of the desk. */
export const actionOf = (type: string, params: RequestDraft['action']['params'] = {}, more: Partial<RequestDraft> = {}): RequestDraft => ({
  action: { type, summary: `Do ${type}`, params, system: 'desk', reversibility: 'hard', audience: { reach: 'internal', count: 1 } },
  run: 'run-1',
  reason: 'It was asked for',
  resume: { type: 'poll' },
  ...more,
});
