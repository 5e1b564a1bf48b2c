/**
 * A policy after compilation: what resolve works on. Plain data, apart from the compiled conditions.
 * Pure: imports types only.
 */
import type { Money } from '../domain/money';
import type { Calendar, Effect, Level, Meanwhile, OnDeny, OnTimeout, Operators, Questions, Tier } from '../domain/plan';
import type { Engine, Expression } from './cel/engine';
import type { Names } from './cel/names';
import type { RECENT_PER, RISKS, Urgency } from './schema';
import type { Place } from './report';
import type { Field } from './units';

type Risk = (typeof RISKS)[number];

/** Where a fact comes from. Only an `agent` fact may be claimed. */
export type FactSource = 'action' | 'agent' | 'provider';

export interface CompiledFact {
  readonly name: string;
  readonly type: Field['type'];
  readonly source: FactSource;
  /** For source `action`: how it is computed. */
  readonly value: Expression | null;
  /** For source `provider`: who gives it. */
  readonly provider: string | null;
  /** Action types that need it: their requests must carry it, or the provider must have given it. */
  readonly requiredFor: readonly string[];
}

/** Who gives facts, and how long the answer may take. Where to ask is the operator's setting. */
export interface CompiledProvider {
  readonly withinMs: number;
}

/** A fact about the systems, not about one request: read as `system.name`. */
export interface CompiledSystemFact {
  readonly name: string;
  readonly type: Field['type'];
  readonly provider: string;
}

/** Whose a role is depends on what the request names under `of`; `backup` is a plain role. */
export interface CompiledRelativeRole {
  readonly of: string;
  readonly backup: string;
  readonly at: Place;
}

/** What is counted or summed over recent requests, so that many small ones weigh as much as one. */
export interface CompiledRecent {
  readonly name: string;
  readonly of: readonly string[];
  readonly per: (typeof RECENT_PER)[number];
  readonly withinMs: number;
  /** The param of type money whose sum it is; null: the requests are counted. */
  readonly sum: string | null;
}

/** What a row offers, before there is a request to measure it against. */
export interface CompiledOffers {
  /** `atMost` null: whatever was asked. */
  readonly amountAtMost?: { readonly param: string; readonly atMost: Money | null };
  readonly onlyRecipients?: { readonly param: string };
  readonly expiresWithinMs?: number;
  readonly options?: { readonly [name: string]: string };
}

export interface CompiledSignOff {
  readonly lane: string;
  readonly role: string;
  readonly quorum: number;
  readonly ladder: readonly Level[];
  /** Needed only when the amount is above the authority of the sign-off before it. */
  readonly onlyAbove: boolean;
  /** For findings: the sign-off, and each level. */
  readonly at: Place;
  readonly levelsAt: readonly Place[];
}

export interface CompiledRow {
  readonly id: string;
  readonly effect: Effect;
  /** Null for the default row, which stands where nothing matched. */
  readonly when: Expression | null;
  readonly unless: Expression | null;
  readonly supersedes: readonly string[];
  /** Rows whose refusal this one may make an exception to: it applies to nothing but requests for one. */
  readonly excepts: readonly string[];
  /** Whether who refused may grant the exception as well. */
  readonly refuserAllowed: boolean;
  readonly lane: string;
  readonly owner: string;
  readonly tier: Tier;
  readonly risk: Risk;
  readonly urgency: Urgency;
  readonly amount: Expression | null;
  readonly signOffs: readonly CompiledSignOff[];
  /** Its sign-offs are asked for all at once. */
  readonly parallel: boolean;
  /** The first sign-off's ladder when time presses: the same roles, sooner or over more channels, and no others. */
  readonly expedite: { readonly when: Expression; readonly ladder: readonly Level[] } | null;
  /** What an approver may add to a yes. */
  readonly offers: CompiledOffers | null;
  /** Facts that a person supplies, each with its type as written. */
  readonly asksFor: { readonly [name: string]: string } | null;
  readonly meanwhile: Meanwhile;
  readonly evidence: readonly string[];
  readonly onTimeout: OnTimeout;
  readonly onDeny: OnDeny;
  readonly takeoverMs: number;
  /** With updates of who has it; null: no longer than `takeoverMs`. */
  readonly takeoverAtMostMs: number | null;
  /** Null where the policy does not say: QUESTIONS. */
  readonly questions: Questions | null;
  readonly samePersonAllowed: boolean;
  readonly provision: string;
  readonly instruction: string;
  readonly at: Place;
  readonly ownerAt: Place;
  readonly whenAt: Place;
}

/** What operators may do, with the places of the roles for findings. */
export interface CompiledOperators {
  readonly said: Operators;
  readonly at: { readonly all: Place; readonly roles: Place; readonly override: Place; readonly breakGlass: Place };
  readonly reviewAt: Place;
}

export interface CompiledPolicy {
  readonly name: string;
  readonly version: string;
  /** SHA-256 over the content, lower-case hex: the policy's identity. */
  readonly hash: string;
  readonly lanes: { readonly [lane: string]: { readonly owner: string | null; readonly at: Place | null } };
  /** How far each role's yes reaches; null is unlimited. */
  readonly authority: { readonly [role: string]: Money | null };
  readonly actions: { readonly [type: string]: { readonly params: { readonly [name: string]: Field } } };
  readonly facts: { readonly [name: string]: CompiledFact };
  readonly recent: { readonly [name: string]: CompiledRecent };
  readonly providers: { readonly [name: string]: CompiledProvider };
  readonly system: { readonly [name: string]: CompiledSystemFact };
  readonly relativeRoles: { readonly [role: string]: CompiledRelativeRole };
  readonly calendars: { readonly [name: string]: Calendar };
  /** Null where the policy does not say: OPERATORS. */
  readonly operators: CompiledOperators | null;
  readonly rows: readonly CompiledRow[];
  readonly defaultRow: CompiledRow;
  readonly names: Names;
  readonly engine: Engine;
  /** Where the policy says its name: for findings that concern it as a whole. */
  readonly at: Place;
}
