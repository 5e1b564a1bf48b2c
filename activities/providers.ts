/**
 * Asks providers for the facts that a policy declares from them, when a request is submitted: all of them at the same time, each by one
 * signed call over the guarded way out, each with its own limit of time.
 *
 * It promises: it always comes back, in the time of the slowest limit; what was not answered in time, rightly signed for and rightly
 * typed is absent, with a reason that holds nothing of the answer; a provider that is slow or dead takes no place of another one.
 * Runs outside of every transaction. Must not import the store, the workflow or client.
 */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { instant, type Instant, type Json } from '../domain/json';
import type { Provided } from '../domain/plan';
import { ActionSchema, type AgentIdentity, type RequestInput } from '../domain/request';
import { givenBy, judgeAnswer, lacking, questionsOf, type CompiledPolicy, type Question } from '../policy';
import { parseStrict } from '../record/canonical';
import { createBerths, type Heard, type Room } from './berths';
import { sign } from './callback';
import { EgressError, type Egress } from './egress';

/** Where a provider is asked: the operator's to say, and never a policy's. */
export interface ProviderSettings {
  readonly url: string;
  /** `whsec_…`, newest first; each gives one signature. */
  readonly secrets: readonly string[];
  /** For which tenants; null: for all. */
  readonly tenants: readonly string[] | null;
}

/** Everything that a provider is told. Fields are added, never renamed. */
export const FactsAskedSchema = z.strictObject({
  type: z.literal('facts.asked'),
  timestamp: z.iso.datetime(),
  data: z.strictObject({
    tenant: z.string(),
    provider: z.string(),
    /** Names that the answer may hold: about this request, and about the systems. */
    facts: z.array(z.string()),
    system: z.array(z.string()),
    agent: z.string(),
    run: z.string(),
    on_behalf_of: z.string().nullable(),
    customer: z.string().nullable(),
    case: z.string().nullable(),
    action: ActionSchema.pick({ type: true, system: true, params: true, reversibility: true, audience: true, data: true }),
    /** What the agent claims. */
    claimed: z.record(z.string(), z.json()),
  }),
});
export type FactsAsked = z.output<typeof FactsAskedSchema>;

interface AskingProviders {
  readonly policy: CompiledPolicy;
  readonly identity: AgentIdentity;
  readonly body: RequestInput;
  /** The domain's time: since when the answers hold. */
  readonly now: Instant;
}

/** What routing is given of it. */
export interface Said {
  readonly provided: Readonly<Record<string, Provided>>;
  readonly unavailable: Readonly<Record<string, string>>;
}

export interface Providers {
  ask(asking: AskingProviders): Promise<Said>;
}

export interface ProvidersOptions {
  readonly settings: { readonly [provider: string]: ProviderSettings };
  readonly egress: Pick<Egress, 'post'>;
  readonly log: Logger;
  readonly room?: Room;
}

/** Calls to one provider that run at once, and requests that stand for a place, no longer than their own limit. */
const ROOM: Room = { places: 32, standing: 256 };

/** An installation without any: whatever a policy wants of a provider is absent, and says why. */
export const NO_PROVIDERS: Providers = {
  ask: ({ policy }) => Promise.resolve({ provided: {}, unavailable: lacking(givenBy(policy), NOT_SET) }),
};

const NOT_SET = 'this installation knows no address of it (COUNTERSIGN_PROVIDERS)';

export function createProviders({ settings, egress, log, room = ROOM }: ProvidersOptions): Providers {
  const berths = createBerths(0, room);

  async function askOne(question: Question, asking: AskingProviders): Promise<Said> {
    const { provider, withinMs } = question;
    const { policy, identity, now } = asking;
    const nothing = (why: string): Said => ({
      provided: {},
      unavailable: lacking(
        givenBy(policy).filter((given) => given.provider === provider),
        why,
      ),
    });
    const where = Object.hasOwn(settings, provider) ? settings[provider] : undefined;
    if (!where || (where.tenants !== null && !where.tenants.includes(identity.tenant))) return nothing(NOT_SET);
    const began = performance.now();
    const berth = await berths.enter(provider, withinMs);
    if ('busyForMs' in berth) return nothing(`${provider} is slow to answer, and enough requests wait for it already`);
    let heard: Heard = 'other';
    try {
      const leftMs = Math.max(1, Math.round(withinMs - (performance.now() - began)));
      const answered = await call(where, messageOf(question, asking), leftMs);
      heard = answered.heard;
      if (!('answer' in answered)) {
        log.warn({ tenant: identity.tenant, provider, code: answered.code, status: answered.status }, 'a provider gave no facts');
        return nothing(answered.why(provider, withinMs));
      }
      const { values, missing, unasked } = judgeAnswer(policy, provider, answered.answer);
      if (unasked.length > 0 || Object.keys(missing).length > 0)
        log.warn(
          { tenant: identity.tenant, provider, missing: Object.keys(missing), unasked: unasked.slice(0, 20) },
          'a provider gave other facts than it was asked for',
        );
      const provided = Object.entries(values).map(([path, value]): [string, Provided] => [path, { value, provider, at: now }]);
      return { provided: Object.fromEntries(provided), unavailable: missing };
    } finally {
      berth.leave(heard);
    }
  }

  async function call(where: ProviderSettings, body: string, timeoutMs: number): Promise<Answered> {
    try {
      // The wall clock on purpose: receivers compare it with theirs.
      const headers = sign({ secrets: where.secrets, id: `facts_${randomBytes(12).toString('hex')}`, timestamp: instant(Date.now()), body });
      const sent = { headers: { ...headers, 'content-type': 'application/json', accept: 'application/json', 'user-agent': 'Countersign' }, body, timeoutMs };
      const { status, text } = await egress.post(where.url, { ...sent, keepBody: true });
      if (status !== 200) return { heard: 'answered', code: 'status', status, why: (provider) => `${provider} answered with status ${String(status)}` };
      const answer = strictly(text);
      return answer === undefined
        ? { heard: 'answered', code: 'response_invalid', status, why: (provider) => `${provider} answered with something that cannot be read as JSON` }
        : { heard: 'answered', answer };
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      const { code, status } = error;
      return code === 'timeout'
        ? { heard: 'silent', code, status, why: (provider, withinMs) => `${provider} did not answer within ${String(withinMs / 1000)} s` }
        : { heard: status === null ? 'other' : 'answered', code, status, why: (provider) => `${provider} could not be reached (${code})` };
    }
  }

  return {
    async ask(asking) {
      const said = await Promise.all(questionsOf(asking.policy).map((question) => askOne(question, asking)));
      return {
        provided: Object.assign({}, ...said.map((s) => s.provided)) as Said['provided'],
        unavailable: Object.assign({}, ...said.map((s) => s.unavailable)) as Said['unavailable'],
      };
    },
  };
}

type Answered =
  | { readonly heard: Heard; readonly answer: Json }
  | { readonly heard: Heard; readonly code: string; readonly status: number | null; readonly why: (provider: string, withinMs: number) => string };

function strictly(text: string | null): Json | undefined {
  if (text === null) return undefined;
  try {
    return parseStrict(text);
  } catch {
    return undefined;
  }
}

function messageOf({ provider, facts, system }: Question, { identity, body }: AskingProviders): string {
  const { type, system: touched, params, reversibility, audience, data } = body.action;
  const message: FactsAsked = {
    type: 'facts.asked',
    timestamp: instant(Date.now()),
    data: {
      tenant: identity.tenant,
      provider,
      facts: [...facts],
      system: [...system],
      agent: identity.agent,
      run: body.run,
      on_behalf_of: body.on_behalf_of ?? null,
      customer: body.customer?.id ?? null,
      case: body.case ?? null,
      action: { type, system: touched, params, reversibility, audience, data },
      claimed: { ...body.facts } as FactsAsked['data']['claimed'],
    },
  };
  return JSON.stringify(message);
}
