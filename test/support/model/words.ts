/**
 * The closed words of the machine as lists, held complete by the compiler: what the walk has to come across, and what docs/moves.md has to name.
 * Must not import anything but the domain's types.
 */
import type { EventType } from '../../../domain/events';
import type { MoveType, RefusalCode } from '../../../domain/moves';
import type { Outcome } from '../../../domain/outcome';

const named = <T extends string>(words: Readonly<Record<T, true>>): readonly T[] => Object.keys(words) as T[];

export const MOVE_TYPES = named<MoveType>({
  claim: true,
  release: true,
  approve: true,
  deny: true,
  take_over: true,
  answer: true,
  hand_back: true,
  resolve: true,
  abandon: true,
  update: true,
  comment: true,
  ask: true,
  reply: true,
  add_evidence: true,
  reassign: true,
  pass_up: true,
  extend: true,
  override: true,
  break_glass: true,
  reopen_delivery: true,
});

export const EVENT_TYPES = named<EventType>({
  requested: true,
  routed: true,
  level_opened: true,
  level_skipped: true,
  reminded: true,
  level_timed_out: true,
  claimed: true,
  released: true,
  signed_off: true,
  denied: true,
  taken_over: true,
  answered: true,
  handed_back: true,
  resolved: true,
  worked: true,
  commented: true,
  information_asked: true,
  information_given: true,
  question_lapsed: true,
  evidence_added: true,
  reassigned: true,
  passed_up: true,
  said_no: true,
  extended: true,
  override_proposed: true,
  overridden: true,
  glass_broken: true,
  delivery_reopened: true,
  resolved_anew: true,
  meanwhile_begun: true,
  takeover_lapsed: true,
  held: true,
  ended: true,
  refused: true,
  attempted: true,
  engine: true,
});

/** Written by submission, by attempts at what is owed, and by what the engine went through: not by the machine. */
export const NOT_OF_THE_MACHINE: readonly EventType[] = ['requested', 'routed', 'attempted', 'engine'];

/** How what needs nobody ends, before the machine begins. */
export const WITHOUT_PEOPLE: readonly Outcome[] = ['allowed', 'blocked'];

/** What only the commit around the machine refuses, and the test that shows it: a file, and the name of the test in it. */
export const AROUND = {
  unknown_command: ['test/workflows/approval.test.ts', 'a command that was never stored, was forged, or was made for another approval does not count'],
  bad_signature: ['test/workflows/approval.test.ts', 'a command that was never stored, was forged, or was made for another approval does not count'],
  wrong_approval: ['test/workflows/approval.test.ts', 'a command that was never stored, was forged, or was made for another approval does not count'],
  unsigned_message: ['test/e2e/side-doors.test.ts', 'that nobody knows, that claims an outcome, or that is no command allows nothing and is on the record'],
  policy_unreadable: ['test/store/conditional.test.ts', 'is refused where its policy cannot be read, although another one holds by now'],
  condition_needs_more: ['test/store/conditional.test.ts', 'that makes the policy ask for more than the chain has is refused, on the record, and it goes on'],
} as const satisfies Partial<Record<RefusalCode, readonly [file: string, test: string]>>;
export type AroundCode = keyof typeof AROUND;
