/**
 * How an approval stands and how it ended. The same words in YAML, code, API, pages and docs.
 * Pure: imports types only.
 */
import type { Instant, JsonObject } from './json';
import type { PolicyRef } from './plan';

export const OUTCOMES = [
  'allowed',
  'blocked',
  'approved',
  'approved_with_conditions',
  'denied',
  'answered',
  'resolved_by_person',
  'handed_back',
  'expired',
  'withdrawn',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const OPEN_STATES = ['routing', 'waiting', 'asked', 'taken_over', 'held'] as const;
export type OpenState = (typeof OPEN_STATES)[number];
export type State = OpenState | Outcome;

export const isOutcome = (state: State): state is Outcome => (OUTCOMES as readonly string[]).includes(state);

/** Outcomes under which the agent's guard may execute the action. */
export const EXECUTABLE: readonly Outcome[] = ['allowed', 'approved', 'approved_with_conditions'];

/** Who decided, as what, when. */
export interface Decider {
  readonly person: string;
  readonly role: string;
  readonly at: Instant;
  /** For whom, where they stood in for a person who was absent. */
  readonly for?: string;
}

/** What the agent does next: the declared path on no, the instructions handed back, the safe alternative. */
export interface Next {
  readonly path: string;
  readonly alternative?: { readonly type: string; readonly params: JsonObject; readonly summary: string };
  /** It stops altogether, until somebody resumes it. */
  readonly pause?: { readonly reason: string };
  /** What a person supplied, where the outcome is `answered`. */
  readonly facts?: JsonObject;
}

/** What the agent gets: as the child's result, in the callback, and from the API. */
export interface ApprovalResult {
  readonly approvalId: string;
  readonly tenant: string;
  readonly outcome: Outcome;
  /** One sentence: why it ended so. */
  readonly reason: string;
  readonly decidedAt: Instant;
  readonly deciders: readonly Decider[];
  readonly conditions: JsonObject;
  readonly next: Next;
  readonly policy: PolicyRef;
  readonly actionDigest: string;
  /** Decision token: a compact JWS. */
  readonly token: string;
}
