/** The words between the plain approval, its worker and its callers. Types and names only. */

export const PLAIN_QUEUE = 'bench-plain';
export const PLAIN_WORKFLOW = 'plainApproval';
export const BARE_WORKFLOW = 'bare';

export interface PlainRequest {
  readonly id: string;
  readonly summary: string;
  readonly approver: string;
  readonly callbackUrl: string;
  readonly deadlineMs: number;
}

export interface PlainDecision {
  readonly approved: boolean;
  readonly by: string;
  readonly reason: string;
}

export interface PlainOutcome {
  readonly id: string;
  readonly outcome: 'approved' | 'denied' | 'expired';
  readonly by: string | null;
  readonly reason: string;
}

export interface PlainActivities {
  notify(request: PlainRequest): Promise<void>;
  audit(outcome: PlainOutcome): Promise<void>;
  callback(input: { readonly url: string; readonly outcome: PlainOutcome }): Promise<void>;
}
