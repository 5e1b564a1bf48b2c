/**
 * The state machine: state and command at an instant give events, or a refusal with a code.
 * Time, people and signatures' validity are arguments. Pure: imports only from domain.
 *
 * A chain of several events is built by folding each into the state that the next one sees, so that what is decided
 * here and what a reader of the record folds later are one and the same.
 */
import { authorityFor, refusersOf } from './authority';
import { whyNot } from './conditions';
import { holds, personOf } from './directory';
import { after, ms } from './json';
import { end, nameOf, naming, openNext, planned, tellAsked, tick, type Context, type Story } from './ladder';
import { DECIDING, type Command, type MoveType } from './moves';
import type { SignOff } from './plan';
import { hasEnded, openSignOffs, type ApprovalState, type SignOffState } from './state';
import { answer, moveOnTakeover } from './takeover';
import { checkCeremony, proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

export type { Decision } from './telling';

/** What happens to `state` when `command` arrives at `context.now`. */
export function decide(state: ApprovalState, command: Command, context: Context): Decision {
  switch (command.type) {
    case 'open':
      return state.state === 'routing' ? tell(state, context, (story) => openNext(story, context)) : { events: [] };
    case 'clock':
      return tell(state, context, (story) => tick(story, context));
    case 'withdraw':
      return hasEnded(state)
        ? { events: [] }
        : tell(state, context, (story) => end(story, context, { outcome: 'withdrawn', why: `Withdrawn by ${command.by}: ${command.reason}`, path: 'stop' }));
    case 'move':
      return move(state, command, context);
  }
}

/** A person acts. The signature has been verified by the caller; everything else about the person is checked here. */
function move(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const { body } = command;
  if (ms(context.now) >= ms(body.expiresAt)) return refuse('command_expired', `The command was valid until ${body.expiresAt}; send it again`);
  if (hasEnded(state)) return refuse('already_decided', `It ended as ${state.state}: ${state.ended?.why ?? ''}`);
  if (!personOf(context.directory, body.person)) return refuse('not_a_person', `${body.person} is not in the directory`);
  if (context.requesters.includes(body.person))
    return refuse('requester_may_not_decide', 'This request was made by you, for you, or by an agent you answer for; someone else decides it');
  if (DECIDING.includes(body.move.type) && body.packetDigest !== state.packetDigest) {
    return refuse('stale_packet', 'You decided on a version of the packet that is no longer current; read it again and decide anew');
  }
  return state.takeover ? moveOnTakeover(state, command, state.takeover.by, context) : moveOnLevel(state, command, context);
}

/** What a person's move is about: an open sign-off, and the role under which they act on it. */
interface Acting {
  readonly open: SignOffState;
  readonly signOff: SignOff;
  readonly role: string;
}

/** Who is asked now for an open sign-off, its backup while it is held. */
const askedRole = ({ hold, level }: SignOffState, signOff: SignOff | undefined): string | undefined => hold?.role ?? signOff?.ladder[level]?.role;

/**
 * The open sign-off that a person acts on: of several whose asked role they hold the one they claimed, else one that they are asked for,
 * else the first that is free.
 */
export function actingOn(state: ApprovalState, person: string, { plan, directory }: Pick<Context, 'plan' | 'directory'>): Acting | undefined {
  const rank = ({ open }: Acting): number => {
    if (open.claimedBy === person) return 0;
    if (open.given.some((d) => d.person === person)) return 4;
    if (open.claimedBy !== null) return 3;
    return open.asked.some((a) => a.person === person) ? 1 : 2;
  };
  return openSignOffs(state)
    .flatMap((open): Acting[] => {
      const signOff = planned(plan, open);
      const role = askedRole(open, signOff);
      return signOff && role !== undefined && holds(directory, person, role) ? [{ open, signOff, role }] : [];
    })
    .sort((a, b) => rank(a) - rank(b))[0];
}

function moveOnLevel(state: ApprovalState, command: MoveCommand, context: Context): Decision {
  const { body } = command;
  const asked = openSignOffs(state).flatMap((open) => askedRole(open, planned(context.plan, open)) ?? []);
  if (asked.length === 0) return refuse('not_open', 'Nobody has been asked yet; try again in a moment');
  const acting = actingOn(state, body.person, context);
  if (!acting)
    return refuse(
      'role_not_held',
      `${nameOf(context.directory, body.person)} does not hold ${[...new Set(asked)].join(' or ')}, who ${asked.length > 1 ? 'are' : 'is'} asked now`,
    );
  const { open, signOff, role } = acting;
  if (open.claimedBy && open.claimedBy !== body.person)
    return refuse('claimed_by_another', `${nameOf(context.directory, open.claimedBy)} has claimed it; it can be released or will pass to the next level`);
  if (open.given.some((d) => d.person === body.person))
    return refuse('already_signed', 'Your yes is already on the record; another person has to give the next one');
  if (!context.plan.samePersonAllowed && state.signOffs.some((s) => s.given.some((d) => d.person === body.person))) {
    return refuse('same_person', 'You gave an earlier sign-off of this chain; two sign-offs are two people');
  }
  if (GRANTING.includes(body.move.type) && refusersOf(context.plan).includes(body.person))
    return refuse('refuser_may_not_grant', 'You said no to what this is an exception to; another person grants it, with at least the authority that you had');
  const ceremony = checkCeremony(body, context);
  if (ceremony) return ceremony;
  const proof = proofOf(command);
  const by = body.person;
  const directory = context.directory.hash;
  const which = naming(state, open.id);
  const claimFirst = (story: Story): void => {
    if (open.owner !== by) story.tell({ type: 'claimed', ...which, by, role, implicit: true, proof });
  };
  switch (body.move.type) {
    case 'claim':
      if (open.claimedBy === by) return { events: [] };
      return tell(state, context, (story) => story.tell({ type: 'claimed', ...which, by, role, implicit: false, proof }));
    case 'release':
      if (open.claimedBy !== by) return refuse('not_claimed', 'You have not claimed it');
      return tell(state, context, (story) => story.tell({ type: 'released', ...which, by, role, proof }));
    case 'deny': {
      const { reason } = body.move;
      return tell(state, context, (story) => {
        claimFirst(story);
        story.tell({ type: 'denied', signOff: open.id, by, role, reason, directory, proof });
        end(story, context, {
          outcome: 'denied',
          why: `Denied by ${nameOf(context.directory, by)} (${role}): ${reason}`,
          path: context.plan.onDeny.path,
          deciders: [{ person: by, role, at: context.now }],
        });
      });
    }
    case 'take_over': {
      const { reason } = body.move;
      const dueAt = after(context.now, context.plan.takeoverMs);
      const what = `${nameOf(context.directory, by)} (${role}) has taken it over`;
      return tell(state, context, (story) => {
        claimFirst(story);
        story.tell({
          type: 'taken_over',
          by,
          role,
          reason,
          dueAt,
          directory,
          owed: tellAsked(state, by, what),
          proof,
        });
      });
    }
    case 'approve': {
      if (context.plan.effect === 'escalation')
        return refuse('approval_needs_takeover', 'This is an escalation: take it over, then resolve it or hand it back');
      const authority = authorityFor(role, signOff, state, context.plan);
      if (typeof authority !== 'string') return { refusal: authority };
      const { reason, conditions } = body.move;
      const unoffered = whyNot(conditions, context.plan.offers, state.conditions, context.now);
      if (unoffered) return { refusal: unoffered };
      return tell(state, context, (story) => {
        claimFirst(story);
        const complete = open.given.length + 1 >= signOff.quorum;
        story.tell({
          type: 'signed_off',
          signOff: open.id,
          by,
          role,
          authority,
          reason,
          complete,
          directory,
          proof,
          // As it was said and signed, also where it says nothing.
          ...(conditions ? { conditions } : {}),
        });
        if (complete) openNext(story, context);
      });
    }
    case 'answer':
      return answer(state, command, body.move, role, context, claimFirst);
    default:
      return refuse('not_taken_over', 'Take it over first');
  }
}

/** Moves by which an exception could come to be granted, or kept from who may grant it. */
const GRANTING: readonly MoveType[] = ['claim', 'approve', 'take_over', 'answer'];
