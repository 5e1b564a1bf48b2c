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
  | { readonly type: 'resolve'; readonly result: string }
  /** Only after take_over: neither done nor to be done. */
  | { readonly type: 'abandon'; readonly reason: string }
  /** Only after take_over: where the work stands, and until when the next word comes. */
  | { readonly type: 'update'; readonly status: WorkStatus; readonly note: string; readonly next_update_at?: Instant | undefined }
  /** Says something to everyone who sees it, and decides nothing. */
  | { readonly type: 'comment'; readonly text: string }
  /** Asks the agent (`agent`) or a person of the directory, by id, for information. */
  | { readonly type: 'ask'; readonly of: string; readonly question: string; readonly sign_off?: string | undefined }
  /** Answers a question that was asked of who says it: a person, or the agent. `question` is its id. */
  | { readonly type: 'reply'; readonly question: string; readonly text: string }
  /** Only of the agent: more to decide from. The packet has another digest afterwards. */
  | { readonly type: 'add_evidence'; readonly name: string; readonly title: string; readonly content: string }
  /** Gives it to another person who may be asked, in the same role. */
  | { readonly type: 'reassign'; readonly to: string; readonly reason: string; readonly sign_off?: string | undefined }
  /** Moves it to the next level by hand. */
  | { readonly type: 'pass_up'; readonly reason: string }
  /** Of an operator: more time for who is asked now, bounded by the policy. */
  | { readonly type: 'extend'; readonly minutes: number; readonly reason: string; readonly sign_off?: string | undefined }
  /** Of an operator whom the policy lets: decides in place of who is asked, for one of the policy's named reasons. */
  | { readonly type: 'override'; readonly decision: 'approve' | 'deny'; readonly because: string; readonly reason: string }
  /** In an emergency, of the roles that the policy names: allows it at once, loudly, and opens a review. */
  | { readonly type: 'break_glass'; readonly reason: string }
  /** Of an operator: a debt that was given up is tried again. Also after the end. */
  | { readonly type: 'reopen_delivery'; readonly owed_id: string; readonly reason: string };

export const WORK_STATUSES = ['working', 'waiting_for_others', 'blocked', 'nearly_done'] as const;
/** Where a takeover stands, in the words of who has it. */
export type WorkStatus = (typeof WORK_STATUSES)[number];

export type MoveType = Move['type'];

/** Moves that decide, and so must name the packet digest that their maker saw. */
export const DECIDING: readonly MoveType[] = ['approve', 'deny', 'take_over', 'answer', 'hand_back', 'resolve', 'abandon', 'override', 'break_glass'];

/** What a person's session signed; stored by the API, verified by commit, copied into the entry. */
export interface CommandBody {
  /** {@link commandVersion}: signed under a label of its own, so that a program which does not know the form refuses the signature. */
  readonly v: 1 | 2 | 3;
  readonly tenant: string;
  readonly approvalId: string;
  readonly commandId: string;
  /** Empty where an agent moves. */
  readonly person: string;
  /** Only where the agent that asked moves: it answers a question, or adds evidence. */
  readonly agent?: string;
  /** Only where one act of a person moved several: names that act. */
  readonly bulk?: string;
  readonly move: Move;
  /** Digest of the packet that the person saw; null for moves that decide nothing. */
  readonly packetDigest: string | null;
  /** When the person signed in. */
  readonly signedInAt: Instant;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
}

/** The moves of the first version; what else there is a program from before would not know. */
const FIRST: readonly string[] = ['claim', 'release', 'approve', 'deny', 'take_over', 'answer', 'hand_back', 'resolve'];

/**
 * A yes with conditions is of version 2: read as a plain yes, by a program from before there were any, it would allow more than was said.
 * Moves that came later, of an agent, or of many at once, are of version 3.
 */
export const commandVersion = ({
  move,
  agent,
  bulk,
}: {
  readonly move: { readonly type: string };
  readonly agent?: unknown;
  readonly bulk?: unknown;
}): CommandBody['v'] =>
  agent !== undefined || bulk !== undefined || !FIRST.includes(move.type) ? 3 : 'conditions' in move && move.conditions !== undefined ? 2 : 1;

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
  /** Of the moves that are no decisions. */
  'text_required',
  'not_involved',
  'not_an_operator',
  'not_the_agent',
  'unknown_person',
  'unknown_question',
  'too_many_questions',
  'not_asked',
  'evidence_invalid',
  'too_much_evidence',
  'assignee_unfit',
  'nobody_above',
  'extension_not_allowed',
  'extension_too_long',
  'override_not_allowed',
  'override_reason_unknown',
  'break_glass_not_allowed',
  'unknown_delivery',
  'delivery_not_given_up',
  'update_too_late',
  'bulk_not_allowed',
  'already_chosen',
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
