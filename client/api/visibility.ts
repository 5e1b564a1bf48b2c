/**
 * Who may see what. One place for the API and the page; the list's SQL filter (./reads.ts) asks for the same roles.
 * Pure: imports only from domain.
 */
import { boundTo, holds, isAbsent, standInFor, type Directory, type Person } from '../../domain/directory';
import type { Instant } from '../../domain/json';
import { OPERATORS, type Plan } from '../../domain/plan';
import type { AgentIdentity } from '../../domain/request';

/** A person who signed in: as the directory knows them at this request, not as they were at sign-in. */
export interface SignedIn {
  readonly tenant: string;
  readonly person: Person;
  /** In which they are that person, at this request as well. */
  readonly directory: Directory;
  /** Who is absent at this request and has them for a deputy. Absent: nobody. */
  readonly standsFor?: readonly Person[];
  readonly signedInAt: Instant;
  /** Names this sign-in; a form's token is bound to it. */
  readonly session: string;
}

export type Caller = ({ readonly kind: 'agent' } & AgentIdentity) | ({ readonly kind: 'person' } & SignedIn);

/** Roles that see everything of their tenant. They decide nothing by it. */
const WATCHERS: readonly string[] = ['operator', 'auditor'];

export const isWatcher = (person: Person): boolean => person.roles.some((role) => WATCHERS.includes(role));

/** Whether anybody has named a deputy: without one nobody stands in, whatever the time. */
export const hasDeputies = ({ people }: Directory): boolean =>
  Object.values(people).some(({ absences }) => absences.some(({ deputy }) => deputy !== undefined));

/** Those who are absent now and for whom this person stands in. */
export const standsFor = (directory: Directory, id: string, now: Instant): Person[] =>
  Object.values(directory.people).filter((one) => one.id !== id && isAbsent(one, now) && standInFor(directory, one, now, []) === id);

/** Roles that a plan may ask, its backup included. */
export function rolesOf(plan: Plan): string[] {
  const roles = plan.signOffs.flatMap((s) => [s.role, ...s.ladder.map((l) => l.role)]);
  return [...new Set(plan.onTimeout.hold ? [...roles, plan.onTimeout.hold.role] : roles)];
}

/** Roles that the policy lets operate on what a plan is about. Whoever may have to act on it sees it. */
export function operatorRolesOf({ operators = OPERATORS }: Pick<Plan, 'operators'>): string[] {
  const { roles, override, breakGlass } = operators;
  return [...new Set([...roles, ...(override?.roles ?? []), ...(breakGlass?.roles ?? [])])];
}

/** What says who may see an approval. */
export interface Seen {
  readonly tenant: string;
  readonly agent: string;
  readonly plan: Plan;
  /** People who were drawn into it one by one: asked a question, given it, asked in place of somebody absent. */
  readonly involved?: readonly string[];
}

/** Whether a caller may see an approval. */
export function maySee(caller: Caller, approval: Seen): boolean {
  if (caller.tenant !== approval.tenant) return false;
  switch (caller.kind) {
    case 'agent':
      return caller.agent === approval.agent;
    case 'person': {
      if (isWatcher(caller.person) || approval.involved?.includes(caller.person.id)) return true;
      const bound = boundTo(caller.directory, approval.plan.relative);
      const as = [caller.person, ...(caller.standsFor ?? [])];
      return [...rolesOf(approval.plan), ...operatorRolesOf(approval.plan)].some((role) => as.some(({ id }) => holds(bound, id, role)));
    }
  }
}
