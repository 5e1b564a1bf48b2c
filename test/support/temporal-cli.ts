/**
 * The command line of Temporal, as an operator uses it: the real program, against a running server. Starts nothing.
 */
import { findEngine } from '../../workers/engine/binary';
import { run } from '../../workers/engine/run';

export interface Said {
  readonly ok: boolean;
  /** What it printed, in either stream. */
  readonly output: string;
}

export type TemporalCli = (...args: readonly string[]) => Promise<Said>;

/** Answers without a question: `--yes` where it would ask. */
export async function temporalCli(address: string): Promise<TemporalCli> {
  const { path } = await findEngine({ env: process.env, onProgress: () => undefined });
  // No configuration of whoever runs the tests.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' };
  return async (...args) => {
    const { code, output } = await run(path, [...args, '--address', address, '--disable-config-file'], { env, timeoutMs: 60_000 });
    return { ok: code === 0, output };
  };
}
