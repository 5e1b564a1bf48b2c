/**
 * The real API over a real store for a test file, with agents, people and their tokens. The engine is the one it is given; without
 * one its address is closed, so that every call to it fails as it does when the engine is away.
 */
import { Client, Connection } from '@temporalio/client';
import pino, { type Logger } from 'pino';
import { createCore, type Core } from '../../activities/core';
import type { Providers } from '../../activities/providers';
import { databaseClock, type Clock } from '../../domain/clock';
import { parseDirectory, compilePolicy } from '../../policy';
import { issueKey, registerAgent } from '../../record/store/agents';
import { publishDirectory, publishPolicy } from '../../record/store/policies';
import { buildApi } from '../../client/api/server';
import { apiDeps } from '../../client/api/compose';
import type { Doors } from '../../client/api/admission';
import type { App } from '../../client/api/app';
import type { Patience, PayloadAccess } from '../../client/api/deps';
import type { Gateway } from '../../client/api/gateway';
import { DESK_DIRECTORY, DESK_POLICY } from './desk-policy';
import type { TestStore } from './store';

const QUICK: Patience = { engineMs: 100, moveMs: 300, tryMs: 200, openMs: 200, waitMs: 2_000 };

export interface ApiWorldOptions {
  readonly store: TestStore;
  readonly client?: Client;
  /** Instead of an engine: what the record makes of what the API hands over. */
  readonly gateway?: (core: Core) => Gateway;
  readonly taskQueue?: string;
  readonly clock?: Clock;
  readonly patience?: Patience;
  readonly development?: boolean;
  readonly rateLimit?: number;
  readonly doors?: Doors;
  readonly payloads?: PayloadAccess;
  readonly log?: Logger;
  readonly directory?: string;
  /** Who gives facts; nobody unless told. */
  readonly providers?: Providers;
}

export interface ApiWorld {
  readonly app: App;
  readonly core: Core;
  /** Agent keys: of the agent under test, of another agent of its tenant, of an agent of another tenant. */
  readonly keys: { readonly own: string; readonly other: string; readonly foreign: string };
  /** A session token of a person of the tenant. */
  signIn(person: string, tenant?: string): Promise<string>;
  close(): Promise<void>;
}

export const API_TENANT = 'acme';
export const OTHER_TENANT = 'umbrella';

/** The desk's people, and an auditor. */
export const API_DIRECTORY = DESK_DIRECTORY.replace('duty:\n', '  ada: { name: Ada Lund, email: ada@example.com, roles: [auditor] }\nduty:\n');

export async function openApi(options: ApiWorldOptions): Promise<ApiWorld> {
  const { store } = options;
  const log = options.log ?? pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const core = createCore(
    {
      db: store.db,
      clock: options.clock ?? databaseClock,
      keys: store.keys,
      log,
      publicUrl: 'http://localhost:8700',
      development: options.development ?? true,
      allowLoopback: true,
    },
    options.providers,
  );
  const away = options.client ? null : Connection.lazy({ address: '127.0.0.1:1' });
  const client = options.client ?? new Client({ connection: away ?? (undefined as never) });
  const made = apiDeps(core, {
    client,
    taskQueue: options.taskQueue ?? 'test',
    patience: options.patience ?? QUICK,
    ...(options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit }),
    ...(options.doors === undefined ? {} : { doors: options.doors }),
    ...(options.payloads === undefined ? {} : { payloads: options.payloads }),
  });
  const deps = options.gateway ? { ...made, gateway: options.gateway(core) } : made;
  const app = await buildApi(deps);
  for (const tenant of [API_TENANT, OTHER_TENANT]) await publishDesk(store, tenant, options.directory ?? API_DIRECTORY);
  const key = async (tenant: string, agent: string): Promise<string> => {
    await registerAgent(store.db, { tenant, agent, owner: 'rita', callbackHosts: ['127.0.0.1'], callbackSecrets: [] });
    return await issueKey(store.db, { tenant, agent, at: new Date().toISOString() });
  };
  const keys = { own: await key(API_TENANT, 'refund-bot'), other: await key(API_TENANT, 'other-bot'), foreign: await key(OTHER_TENANT, 'refund-bot') };
  return {
    app,
    core,
    keys,
    signIn: (person, tenant = API_TENANT) => deps.sessions.issue({ tenant, person, signedInAt: new Date().toISOString() }),
    async close() {
      await app.close();
      await away?.close();
    },
  };
}

async function publishDesk(store: TestStore, tenant: string, text: string): Promise<void> {
  const files = [{ path: 'policy.yaml', text: DESK_POLICY }];
  const { policy } = compilePolicy(files);
  const { directory } = parseDirectory(text, 'directory.yaml');
  if (!policy || !directory) throw new Error('The desk policy does not compile');
  const meta = { tenant, by: 'omar', at: new Date().toISOString(), record: store.keys.record };
  await publishPolicy(store.db, { hash: policy.hash, name: policy.name, version: policy.version, files }, meta);
  await publishDirectory(store.db, { hash: directory.hash, text }, meta);
}
