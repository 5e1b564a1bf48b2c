/**
 * `countersign policy`: check a policy with positions, publish one.
 */
import type { Command } from 'commander';
import { checkAgainstDirectory, compilePolicy, formatFindings, parseDirectory, partition, type Finding } from '../../../policy';
import { publishDirectory, publishPolicy } from '../../../record/store/policies';
import { readKeys, readPolicyFiles, readText, withStore } from '../files';
import { answer, CliError, EXIT, type Exit, type Shared, type World } from '../io';

interface Read {
  readonly policy: ReturnType<typeof compilePolicy>['policy'];
  readonly directory: ReturnType<typeof parseDirectory>['directory'];
  readonly directoryText: string | null;
  readonly files: ReturnType<typeof partition>['policy'];
  readonly findings: readonly Finding[];
}

function read(dir: string, directoryFile: string | undefined): Read {
  const { policy: files, directory: own } = partition(readPolicyFiles(dir));
  const people = directoryFile === undefined ? own : { path: directoryFile, text: readText(directoryFile) };
  const compiled = compilePolicy(files);
  const parsed = people && parseDirectory(people.text, people.path);
  const together = compiled.policy && parsed?.directory ? checkAgainstDirectory(compiled.policy, parsed.directory) : [];
  return {
    files,
    policy: compiled.policy,
    directory: parsed?.directory ?? null,
    directoryText: people?.text ?? null,
    findings: [...compiled.findings, ...(parsed?.findings ?? []), ...together],
  };
}

const broken = (findings: readonly Finding[]): boolean => findings.some((f) => f.severity === 'error');

export function policyCommands(program: Command, world: World, end: (code: Exit) => void): void {
  const policy = program.command('policy').description('check and publish policies');

  policy
    .command('check <dir>')
    .description('report every finding with file, line and column; exit 1 if one is an error')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action((dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { directory?: string }>();
      const { policy: compiled, findings } = read(dir, options.directory);
      const ok = compiled !== null && !broken(findings);
      answer(world, options, { ok, hash: compiled?.hash ?? null, rows: compiled?.rows.length ?? 0, findings }, () => {
        const text = findings.length > 0 ? `${formatFindings(findings)}\n` : '';
        return ok ? `${text}${compiled.name} ${compiled.version}: ${String(compiled.rows.length)} rows, ${compiled.hash.slice(0, 12)}` : text;
      });
      if (!ok) end(EXIT.refused);
    });

  policy
    .command('publish <dir>')
    .description('check, then make it the policy that holds from the next request on')
    .requiredOption('--tenant <tenant>', 'for whom')
    .requiredOption('--by <person>', 'who publishes: it goes on the record')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action(async (dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant: string; by: string; directory?: string }>();
      const found = read(dir, options.directory);
      const { policy: compiled, directory, directoryText, files, findings } = found;
      if (!compiled || broken(findings))
        throw new CliError(
          EXIT.refused,
          'policy_broken',
          `Nothing was published; mend these first:\n${formatFindings(findings.filter((f) => f.severity === 'error'))}`,
        );
      const meta = { tenant: options.tenant, by: options.by, at: world.now(), record: readKeys(world).record };
      const done = await withStore(world, async (db) => {
        const people = directory && directoryText !== null ? await publishDirectory(db, { hash: directory.hash, text: directoryText }, meta) : null;
        return { policy: await publishPolicy(db, { hash: compiled.hash, name: compiled.name, version: compiled.version, files }, meta), directory: people };
      });
      answer(world, options, done, () => {
        const state = (seq: number | null): string => (seq === null ? 'held already' : 'holds from now on');
        return [
          `policy ${done.policy.hash.slice(0, 12)} ${state(done.policy.seq)}`,
          ...(done.directory ? [`directory ${done.directory.hash.slice(0, 12)} ${state(done.directory.seq)}`] : []),
        ].join('\n');
      });
    });
}
