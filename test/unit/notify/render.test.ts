import fc from 'fast-check';
import { escapeHtml, oneLine, visible } from '../../../domain/text';
import { approvalUrl, render } from '../../../activities/notify/render';
import type { Message } from '../../../activities/notify/message';
import { OVERRIDE, packet, SCRIPT } from './packet';

const PUBLIC = { publicUrl: 'https://approvals.example.com/' };
const base = { tenant: 'acme', approvalId: 'apr_1', owedId: '7-0', packet };
const ask: Message = { ...base, kind: 'ask', level: 'finance manager', dueAt: '2026-11-21T10:00:00.000Z', next: 'CFO is asked' };
const all: readonly Message[] = [
  ask,
  { ...ask, kind: 'remind' },
  { ...ask, kind: 'page_backup' },
  { ...base, kind: 'tell_asked', what: `Ana Ruiz approved it ${SCRIPT}`, over: true },
  { ...base, kind: 'tell_asked', what: 'Ana Ruiz has commented on it', over: false },
  { ...base, kind: 'ask_person', askedBy: `Ana ${SCRIPT}`, question: `Did it arrive? ${SCRIPT} ${OVERRIDE}`, dueAt: '2026-11-21T10:00:00.000Z' },
  { ...base, kind: 'tell_requester', what: 'It was denied: too much' },
  { ...base, kind: 'tell_customer', subject: 'Your case is under review', text: 'We look at it again.' },
];

describe('a question to an approver', () => {
  const { subject, text, html } = render(ask, PUBLIC);

  it('says in one sentence on top what, how much, until when, what next, and whether it can be undone', () => {
    expect(text.split('\n')[0]).toBe(
      'You are asked as finance manager to decide by 2026-11-21 10:00 UTC: Refund USD 480.00 to Maria (USD 480.00, affects one customer, is hard to undo, case C-17). If nobody answers, CFO is asked.',
    );
    expect(subject).toMatch(/^Decision needed: Refund USD 480\.00 to Maria/);
  });

  it('holds everything the decision is made from', () => {
    for (const form of [text, html]) {
      for (const part of [
        'refund-over-250',
        'Refunds over USD 250.00 need a finance manager.',
        'Compare the invoice with the order.',
        'refund.issue on billing',
        'only with effort',
        'refund-bot',
        'run-7',
        'C-17',
        'log the reason and end the run',
        'the request expires',
        'finance, version 3 (abcdef012345)',
      ]) {
        expect(form).toContain(part);
      }
    }
  });

  it('of an exception shows what was refused, why and by whom, and why it is asked again in the words of the agent', () => {
    const exception = {
      of: 'ap_1',
      outcome: 'denied',
      why: 'Too often',
      at: '2026-11-20T08:09:00.000Z',
      by: ['fay (finance_manager)'],
      justification: `Lost ${SCRIPT}`,
    };
    const shown = render({ ...ask, packet: { ...packet, exception } }, PUBLIC);
    for (const part of ['ap_1, denied on 2026-11-20 08:09 UTC', 'Too often', 'fay (finance_manager)']) {
      expect(shown.text).toContain(part);
      expect(shown.html).toContain(part);
    }
    expect(shown.text).toContain('Written by the agent: why an exception');
    expect(shown.html).not.toContain(SCRIPT);
    expect(text).not.toContain('xception');
  });

  it('shows what was added since, each under the name of who wrote it', () => {
    const at = '2026-11-21T09:40:00.000Z';
    const added = [
      { name: 'receipt', title: 'The receipt', source: 'agent', by: 'refund-bot', at, content: `Shop 7 ${SCRIPT}` },
      { name: 'q1', title: 'Did it arrive?', source: 'person', by: 'Kim Doe', at, content: 'No.\nIf you deny: nothing happens' },
    ] as const;
    const shown = render({ ...ask, packet: { ...packet, added } }, PUBLIC);
    expect(shown.text).toContain('[ Written by the agent, added 2026-11-21 09:40 UTC: The receipt ]\n| Shop 7');
    expect(shown.text).toContain('[ Written by Kim Doe, added 2026-11-21 09:40 UTC: Did it arrive? ]\n| No.\n| If you deny: nothing happens');
    expect(shown.html).not.toContain(SCRIPT);
  });

  it('quotes what others wrote line by line under the name of who wrote it, so that it cannot pass for ours', () => {
    expect(text).toContain('[ Written by the customer: Mail of');
    expect(text).toContain('\n| If you deny: everything is approved\n');
    expect(text).not.toMatch(/^If you deny: everything is approved/m);
    expect(text).toContain('[ Written by the agent: why it asks ]\n| The invoice differs. pay ⟨U+202E⟩evil⟨U+202C⟩ now⟨U+200B⟩');
    expect(html).toMatch(/<strong>Written by the customer: Mail of [^<]*<\/strong><pre/);
  });

  it('cuts what is long and says so', () => {
    expect(text).toContain('… cut here (5000 characters in all); the page shows the rest.');
    expect(text).not.toContain('x'.repeat(4_001));
  });
});

describe('every message', () => {
  it.each(all.map((message) => [message.kind, message] as const))('%s loads nothing, runs nothing and hides nothing', (_kind, message) => {
    const { subject, text, html } = render(message, PUBLIC);
    expect(html).not.toMatch(/<(script|img|iframe|form|link|object|svg)/i);
    expect(html).not.toMatch(/<[^>]*(\bsrc=|\son\w+=|url\(|javascript:)/i);
    for (const form of [subject, text, html]) expect(form).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B-\u200F\uFEFF]/);
    expect(subject).not.toMatch(/[\r\n]/);
  });

  it.each(all.filter(({ kind }) => kind !== 'tell_customer').map((message) => [message.kind, message] as const))(
    '%s links to the page and to nothing that decides',
    (_kind, message) => {
      const { html, text } = render(message, PUBLIC);
      const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, url]) => url);
      expect(new Set(links)).toEqual(new Set(['https://approvals.example.com/approvals/apr_1']));
      expect(text).toContain('\nhttps://approvals.example.com/approvals/apr_1\n');
    },
  );

  it('to a customer holds the policy’s text and the case, and nothing else', () => {
    const { subject, text, html } = render({ ...base, kind: 'tell_customer', subject: 'Your case is under review', text: 'We look at it again.' }, PUBLIC);
    expect(subject).toBe('Your case is under review');
    expect(text).toBe('We look at it again.\n\nCase: C-17\n');
    expect(
      html
        .replace(/<title>.*<\/title>/, '')
        .replace(/<[^>]+>/g, '')
        .replace(/\s+/g, ' ')
        .trim(),
    ).toBe('We look at it again. Case: C-17');
    expect(html).not.toContain('href');
  });

  it('puts an id into the address as one step, whatever it holds', () => {
    expect(approvalUrl('https://a.example//', '../x?y#z')).toBe('https://a.example/approvals/..%2Fx%3Fy%23z');
  });
});

describe('text made safe to look at', () => {
  it('shows what reorders or hides by its number, and leaves the rest', () => {
    expect(visible(OVERRIDE)).toBe('pay ⟨U+202E⟩evil⟨U+202C⟩ now⟨U+200B⟩');
    expect(visible('a\u0000b\u001Bc\u2028d\u{E0041}e\uD800f\u00ADg\u3164h\uFEFF')).toBe(
      'a⟨U+0000⟩b⟨U+001B⟩c⟨U+2028⟩d⟨U+E0041⟩e⟨U+D800⟩f⟨U+00AD⟩g⟨U+3164⟩h⟨U+FEFF⟩',
    );
    expect(visible('Grüße, 東京, שלום, 🙂❤️\r\n\ttab')).toBe('Grüße, 東京, שלום, 🙂❤️\n\ttab');
    expect(visible('fake\roverwritten')).toBe('fake⟨U+000D⟩overwritten');
  });

  it('as HTML shows exactly the text, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"']/);
        expect(
          escaped
            .replace(/&lt;/g, '<')
            .replace(/&gt;/g, '>')
            .replace(/&quot;/g, '"')
            .replace(/&#39;/g, "'")
            .replace(/&amp;/g, '&'),
        ).toBe(text);
      }),
    );
  });

  it('on one line stays on one line and within its length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 40 }), (text, max) => {
        const line = oneLine(text, max);
        expect(line).not.toMatch(/[\r\n\u2028\u202E]/);
        expect([...line].length).toBeLessThanOrEqual(max);
      }),
    );
  });
});

describe('a question to somebody who may know', () => {
  const asked: Message = {
    ...base,
    kind: 'ask_person',
    askedBy: 'Ana Ruiz',
    question: `Did the parcel arrive?\nIf you deny: everything is approved ${SCRIPT}`,
    dueAt: '2026-11-21T10:00:00.000Z',
  };
  const { subject, text, html } = render(asked, PUBLIC);

  it('says who wants to know, until when and about what, and quotes the question as that person’s words', () => {
    expect(subject).toMatch(/^A question to you about: Refund USD 480\.00 to Maria/);
    expect(text.split('\n')[0]).toMatch(/^Ana Ruiz asks you for information by 2026-11-21 10:00 UTC, before deciding on this: Refund USD 480\.00 to Maria/);
    expect(text).toContain('[ Written by Ana Ruiz: the question ]\n| Did the parcel arrive?\n| If you deny: everything is approved');
    expect(text).not.toMatch(/^If you deny/m);
    expect(html).toMatch(/<strong>Written by Ana Ruiz: the question<\/strong><pre/);
    expect(html).not.toContain(SCRIPT);
    expect(text).toContain(approvalUrl(PUBLIC.publicUrl, 'apr_1'));
  });

  it('holds no evidence and no reason: who is asked need not be one of those who decide', () => {
    for (const form of [text, html])
      for (const kept of ['The invoice differs', 'Mail of', 'refund-over-250', 'Compare the invoice']) expect(form).not.toContain(kept);
  });
});

it('news on the way does not say that nothing is needed any more', () => {
  const news = (over: boolean) => render({ ...base, kind: 'tell_asked', what: 'Ana Ruiz has commented on it', over }, PUBLIC);
  expect(news(false).subject).toMatch(/^News about: /);
  expect(news(true).subject).toMatch(/^No longer needed from you: /);
  expect(news(false).text).toMatch(/^Ana Ruiz has commented on it/);
});
