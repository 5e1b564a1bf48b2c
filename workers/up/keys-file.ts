/**
 * The file of signing keys. In development it is made on first use, readable by its owner only; a production process is given one.
 * Promises that a half-written file never takes the final name.
 */
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseStrict } from '../../record/canonical';
import { generateKeys, keysFromJson, keysToJson, type Keys } from '../../record/keys';
import { UpError, sentenceOf } from './errors';

function readKeysFile(path: string): Keys {
  try {
    return keysFromJson(parseStrict(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new UpError('bad_keys_file', `The keys file ${path} cannot be used: ${sentenceOf(cause)}`, { cause });
  }
}

export function keysFile(path: string): Keys {
  if (!existsSync(path)) {
    const aside = `${path}.${process.pid}`;
    writeFileSync(aside, `${JSON.stringify(keysToJson(generateKeys()), null, 2)}\n`, { mode: 0o600 });
    try {
      linkSync(aside, path);
    } finally {
      rmSync(aside, { force: true });
    }
  }
  chmodSync(path, 0o600);
  return readKeysFile(path);
}
