/**
 * A condition in words, with the values that met it. The source is sliced by node range, never printed anew from the tree.
 * Pure: imports the engine's types and domain/money.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Json } from '../../domain/json';
import { formatMoney, isMoney } from '../../domain/money';
import { pathOf } from './guard';
import type { Names, Reading } from './names';

const TEXT_MAX = 60;
const ITEMS_MAX = 5;

/** Text of an agent or customer is quoted, so that it cannot pass for the policy's own words. */
function shown(value: Json | undefined): string {
  if (value === undefined) return 'absent';
  if (isMoney(value)) return formatMoney(value);
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item: Json) => (typeof item === 'string' ? item : JSON.stringify(item)));
    return `${items.join(', ') || 'none'}${value.length > ITEMS_MAX ? ', …' : ''}`;
  }
  if (typeof value === 'string') return JSON.stringify(value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX - 1)}…` : value);
  return JSON.stringify(value);
}

/** Where in the text which value belongs is found once, and not for each request. */
export function wordsOf(ast: ASTNode, text: string, names: Names): (reading: Reading) => string {
  let spots: readonly (readonly [string, string])[] | null = null;
  let rest = '';
  const plain = (part: string): string => part.replace(/\s+/g, ' ');
  const find = (): readonly (readonly [string, string])[] => {
    const paths = new Map<number, string>();
    collect(ast, names, paths);
    let from = 0;
    const found = [...paths]
      .sort(([a], [b]) => a - b)
      .map(([end, path]) => {
        const before = plain(text.slice(from, end));
        from = end;
        return [before, path] as const;
      });
    rest = plain(text.slice(from));
    return found;
  };
  return (reading) => {
    spots ??= find();
    let words = '';
    for (const [before, path] of spots) words += `${before} (${plain(shown(reading.get(path)))})`;
    return (words + rest).trim();
  };
}

function collect(node: ASTNode, names: Names, paths: Map<number, string>): void {
  const path = pathOf(node);
  if (path !== undefined) {
    if (names.has(path)) paths.set(node.end, path);
    return;
  }
  for (const child of childrenOf(node)) collect(child, names, paths);
}

/** The nodes below, whatever the operator; `has()` speaks for itself. */
function childrenOf(node: ASTNode): ASTNode[] {
  if (node.op === 'call' && node.args[0] === 'has') return [];
  const found: ASTNode[] = [];
  const look = (part: unknown): void => {
    if (Array.isArray(part)) part.forEach(look);
    else if (typeof part === 'object' && part !== null && 'op' in part && 'args' in part) found.push(part as ASTNode);
  };
  look(node.args);
  return found;
}
