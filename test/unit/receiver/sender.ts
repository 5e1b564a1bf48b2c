/** A sender as Countersign is one: the real signing, the real token, on a clock that stands still. */
import { callbackBody, sign, webhookId } from '../../../activities/callback';
import { createTokens, type MintInput } from '../../../activities/tokens';
import type { ApprovalResult } from '../../../domain/outcome';
import { keyPair, tokenKeys } from '../tokens/keys';

export const NOW = '2026-11-21T09:30:00.000Z';
export const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
export const NEXT_SECRET = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
export const EXPECT = { agent: 'refund-bot', tenant: 'acme', issuer: 'https://approvals.example.com' };
export const tokens = createTokens({ keys: tokenKeys(keyPair(7)), issuer: EXPECT.issuer });

export async function resultOf(over: Partial<ApprovalResult> = {}, minted: Partial<MintInput> = {}): Promise<ApprovalResult> {
  const base = {
    approvalId: 'apr_1',
    tenant: 'acme',
    outcome: 'approved' as const,
    reason: 'Ana Ruiz approved it',
    decidedAt: NOW,
    deciders: [{ person: 'ana', role: 'finance_manager', at: NOW }],
    conditions: {},
    next: { path: 'go on' },
    policy: { name: 'finance', version: '3', hash: 'b'.repeat(64) },
    actionDigest: 'a'.repeat(64),
  };
  const { approvalId, tenant, outcome, actionDigest, conditions, policy, deciders } = base;
  const token = await tokens.mint({
    id: `${approvalId}-9`,
    approvalId,
    tenant,
    agent: 'refund-bot',
    outcome,
    actionDigest,
    conditions,
    policy: { ...policy, rows: ['r1'] },
    deciders,
    entry: 9,
    issuedAt: NOW,
    ...minted,
  });
  return { ...base, token, ...over };
}

export interface Sent {
  readonly body: string;
  readonly headers: Record<string, string>;
}

export function send(
  result: ApprovalResult | string,
  { secrets = [SECRET], owedId = '9-0', timestamp = NOW }: { secrets?: readonly string[]; owedId?: string; timestamp?: string } = {},
): Sent {
  const body = typeof result === 'string' ? result : callbackBody(result);
  return { body, headers: sign({ secrets, id: webhookId('apr_1', owedId), timestamp, body }) };
}
