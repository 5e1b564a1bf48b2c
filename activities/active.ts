/**
 * The active policy and directory of a tenant, and any version that a request was routed by, compiled once per content hash. One that is
 * missing, does not compile, is not what its hash says, or is not the one that was published last allows nothing, and never falls back to
 * an older one. Must not import Temporal.
 */
import type { Kysely } from 'kysely';
import type { Directory } from '../domain/directory';
import { compilePolicy, formatFindings, hashOf, parseDirectory, type CompiledPolicy } from '../policy';
import type { Tables } from '../record/store/tables';
import { activeHashes, directoryByHash, pointers, policyByHash } from '../record/store/policies';
import { SubmitError } from './errors';

/** How many compiled versions are kept; older ones compile again when asked for. */
const KEPT = 32;

export interface Active {
  /** `hash`, here and below: of the one that holds, where the caller has read it already. */
  policyOf(db: Kysely<Tables>, tenant: string, hash?: string | null): Promise<CompiledPolicy>;
  /** A version by its hash, such as the one that a request is pinned to. Throws {@link SubmitError} `policy_broken`. */
  versionOf(db: Kysely<Tables>, tenant: string, hash: string): Promise<CompiledPolicy>;
  directoryOf(db: Kysely<Tables>, tenant: string, hash?: string | null): Promise<Directory | null>;
  /** What a process says when it starts: tenants whose requests cannot be routed. Throws where the store does not answer. */
  unroutable(db: Kysely<Tables>): Promise<readonly Unroutable[]>;
}

export interface Unroutable {
  readonly tenant: string;
  /** One sentence. */
  readonly why: string;
}

const broken = (message: string): SubmitError => new SubmitError('policy_broken', message);
const noPolicy = (message: string): SubmitError => new SubmitError('no_policy', message);

/** The pointer was moved, and no publication moved it: an older policy would hold without anybody having said so. */
export function otherThanPublished(pointer: string | null, published: string | null): SubmitError {
  const [is, said] = [pointer?.slice(0, 12) ?? 'none', published?.slice(0, 12) ?? 'none'];
  return broken(
    `The store names ${is} as the active policy, and the record says that ${said} was published last, so nothing is allowed; find out who moved it, and publish again`,
  );
}

export function createActive(): Active {
  const policies = new Map<string, CompiledPolicy>();
  const directories = new Map<string, Directory>();

  /** `what`: begins the sentence that says what is wrong with it. */
  async function compiledOf(db: Kysely<Tables>, tenant: string, hash: string, what: string): Promise<CompiledPolicy> {
    const known = policies.get(hash);
    if (known) return known;
    const stored = await policyByHash(db, tenant, hash);
    const named = `${what} ${hash.slice(0, 12)}`;
    if (!stored) throw broken(`${named} is not in the store, so nothing is allowed; restore the store or publish again`);
    const { policy, findings } = compilePolicy(stored.files);
    // Said first: what was altered may well compile, or not.
    if (hashOf(stored.files) !== hash)
      throw broken(`${named} was altered: its text is not what its hash says, so nothing is allowed; restore the store or publish again`);
    if (!policy)
      throw broken(`${named} does not compile, so nothing is allowed: ${formatFindings(findings.filter((f) => f.severity === 'error').slice(0, 1))}`);
    return keep(policies, hash, policy);
  }

  const active: Active = {
    async policyOf(db, tenant, given) {
      const hash = given === undefined ? (await activeHashes(db, tenant)).policy : given;
      if (hash === null) throw noPolicy(`Tenant ${tenant} has no active policy, so nothing can be routed; publish one with countersign policy publish`);
      return await compiledOf(db, tenant, hash, 'The active policy');
    },
    versionOf: (db, tenant, hash) => compiledOf(db, tenant, hash, 'The policy that routed this request,'),
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
    async unroutable(db) {
      const found: Unroutable[] = [];
      for (const { tenant, policy, directory, published } of await pointers(db)) {
        try {
          if (policy !== published) throw otherThanPublished(policy, published);
          // What this process knows by heart may be another tenant's copy: here the store itself is asked.
          await createActive().policyOf(db, tenant, policy);
          if (!(await active.directoryOf(db, tenant, directory)))
            found.push({ tenant, why: `Tenant ${tenant} has no valid directory, so nobody can be asked; publish one` });
        } catch (error) {
          if (!(error instanceof SubmitError)) throw error;
          found.push({ tenant, why: error.message });
        }
      }
      return found;
    },
  };
  return active;
}

function keep<T>(cache: Map<string, T>, hash: string, value: T): T {
  const oldest = cache.size >= KEPT ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(hash, value);
  return value;
}
