import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStore, memoryStore, type SeenStore } from '../../../client/receiver';

const AT = new Date('2026-11-21T09:30:00.000Z');
const DAY = 24 * 3_600_000;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'seen-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const STORES: readonly (readonly [string, () => SeenStore])[] = [
  ['in memory', () => memoryStore()],
  ['in a file', () => fileStore(join(dir, 'seen.jsonl'), { now: () => AT })],
];

describe.each(STORES)('what was seen, kept %s', (_where, open) => {
  it('is unknown, then begun, then done', async () => {
    const store = open();
    expect(await store.get('a')).toBe('unknown');
    await store.set('a', 'begun', AT);
    expect(await store.get('a')).toBe('begun');
    await store.set('a', 'done', AT);
    expect(await store.get('a')).toBe('done');
    expect(await store.get('b')).toBe('unknown');
  });
});

describe('what was seen, kept in a file', () => {
  const path = (): string => join(dir, 'seen.jsonl');

  it('is still known after a restart, and a line torn by a crash is not', async () => {
    const store = fileStore(path(), { now: () => AT });
    await store.set('a', 'done', AT);
    await store.set('b', 'begun', AT);
    // No close: the process died here, in the middle of a line.
    appendFileSync(path(), '{"id":"c","seen":"do');
    const again = fileStore(path(), { now: () => AT });
    expect([await again.get('a'), await again.get('b'), await again.get('c')]).toEqual(['done', 'begun', 'unknown']);
    await again.set('c', 'done', AT);
    again.close();
    expect(await fileStore(path(), { now: () => AT }).get('c')).toBe('done');
    expect(readFileSync(path(), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  it('is forgotten only long after the last retry', async () => {
    const store = fileStore(path(), { now: () => AT });
    await store.set('a', 'done', AT);
    expect(await fileStore(path(), { now: () => new Date(AT.getTime() + 29 * DAY) }).get('a')).toBe('done');
    expect(await fileStore(path(), { now: () => new Date(AT.getTime() + 31 * DAY) }).get('a')).toBe('unknown');
  });
});

describe('what was seen, kept in memory', () => {
  it('is forgotten only long after the last retry', async () => {
    const store = memoryStore();
    await store.set('a', 'done', AT);
    await store.set('b', 'done', new Date(AT.getTime() + 29 * DAY));
    expect(await store.get('a')).toBe('done');
    await store.set('c', 'done', new Date(AT.getTime() + 31 * DAY));
    expect([await store.get('a'), await store.get('b')]).toEqual(['unknown', 'done']);
  });
});
