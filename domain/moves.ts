/**
 * What people (and clocks) can do to an approval, and why a move is refused.
 * Pure: imports types only.
 */
import type { Instant, JsonObject } from './json';
import type { Conditions } from './plan';

/** A move of an authenticated person. It reaches the workflow only as the id of a stored, signed command. */
export type Move =
  | { readonly type: 'claim' }
  | { readonly type: 'release' }
  /** `conditions`: only what the plan offers. */
  | { readonly type: 'approve'; readonly reason: string; readonly conditions?: Conditions | undefined }
  | { readonly type: 'deny'; readonly reason: string }
  | { readonly type: 'take_over'; readonly reason: string }
  /** Only in an escalation that asks for facts: supplies them, and ends it. */
  | { readonly type: 'answer'; readonly facts: JsonObject }
  /** Only after take_over: the agent goes on with these instructions. */
  | { readonly type: 'hand_back'; readonly instructions: string }
  /** Only after take_over: done by hand, with this result for the agent. */
  | { readonly type: 'resolve'; readonly result: string };

export type MoveType = Move['type'];

/** Moves that decide, and so must name the packet digest that their maker saw. */
export const DECIDING: readonly MoveType[] = ['approve', 'deny', 'take_over', 'answer', 'hand_back', 'resolve'];

/** What a person's session signed; stored by the API, verified by commit, copied into the entry. */
export interface CommandBody {
  /** {@link commandVersion}: signed under a label of its own, so that a program which does not know the form refuses the signature. */
  readonly v: 1 | 2;
  readonly tenant: string;
  readonly approvalId: string;
  readonly commandId: string;
  readonly person: string;
  readonly move: Move;
  /** Digest of the packet that the person saw; null for moves that decide nothing. */
  readonly packetDigest: string | null;
  /** When the person signed in. */
  readonly signedInAt: Instant;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
}

/** A yes with conditions is of version 2: read as a plain yes, by a program from before there were any, it would allow more than was said. */
export const commandVersion = (move: object): CommandBody['v'] => ('conditions' in move && move.conditions !== undefined ? 2 : 1);

/** What the machine is told to consider. */
export type Command =
  | { readonly type: 'move'; readonly id: string; readonly body: CommandBody; readonly signature: string; readonly keyId: string }
  /** The workflow has begun: open the first level. Idempotent. */
  | { readonly type: 'open' }
  /** An instant may have come. Too early does nothing. */
  | { readonly type: 'clock' }
  /** The agent no longer asks. May only tighten, and so needs no signature. */
  | { readonly type: 'withdraw'; readonly by: string; readonly reason: string };

export const REFUSALS = [
  'unknown_command',
  'bad_signature',
  'command_expired',
  'wrong_approval',
  'already_decided',
  'not_a_person',
  'role_not_held',
  'authority_exceeded',
  'requester_may_not_decide',
  'same_person',
  'stale_packet',
  'claimed_by_another',
  'not_claimed',
  'already_signed',
  'not_taken_over',
  'taken_over_by_another',
  'reason_required',
  'sign_in_too_old',
  'approval_needs_takeover',
  'condition_not_offered',
  'condition_required',
  'condition_needs_more',
  'policy_unreadable',
  'answer_not_asked',
  'answer_invalid',
  'refuser_may_not_grant',
  'not_open',
  'unsigned_message',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

/**
 * Refusals of what nobody with authority over this approval sent: messages straight to the engine. Each is an entry, up to
 * {@link STRAYS_MAX} on one approval; a flood of them does not grow the record any further. What the engine itself went through is none
 * of them: however much outsiders sent, it is an entry.
 */
export const STRAYS: readonly RefusalCode[] = ['unsigned_message', 'unknown_command', 'bad_signature', 'wrong_approval'];
export const STRAYS_MAX = 20;

/** A move that was not accepted: a stable code, and one sentence that says what, where and how to mend it. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}
