/**
 * `npm test`: installs what is missing, then types, format, lint, import rules and tests, the cheapest first, and
 * the fast part of the tests again under each version of Node that we promise.
 * Arguments go to Jest: `npm test -- --selectProjects unit`. All steps run even if one fails, and the exit code says whether all passed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, requireNode, root, run, runTs } from './lib.mjs';
import { underEachNode } from './nodes.mjs';

requireNode();
await ensurePackages();

const bin = (name, file) => [join(root, 'node_modules', name, file)];
const args = process.argv.slice(2);
// Dates in one zone everywhere: what differs between machines must not decide a test.
const env = { ...process.env, TZ: 'UTC' };
const node = (file, more) => run(process.execPath, [...file, ...more], { env });

const steps = [
  ['engines', () => runTs('workers/engine/prepare.ts', [], { env })],
  ['servers of docker-compose.yml', () => runTs('test/support/programs/prepare-compose.ts', [], { env })],
  ['browser', () => browser()],
  ['clocks that are wrong', () => falseClocks()],
  ['types', () => node(bin('typescript', 'bin/tsc'), ['-p', '.', '--noEmit'])],
  ['format', () => node(bin('prettier', 'bin/prettier.cjs'), ['--check', '--log-level', 'warn', '.'])],
  ['lint', () => node(bin('eslint', 'bin/eslint.js'), ['.', '--max-warnings', '0'])],
  ['import rules', () => node(bin('dependency-cruiser', 'bin/dependency-cruise.mjs'), ['--config', '.dependency-cruiser.cjs', ...folders()])],
  ['tests', () => node(bin('jest', 'bin/jest.js'), args)],
  ['Node versions', () => versions()],
];

const failed = [];
for (const [name, step] of steps) {
  process.stdout.write(`\n== ${name}\n`);
  const code = await step();
  if (code === 130) process.exit(130);
  if (code !== 0) failed.push(name);
}
process.stdout.write(failed.length === 0 ? '\nAll passed.\n' : `\nFailed: ${failed.join(', ')}.\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

function folders() {
  return ['domain', 'policy', 'record', 'workflows', 'activities', 'workers', 'client', 'examples', 'test', 'bench'].filter((name) =>
    existsSync(join(root, name)),
  );
}

/** The fast part under the other versions of Node that we promise; not when only some tests were asked for. */
function versions() {
  if (args.length === 0) return underEachNode(env);
  process.stdout.write('SKIPPED  Only some tests were asked for: run npm test without arguments, or node tools/nodes.mjs.\n');
  return 0;
}

/** Tests of the page need Chromium. Where it cannot be had they are skipped, by name. */
async function browser() {
  const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', process.env.CHROMIUM_PATH ?? ''];
  if (known.some((path) => path !== '' && existsSync(path))) return 0;
  if (!canInstall()) {
    process.stdout.write('No Chromium here: the tests that need it are skipped (set CHROMIUM_PATH, or install chromium).\n');
    return 0;
  }
  if (!(await installed('chromium'))) process.stdout.write('Chromium could not be installed: the tests that need it are skipped.\n');
  return 0;
}

/** A test of hosts whose clocks are off needs libfaketime. Where it cannot be had it is skipped, by name. */
async function falseClocks() {
  if (['x86_64', 'aarch64'].some((machine) => existsSync(`/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`))) return 0;
  if (!canInstall()) {
    process.stdout.write('No libfaketime here: the test of clocks that are wrong is skipped (install faketime, on Debian or Ubuntu).\n');
    return 0;
  }
  if (!(await installed('faketime'))) process.stdout.write('faketime could not be installed: the test that needs it is skipped.\n');
  return 0;
}

function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

async function installed(name) {
  process.stdout.write(`Installing ${name}\n`);
  const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] };
  const install = ['install', '-y', '-qq', '--no-install-recommends', name];
  if ((await run('apt-get', install, { ...quiet, stdio: 'ignore' })) === 0) return true;
  await run('apt-get', ['update', '-qq'], quiet);
  return (await run('apt-get', install, quiet)) === 0;
}
