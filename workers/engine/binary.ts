/**
 * Finds the Temporal server's binary: on PATH, in the cache, by the SDK's download, or built from the pinned module.
 * Promises that what it returns has answered `--version`.
 */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buildEngine } from './build';
import { cached, cacheRoot, hashFiles, repositoryRoot, type Progress } from './cache';
import { download } from './download';
import { EngineError, sayCause } from './errors';
import { run } from './run';

export type EngineOrigin = 'path' | 'cache' | 'download' | 'build';

export interface EngineBinary {
  readonly path: string;
  readonly origin: EngineOrigin;
}

export interface FindEngine {
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: Progress;
  /** False in tests of the build alone. */
  readonly mayDownload?: boolean;
}

/** The first program of that name on PATH. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string | null {
  for (const dir of (env['PATH'] ?? '').split(delimiter)) {
    if (dir !== '' && existsSync(join(dir, name))) return join(dir, name);
  }
  return null;
}

/** True if the binary is whole and starts. */
export async function answers(path: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!existsSync(path)) return false;
  try {
    const { code, output } = await run(path, ['--version'], { env, timeoutMs: 30_000 });
    return code === 0 && output.includes('Server');
  } catch {
    return false; // Truncated, or of another platform.
  }
}

export async function findEngine(options: FindEngine): Promise<EngineBinary> {
  const { env, onProgress } = options;
  const installed = onPath('temporal', env);
  if (installed !== null && (await answers(installed, env))) return { path: installed, origin: 'path' };

  const module = join(repositoryRoot, 'tools', 'engine');
  const dir = join(cacheRoot(env), 'engine', hashFiles([join(module, 'go.mod'), join(module, 'go.sum')]));
  let origin: EngineOrigin = 'cache';
  await cached({
    dir,
    what: 'the Temporal server',
    onProgress,
    verify: (at) => answers(join(at, 'temporal'), env),
    make: async (at) => {
      const failure = options.mayDownload === false ? new Error('not tried') : await downloadInto(at, onProgress);
      if (failure === null) {
        origin = 'download';
        return;
      }
      const go = onPath('go', env);
      if (go === null) {
        throw new EngineError(
          'engine_unavailable',
          `The Temporal server is not here: no "temporal" on PATH, its download failed (${sayCause(failure)}), and there is no Go to build it with; ` +
            `install the Temporal CLI or Go, or set TEMPORAL_ADDRESS to a server that runs.`,
          { cause: failure },
        );
      }
      await buildEngine({ go, module, target: join(at, 'temporal'), env, onProgress, download: sayCause(failure) });
      origin = 'build';
    },
  });
  return { path: join(dir, 'temporal'), origin };
}

/** Null if the SDK's download succeeded, else why not. */
async function downloadInto(dir: string, onProgress: Progress): Promise<unknown> {
  const scratch = mkdtempSync(join(tmpdir(), 'countersign-download-'));
  try {
    await download('dev-server', scratch, onProgress);
    const found = readdirSync(scratch).find((name) => name.startsWith('temporal-'));
    if (found === undefined) return new Error('the download left no binary');
    copyFileSync(join(scratch, found), join(dir, 'temporal'));
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
