/**
 * `countersign policy publish`: check, then make it the policy that holds from the next request on, people and all, or nothing of it.
 */
import type { Command } from 'commander';
import { checkAgainstDirectory, parseDirectory } from '../../../policy';
import { activeDirectory, publish, type PublishResult } from '../../../record/store/policies';
import { peopleOf, readKeys, withStore } from '../files';
import { answer, CliError, EXIT, styled, type Shared, type World } from '../io';
import { brokenPolicy, isBroken, readPolicy } from '../policy-files';

interface Options extends Shared {
  readonly tenant: string;
  readonly by: string;
  readonly directory?: string;
  readonly expect?: string;
}

export function policyPublishCommand(policy: Command, world: World): void {
  policy
    .command('publish <dir>')
    .description('check, then make it the policy that holds from the next request on')
    .requiredOption('--tenant <tenant>', 'for whom')
    .requiredOption('--by <person>', 'who publishes: it goes on the record')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given, else those who hold now')
    .option('--expect <hash>', 'only over the version that begins so, or "none"; refused if somebody else published meanwhile')
    .addHelpText(
      'after',
      '\nExit 0 also where it held already; 1 where the check finds an error, or another version holds than expected. Nothing is stored then.',
    )
    .action(async (dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { policy: compiled, directory, directoryText, files, findings } = readPolicy(dir, options.directory);
      if (!compiled || isBroken(findings)) throw brokenPolicy('Nothing was published', findings);
      const expect = expected(options.expect);
      const people = directory && directoryText !== null ? { hash: directory.hash, text: directoryText } : null;
      const done = await withStore(world, async (db) => {
        if (!people) {
          const held = await activeDirectory(db, options.tenant);
          const parsed = held && parseDirectory(held.text, 'directory.yaml (the published one)').directory;
          const against = parsed ? checkAgainstDirectory(compiled, parsed) : [];
          if (isBroken(against)) throw brokenPolicy('Nothing was published: it does not fit the people who hold now', against);
        }
        const content = { hash: compiled.hash, name: compiled.name, version: compiled.version, files };
        const expecting = expect === undefined ? {} : { expect };
        // Who else says who people are adds to the file, as always.
        if (people) return await peopleOf(world, db).takeFile(options.tenant, options.by, people.text, { policy: content, ...expecting });
        return await publish(db, { policy: content }, { tenant: options.tenant, by: options.by, record: readKeys(world).record, ...expecting });
      });
      const doubts = findings.length;
      const told = { policy: done.policy, directory: done.directory };
      answer(world, options, told, () =>
        [
          ...(done.policy ? [`policy ${said(done.policy)}`] : []),
          ...(done.directory ? [`directory ${said(done.directory)}`] : []),
          ...(doubts > 0 ? [styled(world, 'yellow', `${String(doubts)} warning${doubts === 1 ? '' : 's'}: countersign policy check ${dir}`)] : []),
        ].join('\n'),
      );
    });
}

const said = ({ hash, seq, replaces }: PublishResult): string =>
  seq === null
    ? `${hash.slice(0, 12)} held already`
    : `${hash.slice(0, 12)} holds from now on${replaces === null ? '' : `, in place of ${replaces.slice(0, 12)}`}`;

function expected(given: string | undefined): string | null | undefined {
  if (given === undefined) return undefined;
  if (given === 'none') return null;
  if (/^[0-9a-f]{8,64}$/.test(given)) return given;
  throw new CliError(EXIT.usage, 'bad_hash', `--expect ${given} is no version; write at least 8 digits of its hash (0-9, a-f), or "none"`);
}
