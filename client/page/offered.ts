/**
 * Which moves a viewer may make now: those that the state machine would accept from them, asked of it with words in the place of theirs.
 * A form is shown for these and no others; whether a move is made is decided when it is made. Pure.
 */
import { actingOn } from '../../domain/acting';
import { excludedFrom, fitFor, askedRole } from '../../domain/asked';
import { decide } from '../../domain/decide';
import { rosterOf } from '../../domain/directory';
import { after } from '../../domain/json';
import { planned } from '../../domain/ladder';
import type { Move, MoveType, Refusal, RefusalCode } from '../../domain/moves';
import { operatorRole } from '../../domain/operate';
import { openQuestions, openSignOffs } from '../../domain/state';
import type { Context } from '../../domain/story';
import { workingTimeAfter, workingTimeBetween } from '../../policy';
import type { ApprovalPage } from './model';

/** Where a form stands: with the decision, with a question, among what else there is, with what operators do, with a delivery. */
export type Group = 'decide' | 'reply' | 'more' | 'operate' | 'delivery';

export interface Offer {
  readonly type: MoveType;
  readonly group: Group;
  /** What the form carries besides what is written into it. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Who can be named in it, by id. */
  readonly people?: readonly string[];
  /** Which decisions an override may say. */
  readonly decisions?: readonly ('approve' | 'deny')[];
}

export interface Offered {
  readonly offers: readonly Offer[];
  /** As what the viewer acts on what is open, or has it in hand; null where they do not. */
  readonly role: string | null;
  /** As what they operate; null where they are no operator. */
  readonly operator: string | null;
  /** Why they decide nothing now; null where they may. */
  readonly why: Refusal | null;
}

/** What is wrong with words that are not the viewer's, and says nothing about whether they may. */
const OF_THE_WORDS: readonly RefusalCode[] = [
  'text_required',
  'reason_required',
  'answer_invalid',
  'condition_required',
  'condition_not_offered',
  'condition_needs_more',
  'sign_in_too_old',
];

/** Those to whom it can be given, at most; the first in the order of duty. */
const ASSIGNEES_MAX = 25;

const spelling = (text: string): string => text.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase();

/** What `decide` needs beside the state. What an end would owe to whom does not matter here. */
function contextOf({ approval, directory, now }: ApprovalPage): Context {
  const { plan, agent, requesters } = approval;
  const calendars = plan.calendars ?? {};
  const calendar = (name: string | null) => (name === null ? null : (calendars[name] ?? null));
  const keys = new Set(requesters.map(spelling));
  const meant = Object.values(directory.people).filter((p) => [p.id, p.email, p.name].some((said) => keys.has(spelling(said))));
  return {
    now,
    plan,
    directory,
    requesters: [...new Set([...meant.map((p) => p.id), ...requesters])],
    agent,
    resume: { type: 'poll' },
    hasCustomerAddress: false,
    hasRequesterAddress: false,
    dueAt: (from, withinMs, name) => workingTimeAfter(calendar(name), from, withinMs),
    workingBetween: (from, to, name) => workingTimeBetween(calendar(name), from, to),
    calendars,
    digestOf: () => approval.packetDigest,
  };
}

const WORDS = 'x';

export function offeredTo(page: ApprovalPage): Offered {
  const { state, approval, viewer, directory, now } = page;
  const context = contextOf(page);
  const { plan } = approval;
  const { id } = viewer.person;

  function refusalOf(move: Move): Refusal | 'nothing' | null {
    const decision = decide(
      state,
      {
        type: 'move',
        id: '',
        signature: '',
        keyId: '',
        body: {
          v: 3,
          tenant: approval.tenant,
          approvalId: approval.approvalId,
          commandId: '',
          person: id,
          move,
          packetDigest: state.packetDigest,
          signedInAt: now,
          issuedAt: now,
          expiresAt: after(now, 60_000),
        },
      },
      context,
    );
    if ('events' in decision) return decision.events.length > 0 ? null : 'nothing';
    return OF_THE_WORDS.includes(decision.refusal.code) ? null : decision.refusal;
  }
  const may = (move: Move): boolean => refusalOf(move) === null;

  const acting = actingOn(state, id, context);
  const inHand = state.takeover?.by === id;
  const own: Group = acting && !state.takeover ? 'decide' : inHand ? 'decide' : 'operate';
  const several = openSignOffs(state).length > 1;
  const offers: Offer[] = [];
  const offer = (group: Group, move: Move, more: Partial<Offer> = {}): void => {
    if (may(move)) offers.push({ type: move.type, group, fixed: {}, ...more });
  };

  if (!state.ended) {
    for (const { id: question } of openQuestions(state)) offer('reply', { type: 'reply', question, text: WORDS }, { fixed: { question } });
    offer('decide', { type: 'update', status: 'working', note: WORDS });
    if (plan.asksFor) offer('decide', { type: 'answer', facts: {} });
    offer('decide', { type: 'approve', reason: WORDS });
    offer('decide', { type: 'deny', reason: WORDS });
    offer('decide', { type: 'hand_back', instructions: WORDS });
    offer('decide', { type: 'resolve', result: WORDS });
    offer('decide', { type: 'abandon', reason: WORDS });
    if (!inHand) offer(own, { type: 'take_over', reason: WORDS });
    offer('decide', { type: 'claim' });
    offer('decide', { type: 'release' });
    const others = Object.keys(directory.people).filter((person) => person !== id);
    offer('more', { type: 'ask', of: 'agent', question: WORDS }, { people: others, fixed: several && acting ? { sign_off: acting.open.id } : {} });
    offer('more', { type: 'pass_up', reason: WORDS });
    for (const open of state.takeover ? [] : openSignOffs(state)) {
      const signOff = planned(plan, open);
      const role = askedRole(open, signOff);
      const which = several ? { sign_off: open.id } : {};
      if (!signOff || role === undefined) continue;
      const seats = rosterOf(directory, role, now, excludedFrom(state, context, open.id)).slice(0, ASSIGNEES_MAX);
      const people = seats.map(({ person }) => person).filter((person) => typeof fitFor(state, context, open, signOff, person) !== 'string');
      const group = acting?.open.id === open.id ? 'more' : 'operate';
      if (people[0] !== undefined) offer(group, { type: 'reassign', to: people[0], reason: WORDS, ...which }, { people, fixed: which });
      offer('operate', { type: 'extend', minutes: 1, reason: WORDS, ...which }, { fixed: which });
    }
    offer('more', { type: 'comment', text: WORDS });
    const rule = plan.operators?.override;
    const decisions = (rule?.may ?? []).filter((decision) =>
      Object.keys(rule?.reasons ?? {}).some((because) => may({ type: 'override', decision, because, reason: WORDS })),
    );
    if (decisions.length > 0) offers.push({ type: 'override', group: 'operate', fixed: {}, decisions });
    offer('operate', { type: 'break_glass', reason: WORDS });
  }
  for (const { id: owedId, status } of state.owed)
    if (status === 'failed_for_good') offer('delivery', { type: 'reopen_delivery', owed_id: owedId, reason: WORDS }, { fixed: { owed_id: owedId } });

  const no = state.ended
    ? 'nothing'
    : refusalOf(plan.effect === 'escalation' && !inHand ? { type: 'take_over', reason: '' } : { type: 'approve', reason: WORDS });
  return {
    offers,
    role: inHand ? state.takeover.role : state.takeover ? null : (acting?.role ?? null),
    operator: operatorRole(id, context),
    why: no === 'nothing' || offers.some(({ group, type }) => group === 'decide' && type !== 'claim') ? null : no,
  };
}
