/**
 * Everything that can happen to an approval. Each event is one entry on the record; the state is their fold.
 * Field names are part of the record's format: add, never rename.
 * Pure: imports types only.
 */
import type { Instant, JsonObject } from './json';
import type { RefusalCode, WorkStatus } from './moves';
import type { Decider, Next, Outcome } from './outcome';
import type { Channel, Conditions, Plan, PolicyRef, TimeoutEnd } from './plan';

export interface Asked {
  readonly person: string;
  readonly role: string;
  /** Whom they stand in for while that person is absent; absent where they hold the role themselves. */
  readonly for?: string;
}

/** The signature of a person's command, copied into the entry so that it can be verified offline. */
export interface Proof {
  readonly commandId: string;
  /** Names the act, where one act of the person moved several at once. */
  readonly bulk?: string;
  readonly packetDigest: string | null;
  readonly signedInAt: Instant;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly signature: string;
  readonly keyId: string;
}

/** The first channel that a message goes out on, and those that follow where one fails; `then` is left out where there is none. */
export interface Over {
  readonly channel: Channel;
  readonly then?: readonly Channel[];
}

/** What is owed to someone after an event; carried out by an activity, at least once, idempotent by its id. */
export type Owed =
  | ({ readonly kind: 'ask'; readonly to: Asked; readonly level: string; readonly dueAt: Instant; readonly next: string } & Over)
  | ({ readonly kind: 'remind'; readonly to: Asked; readonly level: string; readonly dueAt: Instant; readonly next: string } & Over)
  | ({ readonly kind: 'page_backup'; readonly to: Asked; readonly dueAt: Instant; readonly next: string } & Over)
  | ({
      readonly kind: 'tell_asked';
      readonly to: Asked;
      /** Empty: how it ended, read when it is sent, because it may name a reason. */ readonly what: string;
    } & Over)
  | ({
      readonly kind: 'ask_person';
      readonly to: Asked;
      /** Id of the question, which is read when it is sent. */ readonly question: string;
      readonly dueAt: Instant;
    } & Over)
  | {
      readonly kind: 'ask_agent';
      readonly question: string;
      readonly dueAt: Instant;
      readonly resume: { readonly type: 'callback'; readonly url: string } | { readonly type: 'workflow'; readonly workflowId: string };
    }
  | { readonly kind: 'tell_requester'; /** Empty, as above. */ readonly what: string }
  | { readonly kind: 'tell_customer'; readonly subject: string; readonly text: string }
  | { readonly kind: 'open_ticket'; readonly queue: string; readonly owner: string; readonly title: string }
  /** A case with the evidence of the request. */
  | { readonly kind: 'open_case'; readonly queue: string; readonly owner: string; readonly title: string }
  | { readonly kind: 'raise_incident'; readonly queue: string; readonly owner: string; readonly title: string }
  | { readonly kind: 'pause_credential'; readonly credential: string; readonly reason: string }
  | { readonly kind: 'resume_credential'; readonly credential: string; readonly reason: string }
  | { readonly kind: 'callback'; readonly url: string }
  | { readonly kind: 'signal_workflow'; readonly workflowId: string }
  | { readonly kind: 'pause_workflow'; readonly workflowId: string; readonly reason: string }
  | { readonly kind: 'disable_credential'; readonly credential: string; readonly reason: string };

export type OwedKind = Owed['kind'];

/** `done`: sent or accepted. `failed_for_now`: will be tried again. `failed_for_good`: dead letter, shown, redeliverable. */
export type AttemptStatus = 'done' | 'failed_for_now' | 'failed_for_good';

/** How far what is `done` is known to have come: handed to somebody who carries it on (a mail server), or accepted by the receiver itself. */
export type Reached = 'sent' | 'delivered';

/**
 * What happened between the record and the engine. The sweep `started` a workflow that was missing, `restarted` one that had closed
 * without an end, `nudged` one that had not seen what the record says. Another run, of a reset or a start by hand, `adopted` what the
 * record says. `record_behind`: the engine had seen entries or an end that the record does not hold, as after a restored backup.
 */
export type EngineStep = 'started' | 'restarted' | 'nudged' | 'adopted' | 'record_behind';

/** What is left of a level whose clock stands still. */
export interface Left {
  readonly dueMs: number;
  readonly reminderMs: readonly number[];
  /** The calendar on which it is measured; null is elapsed time. */
  readonly calendar: string | null;
}

/** When a level whose clock stood still ends now. */
export interface Resumed {
  readonly dueAt: Instant;
  readonly reminders: readonly Instant[];
}

type E<T extends string, F> = { readonly type: T } & F;

export type ApprovalEvent =
  | E<
      'requested',
      {
        readonly agent: string;
        readonly run: string;
        readonly actionType: string;
        readonly system: string;
        readonly summary: string;
        readonly reason: string;
        readonly onBehalfOf: string | null;
        readonly customer: string | null;
        readonly caseId: string | null;
        readonly actionDigest: string;
        readonly requestDigest: string;
        readonly evidence: readonly string[];
        /** Ids of the people whom the directory of then knew on the asking side; absent where it knew none. */
        readonly requesters?: readonly string[];
        /** The refusal that an exception is asked to, and why; absent where it is none. */
        readonly exceptionOf?: string;
        readonly justification?: string;
        /** The answered escalation that it goes on from; absent where there is none. */
        readonly follows?: string;
      }
    >
  | E<
      'routed',
      {
        readonly policy: PolicyRef;
        readonly rows: readonly { readonly id: string; readonly why: string }[];
        readonly effect: string;
        readonly tier: string;
        readonly lane: string;
        readonly owner: string;
        readonly signOffs: readonly string[];
        readonly planDigest: string;
        readonly packetDigest: string;
        readonly meanwhile: string;
        /** Only where providers were asked: what they said, what they did not say and why. */
        readonly provided?: Plan['provided'];
        readonly unavailable?: Plan['unavailable'];
        /** Only where the plan names relative roles: what they are bound to. */
        readonly relative?: Plan['relative'];
      }
    >
  | E<
      'level_opened',
      {
        readonly signOff: string;
        readonly level: number;
        readonly name: string;
        readonly role: string;
        readonly lane: string;
        readonly owner: string;
        readonly asked: readonly Asked[];
        readonly dueAt: Instant;
        readonly reminders: readonly Instant[];
        readonly next: string;
        readonly directory: string;
        readonly owed: readonly Owed[];
      }
    >
  | E<
      'level_skipped',
      { readonly signOff: string; readonly level: number; readonly name: string; readonly role: string; readonly why: string; readonly directory: string }
    >
  | E<'reminded', { readonly signOff: string; readonly level: number; readonly at: Instant; readonly owed: readonly Owed[] }>
  | E<
      'level_timed_out',
      { readonly signOff: string; readonly level: number; readonly name: string; readonly role: string; readonly owner: string; readonly dueAt: Instant }
    >
  /** `signOff` in this and the like: which of several that are open; left out where one is. */
  | E<'claimed', { readonly signOff?: string; readonly by: string; readonly role: string; readonly implicit: boolean; readonly proof: Proof }>
  | E<'released', { readonly signOff?: string; readonly by: string; readonly role: string; readonly proof: Proof }>
  | E<
      'signed_off',
      {
        readonly signOff: string;
        readonly by: string;
        readonly role: string;
        /** Whom they stood in for; left out where they held the role themselves. The same below. */
        readonly for?: string;
        readonly authority: 'full' | 'endorsement';
        readonly reason: string;
        readonly complete: boolean;
        readonly directory: string;
        readonly proof: Proof;
        /** Left out for an unconditional yes. */
        readonly conditions?: Conditions;
        /** With conditions: what the pinned policy says of the action as they leave it. */
        readonly routedAgain?: { readonly rows: readonly string[]; readonly planDigest: string };
      }
    >
  | E<
      'denied',
      {
        readonly signOff: string;
        readonly by: string;
        readonly role: string;
        readonly for?: string;
        readonly reason: string;
        readonly directory: string;
        readonly proof: Proof;
      }
    >
  | E<
      'taken_over',
      {
        readonly by: string;
        readonly role: string;
        readonly for?: string;
        readonly reason: string;
        readonly dueAt: Instant;
        readonly directory: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<'answered', { readonly by: string; readonly role: string; readonly facts: JsonObject; readonly directory: string; readonly proof: Proof }>
  | E<'handed_back', { readonly by: string; readonly role: string; readonly instructions: string; readonly proof: Proof }>
  | E<
      'resolved',
      {
        readonly by: string;
        readonly role: string;
        readonly result: string;
        /** Left out for what was done by hand. */ readonly how?: 'abandoned';
        readonly proof: Proof;
      }
    >
  | E<
      'worked',
      {
        readonly by: string;
        readonly role: string;
        readonly status: WorkStatus;
        readonly note: string;
        /** Until when the next word or the end comes. */ readonly dueAt: Instant;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<'commented', { readonly by: string; readonly role: string; readonly text: string; readonly owed: readonly Owed[]; readonly proof: Proof }>
  | E<
      'information_asked',
      {
        /** Of the sign-off whose asked person wants to know; empty where who had taken it over does. */
        readonly signOff: string;
        readonly question: string;
        readonly by: string;
        readonly role: string;
        /** `agent`, or a person's id. */
        readonly of: string;
        readonly text: string;
        readonly dueAt: Instant;
        /** Where the clock stands still: what was left of the level, in milliseconds on a calendar; null where it runs. */
        readonly left: Left | null;
        readonly directory: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<
      'information_given',
      {
        readonly question: string;
        /** A person's id, or the agent's name. */
        readonly by: string;
        readonly byAgent: boolean;
        readonly text: string;
        /** Of the packet with what was said in it. */
        readonly packetDigest: string;
        /** Where a clock stood still: when it ends now. */
        readonly resumed: Resumed | null;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  /** Nobody answered the question in its time: the clock runs on. */
  | E<
      'question_lapsed',
      { readonly question: string; readonly of: string; readonly dueAt: Instant; readonly resumed: Resumed | null; readonly owed: readonly Owed[] }
    >
  | E<
      'evidence_added',
      {
        readonly by: string;
        readonly name: string;
        readonly title: string;
        readonly content: string;
        readonly packetDigest: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<
      'reassigned',
      {
        readonly signOff: string;
        readonly by: string;
        /** The role under which it was done: the asked one, or an operator's. */
        readonly role: string;
        readonly from: string;
        readonly to: Asked;
        readonly reason: string;
        readonly directory: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<
      'passed_up',
      {
        readonly signOff: string;
        readonly level: number;
        readonly by: string;
        readonly role: string;
        readonly for?: string;
        readonly reason: string;
        readonly directory: string;
        readonly proof: Proof;
      }
    >
  /** A no that does not end it yet: the first of two who choose unseen, or one after which the next level is asked. */
  | E<
      'said_no',
      {
        readonly signOff: string;
        readonly level: number;
        readonly by: string;
        readonly role: string;
        readonly for?: string;
        readonly reason: string;
        readonly then: 'second_choice' | 'next_level';
        readonly directory: string;
        readonly proof: Proof;
      }
    >
  | E<
      'extended',
      {
        readonly signOff: string;
        readonly by: string;
        readonly role: string;
        readonly from: Instant;
        readonly dueAt: Instant;
        readonly minutes: number;
        readonly reason: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  /** The first of two: nothing has changed yet. */
  | E<
      'override_proposed',
      {
        readonly by: string;
        readonly role: string;
        readonly decision: 'approve' | 'deny';
        readonly because: string;
        readonly reason: string;
        readonly directory: string;
        readonly owed: readonly Owed[];
        readonly proof: Proof;
      }
    >
  | E<
      'overridden',
      {
        readonly by: string;
        readonly role: string;
        readonly decision: 'approve' | 'deny';
        readonly because: string;
        readonly reason: string;
        /** Who said the same before; null where one is enough. */ readonly first: string | null;
        readonly directory: string;
        readonly proof: Proof;
      }
    >
  | E<
      'glass_broken',
      { readonly by: string; readonly role: string; readonly reason: string; readonly directory: string; readonly owed: readonly Owed[]; readonly proof: Proof }
    >
  | E<'delivery_reopened', { readonly owedId: string; readonly by: string; readonly role: string; readonly reason: string; readonly proof: Proof }>
  /** Who is there, or the calendar, has changed since the level opened. */
  | E<
      'resolved_anew',
      {
        readonly signOff: string;
        readonly level: number;
        readonly why: string;
        readonly owner: string;
        readonly asked: readonly Asked[];
        readonly dueAt: Instant;
        readonly reminders: readonly Instant[];
        readonly directory: string;
        readonly owed: readonly Owed[];
      }
    >
  /** What the policy has done while the request is open. */
  | E<'meanwhile_begun', { readonly directive: string; readonly owed: readonly Owed[] }>
  | E<'takeover_lapsed', { readonly by: string; readonly dueAt: Instant }>
  | E<
      'held',
      {
        readonly signOff?: string;
        readonly role: string;
        readonly owner: string;
        readonly asked: readonly Asked[];
        readonly dueAt: Instant;
        readonly then: 'expire' | 'deny';
        readonly owed: readonly Owed[];
      }
    >
  | E<
      'ended',
      {
        readonly outcome: Outcome;
        readonly why: string;
        readonly end: TimeoutEnd | null;
        readonly deciders: readonly Decider[];
        readonly conditions: JsonObject;
        readonly next: Next;
        readonly owed: readonly Owed[];
      }
    >
  | E<'refused', { readonly code: RefusalCode; readonly message: string; readonly by: string; readonly move: string; readonly commandId: string }>
  | E<
      'attempted',
      {
        readonly owedId: string;
        readonly kind: OwedKind;
        readonly to: string;
        readonly attempt: number;
        readonly status: AttemptStatus;
        readonly httpStatus: number | null;
        readonly latencyMs: number;
        readonly detail: string;
        readonly retryAt: Instant | null;
        /** For messages: what it went out on. Left out in entries from before there were several. */
        readonly channel?: Channel;
        /** Only where it is done; left out for what is not a delivery, and in older entries. */
        readonly reached?: Reached;
        /** The channel that the next attempt goes out on, where this one gave way. */
        readonly fallsTo?: Channel;
      }
    >
  | E<'engine', { readonly what: EngineStep; readonly why: string }>;

export type EventType = ApprovalEvent['type'];

/** Fields that hold or may hold personal data: kept apart from the entry, which commits to a salted digest of each. */
export const PERSONAL: { readonly [T in EventType]?: readonly string[] } = {
  requested: ['summary', 'reason', 'onBehalfOf', 'customer', 'justification'],
  signed_off: ['reason', 'conditions'],
  answered: ['facts'],
  denied: ['reason'],
  taken_over: ['reason'],
  handed_back: ['instructions'],
  resolved: ['result'],
  worked: ['note'],
  commented: ['text'],
  information_asked: ['text'],
  information_given: ['text'],
  evidence_added: ['title', 'content'],
  reassigned: ['reason'],
  passed_up: ['reason'],
  said_no: ['reason'],
  extended: ['reason'],
  override_proposed: ['reason'],
  overridden: ['reason'],
  glass_broken: ['reason'],
  delivery_reopened: ['reason'],
  attempted: ['to'],
  routed: ['rows', 'provided', 'relative'],
  ended: ['why', 'next', 'conditions'],
  refused: ['message'],
};
