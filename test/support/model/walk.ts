/**
 * A random walk through the life of one approval: drawn as plain numbers, and read against where the approval stands, so that most of it is
 * what somebody there would do, and the rest is wrong people, old digests, repetitions, late arrivals and clocks that come early.
 * Must not import anything but the domain.
 */
import fc from 'fast-check';
import type { Directory } from '../../../domain/directory';
import { after, ms } from '../../../domain/json';
import { nextInstant } from '../../../domain/ladder';
import { WORK_STATUSES, type Move, type MoveType } from '../../../domain/moves';
import { isOutcome } from '../../../domain/outcome';
import type { Conditions } from '../../../domain/plan';
import { openQuestions, openSignOffs } from '../../../domain/state';
import { MINUTE } from '../approval-play';
import type { Hours } from './hours';
import { BECAUSE, hours, OPERATING, PEOPLE, REQUESTERS, team } from './plans';
import { AGENT, type Saying, type Stage, type Step } from './stage';

type Around = 'open' | 'withdraw' | 'wake' | 'late' | 'passes' | 'early' | 'again' | 'attempt' | 'flood';
export type Act = MoveType | Around;

export type Turn =
  | {
      readonly act: Act;
      /** Who, which, how much, and what is odd about it: read against where the approval stands. */
      readonly who: number;
      readonly which: number;
      readonly much: number;
      readonly odd: number;
    }
  | { readonly team: Directory }
  | { readonly hours: Hours };

/** How often each is drawn. */
const WEIGHTS: Readonly<Record<Act, number>> = {
  claim: 5,
  release: 3,
  approve: 12,
  deny: 4,
  take_over: 4,
  answer: 2,
  hand_back: 2,
  resolve: 2,
  abandon: 2,
  update: 3,
  comment: 3,
  ask: 6,
  reply: 6,
  add_evidence: 3,
  reassign: 6,
  pass_up: 4,
  extend: 4,
  override: 4,
  break_glass: 1,
  reopen_delivery: 3,
  open: 1,
  withdraw: 1,
  wake: 5,
  late: 2,
  passes: 6,
  early: 2,
  again: 3,
  attempt: 3,
  flood: 1,
};
const ACTS = Object.entries(WEIGHTS).flatMap(([act, weight]) => Array.from({ length: weight }, () => act as Act));

const aTurn = fc.record({ act: fc.constantFrom(...ACTS), who: fc.nat(99), which: fc.nat(99), much: fc.nat(99), odd: fc.nat(99) });
export const turn: fc.Arbitrary<Turn> = fc.oneof(
  { weight: 24, arbitrary: aTurn },
  { weight: 1, arbitrary: team.map((t) => ({ team: t })) },
  { weight: 1, arbitrary: hours.map((h) => ({ hours: h })) },
);

/** What somebody who looks at it sees: enough to know what they would do. */
export type Scene = Pick<Stage, 'state' | 'plan' | 'directory' | 'now'>;

const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];
const EVERYBODY = [...PEOPLE, ...REQUESTERS, 'nobody'];

/** Who would make this move now. Only a hint: the machine decides whether they may. */
function likely(stage: Scene, act: MoveType): readonly string[] {
  const { state, directory } = stage;
  const open = openSignOffs(state);
  const asked = open.flatMap((s) => [...(s.owner === null ? [] : [s.owner, s.owner]), ...s.asked.map((a) => a.person)]);
  const holding = Object.values(directory.people).filter((p) =>
    open.some((s) => {
      const rung = stage.plan.signOffs.find((one) => one.id === s.id)?.ladder[s.level];
      return rung !== undefined && p.roles.includes(s.hold?.role ?? rung.role);
    }),
  );
  const operating = Object.values(directory.people).filter((p) => p.id !== 'rita' && p.roles.some((r) => (OPERATING as readonly string[]).includes(r)));
  const ids = (list: readonly { readonly id: string }[]): string[] => list.map((p) => p.id);
  switch (act) {
    case 'release':
      return open.flatMap((s) => s.claimedBy ?? []);
    case 'hand_back':
    case 'resolve':
    case 'abandon':
    case 'update':
      return state.takeover ? [state.takeover.by] : asked;
    case 'answer':
      return state.takeover ? [state.takeover.by] : asked;
    case 'reply':
      return openQuestions(state).map((q) => q.of);
    case 'add_evidence':
      return ['agent'];
    case 'extend':
    case 'override':
    case 'break_glass':
    case 'reopen_delivery':
      return ids(operating);
    case 'ask':
      return state.takeover ? [state.takeover.by] : [...asked, ...ids(holding)];
    case 'reassign':
    case 'take_over':
      return [...asked, ...asked, ...ids(operating)];
    default:
      return [...asked, ...asked, ...ids(holding)];
  }
}

const CONDITIONS: readonly (Conditions | undefined)[] = [undefined, undefined, { option: 'voucher' }, { option: 'cash' }, { only_recipients: ['ann'] }];

/** The move itself, with words that would do. */
function wordsOf(stage: Scene, act: MoveType, { which, much, odd }: Extract<Turn, { act: Act }>): Move {
  const { state, plan, now } = stage;
  const reason = odd === 0 ? '  ' : 'there is a reason';
  const signOff = much % 4 === 0 ? pick([...plan.signOffs.map((s) => s.id), '9'], which) : undefined;
  const of = signOff === undefined ? {} : { sign_off: signOff };
  switch (act) {
    case 'claim':
    case 'release':
      return { type: act };
    case 'approve': {
      // Mostly what is offered, else it would never come to an approval.
      const { options, amountAtMost, onlyRecipients } = plan.offers ?? {};
      const fitting: Conditions | undefined = options
        ? { option: state.conditions?.option ?? pick(Object.keys(options), which) }
        : amountAtMost
          ? { amount_at_most: { minor: (which % 3) + 1, currency: 'USD' }, ...(much % 2 === 0 ? { expires_at: after(now, 60 * MINUTE) } : {}) }
          : onlyRecipients
            ? { only_recipients: ['bob', ...(much % 2 === 0 ? ['ann'] : [])] }
            : undefined;
      const said = odd % 8 === 1 ? pick(CONDITIONS, which) : fitting;
      return { type: 'approve', reason, ...(said ? { conditions: said } : {}) };
    }
    case 'deny':
    case 'take_over':
    case 'abandon':
    case 'pass_up':
    case 'break_glass':
      return { type: act, reason };
    case 'answer':
      return { type: 'answer', facts: which % 5 === 0 ? { order_total: 'much' } : { order_total: 12, ...(much % 2 === 0 ? { note: 'paid' } : {}) } };
    case 'hand_back':
      return { type: 'hand_back', instructions: reason };
    case 'resolve':
      return { type: 'resolve', result: reason };
    case 'update':
      return {
        type: 'update',
        status: pick(WORK_STATUSES, which) ?? 'working',
        note: reason,
        ...(much % 2 === 0 ? { next_update_at: after(now, (much + 1) * 5 * MINUTE) } : {}),
      };
    case 'comment':
      return { type: 'comment', text: reason };
    case 'ask':
      return { type: 'ask', of: pick(['agent', 'agent', 'rita', ...PEOPLE, 'nobody'], which) ?? 'agent', question: reason, ...of };
    case 'reply':
      return { type: 'reply', question: pick([...openQuestions(state).map((q) => q.id), ...(much % 5 === 0 ? ['q9'] : [])], which) ?? 'q1', text: reason };
    case 'add_evidence':
      return { type: 'add_evidence', name: odd === 1 ? 'No Name' : `photo_${String(which)}`, title: 'A photo', content: reason };
    case 'reassign':
      return { type: 'reassign', to: pick([...PEOPLE, 'rita'], which) ?? 'ada', reason, ...of };
    case 'extend':
      return { type: 'extend', minutes: [1, 10, 25, 120, 240][much % 5] ?? 1, reason, ...of };
    case 'override':
      return {
        type: 'override',
        decision: which % 2 === 0 ? 'approve' : 'deny',
        because: odd === 2 ? 'whim' : (pick(BECAUSE, Math.floor(which / 8)) ?? ''),
        reason,
      };
    case 'reopen_delivery': {
      const failed = state.owed.filter((o) => o.status === 'failed_for_good').map((o) => o.id);
      return { type: 'reopen_delivery', owed_id: pick(much % 3 === 0 ? state.owed.map((o) => o.id) : failed, which) ?? '9-9', reason };
    }
  }
}

/** What somebody says at this turn. */
export function sayingOf(stage: Scene, drawn: Extract<Turn, { act: Act }>, drawnAct: MoveType): Saying {
  const { who, odd } = drawn;
  const act = likelyMove(stage, drawnAct, drawn.which);
  const fitting = likely(stage, act);
  // One in six is whoever happens to pass by.
  const by = (who % 6 === 0 ? undefined : pick(fitting, who)) ?? pick(EVERYBODY, who) ?? 'ada';
  const move = wordsOf(stage, act, drawn);
  return {
    ...(by === 'agent' || (act === 'reply' && by === AGENT) ? { agent: AGENT } : { person: by }),
    move,
    ...(odd >= 90 && odd < 94 ? { packetDigest: '0'.repeat(64) } : {}),
    ...(odd >= 94 && odd < 96 ? { expiresIn: 0 } : {}),
    ...(odd >= 96 && odd < 98 ? { signedInAgo: 60 * MINUTE } : {}),
    ...(odd >= 98 ? { bulk: 'bulk-1' } : {}),
  };
}

export const isAround = (act: Act): act is Around => ['open', 'withdraw', 'wake', 'late', 'passes', 'early', 'again', 'attempt', 'flood'].includes(act);

const OF_A_TAKEOVER: readonly MoveType[] = ['update', 'update', 'hand_back', 'resolve', 'abandon', 'answer', 'ask', 'comment'];

/** What would be done there: half of the moves on what was taken over are such as only its holder makes. */
const likelyMove = ({ state }: Scene, act: MoveType, which: number): MoveType =>
  state.takeover && which % 2 === 0 && ['claim', 'release', 'approve', 'deny', 'pass_up', 'extend', 'reassign'].includes(act)
    ? (pick(OF_A_TAKEOVER, Math.floor(which / 2)) ?? act)
    : act;

/** Plays one turn, and shows each command that was sent in it to `look`. */
export function play(stage: Stage, drawn: Turn, look: (step: Step) => void): void {
  // Of what comes after the end there is less.
  if (isOutcome(stage.state.state) && !('act' in drawn && drawn.odd % 5 === 0)) return;
  if ('team' in drawn) stage.directories.push(drawn.team);
  else if ('hours' in drawn) stage.opensAt(drawn.hours);
  else if (isAround(drawn.act)) around(stage, drawn, drawn.act, look);
  // Once in a while the store's look at the clock before a move is left out: the machine by itself has to keep the rules as well.
  else look(stage.send(stage.saying(sayingOf(stage, drawn, drawn.act)), drawn.odd !== 3));
}

function around(stage: Stage, { which, much, odd }: Extract<Turn, { act: Act }>, act: Around, look: (step: Step) => void): void {
  const at = nextInstant(stage.state);
  switch (act) {
    case 'open':
      return look(stage.send({ type: 'open' }));
    case 'withdraw':
      return much < 20 ? look(stage.send({ type: 'withdraw', by: AGENT, reason: 'no longer wanted' })) : undefined;
    case 'wake':
      if (at !== null) stage.waitsUntil(at);
      return look(stage.send({ type: 'clock' }));
    case 'late':
      // Nobody knocks: whoever moves next comes after the deadline.
      if (at !== null) stage.waitsUntil(after(at, much * MINUTE));
      return;
    case 'passes':
      stage.waits(Math.ceil(much / 4) * MINUTE);
      return look(stage.send({ type: 'clock' }));
    case 'early':
      if (at !== null && ms(at) > ms(stage.now)) stage.waits(Math.floor(((ms(at) - ms(stage.now)) * much) / 100));
      return look(stage.send({ type: 'clock' }));
    case 'again': {
      // The same command once more; or the same words under another id.
      const before = pick(stage.sent, which);
      if (before?.type !== 'move') return;
      const { person, agent, move, packetDigest } = before.body;
      return look(odd % 2 === 0 ? stage.send(before) : stage.says({ person, ...(agent === undefined ? {} : { agent }), move, packetDigest }));
    }
    case 'attempt': {
      const debts = stage.state.owed.filter((o) => o.status === 'owed');
      const debt = pick(debts, which);
      return debt ? stage.tries(debt, odd % 3 === 0 ? 'done' : 'failed_for_good') : undefined;
    }
    case 'flood': {
      if (odd % 8 !== 0) return;
      const content = 'x'.repeat(which % 2 === 0 ? 64 * 1024 : 10);
      for (let n = 0; n < 21 && !isOutcome(stage.state.state); n += 1)
        look(stage.says({ agent: AGENT, move: { type: 'add_evidence', name: `page_${String(n)}`, title: 'A page', content } }));
    }
  }
}
