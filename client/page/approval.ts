/**
 * The page of one approval: what is asked, who decides until when, what it rests on, what happened, and, for those who may, the moves.
 * Rendered from the stored packet whose digest the forms carry. Pure.
 */
import { factLines } from '../../domain/answers';
import { conditionWords } from '../../domain/conditions';
import { providedLines, readableParams, unavailableLines, type Packet } from '../../domain/packet';
import type { Conditions, Plan } from '../../domain/plan';
import { describeEnd, whatIsNext } from '../../domain/ladder';
import { personOf, type Directory } from '../../domain/directory';
import type { Instant } from '../../domain/json';
import { openSignOffs } from '../../domain/state';
import { actingOn } from '../../domain/decide';
import { sentence } from '../api/present';
import { moves } from './forms';
import type { ApprovalPage } from './model';
import { html, type Markup } from './html';
import { badge, fromNow, quoted, when } from './layout';

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

export function approvalPage(page: ApprovalPage): Markup {
  const { approval, state, directory, entries } = page;
  const { packet } = approval;
  const name = nameIn(directory);
  // After what it rests on: one reads before one decides.
  const form = moves(page, actingRole(page));
  return html`
${told(page)}
<p class="lead">${badge(state.state)} <span class="muted">${approval.lanes.join(', ')} · tier ${packet.tier} · risk ${packet.risk}</span></p>
<h1>${packet.headline}</h1>
${packet.amount !== null && html`<p class="amount">${packet.amount}</p>`}
${state.ended ? ended(page) : standing(page)}
${form && html`<p><a href="#move">Go to your move</a></p>`}
<section><h2>Why it needs a person</h2><ul>${packet.why.map((why) => html`<li>${why}</li>`)}</ul>
${packet.provision.map((text) => html`<blockquote>${text}</blockquote>`)}
${packet.instruction !== '' && html`<p>${packet.instruction}</p>`}
</section>
${packet.exception && excepted(packet.exception)}
${packet.follows && followed(packet.follows)}
<section><h2>What it rests on</h2>
${quoted('agent', 'Reason', packet.reason)}
${packet.evidence.map((e) => quoted(e.source, e.title, e.content))}
</section>
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
${packet.offers && form && html`<section><h2>What you may add to a yes</h2><ul>${packet.offers.map((words) => html`<li>${words}</li>`)}</ul></section>`}
${!state.ended && limits(state.conditions, approval.plan)}
<div id="move">${form}</div>
<section><h2>Timeline</h2><ol class="timeline">${entries.map(({ at, event }) => html`<li>${when(at)} <span>${sentence(event, name)}</span></li>`)}</ol></section>
<p class="muted">Packet <code class="hash">${approval.packetDigest}</code></p>`;
}

/** The role under which the viewer could act on what is open; null if none. */
function actingRole({ state, approval, directory, viewer }: ApprovalPage): string | null {
  if (state.ended || approval.requesters.includes(viewer.person.id)) return null;
  if (state.takeover) return state.takeover.by === viewer.person.id ? state.takeover.role : null;
  return actingOn(state, viewer.person.id, { plan: approval.plan, directory })?.role ?? null;
}

function told({ answer }: ApprovalPage): Markup | null {
  if (answer === null) return null;
  if (answer === 'stored')
    return html`<p class="notice" role="status">Your move is stored and not answered yet. Look again in a moment; you need not send it again.</p>`;
  if (answer.refusal) return html`<p class="notice refused" role="alert"><strong>Not accepted.</strong> ${answer.refusal.message}.</p>`;
  return html`<p class="notice accepted" role="status">Your move is on the record.</p>`;
}

/** Who is asked, until when, what next. */
function standing({ state, approval, directory, now }: ApprovalPage): Markup {
  const name = nameIn(directory);
  const { plan } = approval;
  const due = (at: Instant): Markup => html`${when(at)} (${fromNow(at, now)})`;
  if (state.takeover) {
    return html`<dl class="standing"><dt>Taken over by</dt><dd>${name(state.takeover.by)} (${state.takeover.role})</dd><dt>Until</dt><dd>${due(state.takeover.dueAt)}</dd></dl>`;
  }
  const asked = openSignOffs(state).filter(({ dueAt }) => dueAt !== null);
  if (asked.length === 0) return html`<p>Nobody has been asked yet; this takes a moment.</p>`;
  const given = state.signOffs.flatMap((s) => s.given);
  const end = describeEnd(plan.onTimeout.end, plan);
  return html`${asked.map((open) => {
    const signOff = plan.signOffs.find((s) => s.id === open.id);
    const next = open.hold ? describeEnd(open.hold.then, plan) : signOff ? whatIsNext(plan, signOff, open.level) : end;
    return html`<dl class="standing">
${
  open.hold
    ? html`<dt>Held for</dt><dd>${name(open.owner ?? '')} (${open.hold.role})</dd>`
    : html`<dt>Asked</dt><dd>${open.asked.map((a) => `${name(a.person)} (${a.role})`).join(' and ')}</dd>`
}
${open.claimedBy !== null && html`<dt>Claimed by</dt><dd>${name(open.claimedBy)}</dd>`}
${open.dueAt !== null && html`<dt>Until</dt><dd>${due(open.dueAt)}</dd>`}
<dt>${open.hold ? 'Then' : 'If nobody answers'}</dt><dd>${next}</dd>
${!open.hold && next !== end && html`<dt>If nobody ever does</dt><dd>${end}</dd>`}
${plan.signOffs.length > 1 && html`<dt>Sign-off</dt><dd>${open.id} of ${plan.signOffs.length} in ${signOff?.lane ?? plan.lane}</dd>`}
</dl>`;
  })}${given.length > 0 && html`<p>Given by ${given.map((d) => `${name(d.person)} (${d.role})`).join(' and ')}.</p>`}`;
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
