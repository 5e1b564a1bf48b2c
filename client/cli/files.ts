/**
 * Reading what a command is pointed at: a policy's directory, a key file, an export. Every failure is one sentence.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Logger } from 'pino';
import { createPeople, type People } from '../../activities/people';
import { createLog } from '../../activities/telemetry/log';
import { databaseClock } from '../../domain/clock';
import type { Json } from '../../domain/json';
import type { PolicyFile } from '../../policy';
import { parseStrict } from '../../record/canonical';
import { keysFromJson, trustedFromJson, type Keys, type Trusted } from '../../record/keys';
import { openDatabase, type Db } from '../../record/store/database';
import { CliError, EXIT, type World } from './io';

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CliError(EXIT.unreachable, 'file_unreadable', `${path} cannot be read; check the path and its permissions`, { cause });
  }
}

/** Every YAML file under a directory, with paths relative to it. */
export function readPolicyFiles(dir: string): PolicyFile[] {
  let names: string[];
  try {
    if (!statSync(dir).isDirectory()) throw new Error('It is a file');
    names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  } catch (cause) {
    throw new CliError(EXIT.unreachable, 'file_unreadable', `${dir} is not a directory that can be read; name the directory of the policy`, { cause });
  }
  return names
    .filter((name) => /\.ya?ml$/.test(name) && statSync(join(dir, name)).isFile())
    .sort()
    .map((name) => ({ path: relative(dir, join(dir, name)).split(sep).join('/'), text: readText(join(dir, name)) }));
}

export function readJson(path: string): Json {
  const text = readText(path);
  try {
    return parseStrict(text);
  } catch (cause) {
    throw new CliError(EXIT.refused, 'invalid_json', `${path}: ${cause instanceof Error ? cause.message : 'is not JSON'}`, { cause });
  }
}

const keysPath = (world: World): string => {
  const path = world.env['COUNTERSIGN_KEYS_FILE'];
  if (!path) throw new CliError(EXIT.usage, 'no_keys_file', 'Set COUNTERSIGN_KEYS_FILE to the file of the installation’s keys');
  return path;
};

export const readKeys = (world: World): Keys => keysFromJson(readJson(keysPath(world)));

/** Public keys from a key file, or from a file that holds the public half alone. */
export function readTrusted(world: World, path: string | undefined): Trusted {
  const value = readJson(path ?? keysPath(world));
  const whole = value !== null && typeof value === 'object' && 'trusted' in value;
  return whole ? keysFromJson(value).trusted : trustedFromJson(value);
}

/** Runs with the store open; closes it whatever happens. */
export async function withStore<T>(world: World, work: (db: Db) => Promise<T>): Promise<T> {
  const url = world.env['DATABASE_URL'];
  if (!url) throw new CliError(EXIT.usage, 'no_store', 'Set DATABASE_URL to the store of the installation');
  const db = openDatabase(url, { name: 'countersign-cli', max: 2 });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

/** The tenants' people, for who has the store and the keys. What is logged goes to standard error. */
export const peopleOf = (world: World, db: Db, level: 'info' | 'silent' = 'silent'): People =>
  createPeople({ db, keys: readKeys(world), clock: databaseClock, log: logOf(world, level) });

export const logOf = (world: World, level: 'info' | 'silent'): Logger => createLog('cli', level, { write: world.err });
