/**
 * Full disks and whole files: what is written here is either all there under its name, or not at all.
 * Imports Node only.
 */
import { renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';

/** With less than this, in bytes, nothing of ours can be started on a disk. */
const LEAST = 1024 * 1024;

/** Whether the disk that holds the directory has no room left for this user. False where the system does not tell. */
export function isFull(dir: string): boolean {
  try {
    const { bavail, bsize, ffree, files } = statfsSync(dir);
    return bavail * bsize < LEAST || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

/** Whether a failure says that a disk, or a user's share of it, is full. */
export const saysFull = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');

/** Writes aside, flushes and renames: a full disk or a power cut leaves the old file, or none. */
export function writeWhole(path: string, text: string, mode: number): void {
  const aside = `${path}.${process.pid}.new`;
  try {
    writeFileSync(aside, text, { mode, flush: true });
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}
