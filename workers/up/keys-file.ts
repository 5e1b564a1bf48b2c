/**
 * The file of signing keys. In development it is made on first use, readable by its owner only; a production process is given one.
 * Promises that a half-written file never takes the final name.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { parseStrict } from '../../record/canonical';
import { generateKeys, keysFromJson, keysToJson, type Keys } from '../../record/keys';
import { writeWhole } from '../disk';
import { UpError, sentenceOf } from './errors';

function readKeysFile(path: string): Keys {
  try {
    return keysFromJson(parseStrict(readFileSync(path, 'utf8')));
  } catch (cause) {
    const why = sentenceOf(cause).replace(/\.$/, '');
    throw new UpError(
      'bad_keys_file',
      `The keys file ${path} cannot be used (${why}): put it back from a backup, since what these keys signed can be proven with them alone.`,
      { cause },
    );
  }
}

export function keysFile(path: string): Keys {
  if (!existsSync(path)) {
    // One process makes it: the home is its alone.
    writeWhole(path, `${JSON.stringify(keysToJson(generateKeys()), null, 2)}\n`, 0o600);
  }
  chmodSync(path, 0o600);
  return readKeysFile(path);
}
