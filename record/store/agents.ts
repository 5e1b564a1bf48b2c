/**
 * Agents and their keys. A key is told once and kept as its SHA-256: it has 256 random bits, so a slow hash would add nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Instant } from '../../domain/json';
import type { AgentIdentity } from '../../domain/request';
import { RecordError } from '../errors';
import type { Db, Trx } from './database';

export interface AgentRegistration {
  readonly tenant: string;
  readonly agent: string;
  /** The person who answers for the agent. */
  readonly owner: string | null;
  readonly callbackHosts: readonly string[];
  /** Newest first; several while one rotates. */
  readonly callbackSecrets: readonly string[];
}

/** Registers the agent, or changes what is known of it. */
export async function registerAgent(db: Db | Trx, { tenant, agent, owner, callbackHosts, callbackSecrets }: AgentRegistration): Promise<void> {
  const known = { owner, callback_hosts: JSON.stringify(callbackHosts), callback_secrets: JSON.stringify(callbackSecrets) };
  await db
    .insertInto('agents')
    .values({ tenant, agent, ...known })
    .onConflict((c) => c.columns(['tenant', 'agent']).doUpdateSet(known))
    .execute();
}

export async function agentByName(db: Db | Trx, tenant: string, agent: string): Promise<AgentRegistration | null> {
  const row = await db
    .selectFrom('agents')
    .select(['tenant', 'agent', 'owner', 'callback_hosts as callbackHosts', 'callback_secrets as callbackSecrets'])
    .where('tenant', '=', tenant)
    .where('agent', '=', agent)
    .executeTakeFirst();
  return row ?? null;
}

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

/** A new key, shown this once. */
export async function issueKey(
  db: Db | Trx,
  { tenant, agent, at }: { readonly tenant: string; readonly agent: string; readonly at: Instant },
): Promise<string> {
  if (!(await agentByName(db, tenant, agent))) throw new RecordError('unknown_agent', `There is no agent ${agent} in ${tenant}; register it first`);
  const key = `csk_${randomBytes(32).toString('base64url')}`;
  await db
    .insertInto('agent_keys')
    .values({ key_hash: hashOf(key), tenant, agent, created_at: at, revoked_at: null })
    .execute();
  return key;
}

/** From now on the key opens nothing; whether there was such a key. */
export async function revokeKey(db: Db | Trx, key: string, at: Instant): Promise<boolean> {
  const done = await db
    .updateTable('agent_keys')
    .set({ revoked_at: at })
    .where('key_hash', '=', hashOf(key))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return done.numUpdatedRows > 0n;
}

/** Whose key it is, unless it is unknown or revoked. */
export async function findAgentByKey(db: Db | Trx, key: string): Promise<AgentIdentity | null> {
  const row = await db
    .selectFrom('agent_keys as k')
    .innerJoin('agents as a', (join) => join.onRef('a.tenant', '=', 'k.tenant').onRef('a.agent', '=', 'k.agent'))
    .select(['a.tenant', 'a.agent', 'a.owner'])
    .where('k.key_hash', '=', hashOf(key))
    .where('k.revoked_at', 'is', null)
    .executeTakeFirst();
  return row ?? null;
}
