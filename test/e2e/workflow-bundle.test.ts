/**
 * The workflows bundled ahead: the same bytes wherever they are built, and a worker that takes nothing else for them.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBundle, writeBundle } from '../../workers/bundle';
import { runTs } from '../support/program';

let dir: string;
let path: string;
let text: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-bundle-'));
  path = join(dir, 'dist', 'workflow-bundle.js');
  await writeBundle(path);
  text = readFileSync(path, 'utf8');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The bundle's text, changed, in a file of its own. */
function changed(name: string, change: (text: string) => string): string {
  const file = join(dir, name);
  writeFileSync(file, change(text));
  return file;
}

it('npm run build:workflows makes it, and twice the same bytes, with nothing of the machine in it', async () => {
  const again = join(dir, 'again.js');
  const program = runTs('workers/bundle.ts', [again]);
  expect(await program.ended).toBe(0);
  expect(readFileSync(again, 'utf8')).toBe(text);
  const hash = /sha256=([0-9a-f]{64})/.exec(text)?.[1] ?? '';
  expect(program.output()).toBe(`${again}\nsha256 ${hash}\n`);
  const root = join(__dirname, '..', '..');
  const map = Buffer.from(text.slice(text.lastIndexOf('base64,') + 'base64,'.length), 'base64').toString('utf8');
  for (const whole of [text, map]) expect(whole).not.toContain(root);
  expect(JSON.parse(map)).not.toHaveProperty('sourcesContent');
});

it('holds the converters by which a worker reads payloads and writes failures', () => {
  for (const module of ['./workflows/payload-converter.ts', './workflows/failure-converter.ts', './workflows/approval.ts'])
    expect(text).toContain(`"${module}"`);
});

it('is read as it was written', () => {
  expect(readBundle(path)).toEqual({ code: text });
});

describe('a worker refuses, in a sentence that says how to make one,', () => {
  it.each([
    ['none', () => join(dir, 'nowhere.js'), /cannot be read \(ENOENT\)/],
    [
      'a folder',
      () => {
        mkdirSync(join(dir, 'folder'), { recursive: true });
        return join(dir, 'folder');
      },
      /cannot be read \(EISDIR\)/,
    ],
    ['one that somebody else made', () => changed('foreign.js', () => 'var __TEMPORAL__ = {};'), /is not a bundle of Countersign/],
    ['one that was cut off', () => changed('short.js', (t) => t.slice(0, -1_000)), /was cut off or changed/],
    ['one that was changed', () => changed('changed.js', (t) => t.replace('nonCancellable', 'cancellable')), /was cut off or changed/],
    ['one for another SDK', () => changed('sdk.js', (t) => t.replace(/sdk=\S+/, 'sdk=1.23.0')), /was made for version 1\.23\.0 of the Temporal SDK/],
    [
      'one from other sources',
      () => changed('old.js', (t) => t.replace(/sources=\S+/, `sources=${'0'.repeat(64)}`)),
      /was made from other sources than this release has/,
    ],
  ] as const)('%s', (_, file, why) => {
    const sentence = new RegExp(
      `^The settings cannot be used: COUNTERSIGN_WORKFLOW_BUNDLE names \\S+, which ${why.source}.*: make it with npm run build:workflows\\.$`,
    );
    expect(() => readBundle(file())).toThrow(sentence);
  });
});
