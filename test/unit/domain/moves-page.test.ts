/** docs/moves.md says of the code what is in it: every move, entry and code, and nothing that is not. */
import { DECIDING, REFUSALS } from '../../../domain/moves';
import { CODE_ROWS, ENTRY_ROWS, MOVE_ROWS, SHARED_CODES } from '../../support/model/moves-page';
import { AROUND, EVENT_TYPES, MOVE_TYPES } from '../../support/model/words';

const sorted = (words: readonly string[]): string[] => [...words].sort();

describe('the page of moves', () => {
  it('has every move once', () => {
    expect(sorted(MOVE_ROWS.map((row) => row.move))).toEqual(sorted(MOVE_TYPES));
  });

  it('has every entry once', () => {
    expect(sorted(ENTRY_ROWS)).toEqual(sorted(EVENT_TYPES));
  });

  it('has every code once', () => {
    expect(sorted(CODE_ROWS)).toEqual(sorted(REFUSALS));
  });

  it('says which moves decide, and so name the packet', () => {
    expect(sorted(MOVE_ROWS.filter((row) => row.decides).map((row) => row.move))).toEqual(sorted(DECIDING));
  });

  it('names an entry for every move, and no code and no entry that there is not', () => {
    for (const { move, entries, refusals } of MOVE_ROWS) {
      expect([move, entries.filter((entry) => (EVENT_TYPES as readonly string[]).includes(entry))]).not.toEqual([move, []]);
      expect(refusals.filter((code) => !(REFUSALS as readonly string[]).includes(code))).toEqual([]);
    }
  });

  it('says of every code on which moves it comes', () => {
    const said = new Set([...SHARED_CODES, ...MOVE_ROWS.flatMap((row) => row.refusals), 'unsigned_message']);
    expect(REFUSALS.filter((code) => !said.has(code))).toEqual([]);
    expect(Object.keys(AROUND).filter((code) => !said.has(code))).toEqual([]);
  });
});
