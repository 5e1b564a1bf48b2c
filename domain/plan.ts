/**
 * The plan: what the policy decided for one request, as plain data, pinned at submit.
 * Everything after submit follows the plan, never the policy of the day.
 * Pure: imports types only.
 */
import type { Instant, Json, JsonObject } from './json';
import type { Money } from './money';

/** A person signs off the agent's action, or a person takes over. */
export type Kind = 'approval' | 'escalation';
/** Strictest first: block, escalation, approval, allow. */
export type Effect = 'block' | Kind | 'allow';
export const TIERS = ['none', 'lightweight', 'strong', 'dual'] as const;
export type Tier = (typeof TIERS)[number];

/** What the agent does while it waits, mildest first. */
export const MEANWHILE = [
  'retry_once',
  'degrade',
  'reduce_throughput',
  'stop_noncritical',
  'park_item',
  'hold_send',
  'freeze_decision',
  'pause_job',
  'block',
  'deny_and_keep_logs',
] as const;
export type MeanwhileAction = (typeof MEANWHILE)[number];

/** How a ladder ends when nobody answered, safest first. */
export const TIMEOUT_ENDS = ['safe_alternative', 'hold', 'expire', 'deny'] as const;
export type TimeoutEnd = (typeof TIMEOUT_ENDS)[number];

/** What messages to people go out on. */
export const CHANNELS = ['email', 'webhook'] as const;
export type Channel = (typeof CHANNELS)[number];

/** Working time: opening hours in one zone, and the days that are closed. */
export interface Calendar {
  readonly zone: string;
  /** By weekday, Monday first: spans of minutes since local midnight, ascending and apart. */
  readonly week: readonly (readonly (readonly [number, number])[])[];
  /** Local dates without work, as `2026-12-24`. */
  readonly closed: readonly string[];
  /** A region whose public holidays are closed too: `DE`, `DE-BE`; null for none. */
  readonly region: string | null;
}

/** A deadline on a calendar of the policy; null is elapsed time. */
export interface Limit {
  readonly withinMs: number;
  readonly calendar: string | null;
}

/** One rung: who is asked, for how long, and when they are reminded. */
export interface Level {
  /** Unique within its ladder: `finance manager`, `CFO`. */
  readonly name: string;
  readonly role: string;
  /** How long this level has, in milliseconds, on its calendar. */
  readonly withinMs: number;
  /** A calendar of the policy, or null for plain elapsed time. */
  readonly calendar: string | null;
  /** Where rows with different calendars were united: the earliest of these deadlines holds. */
  readonly limits?: readonly Limit[];
  /** In order, each once: the first is used, and the next when one fails. */
  readonly channels: readonly Channel[];
  /** Fractions of `withinMs` at which the asked are reminded, ascending, each above 0 and below 1. */
  readonly reminders: readonly number[];
}

/** One required yes. Several are given in sequence, and those of one stage side by side. */
export interface SignOff {
  /** `1`, `2`, … in order. */
  readonly id: string;
  /** Sign-offs of the same stage open together; absent: a stage of its own. */
  readonly stage?: number;
  readonly lane: string;
  readonly role: string;
  /** How many different people must say yes: 2 for tier `dual`, otherwise usually 1. */
  readonly quorum: number;
  readonly ladder: readonly Level[];
  /** Ids of the rows that ask for it. */
  readonly rows: readonly string[];
}

/** What the agent does while it waits, and what is done for it meanwhile. */
export interface Meanwhile {
  readonly agent: MeanwhileAction;
  /** What the operator does first, in words. */
  readonly operator: string;
  /** For `retry_once`: how long to wait before, in milliseconds. */
  readonly retryAfterMs?: number;
  /** For `degrade`: the declared safe path. */
  readonly alternative?: { readonly type: string; readonly params: JsonObject; readonly summary: string };
  /** For `reduce_throughput`: to how much of the usual, in percent. */
  readonly toPercent?: number;
  /** Carried out by Countersign as soon as the request is open. */
  readonly effects?: MeanwhileEffects;
}

export interface MeanwhileEffects {
  readonly tellCustomer?: { readonly subject: string; readonly text: string };
  /** A case with the evidence, for somebody to look at. */
  readonly openCase?: { readonly queue: string; readonly owner: string; readonly title: string };
  readonly raiseIncident?: { readonly queue: string; readonly owner: string; readonly title: string };
  /** Paused until the request ends, by the operator's credential hook. */
  readonly pauseCredentials?: readonly { readonly credential: string; readonly reason: string }[];
}

/** Asking for information. */
export interface Questions {
  /** Whether the time of who asked stands still meanwhile. */
  readonly clock: 'pauses' | 'runs';
  /** How long a question waits at most, in milliseconds: after that its clock runs on. */
  readonly withinMs: number;
  /** How many there may be in one request. */
  readonly atMost: number;
}

/** The stricter: no deadline moves. */
export const QUESTIONS: Questions = { clock: 'runs', withinMs: 4 * 3_600_000, atMost: 20 };

/** What the policy lets operators do. */
export interface Operators {
  /** Who may reassign, take over, extend and re-open deliveries. */
  readonly roles: readonly string[];
  /** All extensions of one level together, in milliseconds; absent: none. */
  readonly extendAtMostMs?: number;
  readonly override?: {
    readonly roles: readonly string[];
    readonly may: readonly ('approve' | 'deny')[];
    /** What each named reason is called. */
    readonly reasons: { readonly [name: string]: string };
    /** Another person with such a role has to say the same. */
    readonly secondPerson: boolean;
  };
  readonly breakGlass?: {
    readonly roles: readonly string[];
    readonly review: { readonly queue: string; readonly owner: string; readonly title: string };
  };
}

export const OPERATORS: Operators = { roles: ['operator'] };

/** What happens when the last level has passed. */
export interface OnTimeout {
  readonly end: TimeoutEnd;
  /** For `hold`: which role is paged, how long it holds, and how it ends then. */
  readonly hold?: { readonly role: string; readonly forMs: number; readonly then: 'expire' | 'deny' };
  /** For `safe_alternative`: the declared action the agent may take instead. */
  readonly alternative?: { readonly type: string; readonly params: JsonObject; readonly summary: string };
  /** Open a ticket for manual review in this queue. */
  readonly ticket?: { readonly queue: string; readonly owner: string; readonly title: string };
  /** Tell the customer, with this text of the policy. */
  readonly tellCustomer?: { readonly subject: string; readonly text: string };
  /** The agent's workflow stops until somebody resumes it. */
  readonly pauseWorkflow?: { readonly reason: string };
  /** The operator's credential hook is told to disable each of these. */
  readonly disableCredentials?: readonly { readonly credential: string; readonly reason: string }[];
}

/** The agent's declared path on no. */
export interface OnDeny {
  /** One sentence the agent acts on: `log the reason and end the run`. */
  readonly path: string;
  /** A no of one level moves the request to the next, and ends it at the last; absent: a no ends it. */
  readonly oneNo?: 'next_level';
  readonly tellRequester: boolean;
  readonly tellCustomer?: { readonly subject: string; readonly text: string };
}

/** What an approver may add to a yes, measured against what was asked; absent members are not offered. */
export interface Offers {
  /** An amount up to `atMost`, which is never above the requested one. */
  readonly amountAtMost?: { readonly param: string; readonly atMost: Money };
  /** Some of those that the request names. */
  readonly onlyRecipients?: { readonly param: string; readonly of: readonly string[] };
  /** An end of the yes at most so far away. */
  readonly expiresWithinMs?: number;
  /** What each option is called. Where there are options, a yes is for exactly one of them. */
  readonly options?: { readonly [name: string]: string };
}

/** What a person says with a yes: it takes away from what was asked, and never adds to it. */
export interface Conditions {
  readonly amount_at_most?: Money | undefined;
  readonly only_recipients?: readonly string[] | undefined;
  /** The yes counts until then. */
  readonly expires_at?: Instant | undefined;
  /** The name of one of the offered options. */
  readonly option?: string | undefined;
}

/** A row that matched, and why in words. */
export interface MatchedRow {
  readonly id: string;
  readonly effect: Effect;
  /** The trigger as written. */
  readonly when: string;
  /** The trigger in words with the values that met it: `action.params.amount (USD 480.00) > usd(250)`. */
  readonly why: string;
  /** The policy provision the packet quotes. */
  readonly provision: string;
  /** True when the trigger could not be evaluated and so counted as matched. */
  readonly unevaluated: boolean;
  /** Why its shorter ladder holds, in words with the values; absent where it does not. */
  readonly expedited?: string;
}

/** The policy a plan was made by. */
export interface PolicyRef {
  readonly name: string;
  readonly version: string;
  /** SHA-256 over the content, lower-case hex. */
  readonly hash: string;
}

/** What recent requests come to, this one included, as the record said when it was routed. */
export interface RecentValue {
  readonly value: number | Money;
  /** How many requests it is made of. */
  readonly requests: number;
  readonly since: Instant;
}

/** What a provider said, about the request or about the systems, when it was routed. */
export interface Provided {
  readonly value: Json;
  readonly provider: string;
  /** When it was asked. */
  readonly at: Instant;
}

/** Whose a relative role is: who owns `of`, and the plain role that stands in for them. `of` is null where the request does not say. */
export interface Bound {
  readonly of: string | null;
  readonly backup: string;
}

/** An earlier refusal that a request asks an exception to, as the record holds it. */
export interface Refused {
  readonly of: string;
  readonly outcome: 'blocked' | 'denied';
  /** The rows that refused: those that blocked, or that asked the person who said no. */
  readonly rows: readonly string[];
  /** Who said no, as what; empty where the policy or silence did. Absent in older plans. */
  readonly by?: readonly { readonly person: string; readonly role: string }[];
  /** Set where every row that makes the exception lets those who said no grant it as well. */
  readonly refuserAllowed?: true;
  /** Roles asked about the exception whose authority does not reach that of who said no: their yes endorses at most. Absent where there is none. */
  readonly below?: readonly string[];
}

export interface Plan {
  readonly policy: PolicyRef;
  readonly effect: Effect;
  readonly rows: readonly MatchedRow[];
  readonly tier: Tier;
  readonly risk: string;
  readonly urgency: string;
  /** The lane of the first sign-off; for allow and block the lane of the row. */
  readonly lane: string;
  /** The named role that owns the row: who answers for this rule. */
  readonly owner: string;
  /** Empty for allow and block. */
  readonly signOffs: readonly SignOff[];
  /** The amount that authority is measured against, if the rows name one. */
  readonly amount: Money | null;
  /** How far each role's yes reaches; null is unlimited; a role not named here has no authority over money. */
  readonly authority: { readonly [role: string]: Money | null };
  /**
   * Roles without authority over money that are asked about something else beside it: their yes gives their own sign-off, and lifts nobody
   * else's over a limit. Absent where there are none.
   */
  readonly unmeasured?: readonly string[];
  readonly meanwhile: Meanwhile;
  /** Names of evidence that must be attached at submit. */
  readonly evidence: readonly string[];
  readonly onTimeout: OnTimeout;
  readonly onDeny: OnDeny;
  /** How long a person who took over has before the timeout end applies, in milliseconds. */
  readonly takeoverMs: number;
  /** With updates of who has it: how long it may take in all, in milliseconds; absent: no longer than `takeoverMs`. */
  readonly takeoverAtMostMs?: number;
  /** How people ask for information; absent: {@link QUESTIONS}. */
  readonly questions?: Questions;
  /** What operators may do beside; absent: {@link OPERATORS}. */
  readonly operators?: Operators;
  /** One person may give several sign-offs only if a row says so. */
  readonly samePersonAllowed: boolean;
  /** Texts the packet quotes. */
  readonly instruction: string;
  /** Counts and sums that its rows could read; absent where the policy declares none. */
  readonly recent?: { readonly [name: string]: RecentValue };
  /** What providers said, by the path that conditions read it under (`facts.customer_tier`, `system.queue_depth`); absent where none did. */
  readonly provided?: { readonly [path: string]: Provided };
  /** What a provider should have said and did not, and why, in a sentence: what read it counted in the strict direction. */
  readonly unavailable?: { readonly [path: string]: string };
  /** The relative roles that it names, and what they are bound to; absent where it names none. */
  readonly relative?: { readonly [role: string]: Bound };
  /** The refusal that it is an exception to; absent where it is none. */
  readonly exception?: Refused;
  /** What an approver may add to a yes; absent where nothing is offered. */
  readonly offers?: Offers;
  /** Facts that the person of an escalation may supply, each with its type as written; absent where none is asked for. */
  readonly asksFor?: { readonly [name: string]: string };
  /** The calendars that its levels name; absent where none does. */
  readonly calendars?: { readonly [name: string]: Calendar };
}
