/**
 * Asks the operator's credential hook to disable one credential path, to pause it while a request is open, or to let it work again: one
 * signed attempt, as callbacks are, to the one address that the operator configured, and only over the guarded way out. Without such an
 * address it says so, for good, and sends nothing.
 *
 * The same bytes and the same id in every attempt: a receiver that has done it answers a repetition as before. What is
 * sent is the policy's words and ids; nothing that an agent or a customer wrote. Fields are added, never renamed.
 * Must not import the store, the workflow or client.
 */
import { z } from 'zod';
import { instant, type Instant } from '../domain/json';
import type { PolicyRef } from '../domain/plan';
import { webhookId, type Callback, type CallbackResult } from './callback';

export interface CredentialHookSettings {
  readonly url: string;
  /** `whsec_…`, newest first; each gives one signature. */
  readonly secrets: readonly string[];
}

export interface CredentialHookOptions {
  /** Null: this installation has none. */
  readonly settings: CredentialHookSettings | null;
  readonly callback: Callback;
}

export const CREDENTIAL_ORDERS = ['disable', 'pause', 'resume'] as const;
/** What is to be done to a credential path: for good, until the request has ended, and when it has. */
export type CredentialOrder = (typeof CREDENTIAL_ORDERS)[number];

/** What it is about, by which policy, for which request of which agent. */
export interface Ordered {
  readonly tenant: string;
  readonly approvalId: string;
  readonly owedId: string;
  readonly agent: string;
  /** As the policy names it; what it means is the operator's. */
  readonly credential: string;
  readonly reason: string;
  readonly policy: PolicyRef;
  /** When it came to be owed. */
  readonly since: Instant;
  /** When it goes out, by the database's wall clock: a worker's host may be a day off. The host's if absent. */
  readonly sentAt?: Instant;
}

const word = z.string().min(1).max(500);

/** Everything that is ever sent. A receiver takes a message whose id it has seen for the same one. */
export const CredentialSchema = z.strictObject({
  type: z.enum(['credential.disable', 'credential.pause', 'credential.resume']),
  timestamp: z.iso.datetime(),
  data: z.strictObject({
    tenant: word,
    approvalId: word,
    agent: word,
    credential: word,
    reason: word,
    policy: z.strictObject({ name: word, version: word, hash: word }),
  }),
});

export interface CredentialHook {
  tell(order: CredentialOrder, what: Ordered): Promise<CallbackResult>;
}

/** What the policy does with it, and what a person does by hand where no hook can. */
const WORDS: { readonly [O in CredentialOrder]: readonly [does: string, byHand: string] } = {
  disable: ['disables the credential', 'disable it by hand'],
  pause: ['pauses the credential', 'pause it by hand'],
  resume: ['lets the credential', 'resume it by hand'],
};

export function createCredentialHook({ settings, callback }: CredentialHookOptions): CredentialHook {
  return {
    async tell(order, { since, sentAt, owedId, ...what }) {
      if (settings === null) {
        const [does, byHand] = WORDS[order];
        return {
          status: 'failed_for_good',
          httpStatus: null,
          latencyMs: 0,
          detail: `The policy ${does} ${what.credential}${order === 'resume' ? ' work again' : ''}, but no credential hook is configured here; ${byHand}, and set COUNTERSIGN_CREDENTIAL_HOOK and COUNTERSIGN_CREDENTIAL_HOOK_SECRETS.`,
          retryAfterMs: null,
        };
      }
      const { tenant, approvalId, agent, credential, reason, policy } = what;
      const { name, version, hash } = policy;
      const message: z.output<typeof CredentialSchema> = {
        type: `credential.${order}`,
        timestamp: since,
        data: { tenant, approvalId, agent, credential, reason, policy: { name, version, hash } },
      };
      return await callback.send({
        url: settings.url,
        secrets: settings.secrets,
        id: webhookId(approvalId, owedId),
        // A wall clock on purpose: receivers compare it with theirs.
        timestamp: sentAt ?? instant(Date.now()),
        body: JSON.stringify(message),
      });
    },
  };
}
