import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import type { CallbackMessage } from '../../../activities/callback';
import { createCredentialHook, CredentialSchema, CREDENTIAL_ORDERS, type CredentialHookSettings } from '../../../activities/credential';
import { sign } from '../../../activities/callback';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const settings: CredentialHookSettings = { url: 'https://ops.example.com/credentials', secrets: [SECRET] };
const what = {
  tenant: 'acme',
  approvalId: 'apr_1f0c9d52',
  owedId: '3-0',
  agent: 'refund-agent',
  credential: 'crm-export',
  reason: 'Exports wait for a person',
  policy: { name: 'support', version: '1', hash: 'abc' },
  since: '2026-11-21T09:30:00.000Z',
} as const;

/** A hook that keeps what would leave. */
function hook(given: CredentialHookSettings | null) {
  const sent: CallbackMessage[] = [];
  const callback = {
    send: (message: CallbackMessage) => {
      sent.push(message);
      return Promise.resolve({ status: 'done', reached: 'delivered', httpStatus: 204, latencyMs: 1, detail: 'Accepted', retryAfterMs: null } as const);
    },
  };
  return { sent, tell: createCredentialHook({ settings: given, callback }).tell };
}

describe.each(CREDENTIAL_ORDERS)('telling the credential hook to %s', (order) => {
  it('is one signed message of its own type, the same bytes and id in every attempt, and the page names it', async () => {
    const { sent, tell } = hook(settings);
    expect(await tell(order, what)).toMatchObject({ status: 'done' });
    await tell(order, what);
    const [first, second] = sent;
    if (!first || !second) throw new Error('nothing was sent');
    expect([second.id, second.body]).toEqual([first.id, first.body]);
    expect(first.id).toBe('apr_1f0c9d52_3-0');
    const genuine = new Webhook(SECRET).verify(first.body, sign(first));
    expect(CredentialSchema.parse(genuine)).toEqual({
      type: `credential.${order}`,
      timestamp: what.since,
      data: { tenant: 'acme', approvalId: 'apr_1f0c9d52', agent: 'refund-agent', credential: 'crm-export', reason: what.reason, policy: what.policy },
    });
    expect(readFileSync('docs/webhooks.md', 'utf8')).toContain(`\`credential.${order}\``);
  });

  it('where none is configured fails for good, sends nothing, and says what to do by hand and which settings are missing', async () => {
    const { sent, tell } = hook(null);
    const { status, detail } = await tell(order, what);
    expect(status).toBe('failed_for_good');
    expect(detail).toContain('crm-export');
    expect(detail).toContain(`${order} it by hand, and set COUNTERSIGN_CREDENTIAL_HOOK and COUNTERSIGN_CREDENTIAL_HOOK_SECRETS`);
    expect(sent).toEqual([]);
  });
});
