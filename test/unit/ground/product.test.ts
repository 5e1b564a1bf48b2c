/** The repository speaks of the product alone: no machine it was written on, no registry it was fetched from, nothing left to do. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..', '..');

/** What is in the repository, or would be with the next commit. */
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

/** Lines of text files that match, as `file:line`. A file with a zero byte is not text. */
function linesWith(pattern: RegExp, among: (file: string) => boolean = () => true): string[] {
  return files.filter(among).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    if (text.includes('\0')) return [];
    return text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim().slice(0, 120)}`] : []));
  });
}

describe('the repository', () => {
  it('has files to look at', () => {
    expect(files).toEqual(expect.arrayContaining(['package.json', 'package-lock.json', 'LICENSE', 'domain/decide.ts']));
  });

  it('names no registry in its lock file: any mirror can serve it', () => {
    expect(linesWith(/"resolved":|https?:\/\/[^"]*(registry|npm|artifact|proxy)[^"]*\.tgz/, (file) => file === 'package-lock.json')).toEqual([]);
  });

  it('names no registry in its settings', () => {
    expect(linesWith(/registry\s*=|_authToken/, (file) => /(^|\/)\.(npmrc|yarnrc(\.yml)?)$/.test(file))).toEqual([]);
  });

  it('names no path of the machine it was written on', () => {
    expect(linesWith(/(^|[\s"'`(=:[])\/(work|root|home\/[a-z]+|Users\/[A-Za-z]+)\/(?!\*)[\w.]/)).toEqual([]);
  });

  it('leaves nothing marked as to be done', () => {
    const marks = new RegExp(`\\b(${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|${['HA', 'CK'].join('')})\\b`);
    expect(linesWith(marks, (file) => file !== 'package-lock.json')).toEqual([]);
  });

  it('switches off no rule and no type check', () => {
    const off = new RegExp(`${['eslint', 'disable'].join('-')}|@ts-(ignore|nocheck|expect-error)|prettier-${'ignore'}\\b`);
    expect(linesWith(off, (file) => /\.(ts|mjs|cjs|js)$/.test(file) && !['eslint.config.mjs', 'test/unit/ground/product.test.ts'].includes(file))).toEqual([]);
  });

  it('is under the Apache licence, version 2.0, in full', () => {
    const licence = readFileSync(join(ROOT, 'LICENSE'), 'utf8');
    expect(licence).toContain('Apache License');
    expect(licence).toContain('Version 2.0, January 2004');
    expect(licence).toContain('END OF TERMS AND CONDITIONS');
    expect(licence).toContain('Countersign contributors');
    expect((JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { license: string }).license).toBe('Apache-2.0');
  });
});
