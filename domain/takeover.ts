/**
 * What a person does with what they have taken over: they say where the work stands, answer, hand it back, end it by hand or abandon it.
 * Promises: taking over gives time, not a role; and however many updates there are, it ends at its bound.
 * Pure: imports only from domain. Questions of who has taken it over are in asking.ts.
 */
import { whyNoAnswer } from './answers';
import { actsAs } from './directory';
import { after, instant, ms, type Instant } from './json';
import { end, tellAsked } from './ladder';
import type { Move } from './moves';
import type { Decider } from './outcome';
import type { Plan } from './plan';
import { earlier } from './standstill';
import type { ApprovalState } from './state';
import { nameOf, type Context, type Story } from './story';
import { checkCeremony, proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

type Of<T extends Move['type']> = Extract<Move, { type: T }>;

/** How long all of it may take, whoever has it. */
export const takeoverEndsBy = ({ at }: { readonly at: Instant }, { takeoverMs, takeoverAtMostMs }: Pick<Plan, 'takeoverMs' | 'takeoverAtMostMs'>): Instant =>
  after(at, takeoverAtMostMs ?? takeoverMs);

export function moveOnTakeover(state: ApprovalState, command: MoveCommand, holder: string, context: Context): Decision {
  const { body } = command;
  const { directory, now } = context;
  if (body.person !== holder) return refuse('taken_over_by_another', `${nameOf(directory, holder)} has taken this over`);
  const role = state.takeover?.role ?? '';
  // Taking over gives time, not a role: who lost it meanwhile decides nothing, and the takeover lapses by itself.
  const as = actsAs(directory, body.person, role, now, context.requesters);
  if (!as) return refuse('role_not_held', `${nameOf(directory, body.person)} does not hold ${role} any more`);
  const ceremony = checkCeremony(body, context);
  if (ceremony) return ceremony;
  const decider: Decider = { person: body.person, role, at: now, ...as };
  const who = `${nameOf(directory, body.person)} (${role})`;
  const proof = proofOf(command);
  switch (body.move.type) {
    case 'hand_back': {
      const { instructions } = body.move;
      if (!instructions.trim()) return refuse('reason_required', 'Say how the agent should go on');
      return tell(state, context, (story) => {
        story.tell({ type: 'handed_back', by: body.person, role, instructions, proof });
        end(story, context, { outcome: 'handed_back', why: `Handed back by ${who}`, path: instructions, deciders: [decider] });
      });
    }
    case 'resolve': {
      const { result } = body.move;
      if (!result.trim()) return refuse('reason_required', 'Say what was done');
      return tell(state, context, (story) => {
        story.tell({ type: 'resolved', by: body.person, role, result, proof });
        end(story, context, {
          outcome: 'resolved_by_person',
          why: `Done by hand by ${who}: ${result}`,
          path: 'do not execute; it was done by hand',
          deciders: [decider],
        });
      });
    }
    case 'abandon': {
      const { reason } = body.move;
      if (!reason.trim()) return refuse('reason_required', 'Say why it is not to be done: the agent and who was asked are told');
      return tell(state, context, (story) => {
        story.tell({ type: 'resolved', by: body.person, role, result: reason, how: 'abandoned', proof });
        end(story, context, {
          outcome: 'resolved_by_person',
          why: `Abandoned by ${who}: ${reason}`,
          path: 'do not execute; it was abandoned',
          deciders: [decider],
        });
      });
    }
    case 'answer':
      return answer(state, command, body.move, role, context);
    case 'update':
      return update(state, command, body.move, role, context);
    default:
      return refuse('taken_over_by_another', 'You have taken it over: hand it back, resolve it, or abandon it');
  }
}

const STATUS_WORDS: Readonly<Record<Of<'update'>['status'], string>> = {
  working: 'is working on it',
  waiting_for_others: 'is waiting for others',
  blocked: 'is blocked',
  nearly_done: 'has nearly done it',
};

/** Where it stands, and until when the next word comes: never later than the bound of the whole. */
function update(state: ApprovalState, command: MoveCommand, { status, note, next_update_at: next }: Of<'update'>, role: string, context: Context): Decision {
  const { plan, now, directory } = context;
  const { takeover } = state;
  const by = command.body.person;
  if (!takeover) return refuse('not_taken_over', 'Take it over first');
  if (!note.trim()) return refuse('text_required', 'Say where it stands: who was asked reads it');
  const bound = takeoverEndsBy(takeover, plan);
  const wanted = next === undefined ? ms(earlier(after(now, plan.takeoverMs), bound) ?? bound) : ms(next);
  if (!Number.isFinite(wanted) || wanted > ms(bound) || wanted <= ms(now))
    return refuse(
      'update_too_late',
      `${next ?? 'The next word'} is not between now and ${bound}, when it has to be finished; say an instant in between, or finish it`,
    );
  const dueAt = instant(wanted);
  const owed = tellAsked(state, by, `${nameOf(directory, by)} (${role}) ${STATUS_WORDS[status]}; the next word comes by ${dueAt}`);
  return tell(state, context, (story) => story.tell({ type: 'worked', by, role, status, note, dueAt, owed, proof: proofOf(command) }));
}

/** The facts that were asked for, from a person who may decide: the agent goes on with them, or submits again. */
export function answer(
  state: ApprovalState,
  command: MoveCommand,
  { facts }: Of<'answer'>,
  role: string,
  context: Context,
  claimFirst?: (story: Story) => void,
): Decision {
  const { plan, directory, now, requesters } = context;
  const { person: by } = command.body;
  const wrong = whyNoAnswer(facts, plan.effect === 'escalation' ? plan.asksFor : undefined);
  if (wrong) return { refusal: wrong };
  return tell(state, context, (story) => {
    claimFirst?.(story);
    story.tell({ type: 'answered', by, role, facts, directory: directory.hash, proof: proofOf(command) });
    end(story, context, {
      outcome: 'answered',
      why: `Answered by ${nameOf(directory, by)} (${role}): ${Object.keys(facts).join(', ')}`,
      path: 'go on with these facts, or submit again with them; nothing is approved by them',
      deciders: [{ person: by, role, at: now, ...actsAs(directory, by, role, now, requesters) }],
      facts,
    });
  });
}
