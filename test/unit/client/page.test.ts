/** Markup: text is text, wherever it is put. */
import fc from 'fast-check';
import { html } from '../../../client/page/html';
import { fromNow } from '../../../client/page/layout';

it('escapes what is put in, also in lists and attributes, and keeps markup that it made', () => {
  const page = html`<a title="${'"><script>'}">${['<b>', html`<i>${'&'}</i>`]}</a>${null}${false}${undefined}${0}`;
  expect(page.text).toBe('<a title="&quot;&gt;&lt;script&gt;">&lt;b&gt;<i>&amp;</i></a>0');
});

it('shows what hides or reorders text', () => {
  expect(html`${'pay \u202E001\u200B'}`.text).toBe('pay ⟨U+202E⟩001⟨U+200B⟩');
});

it('never lets a text open a tag or leave an attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const { text: page } = html`<p title="${text}">${text}</p>`;
      expect(page.match(/[<>"]/g)).toEqual(['<', '"', '"', '>', '<', '>']);
    }),
  );
});

it.each([
  ['2026-11-21T09:25:00.000Z', 'in 25 min'],
  ['2026-11-21T09:00:10.000Z', 'now'],
  ['2026-11-21T12:00:00.000Z', 'in 3 h'],
  ['2026-11-24T09:00:00.000Z', 'in 3 days'],
  ['2026-11-21T08:30:00.000Z', '30 min ago'],
])('%s is %s', (at, words) => {
  expect(fromNow(at, '2026-11-21T09:00:00.000Z')).toBe(words);
});
