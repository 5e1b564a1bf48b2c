/**
 * A process that takes a lock again and again, and after a few turns dies while it holds it, as if killed: the next one has to succeed it.
 * Usage: succeed-dead LOCK JOURNAL GO. It waits for the file GO, so that all begin at the same moment.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { tryLock } from '../../../workers/engine/lock';

async function main([lock = '', journal = '', go = '']: readonly string[]): Promise<void> {
  process.stdout.write('waiting\n');
  while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let turn = 1; turn <= 4;) {
    const taken = tryLock(lock);
    if ('heldBy' in taken) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    appendFileSync(journal, `in ${process.pid}\n`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    appendFileSync(journal, `out ${process.pid}\n`);
    if (turn === 4) process.kill(process.pid, 'SIGKILL');
    taken.release();
    turn += 1;
  }
}

void main(process.argv.slice(2));
