/**
 * What a decision may depend on, and how it is told: event by event, each folded into the state that the next one sees.
 * Pure: imports only from domain.
 */
import { personOf, type Directory } from './directory';
import type { ApprovalEvent } from './events';
import type { Instant } from './json';
import type { Plan } from './plan';
import { apply, type Added, type ApprovalState } from './state';

/** What a decision may depend on, beside the state. */
export interface Context {
  readonly now: Instant;
  readonly plan: Plan;
  readonly directory: Directory;
  /** The requester's side: they are neither asked nor may they decide. */
  readonly requesters: readonly string[];
  /** The agent that asks, by name: it may answer questions and add evidence. */
  readonly agent: string;
  /** How the agent resumes, and who the request concerns: what the end owes to whom. */
  readonly resume: { readonly type: 'callback'; readonly url: string } | { readonly type: 'workflow'; readonly workflowId: string } | { readonly type: 'poll' };
  readonly hasCustomerAddress: boolean;
  readonly hasRequesterAddress: boolean;
  /** The instant `withinMs` after `now` on a calendar (null: elapsed time). */
  readonly dueAt: (now: Instant, withinMs: number, calendar: string | null) => Instant;
  /** How much time of a calendar lies between two instants, in milliseconds: what `dueAt` from the first would take to the second. */
  readonly workingBetween: (from: Instant, to: Instant, calendar: string | null) => number;
  /** The calendars in force now, by name; `dueAt` and `workingBetween` count on them. */
  readonly calendars: NonNullable<Plan['calendars']>;
  /** The digest of the request's packet with what was added to it since. */
  readonly digestOf: (added: readonly Added[]) => string;
}

/** Collects events, keeping the state they lead to. */
export class Story {
  readonly events: ApprovalEvent[] = [];
  constructor(
    public state: ApprovalState,
    private readonly now: Instant,
  ) {}
  tell(event: ApprovalEvent): void {
    this.events.push(event);
    this.state = apply(this.state, { seq: this.state.seq + 1, at: this.now, event });
  }
}

export const nameOf = (directory: Directory, id: string): string => personOf(directory, id)?.name ?? id;
