/**
 * An example as a program: prints, stops cleanly on Ctrl-C, ends with 0 only if all went as it should, and says what is wrong in one sentence.
 */
export type Say = (line: string) => void;

export function runProgram(main: (say: Say, signal: AbortSignal) => Promise<boolean>): void {
  const stopped = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stopped.abort(new Error('Stopped.')));
  const end = (code: number): void => process.exit(stopped.signal.aborted ? 130 : code);
  main((line) => void process.stdout.write(`${line}\n`), stopped.signal).then(
    (right) => end(right ? 0 : 1),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      end(1);
    },
  );
}

/** The work's result; fails at once when it is called off, so that what surrounds it can clean up. */
export async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return await work;
  work.catch(() => undefined);
  return await Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const fail = (): void => reject(new Error('Stopped.'));
      if (signal.aborted) fail();
      else signal.addEventListener('abort', fail, { once: true });
    }),
  ]);
}
