/**
 * Strings that must not be found, and where they are looked for: every file of a server's database, in each form in which a text
 * can lie in bytes.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A text that nothing else contains, one for each name. */
export function canaries<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, string>> {
  return Object.fromEntries(names.map((name) => [name, `Canary${randomBytes(8).toString('hex')}`])) as Record<Name, string>;
}

/** Names of those that lie somewhere below `dir`. */
export function found<Name extends string>(dir: string, wanted: Readonly<Record<Name, string>>): Name[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  return (Object.entries(wanted) as [Name, string][])
    .filter(([, text]) => formsOf(text).some((form) => bytes.some((b) => b.includes(form))))
    .map(([name]) => name);
}

/** As UTF-8, as UTF-16 of either order, in hex, and in base64 wherever in a longer text it begins. */
function formsOf(text: string): Buffer[] {
  const utf8 = Buffer.from(text);
  const utf16 = Buffer.from(text, 'utf16le');
  const base64 = [0, 1, 2].flatMap((shift) => {
    // Letters that depend on neighbours are left out, at both ends.
    const whole = Buffer.concat([Buffer.alloc(shift), utf8])
      .toString('base64')
      .replace(/=+$/, '');
    const sure = whole.slice(shift === 0 ? 0 : shift + 1, (shift + utf8.length) % 3 === 0 ? undefined : -1);
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [utf8, utf16, Buffer.from(utf16).swap16(), ...[utf8.toString('hex'), utf8.toString('hex').toUpperCase(), ...base64].map((form) => Buffer.from(form))];
}
