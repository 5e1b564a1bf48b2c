/**
 * What the commands of package.json share. Runs on a bare clone, before anything is installed: Node built-ins only.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST = [20, 19];

/** One sentence, no stack. */
export function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

export function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  if (!enough) fail(`Countersign needs Node ${OLDEST.join('.')} or newer, and this is ${process.versions.node}: install a newer one from https://nodejs.org.`);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program on this terminal and answers with its exit code. Signals go on to it; we end when it has ended.
 */
export function run(program, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
    const handlers = SIGNALS.map((name) => {
      const pass = () => child.kill(name);
      process.on(name, pass);
      return () => process.off(name, pass);
    });
    const end = (code) => {
      for (const off of handlers) off();
      done(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${program} cannot be started (${error.message}).\n`);
      end(127);
    });
    child.once('exit', (code, signal) => end(signal === null ? (code ?? 1) : 130));
  });
}

/** Runs one of our TypeScript programs. */
export const runTs = (file, args = [], options = {}) => run(process.execPath, ['--import', 'tsx', file, ...args], options);

/** Installs the locked packages unless they are there already. */
export async function ensurePackages() {
  const stamp = join(root, 'node_modules', '.countersign-installed');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  if (installedByHand()) {
    writeFileSync(stamp, lock);
    return;
  }
  await alone(async () => {
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
    process.stdout.write('Installing the packages of package-lock.json\n');
    const code = await run('npm', ['ci', '--no-audit', '--no-fund'], { env: { ...process.env, NODE_ENV: 'development' } });
    if (code !== 0) fail('The packages could not be installed: see the lines above, mend the connection to the npm registry, and start again.');
    writeFileSync(stamp, lock);
  });
}

/** npm keeps its own note of what it installed; if it is newer than the lock, somebody ran npm by hand. */
function installedByHand() {
  const note = statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false });
  return note !== undefined && note.mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs && everyPackageThere();
}

/** The lock's packages and the installed ones agree in name and version. */
function everyPackageThere() {
  const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const here = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional === true || (here[path]?.version === version && existsSync(join(root, path))),
  );
}

/** Two commands in one clone at once: one installs, the other waits. A lock left by a dead process is ignored. */
async function alone(work) {
  mkdirSync(join(root, '.countersign'), { recursive: true });
  const lock = join(root, '.countersign', 'install.lock');
  for (let told = false; ; told = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(readFileSync(lock, 'utf8'));
    if (!isAlive(holder) && Date.now() - statSync(lock).mtimeMs > 1_000) rmSync(lock, { force: true });
    if (!told) process.stdout.write(`Waiting for process ${holder}, which is installing the packages\n`);
    await new Promise((done) => setTimeout(done, 300));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
