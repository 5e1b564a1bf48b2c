/**
 * The server's own type, and what every route must say of itself: who may call it. A route that does not say is refused at start.
 * Types and one guard; no routes.
 */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Family } from '../../activities/telemetry/exposition';
import type { AgentIdentity } from '../../domain/request';
import type { ApiDeps } from './deps';
import type { Identify } from './identity';
import type { MakeAgentMove, MakeMove } from './moves';
import { ApiError } from './problems';
import { SESSION_COOKIE } from './sessions';
import { isWatcher, type Caller, type SignedIn } from './visibility';

export type App = FastifyInstance<RawServerDefault, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, ZodTypeProvider>;

/**
 * `operator`: a person who sees everything of their tenant, by session token or, as other pages of the same site ask, by cookie.
 * `page`: people by their cookie, checked by the page itself, which answers with pages instead of problems.
 * `scim`: identity providers by their tokens, checked by ./scim/routes.ts, which answers as SCIM does.
 */
type Who = 'public' | 'agent' | 'person' | 'caller' | 'operator' | 'page' | 'scim';

declare module 'fastify' {
  interface FastifyContextConfig {
    who?: Who;
  }
  interface FastifyRequest {
    /** Set for `agent`, `person`, `caller` and `operator` routes before the body is read. */
    caller: Caller | null;
  }
  interface FastifyInstance {
    /** Every route there is, for the test that tries each as everyone. */
    routeTable: { readonly method: string; readonly url: string; readonly who: Who }[];
    /** What it has counted so far. */
    families: () => readonly Family[];
  }
}

/** What the routes share. */
export interface Context {
  readonly deps: ApiDeps;
  readonly identify: Identify;
  readonly makeMove: MakeMove;
  readonly makeAgentMove: MakeAgentMove;
}

export function theCaller(request: FastifyRequest): Caller {
  if (!request.caller) throw new ApiError('unauthenticated', 'Say who you are');
  return request.caller;
}

export function theAgent(request: FastifyRequest): AgentIdentity {
  const caller = theCaller(request);
  if (caller.kind !== 'agent') throw new ApiError('forbidden', 'This is for agents; send an agent key');
  return { tenant: caller.tenant, agent: caller.agent, owner: caller.owner };
}

export function thePerson(request: FastifyRequest): SignedIn {
  const caller = theCaller(request);
  if (caller.kind !== 'person') throw new ApiError('forbidden', 'This is for people; sign in and use the session token');
  return caller;
}

export function theOperator(request: FastifyRequest): SignedIn {
  const person = thePerson(request);
  if (!isWatcher(person.person)) throw new ApiError('forbidden', 'This is for operators and auditors of a tenant');
  return person;
}

/** Who may throw the switch of a tenant's intake: no policy says so, because it has to work when the policy is what is wrong. */
export function theTenantsOperator(request: FastifyRequest): SignedIn {
  const viewer = thePerson(request);
  if (!viewer.person.roles.includes('operator')) throw new ApiError('forbidden', 'This is for people with the role operator');
  return viewer;
}

/** Fills `request.caller` as the route asks, before anything of the message is read. */
export async function authenticate(request: FastifyRequest, identify: Identify): Promise<void> {
  const who = request.routeOptions.config.who ?? 'public';
  switch (who) {
    case 'public':
    case 'page':
    case 'scim':
      return;
    case 'operator':
      request.caller = await identify.bearer(request.headers.authorization ?? `Bearer ${request.cookies[SESSION_COOKIE] ?? ''}`);
      theOperator(request);
      return;
    case 'caller':
    case 'agent':
    case 'person':
      request.caller = await identify.bearer(request.headers.authorization);
      if (who === 'agent') theAgent(request);
      if (who === 'person') thePerson(request);
  }
}
