/**
 * `countersign policy history` and `countersign policy show`: which versions held when, by whom, what changed, and the text of each.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { Command } from 'commander';
import { visible } from '../../../domain/text';
import { compilePolicy, diffPolicies, summarizeDiff, type CompiledPolicy } from '../../../policy';
import type { Db } from '../../../record/store/database';
import { policyByHash, publicationsOf, type Publication, type Publications } from '../../../record/store/policies';
import { withStore } from '../files';
import { answer, CliError, EXIT, styled, type Shared, type World } from '../io';
import { tenantOf, versionOf, type Stored } from '../policy-versions';

interface Historic extends Publication {
  /** Against the version before it, in one line. */
  readonly changes: string;
}

export function policyHistoryCommands(policy: Command, world: World): void {
  policy
    .command('history')
    .description('published versions, the newest first: when, by whom, what changed, how many requests each routed')
    .option('--tenant <tenant>', 'whose; the only one there is unless given')
    .option('--limit <n>', 'at most so many', '20')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant?: string; limit: string }>();
      const limit = Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1)
        throw new CliError(EXIT.usage, 'bad_limit', `--limit ${options.limit} is no number of versions; write for example --limit 20`);
      const told = await withStore(world, async (db) => {
        const tenant = await tenantOf(db, options.tenant);
        const { publications, unknown } = await publicationsOf(db, tenant);
        return { tenant, publications: await withChanges(db, tenant, publications.slice(0, limit)), more: Math.max(0, publications.length - limit), unknown };
      });
      answer(world, options, told, () => historyText(world, told));
    });

  policy
    .command('show <hash>')
    .description('the text of a published version, by the beginning of its hash, or "active"; checked against the hash')
    .option('--tenant <tenant>', 'whose; the only one there is unless given')
    .option('--file <path>', 'only this file, as it is')
    .option('--out <dir>', 'write its files into a new directory instead')
    .action(async (named: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant?: string; file?: string; out?: string }>();
      const found = await withStore(world, async (db) => {
        const tenant = await tenantOf(db, options.tenant);
        const version = await versionOf(db, tenant, named);
        const { publications } = await publicationsOf(db, tenant);
        return { tenant, version, publications: publications.filter((p) => p.hash === version.hash) };
      });
      const { version } = found;
      const files = options.file === undefined ? version.files : version.files.filter((f) => f.path === options.file);
      if (files.length === 0)
        throw new CliError(
          EXIT.refused,
          'unknown_file',
          `${version.hash.slice(0, 12)} has no file ${options.file ?? ''}; it has ${version.files.map((f) => f.path).join(', ')}`,
        );
      if (options.out !== undefined) writeAll(options.out, files);
      const [only] = files;
      answer(world, options, jsonOf(found, files, options.out), () => {
        if (options.out !== undefined) return `${String(files.length)} file${files.length === 1 ? '' : 's'} of ${titleOf(version)} written to ${options.out}`;
        return options.file !== undefined && only ? only.text : showText(world, found);
      });
    });
}

interface Found {
  readonly tenant: string;
  readonly version: Stored;
  readonly publications: readonly Publication[];
}

const jsonOf = ({ tenant, version, publications }: Found, files: Stored['files'], out: string | undefined) => ({
  tenant,
  name: version.name,
  version: version.version,
  hash: version.hash,
  held: publications.map(({ at, until, by, requests }) => ({ from: at, until, by, requests })),
  files: out === undefined ? files : files.map(({ path }) => ({ path })),
});

const titleOf = ({ name, version, hash }: Pick<Publication, 'name' | 'version' | 'hash'>): string => `${name} ${version} (${hash.slice(0, 12)})`;
const minute = (at: string): string => `${at.slice(0, 10)} ${at.slice(11, 16)}`;
const counted = (n: number): string => `${String(n)} request${n === 1 ? '' : 's'}`;

/** Each against the one that it took the place of; what cannot be read any more says so. */
async function withChanges(db: Db, tenant: string, publications: readonly Publication[]): Promise<Historic[]> {
  const compiled = new Map<string, CompiledPolicy | null>();
  const read = async (hash: string): Promise<CompiledPolicy | null> => {
    const known = compiled.get(hash);
    if (known !== undefined) return known;
    const stored = await policyByHash(db, tenant, hash);
    const policy = stored ? compilePolicy(stored.files).policy : null;
    // An altered text is no version.
    const sound = policy?.hash === hash ? policy : null;
    compiled.set(hash, sound);
    return sound;
  };
  const all: Historic[] = [];
  for (const one of publications) {
    const [now, before] = [await read(one.hash), one.replaces === null ? null : await read(one.replaces)];
    const changes =
      one.replaces === null
        ? 'the first'
        : now && before
          ? summarizeDiff(diffPolicies(before, now))
          : 'cannot be compared: one of the two cannot be read by the rules of today';
    all.push({ ...one, changes });
  }
  return all;
}

function historyText(
  world: World,
  { tenant, publications, more, unknown }: { tenant: string; publications: readonly Historic[]; more: number } & Pick<Publications, 'unknown'>,
): string {
  if (publications.length === 0) return `No policy of ${tenant} was published yet`;
  const lines = publications.flatMap(({ at, until, by, requests, changes, ...ref }) => [
    `${styled(world, 'bold', ref.hash.slice(0, 12))}  ${minute(at)}  ${visible(ref.name)} ${visible(ref.version)}, published by ${visible(by)}`,
    `              ${until === null ? styled(world, 'green', 'holds now') : `held until ${minute(until)}`}, routed ${counted(requests)}; ${changes}`,
  ]);
  return [
    ...lines,
    ...(more > 0 ? [`${String(more)} older: --limit ${String(publications.length + more)}`] : []),
    ...(unknown > 0
      ? [styled(world, 'red', `${counted(unknown)} name a version that the record does not know to have been published; run countersign record verify`)]
      : []),
    'Times are UTC. The text of a version: countersign policy show HASH',
  ].join('\n');
}

function showText(world: World, { tenant, version, publications }: Found): string {
  const held = publications.map(
    ({ at, until, by, requests }) =>
      `published by ${visible(by)} ${minute(at)}; ${until === null ? 'holds now' : `held until ${minute(until)}`}; routed ${counted(requests)}`,
  );
  return [
    styled(world, 'bold', `${visible(version.name)} ${visible(version.version)} of ${tenant}`),
    version.hash,
    ...held,
    ...version.files.flatMap(({ path, text }) => ['', styled(world, 'bold', `--- ${path}`), text.replace(/\n$/, '')]),
  ].join('\n');
}

/** Into a directory that is not there or is empty: nobody's files are written over. */
function writeAll(dir: string, files: Stored['files']): void {
  for (const { path } of files)
    if (isAbsolute(path) || normalize(path).startsWith('..'))
      throw new CliError(EXIT.refused, 'bad_path', `The version has a file ${path}, which lies outside of any directory; nothing was written`);
  if (existsSync(dir) && readdirSync(dir).length > 0) throw new CliError(EXIT.refused, 'not_empty', `${dir} is not empty; name a new directory`);
  try {
    for (const { path, text } of files) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
  } catch (cause) {
    throw new CliError(EXIT.unreachable, 'file_unwritable', `${dir} cannot be written; check the path and its permissions`, { cause });
  }
}
