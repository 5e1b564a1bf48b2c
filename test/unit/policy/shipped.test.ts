/** The policies that ship: no finding, not even a doubt, and every scenario passes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkAgainstDirectory, compilePolicy, formatFindings, parseDirectory, partition, testScenarios } from '../../../policy';

const root = join(__dirname, '..', '..', '..', 'examples', 'policies');
const shipped = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory());

const filesOf = (name: string) =>
  partition(
    readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.yaml'))
      .map((path) => ({ path: relative(join(root, name), join(root, name, path)), text: readFileSync(join(root, name, path), 'utf8') })),
  );

it('are those that the documentation names', () => {
  const page = readFileSync(join(root, '..', '..', 'docs', 'policy.md'), 'utf8');
  const named = /## Policies to begin with\n([\s\S]*?)\n## /.exec(page)?.[1]?.match(/^\| `[a-z-]+` /gm) ?? [];
  expect(named.map((cell) => cell.replace(/[^a-z-]/g, '')).sort()).toEqual([...shipped].sort());
});

describe.each(shipped)('%s', (name) => {
  const files = filesOf(name);
  const { policy, findings } = compilePolicy(files.policy);
  const people = parseDirectory(files.directory?.text ?? '', 'directory.yaml');

  it('has no finding, alone or against its directory', () => {
    expect(formatFindings([...findings, ...people.findings])).toBe('');
    expect(policy && people.directory && formatFindings(checkAgainstDirectory(policy, people.directory))).toBe('');
  });

  it('does what its scenarios expect, and has one for each row', () => {
    if (!policy) throw new Error(formatFindings(findings));
    const { scenarios, findings: failures } = testScenarios(policy, people.directory, files.scenarios);
    expect(formatFindings(failures)).toBe('');
    expect(scenarios.length).toBeGreaterThan(policy.rows.length);
    const text = files.scenarios.map((f) => f.text).join('\n');
    expect(policy.rows.map((r) => r.id).filter((id) => !new RegExp(`\\brows: \\[[^\\]]*\\b${id}\\b`).test(text))).toEqual([]);
  });

  it('tells editors its schema, in its files and its scenarios', () => {
    for (const { path, text } of [...files.policy, ...files.scenarios])
      expect([path, text]).toEqual([path, expect.stringMatching(/^# yaml-language-server: \$schema=(\.\.\/)+(policy|scenarios)\.schema\.json\n/)]);
  });
});
