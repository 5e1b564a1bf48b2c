/**
 * A program that starts the store in the directory it is given, says how to reach it on one line, and then holds it until it is ended.
 * On SIGINT it waits until its parent closes its input, as a process does that still has clients to finish, and then stops the store.
 */
import { startStore } from '../../workers/store';

async function hold(dir: string): Promise<void> {
  const store = await startStore({ dir });
  process.on('SIGINT', () => process.stdout.write('interrupted\n'));
  process.stdin.resume();
  process.stdin.once('end', () => {
    void store.stop().then(() => process.stdout.write('stopped\n'));
  });
  process.stdout.write(`${JSON.stringify({ adminUrl: store.adminUrl, pid: store.pid })}\n`);
}

hold(process.argv[2] ?? '').catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
