/**
 * Builds the pinned Temporal server with Go, telling how far it is.
 * Must not know where the result is kept.
 */
import type { Progress } from './cache';
import { EngineError } from './errors';
import { run, withTicks } from './run';

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
/** Seven minutes on two cores from nothing; a slow laptop on a slow line gets six times that. */
const BOUND_MS = 45 * 60_000;

export interface BuildEngine {
  readonly go: string;
  /** The directory of the pinned go.mod. */
  readonly module: string;
  readonly target: string;
  /** Why the download before it failed, for the sentence that says that this did too. */
  readonly download: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: Progress;
}

export async function buildEngine({ go, module, target, download, env, onProgress }: BuildEngine): Promise<void> {
  let modules = 0;
  let packages = 0;
  const onLine = (line: string): void => {
    if (line.startsWith('go: downloading ')) modules += 1;
    else if (/^[\w./-]+$/.test(line)) packages += 1;
  };
  onProgress('building the Temporal server from its pinned source: once per user, some minutes');
  const { code, output } = await withTicks(
    (seconds) => onProgress(`building the Temporal server: ${packages} packages compiled, ${modules} modules fetched (${seconds} s)`),
    () =>
      run(go, ['build', '-v', '-mod=readonly', '-buildvcs=false', '-o', target, PACKAGE], {
        cwd: module,
        env: { ...env, GOWORK: 'off' },
        timeoutMs: BOUND_MS,
        onLine,
      }),
  );
  if (code !== 0) {
    throw new EngineError(
      'engine_build_failed',
      `The Temporal server could not be had: its download failed (${download}), and its source in ${module} did not build (${whyOf(output)}); ` +
        'see that this machine reaches temporal.download or the Go proxy (GOPROXY), install the Temporal CLI, or set TEMPORAL_ADDRESS to a server that runs.',
    );
  }
}

/** The line that says most: what could not be fetched, else the last one. */
function whyOf(output: string): string {
  const lines = output.trim().split('\n');
  return (lines.find((line) => /dial tcp|connect|no such host|proxyconnect|no space left/.test(line)) ?? lines.at(-1) ?? '').trim().slice(0, 300);
}
