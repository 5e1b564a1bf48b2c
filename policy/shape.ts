/**
 * A parsed file held against a schema, each issue turned into a finding at the key or value it speaks of.
 * Pure: imports zod types.
 */
import type { z } from 'zod';
import type { Source } from './parse';
import type { Report } from './report';

const key = (part: PropertyKey): string | number => (typeof part === 'number' ? part : String(part));

/** A union's or record's issue is as deep as its parts; the deepest is the one that helps. */
export function shaped<T>(schema: z.ZodType<T>, source: Source, report: Report): T | null {
  const result = schema.safeParse(source.data);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const path = issue.path.map(key);
    const row = rowOf(source, path);
    if (issue.code === 'unrecognized_keys') {
      for (const name of issue.keys) {
        const where = path.length === 0 ? 'at the top' : `under ${path.join('.')}`;
        report.error('unknown_key', source.keyAt([...path, name]), row, `There is no key ${name} ${where}; check the spelling, or remove it`);
      }
      continue;
    }
    const text = issue.code === 'invalid_key' ? issue.issues.map((i) => i.message).join('; ') : issue.message;
    const at = issue.code === 'invalid_key' ? source.keyAt(path) : source.at(path);
    report.error('bad_shape', at, row, `${path.length === 0 ? 'The file' : path.join('.')} cannot be read: ${text}`);
  }
  return null;
}

/** The row that a path lies in, by its id. */
function rowOf(source: Source, path: readonly (string | number)[]): string | null {
  if (path[0] === 'default') return 'default';
  if (path[0] !== 'rows' || typeof path[1] !== 'number') return null;
  const rows = (source.data as { rows?: unknown }).rows;
  const row: unknown = Array.isArray(rows) ? rows[path[1]] : undefined;
  const id = typeof row === 'object' && row !== null ? (row as { id?: unknown }).id : undefined;
  return typeof id === 'string' ? id : null;
}
