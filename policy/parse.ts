/**
 * YAML text to plain data with the place of every key and value.
 * Pure: imports yaml. Refuses what would make a page mean something else than it shows: aliases, merge keys, tags, duplicate keys.
 */
import { isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { PolicyFile } from './hash';
import type { Place, Report } from './report';

export type Path = readonly (string | number)[];

/** A parsed file: its data, and where each part of it stands. */
export interface Source {
  readonly file: string;
  readonly data: unknown;
  /** The value at `path`, or the nearest part that exists. */
  at(path: Path): Place;
  /** The key at the end of `path`. */
  keyAt(path: Path): Place;
  /** The character `offset` of the text at `path`, through quotes, folding and indentation. */
  within(path: Path, offset: number): Place;
}

const FILE_CHARS_MAX = 1_000_000;
const DEPTH_MAX = 30;

/** Null when the text is not YAML that can be read; the report says why. */
export function parseYaml({ path: file, text }: PolicyFile, report: Report): Source | null {
  const start: Place = { file, line: 1, column: 1 };
  if (text.length > FILE_CHARS_MAX) {
    report.error('too_large', start, null, `${file} has more than ${FILE_CHARS_MAX} characters; split it over several files`);
    return null;
  }
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, merge: false, prettyErrors: false, version: '1.2', schema: 'core' });
  } catch {
    report.error('yaml_syntax', start, null, `${file} cannot be read: it is nested too deeply; a policy needs fewer than ${DEPTH_MAX} levels`);
    return null;
  }
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  for (const problem of [...document.errors, ...document.warnings]) {
    report.error('yaml_syntax', place(problem.pos[0]), null, `This is not valid YAML here: ${problem.message}`);
  }
  if (document.errors.length + document.warnings.length > 0) return null;
  const deep: Place[] = [];
  visit(document, {
    Collection: (_, node, path) => {
      if (path.length <= 2 * DEPTH_MAX) return undefined;
      deep.push(place(node.range?.[0] ?? 0));
      return visit.BREAK;
    },
  });
  for (const at of deep) report.error('yaml_syntax', at, null, `This is nested too deeply; a policy needs fewer than ${DEPTH_MAX} levels`);
  if (deep.length > 0) return null;
  const aliases: Place[] = [];
  visit(document, { Alias: (_, node) => void aliases.push(place(node.range?.[0] ?? 0)) });
  for (const at of aliases) report.error('yaml_alias', at, null, 'Aliases (*name) hide what a row says; write it out, or move it to defaults');
  if (aliases.length > 0) return null;
  return { file, data: document.toJS({ maxAliasCount: 0 }) as unknown, ...places(document, text, place, start) };
}

function places(document: Document, text: string, place: (offset: number) => Place, start: Place): Pick<Source, 'at' | 'keyAt' | 'within'> {
  const rangeOf = (path: Path): readonly [number, number] | undefined => {
    const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
    return isNode(node) && !isAlias(node) && node.range ? [node.range[0], node.range[1]] : undefined;
  };
  const at = (path: Path): Place => {
    for (let n = path.length; n > 0; n -= 1) {
      const range = rangeOf(path.slice(0, n));
      if (range) return place(range[0]);
    }
    return start;
  };
  const keyAt = (path: Path): Place => {
    const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const last = path[path.length - 1];
    const key = isMap(parent) ? parent.items.map((item) => item.key).find((k) => isScalar(k) && String(k.value) === String(last)) : undefined;
    return isScalar(key) && key.range ? place(key.range[0]) : at(path);
  };
  const within = (path: Path, offset: number): Place => {
    const node: unknown = document.getIn(path, true);
    const range = rangeOf(path);
    if (!range || !isScalar(node) || typeof node.value !== 'string') return at(path);
    return place(sourceOffset(text.slice(range[0], range[1]), node.value, offset) + range[0]);
  };
  return { at, keyAt, within };
}

/** Walks value and source in step, white space apart; where they part (an escape), the start of the text is the best answer. */
function sourceOffset(source: string, value: string, offset: number): number {
  let i = /^[|>]/.test(source) ? source.indexOf('\n') + 1 : /^["']/.test(source) ? 1 : 0;
  let last = i;
  for (let v = 0; v < value.length; v += 1) {
    const wanted = value[v] ?? '';
    if (/\s/.test(wanted)) {
      if (v >= offset) return last;
      continue;
    }
    while (i < source.length && /\s/.test(source[i] ?? '')) i += 1;
    if (source[i] !== wanted) return 0;
    if (v >= offset) return i;
    i += 1;
    last = i;
  }
  return last;
}
