/**
 * The programs behind docker-compose.yml, on a machine without a container engine: the Compose specification's loader with BuildKit's
 * linter, and the very servers of the images, built with Go from pinned modules into the per-user cache.
 * Promises: built once; a machine without Go is told so, and its tests are skipped by name.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onPath } from '../../../workers/engine/binary';
import { cached, cacheRoot, hashFiles, repositoryRoot, type Progress } from '../../../workers/engine/cache';
import { run, withTicks } from '../../../workers/engine/run';

/** Null where there is no Go: nothing here can be built then. */
export const go: string | null = onPath('go', process.env);

const BUILD_MS = 20 * 60_000;
const SERVER = join(repositoryRoot, 'tools', 'server');
const CHECK = join(repositoryRoot, 'tools', 'compose');

interface Build {
  readonly module: string;
  readonly target: string;
  readonly package: string;
  readonly onProgress: Progress;
}

async function build({ module, target, package: name, onProgress }: Build): Promise<void> {
  onProgress(`building ${name}`);
  const { code, output } = await withTicks(
    (seconds) => onProgress(`building ${name} (${String(seconds)} s)`),
    () =>
      run(go ?? 'go', ['build', '-mod=readonly', '-buildvcs=false', '-o', target, name], {
        cwd: module,
        env: { ...process.env, GOWORK: 'off' },
        timeoutMs: BUILD_MS,
      }),
  );
  if (code !== 0) throw new Error(`${name} did not build in ${module}: ${output.trim().split('\n').slice(-5).join(' | ')}`);
}

const runs = async (program: string, args: readonly string[], codes: readonly number[]): Promise<boolean> =>
  codes.includes((await run(program, args, { timeoutMs: 60_000 }).catch(() => ({ code: null }))).code ?? -1);

/** The path of `compose-check` (tools/compose). */
export async function composeCheck(onProgress: Progress = () => undefined): Promise<string> {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => join(CHECK, name));
  const dir = await cached({
    dir: join(cacheRoot(process.env), 'compose-check', hashFiles(sources)),
    what: 'the check of docker-compose.yml',
    verify: (at) => runs(join(at, 'compose-check'), [], [2]),
    make: (at) => build({ module: CHECK, target: join(at, 'compose-check'), package: '.', onProgress }),
    onProgress,
  });
  return join(dir, 'compose-check');
}

/** What the images `temporalio/server`, `temporalio/admin-tools` and `temporalio/ui` hold, in one directory. */
export interface TemporalPrograms {
  /** Holds `temporal-server` and `temporal-sql-tool`. */
  readonly bin: string;
  /** The server image's own start. */
  readonly entrypoint: string;
  /** The UI image's working directory: program, configuration and start. */
  readonly ui: string;
}

export async function temporalPrograms(onProgress: Progress = () => undefined): Promise<TemporalPrograms> {
  const root = await cached({
    dir: join(cacheRoot(process.env), 'server', hashFiles([join(SERVER, 'go.mod'), join(SERVER, 'go.sum')])),
    what: 'the Temporal server of the images',
    verify: async (at) => {
      const { bin, ui } = placesIn(at);
      return (
        (await runs(join(bin, 'temporal-server'), ['--version'], [0])) &&
        (await runs(join(bin, 'temporal-sql-tool'), ['--version'], [0])) &&
        (await runs(join(ui, 'ui-server'), ['--version'], [0]))
      );
    },
    make: async (at) => {
      const { bin, ui, entrypoint } = placesIn(at);
      mkdirSync(bin);
      mkdirSync(join(ui, 'config'), { recursive: true });
      const from = (target: string, name: string): Promise<void> => build({ module: SERVER, target, package: name, onProgress });
      await from(join(bin, 'temporal-sql-tool'), 'go.temporal.io/server/cmd/tools/sql');
      await from(join(bin, 'temporal-server'), 'go.temporal.io/server/cmd/server');
      await from(join(ui, 'ui-server'), 'github.com/temporalio/ui-server/v2/cmd/server');
      copy(join(moduleDir('go.temporal.io/server'), 'docker', 'scripts', 'sh', 'entrypoint.sh'), entrypoint, 0o755);
      const uiModule = moduleDir('github.com/temporalio/ui-server/v2');
      copy(join(uiModule, 'docker', 'start-ui-server.sh'), join(ui, 'start-ui-server.sh'), 0o755);
      copy(join(uiModule, 'config', 'docker.yaml'), join(ui, 'config', 'docker.yaml'), 0o644);
    },
    onProgress,
  });
  return placesIn(root);
}

const placesIn = (at: string): TemporalPrograms => ({ bin: join(at, 'bin'), entrypoint: join(at, 'entrypoint.sh'), ui: join(at, 'ui') });

const moduleDir = (name: string): string => execFileSync(go ?? 'go', ['list', '-m', '-f', '{{.Dir}}', name], { cwd: SERVER, encoding: 'utf8' }).trim();

/** Go keeps its modules read-only. */
function copy(from: string, to: string, mode: number): void {
  copyFileSync(from, to);
  chmodSync(to, mode);
}
