/**
 * The frame of every page, and the small things that pages share: times, labelled boxes. No JavaScript, no inline style.
 * Pure.
 */
import { ms, type Instant } from '../../domain/json';
import { minute } from '../api/present';
import type { SignedIn } from '../api/visibility';
import { html, type Markup, type Part } from './html';

export interface Frame {
  readonly title: string;
  readonly viewer: SignedIn | null;
  readonly formToken: string | null;
  readonly development: boolean;
}

export const pageOf = ({ title, viewer, formToken, development }: Frame, body: Part): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title} · Countersign</title>
<link rel="stylesheet" href="/assets/page.css">
</head>
<body>
<header class="top">
<a class="brand" href="/">Countersign</a>
${viewer && html`<form method="post" action="/logout" class="who"><input type="hidden" name="form_token" value="${formToken ?? ''}"><span>${viewer.person.name}</span> <button class="link">Sign out</button></form>`}
</header>
${development && html`<p class="development">Development installation: sign-ins are not checked.</p>`}
<main>
${body}
</main>
</body>
</html>
`.text;

/** `2026-11-21 09:30 UTC`. */
export const when = (at: Instant): Markup => html`<time datetime="${at}">${minute(at)}</time>`;

/** `in 25 min`, `2 h ago`; from the domain's now, which in a demo runs faster than the wall's. */
export function fromNow(at: Instant, now: Instant): string {
  const minutes = Math.round((ms(at) - ms(now)) / 60_000);
  const size = Math.abs(minutes);
  const text =
    size < 1 ? 'now' : size < 120 ? `${String(size)} min` : size < 48 * 60 ? `${String(Math.round(size / 60))} h` : `${String(Math.round(size / 1440))} days`;
  if (size < 1) return text;
  return minutes > 0 ? `in ${text}` : `${text} ago`;
}

const AUTHORS: Readonly<Record<string, string>> = { agent: 'Written by the agent', customer: 'Written by the customer', system: 'From a system' };

/** Words of an agent or a customer, apart from ours and marked as theirs. */
export const quoted = (source: string, title: string, text: string): Markup =>
  html`<figure class="quoted ${source === 'system' ? 'system' : 'foreign'}"><figcaption><strong>${title}</strong> <span>${AUTHORS[source] ?? source}</span></figcaption><pre>${text}</pre></figure>`;

const STATES: Readonly<Record<string, string>> = {
  routing: 'Being routed',
  waiting: 'Waiting',
  asked: 'Waiting for information',
  taken_over: 'Taken over',
  held: 'Held',
  allowed: 'Allowed',
  blocked: 'Blocked',
  approved: 'Approved',
  approved_with_conditions: 'Approved with conditions',
  denied: 'Denied',
  answered: 'Answered',
  resolved_by_person: 'Resolved by a person',
  handed_back: 'Handed back',
  expired: 'Expired',
  withdrawn: 'Withdrawn',
};

export const badge = (state: string): Markup => html`<span class="badge ${state}">${STATES[state] ?? state}</span>`;
