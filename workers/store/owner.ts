/**
 * Who runs the store: one process at a time, named in `owner.json`, which a dead process leaves behind and the next one takes over.
 * Imports Node only.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from './errors';
import { isStill, nameOf, type ProcessName } from './processes';

function parse(text: string): ProcessName | null {
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<ProcessName>;
    return typeof pid === 'number' ? { pid, startedAt: startedAt ?? null } : null;
  } catch {
    return null;
  }
}

const read = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
};

/** Takes the directory for this process, or says who has it. The answer gives it back. */
export function own(dir: string): () => void {
  const file = join(dir, 'owner.json');
  const mine = JSON.stringify(nameOf(process.pid));
  const aside = join(dir, `owner.${String(process.pid)}.json`);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    writeFileSync(aside, mine);
    try {
      // A link appears whole or not at all, and never over another.
      linkSync(aside, file);
      rmSync(aside);
      return () => {
        if (read(file) === mine) rmSync(file, { force: true });
      };
    } catch (error) {
      rmSync(aside, { force: true });
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    evict(dir, file);
  }
  throw new StoreError('store_in_use', `The store in ${dir} is being taken by another process; try again`);
}

function evict(dir: string, file: string): void {
  const text = read(file);
  if (text === null) return;
  const owner = parse(text);
  if (owner && isStill(owner)) {
    throw new StoreError(
      'store_in_use',
      `The store in ${dir} is already run by process ${String(owner.pid)}; stop that one, or give this one a directory of its own`,
    );
  }
  const dead = join(dir, `owner.dead.${String(process.pid)}.json`);
  try {
    renameSync(file, dead);
  } catch {
    return;
  }
  // Someone else may have taken it over between our reading and our renaming: then it is theirs.
  if (read(dead) !== text) renameSync(dead, file);
  rmSync(dead, { force: true });
}
