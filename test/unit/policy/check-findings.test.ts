/** The page of findings lists every code with its sentence, and each code is produced by a test of the policy. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FINDINGS } from '../../../policy';

const page = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'findings.md'), 'utf8');
const tests = readdirSync(__dirname)
  .filter((file) => file.endsWith('.test.ts') && file !== 'check-findings.test.ts')
  .map((file) => readFileSync(join(__dirname, file), 'utf8'))
  .join('\n');

it('lists every code with its sentence, and no other', () => {
  const listed = [...page.matchAll(/^\| `([a-z_]+)` \| (.+) \|$/gm)].map(([, code, sentence]) => [code, sentence?.replaceAll('\\|', '|')]);
  expect(listed).toEqual(Object.entries(FINDINGS));
});

it.each(Object.keys(FINDINGS))('%s is found by a test', (code) => {
  expect(new RegExp(`\\b${code}\\b`).test(tests)).toBe(true);
});

it.each(Object.entries(FINDINGS))('%s is said in one sentence', (_, sentence) => {
  expect(sentence).toMatch(/^[A-Z`].*[^.]\.$/);
});
