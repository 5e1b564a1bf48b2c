/**
 * A process that wants a cached thing. Making it takes until the file GO appears, so that a test decides who meets whom.
 * Usage: make-once DIR JOURNAL GO
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../../../workers/engine/cache';

async function main([dir = '', journal = '', go = '']: readonly string[]): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  await cached({
    dir,
    what: 'the thing',
    onProgress: say,
    verify: (at) => Promise.resolve(existsSync(join(at, 'whole'))),
    make: async (at) => {
      appendFileSync(journal, `${process.pid}\n`);
      say('making');
      while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 20));
      writeFileSync(join(at, 'whole'), '');
    },
  });
  say('has it');
}

void main(process.argv.slice(2));
