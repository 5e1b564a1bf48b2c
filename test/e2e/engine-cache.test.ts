/** The per-user cache of engines: never half, never twice, and one sentence when nothing can be had. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, findEngine } from '../../workers/engine/binary';
import { cached, hashFiles, repositoryRoot } from '../../workers/engine/cache';
import { tryLock } from '../../workers/engine/lock';
import { isRunning, runTs } from '../support/program';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-cache-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const quiet = (): void => undefined;
const modules = ['go.mod', 'go.sum'].map((name) => join(repositoryRoot, 'tools', 'engine', name));
const makeOnce = (thing: string): ReturnType<typeof runTs> => runTs('test/support/programs/make-once.ts', [thing, join(dir, 'journal'), join(dir, 'go')]);
const makers = (): string[] => readFileSync(join(dir, 'journal'), 'utf8').trim().split('\n');

describe('a damaged cache', () => {
  it('a binary that was cut off in the middle is made again, and then runs', async () => {
    const { path } = await findEngine({ env: process.env, onProgress: quiet });
    const thing = join(dir, 'thing');
    mkdirSync(thing);
    copyFileSync(path, join(thing, 'temporal'));
    truncateSync(join(thing, 'temporal'), 1_000_000);
    const verify = (at: string): Promise<boolean> => answers(join(at, 'temporal'), process.env);
    expect(await verify(thing)).toBe(false);
    let made = 0;
    const get = (): Promise<string> =>
      cached({
        dir: thing,
        what: 'the server',
        onProgress: quiet,
        verify,
        make: (at) => {
          made += 1;
          copyFileSync(path, join(at, 'temporal'));
          return Promise.resolve();
        },
      });
    expect(await verify(await get())).toBe(true);
    expect(await verify(await get())).toBe(true);
    expect(made).toBe(1);
  });

  it('what a failed attempt left is not taken for the thing', async () => {
    const thing = join(dir, 'thing');
    const half = cached({
      dir: thing,
      what: 'the server',
      onProgress: quiet,
      verify: (at) => Promise.resolve(existsSync(join(at, 'whole'))),
      make: (at) => {
        writeFileSync(join(at, 'half'), '');
        return Promise.reject(new Error('no space left'));
      },
    });
    await expect(half).rejects.toThrow('no space left');
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('two processes', () => {
  it('that want the same thing make it once; the other waits and says for whom', async () => {
    const thing = join(dir, 'thing');
    const first = makeOnce(thing);
    await first.says(/making/);
    const second = makeOnce(thing);
    await second.says(new RegExp(`waiting for process ${first.pid}, which is getting the thing`));
    writeFileSync(join(dir, 'go'), '');
    expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0]);
    expect(second.output()).toContain('has it');
    expect(makers()).toEqual([String(first.pid)]);
    expect(readdirSync(dir).sort()).toEqual(['go', 'journal', 'thing']);
  });

  it('when the one that makes it is killed, the other makes it', async () => {
    const thing = join(dir, 'thing');
    const first = makeOnce(thing);
    await first.says(/making/);
    const second = makeOnce(thing);
    await second.says(/waiting for process/);
    first.kill('SIGKILL');
    await first.ended;
    writeFileSync(join(dir, 'go'), '');
    expect(await second.ended).toBe(0);
    expect(makers()).toEqual([first.pid, second.pid].map(String));
    expect(readdirSync(dir).sort()).toEqual(['go', 'journal', 'thing']);
  });

  it('a lock whose holder is gone, or whose pid another process has now, is taken over', () => {
    const lock = join(dir, 'lock');
    let dead = 4_000_000;
    while (isRunning(dead)) dead += 1;
    for (const holder of [
      { pid: dead, startedAt: null },
      { pid: process.pid, startedAt: 'another time' },
    ]) {
      writeFileSync(lock, JSON.stringify(holder));
      const taken = tryLock(lock);
      if (!('release' in taken)) throw new Error('the dead lock still holds');
      expect(tryLock(lock)).toMatchObject({ heldBy: { pid: process.pid } });
      taken.release();
    }
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('nothing to get it with', () => {
  it('without a binary, a download or Go: one sentence that says what to install', async () => {
    const env = { PATH: dir, XDG_CACHE_HOME: dir };
    const nothing = findEngine({ env, onProgress: quiet, mayDownload: false });
    await expect(nothing).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringMatching(
        /^The Temporal server is not here: .* install the Temporal CLI or Go, or set TEMPORAL_ADDRESS to a server that runs\.$/,
      ) as string,
    });
  });

  it('a cut-off binary in the cache is not used for want of a better one', async () => {
    const env = { PATH: dir, XDG_CACHE_HOME: dir };
    const at = join(dir, 'countersign', 'engine', hashFiles(modules));
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'temporal'), 'half', { mode: 0o755 });
    await expect(findEngine({ env, onProgress: quiet, mayDownload: false })).rejects.toMatchObject({ code: 'engine_unavailable' });
  });
});
