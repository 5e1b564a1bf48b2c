/**
 * Text written by agents and customers, made safe to look at: escaped for HTML, and with every character that hides or
 * reorders text shown by its number. Mails and pages render with these two; nothing else in the product escapes by hand.
 * Pure: imports nothing.
 */

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as HTML that shows exactly this text, in an element or in a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => HTML[c] ?? c);

/**
 * What a reader cannot see or what reorders what he sees: controls except tab and newline, format characters (bidirectional
 * marks and overrides, zero-width, tags, soft hyphen), line separators, fillers, variation selectors other than the two that
 * choose between text and emoji, private use, and halves of surrogate pairs.
 */
const HIDDEN =
  /[^\P{Cc}\t\n]|\p{Cf}|\p{Co}|\p{Cs}|[\u2028\u2029\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180D\u180F\u2800\u3164\uFE00-\uFE0D\uFFA0]|[\u{E0100}-\u{E01EF}]/gu;

/** The text with every hidden character shown as `⟨U+202E⟩`. Line ends become `\n`; what was visible stays as it was. */
export function visible(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(HIDDEN, (c) => `⟨U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

/** Visible text on one line of at most `max` characters: for subjects, titles and labels. */
export function oneLine(text: string, max = 200): string {
  const line = visible(text).replace(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`;
}
