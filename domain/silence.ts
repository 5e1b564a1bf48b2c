/**
 * What happens, and when, if nobody ever answers: a plan played by the same state machine that every commit runs.
 * Pure: imports only from domain.
 */
import { decide } from './decide';
import { boundTo, personOf, type Directory } from './directory';
import type { ApprovalEvent } from './events';
import { ms, type Instant } from './json';
import { nextInstant, type Context } from './ladder';
import { isOutcome, type Outcome } from './outcome';
import type { Plan } from './plan';
import { apply, INITIAL } from './state';

export interface Moment {
  readonly at: Instant;
  /** One sentence: who is asked until when, who was reminded, how it ends. */
  readonly what: string;
}

export interface Silence {
  readonly moments: readonly Moment[];
  /** Null only for a plan that asks nobody. */
  readonly outcome: Outcome | null;
  readonly endsAt: Instant | null;
}

/** Every ladder, hold and reminder is one step; a plan has far fewer. */
const STEPS_MAX = 1_000;

export function whenNobodyAnswers(plan: Plan, people: Directory, from: Instant, dueAt: Context['dueAt']): Silence {
  if (plan.signOffs.length === 0) return { moments: [], outcome: null, endsAt: null };
  const directory = boundTo(people, plan.relative);
  const moments: Moment[] = [];
  let state = apply(INITIAL, { seq: 1, at: from, event: routed(plan) });
  for (let now: Instant | null = from, step = 0; now !== null && step < STEPS_MAX; step += 1) {
    const at: Instant = now;
    const context: Context = {
      now: at,
      plan,
      directory,
      requesters: [],
      agent: '',
      resume: { type: 'poll' },
      hasCustomerAddress: false,
      hasRequesterAddress: false,
      dueAt,
      // Nobody answers, and so nobody asks or adds anything.
      workingBetween: (after, until) => ms(until) - ms(after),
      calendars: plan.calendars ?? {},
      digestOf: () => '',
    };
    const decision = decide(state, { type: step === 0 ? 'open' : 'clock' }, context);
    for (const event of 'events' in decision ? decision.events : []) {
      state = apply(state, { seq: state.seq + 1, at, event });
      const what = sentenceOf(event, directory);
      if (what !== null) moments.push({ at, what });
    }
    now = nextInstant(state);
  }
  return { moments, outcome: isOutcome(state.state) ? state.state : null, endsAt: state.ended?.at ?? null };
}

/** Only what the fold reads of it counts. */
const routed = ({ policy, rows, effect, tier, lane, owner, signOffs, meanwhile }: Plan): ApprovalEvent => ({
  type: 'routed',
  policy,
  rows,
  effect,
  tier,
  lane,
  owner,
  signOffs: signOffs.map((s) => s.id),
  planDigest: '',
  packetDigest: '',
  meanwhile: meanwhile.agent,
});

function sentenceOf(event: ApprovalEvent, directory: Directory): string | null {
  const who = (people: readonly { readonly person: string }[]): string => people.map(({ person }) => personOf(directory, person)?.name ?? person).join(' and ');
  switch (event.type) {
    case 'level_opened':
      return `${who(event.asked)} (${event.name}) is asked until ${event.dueAt}; then ${event.next}`;
    case 'level_skipped':
      return `${event.name} is skipped: ${event.why}`;
    case 'reminded':
      return 'a reminder is sent';
    case 'held':
      return `it is held for ${who(event.asked)} (${event.role}) until ${event.dueAt}`;
    case 'ended':
      return `it ends as ${event.outcome}: ${event.why}`;
    default:
      return null;
  }
}
