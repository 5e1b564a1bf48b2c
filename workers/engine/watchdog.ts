/**
 * Ends a process when this one dies, however it dies: a shell that waits for the end of a pipe which only we hold open.
 * Servers run in a process group of their own, so that Ctrl-C reaches us first; without this, kill -9 would leave them behind.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

const SCRIPT = 'cat <&3 >/dev/null; kill -"$2" "$1" 2>/dev/null; sleep 5; kill -KILL "$1" 2>/dev/null';

/** Returns how to call the watchdog off; do so once the process has ended, before its pid can be given to another. */
export function endWithUs(pid: number, signal: 'TERM' | 'INT' = 'TERM'): () => void {
  const dog = spawn('/bin/sh', ['-c', SCRIPT, 'watchdog', String(pid), signal], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  // Nothing to do without it: the process is still stopped in the orderly case.
  dog.once('error', () => undefined);
  dog.unref();
  const pipe = dog.stdio[3];
  if (pipe instanceof Socket) pipe.unref();
  return () => {
    if (dog.pid === undefined || dog.exitCode !== null || dog.signalCode !== null) return;
    try {
      process.kill(-dog.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  };
}
