/**
 * The active policy and directory of a tenant, compiled once per content hash. One that is missing, does not compile, or is not
 * what its hash says allows nothing, and never falls back to an older one. Must not import Temporal.
 */
import type { Kysely } from 'kysely';
import type { Directory } from '../domain/directory';
import { compilePolicy, formatFindings, parseDirectory, type CompiledPolicy } from '../policy';
import type { Tables } from '../record/store/tables';
import { activeHashes, directoryByHash, policyByHash } from '../record/store/policies';
import { SubmitError } from './errors';

/** How many compiled versions are kept; older ones compile again when asked for. */
const KEPT = 32;

export interface Active {
  /** `hash`, here and below: of the one that holds, where the caller has read it already. */
  policyOf(db: Kysely<Tables>, tenant: string, hash?: string | null): Promise<CompiledPolicy>;
  directoryOf(db: Kysely<Tables>, tenant: string, hash?: string | null): Promise<Directory | null>;
}

export function createActive(): Active {
  const policies = new Map<string, CompiledPolicy>();
  const directories = new Map<string, Directory>();
  return {
    async policyOf(db, tenant, given) {
      const hash = given === undefined ? (await activeHashes(db, tenant)).policy : given;
      const compiled = hash === null ? undefined : policies.get(hash);
      if (compiled) return compiled;
      const stored = hash === null ? null : await policyByHash(db, tenant, hash);
      if (!stored)
        throw new SubmitError('no_policy', `Tenant ${tenant} has no active policy, so nothing can be routed; publish one with countersign policy publish`);
      const { policy, findings } = compilePolicy(stored.files);
      if (!policy) {
        throw new SubmitError(
          'policy_broken',
          `The active policy ${stored.hash.slice(0, 12)} does not compile, so nothing is allowed: ${formatFindings(findings.slice(0, 1))}`,
        );
      }
      if (policy.hash !== stored.hash) {
        throw new SubmitError(
          'policy_broken',
          `The content of the active policy is not what its hash ${stored.hash.slice(0, 12)} says, so nothing is allowed; restore the store or publish again`,
        );
      }
      return keep(policies, stored.hash, policy);
    },
    async directoryOf(db, tenant, given) {
      const hash = given === undefined ? (await activeHashes(db, tenant)).directory : given;
      if (hash === null) return null;
      const known = directories.get(hash);
      if (known) return known;
      const stored = await directoryByHash(db, tenant, hash);
      if (!stored) return null;
      const { directory } = parseDirectory(stored.text, 'directory.yaml');
      return directory?.hash === stored.hash ? keep(directories, stored.hash, directory) : null;
    },
  };
}

function keep<T>(cache: Map<string, T>, hash: string, value: T): T {
  const oldest = cache.size >= KEPT ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(hash, value);
  return value;
}
