/**
 * The services of docker-compose.yml as plain processes of this machine: each service's own command, environment, health check and
 * order, and the very programs of its image. What a container gives a process is mapped, and nothing else:
 *
 * - a service's name is 127.0.0.1, and each of its ports a free one; 0.0.0.0 is 127.0.0.1. A port is what `expose` or `ports` name.
 *   The Temporal server's other ports, which its image leaves at fixed numbers, are given by the image's own settings.
 * - /app is a directory laid out by ./image; /run/secrets, volumes and mounted files lie in a temporary directory. `init` as tini,
 *   read-only roots, capabilities and limits have no counterpart.
 * - `postgres` is the PostgreSQL of the same version from npm; its image's first start (initdb, the database of POSTGRES_DB) is done here.
 * - A service is stopped by its image's signal, within its own grace period; one that ends unasked is started again, and a one-shot that
 *   fails as often as the file says. One that lost a port before it ever served gets others.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Client } from 'pg';
import { onPath } from '../../../workers/engine/binary';
import { run } from '../../../workers/engine/run';
import { endWithUs } from '../../../workers/engine/watchdog';
import { programs, runAs, type RunAs } from '../../../workers/store/places';
import { holdPort } from '../ports';
import { layOutImage } from './image';
import { durationMs, type Project, type Service } from './project';
import type { TemporalPrograms } from './tools';
import { lostPort, whyOf } from './words';

export interface Stack {
  /** Where a service's port is here. */
  port(service: string, port: number): number;
  /** Starts what is not running, each service when what it depends on is as it asks. */
  up(services?: readonly string[]): Promise<void>;
  /** Asks it to stop as the engine of containers would; fails unless it does within its grace period. */
  stop(service: string): Promise<void>;
  /** The processes, for those who end them. */
  pid(service: string): number;
  /** All that it said, since the first start. */
  logs(service: string): string;
  /** `docker compose run --rm SERVICE COMMAND`: its environment, another command. */
  run(service: string, command: readonly string[], env?: Readonly<Record<string, string>>): Promise<{ readonly code: number | null; readonly output: string }>;
  /** Which services started, finished or became healthy, in the order in which they did. */
  readonly story: readonly string[];
  /** What a service is given, as it reads here. */
  environment(service: string): Readonly<Record<string, string>>;
  /** The same installation with other settings: what runs keeps running until it is stopped. */
  settle(project: Project): void;
  close(): Promise<void>;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly callOff: () => void;
}

const ONE_SHOT_MS = 180_000;
const LOOK_MS = 200;
const RESTART_MS = 500;

/** What the images name for themselves: the signal that stops them, and the command where the file gives none. */
const IMAGES: Readonly<Record<string, { readonly stop: NodeJS.Signals; readonly command: readonly string[] }>> = {
  postgres: { stop: 'SIGINT', command: ['postgres'] },
  'temporalio/server': { stop: 'SIGTERM', command: ['/etc/temporal/entrypoint.sh'] },
  'temporalio/admin-tools': { stop: 'SIGTERM', command: [] },
  'temporalio/ui': { stop: 'SIGTERM', command: ['./start-ui-server.sh'] },
  countersign: { stop: 'SIGTERM', command: [] },
};
const SERVER_PORTS = ['HISTORY', 'MATCHING', 'WORKER'].map((name) => `${name}_GRPC_PORT`);
const MEMBERSHIP_PORTS = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'].map((name) => `${name}_MEMBERSHIP_PORT`);

const imageOf = (service: Service): string => service.image.split(':', 1)[0] ?? '';
const portsOf = (service: Service): number[] => [...service.expose.map(Number), ...service.ports.map((port) => port.target)];

export async function openStack(first: Project, temporal: TemporalPrograms): Promise<Stack> {
  let project = first;
  const dir = mkdtempSync(join(tmpdir(), 'countersign-compose-'));
  // PostgreSQL's own user passes through.
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'volumes'), { mode: 0o755 });
  const image = await layOutImage(dir);
  const bins = layOutPrograms(dir, temporal);
  const ports = new Map<string, number>();
  const internal: Record<string, string> = {};
  const drawPorts = async (name: string, service: Service): Promise<void> => {
    for (const port of portsOf(service)) ports.set(`${name}:${String(port)}`, await holdPort());
    if (imageOf(service) !== 'temporalio/server') return;
    for (const port of [...SERVER_PORTS, ...MEMBERSHIP_PORTS]) internal[port] = String(await holdPort());
  };
  for (const [name, service] of Object.entries(project.services)) await drawPorts(name, service);

  const running = new Map<string, Running>();
  /** What each start of a service said. */
  const said = new Map<string, string[]>();
  /** Others have been told their ports. */
  const served = new Set<string>();
  const done = new Set<string>();
  const stopping = new Set<string>();
  const waiting = new Set<NodeJS.Timeout>();
  const story: string[] = [];

  const why = (name: string): string => whyOf(said.get(name) ?? []);
  const service = (name: string): Service => {
    const found = project.services[name];
    if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
    return found;
  };
  const port = (name: string, wanted: number): number => {
    const found = ports.get(`${name}:${String(wanted)}`);
    if (found === undefined) throw new Error(`Service ${name} names no port ${String(wanted)}`);
    return found;
  };

  /** One value of a service as it reads here. */
  function here(name: string, value: string): string {
    const { services, secrets } = project;
    const mine = service(name);
    if (value === '0.0.0.0' || services[value] !== undefined) return '127.0.0.1';
    if (/^\d+$/.test(value)) return portHere(name, value);
    let text = value;
    for (const other of Object.keys(services))
      text = text.replace(new RegExp(`(?<![\\w.-])${other}:(\\d+)`, 'g'), (_, wanted: string) => `127.0.0.1:${String(port(other, Number(wanted)))}`);
    // Its own loopback, where another did not just become that.
    if (text === value) text = text.replace(/127\.0\.0\.1:(\d+)/g, (_, wanted: string) => `127.0.0.1:${String(port(name, Number(wanted)))}`);
    for (const { source, target } of mine.secrets) text = text.replaceAll(target, secrets[source]?.file ?? target);
    for (const { type, source, target } of mine.volumes) text = text.replaceAll(target, type === 'bind' ? source : volume(source));
    return text.replace(/(?<![\w.-])\/app(?=\/|$)/g, image.app).replaceAll('/etc/temporal/entrypoint.sh', temporal.entrypoint);
  }

  /** A number that is a port of the service, or of one that its environment names. */
  function portHere(name: string, value: string): string {
    const own = ports.get(`${name}:${value}`);
    const named = Object.values(service(name).environment).filter((text) => project.services[text] !== undefined);
    const others = named.flatMap((other) => ports.get(`${other}:${value}`) ?? []);
    return String(own ?? others[0] ?? value);
  }

  const volume = (name: string): string => join(dir, 'volumes', name);

  function environment(name: string): Record<string, string> {
    const { environment: given, ...mine } = service(name);
    const own = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, here(name, value)]));
    const home = join(dir, 'homes', name);
    mkdirSync(home, { recursive: true });
    const base = { HOME: home, PATH: `${bins}:${process.env['PATH'] ?? ''}` };
    if (imageOf(mine as Service) === 'countersign') return { ...base, ...image.env, ...own };
    if (imageOf(mine as Service) === 'temporalio/server')
      return { ...base, ...internal, FRONTEND_GRPC_PORT: portHere(name, '7233'), FRONTEND_HTTP_PORT: portHere(name, '7243'), ...own };
    return { ...base, ...own };
  }

  function command(name: string): readonly string[] {
    const mine = service(name);
    const given = mine.command ?? IMAGES[imageOf(mine)]?.command ?? [];
    if (given.length === 0) throw new Error(`Service ${name} has no command`);
    // The scripts of two images begin with what only the shells of their own systems know.
    const script = given[0]?.endsWith('.sh') ? ['bash'] : [];
    return [...script, ...given.map((arg) => here(name, arg))];
  }

  async function launch(name: string): Promise<Running> {
    const mine = service(name);
    const kind = imageOf(mine);
    const as = kind === 'postgres' ? runAs() : null;
    const env = environment(name);
    let args = command(name);
    if (kind === 'postgres') args = [...args, ...(await firstStart(name, volume(mine.volumes[0]?.source ?? name), env, as)), '-p', portHere(name, '5432')];
    const cwd = kind === 'countersign' ? image.app : kind === 'temporalio/ui' ? temporal.ui : dir;
    const child = spawn(args[0] ?? '', args.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...(as ?? {}) });
    const starts = said.get(name) ?? [];
    const nth = starts.push('') - 1;
    said.set(name, starts);
    const take = (chunk: Buffer): void => void (starts[nth] = ((starts[nth] ?? '') + chunk.toString('utf8')).slice(-400_000));
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    const callOff = child.pid === undefined ? () => undefined : endWithUs(child.pid, kind === 'postgres' ? 'INT' : 'TERM');
    void ended.then(callOff, callOff);
    return { child, ended, callOff };
  }

  /** What the image does before its first start; the arguments that say where it lies here. */
  async function firstStart(name: string, data: string, env: Record<string, string>, as: RunAs | null): Promise<string[]> {
    const where = ['-D', data, '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
    if (existsSync(data)) return where;
    const { POSTGRES_USER = '', POSTGRES_PASSWORD = '', POSTGRES_DB = '', POSTGRES_INITDB_ARGS = '' } = env;
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const secret = join(dir, `${name}.password`);
    writeFileSync(secret, `${POSTGRES_PASSWORD}\n`, { mode: 0o600 });
    if (as) for (const path of [data, secret]) chownSync(path, as.uid, as.gid);
    const { initdb } = programs(as, () => undefined);
    await finished(initdb, ['-D', data, '-U', POSTGRES_USER, `--pwfile=${secret}`, '--no-sync', ...POSTGRES_INITDB_ARGS.split(' ')], env, as);
    rmSync(secret);
    const at = await holdPort();
    const once = spawn(join(bins, 'postgres'), [...where, '-p', String(at)], { cwd: dir, env, stdio: 'ignore', ...(as ?? {}) });
    const gone = new Promise((resolve) => once.once('exit', resolve));
    await retry(`the first start of ${name}`, async () => {
      const admin = new Client({ connectionString: `postgresql://${POSTGRES_USER}:${POSTGRES_PASSWORD}@127.0.0.1:${String(at)}/postgres` });
      await admin.connect();
      await admin.query(`create database "${POSTGRES_DB}"`).finally(() => admin.end());
    });
    once.kill('SIGINT');
    await gone;
    return where;
  }

  async function finished(program: string, args: readonly string[], env: Record<string, string>, as: RunAs | null): Promise<void> {
    const child = spawn(program, args, { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'], ...(as ?? {}) });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${basename(program)} failed: ${output}`);
  }

  async function healthy(name: string): Promise<boolean> {
    const { test: [, ...test] = [], timeout = '5s' } = service(name).healthcheck ?? {};
    const [program = '', ...args] = test.map((arg) => here(name, arg));
    if (program === 'pg_isready' && onPath('pg_isready', { PATH: bins }) === null) return await answersSql(args);
    return (await run(program, args, { env: environment(name), timeoutMs: durationMs(timeout) }).catch(() => ({ code: 1 }))).code === 0;
  }

  async function bring(name: string, starting: Map<string, Promise<void>>): Promise<void> {
    const mine = service(name);
    for (const [other, { condition, required }] of Object.entries(mine.depends_on)) {
      if (project.services[other] === undefined && !required) continue;
      await started(other, starting);
      if (condition === 'service_completed_successfully' && !done.has(other)) throw new Error(`${other} has not finished`);
    }
    if (running.has(name) || done.has(name)) return;
    story.push(`${name} starts`);
    if (mine.healthcheck === undefined) return await finish(name, mine);
    const live = await launch(name);
    stopping.delete(name);
    running.set(name, live);
    attend(name, live);
    // As long as the engine of containers leaves it before it calls it unhealthy.
    const { start_period, interval, timeout, retries } = mine.healthcheck;
    const limit = Date.now() + durationMs(start_period) + retries * (durationMs(interval) + durationMs(timeout));
    while (!(await healthy(name))) {
      if (Date.now() > limit) throw new Error(`${name} did not become healthy: ${why(name)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    served.add(name);
    story.push(`${name} healthy`);
  }

  /** One that runs to its end: again where it fails, as often as `restart: on-failure:N` has it. */
  async function finish(name: string, { restart }: Service): Promise<void> {
    for (let left = Number(/^on-failure:(\d+)$/.exec(restart)?.[1] ?? 0); ; left -= 1) {
      const live = await launch(name);
      const code = await within(ONE_SHOT_MS, live.ended, () => `${name} did not end: ${why(name)}`).catch((error: unknown) => {
        live.child.kill('SIGKILL');
        throw error;
      });
      if (code === 0) break;
      if (left <= 0) throw new Error(`${name} ended with ${String(code)}: ${why(name)}`);
      story.push(`${name} ended with ${String(code)} and is started again`);
      await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
    }
    done.add(name);
    story.push(`${name} finished`);
  }

  /** What ends unasked is started again, as `restart: unless-stopped` has it. */
  function attend(name: string, live: Running): void {
    void live.ended.then((code) => {
      if (running.get(name) !== live) return;
      running.delete(name);
      if (stopping.has(name) || service(name).restart !== 'unless-stopped') return;
      story.push(`${name} ended with ${String(code)} and is started again`);
      const wait = setTimeout(() => {
        waiting.delete(wait);
        void again(name).then((next) => {
          running.set(name, next);
          attend(name, next);
        });
      }, RESTART_MS);
      waiting.add(wait);
    });
  }

  async function again(name: string): Promise<Running> {
    // Somebody who is none of ours has it, and may keep it.
    if (!served.has(name) && lostPort(said.get(name)?.at(-1) ?? '')) await drawPorts(name, service(name));
    return await launch(name);
  }

  const started = (name: string, starting: Map<string, Promise<void>>): Promise<void> => {
    const known = starting.get(name) ?? bring(name, starting);
    starting.set(name, known);
    return known;
  };

  async function stop(name: string): Promise<void> {
    stopping.add(name);
    const live = running.get(name);
    if (!live) return;
    live.child.kill(IMAGES[imageOf(service(name))]?.stop ?? 'SIGTERM');
    try {
      await within(durationMs(service(name).stop_grace_period), live.ended, () => `${name} did not stop within its grace period`);
    } catch (error) {
      live.child.kill('SIGKILL');
      throw error;
    }
  }

  return {
    port,
    story,
    logs: (name) => (said.get(name) ?? []).join(''),
    pid: (name) => running.get(name)?.child.pid ?? 0,
    async up(services = Object.keys(project.services)) {
      const starting = new Map<string, Promise<void>>();
      const all = await Promise.allSettled(services.map((name) => started(name, starting)));
      const why = all.flatMap((each) => (each.status === 'rejected' ? [String(each.reason).slice(0, 2_000)] : []));
      if (why.length > 0) throw new Error([...new Set(why)].join('\n'));
    },
    stop,
    environment,
    async run(name, given, env = {}) {
      const [program = '', ...args] = given.map((arg) => here(name, arg));
      const kind = imageOf(service(name));
      return await run(program, args, { cwd: kind === 'countersign' ? image.app : dir, env: { ...environment(name), ...env }, timeoutMs: ONE_SHOT_MS });
    },
    settle(next) {
      project = next;
    },
    async close() {
      for (const name of Object.keys(project.services)) stopping.add(name);
      for (const wait of waiting) clearTimeout(wait);
      // What depends on others goes first.
      for (const name of stopOrder(project)) await stop(name).catch(() => undefined);
      for (const { child } of running.values()) child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A bin directory as the images have one: the servers' programs and PostgreSQL's. */
function layOutPrograms(dir: string, temporal: TemporalPrograms): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const name of readdirSync(temporal.bin)) symlinkSync(join(temporal.bin, name), join(bin, name));
  symlinkSync(programs(runAs(), () => undefined).postgres, join(bin, 'postgres'));
  const debian = '/usr/lib/postgresql';
  const places = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, 'bin', 'pg_isready')) : [];
  const probe = onPath('pg_isready', process.env) ?? places.find(existsSync);
  if (probe !== undefined) symlinkSync(probe, join(bin, 'pg_isready'));
  return bin;
}

/** Where `pg_isready` is not installed: whether the server asks for a password, as it does when it takes connections. */
async function answersSql(args: readonly string[]): Promise<boolean> {
  const at = (flag: string): string => args[args.indexOf(flag) + 1] ?? '';
  const client = new Client({ host: at('-h'), port: Number(at('-p')), user: at('-U'), database: at('-d'), password: 'not this one' });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === '28P01';
  }
}

function stopOrder(project: Project): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    for (const [other, { depends_on }] of Object.entries(project.services)) if (name in depends_on) visit(other);
    order.push(name);
  };
  for (const name of Object.keys(project.services)) visit(name);
  return order;
}

async function within<T>(ms: number, work: Promise<T>, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what())), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function retry(what: string, work: () => Promise<void>): Promise<void> {
  const until = Date.now() + 30_000;
  for (;;) {
    try {
      return await work();
    } catch (cause) {
      if (Date.now() > until) throw new Error(`It did not work: ${what}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The directory of an installation, as an operator has it: the files of the repository that Compose reads. */
export function layOutInstallation(root: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-installation-'));
  chmodSync(dir, 0o755);
  copyFileSync(join(root, 'docker-compose.yml'), join(dir, 'docker-compose.yml'));
  cpSync(join(root, 'deploy'), join(dir, 'deploy'), { recursive: true });
  return dir;
}
