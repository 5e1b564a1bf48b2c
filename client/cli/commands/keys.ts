/**
 * `countersign keys payload`: the keys that encrypt what lies in the engine. Promises: a file that is there is never overwritten with
 * other keys, no key is ever taken out of one, and what is written is whole or not there.
 */
import { chmodSync, linkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CodecError } from '../../../activities/codec/errors';
import { newPayloadKeys, payloadKeysFromJson, payloadKeysToJson, withAnotherKey, withCurrent, type PayloadKeys } from '../../../activities/codec/keys';
import { readJson } from '../files';
import { answer, CliError, EXIT, table, type Shared, type World } from '../io';

export function keysCommands(program: Command, world: World): void {
  const payload = program.command('keys').description('make and rotate keys').command('payload').description("keys of the payloads in the engine's histories");
  const shared = (command: Command): Shared => command.optsWithGlobals<Shared>();

  payload
    .command('new <file>')
    .description('make a file with a first key, for COUNTERSIGN_PAYLOAD_KEYS_FILE of the worker and the API')
    .action((file: string, _options: unknown, command: Command) => {
      const keys = newPayloadKeys();
      write(file, keys, (aside) => {
        linkSync(aside, file);
      });
      answer(world, shared(command), { file, current: keys.current }, () =>
        [`${file} holds the key ${keys.current}`, 'Keep a copy where you keep backups: without it, the histories of open approvals cannot be read.'].join('\n'),
      );
    });

  payload
    .command('add <file>')
    .description('the first step of a rotation: add a key that decrypts, and does not encrypt yet')
    .action((file: string, _options: unknown, command: Command) => {
      const { keys, added } = withAnotherKey(read(file));
      replace(file, keys);
      answer(world, shared(command), { file, current: keys.current, added }, () =>
        [
          `${file} holds the key ${added}, too; ${keys.current} still encrypts`,
          `Give it to every worker and API, restart them, and then: countersign keys payload use ${file} ${added}`,
        ].join('\n'),
      );
    });

  payload
    .command('use <file> <id>')
    .description('the second step: encrypt with this key; the others still decrypt')
    .action((file: string, id: string, _options: unknown, command: Command) => {
      const keys = understood(() => withCurrent(read(file), id));
      replace(file, keys);
      answer(
        world,
        shared(command),
        { file, current: keys.current },
        () => `${id} encrypts once the workers and the API have been restarted; the others still decrypt`,
      );
    });

  payload
    .command('list <file>')
    .description('the ids of its keys')
    .action((file: string, _options: unknown, command: Command) => {
      const { current, keys } = read(file);
      const ids = [...keys.keys()];
      answer(world, shared(command), { file, current, keys: ids }, () =>
        table(
          ['key', 'use'],
          ids.map((id) => [id, id === current ? 'encrypts and decrypts' : 'decrypts']),
        ),
      );
    });
}

const read = (file: string): PayloadKeys => understood(() => payloadKeysFromJson(readJson(file)));

function understood<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CodecError) throw new CliError(EXIT.refused, error.code, error.message, { cause: error });
    throw error;
  }
}

/** In the place of the old one, for the same readers. */
const replace = (file: string, keys: PayloadKeys): void =>
  write(file, keys, (aside) => {
    chmodSync(aside, statSync(file).mode & 0o777);
    renameSync(aside, file);
  });

/** Written aside, for its owner alone, and then put in its place. */
function write(file: string, keys: PayloadKeys, place: (aside: string) => void): void {
  const aside = `${file}.${String(process.pid)}`;
  try {
    writeFileSync(aside, `${JSON.stringify(payloadKeysToJson(keys), null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    place(aside);
  } catch (cause) {
    if (typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'EEXIST')
      throw new CliError(
        EXIT.refused,
        'already_there',
        `${file} is there already and was not changed; rotate its keys with add and use, or name another file`,
        { cause },
      );
    throw new CliError(EXIT.unreachable, 'file_unwritable', `${file} cannot be written; check the path and its permissions`, { cause });
  } finally {
    rmSync(aside, { force: true });
  }
}
