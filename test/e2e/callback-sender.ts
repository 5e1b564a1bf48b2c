/** What Countersign does at the end of an approval, with its own parts: a token, a body, one signed call over its own egress. */
import { callbackBody, createCallback, webhookId, type CallbackResult } from '../../activities/callback';
import { createEgress } from '../../activities/egress';
import { createTokens, type Tokens } from '../../activities/tokens';
import type { ApprovalResult, Outcome } from '../../domain/outcome';
import { keyPair, tokenKeys } from '../unit/tokens/keys';

export const SECRET = `whsec_${Buffer.alloc(32, 11).toString('base64')}`;
export const OTHER_SECRET = `whsec_${Buffer.alloc(32, 12).toString('base64')}`;
export const digestOf = (approvalId: string): string => Buffer.from(approvalId.padEnd(32, '.')).toString('hex').slice(0, 64);

export interface Sender {
  readonly tokens: Tokens;
  result(approvalId: string, outcome: Outcome): Promise<ApprovalResult>;
  send(url: string, result: ApprovalResult, over?: { readonly secrets?: readonly string[]; readonly timestamp?: string }): Promise<CallbackResult>;
  close(): Promise<void>;
}

export function createSender(): Sender {
  const tokens = createTokens({ keys: tokenKeys(keyPair(21)), issuer: 'https://approvals.example.com' });
  const egress = createEgress({ allowLoopback: true });
  const callback = createCallback({ egress });
  return {
    tokens,
    close: () => egress.close(),
    async result(approvalId, outcome) {
      const now = new Date().toISOString();
      const policy = { name: 'finance', version: '1', hash: 'b'.repeat(64) };
      const deciders = [{ person: 'ana', role: 'finance_manager', at: now }];
      const said = { approvalId, tenant: 'acme', outcome, actionDigest: digestOf(approvalId), conditions: {}, deciders };
      const token = await tokens.mint({ ...said, id: `${approvalId}-9`, agent: 'refund-bot', policy: { ...policy, rows: ['r1'] }, entry: 9, issuedAt: now });
      return { ...said, policy, token, reason: 'Zoë Müller decided: “genehmigt” ✓', decidedAt: now, next: { path: 'log the reason and end the run' } };
    },
    send: (url, result, { secrets = [SECRET], timestamp = new Date().toISOString() } = {}) =>
      callback.send({ url, secrets, id: webhookId(result.approvalId, '9-0'), timestamp, body: callbackBody(result), registeredHosts: ['127.0.0.1'] }),
  };
}
