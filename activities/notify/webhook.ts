/**
 * Sends one message through the installation's webhook: one signed attempt, as callbacks are, to the one address that the operator
 * configured, and only over the guarded way out. Without such an address it says so, for good, and sends nothing.
 * Must not import the store, the workflow or client.
 */
import { instant } from '../../domain/json';
import { webhookId, type Callback, type CallbackResult } from '../callback';
import { noticeOf, type Told } from './notice';

export interface WebhookSettings {
  readonly url: string;
  /** `whsec_…`, newest first; each gives one signature. */
  readonly secrets: readonly string[];
}

export interface WebhookOptions {
  /** Null: this installation has none. */
  readonly settings: WebhookSettings | null;
  readonly callback: Callback;
  readonly publicUrl: string;
}

export interface Webhook {
  /** `owedId` makes a message sent twice the same one. */
  send(message: Told & { readonly owedId: string }): Promise<CallbackResult>;
}

export function createWebhook({ settings, callback, publicUrl }: WebhookOptions): Webhook {
  return {
    async send(message) {
      if (settings === null)
        return {
          status: 'failed_for_good',
          httpStatus: null,
          latencyMs: 0,
          detail: 'The policy asks over a webhook, but none is configured here; set COUNTERSIGN_WEBHOOK_URL and COUNTERSIGN_WEBHOOK_SECRETS.',
          retryAfterMs: null,
        };
      return await callback.send({
        url: settings.url,
        secrets: settings.secrets,
        id: webhookId(message.approvalId, message.owedId),
        // A wall clock on purpose: receivers compare it with theirs.
        timestamp: message.sentAt ?? instant(Date.now()),
        body: JSON.stringify(noticeOf(message, publicUrl)),
      });
    },
  };
}
