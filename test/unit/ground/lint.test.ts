/**
 * The names that a folder's promise forbids are refused by the linter: shown by linting text that breaks the promise as if it
 * stood in a file of that folder, with the configuration of this repository.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(__dirname, '..', '..', '..');

interface Finding {
  readonly ruleId: string | null;
  readonly line: number;
  readonly message: string;
}

/** Lints each text as if it were that file, by the folder's promises alone: they need no types, and so no program to compile. */
const SCRIPT = `
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { promises } from ${JSON.stringify(pathToFileURL(join(ROOT, 'eslint.config.mjs')).href)};
const [file, text] = JSON.parse(process.argv[1]);
const config = [{ files: ['**/*.ts'], languageOptions: { parser: tseslint.parser }, plugins: { '@typescript-eslint': tseslint.plugin } }, ...promises];
process.stdout.write(JSON.stringify(new Linter({ cwd: process.cwd() }).verify(text, config, { filename: file })));
`;

function lint(asFile: string, text: string): Promise<readonly Finding[]> {
  return new Promise((done, fail) => {
    execFile(process.execPath, ['--input-type=module', '-e', SCRIPT, JSON.stringify([asFile, text])], { cwd: ROOT }, (error, stdout) => {
      if (error) fail(new Error('the linter did not run', { cause: error }));
      else done(JSON.parse(stdout) as readonly Finding[]);
    });
  });
}

/** Each statement stands on a line of its own; the linter must object to every line. */
async function refused(asFile: string, lines: readonly string[]): Promise<void> {
  const findings = await lint(asFile, lines.join('\n'));
  expect(findings.filter((f) => f.ruleId === null)).toEqual([]);
  const restricted = findings.filter((f) => f.ruleId?.includes('no-restricted'));
  expect([...new Set(restricted.map((f) => f.line))].sort((a, b) => a - b)).toEqual(lines.map((_, i) => i + 1));
}

describe('the linter', () => {
  it('keeps zones, locales, Node and zod out of workflows', async () => {
    await refused('workflows/reconcile.ts', [
      "import { z } from 'zod';",
      "import { readFileSync } from 'node:fs';",
      "import { join } from 'path';",
      "export const a = new Intl.DateTimeFormat('en');",
      'export const b = new Date(0).getHours();',
      'export const c = (1).toString() + new Date(0).toLocaleDateString();',
      'export const d = process.env;',
      "export const e = Buffer.from('x');",
      "export const f = fetch('https://example.com');",
      "export const g = 'a'.localeCompare('b');",
    ]);
  }, 60_000);

  it('keeps clocks, chance and Node out of the domain', async () => {
    await refused('domain/json.ts', [
      "import { createHash } from 'node:crypto';",
      'export const a = Date.now();',
      'export const b = new Date();',
      'export const c = Math.random();',
      'export const d = process.env;',
      'export const e = setTimeout(() => undefined, 1);',
    ]);
  }, 60_000);

  it('lets the domain make an instant from its argument', async () => {
    expect(await lint('domain/json.ts', 'export const at = (milliseconds: number): string => new Date(milliseconds).toISOString();\n')).toEqual([]);
  }, 60_000);
});
