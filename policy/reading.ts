/**
 * A request read against the policy's declarations: values by path for the conditions, and an issue for each that is missing, mistyped
 * or not the agent's to claim. Pure.
 */
import type { Json, JsonObject } from '../domain/json';
import { fits, howTo } from '../domain/types';
import type { Reading } from './cel/names';
import { CelMoney } from './cel/money';
import type { CompiledFact, CompiledPolicy } from './model';
import { givenAt } from './providers';

/** Why a request cannot be routed. */
export const ROUTING_CODES = [
  'unknown_action',
  'no_exception',
  'missing_fact',
  'mistyped_fact',
  'forbidden_fact',
  'missing_evidence',
  'amount_unreadable',
  'fact_unavailable',
] as const;
type RoutingCode = (typeof ROUTING_CODES)[number];

/** Why a request cannot be routed, at which part of it, and how to mend it. */
export interface RoutingIssue {
  readonly code: RoutingCode;
  readonly path: string;
  readonly message: string;
}

export interface RawReading {
  readonly action: {
    readonly type: string;
    readonly params: JsonObject;
    readonly summary?: string | undefined;
    readonly system?: string | undefined;
    readonly reversibility?: string | undefined;
    readonly audience?: { readonly reach?: string | undefined; readonly count?: number | undefined } | undefined;
    readonly data?: readonly string[] | undefined;
  };
  readonly facts: JsonObject;
  /** Counts and sums by name; what is not known is absent. */
  readonly recent?: JsonObject | undefined;
  /** What providers said, by path: `facts.customer_tier`, `system.queue_depth`. What they did not say is absent. */
  readonly provided?: JsonObject | undefined;
  /** Why they did not, by path. */
  readonly unavailable?: { readonly [path: string]: string } | undefined;
  readonly exception?: { readonly outcome: string; readonly by?: readonly { readonly role: string }[] | undefined } | undefined;
  readonly evidence: readonly string[];
  readonly requester: { readonly agent?: string | undefined; readonly run?: string | undefined; readonly onBehalfOf?: string | null | undefined };
  readonly tenant?: string | undefined;
}

/** What a request is read against. */
export type Declaring = Pick<CompiledPolicy, 'actions' | 'facts' | 'recent' | 'system'>;

/** Reads what is there; `strict` also asks for what is not. */
export function read(policy: Declaring, raw: RawReading, strict: boolean): { readonly reading: Reading; readonly issues: readonly RoutingIssue[] } {
  const issues: RoutingIssue[] = [];
  const reading = new Map<string, Json>();
  const issue = (code: RoutingCode, path: string, message: string): void => {
    issues.push({ code, path, message });
  };
  const action = Object.hasOwn(policy.actions, raw.action.type) ? policy.actions[raw.action.type] : undefined;
  if (!action) {
    issue('unknown_action', 'action.type', `The policy knows no action ${raw.action.type}; it knows ${Object.keys(policy.actions).join(', ') || 'none'}`);
    return { reading, issues };
  }
  for (const [name, value] of Object.entries(raw.action.params)) {
    const path = `action.params.${name}`;
    const field = Object.hasOwn(action.params, name) ? action.params[name] : undefined;
    if (!field) issue('forbidden_fact', path, `${raw.action.type} declares no param ${name}; leave it out, or have the policy declare it`);
    else if (!fits(field.type, value)) issue('mistyped_fact', path, `${path} has to be ${howTo(field.type)}`);
    else reading.set(path, value);
  }
  if (strict) {
    for (const [name, field] of Object.entries(action.params)) {
      if (!field.optional && !Object.hasOwn(raw.action.params, name))
        issue('missing_fact', `action.params.${name}`, `${raw.action.type} needs the param ${name}: ${howTo(field.type)}`);
    }
  }
  builtins(raw, reading);
  for (const [name, value] of Object.entries(raw.recent ?? {})) {
    const path = `recent.${name}`;
    const declared = Object.hasOwn(policy.recent, name) ? policy.recent[name] : undefined;
    if (!declared) issue('forbidden_fact', path, `The policy declares no ${path}; leave it out, or have the policy declare it under recent`);
    else if (!fits({ kind: declared.sum === null ? 'int' : 'money' }, value))
      issue('mistyped_fact', path, `${path} has to be ${howTo({ kind: declared.sum === null ? 'int' : 'money' })}`);
    else reading.set(path, value);
  }
  claimed(policy.facts, raw, strict, reading, issue);
  // Last of all: what the agent can mend is said first.
  provided(policy, raw, strict, reading, issue);
  for (const fact of Object.values(policy.facts)) compute(fact, reading);
  return { reading, issues };
}

function builtins({ action, evidence, requester, tenant, exception }: RawReading, reading: Map<string, Json>): void {
  const put = (path: string, value: Json | undefined): void => {
    if (value !== undefined && value !== null) reading.set(path, value);
  };
  put('action.type', action.type);
  put('action.summary', action.summary);
  put('action.system', action.system);
  put('action.reversibility', action.reversibility);
  put('action.audience.reach', action.audience?.reach);
  put('action.audience.count', action.audience?.count);
  put('action.data', action.data);
  put('evidence', evidence);
  put('requester.agent', requester.agent);
  put('requester.run', requester.run);
  put('requester.on_behalf_of', requester.onBehalfOf);
  put('tenant', tenant);
  put('exception.outcome', exception?.outcome);
  put('exception.by', exception && (exception.by ?? []).map(({ role }) => role));
}

function claimed(
  facts: CompiledPolicy['facts'],
  raw: RawReading,
  strict: boolean,
  reading: Map<string, Json>,
  issue: (code: RoutingCode, path: string, message: string) => void,
): void {
  for (const [name, value] of Object.entries(raw.facts)) {
    const path = `facts.${name}`;
    const fact = Object.hasOwn(facts, name) ? facts[name] : undefined;
    if (!fact) issue('forbidden_fact', path, `The policy declares no fact ${name}; leave it out`);
    else if (fact.source !== 'agent')
      issue(
        'forbidden_fact',
        path,
        `${name} is ${fact.source === 'action' ? 'computed from the action' : `given by the provider ${fact.provider ?? ''}`} and never claimed; leave it out`,
      );
    else if (!fits(fact.type, value)) issue('mistyped_fact', path, `${path} has to be ${howTo(fact.type)}`);
    else reading.set(path, value);
  }
  if (!strict) return;
  for (const fact of Object.values(facts)) {
    if (fact.source === 'agent' && fact.requiredFor.includes(raw.action.type) && !Object.hasOwn(raw.facts, fact.name))
      issue('missing_fact', `facts.${fact.name}`, `${raw.action.type} needs the fact ${fact.name}: ${howTo(fact.type)}`);
  }
}

/** What was not given is absent, unless this action needs it: then nothing is routed, and it is worth asking again. */
function provided(
  policy: Declaring,
  raw: RawReading,
  strict: boolean,
  reading: Map<string, Json>,
  issue: (code: RoutingCode, path: string, message: string) => void,
): void {
  for (const [path, value] of Object.entries(raw.provided ?? {})) {
    const given = givenAt(policy, path);
    if (!given) issue('forbidden_fact', path, `The policy has no ${path} from a provider; leave it out, or have the policy declare it`);
    else if (!fits(given.type, value)) issue('mistyped_fact', path, `${path} has to be ${howTo(given.type)}`);
    else reading.set(path, value);
  }
  if (!strict) return;
  for (const { name, source, provider, requiredFor } of Object.values(policy.facts)) {
    const path = `facts.${name}`;
    if (source !== 'provider' || !requiredFor.includes(raw.action.type) || Object.hasOwn(raw.provided ?? {}, path)) continue;
    const why = raw.unavailable && Object.hasOwn(raw.unavailable, path) ? raw.unavailable[path] : undefined;
    issue(
      'fact_unavailable',
      path,
      `${raw.action.type} needs the fact ${name}, which the provider ${provider ?? ''} has to give: ${why ?? NOT_ASKED}; send the same request again in a moment`,
    );
  }
}

/** Why a provider said nothing, where nobody knows better. */
export const NOT_ASKED = 'it was not asked';

/** A fact that cannot be computed is absent: a condition that reads it counts in the strict direction. */
function compute(fact: CompiledFact, reading: Map<string, Json>): void {
  if (!fact.value) return;
  const result = fact.value.evaluate(reading);
  if (!result.ok) return;
  const value = plain(result.value);
  if (value !== undefined && fits(fact.type, value)) reading.set(`facts.${fact.name}`, value);
}

function plain(value: unknown): Json | undefined {
  if (value instanceof CelMoney) return { ...value.toMoney() };
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value;
  return undefined;
}
