/**
 * Two who choose unseen: whoever has not chosen yet, and everybody else, sees the same after a yes as after a no. Shown by playing the other
 * choice beside the one that was made, and comparing everything that a reader or a mover gets to see.
 * Must not import anything but the domain.
 */
import { decide } from '../../../domain/decide';
import { nextInstant } from '../../../domain/ladder';
import type { Command, CommandBody, Move } from '../../../domain/moves';
import { isOutcome } from '../../../domain/outcome';
import { apply, type ApprovalState } from '../../../domain/state';
import { viewOf } from '../../../domain/view';
import type { Stage, Step } from './stage';

/** What somebody else could try, to find out what the first has chosen. */
const probes = (options: readonly string[]): readonly Move[] => [
  { type: 'claim' },
  { type: 'release' },
  { type: 'comment', text: 'I am here' },
  { type: 'pass_up', reason: 'not mine' },
  { type: 'approve', reason: 'I am for it' },
  ...options.map((option): Move => ({ type: 'approve', reason: 'I am for it', conditions: { option } })),
  { type: 'deny', reason: 'I am against it' },
];

/** What a mover is told, without what follows from their own choice. */
function toldOf(state: ApprovalState, command: Command, stage: Stage): string {
  const decision = decide(state, command, stage.context);
  return 'refusal' in decision ? `${decision.refusal.code}: ${decision.refusal.message}` : 'accepted';
}

/** Whether the step was a first choice that nobody may see; throws where somebody could. */
export function checkUnseen(stage: Stage, { before, after, added, command, context }: Step): boolean {
  const { plan, directory } = stage;
  if (command.type !== 'move' || isOutcome(after.state) || plan.tier !== 'dual' || plan.effect !== 'approval') return false;
  const { body } = command;
  const choice = added.map((e) => e.event).find((e) => e.type === 'signed_off' || e.type === 'said_no');
  if (!choice || (choice.type === 'signed_off' ? choice.complete : choice.then !== 'second_choice')) return false;
  const options = Object.keys(plan.offers?.options ?? {});
  const other: Move = choice.type === 'signed_off' ? { type: 'deny', reason: 'it is not' } : { type: 'approve', reason: 'it is' };
  const decision = decide(before, { ...command, body: { ...body, move: other } }, context);
  if ('refusal' in decision) return false;
  const else_ = decision.events.reduce((state, event, i) => apply(state, { seq: before.seq + i + 1, at: context.now, event }), before);
  const seen = (state: ApprovalState): string => JSON.stringify([viewOf(state, plan, directory, stage.now, null), nextInstant(state)]);
  if (seen(after) !== seen(else_)) throw new Error(`who looks sees what was chosen: ${seen(after)} after one, ${seen(else_)} after the other`);
  for (const person of Object.keys(directory.people)) {
    if (person === body.person) continue;
    for (const move of probes(options)) {
      const id = 'probe-1';
      const says: CommandBody = { ...body, commandId: id, person, move, packetDigest: after.packetDigest };
      const probe: Command = { ...command, id, body: says };
      const [one, two] = [toldOf(after, probe, stage), toldOf(else_, probe, stage)];
      if (one !== two) throw new Error(`${person} finds out what ${body.person} chose by ${JSON.stringify(move)}: ${one}; after the other choice: ${two}`);
    }
  }
  return true;
}
