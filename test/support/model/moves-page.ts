/**
 * docs/moves.md as data: what it says of each move, and which moves, entries and codes it names. A heading or a column that is not there is an
 * error, so that a test cannot pass on nothing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE = readFileSync(join(__dirname, '../../../docs/moves.md'), 'utf8');

const wordsIn = (text: string): readonly string[] => [...text.matchAll(/`([a-z_]+)`/g)].map((m) => m[1] ?? '');

/** The text under a heading, up to the next of the same depth or above. */
function under(heading: string): string {
  const depth = heading.indexOf(' ');
  const start = PAGE.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`docs/moves.md has no heading ${heading}`);
  const rest = PAGE.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${String(depth)}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

const rowsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    );

const firstWord = (row: readonly string[]): string => wordsIn(row[0] ?? '')[0] ?? '';

export interface MoveRow {
  readonly move: string;
  readonly decides: boolean;
  readonly entries: readonly string[];
  /** Its own, and those that all share. */
  readonly refusals: readonly string[];
}

const moves = under('## Moves');
const shared = wordsIn(moves.slice(0, moves.indexOf('### ')));

/** Every row of every table of moves. */
export const MOVE_ROWS: readonly MoveRow[] = rowsOf(moves).map((row) => ({
  move: firstWord(row),
  decides: (row[0] ?? '').includes('(decides)'),
  entries: wordsIn(row[3] ?? ''),
  refusals: [...shared, ...wordsIn(row[5] ?? '')],
}));

export const ENTRY_ROWS: readonly string[] = rowsOf(under('## Entries')).map(firstWord);
export const CODE_ROWS: readonly string[] = rowsOf(under('## Codes')).map(firstWord);
/** Codes that are said of moves anywhere on the page. */
export const SHARED_CODES = shared;
