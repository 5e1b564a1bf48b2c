/**
 * What a receiver has seen: so that it acts once, however often it is called, and after a restart too.
 * Must not import anything of Countersign.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** `begun`: acting may have started before a crash, and may or may not have had its effect. */
export type Seen = 'unknown' | 'begun' | 'done';

/** Remembers by id. `set` returns when it is durable. Replace it by a table of your own to share it between processes. */
export interface SeenStore {
  get(id: string): Promise<Seen>;
  set(id: string, seen: 'begun' | 'done', at: Date): Promise<void>;
}

/** Far longer than retries last (about three days), and than a decision token lives (a week). */
export const REMEMBER_MS = 30 * 24 * 3_600_000;

/** For tests and programs that may forget when they stop. */
export function memoryStore(rememberMs = REMEMBER_MS): SeenStore {
  const seen = new Map<string, { readonly seen: 'begun' | 'done'; readonly at: number }>();
  return {
    get: async (id) => seen.get(id)?.seen ?? 'unknown',
    set: async (id, state, at) => {
      seen.delete(id);
      seen.set(id, { seen: state, at: at.getTime() });
      // Oldest first: the map keeps the order in which ids were last set.
      for (const [old, entry] of seen) {
        if (at.getTime() - entry.at <= rememberMs) break;
        seen.delete(old);
      }
    },
  };
}

interface Line {
  readonly id: string;
  readonly seen: 'begun' | 'done';
  readonly at: string;
}

const isLine = (value: unknown): value is Line =>
  typeof value === 'object' &&
  value !== null &&
  'id' in value &&
  typeof value.id === 'string' &&
  'seen' in value &&
  (value.seen === 'begun' || value.seen === 'done') &&
  'at' in value &&
  typeof value.at === 'string';

/** One line per change, forced to the disk before `set` returns; one process at a time. Forgets what is old when it opens. */
export function fileStore(
  path: string,
  { now = () => new Date(), rememberMs = REMEMBER_MS }: { readonly now?: () => Date; readonly rememberMs?: number } = {},
): SeenStore & { close(): void } {
  const seen = new Map<string, Line>();
  const oldest = now().getTime() - rememberMs;
  for (const line of existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []) {
    const parsed = parseLine(line);
    if (parsed && Date.parse(parsed.at) >= oldest) seen.set(parsed.id, parsed);
  }
  // Written aside and renamed, so that a crash here loses nothing and a torn last line is gone.
  const aside = `${path}.new`;
  const fresh = openSync(aside, 'w', 0o600);
  writeFileSync(fresh, [...seen.values()].map((line) => `${JSON.stringify(line)}\n`).join(''));
  fsyncSync(fresh);
  closeSync(fresh);
  renameSync(aside, path);
  syncDirectory(dirname(path));
  const file = openSync(path, 'a', 0o600);
  return {
    get: async (id) => seen.get(id)?.seen ?? 'unknown',
    set: async (id, state, at) => {
      const line: Line = { id, seen: state, at: at.toISOString() };
      writeSync(file, `${JSON.stringify(line)}\n`);
      fsyncSync(file);
      seen.set(id, line);
    },
    close: () => closeSync(file),
  };
}

/** A line that a crash tore is no line: what it said had not been promised yet. */
function parseLine(line: string): Line | null {
  try {
    const value: unknown = JSON.parse(line);
    return isLine(value) ? value : null;
  } catch {
    return null;
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  fsyncSync(directory);
  closeSync(directory);
}
