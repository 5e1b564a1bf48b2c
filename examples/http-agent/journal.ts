/**
 * What the agent remembers: one line per step, forced to the disk before the step counts. It survives kill -9 at any moment.
 * In a real agent the line "acted" is written in the same transaction as the effect; here the line is the effect.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';

export type Step =
  /** Written before the request is sent, so that after a crash the same request is sent again under the same key. */
  | { readonly type: 'asked'; readonly key: string; readonly request: Readonly<Record<string, unknown>> }
  | { readonly type: 'refused'; readonly key: string; readonly code: string; readonly message: string }
  | { readonly type: 'paused'; readonly key: string; readonly approvalId: string; readonly actionDigest: string }
  | {
      readonly type: 'acted';
      readonly approvalId: string;
      readonly outcome: string;
      readonly did: string;
      readonly reason: string;
      readonly messageId: string | null;
      readonly tokenId: string;
    }
  | { readonly type: 'replayed'; readonly approvalId: string; readonly messageId: string | null }
  | { readonly type: 'turned_away'; readonly why: string };
export type Entry = Step & { readonly at: string };

export interface Journal {
  readonly entries: readonly Entry[];
  append(step: Step): Entry;
  close(): void;
}

export function openJournal(path: string, now: () => Date): Journal {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // What follows the last line end was torn by a crash, and had not counted.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  const entries = whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
  const file = openSync(path, 'a', 0o600);
  return {
    entries,
    append(step) {
      const entry: Entry = { ...step, at: now().toISOString() };
      writeSync(file, `${JSON.stringify(entry)}\n`);
      fsyncSync(file);
      entries.push(entry);
      return entry;
    },
    close: () => closeSync(file),
  };
}
