/**
 * Compares what happened with the table: plan, end, callback and record of each action.
 * Pure: what happened is an argument.
 */
import type { ApprovalEvent } from '../../domain/events';
import type { Outcome } from '../../domain/outcome';
import type { Entry } from '../http-agent/journal';
import type { TimelineEntry } from '../support/people';
import { TABLE, UNNAMED, type Behaviour } from './behaviour';

/** How many of each plan the policy must make of the 180 actions. */
export const PLANS = {
  'finance, one sign-off': 22,
  'finance, two sign-offs': 25,
  'customer, escalation': 4,
  'security, one sign-off': 11,
  allowed: 118,
} as const;
export type PlanKind = keyof typeof PLANS;

const ALONE: Behaviour = { story: 'needs nobody', acts: [], ends: UNNAMED, actions: [] };

export interface Expected {
  readonly plan: PlanKind;
  readonly behaviour: Behaviour;
}

export function expectedOf(actionId: string): Expected {
  for (const [plan, behaviours] of Object.entries(TABLE) as [keyof typeof TABLE, readonly Behaviour[]][]) {
    const behaviour = behaviours.find(({ actions }) => actions.includes(actionId));
    if (behaviour) return { plan, behaviour };
  }
  return { plan: 'allowed', behaviour: ALONE };
}

export interface Checked extends Expected {
  readonly actionId: string;
  readonly planMade: string;
  readonly ended: Outcome | 'open';
  readonly entries: number;
  readonly callback: { readonly owed: number; readonly received: number };
  /** Sentences; empty when everything is as expected. */
  readonly problems: readonly string[];
}

type EventOf<T extends ApprovalEvent['type']> = Extract<ApprovalEvent, { type: T }>;

export function check(actionId: string, approvalId: string, timeline: readonly TimelineEntry[], journal: readonly Entry[]): Checked {
  const expected = expectedOf(actionId);
  const events = timeline.map(({ event }) => event);
  const of = <T extends ApprovalEvent['type']>(type: T): EventOf<T>[] => events.filter((event): event is EventOf<T> => event.type === type);
  const planMade = planIn(of('routed')[0]);
  const [end, ...moreEnds] = of('ended');
  const ended = end?.outcome ?? 'open';
  const owed = end?.owed.filter(({ kind }) => kind === 'callback').length ?? 0;
  const calls = journal.filter((entry) => (entry.type === 'acted' || entry.type === 'replayed') && entry.approvalId === approvalId && entry.messageId !== null);
  const acted = journal.filter((entry) => entry.type === 'acted' && entry.approvalId === approvalId && entry.outcome === ended);
  const delivered = of('attempted').filter(({ kind, status }) => kind === 'callback' && status === 'done').length;
  const waits = expected.plan !== 'allowed';
  const moves = expected.behaviour.acts.flatMap((act) => act.moves.map(({ type }) => `${act.who} ${type}`));

  const problems: string[] = [];
  const require = (holds: boolean, problem: string): void => void (holds || problems.push(`${actionId} (${approvalId}): ${problem}`));
  require(planMade === expected.plan, `the plan is ${planMade}, not ${expected.plan}`);
  require(ended === expected.behaviour.ends, `it ended as ${ended}, not ${expected.behaviour.ends}`);
  require(moreEnds.length === 0, 'it ended twice');
  require(owed === (waits ? 1 : 0), `${owed} callbacks are owed`);
  require(calls.length === owed, `the agent was called back ${calls.length} times`);
  require(delivered === owed, `the record holds ${delivered} accepted callbacks`);
  require(acted.length === 1, `the agent acted on its outcome ${acted.length} times`);
  require(timeline.every(({ seq }, i) => seq === i + 1), 'its entries are not numbered without a gap');
  require(events[0]?.type === 'requested' && events[1]?.type === 'routed', 'its record does not begin with the request and its plan');
  require(!waits || events[2]?.type === 'level_opened', 'its record does not say who was asked');
  require(of('refused').length === 0, `a move was refused: ${of('refused')[0]?.message ?? ''}`);
  require(JSON.stringify(movesIn(events)) ===
    JSON.stringify(moves), `its record tells of the moves [${movesIn(events).join(', ')}], not [${moves.join(', ')}]`);
  return { ...expected, actionId, planMade, ended, entries: timeline.length, callback: { owed, received: calls.length }, problems };
}

function planIn(routed: EventOf<'routed'> | undefined): string {
  if (!routed) return 'missing';
  if (routed.effect === 'allow') return 'allowed';
  if (routed.effect === 'escalation') return `${routed.lane}, escalation`;
  const count = ['no', 'one', 'two'][routed.signOffs.length] ?? String(routed.signOffs.length);
  return `${routed.lane}, ${count} sign-off${routed.signOffs.length === 1 ? '' : 's'}`;
}

const MOVE_OF = { signed_off: 'approve', denied: 'deny', taken_over: 'take_over', resolved: 'resolve', handed_back: 'hand_back' } as const;

const movesIn = (events: readonly ApprovalEvent[]): string[] =>
  events.flatMap((event) => (event.type in MOVE_OF && 'by' in event ? [`${event.by} ${MOVE_OF[event.type as keyof typeof MOVE_OF]}`] : []));
