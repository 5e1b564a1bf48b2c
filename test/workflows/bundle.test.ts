/**
 * What the workflows carry into the sandbox, module by module: nothing that reads a zone or a clock of the machine, validates
 * at length, or touches the store. A bundle is what is replayed, so this is where an import that slipped through is seen.
 * Needs no engine.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';

const ROOT = join(__dirname, '..', '..');
const nothing = (): void => undefined;
const complaints: string[] = [];
const quiet: Logger = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: (message) => complaints.push(message) };

/** The packages that the SDK's workflow half brings along. */
const PACKAGES = /^\.\/node_modules\/(@temporalio\/(common|workflow)|nexus-rpc|ms|long)\//;
/** Ours: the workflows, and the domain without its validators. */
const OURS = /^\.\/(workflows\/|domain\/(?!request\.ts$))/;
/** Names that give another answer on another machine. */
const MACHINE = /\b(Intl|Temporal)\.|\btoLocale\w*String\(|\.get(FullYear|Month|Date|Day|Hours|Minutes|Seconds)\(|\bprocess\.|\bBuffer\./;

interface Module {
  readonly path: string;
  readonly code: string;
}

async function bundle(workflowsPath: string): Promise<readonly Module[]> {
  const { code } = await bundleWorkflowCode({ workflowsPath, payloadConverterPath: require.resolve('../../workflows/payload-converter'), logger: quiet });
  const [body = ''] = code.split('//# sourceMappingURL=');
  // Webpack heads each module with its path; `?1a2b` stands for a module that the SDK leaves empty.
  return body
    .split(/^\/\*\*\*\/ (?=")/m)
    .slice(1)
    .map((part) => {
      const [, path = ''] = /^"([^"]+)"/.exec(part) ?? [];
      return { path, code: part };
    });
}

const strangers = (modules: readonly Module[]): string[] =>
  modules.map((m) => m.path).filter((path) => !path.startsWith('?') && !PACKAGES.test(path) && !OURS.test(path));
const machineReaders = (modules: readonly Module[]): string[] =>
  modules.filter((m) => OURS.test(m.path) && MACHINE.test(m.code.replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''))).map((m) => m.path);

describe('the workflow bundle', () => {
  let modules: readonly Module[] = [];
  beforeAll(async () => {
    modules = await bundle(join(ROOT, 'workflows', 'index.ts'));
  });

  it('holds the workflows', () => {
    expect(modules.map((m) => m.path)).toEqual(expect.arrayContaining(['./workflows/index.ts', './workflows/approval.ts', './workflows/protocol.ts']));
  });

  it('holds nothing but the workflows, the domain and the workflow half of the SDK: no zod, no moment, no store, no Node', () => {
    expect(strangers(modules)).toEqual([]);
  });

  it('reads no zone, no locale and nothing of the process', () => {
    expect(machineReaders(modules)).toEqual([]);
  });
});

describe('the check itself', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'countersign-bundle-'));
    await Promise.all(['workflows', 'domain', 'record'].map((folder) => mkdir(join(dir, folder))));
    await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'), 'dir');
    await writeFile(join(dir, 'record', 'store.ts'), 'export const rows = 1;\n');
    await writeFile(
      join(dir, 'workflows', 'strange.ts'),
      "import { z } from 'zod';\nimport { rows } from '../record/store';\nexport async function strange() { return z.number().parse(rows); }\n",
    );
    await writeFile(join(dir, 'workflows', 'local.ts'), "export async function local() { return new Intl.DateTimeFormat('en').format(0); }\n");
    await writeFile(
      join(dir, 'workflows', 'node.ts'),
      "import { readFileSync } from 'node:fs';\nexport async function node() { return readFileSync('x', 'utf8'); }\n",
    );
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('names a validator and a store that slipped in', async () => {
    const found = strangers(await bundle(join(dir, 'workflows', 'strange.ts')));
    expect(found.some((path) => path.includes('node_modules/zod/'))).toBe(true);
    expect(found.some((path) => path.includes('record/store.ts'))).toBe(true);
  });

  it('names a zone that is read', async () => {
    const modules = await bundle(join(dir, 'workflows', 'local.ts'));
    expect(modules.some((m) => m.path.endsWith('workflows/local.ts') && MACHINE.test(m.code))).toBe(true);
  });

  it('refuses Node built-ins outright', async () => {
    complaints.length = 0;
    await expect(bundle(join(dir, 'workflows', 'node.ts'))).rejects.toThrow('Webpack finished with errors');
    expect(complaints.join('\n')).toContain('node:fs');
  });
});
