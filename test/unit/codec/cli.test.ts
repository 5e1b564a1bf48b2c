/** Making and rotating payload keys by the command, and what the processes say of a file that they cannot use. */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import { ConfigError } from '../../../activities/config';
import { cipherOf, dataConverterOf } from '../../../activities/connect';
import { run } from '../../../client/cli/program';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-keys-'));
  file = join(dir, 'payload-keys.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function keys(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ['', ''];
  const world = {
    env: {},
    configDir: dir,
    fetch: globalThis.fetch,
    now: () => '',
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
  };
  const code = await run(['keys', 'payload', ...argv], world);
  return { code, out, err };
}

const idsIn = async (): Promise<{ readonly current: string; readonly keys: readonly string[] }> =>
  JSON.parse((await keys('list', file, '--json')).out) as { current: string; keys: string[] };

it('makes a file for its owner alone, and never over another', async () => {
  expect(await keys('new', file)).toMatchObject({ code: 0, out: expect.stringContaining('Keep a copy') as string });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file, 'utf8');
  expect(await keys('new', file)).toMatchObject({ code: 1, err: expect.stringMatching(/^already_there: /) as string });
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(await keys('new', join(dir, 'nowhere', 'keys.json'))).toMatchObject({ code: 3, err: expect.stringMatching(/^file_unwritable: /) as string });
  expect(readdirSync(dir)).toEqual(['payload-keys.json']);
});

it('rotates in two steps: what one process encrypts the other can read at every moment', async () => {
  const payload = defaultPayloadConverter.toPayload('words');
  const open = () => cipherOf({ payloadKeysFile: file });
  await keys('new', file);
  chmodSync(file, 0o440);
  const { current: first } = await idsIn();
  const before = open();
  const { added } = JSON.parse((await keys('add', file, '--json')).out) as { added: string };
  expect(await idsIn()).toMatchObject({ current: first, keys: [first, added] });
  const between = open();
  expect(await keys('use', file, added)).toMatchObject({ code: 0 });
  expect(await idsIn()).toMatchObject({ current: added, keys: [first, added] });
  const after = open();
  expect(statSync(file).mode & 0o777).toBe(0o440);
  for (const [writer, reader] of [
    [before, between],
    [between, before],
    [between, after],
    [after, between],
    [before, after],
  ] as const) {
    expect(defaultPayloadConverter.fromPayload(reader?.open(writer?.seal(payload, 'acme') ?? {})?.payload ?? {})).toBe('words');
  }
  expect(await keys('use', file, 'ffffffffffffffff')).toMatchObject({ code: 1, err: expect.stringContaining(`it holds ${first}, ${added}`) as string });
});

describe('a process', () => {
  const refusal = (payloadKeysFile: string): readonly string[] => {
    try {
      dataConverterOf({ payloadKeysFile, payloadsPlain: false });
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    throw new Error('the file was accepted');
  };

  it('does not start with a keys file that it cannot use, and says why in one sentence without a key', async () => {
    expect(refusal(file)).toEqual([expect.stringMatching(/^COUNTERSIGN_PAYLOAD_KEYS_FILE names .*, which cannot be read \(ENOENT\)/)]);
    await keys('new', file);
    const whole = readFileSync(file, 'utf8');
    const secret = Object.values((JSON.parse(whole) as { keys: Record<string, string> }).keys)[0] ?? '';
    for (const text of ['', whole.slice(0, -20), whole.replace(secret, secret.split('').reverse().join('')), whole.replace('"v": 1', '"v": 1, "v": 1')]) {
      writeFileSync(file, text);
      const [said, ...more] = refusal(file);
      expect(more).toEqual([]);
      expect(said).toMatch(/^COUNTERSIGN_PAYLOAD_KEYS_FILE names .*, which cannot be used \(.*backup\)$/);
      expect(said).not.toContain(secret.slice(0, 8));
    }
  });

  it('without a keys file encrypts nothing', () => {
    expect(dataConverterOf({ payloadKeysFile: null, payloadsPlain: false })).toBeUndefined();
  });
});
