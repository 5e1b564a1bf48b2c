/**
 * The SDK's own download of a server. Promises to end within a bound and to leave nothing running.
 * `@temporalio/testing` is a development dependency: it is imported only here and in time-skipping, when it is needed.
 */
import type { Progress } from './cache';
import { withTicks } from './run';

const BOUND_MS = 180_000;

/** Downloads into `dir`; rejects when that fails. */
export async function download(kind: 'dev-server' | 'time-skipping', dir: string, onProgress: Progress): Promise<void> {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  const server = { executable: { type: 'cached-download', downloadDir: dir } } as const;
  // The SDK only downloads by starting: it is started for a moment, and stopped.
  const started = kind === 'dev-server' ? TestWorkflowEnvironment.createLocal({ server }) : TestWorkflowEnvironment.createTimeSkipping({ server });
  const stopped = started.then((environment) => environment.teardown());
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the download took longer than ${BOUND_MS / 1000} s`)), BOUND_MS);
  });
  const what = kind === 'dev-server' ? 'the Temporal server' : 'the time-skipping server';
  try {
    await withTicks(
      (seconds) => onProgress(`downloading ${what} (${seconds} s)`),
      () => Promise.race([stopped, bound]),
    );
  } finally {
    clearTimeout(timer);
    stopped.catch(() => undefined);
  }
}
