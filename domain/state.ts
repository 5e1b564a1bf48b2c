/**
 * The state of one approval: a fold over its events. `apply` never fails and never looks at a clock.
 * Pure: imports types and instants only.
 */
import { unite } from './conditions';
import type { ApprovalEvent, Asked, AttemptStatus, Left, Owed, OwedKind, Resumed } from './events';
import { type Instant } from './json';
import { STRAYS, type WorkStatus } from './moves';
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
  /** When its level opened. Absent before the first, and in states of older records. */
  readonly openedAt?: Instant;
  /** Everyone who was asked for it so far, at any level. */
  readonly before?: readonly string[];
  /** Since when its clock stands still, for which question, and what was left. */
  readonly paused?: { readonly question: string; readonly left: Left };
  /** Those who said no without ending it, and why, and those who passed it up: not asked again. */
  readonly refused?: readonly Refuser[];
  readonly passed?: readonly string[];
  /** What its yeses so far come to together; absent while none of them has a condition. */
  readonly conditions?: Conditions;
  /** By how much operators have extended its level. */
  readonly extendedMinutes?: number;
  /** Set once the clock of its level has stood still: its instants are no longer those that it opened with. */
  readonly stood?: true;
}

/** Who said no, and why. */
export interface Refuser extends Decider {
  readonly reason: string;
}

/** A question that somebody asked; open until it is answered, has lapsed, or the request has ended. */
export interface QuestionState {
  readonly id: string;
  /** Empty where who had taken it over asked. */
  readonly signOff: string;
  readonly by: string;
  /** `agent`, or a person's id. */
  readonly of: string;
  readonly text: string;
  readonly dueAt: Instant;
  readonly status: 'open' | 'answered' | 'lapsed';
}

/** What was added to the packet since it was made. */
export interface Supplement {
  readonly seq: number;
  readonly at: Instant;
  readonly kind: 'evidence' | 'reply';
  readonly name: string;
  readonly title: string;
  readonly content: string;
  /** Whose words these are. */
  readonly source: 'agent' | 'person';
  readonly by: string;
  /** Of the packet with it. */
  readonly digest: string;
}

/** Of what was added, what the packet shows. */
export type Added = Pick<Supplement, 'name' | 'title' | 'source' | 'by' | 'at' | 'content'>;

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
  /** How often it was given up and then opened again; absent: never. */
  readonly reopened?: number;
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
  readonly takeover: {
    readonly by: string;
    readonly role: string;
    readonly at: Instant;
    readonly dueAt: Instant;
    readonly status?: WorkStatus;
  } | null;
  /** In the order in which they were asked. */
  readonly questions: readonly QuestionState[];
  readonly supplements: readonly Supplement[];
  /** Who was on the asking side when it was asked: they stay there, whatever they are called since. */
  readonly requesters?: readonly string[];
  /** The first of two who override. */
  readonly override: {
    readonly by: string;
    readonly role: string;
    readonly at: Instant;
    readonly decision: 'approve' | 'deny';
    readonly because: string;
    /** Of the packet that they saw. */
    readonly packetDigest: string;
  } | null;
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
  questions: [],
  supplements: [],
  override: null,
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

export const openQuestions = ({ questions }: Pick<ApprovalState, 'questions'>): readonly QuestionState[] => questions.filter((q) => q.status === 'open');

/** What is open waits: for information where a question is open, for a backup where one is held. A takeover is of the whole request. */
function standing({ state, signOffs, questions }: Pick<ApprovalState, 'state' | 'signOffs' | 'questions'>): State {
  if (state === 'taken_over') return state;
  if (openQuestions({ questions }).length > 0) return 'asked';
  return signOffs.some((s) => s.status === 'open' && s.hold !== null) ? 'held' : 'waiting';
}

/** The state with one sign-off changed, and what that makes of the whole. */
function standingWith(state: ApprovalState, id: string | undefined, patch: Partial<SignOffState>): ApprovalState {
  const signOffs = id === undefined ? state.signOffs : patchSignOff(state, id, patch);
  return { ...state, signOffs, state: standing({ ...state, signOffs }) };
}

/** The one named owner while a quorum is gathered: the first of the asked whose yes is still missing. */
const firstUnsigned = (asked: readonly Asked[], given: readonly Decider[]): string | null =>
  asked.find((a) => !given.some((d) => d.person === a.person))?.person ?? null;

/** Who has said yes or no to it so far. */
const chosen = (one: SignOffState | undefined): readonly Decider[] => [...(one?.given ?? []), ...(one?.refused ?? [])];

/** A question is over: its clock runs on, if it stood still for it. While another question is open, it stands still for that one. */
function closed(state: ApprovalState, id: string, status: 'answered' | 'lapsed', resumed: Resumed | null): ApprovalState {
  const questions = state.questions.map((q) => (q.id === id ? { ...q, status } : q));
  const waiting = state.signOffs.find((s) => s.paused?.question === id);
  if (!waiting) return standingWith({ ...state, questions }, undefined, {});
  const { paused, ...running } = waiting;
  const other = resumed === null ? openQuestions({ questions }).find((q) => q.signOff === waiting.id) : undefined;
  const on =
    other && paused ? { ...running, paused: { ...paused, question: other.id } } : { ...running, ...(resumed ? { ...resumed, stood: true as const } : {}) };
  return standingWith({ ...state, questions, signOffs: state.signOffs.map((s) => (s.id === waiting.id ? on : s)) }, undefined, {});
}

/** Questions that nobody needs to answer any more, of one sign-off or of all: no clock of it stands still for them. */
const dropped = (state: ApprovalState, signOff?: string): ApprovalState => ({
  ...state,
  questions: state.questions.map((q) => (q.status === 'open' && (signOff === undefined || q.signOff === signOff) ? { ...q, status: 'lapsed' } : q)),
  signOffs: state.signOffs.map((s) => (s.paused !== undefined && (signOff === undefined || s.id === signOff) ? running(s) : s)),
});

const running = ({ paused: _, ...rest }: SignOffState): SignOffState => rest;

/** A level that opens begins anew: nothing of it was extended. */
const fresh = ({ extendedMinutes: _e, stood: _s, ...rest }: SignOffState): SignOffState => rest;

/** Everyone that these are: themselves, and those they stand in for. */
export const idsOf = (people: readonly Pick<Asked, 'person' | 'for'>[]): string[] =>
  people.flatMap(({ person, for: absent }) => (absent === undefined ? [person] : [person, absent]));

/** What one entry adds to the packet; `question`: what it answers. */
export function supplementOf(
  { seq, at }: Pick<Recorded, 'seq' | 'at'>,
  event: Extract<ApprovalEvent, { type: 'information_given' | 'evidence_added' }>,
  question = '',
): Supplement {
  const { by, packetDigest: digest } = event;
  return event.type === 'evidence_added'
    ? { seq, at, kind: 'evidence', name: event.name, title: event.title, content: event.content, source: 'agent', by, digest }
    : { seq, at, kind: 'reply', name: event.question, title: question, content: event.text, source: event.byAgent ? 'agent' : 'person', by, digest };
}

/** What nobody waits for any more once it has ended. A pause that came after it would be lifted by nobody. */
export const MOOT_AT_END: readonly OwedKind[] = ['ask', 'remind', 'page_backup', 'ask_person', 'ask_agent', 'pause_credential'];

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
    case 'level_opened': {
      const clear = dropped(state, event.signOff);
      const one = clear.signOffs.find((s) => s.id === event.signOff);
      const signOffs = clear.signOffs.map((s) => (s.id === event.signOff ? fresh(s) : s));
      return standingWith({ ...clear, signOffs }, event.signOff, {
        openedAt: at,
        before: [...(one?.before ?? []), ...idsOf(event.asked)],
        status: 'open',
        level: event.level,
        asked: event.asked,
        owner: event.owner,
        claimedBy: null,
        dueAt: event.dueAt,
        reminders: event.reminders,
      });
    }
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
      return standingWith(state, open?.id, { owner: firstUnsigned(open?.asked ?? [], chosen(open)), claimedBy: null });
    }
    case 'signed_off': {
      const signOff = state.signOffs.find((s) => s.id === event.signOff);
      const given = [...(signOff?.given ?? []), { person: event.by, role: event.role, at, ...(event.for === undefined ? {} : { for: event.for }) }];
      const done = event.complete
        ? // A hold is of one sign-off: the others have ladders, and holds, of their own.
          ({ status: 'given', owner: null, claimedBy: null, dueAt: null, reminders: [], hold: null } as const)
        : { claimedBy: null, owner: firstUnsigned(signOff?.asked ?? [], [...given, ...(signOff?.refused ?? [])]) };
      const said = saidIn(event.conditions, at);
      const conditions = unite(state.conditions, said);
      const own = unite(signOff?.conditions, said);
      // What is given needs no more information.
      const clear = event.complete ? dropped(state, event.signOff) : state;
      return { ...standingWith(clear, event.signOff, { given, ...done, ...(own ? { conditions: own } : {}) }), ...(conditions ? { conditions } : {}) };
    }
    case 'taken_over': {
      const clear = dropped(state);
      return {
        ...clear,
        state: 'taken_over',
        signOffs: clear.signOffs.map((s) => ({ ...s, hold: null })),
        // One who takes it over from another has no more time than there was in all.
        takeover: { by: event.by, role: event.role, at: state.takeover?.at ?? at, dueAt: event.dueAt },
      };
    }
    case 'held': {
      const { role, then, asked, owner, dueAt } = event;
      const id = openSignOff(state, event.signOff)?.id;
      // A claim of the level before does not bind the backup, who could not decide otherwise.
      return standingWith(id === undefined ? state : dropped(state, id), id, { asked, owner, claimedBy: null, dueAt, reminders: [], hold: { role, then } });
    }
    case 'ended':
      return {
        ...dropped(state),
        state: event.outcome,
        ended: { seq, why: event.why, deciders: event.deciders, at, conditions: event.conditions, next: event.next },
        // A question nobody needs to answer any more is not asked again; one that failed for good stays visible as such.
        owed: state.owed.map((o) =>
          (o.status === 'owed' || o.status === 'failed_for_now') && MOOT_AT_END.includes(o.owed.kind) ? { ...o, status: 'done' } : o,
        ),
      };
    case 'worked':
      return state.takeover ? { ...state, takeover: { ...state.takeover, dueAt: event.dueAt, status: event.status } } : state;
    case 'information_asked': {
      const { signOff, question: id, by, of, text, dueAt, left } = event;
      const asking = { ...state, questions: [...state.questions, { id, signOff, by, of, text, dueAt, status: 'open' as const }] };
      return standingWith(asking, signOff, left === null ? {} : { paused: { question: id, left } });
    }
    case 'information_given': {
      const { question, packetDigest } = event;
      const said = supplementOf({ seq, at }, event, state.questions.find((q) => q.id === question)?.text);
      return { ...closed(state, question, 'answered', event.resumed), packetDigest, supplements: [...state.supplements, said] };
    }
    case 'question_lapsed':
      return closed(state, event.question, 'lapsed', event.resumed);
    case 'evidence_added':
      return { ...state, packetDigest: event.packetDigest, supplements: [...state.supplements, supplementOf({ seq, at }, event)] };
    case 'reassigned': {
      const { signOff, from, to } = event;
      const one = state.signOffs.find((s) => s.id === signOff);
      const asked = [...(one?.asked ?? []).filter((a) => a.person !== from && a.person !== to.person), to];
      return standingWith(state, signOff, { asked, owner: to.person, claimedBy: null, before: [...(one?.before ?? []), ...idsOf([to])] });
    }
    case 'passed_up': {
      const one = state.signOffs.find((s) => s.id === event.signOff);
      return { ...state, signOffs: patchSignOff(state, event.signOff, { passed: [...(one?.passed ?? []), ...idsOf([{ ...event, person: event.by }])] }) };
    }
    case 'said_no': {
      const one = state.signOffs.find((s) => s.id === event.signOff);
      const { by, role, reason } = event;
      const refused = [...(one?.refused ?? []), { person: by, role, at, reason, ...(event.for === undefined ? {} : { for: event.for }) }];
      return standingWith(state, event.signOff, {
        refused,
        claimedBy: null,
        owner: firstUnsigned(one?.asked ?? [], [...(one?.given ?? []), ...refused]),
      });
    }
    case 'extended': {
      const one = state.signOffs.find((s) => s.id === event.signOff);
      const paused = one?.paused;
      // Where its clock stands still, what is left of it grows.
      const left = paused && { ...paused, left: { ...paused.left, dueMs: paused.left.dueMs + event.minutes * 60_000 } };
      const extendedMinutes = (one?.extendedMinutes ?? 0) + event.minutes;
      return standingWith(state, event.signOff, { dueAt: event.dueAt, extendedMinutes, ...(left ? { paused: left } : {}) });
    }
    case 'override_proposed':
      return { ...state, override: { by: event.by, role: event.role, at, decision: event.decision, because: event.because, packetDigest: state.packetDigest } };
    case 'resolved_anew': {
      const { asked, owner, dueAt, reminders } = event;
      const one = state.signOffs.find((s) => s.id === event.signOff);
      // Whoever claimed it has it for as long as they may.
      const claimedBy = one?.claimedBy === owner ? owner : null;
      const before = [...(one?.before ?? []), ...idsOf(asked).filter((p) => !one?.before?.includes(p))];
      return standingWith(state, event.signOff, { asked, owner, claimedBy, dueAt, reminders, before });
    }
    case 'delivery_reopened':
      return {
        ...state,
        owed: state.owed.map((o) => (o.id === event.owedId ? { ...o, status: 'owed' as const, tried: 0, reopened: (o.reopened ?? 0) + 1 } : o)),
      };
    case 'commented':
    case 'overridden':
    case 'glass_broken':
    case 'meanwhile_begun':
      return state;
    case 'attempted':
      return { ...state, owed: state.owed.map((o) => (o.id === event.owedId ? attempted(o, event) : o)) };
    case 'requested':
      return event.requesters === undefined ? state : { ...state, requesters: event.requesters };
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
