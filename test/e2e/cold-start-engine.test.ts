/**
 * The engine on hard ground: a cache that was cut off, no network, a database that no server can read, a disk that is full.
 * With the real binary, the real build and the real server.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { startEngine, type Engine } from '../../workers/engine';
import { answers, findEngine, onPath } from '../../workers/engine/binary';
import { cached, cacheRoot, hashFiles, repositoryRoot } from '../../workers/engine/cache';
import { holdPort } from '../support/ports';
import { runProgram, runTs } from '../support/program';

const quiet = (): void => undefined;
/** A port on which nothing listens and nothing may. */
const NOWHERE = 'http://127.0.0.1:1';
const modules = ['go.mod', 'go.sum'].map((name) => join(repositoryRoot, 'tools', 'engine', name));
const go = onPath('go', process.env);
const goEnv = (name: string): string => (go === null ? '' : execFileSync(go, ['env', name]).toString().trim());
const sources = join(goEnv('GOMODCACHE'), 'cache', 'download', 'github.com', 'temporalio', 'cli');
// Each is skipped by name where what it works with is not on this machine: Go and the engine's fetched sources, Maven, SQLite, or the right to
// mount a small disk.
const withSources = go !== null && existsSync(sources) ? it : it.skip;
const withGo = go === null ? it.skip : it;
const withMaven = onPath('mvn', process.env) === null ? it.skip : it;
const withSqlite = onPath('sqlite3', process.env) === null ? it.skip : it;
const onTmpfs = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0 ? it : it.skip;

let dir: string;
let engine: Engine | null = null;
const mounts: string[] = [];
let binary: string;
beforeAll(async () => {
  binary = (await findEngine({ env: process.env, onProgress: quiet })).path;
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-cold-'));
});
afterEach(async () => {
  await engine?.stop();
  engine = null;
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

describe('a damaged cache', () => {
  const verify = (at: string): Promise<boolean> => answers(join(at, 'temporal'), process.env);
  const damages: readonly [string, (thing: string) => void][] = [
    ['an empty directory', quiet],
    ['a binary without a single byte', (thing) => writeFileSync(join(thing, 'temporal'), '', { mode: 0o755 })],
    [
      'a binary that was cut off in the middle',
      (thing) => {
        copyFileSync(binary, join(thing, 'temporal'));
        truncateSync(join(thing, 'temporal'), 1_000_000);
      },
    ],
    [
      'a binary that may not be executed',
      (thing) => {
        copyFileSync(binary, join(thing, 'temporal'));
        chmodSync(join(thing, 'temporal'), 0o644);
      },
    ],
    [
      'a binary of another processor',
      (thing) => {
        copyFileSync(binary, join(thing, 'temporal'));
        // The field of the ELF header that names the machine: s390.
        writeSync(openSync(join(thing, 'temporal'), 'r+'), Buffer.from([22, 0]), 0, 2, 18);
      },
    ],
    ['a binary that answers something else', (thing) => copyFileSync('/bin/true', join(thing, 'temporal'))],
    [
      'a file where the directory should be',
      (thing) => {
        rmSync(thing, { recursive: true });
        writeFileSync(thing, '');
      },
    ],
  ];
  it.each(damages)('%s is not used, and made again', async (_what, damage) => {
    const thing = join(dir, 'thing');
    mkdirSync(thing);
    // What a process left that was killed in the middle of making it.
    mkdirSync(join(dir, 'thing.making-4194305'));
    damage(thing);
    const made: string[] = [];
    const get = (): Promise<string> =>
      cached({
        dir: thing,
        what: 'the server',
        onProgress: quiet,
        verify,
        make: (at) => {
          made.push(at);
          symlinkSync(binary, join(at, 'temporal'));
          return Promise.resolve();
        },
      });
    expect(await verify(await get())).toBe(true);
    await get();
    expect(made).toHaveLength(1);
    expect(readdirSync(dir)).toEqual(['thing']);
  });

  withSources(
    'is built again from the pinned source, without a network where the sources are here',
    async () => {
      const env = {
        PATH: `${dirname(go ?? '')}:/usr/bin:/bin`,
        HOME: process.env['HOME'],
        XDG_CACHE_HOME: dir,
        GOCACHE: goEnv('GOCACHE'),
        GOMODCACHE: goEnv('GOMODCACHE'),
        GOPROXY: 'off',
        GOFLAGS: '-mod=mod',
      };
      const at = join(dir, 'countersign', 'engine', hashFiles(modules));
      mkdirSync(at, { recursive: true });
      writeFileSync(join(at, 'temporal'), 'half', { mode: 0o755 });
      const found = await findEngine({ env: { ...env, GOFLAGS: '' }, onProgress: quiet, mayDownload: false });
      expect(found).toEqual({ path: join(at, 'temporal'), origin: 'build' });
      expect(await answers(found.path, process.env)).toBe(true);
    },
    600_000,
  );
});

describe('no network', () => {
  const proxies = { HTTPS_PROXY: NOWHERE, HTTP_PROXY: NOWHERE, https_proxy: NOWHERE, http_proxy: NOWHERE, GOPROXY: NOWHERE, NO_PROXY: '', no_proxy: '' };
  const prepare = (env: NodeJS.ProcessEnv) => runTs('workers/engine/prepare.ts', [], { ...process.env, TEMPORAL_ADDRESS: '', ...proxies, ...env });

  it('with a warm cache everything is here', async () => {
    const program = prepare({});
    expect(await program.ended).toBe(0);
    expect(program.output()).toMatch(/^The Temporal server is here: .*\nThe time-skipping server is here: .*\n$/);
  });

  withGo('with a cold one: one sentence says that neither the download nor the build came through, and the ways out', async () => {
    const program = prepare({ XDG_CACHE_HOME: dir, GOMODCACHE: join(dir, 'mod'), GOFLAGS: '-modcacherw', GONOSUMDB: '*', GONOSUMCHECK: '1' });
    expect(await program.ended).toBe(1);
    expect(program.output().trim().split('\n').at(-1)).toMatch(
      /^The Temporal server could not be had: its download failed \(.+\), and its source in .* did not build \(.*127\.0\.0\.1:1.*\); see that this machine reaches temporal\.download or the Go proxy \(GOPROXY\), install the Temporal CLI, or set TEMPORAL_ADDRESS to a server that runs\.$/,
    );
    expect(program.output()).not.toMatch(/^\s+at /m);
    expect(readdirSync(join(dir, 'countersign', 'engine'))).toEqual([]);
  });

  withMaven('without the time-skipping server, which tests alone need: one sentence that names Maven', async () => {
    mkdirSync(join(dir, 'countersign'));
    symlinkSync(join(cacheRoot(process.env), 'engine'), join(dir, 'countersign', 'engine'));
    const nowhere = ['http', 'https'].map((scheme) => `-D${scheme}.proxyHost=127.0.0.1 -D${scheme}.proxyPort=1`).join(' ');
    const program = prepare({
      XDG_CACHE_HOME: dir,
      MAVEN_OPTS: `${nowhere} -Dmaven.repo.local=${join(dir, 'm2')} -Daether.connector.http.retryHandler.count=0`,
    });
    expect(await program.ended).toBe(1);
    expect(program.output().trim().split('\n').at(-1)).toMatch(/^Maven could not get the time-skipping server \(.+\): see that its repository can be reached/);
    expect(readdirSync(join(dir, 'countersign', 'time-skipping'))).toEqual([]);
  });
});

describe('the database of the engine', () => {
  const file = (): string => join(dir, 'temporal.db');
  const said: string[] = [];
  const start = async (): Promise<Engine> => {
    said.length = 0;
    engine = await startEngine({
      port: await holdPort(),
      env: { ...process.env, TEMPORAL_ADDRESS: '' },
      dbFile: file(),
      onProgress: (line) => said.push(line),
    });
    return engine;
  };
  const stop = async (): Promise<void> => {
    await engine?.stop();
    engine = null;
  };
  const dead = (): string[] => readdirSync(dir).filter((name) => name.includes('.dead-') && !/-(wal|shm)$/.test(name));
  const works = async ({ address, namespace }: Engine): Promise<void> => {
    const connection = await Connection.connect({ address });
    const workflowId = 'one';
    await connection.workflowService.startWorkflowExecution({
      namespace,
      workflowId,
      requestId: 'one',
      workflowType: { name: 'nothing' },
      taskQueue: { name: 'nobody' },
    });
    const { workflowExecutionInfo } = await connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId } });
    expect(workflowExecutionInfo?.execution?.workflowId).toBe(workflowId);
    await connection.close();
  };

  it('that a first start left half made is made anew without a word: nobody was ever served from it', async () => {
    writeFileSync(file(), 'SQLite format 3\0 and no more');
    writeFileSync(`${file()}.making`, '');
    await works(await start());
    expect(said).toEqual([]);
    expect(readdirSync(dir).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(['temporal.db']);
    await stop();
    await start();
    expect(said).toEqual([]);
  });

  it.each([
    ['is rubbish', (): void => writeFileSync(file(), Buffer.alloc(20_000, 'rubbish'))],
    ['is empty', (): void => writeFileSync(file(), '')],
  ])('that %s is moved aside, and the server starts empty and says so loudly', async (_how, damage) => {
    damage();
    const before = readFileSync(file());
    await works(await start());
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      /^WARNING: The Temporal server cannot use its database .*temporal\.db \(.+\)\. It was moved to .*temporal\.db\.dead-.*, and the server starts empty: the record is untouched, and the sweep starts every open approval again from it within a minute\./,
    );
    expect(dead()).toHaveLength(1);
    if (before.length > 0) expect(readFileSync(join(dir, dead()[0] ?? '')).equals(before)).toBe(true);
  });

  withSqlite.each([
    ['lost a table in which runs lie', 'drop table executions'],
    ['lost a table that the server asks for at once', 'drop table namespaces'],
    ['has the columns of another version', 'alter table namespaces drop column notification_version'],
  ])('that %s is moved aside as well', async (_how, sql) => {
    await works(await start());
    await stop();
    execFileSync('sqlite3', [file(), 'pragma wal_checkpoint(truncate)', sql]);
    await works(await start());
    expect(said[0]).toMatch(/^WARNING: The Temporal server cannot use its database/);
    expect(dead()).toHaveLength(1);
  });

  it('that is a directory is moved aside as well', async () => {
    mkdirSync(file());
    await works(await start());
    expect(dead()).toHaveLength(1);
  });

  it('when the server cannot make a new one either, the file goes back to its place', async () => {
    writeFileSync(file(), 'rubbish');
    // The real server, that may not write a file as large as its tables.
    writeFileSync(join(dir, 'temporal'), `#!/bin/sh\nulimit -f 100\nexec ${binary} "$@"\n`, { mode: 0o755 });
    const env = { ...process.env, TEMPORAL_ADDRESS: '', PATH: `${dir}:${process.env['PATH'] ?? ''}` };
    await expect(startEngine({ env, dbFile: file(), onProgress: quiet })).rejects.toMatchObject({ name: 'EngineError' });
    expect(readFileSync(file(), 'utf8')).toBe('rubbish');
    expect(dead()).toEqual([]);
  });

  onTmpfs('on a full disk: the sentence names the disk, and with room again it starts', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]);
    mounts.push(dir);
    await expect(start()).rejects.toMatchObject({
      code: 'disk_full',
      message: `The disk that holds ${dir} is full, and the Temporal server keeps its database there: free some space and start again.`,
    });
    execFileSync('mount', ['-o', 'remount,size=200m', dir]);
    await works(await start());
    expect(said).toEqual([]);
  });

  onTmpfs('the cache on a full disk: the sentence names the disk, and nothing half-made stays', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir]);
    mounts.push(dir);
    const thing = join(dir, 'engine', 'thing');
    const get = cached({
      dir: thing,
      what: 'the Temporal server',
      onProgress: quiet,
      verify: (at) => answers(join(at, 'temporal'), process.env),
      make: (at) => Promise.resolve(cpSync(binary, join(at, 'temporal'))),
    });
    await expect(get).rejects.toMatchObject({
      code: 'disk_full',
      message: `The disk that holds ${join(dir, 'engine')} is full, so the Temporal server cannot be kept there: free some space, or set XDG_CACHE_HOME to a place with more.`,
    });
    expect(readdirSync(join(dir, 'engine'))).toEqual([]);
  });
});

it('processes that take a lock from the dead at the same moment: never two at once, and all get their turns', async () => {
  const [lock, journal, start] = ['lock', 'journal', 'go'].map((name) => join(dir, name));
  writeFileSync(lock ?? '', JSON.stringify({ pid: 4_194_305, startedAt: '1' }));
  const all = Array.from({ length: 6 }, () => runProgram(['--import', 'tsx', 'test/support/programs/succeed-dead.ts', lock ?? '', journal ?? '', start ?? '']));
  await Promise.all(all.map((program) => program.says(/waiting/)));
  writeFileSync(start ?? '', '');
  expect(await Promise.all(all.map((program) => program.ended))).toEqual(all.map(() => null));
  const lines = readFileSync(journal ?? '', 'utf8')
    .trim()
    .split('\n');
  expect(lines).toHaveLength(6 * 4 * 2);
  for (let turn = 0; turn < lines.length; turn += 2) expect(lines[turn + 1]).toBe(lines[turn]?.replace('in', 'out'));
});
