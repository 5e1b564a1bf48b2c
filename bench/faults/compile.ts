/**
 * The product's programs, compiled ahead file by file into a folder: what is started hundreds of times is then started, and not compiled
 * each time. The folder looks like the repository, with each source beside what was made of it.
 */
import { copyFileSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformFileSync } from '@swc/core';

const ROOT = join(__dirname, '..', '..');
const FOLDERS = ['activities', 'client', 'domain', 'policy', 'record', 'workers', 'workflows'];

export function compile(into: string): string {
  for (const folder of FOLDERS) {
    cpSync(join(ROOT, folder), join(into, folder), { recursive: true });
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const path = join(into, folder, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(path), { recursive: true });
      const { code } = transformFileSync(join(ROOT, folder, name), {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
      });
      writeFileSync(path, code);
    }
  }
  copyFileSync(join(ROOT, 'package.json'), join(into, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(into, 'node_modules'));
  return into;
}
