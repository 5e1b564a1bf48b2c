/**
 * HTML that escapes by default: what is put into a template is text unless it was made by one.
 * Pure: imports only the two escapers of the product.
 */
import { escapeHtml, visible } from '../../domain/text';

/** Markup made by {@link html}; nothing else counts as markup. */
export class Markup {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

export type Part = string | number | Markup | null | undefined | false | readonly Part[];

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (Array.isArray(part)) return (part as readonly Part[]).map(render).join('');
  return escapeHtml(visible(String(part)));
}

/** Interpolated text is escaped and its hidden characters are shown; attributes must be in double quotes. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(strings.reduce((page, text, i) => page + render(parts[i - 1]) + text));
