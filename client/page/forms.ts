/**
 * The moves as forms: POST only, each bound to the sign-in, to the packet that is shown, and to this one rendering. Pure.
 */
import { openSignOff } from '../../domain/state';
import type { MoveType } from '../../domain/moves';
import { html, type Markup } from './html';
import type { ApprovalPage } from './model';

/** The one text field that a move has, by its name on the wire. */
export const TEXT_FIELD: { readonly [T in MoveType]: 'reason' | 'instructions' | 'result' | null } = {
  claim: null,
  release: null,
  approve: 'reason',
  deny: 'reason',
  take_over: 'reason',
  hand_back: 'instructions',
  resolve: 'result',
};

interface Look {
  readonly label: string;
  readonly words: string;
  readonly required: boolean;
}

const LOOKS: { readonly [T in MoveType]: Look } = {
  claim: { label: 'Claim it', words: '', required: false },
  release: { label: 'Release it', words: '', required: false },
  approve: { label: 'Approve', words: 'Reason', required: false },
  deny: { label: 'Deny', words: 'Why not (the agent and the requester are told)', required: true },
  take_over: { label: 'Take over', words: 'Why you take it over', required: false },
  hand_back: { label: 'Hand back', words: 'How the agent should go on', required: true },
  resolve: { label: 'Resolved by hand', words: 'What was done', required: true },
};

/** The forms a viewer gets who acts as `role`; one sentence instead if there is nothing to do for them. */
export function moves(page: ApprovalPage, role: string | null): Markup | null {
  const { state, approval, viewer } = page;
  if (state.ended) return null;
  if (approval.requesters.includes(viewer.person.id))
    return html`<p class="muted">This request was made by you, for you, or by an agent you answer for; someone else decides it.</p>`;
  if (role === null) return html`<p class="muted">It does not wait on a role of yours now.</p>`;
  const open = openSignOff(state);
  const claimed = open?.claimedBy ?? null;
  if (!state.takeover && claimed !== null && claimed !== viewer.person.id) return html`<p class="muted">Somebody else has claimed it.</p>`;
  const strong = approval.plan.tier === 'strong' || approval.plan.tier === 'dual';
  const kinds: readonly MoveType[] = state.takeover
    ? ['hand_back', 'resolve']
    : [...(approval.plan.effect === 'escalation' ? [] : (['approve'] as const)), 'deny', 'take_over', claimed === null ? 'claim' : 'release'];
  return html`<section class="moves"><h2>Your move, as ${role}</h2>${kinds.map((kind) => form(page, kind, strong))}</section>`;
}

function form({ approval, formToken, nonce }: ApprovalPage, type: MoveType, strong: boolean): Markup {
  const { label, words, required } = LOOKS[type];
  const field = TEXT_FIELD[type];
  const must = required || (strong && type === 'approve');
  return html`<form method="post" action="/approvals/${encodeURIComponent(approval.approvalId)}/moves" class="move ${type}">
<input type="hidden" name="form_token" value="${formToken}"><input type="hidden" name="type" value="${type}">
<input type="hidden" name="packet_digest" value="${approval.packetDigest}"><input type="hidden" name="nonce" value="${nonce}">
${field !== null && html`<label>${words}${!must && ' (optional)'}<textarea name="${field}" rows="2" maxlength="2000"${must && html` required`}></textarea></label>`}
<button>${label}</button>
</form>`;
}
