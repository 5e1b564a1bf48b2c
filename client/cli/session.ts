/**
 * Who the command acts as: an agent key from the environment, or the session of `countersign login`, kept per address in a file
 * that only its owner may read.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Connection } from '../sdk/http';
import { CliError, EXIT, type Shared, type World } from './io';

const DEFAULT_URL = 'http://localhost:8700';
const File = z.record(z.string(), z.object({ token: z.string(), person: z.string() }));
type Sessions = z.output<typeof File>;

const fileOf = (world: World): string => join(world.configDir, 'session.json');

export const urlOf = (world: World, shared: Shared): string => (shared.url ?? world.env['COUNTERSIGN_URL'] ?? DEFAULT_URL).replace(/\/+$/, '');

function read(world: World): Sessions {
  try {
    return File.parse(JSON.parse(readFileSync(fileOf(world), 'utf8')));
  } catch {
    // No file, or not ours any more: nobody is signed in.
    return {};
  }
}

export function keep(world: World, url: string, session: Sessions[string]): void {
  mkdirSync(world.configDir, { recursive: true, mode: 0o700 });
  const aside = `${fileOf(world)}.${String(process.pid)}`;
  writeFileSync(aside, JSON.stringify({ ...read(world), [url]: session }), { mode: 0o600 });
  renameSync(aside, fileOf(world));
}

/** Without a key: for the login itself. */
export const anonymous = (world: World, shared: Shared): Connection => ({ url: urlOf(world, shared), key: '', fetch: world.fetch });

/** An agent's calls, by COUNTERSIGN_KEY. */
export function asAgent(world: World, shared: Shared): Connection {
  const key = world.env['COUNTERSIGN_KEY'];
  if (!key) throw new CliError(EXIT.usage, 'no_key', 'Set COUNTERSIGN_KEY to the key of the agent that asks');
  return { ...anonymous(world, shared), key };
}

/** A person's calls, by the session of `countersign login`. */
export function asPerson(world: World, shared: Shared): Connection {
  const url = urlOf(world, shared);
  const session = read(world)[url];
  if (!session) throw new CliError(EXIT.usage, 'not_signed_in', `Nobody is signed in at ${url}; run: countersign login PERSON`);
  return { url, key: session.token, fetch: world.fetch };
}

/** Either: the agent if its key is set. */
export const asEither = (world: World, shared: Shared): Connection => (world.env['COUNTERSIGN_KEY'] ? asAgent(world, shared) : asPerson(world, shared));
