/**
 * Policies as commands name them: a directory of files, a version by the beginning of its hash, or `active` for the one that holds.
 */
import { existsSync } from 'node:fs';
import { compilePolicy, formatFindings, hashOf, type CompiledPolicy } from '../../policy';
import type { Db } from '../../record/store/database';
import { activePolicy, pointers, policiesByPrefix, type PolicyContent, type Published } from '../../record/store/policies';
import { withStore } from './files';
import { CliError, EXIT, type World } from './io';
import { brokenPolicy, readPolicy } from './policy-files';

/** What is long enough to name one version among many. */
const PREFIX = /^[0-9a-f]{4,64}$/;
export const ACTIVE = 'active';

/** The tenant that is named, or the only one that has a policy. */
export async function tenantOf(db: Db, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const tenants = (await pointers(db)).filter((p) => p.policy !== null).map((p) => p.tenant);
  const [only] = tenants;
  if (only !== undefined && tenants.length === 1) return only;
  if (only === undefined) throw new CliError(EXIT.refused, 'no_policy', 'No policy was published yet; publish one with: countersign policy publish DIR');
  throw new CliError(EXIT.usage, 'which_tenant', `There are ${String(tenants.length)} tenants (${tenants.slice(0, 5).join(', ')}); say which with --tenant`);
}

export type Stored = PolicyContent & Published;

/** A published version. Its text is what its hash says, or the command ends here. */
export async function versionOf(db: Db, tenant: string, named: string): Promise<Stored> {
  const found = named === ACTIVE ? [await activePolicy(db, tenant)].filter((p) => p !== null) : await byPrefix(db, tenant, named);
  const [version, ...others] = found;
  if (!version)
    throw new CliError(
      EXIT.refused,
      'unknown_policy',
      named === ACTIVE ? `No policy holds for ${tenant}` : `${tenant} has no version ${named}; countersign policy history lists them`,
    );
  if (others.length > 0)
    throw new CliError(
      EXIT.refused,
      'ambiguous_policy',
      `${named} begins several versions (${found.map((p) => p.hash.slice(0, 12)).join(', ')}); write more of it`,
    );
  if (hashOf(version.files) !== version.hash)
    throw new CliError(
      EXIT.refused,
      'policy_altered',
      `The text of ${version.hash.slice(0, 12)} in the store is not what its hash says: it was altered, and what was published is not known; look for it in a backup`,
    );
  return version;
}

async function byPrefix(db: Db, tenant: string, named: string): Promise<Stored[]> {
  if (!PREFIX.test(named))
    throw new CliError(EXIT.usage, 'bad_hash', `${named} is no directory, and no hash; write ${ACTIVE}, or at least 4 of the hash's digits (0-9, a-f)`);
  return await policiesByPrefix(db, tenant, named);
}

/** What a stored version means today. */
export function compiledVersion({ name, version, hash, files }: Stored): CompiledPolicy {
  const { policy, findings } = compilePolicy(files);
  if (policy) return policy;
  throw new CliError(
    EXIT.refused,
    'policy_broken',
    `${name} ${version} (${hash.slice(0, 12)}) was published under rules that have changed since, and cannot be read by these:\n${formatFindings(findings.filter((f) => f.severity === 'error').slice(0, 3))}`,
  );
}

/** Directories need no store; what is none is looked for among the published. */
export async function compiledAll(world: World, names: readonly string[], tenant: string | undefined): Promise<readonly CompiledPolicy[]> {
  const isDirectory = (name: string): boolean => existsSync(name) || /[/\\.]/.test(name);
  const read = (dir: string): CompiledPolicy => {
    const { policy, findings } = readPolicy(dir, undefined);
    if (!policy) throw brokenPolicy(`${dir} cannot be read as a policy`, findings);
    return policy;
  };
  if (names.every(isDirectory)) return names.map(read);
  return await withStore(world, async (db) => {
    const whose = await tenantOf(db, tenant);
    const all: CompiledPolicy[] = [];
    for (const name of names) all.push(isDirectory(name) ? read(name) : compiledVersion(await versionOf(db, whose, name)));
    return all;
  });
}
