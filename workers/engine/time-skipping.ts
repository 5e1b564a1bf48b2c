/**
 * The time-skipping server for tests: hours of ladder in seconds. By the SDK's download where that works, else on Java, with jars from Maven.
 * It keeps no visibility list: tests of lists run on the development server.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { onPath } from './binary';
import { cached, cacheRoot, hashFiles, repositoryRoot, type Progress } from './cache';
import { download } from './download';
import { EngineError, sayCause } from './errors';
import { run, withTicks } from './run';

export interface StartTimeSkipping {
  /** The program; the one in the cache if absent. */
  readonly path?: string;
  readonly onProgress?: Progress;
  readonly env?: NodeJS.ProcessEnv;
}

/** The SDK gives a server five seconds to start, which a busy machine may not have: it is tried so often. */
const TRIES = 4;

/** Tear it down with `teardown()`. */
export async function startTimeSkipping(options: StartTimeSkipping = {}): Promise<TestWorkflowEnvironment> {
  const path = options.path ?? (await findTimeSkipping(options));
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  for (let tries = 1; ; tries += 1) {
    try {
      return await TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
    } catch (cause) {
      if (tries < TRIES && sayCause(cause).includes('did not start within')) continue;
      throw new EngineError(
        'time_skipping_failed',
        `The time-skipping server at ${path} did not start (${sayCause(cause)}): see that "java -version" answers with 11 or newer.`,
        { cause },
      );
    }
  }
}

/** The path of a program that serves; fetched into the cache on first use. */
export async function findTimeSkipping(options: StartTimeSkipping = {}): Promise<string> {
  const env = options.env ?? process.env;
  const onProgress = options.onProgress ?? (() => undefined);
  const pom = join(repositoryRoot, 'tools', 'time-skipping', 'pom.xml');
  const dir = join(cacheRoot(env), 'time-skipping', hashFiles([pom]));
  await cached({
    dir,
    what: 'the time-skipping server',
    onProgress,
    verify: (at) => Promise.resolve(matchesList(at)),
    make: (at) => fetchServer(at, pom, env, onProgress),
  });
  const script = join(dir, 'test-server');
  if (existsSync(script)) {
    if (onPath('java', env) === null) throw unavailable('java', null);
    return script;
  }
  return join(dir, readdirSync(dir).find((name) => name.startsWith('temporal-test-server')) ?? 'temporal-test-server');
}

const unavailable = (missing: string, cause: unknown): EngineError =>
  new EngineError(
    'time_skipping_unavailable',
    `The time-skipping server cannot run: ${cause === null ? '' : `its download failed (${sayCause(cause)}) and `}there is no ${missing} on PATH; install Java 11 or newer${missing === 'mvn' ? ' and Maven' : ''}.`,
    { cause },
  );

async function fetchServer(dir: string, pom: string, env: NodeJS.ProcessEnv, onProgress: Progress): Promise<void> {
  try {
    await download('time-skipping', dir, onProgress);
  } catch (cause) {
    if (onPath('java', env) === null) throw unavailable('java', cause);
    const maven = onPath('mvn', env);
    if (maven === null) throw unavailable('mvn', cause);
    await fetchJars(maven, dir, pom, env, onProgress);
  }
  writeFileSync(join(dir, LIST), listing(dir));
}

async function fetchJars(maven: string, dir: string, pom: string, env: NodeJS.ProcessEnv, onProgress: Progress): Promise<void> {
  const args = ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${join(dir, 'jars')}`];
  onProgress('getting the time-skipping server with Maven: once per user');
  const { code, output } = await withTicks(
    (seconds) => onProgress(`getting the time-skipping server with Maven (${seconds} s)`),
    () => run(maven, args, { env, timeoutMs: 15 * 60_000 }),
  );
  if (code !== 0) {
    const said = output.split('\n').find((line) => line.includes('[ERROR]')) ?? '';
    throw new EngineError(
      'time_skipping_unavailable',
      `Maven could not get the time-skipping server (${said.trim()}): see that its repository can be reached.`,
    );
  }
  // Java replaces the shell, so that the SDK stops the server itself and not a shell around it.
  const script = '#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "$(dirname "$0")/jars/*" io.temporal.testserver.TestServer "$@"\n';
  writeFileSync(join(dir, 'test-server'), script);
  chmodSync(join(dir, 'test-server'), 0o755);
}

/** Names and sizes of what was fetched: a later look that differs means that the cache was damaged. */
const LIST = 'files.txt';

const listing = (dir: string): string =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== LIST && statSync(join(dir, name)).isFile())
    .sort()
    .map((name) => `${name} ${statSync(join(dir, name)).size}\n`)
    .join('');

function matchesList(dir: string): boolean {
  const list = join(dir, LIST);
  return existsSync(list) && readFileSync(list, 'utf8') === listing(dir);
}
