/**
 * The state machine: state and command at an instant give events, or a refusal with a code.
 * Time, people and signatures' validity are arguments. Pure: imports only from domain.
 *
 * A chain of several events is built by folding each into the state that the next one sees, so that what is decided
 * here and what a reader of the record folds later are one and the same.
 */
import { actorOf, claimFirst, type Acting } from './acting';
import { resolveAnew } from './anew';
import { addEvidence, ask, comment, reply, whyStale } from './asking';
import { approve, deny } from './choice';
import { personOf } from './directory';
import { passUp, reassign, takeOver } from './handing';
import { ms } from './json';
import { begin, end, naming, tick, type Context, type Story } from './ladder';
import { DECIDING, type Command, type Move, type MoveType } from './moves';
import { operate } from './operate';
import { hasEnded, type ApprovalState } from './state';
import { answer, moveOnTakeover } from './takeover';
import { proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

export { actingOn } from './acting';
export type { Decision } from './telling';

/** What happens to `state` when `command` arrives at `context.now`. */
export function decide(state: ApprovalState, command: Command, context: Context): Decision {
  switch (command.type) {
    case 'open':
      return state.state === 'routing' ? tell(state, context, (story) => begin(story, context)) : { events: [] };
    case 'clock':
      return tell(state, context, (story) => {
        // A deadline that has passed counts first; what then is open is held against who is there now.
        tick(story, context);
        if (!hasEnded(story.state)) resolveAnew(story, context);
      });
    case 'withdraw':
      return hasEnded(state)
        ? { events: [] }
        : tell(state, context, (story) => end(story, context, { outcome: 'withdrawn', why: `Withdrawn by ${command.by}: ${command.reason}`, path: 'stop' }));
    case 'move':
      return move(state, command, context);
  }
}

/** Moves that one act may make on many requests at once, where the tier allows it. */
const BULK: readonly MoveType[] = ['claim', 'release', 'approve', 'deny', 'comment'];
/** Moves of whoever has taken it over, and those of operators: from anybody else they are refused. */
const OPERATORS_ONLY: readonly MoveType[] = ['extend', 'override', 'break_glass', 'reopen_delivery'];

/** A person acts, or the agent. The signature has been verified by the caller; everything else about who it is is checked here. */
function move(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const { body } = command;
  if (ms(context.now) >= ms(body.expiresAt)) return refuse('command_expired', `The command was valid until ${body.expiresAt}; send it again`);
  // A debt that was given up may be taken up again after the end: nothing else moves any more.
  if (hasEnded(state) && body.move.type !== 'reopen_delivery') return refuse('already_decided', `It ended as ${state.state}: ${state.ended?.why ?? ''}`);
  if (body.agent !== undefined) return moveOfAgent(state, command, body.agent, context);
  if (!personOf(context.directory, body.person)) return refuse('not_a_person', `${body.person} is not in the directory`);
  if (body.move.type === 'add_evidence') return refuse('not_the_agent', 'Evidence is added by the agent that asks; say it in a comment');
  if (body.bulk !== undefined && (context.plan.tier === 'strong' || context.plan.tier === 'dual' || !BULK.includes(body.move.type)))
    return refuse('bulk_not_allowed', `Tier ${context.plan.tier} lets nobody ${body.move.type.replaceAll('_', ' ')} many at once; look at this one by itself`);
  // Whoever was asked may answer, on whichever side they are: it decides nothing.
  if (body.move.type === 'reply') return reply(state, command, body.move, context);
  if (context.requesters.includes(body.person))
    return refuse('requester_may_not_decide', 'This request was made by you, for you, or by an agent you answer for; someone else decides it');
  if (DECIDING.includes(body.move.type) && body.packetDigest !== state.packetDigest) return refuse('stale_packet', whyStale(state, body.packetDigest, context));
  if (body.move.type === 'comment') return comment(state, command, body.move, context);
  const operated = operate(state, command, context);
  if (operated) return operated;
  if (OPERATORS_ONLY.includes(body.move.type)) return refuse('not_an_operator', 'Only an operator of this policy may do that; ask one');
  if (!state.takeover) return moveOnLevel(state, command, context);
  if (body.move.type === 'ask' && body.person === state.takeover.by) return ask(state, command, body.move, null, context);
  return moveOnTakeover(state, command, state.takeover.by, context);
}

/** An agent decides nothing: it answers what it was asked, and adds to what is decided from. */
function moveOfAgent(state: ApprovalState, command: MoveCommand, agent: string, context: Context): Decision {
  const { move: said } = command.body;
  if (agent !== context.agent) return refuse('not_the_agent', `${agent} did not make this request; only the agent that did adds to it`);
  if (said.type === 'reply') return reply(state, command, said, context);
  if (said.type === 'add_evidence') return addEvidence(state, command, said, context);
  return refuse('not_a_person', 'An agent answers questions and adds evidence; everything else is for people');
}

function moveOnLevel(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const acting = actorOf(state, command, context);
  return 'refusal' in acting ? acting.refusal : moveAs(acting, state, command, command.body.move, context);
}

function moveAs(acting: Acting, state: ApprovalState, command: MoveCommand, said: Move, context: Context): Decision {
  const { open, role } = acting;
  const by = command.body.person;
  const whose = { ...naming(state, open.id), by, role };
  switch (said.type) {
    case 'claim':
      if (open.claimedBy === by) return { events: [] };
      return tell(state, context, (story) => story.tell({ type: 'claimed', ...whose, implicit: false, proof: proofOf(command) }));
    case 'release':
      if (open.claimedBy !== by) return refuse('not_claimed', 'You have not claimed it');
      return tell(state, context, (story) => story.tell({ type: 'released', ...whose, proof: proofOf(command) }));
    case 'approve':
      return approve(state, command, said, acting, context);
    case 'deny':
      return deny(state, command, said, acting, context);
    case 'take_over':
      return takeOver(state, command, said, acting, context);
    case 'answer':
      return answer(state, command, said, role, context, (story: Story) => claimFirst(story, acting, command));
    case 'ask':
      return ask(state, command, said, acting, context);
    case 'reassign':
      return reassign(state, command, said, acting, context);
    case 'pass_up':
      return passUp(state, command, said, acting, context);
    default:
      return refuse('not_taken_over', 'Take it over first');
  }
}
