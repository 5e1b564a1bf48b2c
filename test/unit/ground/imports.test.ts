/**
 * Who may import whom: the tree keeps the rules of .dependency-cruiser.cjs, and each rule is shown to bite on a small tree
 * that breaks it. The cruiser runs as its users run it, as a program.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');
const CONFIG = '.dependency-cruiser.cjs';
const FOLDERS = ['domain', 'policy', 'record', 'workflows', 'activities', 'client', 'workers', 'examples', 'bench', 'test', 'tools'];

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}
interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: { readonly violations: readonly Violation[] };
}

async function cruise(cwd: string): Promise<Cruise> {
  const folders = FOLDERS.filter((folder) => existsSync(join(cwd, folder)));
  const bin = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const stdout = await new Promise<string>((done, fail) => {
    execFile(
      process.execPath,
      [bin, '--no-progress', '--config', CONFIG, '--output-type', 'json', ...folders],
      { cwd, maxBuffer: 256 * 1024 * 1024 },
      (error, out) => {
        // A violation makes it exit with their number; no output means that it did not run.
        if (error && out === '') fail(new Error('the cruiser did not run', { cause: error }));
        else done(out);
      },
    );
  });
  return JSON.parse(stdout) as Cruise;
}

const sentence = ({ rule, from, to }: Violation): string => `${rule.name}: ${from} imports ${to}`;
const rulesOf = (config: string): string[] =>
  (createRequire(__filename)(config) as { forbidden: { name: string }[] }).forbidden.map((rule) => rule.name).sort();

/** Each rule, and files that break it: `file: what it imports`. */
const BROKEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'no-cycles': { 'domain/egg.ts': "import { hen } from './hen';\nexport const egg = () => hen;" },
  resolvable: { 'domain/lost.ts': "import { gone } from './gone';\nexport const lost = gone;" },
  'ships-no-dev-packages': { 'workers/checks.ts': "import fc from 'fast-check';\nexport const x = fc;" },
  'pure-no-node': {
    'domain/reads.ts': "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
    'policy/hashes.ts': "import { createHash } from 'node:crypto';\nexport const x = createHash;",
    'record/types.ts': "import type { Stats } from 'fs';\nexport type X = Stats;",
  },
  'domain-only-domain': {
    'domain/up.ts': "import { y } from '../policy/ok';\nexport const x = y;",
    'domain/stores.ts': "import type { T } from '../record/store/ok';\nexport type X = T;",
  },
  'domain-packages': { 'domain/clocks.ts': "import pg from 'pg';\nexport const x = pg;" },
  'policy-only-domain': { 'policy/acts.ts': "import { y } from '../activities/ok';\nexport const x = y;" },
  'policy-packages': { 'policy/sql.ts': "import { sql } from 'kysely';\nexport const x = sql;" },
  'policy-front-door': { 'activities/behind.ts': "import { y } from '../policy/ok';\nexport const x = y;" },
  'record-pure-only-domain': {
    'record/stores.ts': "import { y } from './store/ok';\nexport const x = y;",
    'record/rules.ts': "import { y } from '../policy/ok';\nexport const x = y;",
  },
  'record-pure-packages': { 'record/sql.ts': "import { sql } from 'kysely';\nexport const x = sql;" },
  'store-no-engine': { 'record/store/engine.ts': "import { Client } from '@temporalio/client';\nexport const x = Client;" },
  'workflows-no-node': { 'workflows/reads.ts': "import { join } from 'path';\nexport const x = join;" },
  'workflows-packages': {
    'workflows/checks.ts': "import { z } from 'zod';\nexport const x = z;",
    'workflows/calls.ts': "import { Client } from '@temporalio/client';\nexport const x = Client;",
  },
  'workflows-only-domain': { 'workflows/digests.ts': "import { y } from '../record/canonical';\nexport const x = y;" },
  'workflows-activity-types': { 'workflows/runs.ts': "import { y } from '../activities/ok';\nexport const x = y;" },
  'workflows-no-validators': { 'workflows/validates.ts': "import { y } from '../domain/request';\nexport const x = y;" },
  'activities-below': {
    'activities/calls.ts': "import { y } from '../client/ok';\nexport const x = y;",
    'activities/runs.ts': "import { y } from '../workflows/ok';\nexport const x = y;",
  },
  'activities-no-workflow-sdk': { 'activities/sleeps.ts': "import { sleep } from '@temporalio/workflow';\nexport const x = sleep;" },
  'client-public-doors': { 'client/mails.ts': "import { y } from '../activities/ok';\nexport const x = y;" },
  'client-only-protocol': { 'client/runs.ts': "import { y } from '../workflows/ok';\nexport const x = y;" },
  'client-no-worker': { 'client/works.ts': "import { Worker } from '@temporalio/worker';\nexport const x = Worker;" },
  'nobody-imports-workers': { 'client/starts.ts': "import { y } from '../workers/ok';\nexport const x = y;" },
  'workers-not-client': { 'workers/api.ts': "import { y } from '../client/ok';\nexport const x = y;" },
  'nobody-imports-client': { 'policy/calls.ts': "import { y } from '../client/ok';\nexport const x = y;" },
  'nobody-imports-test': { 'activities/tests.ts': "import { y } from '../test/ok';\nexport const x = y;" },
  'examples-outside': { 'examples/inside.ts': "import { y } from '../activities/ok';\nexport const x = y;" },
  'tools-alone': { 'tools/early.ts': "import { z } from 'zod';\nexport const x = z;" },
};

/** What the rules allow: a rule that forbids these too would be of no use. */
const ALLOWED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['domain', 'policy', 'record/store', 'activities', 'workflows', 'client', 'workers', 'test'].map((folder) => [
      `${folder}/ok.ts`,
      'export const y = 1;\nexport type T = number;',
    ]),
  ),
  'domain/request.ts': "import { z } from 'zod';\nexport const y = z;\nexport type T = number;",
  // The other half of the cycle, which is reported once.
  'domain/hen.ts': "import { egg } from './egg';\nexport const hen = () => egg;",
  'domain/fine.ts': "import { y } from './ok';\nimport { c } from '../record/canonical';\nexport const x = [y, c];",
  'record/canonical.ts':
    "import { sha256 } from '@noble/hashes/sha2.js';\nimport { y as base } from '../domain/ok';\nexport const y = [sha256, base];\nexport const c = y;",
  'record/store/fine.ts':
    "import { createHash } from 'node:crypto';\nimport { sql } from 'kysely';\nimport { c } from '../canonical';\nexport const x = [createHash, sql, c];",
  'policy/fine.ts':
    "import { parse } from 'yaml';\nimport { y } from '../domain/ok';\nimport { c } from '../record/canonical';\nexport const x = [parse, y, c];",
  'policy/index.ts': "export { x } from './fine';",
  'workflows/protocol.ts': "import type { T } from '../domain/ok';\nexport const y = 1;\nexport type X = T;",
  'workflows/fine.ts':
    "import { sleep } from '@temporalio/workflow';\nimport type { T } from '../activities/ok';\nimport type { T as R } from '../domain/request';\nimport { y } from './protocol';\nexport const x = [sleep, y];\nexport type X = T & R;",
  'activities/submit.ts':
    "import { readFileSync } from 'node:fs';\nimport { x as y } from '../policy';\nimport { y as p } from '../workflows/protocol';\nexport const x = [readFileSync, y, p];",
  'client/fine.ts':
    "import { x as submit } from '../activities/submit';\nimport { y } from '../workflows/protocol';\nimport { x as policy } from '../policy';\nexport const x = [submit, y, policy];",
  'workers/fine.ts': "import { Worker } from '@temporalio/worker';\nimport { y } from '../activities/ok';\nexport const x = [Worker, y];",
  'examples/fine.ts': "import { y } from '../client/ok';\nimport { x as helper } from '../workflows/fine';\nexport const x = [y, helper];",
  'test/fine.ts': "import { y } from '../workers/ok';\nimport { y as c } from '../client/ok';\nexport const x = [y, c];",
};

describe('the import rules', () => {
  it('hold in this tree', async () => {
    const { modules, summary } = await cruise(ROOT);
    expect(modules.map((m) => m.source)).toEqual(expect.arrayContaining(['domain/decide.ts', 'workflows/protocol.ts']));
    expect(summary.violations.map(sentence)).toEqual([]);
  });

  describe('on a tree that breaks each of them', () => {
    let dir = '';
    let violations: readonly Violation[] = [];
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'countersign-imports-'));
      await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'), 'dir');
      await Promise.all([CONFIG, 'tsconfig.json', 'package.json'].map((file) => copyFile(join(ROOT, file), join(dir, file))));
      for (const [file, text] of [...Object.entries(ALLOWED), ...Object.values(BROKEN).flatMap((files) => Object.entries(files))]) {
        await mkdir(dirname(join(dir, file)), { recursive: true });
        await writeFile(join(dir, file), text);
      }
      violations = (await cruise(dir)).summary.violations;
    });
    afterAll(() => rm(dir, { recursive: true, force: true }));

    it('are all tried here', () => {
      expect(Object.keys(BROKEN).sort()).toEqual(rulesOf(join(ROOT, CONFIG)));
    });

    it.each(Object.entries(BROKEN).flatMap(([rule, files]) => Object.keys(files).map((file) => [rule, file] as const)))('%s bites in %s', (rule, file) => {
      expect(violations.filter((v) => v.from === file).map((v) => v.rule.name)).toContain(rule);
    });

    it('let through what they allow', () => {
      expect(violations.filter((v) => Object.hasOwn(ALLOWED, v.from)).map(sentence)).toEqual([]);
    });
  });
});
