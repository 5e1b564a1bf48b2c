/**
 * What a person does with what they have taken over: they answer, hand it back, or end it by hand.
 * Taking over gives time, not a role. Pure: imports only from domain.
 */
import { whyNoAnswer } from './answers';
import { holds } from './directory';
import { end, nameOf, type Context, type Story } from './ladder';
import type { Move } from './moves';
import type { Decider } from './outcome';
import type { ApprovalState } from './state';
import { checkCeremony, proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

export function moveOnTakeover(state: ApprovalState, command: MoveCommand, holder: string, context: Context): Decision {
  const { body } = command;
  const proof = proofOf(command);
  if (body.person !== holder) return refuse('taken_over_by_another', `${nameOf(context.directory, holder)} has taken this over`);
  const role = state.takeover?.role ?? '';
  const decider: Decider = { person: body.person, role, at: context.now };
  if (body.move.type === 'hand_back' || body.move.type === 'resolve' || body.move.type === 'answer') {
    // Taking over gives time, not a role: who lost it meanwhile decides nothing, and the takeover lapses by itself.
    if (!holds(context.directory, body.person, role))
      return refuse('role_not_held', `${nameOf(context.directory, body.person)} does not hold ${role} any more`);
    const ceremony = checkCeremony(body, context);
    if (ceremony) return ceremony;
  }
  switch (body.move.type) {
    case 'hand_back': {
      const { instructions } = body.move;
      if (!instructions.trim()) return refuse('reason_required', 'Say how the agent should go on');
      return tell(state, context, (story) => {
        story.tell({ type: 'handed_back', by: body.person, role, instructions, proof });
        end(story, context, {
          outcome: 'handed_back',
          why: `Handed back by ${nameOf(context.directory, body.person)} (${role})`,
          path: instructions,
          deciders: [decider],
        });
      });
    }
    case 'resolve': {
      const { result } = body.move;
      if (!result.trim()) return refuse('reason_required', 'Say what was done');
      return tell(state, context, (story) => {
        story.tell({ type: 'resolved', by: body.person, role, result, proof });
        end(story, context, {
          outcome: 'resolved_by_person',
          why: `Done by hand by ${nameOf(context.directory, body.person)} (${role}): ${result}`,
          path: 'do not execute; it was done by hand',
          deciders: [decider],
        });
      });
    }
    case 'answer':
      return answer(state, command, body.move, role, context);
    default:
      return refuse('taken_over_by_another', 'It is taken over: hand it back or resolve it');
  }
}

/** The facts that were asked for, from a person who may decide: the agent goes on with them, or submits again. */
export function answer(
  state: ApprovalState,
  command: MoveCommand,
  { facts }: Extract<Move, { type: 'answer' }>,
  role: string,
  context: Context,
  claimFirst?: (story: Story) => void,
): Decision {
  const { plan, directory, now } = context;
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
      deciders: [{ person: by, role, at: now }],
      facts,
    });
  });
}
