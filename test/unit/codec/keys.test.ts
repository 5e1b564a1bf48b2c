/** The keys of payloads: read strictly, rotated in two steps, never printed. */
import { inspect } from 'node:util';
import { CodecError } from '../../../activities/codec/errors';
import { newPayloadKeys, payloadKeysFromJson, payloadKeysToJson, withAnotherKey, withCurrent } from '../../../activities/codec/keys';
import type { Json } from '../../../domain/json';

interface File {
  readonly v: number;
  readonly current: string;
  readonly keys: Readonly<Record<string, string>>;
}

const fileOf = (keys = newPayloadKeys()): File => payloadKeysToJson(keys) as unknown as File;
const secretOf = ({ keys, current }: File): string => keys[current] ?? '';

function refused(file: unknown): string {
  try {
    payloadKeysFromJson(file as Json);
  } catch (error) {
    if (error instanceof CodecError && error.code === 'bad_payload_keys') return error.message;
    throw error;
  }
  throw new Error('the keys were accepted');
}

it('are 256 bits each, and come back from their file as they were', () => {
  const file = fileOf();
  expect(file).toEqual({
    v: 1,
    current: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    keys: { [file.current]: expect.stringMatching(/^[\w-]{43}$/) as string },
  });
  expect(fileOf(payloadKeysFromJson(file as unknown as Json))).toEqual(file);
  expect(fileOf().current).not.toBe(file.current);
});

it('rotate in two steps, so that every process knows a key before any encrypts with it; the old one stays', () => {
  const first = newPayloadKeys();
  const { keys: both, added } = withAnotherKey(first);
  expect(both.current).toBe(first.current);
  const second = withCurrent(both, added);
  expect(second.current).toBe(added);
  expect([...second.keys.keys()]).toEqual([first.current, added]);
  expect(() => withCurrent(first, added)).toThrow(new CodecError('unknown_payload_key', `The keys file holds no key ${added}; it holds ${first.current}`));
});

it('are refused when the file is not one, in one sentence that holds no key', () => {
  const file = fileOf();
  const other = fileOf();
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'the file is not an object'],
    [{ ...file, v: 2 }, 'v is not 1'],
    [{ ...file, current: 'ffffffffffffffff' }, 'current names none of its keys'],
    [{ ...file, keys: null }, 'keys is not an object'],
    [{ ...file, keys: { [file.current]: secretOf(file).slice(1) } }, `keys.${file.current} is not 32 bytes in base64url`],
    [{ ...file, keys: { [file.current]: secretOf(other) } }, `keys.${file.current} is not the key of that id`],
  ];
  for (const [bad, what] of cases) {
    const said = refused(bad);
    expect(said).toBe(`The payload keys cannot be read: ${what}; restore the file from its backup`);
    expect(said).not.toContain(secretOf(other));
  }
});

it('are not shown by what prints an object', () => {
  const keys = newPayloadKeys();
  const secret = secretOf(fileOf(keys));
  for (const shown of [inspect(keys, { depth: 9, showHidden: true }), JSON.stringify([...keys.keys])]) {
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  }
});
