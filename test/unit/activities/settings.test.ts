/** docs/settings.md is the one table of all settings, and it says what the code does: their names, who reads them, and their defaults. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../../../activities/config';

const ROOT = join(__dirname, '..', '..', '..');
const FOLDERS = ['domain', 'policy', 'record', 'workflows', 'activities', 'workers', 'client', 'examples', 'tools'];
/** Words of the same form that are no settings of ours: a constant, and a variable of docker-compose.yml alone (docs/compose.md). */
const OTHERS = ['LOG_MAX', 'TEMPORAL_DB_PASSWORD'];

const rows = readFileSync(join(ROOT, 'docs', 'settings.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [name = '', readers = '', meaning = '', preset = '', production = ''] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { name: name.replaceAll('`', ''), readers, meaning, preset: preset.replaceAll('`', ''), production };
  });

/** Every word in the sources that is formed like a setting. */
function named(): string[] {
  const files = FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(ROOT, folder, name)));
  const words = files
    .filter((file) => /\.(ts|mjs|cjs|py)$/.test(file) && !file.includes('node_modules'))
    .flatMap((file) => readFileSync(file, 'utf8').match(/\b(?:COUNTERSIGN|TEMPORAL|DATABASE|SMTP|MAIL_SINK|CHROMIUM|XDG|LOG)_[A-Z0-9_]+\b/g) ?? []);
  return [...new Set(words)].filter((word) => !OTHERS.includes(word)).sort();
}

it('names every setting that the sources name, and no other, each once', () => {
  expect(rows.map((row) => row.name).sort()).toEqual(named());
});

it('gives the worker and the API exactly what they read, with the defaults that they have', () => {
  const documented = rows.filter(({ readers }) => /\b(worker|API)\b/.test(readers));
  // The owner of the tables is known to both, so that it is checked wherever it is given.
  const read = [...documented, ...rows.filter(({ name }) => name === 'DATABASE_ADMIN_URL')];
  expect(Object.fromEntries(read.map(({ name, preset }) => [name, preset]))).toEqual(
    Object.fromEntries(SETTINGS.map(({ name, preset }) => [name, preset ?? ''])),
  );
});

it('says of each what it means', () => {
  for (const { name, readers, meaning } of rows) expect({ name, said: readers !== '' && meaning !== '' }).toEqual({ name, said: true });
});
