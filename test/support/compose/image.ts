/**
 * What our Dockerfile would put into its image, laid out in a directory: the folders that its last stage copies, its environment, the
 * bundle built by its own command. `npm ci` is not run again: the packages are links to those of the repository.
 * Promises that a file which the Dockerfile does not copy, or a package that `npm ci --omit=dev` leaves out, is not there.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../../../workers/engine/cache';
import { run } from '../../../workers/engine/run';

export interface Image {
  /** Where /app is. */
  readonly app: string;
  readonly env: Readonly<Record<string, string>>;
}

const WORKDIR = '/app';
const BUILD_MS = 120_000;

export async function layOutImage(dir: string): Promise<Image> {
  const app = join(dir, 'app');
  mkdirSync(app, { recursive: true });
  const lines = instructions();
  const last = lines.slice(lines.findLastIndex(({ name }) => name === 'FROM'));
  linkPackages(app);
  for (const { name, args } of last) {
    if (name !== 'COPY' || args[0]?.startsWith('--from=')) continue;
    const [to = '', ...from] = [args.at(-1), ...args.slice(0, -1)];
    for (const source of from) cpSync(join(repositoryRoot, source), join(app, to.endsWith('/') ? join(to, source) : to), { recursive: true });
  }
  const bundling = lines.some(({ name, args }) => name === 'RUN' && args.join(' ') === 'npm run build:workflows');
  if (!bundling) throw new Error('The Dockerfile builds no bundle of the workflows any more');
  const { scripts } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> };
  const { code, output } = await run('/bin/sh', ['-c', scripts['build:workflows'] ?? 'false'], {
    cwd: app,
    env: { PATH: pathOf(app, process.env['PATH'] ?? '') },
    timeoutMs: BUILD_MS,
  });
  if (code !== 0) throw new Error(`The bundle of the image could not be built: ${output}`);
  linkCommand(app, last);
  return { app, env: environment(last, app) };
}

/** The packages of the lock that are not for development alone. */
function linkPackages(app: string): void {
  const lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    // Packages within packages come with theirs; what is for another platform is not here.
    if (!/^node_modules\/(@[^/]+\/)?[^/@]+$/.test(path) || dev === true || !existsSync(join(repositoryRoot, path))) continue;
    mkdirSync(dirname(join(app, path)), { recursive: true });
    symlinkSync(join(repositoryRoot, path), join(app, path));
  }
}

interface Instruction {
  readonly name: string;
  readonly args: readonly string[];
}

const instructions = (): Instruction[] =>
  readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', ...args] = line.split(/\s+/);
      return { name, args };
    });

const pathOf = (app: string, system: string): string => [dirname(process.execPath), join(app, 'bin'), system].join(':');

/** What `ENV` sets, with /app where it lies here; PATH is the system's, ours first. */
function environment(stage: readonly Instruction[], app: string): Record<string, string> {
  const set = stage.filter(({ name }) => name === 'ENV').flatMap(({ args }) => args.map((arg) => arg.split('=', 2) as [string, string]));
  return { ...Object.fromEntries(set.filter(([name]) => name !== 'PATH')), PATH: pathOf(app, process.env['PATH'] ?? '') };
}

/** The link that the stage makes, to where the file lies here. */
function linkCommand(app: string, stage: readonly Instruction[]): void {
  const line = stage.find(({ name, args }) => name === 'RUN' && args.includes('ln'))?.args ?? [];
  const [target, link] = line.slice(line.indexOf('-s') + 1);
  if (target === undefined || link === undefined) throw new Error('The Dockerfile makes no link to the command any more');
  mkdirSync(join(app, dirname(link)), { recursive: true });
  symlinkSync(target.replace(WORKDIR, app), join(app, link));
}
