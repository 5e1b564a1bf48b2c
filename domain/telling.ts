/**
 * What every move of a person goes through: the form of a decision, a refusal, the proof, and what the tier asks.
 * Pure: imports only from domain. Must not import decide.ts, whose parts all use this.
 */
import type { ApprovalEvent, Proof } from './events';
import { ms } from './json';
import { Story, type Context } from './ladder';
import { DECIDING, type Command, type CommandBody, type Refusal, type RefusalCode } from './moves';
import type { ApprovalState } from './state';

export type Decision = { readonly events: readonly ApprovalEvent[] } | { readonly refusal: Refusal };

export type MoveCommand = Extract<Command, { type: 'move' }>;

/** How long before a decision a sign-in may lie for tier strong and dual, in milliseconds. */
export const STRONG_SIGN_IN_MS = 15 * 60_000;

export const refuse = (code: RefusalCode, message: string): Decision => ({ refusal: { code, message } });

export function tell(state: ApprovalState, context: Context, narrate: (story: Story) => void): Decision {
  const story = new Story(state, context.now);
  narrate(story);
  return { events: story.events };
}

export const proofOf = ({ body, signature, keyId }: MoveCommand): Proof => ({
  commandId: body.commandId,
  ...(body.bulk === undefined ? {} : { bulk: body.bulk }),
  packetDigest: body.packetDigest,
  signedInAt: body.signedInAt,
  issuedAt: body.issuedAt,
  expiresAt: body.expiresAt,
  signature,
  keyId,
});

/** What the tier asks of the deciding person. */
export function checkCeremony(body: CommandBody, context: Context): Decision | null {
  if (body.move.type === 'deny' && !body.move.reason.trim()) return refuse('reason_required', 'Say why not: the agent and the requester are told');
  if (!DECIDING.includes(body.move.type)) return null;
  if (context.plan.tier !== 'strong' && context.plan.tier !== 'dual') return null;
  if (body.move.type === 'approve' && !body.move.reason.trim()) return refuse('reason_required', `Tier ${context.plan.tier} asks for a reason with a yes`);
  return isRecent(body, context) ? null : refuse('sign_in_too_old', `Tier ${context.plan.tier} asks for a sign-in within 15 minutes; sign in again`);
}

/** Whether who moves had signed in not long before. A command that lay for a while counts as of when it was made. */
export const isRecent = (body: CommandBody, { now }: Pick<Context, 'now'>): boolean =>
  ms(now) - ms(body.signedInAt) <= STRONG_SIGN_IN_MS || ms(body.issuedAt) - ms(body.signedInAt) <= STRONG_SIGN_IN_MS;
