/**
 * `countersign policy`: check a policy with positions, and the verbs that stand in files of their own.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatFindings, sarif } from '../../../policy';
import { answer, EXIT, type Exit, type Shared, type World } from '../io';
import { brokenPolicy, isBroken, readPolicy } from '../policy-files';
import { explainCommand } from './explain';
import { policyDiffCommand } from './policy-diff';
import { policyHistoryCommands } from './policy-history';
import { policyPublishCommand } from './policy-publish';
import { policyReplayCommand } from './policy-replay';
import { policySchemaCommand } from './policy-schema';
import { policyTestCommand } from './policy-test';

const HELP = `
Exit codes: 0 done; 1 a finding, a failed test, or refused; 2 wrong usage; 3 the store or a file cannot be reached.
check, explain, test, schema and a diff of directories read files alone. The others reach the store: DATABASE_URL, and for publish COUNTERSIGN_KEYS_FILE.`;

export function policyCommands(program: Command, world: World, end: (code: Exit) => void): void {
  const policy = program
    .command('policy')
    .description('check, explain, test, compare, replay and publish policies; look at those that were published')
    .addHelpText('after', HELP);

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

  policyReplayCommand(policy, world, end);
  policyPublishCommand(policy, world);
  policyHistoryCommands(policy, world);
}
