/**
 * What the commands of package.json share. Runs on a bare clone, before anything is installed: Node built-ins only.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
 * Runs a program on this terminal and answers with its exit code. Signals go on to it; we end when it has ended. `started` is told its number.
 */
export function run(program, args, { started, ...options } = {}) {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
    if (child.pid !== undefined) started?.(child.pid);
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
  const stamped = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === lock && everyPackageThere();
  if (stamped()) return;
  if (installedByHand()) {
    try {
      writeFileSync(stamp, lock);
    } catch {
      // They belong to another user: looked at anew each time.
    }
    return;
  }
  await alone(join(root, '.countersign', 'install.lock'), async (holdFor) => {
    if (stamped()) return;
    process.stdout.write('Installing the packages of package-lock.json\n');
    const env = { ...process.env, NODE_ENV: 'development' };
    const code = await run('npm', ['ci', '--no-audit', '--no-fund'], { env, started: holdFor });
    if (code === 130) process.exit(130);
    if (code !== 0)
      fail(
        `The packages of package-lock.json could not be installed in ${root} (npm's own words stand above): mend the connection to the npm registry or the disk and start again, or copy node_modules from a clone of this version where it worked.`,
      );
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
  try {
    const wanted = packagesOf(join(root, 'package-lock.json'));
    const here = packagesOf(join(root, 'node_modules', '.package-lock.json'));
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || optional === true || (here[path]?.version === version && existsSync(join(root, path, 'package.json'))),
    );
  } catch {
    return false; // No note, or half of one.
  }
}

/**
 * One command at a time does the work; the others wait. A lock left by dead processes is succeeded as workers/engine/lock.ts does it: whoever
 * comes next links a file that only one can link, named after what the dead one wrote, and puts its own name over the lock.
 * While a program does the work for us it holds the lock too, for it outlives us when we are killed.
 */
export async function alone(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  const id = randomUUID();
  const mine = `${lock}.${process.pid}.${id}`;
  const put = (text) => {
    writeFileSync(mine, text);
    renameSync(mine, lock);
  };
  let text = JSON.stringify({ holders: [nameOf(process.pid)], id });
  for (let told = false; ;) {
    const holder = take(lock, mine, text);
    if (holder === null) break;
    if (!told && holder !== 'again') {
      process.stdout.write(`Waiting for process ${holder}, which is at the same work\n`);
      told = true;
    }
    await new Promise((done) => setTimeout(done, 300));
  }
  const release = () => {
    if (read(lock) === text) rmSync(lock, { force: true });
  };
  process.once('exit', release);
  try {
    return await work((pid) => put((text = JSON.stringify({ holders: [nameOf(process.pid), nameOf(pid)], id }))));
  } finally {
    process.off('exit', release);
    release();
  }
}

/** Null when the lock is ours, else the process that has it, or `again`. */
function take(lock, mine, text) {
  const place = (at) => {
    try {
      linkSync(mine, at);
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      return false;
    }
  };
  writeFileSync(mine, text);
  try {
    if (place(lock)) return null;
    const found = read(lock);
    const successors = [];
    for (let at = found; at !== null; at = read(successors.at(-1))) {
      const living = holdersIn(at).find(isStill);
      if (living !== undefined) return living.pid;
      const next = `${lock}.after-${createHash('sha256').update(at).digest('hex').slice(0, 16)}`;
      if (successors.includes(next)) return (rmSync(next, { force: true }), 'again');
      successors.push(next);
    }
    if (found === null || !place(successors.at(-1))) return 'again';
    if (read(lock) !== found) return (rmSync(successors.at(-1), { force: true }), 'again');
    renameSync(mine, lock);
    for (const done of successors) rmSync(done, { force: true });
    return null;
  } finally {
    rmSync(mine, { force: true });
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** What an older version wrote, a bare number, names nobody: a reused number would hold it for ever. */
function holdersIn(text) {
  try {
    const { holders } = JSON.parse(text);
    return Array.isArray(holders) ? holders : [];
  } catch {
    return [];
  }
}

const nameOf = (pid) => ({ pid, startedAt: bornAt(pid) });
const isStill = ({ pid, startedAt }) => isAlive(pid) && (startedAt === null || bornAt(pid) === startedAt);

/** When the system says that process began: tells a reused number from its earlier owner. */
function bornAt(pid) {
  try {
    if (process.platform !== 'linux')
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything: the fields are counted after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
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
