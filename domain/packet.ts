/**
 * The packet: everything the approver decides from, in one view, made once at submit from the request and its plan.
 * Its digest is what a decision names. Nothing in it comes from a model's judgment: the headline is built from the parts.
 * Pure: imports only from domain.
 */
import { offerWords } from './conditions';
import { describeEnd } from './ladder';
import type { Json, JsonObject } from './json';
import { formatMoney, isMoney } from './money';
import type { Plan } from './plan';
import type { RequestInput } from './request';
import type { Added } from './state';

export interface Packet {
  /** One sentence that makes sense alone: what, how much, for how many, whether it can be undone. */
  readonly headline: string;
  readonly action: {
    readonly type: string;
    readonly summary: string;
    readonly params: JsonObject;
    readonly system: string;
    readonly reversibility: string;
    readonly audience: { readonly reach: string; readonly count: number };
    readonly data: readonly string[];
    readonly artifacts: readonly { readonly name: string; readonly media_type: string; readonly sha256: string }[];
  };
  /** Why it crossed the line: each row's trigger in words with the values that met it. */
  readonly why: readonly string[];
  readonly provision: readonly string[];
  readonly instruction: string;
  /** The agent's justification: written by the agent, shown as such. */
  readonly reason: string;
  readonly facts: JsonObject;
  readonly evidence: readonly { readonly name: string; readonly title: string; readonly source: string; readonly content: string }[];
  readonly amount: string | null;
  readonly risk: string;
  readonly tier: string;
  readonly onSilence: string;
  readonly onDeny: string;
  readonly requester: { readonly agent: string; readonly run: string; readonly onBehalfOf: string | null };
  readonly customer: { readonly id: string; readonly name: string | null } | null;
  readonly case: string | null;
  readonly policy: { readonly name: string; readonly version: string; readonly hash: string };
  /** Only where the policy reads facts of others: what they said, by path, and what they did not say and why. */
  readonly provided?: NonNullable<Plan['provided']>;
  readonly unavailable?: NonNullable<Plan['unavailable']>;
  /** Only of an exception: what was refused, why, when, by whom; and why the agent asks again, in its own words. */
  readonly exception?: {
    readonly of: string;
    readonly outcome: string;
    readonly why: string;
    readonly at: string;
    readonly by: readonly string[];
    readonly justification: string;
  };
  /** What this approver may add to a yes, or has to choose, a sentence each; absent where nothing is offered. */
  readonly offers?: readonly string[];
  /** Facts that the person is asked to supply, with their types; absent where none is asked for. */
  readonly asksFor?: { readonly [name: string]: string };
  /** The answered escalation that it goes on from: what was supplied there, by whom. */
  readonly follows?: { readonly of: string; readonly at: string; readonly by: readonly string[]; readonly facts: JsonObject };
  /** What was added since it was made: the agent's evidence, and answers to questions, each with whose words they are. */
  readonly added?: readonly Added[];
}

const UNDO: Readonly<Record<string, string>> = { easy: 'can be undone', hard: 'is hard to undo', none: 'cannot be undone' };
const REACH: Readonly<Record<string, string>> = { internal: 'people inside', one_customer: 'one customer', many: 'customers', public: 'people in public' };

function audience({ reach, count }: RequestInput['action']['audience']): string {
  return reach === 'one_customer' ? 'affects one customer' : `affects ${String(count)} ${REACH[reach] ?? reach}`;
}

/** One sentence from the parts. */
export function headlineOf(request: RequestInput, plan: Plan): string {
  const { action } = request;
  const summary = action.summary.replace(/[.\s]+$/, '');
  const parts = [
    ...(plan.exception ? [`an exception: ${plan.exception.outcome} before`] : []),
    ...(plan.amount ? [formatMoney(plan.amount)] : []),
    audience(action.audience),
    UNDO[action.reversibility] ?? action.reversibility,
    ...(request.case ? [`case ${request.case}`] : []),
  ];
  return `${summary} (${parts.join(', ')}).`;
}

/** `earlier`: what the request names and the record holds: a refusal that it is an exception to, an answer that it goes on from. */
export function buildPacket(request: RequestInput, plan: Plan, agent: string, earlier: Pick<Packet, 'exception' | 'follows'> = {}): Packet {
  const { action } = request;
  return {
    headline: headlineOf(request, plan),
    action: {
      type: action.type,
      summary: action.summary,
      params: action.params,
      system: action.system,
      reversibility: action.reversibility,
      audience: action.audience,
      data: action.data,
      artifacts: action.artifacts,
    },
    why: plan.rows.map((row) => `${row.id}: ${row.why}`),
    provision: plan.rows.map((row) => row.provision).filter((text) => text !== ''),
    instruction: plan.instruction,
    reason: request.reason,
    facts: request.facts,
    evidence: request.evidence,
    amount: plan.amount ? formatMoney(plan.amount) : null,
    risk: plan.risk,
    tier: plan.tier,
    onSilence: describeEnd(plan.onTimeout.end, plan),
    onDeny: plan.onDeny.path,
    requester: { agent, run: request.run, onBehalfOf: request.on_behalf_of ?? null },
    customer: request.customer ? { id: request.customer.id, name: request.customer.name ?? null } : null,
    case: request.case ?? null,
    policy: plan.policy,
    ...earlier,
    ...(plan.provided ? { provided: plan.provided } : {}),
    ...(plan.unavailable ? { unavailable: plan.unavailable } : {}),
    ...(plan.offers ? { offers: offerWords(plan.offers) } : {}),
    ...(plan.asksFor ? { asksFor: plan.asksFor } : {}),
  };
}

/** The packet with all that was added to it since it was made, in order; without any it is the packet as made. */
export function packetWith(packet: Packet, supplements: readonly Added[]): Packet {
  const { added: _, ...made } = packet;
  if (supplements.length === 0) return made;
  return { ...made, added: supplements.map(({ name, title, source, by, at, content }) => ({ name, title, source, by, at, content })) };
}

/** Parameters as a person reads them, a line each, every one of them: money as money, texts as they are, the rest as JSON. */
export const readableParams = (params: JsonObject): string =>
  Object.entries(params)
    .map(([name, value]) => `${name}: ${readable(value)}`)
    .join('\n');

/** What others said about it, a line each, and whom it is from. */
export const providedLines = ({ provided = {} }: Pick<Packet, 'provided'>): string[] =>
  Object.entries(provided).map(([path, { value, provider }]) => `${path}: ${readable(value)} (${provider})`);

/** What others should have said about it and did not, a line each. */
export const unavailableLines = ({ unavailable = {} }: Pick<Packet, 'unavailable'>): string[] =>
  Object.entries(unavailable).map(([path, why]) => `${path} is not known: ${why}`);

function readable(value: Json): string {
  if (isMoney(value)) return formatMoney(value);
  // Quoted where a line end could pass for another parameter.
  return typeof value === 'string' && !/[\n\r\u2028\u2029]/.test(value) ? value : JSON.stringify(value);
}
