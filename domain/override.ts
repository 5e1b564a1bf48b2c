/**
 * Deciding in place of who is asked: by an override, for a reason that the policy names, and in an emergency by breaking the glass.
 * Promises: neither is done by who refused before, by a role whose authority does not reach, on an old sign-in, or past what a yes may
 * say; nothing that two people choose unseen is known from it. Pure: imports only from domain.
 */
import { refusersOf, whyNotAlone } from './authority';
import { over, tellOne } from './channels';
import { whyNot } from './conditions';
import { holds, rosterOf } from './directory';
import { isSealed } from './dual';
import type { Owed } from './events';
import { allow, end, tellAsked } from './ladder';
import type { Move, Refusal } from './moves';
import type { Decider } from './outcome';
import type { Operators } from './plan';
import { idsOf, openSignOffs, type ApprovalState } from './state';
import { nameOf, type Context } from './story';
import { isRecent, proofOf, refuse, tell, type Decision, type MoveCommand } from './telling';

type Override = Extract<Move, { type: 'override' }>;
type Rule = NonNullable<Operators['override']>;

/** What both ask of who does it, and of where it stands. */
function whyNotNow(state: ApprovalState, { body }: MoveCommand, reason: string, context: Context): Decision | null {
  const { takeover } = state;
  if (!reason.trim()) return refuse('reason_required', 'Say why you decide in place of who is asked: they are told');
  if (!isRecent(body, context)) return refuse('sign_in_too_old', 'Deciding in place of who is asked takes a sign-in within 15 minutes; sign in again');
  if (takeover)
    return refuse(
      'taken_over_by_another',
      takeover.by === body.person
        ? 'You have taken it over: hand it back, resolve it, or abandon it'
        : `${nameOf(context.directory, takeover.by)} has taken it over and may be doing it by hand; take it over from them first`,
    );
  return openSignOffs(state).length === 0 ? refuse('not_open', 'Nobody has been asked yet; try again in a moment') : null;
}

/** What keeps a person from letting it be done, whatever the policy lets them do. A yes cannot say an option, and none is taken for granted. */
function whyNotAllow(state: ApprovalState, person: string, { plan, now }: Context): Refusal | null {
  if (refusersOf(plan).includes(person))
    return { code: 'refuser_may_not_grant', message: 'You said no to what this is an exception to; another person allows it, if anybody does' };
  // What is sealed takes part in no refusal.
  return whyNot(undefined, plan.offers, isSealed(state, plan) ? undefined : state.conditions, now);
}

// ---------------------------------------------------------------- override

export function override(state: ApprovalState, command: MoveCommand, said: Override, context: Context): Decision {
  const { plan, directory, now } = context;
  const { decision, because, reason } = said;
  const by = command.body.person;
  const rule = plan.operators?.override;
  const roles = rule?.roles.filter((one) => holds(directory, by, one)) ?? [];
  if (!rule || roles.length === 0)
    return refuse('override_not_allowed', 'The policy does not let you override who is asked; reassign it, or ask somebody whom it lets');
  if (!rule.may.includes(decision))
    return refuse('override_not_allowed', `The policy lets nobody override with ${decision}; only with ${rule.may.join(' or ')}`);
  if (!Object.hasOwn(rule.reasons, because))
    return refuse('override_reason_unknown', `${because} is no reason to override that the policy names; it names ${Object.keys(rule.reasons).join(', ')}`);
  const wrong = whyNotNow(state, command, reason, context) ?? (decision === 'approve' ? whyNoYes(state, by, roles, context) : null);
  if (wrong) return wrong;
  const role = roles.find((one) => decision === 'deny' || whyNotAlone(one, plan) === null) ?? '';
  const first = firstOf(state, said, rule, context);
  const proof = proofOf(command);
  if (rule.secondPerson && first?.person === by) return refuse('same_person', 'You have said so already; another person has to say the same');
  if (rule.secondPerson && !first) {
    const owed = toldOfProposal(state, by, role, said, rule, context);
    return tell(state, context, (story) =>
      story.tell({ type: 'override_proposed', by, role, decision, because, reason, directory: directory.hash, owed, proof }),
    );
  }
  const deciders: Decider[] = [...(rule.secondPerson && first ? [first] : []), { person: by, role, at: now }];
  const who = deciders.map((d) => `${nameOf(directory, d.person)} (${d.role})`).join(' and ');
  const why = `Overridden by ${who}, ${rule.reasons[because] ?? because}: ${reason}`;
  return tell(state, context, (story) => {
    story.tell({
      type: 'overridden',
      by,
      role,
      decision,
      because,
      reason,
      first: rule.secondPerson && first ? first.person : null,
      directory: directory.hash,
      proof,
    });
    if (decision === 'approve') return allow(story, context, why, deciders);
    end(story, context, { outcome: 'denied', why, path: plan.onDeny.path, deciders });
  });
}

/** A yes in place of everyone's is held to what each of theirs is held to. */
function whyNoYes(state: ApprovalState, by: string, roles: readonly string[], context: Context): Decision | null {
  const { plan } = context;
  if (plan.effect === 'escalation') return refuse('approval_needs_takeover', 'This is an escalation: take it over, then resolve it or hand it back');
  // Who has chosen is not named, nor what: one of them may have said no.
  if (isSealed(state, plan))
    return refuse('override_not_allowed', 'One of those who choose unseen has chosen; reassign what is still to be chosen, or override with a no');
  if (!plan.samePersonAllowed && state.signOffs.some((s) => idsOf(s.given).includes(by)))
    return refuse('same_person', 'You gave a sign-off of this chain; who overrides it is another person');
  const exceeded = roles.map((role) => whyNotAlone(role, plan));
  const [first] = exceeded;
  const refusal = (exceeded.includes(null) ? null : first) ?? whyNotAllow(state, by, context);
  return refusal ? { refusal } : null;
}

/** Who has said the same before, and may still say it. */
function firstOf(
  { override: before, packetDigest }: ApprovalState,
  { decision, because }: Override,
  { roles }: Rule,
  { directory, requesters }: Context,
): Decider | null {
  // Of a packet that has changed since they have not seen what the second sees.
  if (before?.decision !== decision || before.because !== because || before.packetDigest !== packetDigest) return null;
  const { by: person, role, at } = before;
  return roles.includes(role) && holds(directory, person, role) && !requesters.includes(person) ? { person, role, at } : null;
}

/** Everyone who is asked; and whoever is there first to say the same. */
function toldOfProposal(state: ApprovalState, by: string, role: string, said: Override, { roles, reasons }: Rule, context: Context): Owed[] {
  const { plan, directory, now, requesters } = context;
  const what = `${nameOf(directory, by)} (${role}) wants to override it with ${said.decision === 'approve' ? 'a yes' : 'a no'} (${reasons[said.because] ?? ''}); another person has to say the same`;
  const told = tellAsked(state, by, what);
  const others = roles.flatMap((one) =>
    rosterOf(directory, one, now, [by, ...requesters]).flatMap((seat) => (seat.for === undefined ? [{ ...seat, role: one }] : [])),
  );
  const [second] = others;
  const knows = told.some((one) => 'to' in one && one.to.person === second?.person);
  return second && !knows ? [...told, tellOne(state, plan, second, what)] : told;
}

// ---------------------------------------------------------------- breaking the glass

/** Lets it be done at once. Who is asked, and who answers for the row, are told, and somebody has to look at it afterwards. */
export function breakGlass(state: ApprovalState, command: MoveCommand, { reason }: Extract<Move, { type: 'break_glass' }>, context: Context): Decision {
  const { plan, directory, now } = context;
  const by = command.body.person;
  const rule = plan.operators?.breakGlass;
  const role = rule?.roles.find((one) => holds(directory, by, one));
  if (!rule || role === undefined)
    return refuse('break_glass_not_allowed', 'The policy does not let you break the glass; ask somebody whom it lets, or take it over');
  if (plan.effect !== 'approval')
    return refuse('break_glass_not_allowed', 'An escalation is not for the agent to do, in no emergency; take it over and do it by hand');
  const wrong = whyNotNow(state, command, reason, context);
  if (wrong) return wrong;
  const refusal = whyNotAllow(state, by, context);
  if (refusal) return { refusal };
  const who = `${nameOf(directory, by)} (${role})`;
  return tell(state, context, (story) => {
    const owed: Owed[] = [
      { kind: 'open_ticket', ...rule.review },
      ...toldOfGlass(state, by, `Glass broken by ${who}: it was allowed without the word of who was asked`, context),
    ];
    story.tell({ type: 'glass_broken', by, role, reason, directory: directory.hash, owed, proof: proofOf(command) });
    const beside = `; glass was broken by ${who}, and it is reviewed afterwards in ${rule.review.queue}`;
    allow(story, context, `Glass broken by ${who}: ${reason}`, [{ person: by, role, at: now }], beside);
  });
}

/** Everyone who is asked, and each who is on duty for the row; without a duty each who holds its role and is there. */
function toldOfGlass(state: ApprovalState, by: string, what: string, { plan, directory, now }: Context): Owed[] {
  const asked = tellAsked(state, by, what);
  const knows = asked.flatMap((one) => ('to' in one ? [one.to.person] : []));
  const duty = Object.hasOwn(directory.duty, plan.owner) ? (directory.duty[plan.owner] ?? []) : [];
  const present = rosterOf(directory, plan.owner, now, []);
  const on = duty.length > 0 ? present.filter((seat) => duty.includes(seat.person) || (seat.for !== undefined && duty.includes(seat.for))) : present;
  const channels = over(plan.signOffs[0]?.ladder[0]?.channels ?? []);
  return [
    ...asked,
    ...on
      .filter(({ person }) => person !== by && !knows.includes(person))
      .map((seat): Owed => ({ kind: 'tell_asked', to: { ...seat, role: plan.owner }, ...channels, what })),
  ];
}
