/**
 * The moves as forms: POST only, each bound to the sign-in, to the packet that is shown, and to this one rendering. Pure.
 */
import { refusersOf } from '../../domain/authority';
import { actingOn } from '../../domain/decide';
import type { MoveType } from '../../domain/moves';
import { formatMoney } from '../../domain/money';
import { after } from '../../domain/json';
import { parseType } from '../../domain/types';
import { hintOf } from '../api/typed';
import { html, type Markup } from './html';
import type { ApprovalPage } from './model';

/** The one text field that a move has, by its name on the wire. */
export const TEXT_FIELD: { readonly [T in MoveType]: 'reason' | 'instructions' | 'result' | 'note' | 'text' | 'question' | null } = {
  claim: null,
  release: null,
  approve: 'reason',
  deny: 'reason',
  take_over: 'reason',
  answer: null,
  hand_back: 'instructions',
  resolve: 'result',
  abandon: 'reason',
  update: 'note',
  comment: 'text',
  ask: 'question',
  reply: 'text',
  add_evidence: null,
  reassign: 'reason',
  pass_up: 'reason',
  extend: 'reason',
  override: 'reason',
  break_glass: 'reason',
  reopen_delivery: 'reason',
};

/** What the names of fields begin with that carry a condition or a fact. */
export const CONDITION = 'condition.';
export const FACT = 'fact.';

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
  answer: { label: 'Answer', words: '', required: false },
  hand_back: { label: 'Hand back', words: 'How the agent should go on', required: true },
  resolve: { label: 'Resolved by hand', words: 'What was done', required: true },
  abandon: { label: 'Abandon', words: 'Why nothing will be done', required: true },
  update: { label: 'Say where it stands', words: 'Note', required: false },
  comment: { label: 'Comment', words: 'Comment', required: true },
  ask: { label: 'Ask for information', words: 'What you need to know', required: true },
  reply: { label: 'Answer the question', words: 'Your answer', required: true },
  add_evidence: { label: 'Add evidence', words: '', required: false },
  reassign: { label: 'Give it to somebody else', words: 'Why', required: true },
  pass_up: { label: 'Pass it up', words: 'Why', required: true },
  extend: { label: 'Extend the time', words: 'Why', required: true },
  override: { label: 'Override', words: 'Why', required: true },
  break_glass: { label: 'Break the glass', words: 'Why (everybody is told, and a review is opened)', required: true },
  reopen_delivery: { label: 'Try again', words: 'Why', required: true },
};

/** The forms a viewer gets who acts as `role`; one sentence instead if there is nothing to do for them. */
export function moves(page: ApprovalPage, role: string | null): Markup | null {
  const { state, approval, viewer, directory } = page;
  if (state.ended) return null;
  if (approval.requesters.includes(viewer.person.id))
    return html`<p class="muted">This request was made by you, for you, or by an agent you answer for; someone else decides it.</p>`;
  if (role === null) return html`<p class="muted">It does not wait on a role of yours now.</p>`;
  const claimed = actingOn(state, viewer.person.id, { plan: approval.plan, directory })?.open.claimedBy ?? null;
  if (!state.takeover && claimed !== null && claimed !== viewer.person.id) return html`<p class="muted">Somebody else has claimed it.</p>`;
  const strong = approval.plan.tier === 'strong' || approval.plan.tier === 'dual';
  if (!state.takeover && refusersOf(approval.plan).includes(viewer.person.id))
    return html`<p class="muted">You said no to what this is an exception to; another person grants it.</p>`;
  const answers: readonly MoveType[] = approval.plan.asksFor ? ['answer'] : [];
  const kinds: readonly MoveType[] = state.takeover
    ? [...answers, 'hand_back', 'resolve']
    : [...(approval.plan.effect === 'escalation' ? answers : (['approve'] as const)), 'deny', 'take_over', claimed === null ? 'claim' : 'release'];
  return html`<section class="moves"><h2>Your move, as ${role}</h2>${kinds.map((kind) => form(page, kind, strong))}</section>`;
}

function form(page: ApprovalPage, type: MoveType, strong: boolean): Markup {
  const { approval, formToken, nonce } = page;
  const { label, words, required } = LOOKS[type];
  const field = TEXT_FIELD[type];
  const must = required || (strong && type === 'approve');
  return html`<form method="post" action="/approvals/${encodeURIComponent(approval.approvalId)}/moves" class="move ${type}">
<input type="hidden" name="form_token" value="${formToken}"><input type="hidden" name="type" value="${type}">
<input type="hidden" name="packet_digest" value="${approval.packetDigest}"><input type="hidden" name="nonce" value="${nonce}">
${field !== null && html`<label>${words}${!must && ' (optional)'}<textarea name="${field}" rows="2" maxlength="2000"${must && html` required`}></textarea></label>`}
${type === 'approve' && conditions(page)}
${type === 'answer' && facts(page)}
<button>${label}</button>
</form>`;
}

const minute = (at: string): string => at.slice(0, 16);

/** What may be added to a yes, or has to be chosen: only what the plan offers. */
function conditions({ approval, now }: ApprovalPage): Markup | null {
  const { offers } = approval.plan;
  if (!offers) return null;
  const { amountAtMost, onlyRecipients, expiresWithinMs, options } = offers;
  const latest = expiresWithinMs === undefined ? null : after(now, expiresWithinMs);
  return html`<fieldset><legend>With conditions</legend>
${
  options &&
  html`<fieldset><legend>Which of these (choose one)</legend>${Object.entries(options).map(
    ([name, says]) => html`<label class="choice"><input type="radio" name="${CONDITION}option" value="${name}" required> ${says}</label>`,
  )}</fieldset>`
}
${
  amountAtMost &&
  html`<label>${amountAtMost.param} at most (optional; up to ${formatMoney(amountAtMost.atMost)})<input type="text" name="${CONDITION}amount_at_most" maxlength="40" autocomplete="off" placeholder="${formatMoney(amountAtMost.atMost)}"></label>`
}
${
  onlyRecipients &&
  html`<fieldset><legend>Only for these of ${onlyRecipients.param} (named by the agent)</legend>${onlyRecipients.of.map(
    (one, i) => html`<label class="choice"><input type="checkbox" name="${CONDITION}only_recipients" value="${i}" checked> ${one}</label>`,
  )}</fieldset>`
}
${
  latest !== null &&
  html`<label>Until, in UTC (optional; ${minute(latest).replace('T', ' ')} at the latest)<input type="datetime-local" name="${CONDITION}expires_at" min="${minute(now)}" max="${minute(latest)}"></label>`
}
</fieldset>`;
}

/** A field for each fact that is asked for, by its type. */
const facts = ({ approval }: ApprovalPage): Markup => html`<fieldset><legend>What is asked of you</legend>
${Object.entries(approval.plan.asksFor ?? {}).map(([name, text]) => factField(name, text))}
</fieldset>`;

function factField(name: string, text: string): Markup {
  const declared = parseType(text);
  const type = declared?.type ?? { kind: 'any' };
  const must = declared?.optional !== true;
  const required = must && html` required`;
  const field = `${FACT}${name}`;
  const label = `${name}${must ? '' : ' (optional)'}`;
  switch (type.kind) {
    case 'enum':
    case 'bool': {
      const values = type.kind === 'enum' ? type.values : ['true', 'false'];
      return html`<label>${label}<select name="${field}"${required}><option value=""></option>${values.map((v) => html`<option value="${v}">${v}</option>`)}</select></label>`;
    }
    case 'list':
      return html`<label>${label}, one to a line<textarea name="${field}" rows="3" maxlength="10000"${required}></textarea></label>`;
    default:
      return html`<label>${label}, ${hintOf(type)}<input type="text" name="${field}" maxlength="2000" autocomplete="off"${required}></label>`;
  }
}
