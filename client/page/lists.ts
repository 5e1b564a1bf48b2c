/**
 * The list of what waits on you, the sign-in page, and the page of an error. Pure.
 */
import type { Person } from '../../domain/directory';
import type { Instant } from '../../domain/json';
import type { ApprovalRow } from '../api/reads';
import { html, type Markup } from './html';
import { badge, fromNow, when } from './layout';

type NameOf = (id: string) => string;

const card = (
  a: ApprovalRow,
  now: Instant,
  name: NameOf,
): Markup => html`<li class="card"><a href="/approvals/${encodeURIComponent(a.approvalId)}">${a.headline}</a>
<p>${badge(a.state)} <span class="muted">${a.lanes.join(', ')}${a.level !== '' && ` · ${a.level}`}${a.owners.length > 0 && ` · ${a.owners.map(name).join(' and ')}`}</span>
${a.dueAt !== null && html`<span class="due">until ${when(a.dueAt)} (${fromNow(a.dueAt, now)})</span>`}</p></li>`;

export function inboxPage(mine: readonly ApprovalRow[], others: readonly ApprovalRow[], now: Instant, name: NameOf): Markup {
  return html`<h1>Waiting on you</h1>
${mine.length === 0 ? html`<p class="muted">Nothing waits on you.</p>` : html`<ul class="cards">${mine.map((a) => card(a, now, name))}</ul>`}
${others.length > 0 && html`<h2>Everything else you may see</h2><ul class="cards">${others.map((a) => card(a, now, name))}</ul>`}`;
}

export interface LoginChoice {
  readonly tenant: string;
  readonly person: Person;
}

export function loginPage(choices: readonly LoginChoice[] | null, next: string): Markup {
  if (choices === null) return html`<h1>Sign in</h1><p>No identity provider is configured here, and the development login does not exist in production.</p>`;
  return html`<h1>Development login</h1>
<p>This page exists in development only. Nobody checks who you are: pick a person of the directory and act as that person.</p>
<ul class="cards">${choices.map(
    ({
      tenant,
      person,
    }) => html`<li class="card"><form method="post" action="/login"><input type="hidden" name="person" value="${person.id}"><input type="hidden" name="tenant" value="${tenant}"><input type="hidden" name="next" value="${next}">
<button>${person.name}</button> <span class="muted">${person.roles.join(', ')} · ${tenant}</span></form></li>`,
  )}</ul>${choices.length === 0 && html`<p class="muted">No directory is published yet.</p>`}`;
}

export const errorPage = (title: string, text: string): Markup => html`<h1>${title}</h1><p>${text}.</p><p><a href="/">Back to what waits on you</a></p>`;
