/**
 * The process around the command: hands it the world and ends with its exit code.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './program';

const { env } = process;
void run(process.argv.slice(2), {
  env,
  configDir: join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'countersign'),
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  fetch: globalThis.fetch,
  now: () => new Date().toISOString(),
  // https://no-color.org
  colours: process.stdout.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  rewrites: process.stderr.isTTY && env['TERM'] !== 'dumb',
}).then((code) => {
  process.exitCode = code;
});
