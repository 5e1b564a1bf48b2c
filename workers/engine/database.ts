/**
 * The file in which a development server keeps its state. Promises that a first start which was cut off leaves nothing that is taken for a whole one,
 * and that a file which no server can read is moved aside, never removed: the record is the truth, and approvals start again from it.
 * Must not know how a server is started.
 */
import { accessSync, constants, existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { EngineError, sayCause } from './errors';

/** The file and what SQLite keeps beside it. */
const PARTS = ['', '-wal', '-shm'];

/** Stands beside the file from its first byte until the server has served from it: without its end, the tables may be half there. */
const markOf = (file: string): string => `${file}.making`;

/** Makes the place ready for a server. True if there is state from before. */
export function readyDatabase(file: string): boolean {
  if (existsSync(markOf(file))) {
    // No server ever served from it, so nobody's run is in it.
    for (const part of PARTS) rmSync(file + part, { recursive: true, force: true });
  }
  if (!existsSync(file)) {
    writeFileSync(markOf(file), '');
    return false;
  }
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new EngineError(
      'engine_failed',
      `The Temporal server's database ${file} cannot be written (${sayCause(cause)}): start as the user it belongs to, or give it to this one.`,
      { cause },
    );
  }
  return true;
}

/** A server has served from it: from now on it is worth keeping. */
export const keepDatabase = (file: string): void => rmSync(markOf(file), { force: true });

export interface SetAside {
  /** Where the file lies now. */
  readonly path: string;
  /** Puts it back, over what was made meanwhile. */
  readonly restore: () => void;
}

export function setAside(file: string): SetAside {
  const path = `${file}.dead-${new Date(statSync(file).mtimeMs).toISOString().replace(/[:.]/g, '-')}`;
  const move = (from: string, to: string): void => {
    for (const part of PARTS) {
      rmSync(to + part, { recursive: true, force: true });
      if (existsSync(from + part)) renameSync(from + part, to + part);
    }
  };
  move(file, path);
  return { path, restore: () => move(path, file) };
}

/** What SQLite and the server say of a file that is damaged, half made, or of another version of the server. */
export const isDatabaseBroken = (output: string): boolean =>
  /file is not a database|disk image is malformed|no such (table|column)|has no column named|SQL logic error|incompatible|schema version|unable to open database file/i.test(
    output,
  );
