/**
 * A journal: JSON lines, forced to the disk before whoever wrote goes on. What was written while the disk was busy goes down together.
 * A line that a crash tore is no line: nobody had gone on because of it.
 * Imports Node only.
 */
import { closeSync, existsSync, fdatasync, openSync, readFileSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const sync = promisify(fdatasync);

export interface Journal<Line> {
  /** Returns when it is on the disk. */
  write(line: Line): Promise<void>;
  /** Lines written since it was opened. */
  count(): number;
  close(): void;
}

export function openJournal<Line>(path: string, onLine: (line: Line) => void = () => undefined): Journal<Line> {
  const file = openSync(path, 'a', 0o600);
  let lines = 0;
  let flushing: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const flush = async (): Promise<void> => {
    await flushing;
    flushing = next;
    next = null;
    await sync(file);
  };
  return {
    async write(line) {
      writeSync(file, `${JSON.stringify(line)}\n`);
      next ??= flush();
      await next;
      lines += 1;
      onLine(line);
    },
    count: () => lines,
    close: () => closeSync(file),
  };
}

export const readJournal = <Line>(path: string): Line[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .flatMap((text) => {
          try {
            return [JSON.parse(text) as Line];
          } catch {
            return [];
          }
        })
    : [];
