/**
 * What the API and the worker open alike: keys, store, core. Must not import client or workers.
 */
import { readFileSync } from 'node:fs';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import { parseStrict } from '../record/canonical';
import { keysFromJson, type Keys } from '../record/keys';
import { openDatabase } from '../record/store/database';
import type { Tables } from '../record/store/tables';
import { clockOf, ConfigError, systemCode, type Config } from './config';
import { createCore, type Core } from './core';
import { createEgress } from './egress';
import { createProviders, NO_PROVIDERS } from './providers';

export interface Opened {
  readonly core: Core;
  readonly db: Kysely<Tables>;
  /** Lets go of the connections to providers; the store's are the caller's to end. */
  close(): Promise<void>;
}

/** A query that takes longer is one that nobody waits for any more: a commit is given up after ten seconds. */
const QUERY_MS = 10_000;

/** `name`: what the database shows as this program's. */
export function openCore(config: Config, log: Logger, name: string): Opened {
  const keys = readKeys(config.keysFile);
  const db = openDatabase(config.databaseUrl, {
    name,
    queryMs: QUERY_MS,
    onError: (err) => log.warn({ err }, 'a connection to the store broke; it is replaced'),
  });
  const { publicUrl, development, allowLoopback, providers: settings } = config;
  const egress = Object.keys(settings).length === 0 ? null : createEgress({ allowLoopback });
  const providers = egress ? createProviders({ settings, egress, log }) : NO_PROVIDERS;
  const core = createCore({ db, keys, log, clock: clockOf(config), publicUrl, development, allowLoopback }, providers);
  return { db, core, close: async () => egress?.close() };
}

/** What is wrong with the file is said without a word of what it holds. */
function readKeys(path: string): Keys {
  const refuse = (why: string, how: string): never => {
    throw new ConfigError([`COUNTERSIGN_KEYS_FILE names ${path}, which ${why}: ${how}`]);
  };
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    refuse(`cannot be read (${systemCode(cause)})`, 'correct the path or its permissions');
  }
  try {
    return keysFromJson(parseStrict(text));
  } catch {
    return refuse('does not hold the signing keys', 'restore it from its backup');
  }
}
