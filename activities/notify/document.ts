/**
 * A short document of paragraphs, facts and labelled boxes, rendered twice: as plain text and as HTML.
 * Whatever is put in is made visible and escaped here, so that no caller can forget it. No images, no scripts, one link.
 * Pure: imports only from domain.
 */
import { escapeHtml, visible } from '../../domain/text';

export type Block =
  /** The one sentence on top. */
  | { readonly type: 'lead'; readonly text: string }
  | { readonly type: 'paragraph'; readonly text: string }
  | { readonly type: 'list'; readonly title: string; readonly items: readonly string[] }
  | { readonly type: 'facts'; readonly items: readonly (readonly [name: string, value: string])[] }
  /** Text that someone else wrote, quoted line by line so that it cannot pass for ours. */
  | { readonly type: 'box'; readonly label: string; readonly text: string }
  | { readonly type: 'link'; readonly label: string; readonly url: string };

/** Longer quotations are cut: the page shows them whole. */
const BOX_MAX = 4_000;

function cut(text: string): string {
  const characters = [...visible(text)];
  return characters.length <= BOX_MAX
    ? characters.join('')
    : `${characters.slice(0, BOX_MAX).join('')}\n… cut here (${characters.length} characters in all); the page shows the rest.`;
}

const inline = (text: string): string => visible(text).replace(/\s*\n\s*/g, ' ');

export function toText(blocks: readonly Block[]): string {
  return `${blocks.map(blockText).join('\n\n')}\n`;
}

function blockText(block: Block): string {
  switch (block.type) {
    case 'lead':
      return inline(block.text);
    case 'paragraph':
      return visible(block.text);
    case 'list':
      return [`${block.title}:`, ...block.items.map((item) => `- ${inline(item)}`)].join('\n');
    case 'facts':
      return block.items.map(([name, value]) => `${name}: ${inline(value)}`).join('\n');
    case 'box':
      return [
        `[ ${inline(block.label)} ]`,
        ...cut(block.text)
          .split('\n')
          .map((line) => `| ${line}`),
      ].join('\n');
    case 'link':
      return `${block.label}:\n${block.url}`;
  }
}

const BOX = 'border:1px solid #8a8a8a;border-left:6px solid #b45309;border-radius:4px;padding:8px 12px;margin:12px 0';
const PRE = 'white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace;font-size:13px;margin:6px 0 0';

export function toHtml(title: string, blocks: readonly Block[]): string {
  const body = blocks.map(blockHtml).join('\n');
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${safe(title)}</title></head>\n<body style="font-family:system-ui,sans-serif;font-size:15px;line-height:1.45;max-width:44em;margin:1em auto;padding:0 1em">\n${body}\n</body></html>\n`;
}

const safe = (text: string): string => escapeHtml(inline(text));

function blockHtml(block: Block): string {
  switch (block.type) {
    case 'lead':
      return `<p style="font-size:18px"><strong>${safe(block.text)}</strong></p>`;
    case 'paragraph':
      return `<p style="white-space:pre-wrap">${escapeHtml(visible(block.text))}</p>`;
    case 'list':
      return `<p>${safe(block.title)}:</p><ul>${block.items.map((item) => `<li>${safe(item)}</li>`).join('')}</ul>`;
    case 'facts':
      return `<dl>${block.items.map(([name, value]) => `<dt><strong>${safe(name)}</strong></dt><dd>${safe(value)}</dd>`).join('')}</dl>`;
    case 'box':
      return `<div style="${BOX}"><strong>${safe(block.label)}</strong><pre dir="ltr" style="${PRE}">${escapeHtml(cut(block.text))}</pre></div>`;
    case 'link':
      return `<p><a href="${escapeHtml(block.url)}">${safe(block.label)}</a></p>`;
  }
}
