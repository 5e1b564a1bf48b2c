/**
 * The moves as forms: POST only, each bound to the sign-in, to the packet that is shown, and to this one rendering. Pure.
 */
import { personOf } from '../../domain/directory';
import { WORK_STATUSES, type MoveType, type Refusal, type WorkStatus } from '../../domain/moves';
import { formatMoney } from '../../domain/money';
import { after } from '../../domain/json';
import { parseType } from '../../domain/types';
import { hintOf } from '../api/typed';
import { html, type Markup } from './html';
import type { ApprovalPage } from './model';
import type { Group, Offer, Offered } from './offered';

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
  update: { label: 'Say where it stands', words: 'Note (those who were asked are told that you wrote one)', required: true },
  comment: { label: 'Comment', words: 'Comment', required: true },
  ask: { label: 'Ask for information', words: 'What you need to know', required: true },
  reply: { label: 'Answer the question', words: 'Your answer', required: true },
  add_evidence: { label: 'Add evidence', words: '', required: false },
  reassign: { label: 'Give it to somebody else', words: 'Why it goes to them (they are told that it does)', required: true },
  pass_up: { label: 'Pass it up', words: 'Why it goes to the level above', required: true },
  extend: { label: 'Extend the time', words: 'Why they get more time', required: true },
  override: { label: 'Override', words: 'Why you decide in their place', required: true },
  break_glass: { label: 'Break the glass', words: 'Why (everybody is told, and a review is opened)', required: true },
  reopen_delivery: { label: 'Try again', words: 'Why it is tried again', required: true },
};

const nameIn = ({ directory }: ApprovalPage, id: string): string => personOf(directory, id)?.name ?? id;

/** Why there is nothing to decide for the viewer, in a sentence to them. */
function nothing(why: Refusal): Markup {
  switch (why.code) {
    case 'requester_may_not_decide':
      return html`<p class="muted">This request was made by you, for you, or by an agent you answer for; someone else decides it.</p>`;
    case 'claimed_by_another':
      return html`<p class="muted">Somebody else has claimed it.</p>`;
    case 'refuser_may_not_grant':
      return html`<p class="muted">You said no to what this is an exception to; another person grants it.</p>`;
    case 'already_chosen':
    case 'already_signed':
    case 'same_person':
      return html`<p class="muted">${why.message}.</p>`;
    default:
      return html`<p class="muted">It does not wait on a role of yours now.</p>`;
  }
}

/** The forms that a viewer gets: one for each move that they may make, and no other; one sentence if there is nothing to decide for them. */
export function moves(page: ApprovalPage, { offers, role, operator, why }: Offered): Markup | null {
  if (page.state.ended) return null;
  const of = (group: Group): readonly Offer[] => offers.filter((one) => one.group === group);
  const [decide, more, operate] = [of('decide'), of('more'), of('operate')];
  return html`${why && nothing(why)}
${decide.length > 0 && html`<section class="moves"><h2>Your move${role !== null && html`, as ${role}`}</h2>${decide.map((one) => form(page, one))}</section>`}
${more.length > 0 && html`<details class="moves"><summary>Say, ask or hand it on</summary>${more.map((one) => form(page, one))}</details>`}
${operate.length > 0 && html`<details class="moves operate"><summary>Operate${operator !== null && html`, as ${operator}`}</summary>${operate.map((one) => form(page, one))}</details>`}`;
}

/** Asked for with a yes where the tier is strict. */
const strict = ({ approval: { plan } }: ApprovalPage, type: MoveType): boolean => type === 'approve' && (plan.tier === 'strong' || plan.tier === 'dual');

/** Of operators every move needs a reason. */
const reasoned = ({ group }: Offer): boolean => group === 'operate' || group === 'delivery';

export function form(page: ApprovalPage, offer: Offer): Markup {
  const { approval, formToken, nonce } = page;
  const { type, fixed } = offer;
  const { label, words, required } = LOOKS[type];
  const field = TEXT_FIELD[type];
  const must = required || strict(page, type) || reasoned(offer);
  const long = type === 'comment' || type === 'reply';
  const which = fixed['sign_off'];
  return html`<form method="post" action="/approvals/${encodeURIComponent(approval.approvalId)}/moves" class="move ${type}">
<input type="hidden" name="form_token" value="${formToken}"><input type="hidden" name="type" value="${type}">
<input type="hidden" name="packet_digest" value="${approval.packetDigest}"><input type="hidden" name="nonce" value="${nonce}">
${Object.entries(fixed).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${which !== undefined && html`<p class="muted">Of sign-off ${which}</p>`}
${chosen(page, offer)}
${field !== null && html`<label>${words}${!must && ' (optional)'}<textarea name="${field}" rows="2" maxlength="${long ? 4000 : 2000}"${must && html` required`}></textarea></label>`}
${type === 'approve' && conditions(page)}
${type === 'answer' && facts(page)}
<button>${label}</button>
</form>`;
}

/** More people than these are named by their id. */
const PEOPLE_MAX = 200;

const option = (value: string, says: string): Markup => html`<option value="${value}">${says}</option>`;

/** Whom it is about, from those who can be named. */
function person(page: ApprovalPage, name: string, label: string, people: readonly string[], first: readonly Markup[] = []): Markup {
  if (people.length > PEOPLE_MAX) return html`<label>${label}, by id<input type="text" name="${name}" maxlength="200" autocomplete="off" required></label>`;
  const named = people.map((id) => [id, nameIn(page, id)] as const).sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  return html`<label>${label}<select name="${name}" required>${first}${named.map(([id, says]) => option(id, says))}</select></label>`;
}

const STATUS: { readonly [S in WorkStatus]: string } = {
  working: 'I am working on it',
  waiting_for_others: 'I am waiting for others',
  blocked: 'I am blocked',
  nearly_done: 'It is nearly done',
};

/** What is chosen instead of written. */
function chosen(page: ApprovalPage, { type, people = [], decisions = [] }: Offer): Markup | null {
  const { plan } = page.approval;
  switch (type) {
    case 'ask':
      return person(page, 'of', 'Whom', people, [option('agent', `The agent ${page.approval.agent}`)]);
    case 'reassign':
      return person(page, 'to', 'To whom', people);
    case 'extend':
      return html`<label>By how many minutes<input type="number" name="minutes" min="1" max="${Math.floor((plan.operators?.extendAtMostMs ?? 0) / 60_000)}" required></label>`;
    case 'update':
      return html`<label>Where it stands<select name="status">${WORK_STATUSES.map((status) => option(status, STATUS[status]))}</select></label>
<label>Next word by, in UTC (optional)<input type="datetime-local" name="next_update_at" min="${minute(page.now)}"></label>`;
    case 'override':
      return html`<label>What you decide<select name="decision" required>${decisions.map((one) => option(one, one === 'approve' ? 'Yes' : 'No'))}</select></label>
<label>Because<select name="because" required>${Object.entries(plan.operators?.override?.reasons ?? {}).map(([name, says]) => option(name, says))}</select></label>
${plan.operators?.override?.secondPerson && html`<p class="muted">A second person has to say the same before it counts.</p>`}`;
    default:
      return null;
  }
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
