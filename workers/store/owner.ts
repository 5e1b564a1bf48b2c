/**
 * Who runs the store: one process at a time, named in `owner.json`, which a dead process leaves behind and the next one takes over.
 * Imports the lock between processes only.
 */
import { join } from 'node:path';
import { tryLock } from '../engine/lock';
import { StoreError } from './errors';

/** Takes the directory for this process, or says who has it. The answer gives it back. */
export function own(dir: string): () => void {
  const lock = tryLock(join(dir, 'owner.json'));
  if ('release' in lock) return lock.release;
  throw new StoreError(
    'store_in_use',
    `The store in ${dir} is already run by process ${String(lock.heldBy.pid)}; stop that one, or give this one a directory of its own`,
  );
}
