/**
 * The page of one approval: what is asked, who decides until when, what it rests on, what happened, and, for those who may, the moves.
 * Rendered from the stored packet whose digest the forms carry. Pure.
 */
import { factLines } from '../../domain/answers';
import { conditionWords, unite } from '../../domain/conditions';
import { personOf, type Directory } from '../../domain/directory';
import { choicesOf, isSealed, sealedOf, sealedWords } from '../../domain/dual';
import type { ApprovalEvent, Asked } from '../../domain/events';
import type { Instant } from '../../domain/json';
import { describeEnd, whatIsNext } from '../../domain/ladder';
import { providedLines, readableParams, unavailableLines, type Packet } from '../../domain/packet';
import type { Conditions, Plan } from '../../domain/plan';
import { openSignOffs } from '../../domain/state';
import { minute, sentence } from '../api/present';
import { sealedFrom } from '../api/sealed';
import { form, moves } from './forms';
import { html, type Markup } from './html';
import { badge, fromNow, quoted, when } from './layout';
import type { ApprovalPage } from './model';
import { offeredTo, type Offered } from './offered';

const nameIn =
  (directory: Directory) =>
  (id: string): string =>
    personOf(directory, id)?.name ?? id;

/** What was refused before, by whom and why: whoever makes an exception knows to what. */
const excepted = ({ of, outcome, why, at, by, justification }: NonNullable<Packet['exception']>): Markup => html`
<section><h2>An exception to an earlier refusal</h2>
<dl>
<dt>Refusal</dt><dd><a href="/approvals/${of}">${of}</a>, ${outcome} on ${when(at)}</dd>
<dt>Why</dt><dd>${why}</dd>
${by.length > 0 && html`<dt>By</dt><dd>${by.join(', ')}</dd>`}
</dl>
${quoted('agent', 'Why an exception', justification)}
</section>`;

/** What a person supplied before: beside it stands what the agent claims now. */
const followed = ({ of, at, by, facts }: NonNullable<Packet['follows']>): Markup => html`
<section><h2>It goes on from an answer</h2>
<dl>
<dt>Answered</dt><dd><a href="/approvals/${of}">${of}</a> on ${when(at)}</dd>
<dt>By</dt><dd>${by.join(', ')}</dd>
${factLines(facts).map((line) => html`<dt>Supplied</dt><dd>${line}</dd>`)}
</dl>
</section>`;

/** What the yeses given so far are limited to. */
const limits = (conditions: Conditions | undefined, plan: Plan): Markup | null =>
  conditions ? html`<p>So far a yes is limited: ${conditionWords(conditions, plan.offers?.options).join('; ')}.</p>` : null;

/** Whose words a text is: never ours. */
const by = (name: string): string => `Written by ${name}`;

/** What was asked, and what was said to it; for whoever is asked now, the form to answer in. */
function questions(page: ApprovalPage, { offers }: Offered): Markup | null {
  const { approval, directory, now } = page;
  if (approval.questions.length === 0) return null;
  const name = nameIn(directory);
  const who = (of: string): string => (of === 'agent' ? `the agent ${approval.agent}` : name(of));
  const stands = ({ status, of, dueAt }: ApprovalPage['approval']['questions'][number]): Markup =>
    status === 'open'
      ? html`<p>Waits for ${who(of)} until ${when(dueAt)} (${fromNow(dueAt, now)}).</p>`
      : html`${status === 'lapsed' && html`<p class="muted">It was not answered.</p>`}`;
  return html`<section id="questions"><h2>Questions</h2>
${approval.questions.map((question) => {
  const { id, of, by: asker, text, answer } = question;
  const reply = offers.find(({ type, fixed }) => type === 'reply' && fixed['question'] === id);
  return html`<div class="question">${quoted(by(name(asker)), `${id}, to ${who(of)}`, text)}
${answer === null ? stands(question) : quoted(of === 'agent' ? 'agent' : by(name(of)), `Answer to ${id}`, answer)}
${reply && form(page, reply)}</div>`;
})}
</section>`;
}

/** What the agent has added since it asked: answers stand with their questions. */
function added({ approval }: ApprovalPage): readonly Markup[] {
  const answers = new Set(approval.questions.map(({ id }) => id));
  return (approval.packet.added ?? [])
    .filter(({ name }) => !answers.has(name))
    .map(({ name, title, source, content, at }) => quoted(source, `Added ${minute(at)}: ${title} (${name})`, content));
}

/** What people have said on the way. */
function comments({ entries, directory }: ApprovalPage): Markup | null {
  const name = nameIn(directory);
  const said = entries.flatMap(({ at, event }) =>
    event.type === 'commented' ? [quoted(by(name(event.by)), `${minute(at)}, as ${event.role}`, event.text)] : [],
  );
  return said.length === 0 ? null : html`<section><h2>Comments</h2>${said}</section>`;
}

/** Debts that were given up, and where the viewer may, the form to have each tried again. */
function givenUp(page: ApprovalPage, { offers }: Offered): Markup | null {
  const again = offers.filter(({ type }) => type === 'reopen_delivery');
  if (again.length === 0) return null;
  const kind = (id: string | undefined): string => page.state.owed.find((debt) => debt.id === id)?.owed.kind.replaceAll('_', ' ') ?? '';
  return html`<section><h2>Given up</h2>${again.map((offer) => html`<p>${kind(offer.fixed['owed_id'])} (${offer.fixed['owed_id']})</p>${form(page, offer)}`)}</section>`;
}

/** What is said at length stands in a box of its own; here is only that it was said. */
function line(event: ApprovalEvent, name: (id: string) => string): string {
  switch (event.type) {
    case 'commented':
      return `${name(event.by)} (${event.role}) commented`;
    case 'information_asked':
    case 'information_given':
      return sentence({ ...event, text: '' }, name).replace(/:\s*$/, '');
    default:
      return sentence(event, name);
  }
}

export function approvalPage(page: ApprovalPage): Markup {
  const { approval, state, directory, entries, viewer } = page;
  const { packet } = approval;
  const name = nameIn(directory);
  const offered = offeredTo(page);
  // After what it rests on: one reads before one decides.
  const forms = moves(page, offered);
  const hasMove = offered.offers.some(({ group }) => group === 'decide');
  const isAsked = offered.offers.some(({ group }) => group === 'reply');
  const sealed = sealedFrom(viewer.person.id, state, approval.plan);
  return html`
${told(page)}
<p class="lead">${badge(state.state)} <span class="muted">${approval.lanes.join(', ')} · tier ${packet.tier} · risk ${packet.risk}</span></p>
<h1>${packet.headline}</h1>
${packet.amount !== null && html`<p class="amount">${packet.amount}</p>`}
${state.ended ? ended(page) : standing(page)}
${isAsked ? html`<p><a href="#questions">You are asked for information</a></p>` : null}
${hasMove && html`<p><a href="#move">Go to your move</a></p>`}
<section><h2>Why it needs a person</h2><ul>${packet.why.map((why) => html`<li>${why}</li>`)}</ul>
${packet.provision.map((text) => html`<blockquote>${text}</blockquote>`)}
${packet.instruction !== '' && html`<p>${packet.instruction}</p>`}
</section>
${packet.exception && excepted(packet.exception)}
${packet.follows && followed(packet.follows)}
<section><h2>What it rests on</h2>
${quoted('agent', 'Reason', packet.reason)}
${packet.evidence.map((e) => quoted(e.source, e.title, e.content))}
${added(page)}
</section>
${questions(page, offered)}
${comments(page)}
<section><h2>The action</h2>
<dl>
<dt>Type</dt><dd><code>${packet.action.type}</code> in ${packet.action.system}</dd>
<dt>Asked by</dt><dd>${packet.requester.agent}${packet.requester.onBehalfOf !== null && html` on behalf of ${packet.requester.onBehalfOf}`}, run <code>${packet.requester.run}</code></dd>
${packet.customer && html`<dt>Customer</dt><dd>${packet.customer.name ?? packet.customer.id} (${packet.customer.id})</dd>`}
${packet.case !== null && html`<dt>Case</dt><dd>${packet.case}</dd>`}
${packet.action.data.length > 0 && html`<dt>Data touched</dt><dd>${packet.action.data.join(', ')}</dd>`}
<dt>On no</dt><dd>${packet.onDeny}</dd>
<dt>On silence</dt><dd>${packet.onSilence}</dd>
<dt>Policy</dt><dd>${packet.policy.name} ${packet.policy.version} <code class="hash">${packet.policy.hash.slice(0, 12)}</code></dd>
</dl>
${quoted('agent', 'Parameters', readableParams(packet.action.params))}
${packet.provided && quoted('system', 'Facts of systems that were asked', providedLines(packet).join('\n'))}
${packet.unavailable && html`<h3>What could not be found out</h3><ul>${unavailableLines(packet).map((line) => html`<li>${line}</li>`)}</ul>`}
${Object.keys(packet.facts).length > 0 && quoted('agent', 'Facts claimed', JSON.stringify(packet.facts, null, 2))}
${packet.action.artifacts.length > 0 && html`<h3>Artifacts</h3><ul>${packet.action.artifacts.map((a) => html`<li>${a.name} (${a.media_type}) <code class="hash">${a.sha256}</code></li>`)}</ul>`}
</section>
${packet.offers && hasMove && html`<section><h2>What you may add to a yes</h2><ul>${packet.offers.map((words) => html`<li>${words}</li>`)}</ul></section>`}
${!state.ended && limits(known(page), approval.plan)}
<div id="move">${forms}</div>
${givenUp(page, offered)}
<section><h2>Timeline</h2><ol class="timeline">${entries.map((entry) => html`<li>${when(entry.at)} <span>${sealed(entry) ?? line(entry.event, name)}</span></li>`)}</ol></section>
<p class="muted">Packet <code class="hash">${approval.packetDigest}</code></p>`;
}

/** The conditions said so far, as far as they may be known: what is sealed shows in none. */
function known({ state, approval: { plan } }: ApprovalPage): Conditions | undefined {
  if (!isSealed(state, plan)) return state.conditions;
  return state.signOffs.reduce<Conditions | undefined>((all, one) => (isSealed(state, plan, one.id) ? all : unite(all, one.conditions)), undefined);
}

function told({ answer }: ApprovalPage): Markup | null {
  if (answer === null) return null;
  if (answer === 'stored')
    return html`<p class="notice" role="status">Your move is stored and not answered yet. Look again in a moment; you need not send it again.</p>`;
  if (answer.refusal) return html`<p class="notice refused" role="alert"><strong>Not accepted.</strong> ${answer.refusal.message}.</p>`;
  return html`<p class="notice accepted" role="status">Your move is on the record.</p>`;
}

/** As whom somebody is asked, and for whom. */
const askedAs = ({ person, role, for: absent }: Asked, name: (id: string) => string): string =>
  `${name(person)} (${role}${absent === undefined ? '' : `, for ${name(absent)}, who is absent`})`;

/** Why it is where it is: what came before at the same sign-off, the last of it. */
const BEFORE = ['level_timed_out', 'level_skipped', 'passed_up', 'said_no', 'reassigned', 'resolved_anew', 'extended'] as const;
const BEFORE_MAX = 5;

function before({ entries, directory, state, approval: { plan }, viewer }: ApprovalPage, signOff: string): readonly string[] {
  const sealed = sealedFrom(viewer.person.id, state, plan);
  return entries
    .filter(({ event }) => 'signOff' in event && event.signOff === signOff && (BEFORE as readonly string[]).includes(event.type))
    .slice(-BEFORE_MAX)
    .map((entry) => sealed(entry) ?? line(entry.event, nameIn(directory)));
}

/** Who is asked and why, until when, what next. */
function standing(page: ApprovalPage): Markup {
  const { state, approval, directory, now, viewer } = page;
  const name = nameIn(directory);
  const { plan } = approval;
  const due = (at: Instant): Markup => html`${when(at)} (${fromNow(at, now)})`;
  if (state.takeover) {
    const { by: who, role, dueAt, status } = state.takeover;
    return html`<dl class="standing"><dt>Taken over by</dt><dd>${name(who)} (${role})</dd>
${status && html`<dt>Where it stands</dt><dd>${status.replaceAll('_', ' ')}</dd>`}
<dt>Until</dt><dd>${due(dueAt)}</dd><dt>Then</dt><dd>the next word of ${name(who)}, or ${describeEnd(plan.onTimeout.end === 'hold' ? (plan.onTimeout.hold?.then ?? 'deny') : plan.onTimeout.end, plan)}</dd></dl>`;
  }
  const asked = openSignOffs(state).filter(({ dueAt }) => dueAt !== null);
  if (asked.length === 0) return html`<p>Nobody has been asked yet; this takes a moment.</p>`;
  const sealed = sealedOf(state, plan);
  const given = state.signOffs.flatMap((s) => (sealed.some(({ signOff }) => signOff === s.id) ? [] : s.given));
  const end = describeEnd(plan.onTimeout.end, plan);
  return html`${asked.map((open) => {
    const signOff = plan.signOffs.find((s) => s.id === open.id);
    const level = signOff?.ladder[open.level];
    const next = open.hold ? describeEnd(open.hold.then, plan) : signOff ? whatIsNext(plan, signOff, open.level) : end;
    const unseen = sealed.find((one) => one.signOff === open.id);
    const own = choicesOf(open).find(({ person }) => person === viewer.person.id);
    const stopped = open.paused;
    const question = stopped && state.questions.find(({ id }) => id === stopped.question);
    const earlier = before(page, open.id);
    return html`<dl class="standing">
${
  open.hold
    ? html`<dt>Held for</dt><dd>${name(open.owner ?? '')} (${open.hold.role})</dd>`
    : html`<dt>Asked</dt><dd>${open.asked.map((a) => askedAs(a, name)).join(' and ')}</dd>`
}
${open.claimedBy !== null && html`<dt>Claimed by</dt><dd>${name(open.claimedBy)}</dd>`}
${
  stopped
    ? html`<dt>Until</dt><dd>the clock stands still for ${stopped.question}${question && html`, until ${due(question.dueAt)} at the latest`}</dd>`
    : open.dueAt !== null &&
      html`<dt>Until</dt><dd>${due(open.dueAt)}${open.extendedMinutes !== undefined && html`, extended by ${open.extendedMinutes} min`}</dd>`
}
<dt>${open.hold ? 'Then' : 'If nobody answers'}</dt><dd>${next}</dd>
${!open.hold && next !== end && html`<dt>If nobody ever does</dt><dd>${end}</dd>`}
${!open.hold && level && signOff.ladder.length > 1 && html`<dt>As</dt><dd>${level.name}, level ${open.level + 1} of ${signOff.ladder.length}</dd>`}
${earlier.length > 0 && html`<dt>Before</dt><dd>${earlier.map((words) => html`${words}<br>`)}</dd>`}
${unseen && html`<dt>Chosen unseen</dt><dd>${sealedWords(unseen)}; what they chose is shown when all of them have${own && html`. You have chosen`}</dd>`}
${plan.signOffs.length > 1 && html`<dt>Sign-off</dt><dd>${open.id} of ${plan.signOffs.length} in ${signOff?.lane ?? plan.lane}</dd>`}
</dl>`;
  })}${given.length > 0 && html`<p>Given by ${given.map((d) => `${name(d.person)} (${d.role})`).join(' and ')}.</p>`}
${state.override && html`<p class="notice">${name(state.override.by)} proposes to override it (${state.override.decision}, ${plan.operators?.override?.reasons[state.override.because] ?? state.override.because}); a second person has to say the same.</p>`}`;
}

function ended({ state, directory }: ApprovalPage): Markup {
  const name = nameIn(directory);
  const end = state.ended;
  return html`<dl class="standing ended">
<dt>How it ended</dt><dd>${end?.why}</dd>
${end && end.deciders.length > 0 && html`<dt>Decided by</dt><dd>${end.deciders.map((d) => html`${name(d.person)} (${d.role}) ${when(d.at)}<br>`)}</dd>`}
${end?.next.facts && factLines(end.next.facts).map((line) => html`<dt>Supplied</dt><dd>${line}</dd>`)}
${end && html`<dt>At</dt><dd>${when(end.at)}</dd><dt>The agent was told</dt><dd>${end.next.path}</dd>`}
</dl>`;
}
