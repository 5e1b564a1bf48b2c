/**
 * The state of one approval: a fold over its events. `apply` never fails and never looks at a clock.
 * Pure: imports types and instants only.
 */
import { unite } from './conditions';
import type { ApprovalEvent, Asked, AttemptStatus, Owed } from './events';
import { type Instant } from './json';
import { STRAYS } from './moves';
import { isOutcome, type Decider, type State } from './outcome';
import type { Channel, Conditions } from './plan';

export interface SignOffState {
  readonly id: string;
  readonly status: 'pending' | 'open' | 'given';
  /** Index of the open level in the ladder; -1 before the first. */
  readonly level: number;
  readonly asked: readonly Asked[];
  /** The one named owner of the open level. */
  readonly owner: string | null;
  /** Set when a person claimed it; a duty holder who has not claimed can be overtaken by another holder. */
  readonly claimedBy: string | null;
  readonly dueAt: Instant | null;
  /** Reminders not yet given, ascending. */
  readonly reminders: readonly Instant[];
  readonly given: readonly Decider[];
  /** Set while a backup has it because its ladder ran out: under which role, and how the request ends if the backup does not decide either. */
  readonly hold: { readonly role: string; readonly then: 'expire' | 'deny' } | null;
}

/** Something owed to someone, until an attempt ends it. */
export interface OwedState {
  readonly id: string;
  readonly owed: Owed;
  /** When it came to be owed. */
  readonly since: Instant;
  readonly attempts: number;
  /** For messages with a choice of channels: the one in use. */
  readonly channel: Channel | null;
  /** Attempts on that channel. */
  readonly tried: number;
  readonly status: 'owed' | AttemptStatus;
}

export interface Ended {
  /** Sequence of the entry that says so. */
  readonly seq: number;
  readonly why: string;
  readonly deciders: readonly Decider[];
  readonly at: Instant;
  readonly conditions: Extract<ApprovalEvent, { type: 'ended' }>['conditions'];
  readonly next: Extract<ApprovalEvent, { type: 'ended' }>['next'];
}

export interface ApprovalState {
  /** Sequence of the last entry. */
  readonly seq: number;
  readonly state: State;
  readonly packetDigest: string;
  readonly signOffs: readonly SignOffState[];
  readonly takeover: { readonly by: string; readonly role: string; readonly at: Instant; readonly dueAt: Instant } | null;
  /** What the yeses given so far come to together; absent while none of them has a condition. */
  readonly conditions?: Conditions;
  readonly owed: readonly OwedState[];
  readonly ended: Ended | null;
  /** Refused messages of somebody who may only write to the engine: their entries are bounded, see moves.ts. */
  readonly strays: number;
}

export const INITIAL: ApprovalState = {
  seq: 0,
  state: 'routing',
  packetDigest: '',
  signOffs: [],
  takeover: null,
  owed: [],
  ended: null,
  strays: 0,
};

/** An event with its place on the record. */
export interface Recorded {
  readonly seq: number;
  readonly at: Instant;
  readonly event: ApprovalEvent;
}

/** The id of what the `n`th debt of entry `seq` owes: stable over retries, without a dot (webhook ids have none). */
export const owedId = (seq: number, n: number): string => `${seq}-${n}`;

/** The open sign-offs, in the order of the plan: several where a stage of it has several. */
export const openSignOffs = (state: ApprovalState): readonly SignOffState[] => state.signOffs.filter((s) => s.status === 'open');

/** The open sign-off of this id; without one the first that is open. */
export const openSignOff = (state: ApprovalState, id?: string): SignOffState | undefined => openSignOffs(state).find((s) => id === undefined || s.id === id);

const patchSignOff = (state: ApprovalState, id: string, patch: Partial<SignOffState>): ApprovalState['signOffs'] =>
  state.signOffs.map((s) => (s.id === id ? { ...s, ...patch } : s));

/** What is open waits, or is held where a backup has one of them. A takeover is of the whole request. */
const standing = ({ state, signOffs }: Pick<ApprovalState, 'state' | 'signOffs'>): State =>
  state === 'taken_over' ? state : signOffs.some((s) => s.status === 'open' && s.hold !== null) ? 'held' : 'waiting';

/** The state with one sign-off changed, and what that makes of the whole. */
function standingWith(state: ApprovalState, id: string | undefined, patch: Partial<SignOffState>): ApprovalState {
  const signOffs = id === undefined ? state.signOffs : patchSignOff(state, id, patch);
  return { ...state, signOffs, state: standing({ ...state, signOffs }) };
}

/** The one named owner while a quorum is gathered: the first of the asked whose yes is still missing. */
const firstUnsigned = (asked: readonly Asked[], given: readonly Decider[]): string | null =>
  asked.find((a) => !given.some((d) => d.person === a.person))?.person ?? null;

const attempted = (debt: OwedState, { attempt, status, fallsTo }: Extract<ApprovalEvent, { type: 'attempted' }>): OwedState => ({
  ...debt,
  attempts: attempt,
  status,
  ...(fallsTo === undefined ? { tried: debt.tried + 1 } : { channel: fallsTo, tried: 0 }),
});

/** Conditions that were erased are known to have been, and not which: nobody can keep to them, so the yes is over. */
const saidIn = (conditions: Conditions | undefined, at: Instant): Conditions | undefined =>
  conditions === undefined || typeof conditions === 'object' ? conditions : { expires_at: at };

/** The state after one more entry. */
export function apply(before: ApprovalState, { seq, at, event }: Recorded): ApprovalState {
  const owed =
    'owed' in event
      ? event.owed.map((o, n): OwedState => ({
          id: owedId(seq, n),
          owed: o,
          since: at,
          attempts: 0,
          channel: 'channel' in o ? o.channel : null,
          tried: 0,
          status: 'owed',
        }))
      : [];
  const state: ApprovalState = { ...before, seq, owed: owed.length > 0 ? [...before.owed, ...owed] : before.owed };
  switch (event.type) {
    case 'routed':
      return {
        ...state,
        packetDigest: event.packetDigest,
        signOffs: event.signOffs.map((id) => ({
          id,
          status: 'pending',
          level: -1,
          asked: [],
          owner: null,
          claimedBy: null,
          dueAt: null,
          reminders: [],
          given: [],
          hold: null,
        })),
      };
    case 'level_opened':
      return standingWith(state, event.signOff, {
        status: 'open',
        level: event.level,
        asked: event.asked,
        owner: event.owner,
        claimedBy: null,
        dueAt: event.dueAt,
        reminders: event.reminders,
      });
    case 'level_skipped':
      return {
        ...state,
        signOffs: patchSignOff(state, event.signOff, {
          status: 'open',
          level: event.level,
          asked: [],
          owner: null,
          claimedBy: null,
          dueAt: null,
          reminders: [],
        }),
      };
    case 'reminded':
      return {
        ...state,
        signOffs: patchSignOff(state, event.signOff, { reminders: (openSignOff(state, event.signOff)?.reminders ?? []).filter((r) => r > event.at) }),
      };
    case 'claimed':
      return standingWith(state, openSignOff(state, event.signOff)?.id, { owner: event.by, claimedBy: event.by });
    case 'released': {
      const open = openSignOff(state, event.signOff);
      return standingWith(state, open?.id, { owner: firstUnsigned(open?.asked ?? [], open?.given ?? []), claimedBy: null });
    }
    case 'signed_off': {
      const signOff = state.signOffs.find((s) => s.id === event.signOff);
      const given = [...(signOff?.given ?? []), { person: event.by, role: event.role, at }];
      const done = event.complete
        ? // A hold is of one sign-off: the others have ladders, and holds, of their own.
          ({ status: 'given', owner: null, claimedBy: null, dueAt: null, reminders: [], hold: null } as const)
        : { claimedBy: null, owner: firstUnsigned(signOff?.asked ?? [], given) };
      const conditions = unite(state.conditions, saidIn(event.conditions, at));
      return { ...standingWith(state, event.signOff, { given, ...done }), ...(conditions ? { conditions } : {}) };
    }
    case 'taken_over':
      return {
        ...state,
        state: 'taken_over',
        signOffs: state.signOffs.map((s) => ({ ...s, hold: null })),
        takeover: { by: event.by, role: event.role, at, dueAt: event.dueAt },
      };
    case 'held': {
      const { role, then, asked, owner, dueAt } = event;
      // A claim of the level before does not bind the backup, who could not decide otherwise.
      return standingWith(state, openSignOff(state, event.signOff)?.id, { asked, owner, claimedBy: null, dueAt, reminders: [], hold: { role, then } });
    }
    case 'ended':
      return {
        ...state,
        state: event.outcome,
        ended: { seq, why: event.why, deciders: event.deciders, at, conditions: event.conditions, next: event.next },
        // A question nobody needs to answer any more is not asked again; one that failed for good stays visible as such.
        owed: state.owed.map((o) =>
          (o.status === 'owed' || o.status === 'failed_for_now') && ['ask', 'remind', 'page_backup'].includes(o.owed.kind) ? { ...o, status: 'done' } : o,
        ),
      };
    case 'attempted':
      return { ...state, owed: state.owed.map((o) => (o.id === event.owedId ? attempted(o, event) : o)) };
    case 'requested':
    case 'level_timed_out':
    case 'denied':
    case 'answered':
    case 'handed_back':
    case 'resolved':
    case 'takeover_lapsed':
      return state;
    case 'refused':
      return STRAYS.includes(event.code) ? { ...state, strays: state.strays + 1 } : state;
    case 'engine':
      return state;
  }
}

/** The state that a record tells. */
export const fold = (entries: readonly Recorded[]): ApprovalState => entries.reduce(apply, INITIAL);

export const hasEnded = (state: ApprovalState): boolean => isOutcome(state.state);
