/**
 * `countersign policy`: check a policy with positions, explain a request, run its scenarios, publish it.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatFindings, sarif, type Finding } from '../../../policy';
import { publishDirectory, publishPolicy } from '../../../record/store/policies';
import { readKeys, withStore } from '../files';
import { answer, CliError, EXIT, type Exit, type Shared, type World } from '../io';
import { isBroken, readPolicy } from '../policy-files';
import { explainCommand } from './explain';
import { policyDiffCommand } from './policy-diff';
import { policySchemaCommand } from './policy-schema';
import { policyTestCommand } from './policy-test';

const brokenPolicy = (what: string, findings: readonly Finding[]): CliError =>
  new CliError(EXIT.refused, 'policy_broken', `${what}; mend these first:\n${formatFindings(findings.filter((f) => f.severity === 'error'))}`);

export function policyCommands(program: Command, world: World, end: (code: Exit) => void): void {
  const policy = program.command('policy').description('check, explain, test and publish policies');

  policy
    .command('check <dir>')
    .description('report every finding with file, line and column; exit 1 if one is an error')
    .option('--sarif', 'answer as SARIF 2.1.0, for code review')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action((dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { directory?: string; sarif?: boolean }>();
      const { policy: compiled, findings } = readPolicy(dir, options.directory);
      const ok = compiled !== null && !isBroken(findings);
      if (options.sarif)
        world.out(
          `${JSON.stringify(
            sarif(findings, (file) => (file === options.directory ? file : join(dir, file))),
            null,
            2,
          )}\n`,
        );
      else
        answer(world, options, { ok, hash: compiled?.hash ?? null, rows: compiled?.rows.length ?? 0, findings }, () => {
          const text = findings.length > 0 ? `${formatFindings(findings)}\n` : '';
          return ok ? `${text}${compiled.name} ${compiled.version}: ${String(compiled.rows.length)} rows, ${compiled.hash.slice(0, 12)}` : text;
        });
      if (!ok) end(EXIT.refused);
    });

  explainCommand(policy, world, end, (dir, directoryFile) => {
    const { policy: compiled, directory, findings } = readPolicy(dir, directoryFile);
    if (!compiled || isBroken(findings)) throw brokenPolicy('Nothing can be explained', findings);
    return { policy: compiled, directory };
  });

  policyTestCommand(policy, world, end);
  policyDiffCommand(policy, world);
  policySchemaCommand(policy, world);

  policy
    .command('publish <dir>')
    .description('check, then make it the policy that holds from the next request on')
    .requiredOption('--tenant <tenant>', 'for whom')
    .requiredOption('--by <person>', 'who publishes: it goes on the record')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action(async (dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant: string; by: string; directory?: string }>();
      const found = readPolicy(dir, options.directory);
      const { policy: compiled, directory, directoryText, files, findings } = found;
      if (!compiled || isBroken(findings)) throw brokenPolicy('Nothing was published', findings);
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
