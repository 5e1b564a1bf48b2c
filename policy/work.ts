/**
 * What compiling one row works with, and how it says that the row lacks something.
 * Pure.
 */
import { placeOf, type Declared, type DeclaredRow } from './declare';
import type { FindingCode, Report } from './report';
import type { Vocabulary } from './vocabulary';

export interface Work {
  readonly declared: Declared;
  readonly vocabulary: Vocabulary;
  readonly row: DeclaredRow;
  readonly report: Report;
}

export function need({ row, report }: Work, code: FindingCode, key: string, what: string, mend: string): void {
  const place = placeOf(row.at, ...(row.isDefault ? [] : ['id']));
  report.error(code, place, row.id, `${row.isDefault ? 'The default row' : `The row ${row.id}`} does not say ${what} (${key}); add ${mend}`);
}
