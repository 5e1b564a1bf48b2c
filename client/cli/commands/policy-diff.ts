/**
 * `countersign policy diff`: what changed between two versions of a policy, in words for the person who reviews it.
 */
import type { Command } from 'commander';
import { diffPolicies, formatDiff, formatFindings, type CompiledPolicy } from '../../../policy';
import { answer, CliError, EXIT, type Shared, type World } from '../io';
import { readPolicy } from '../policy-files';

export function policyDiffCommand(policy: Command, world: World): void {
  policy
    .command('diff <old> <new>')
    .description('what changed between two directories of a policy, in words; "less is asked" marks what to look at first')
    .action((before: string, after: string, _options: unknown, command: Command) => {
      const diff = diffPolicies(compiled(before), compiled(after));
      answer(world, command.optsWithGlobals<Shared>(), diff, () => formatDiff(diff));
    });
}

function compiled(dir: string): CompiledPolicy {
  const { policy, findings } = readPolicy(dir, undefined);
  if (policy) return policy;
  const errors = findings.filter((f) => f.severity === 'error');
  throw new CliError(EXIT.refused, 'policy_broken', `${dir} cannot be compared; mend these first:\n${formatFindings(errors)}`);
}
