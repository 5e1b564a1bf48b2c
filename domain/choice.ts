/**
 * Yes and no to a sign-off. A yes needs authority, and keeps to what is offered; a no ends it, unless the row moves it to the next level.
 * In dual control neither has any effect before all have chosen: then one no is enough.
 * Pure: imports only from domain.
 */
import { claimFirst, deciderOf, standingIn, type Acting } from './acting';
import { authorityFor } from './authority';
import { unite, whyNot } from './conditions';
import { choicesOf, isDual, isSealed } from './dual';
import { end, endByNo, moveOn, openLevel, openNext } from './ladder';
import type { Move } from './moves';
import type { Conditions, Plan } from './plan';
import { openSignOff, type ApprovalState } from './state';
import { nameOf, Story, type Context } from './story';
import { proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

type Approve = Extract<Move, { type: 'approve' }>;
type Deny = Extract<Move, { type: 'deny' }>;

/** What other signers said with their yes, as far as it may be known: what is sealed takes part in no refusal. */
export const saidOpenly = (state: ApprovalState, plan: Plan, id: string): Conditions | undefined =>
  isSealed(state, plan)
    ? state.signOffs.reduce<Conditions | undefined>((all, s) => (s.id === id || isSealed(state, plan, s.id) ? all : unite(all, s.conditions)), undefined)
    : state.conditions;

export function approve(state: ApprovalState, command: MoveCommand, { reason, conditions }: Approve, acting: Acting, context: Context): Decision {
  const { plan, now, directory } = context;
  const { open, signOff, role } = acting;
  const by = command.body.person;
  if (plan.effect === 'escalation') return refuse('approval_needs_takeover', 'This is an escalation: take it over, then resolve it or hand it back');
  const authority = authorityFor(role, signOff, state, plan);
  if (typeof authority !== 'string') return { refusal: authority };
  const unoffered = whyNot(conditions, plan.offers, saidOpenly(state, plan, open.id), now);
  if (unoffered) return { refusal: unoffered };
  const dual = isDual(plan, signOff);
  const all = (dual ? choicesOf(open) : open.given).length + 1 >= signOff.quorum;
  const no = dual ? (open.refused ?? []) : [];
  // Two who chose unseen may have said what cannot hold together: then there is no yes that both have given.
  const apart = dual && all && no.length === 0 && whyNot(conditions, plan.offers, state.conditions, now) !== null;
  const complete = all && no.length === 0 && !apart;
  return tell(state, context, (story) => {
    claimFirst(story, acting, command);
    story.tell({
      type: 'signed_off',
      signOff: open.id,
      by,
      role,
      ...standingIn(acting),
      authority,
      reason,
      complete,
      directory: directory.hash,
      proof: proofOf(command),
      // As it was said and signed, also where it says nothing.
      ...(conditions ? { conditions } : {}),
    });
    if (complete) return openNext(story, context);
    if (dual && all && no.length > 0) return endByNo(story, context, no);
    if (!apart) return unlessSomebodyIsLeft(story, acting, context);
    const deciders = [...choicesOf(open), deciderOf(acting, command, context)];
    const who = deciders.map((d) => nameOf(directory, d.person)).join(' and ');
    end(story, context, { outcome: 'denied', why: `${who} said yes under conditions that cannot hold together`, path: plan.onDeny.path, deciders });
  });
}

export function deny(state: ApprovalState, command: MoveCommand, { reason }: Deny, acting: Acting, context: Context): Decision {
  const { open, signOff, role } = acting;
  const by = command.body.person;
  const no = { signOff: open.id, by, role, ...standingIn(acting), reason, directory: context.directory.hash, proof: proofOf(command) };
  const dual = isDual(context.plan, signOff);
  if (dual && choicesOf(open).length + 1 < signOff.quorum) {
    return tell(state, context, (story) => {
      claimFirst(story, acting, command);
      story.tell({ type: 'said_no', level: open.level, ...no, then: 'second_choice' });
      unlessSomebodyIsLeft(story, acting, context);
    });
  }
  const above = dual ? null : noMovesOn(state, command, no, acting, context);
  if (above) return above;
  return tell(state, context, (story) => {
    claimFirst(story, acting, command);
    story.tell({ type: 'denied', ...no });
    endByNo(story, context, [...(open.refused ?? []), { ...deciderOf(acting, command, context), reason }]);
  });
}

/** A hold may page fewer people than have to say yes: once all of them have had their word, there is nothing more to wait for. */
function unlessSomebodyIsLeft(story: Story, { open: { id }, signOff }: Acting, context: Context): void {
  const held = openSignOff(story.state, id);
  if (held?.hold && held.owner === null) moveOn(story, context, held, signOff, `Held for ${held.hold.role}, and nobody else who holds it can be asked`);
}

/** Where the row says so, a no of one level asks the one above it; null where there is none, or nobody there: then it ends it. */
function noMovesOn(
  state: ApprovalState,
  command: MoveCommand,
  no: Omit<Parameters<Story['tell']>[0] & { type: 'denied' }, 'type'>,
  acting: Acting,
  context: Context,
): Decision | null {
  const { open, signOff } = acting;
  if (context.plan.onDeny.oneNo !== 'next_level' || open.hold) return null;
  const story = new Story(state, context.now);
  claimFirst(story, acting, command);
  story.tell({ type: 'said_no', level: open.level, ...no, then: 'next_level' });
  openLevel(story, context, signOff, open.level + 1);
  return story.events.at(-1)?.type === 'level_opened' ? { events: story.events } : null;
}
