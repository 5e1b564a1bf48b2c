/**
 * `countersign policy diff`: what changed between two versions of a policy, in words for the person who reviews it.
 */
import type { Command } from 'commander';
import { diffPolicies, formatDiff } from '../../../policy';
import { answer, styled, type Shared, type World } from '../io';
import { compiledAll } from '../policy-versions';

export function policyDiffCommand(policy: Command, world: World): void {
  policy
    .command('diff <old> <new>')
    .description('what changed, in words; each of the two is a directory, a published version by its hash, or "active"')
    .option('--tenant <tenant>', 'whose published versions; the only one there is unless given')
    .addHelpText('after', '\n"less is asked" marks what to look at first. Exit 0 whether or not they differ; 1 where one of the two is broken or unknown.')
    .action(async (before: string, after: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant?: string }>();
      const [old, now] = await compiledAll(world, [before, after], options.tenant);
      if (!old || !now) return;
      const diff = diffPolicies(old, now);
      answer(world, options, diff, () => formatDiff(diff).replaceAll('(less is asked)', styled(world, 'yellow', '(less is asked)')));
    });
}
