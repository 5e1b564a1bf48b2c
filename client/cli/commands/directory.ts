/**
 * `countersign directory`: who people are. For who runs the installation: it needs the store itself, not the API.
 */
import { once } from 'node:events';
import type { Command } from 'commander';
import { createWatch, startWatch } from '../../../activities/people/watch';
import { roleOfGroup } from '../../../activities/people';
import { isAbsent, rosterOf, type Directory } from '../../../domain/directory';
import type { Instant } from '../../../domain/json';
import { visible } from '../../../domain/text';
import { parseDirectory } from '../../../policy';
import { feedsOf, fileOf, lockPeople, peopleState, savePeopleState } from '../../../record/store/people';
import { activeDirectory } from '../../../record/store/policies';
import { issueScimToken, providedBy, revokeScimToken } from '../../../record/store/scim';
import type { Db } from '../../../record/store/database';
import { logOf, peopleOf, readText, withStore } from '../files';
import { answer, CliError, EXIT, styled, table, type Shared, type World } from '../io';

interface OfTenant extends Shared {
  readonly tenant: string;
}
interface By extends OfTenant {
  readonly by: string;
}

async function theDirectory(db: Db, tenant: string): Promise<Directory> {
  const held = await activeDirectory(db, tenant);
  const directory = held && parseDirectory(held.text, 'directory.yaml').directory;
  if (!directory)
    throw new CliError(EXIT.refused, 'no_directory', `Tenant ${tenant} has no directory that can be read; publish one with: countersign directory publish`);
  return directory;
}

const rolesIn = (directory: Directory): string[] => [...new Set(Object.values(directory.people).flatMap((person) => person.roles))].sort();

export function directoryCommands(program: Command, world: World): void {
  const directory = program.command('directory').description('who people are, and who has duty');

  directory
    .command('publish <file>')
    .description('take a file of people; what others say of them (an identity provider, absences, calendars) is added as before')
    .requiredOption('--tenant <tenant>', 'whose people they are')
    .requiredOption('--by <person>', 'who publishes: it goes on the record')
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<By>();
      const text = readText(file);
      const { directory: done, notes } = await withStore(world, (db) => peopleOf(world, db).takeFile(options.tenant, options.by, text, { mustFit: true }));
      answer(world, options, { directory: done, notes }, () =>
        [
          done.seq === null ? `directory ${done.hash.slice(0, 12)} held already` : `directory ${done.hash.slice(0, 12)} holds from now on`,
          ...notes.map((note) => styled(world, 'yellow', note)),
        ].join('\n'),
      );
    });

  directory
    .command('show')
    .description('the people of a tenant, where they come from, and what was left out')
    .requiredOption('--tenant <tenant>', 'whose people')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<OfTenant>();
      const { tenant } = options;
      const value = await withStore(world, async (db) => {
        const held = await theDirectory(db, tenant);
        const now = await peopleOf(world, db).now();
        const [file, feeds, { notes, nextAt, rolePrefix }, { users, groups }] = await Promise.all([
          fileOf(db, tenant),
          feedsOf(db, tenant),
          peopleState(db, tenant),
          providedBy(db, tenant),
        ]);
        return {
          hash: held.hash,
          people: Object.values(held.people).map((person) => ({ ...person, absent: isAbsent(person, now) })),
          duty: held.duty,
          sources: {
            file: file && { taken_at: file.takenAt, taken_by: file.takenBy, failed_at: file.failedAt, why: file.why },
            provider:
              users.length + groups.length === 0
                ? null
                : { users: users.length, groups: groups.map(({ name }) => ({ name, role: roleOfGroup(name, rolePrefix) })), role_prefix: rolePrefix },
            feeds: Object.fromEntries([...feeds].map(([role, feed]) => [role, { taken_at: feed.takenAt, failed_at: feed.failedAt, why: feed.why }])),
          },
          next_change: nextAt,
          notes,
        };
      });
      answer(world, options, value, () =>
        [
          table(
            ['id', 'name', 'address', 'roles', 'away'],
            value.people.map((person) => [person.id, person.name, person.email, person.roles.join(', '), person.absent ? 'yes' : '']),
          ),
          ...(value.sources.file?.taken_at ? [`file: taken at ${value.sources.file.taken_at} by ${visible(value.sources.file.taken_by)}`] : []),
          ...(value.sources.file?.why ? [styled(world, 'red', `file: ${visible(value.sources.file.why)} The one before holds on.`)] : []),
          ...(value.sources.provider
            ? [`identity provider: ${String(value.sources.provider.users)} users, ${String(value.sources.provider.groups.length)} groups`]
            : []),
          ...(value.next_change === null ? [] : [`duty changes next at ${value.next_change}`]),
          ...value.notes.map((note) => styled(world, 'yellow', visible(note))),
        ].join('\n'),
      );
    });

  directory
    .command('duty')
    .description('who is asked first for each role, and who next')
    .requiredOption('--tenant <tenant>', 'whose people')
    .option('--at <instant>', 'then instead of now, such as 2026-12-24T09:00:00Z')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<OfTenant & { at?: string }>();
      const { tenant, at } = options;
      if (at !== undefined && (!/(Z|[+-]\d{2}:\d{2})$/.test(at) || Number.isNaN(Date.parse(at))))
        throw new CliError(EXIT.usage, 'bad_instant', `--at ${at} is no instant; write it as 2026-12-24T09:00:00Z`);
      const value = await withStore(world, async (db) => {
        const people = peopleOf(world, db);
        const when: Instant = at === undefined ? await people.now() : new Date(at).toISOString();
        const composed = await people.preview(tenant, when);
        if (!composed) throw new CliError(EXIT.refused, 'no_directory', `Tenant ${tenant} has no directory; publish one with: countersign directory publish`);
        const roles = rolesIn(composed.directory).map((role) => ({
          role,
          asked: rosterOf(composed.directory, role, when, []).map((seat) => ({ person: seat.person, for: seat.for ?? null })),
        }));
        return { at: when, until: composed.nextAt, roles, notes: composed.notes };
      });
      answer(world, options, value, () =>
        [
          table(
            ['role', 'first', 'then'],
            value.roles.map(({ role, asked }) => {
              const [first = 'nobody', ...then] = asked.map((seat) => (seat.for === null ? seat.person : `${seat.person} for ${seat.for}`));
              return [role, first, then.join(', ')];
            }),
          ),
          ...(value.until === null ? [] : [`until ${value.until}`]),
          ...value.notes.map((note) => styled(world, 'yellow', visible(note))),
        ].join('\n'),
      );
    });

  directory
    .command('watch <file>')
    .description('take a file of people whenever it changes, and look after shifts, until it is stopped')
    .requiredOption('--tenant <tenant>', 'whose people they are')
    .option('--once', 'look until the file is taken or refused, and end')
    .action(async (path: string, _options: unknown, command: Command) => {
      const { tenant, once: isOnce } = command.optsWithGlobals<OfTenant & { once?: boolean }>();
      await withStore(world, async (db) => {
        const deps = { people: peopleOf(world, db, 'info'), db, log: logOf(world, 'info'), egress: null, file: { path, tenant } };
        if (isOnce) {
          const { look } = createWatch(deps);
          // What two looks find alike is whole.
          await look();
          await look();
          return;
        }
        const watch = startWatch(deps);
        await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
        await watch.stop();
      });
    });

  directory
    .command('token')
    .description('a token for the identity provider of a tenant (SCIM 2.0), told this once; others hold until they are revoked')
    .requiredOption('--tenant <tenant>', 'whose people it may change')
    .requiredOption('--by <person>', 'who makes it')
    .option('--role-prefix <prefix>', 'only groups whose names begin so are roles; with "" every group is one')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<By & { rolePrefix?: string }>();
      const { tenant, by, rolePrefix } = options;
      const token = await withStore(world, async (db) => {
        const people = peopleOf(world, db);
        const at = await people.now();
        const made = await db.transaction().execute(async (trx) => {
          await lockPeople(trx, tenant);
          if (rolePrefix !== undefined) await savePeopleState(trx, tenant, { ...(await peopleState(trx, tenant)), rolePrefix });
          return await issueScimToken(trx, { tenant, at, by });
        });
        if (rolePrefix !== undefined && (await people.preview(tenant))) await people.change(tenant, by, () => Promise.resolve());
        return made;
      });
      answer(world, options, { tenant, token }, () => `Keep it; it is not shown again. The address is COUNTERSIGN_PUBLIC_URL and /scim/v2.\n${token}`);
    });

  directory
    .command('revoke')
    .description('take back the token that COUNTERSIGN_SCIM_TOKEN holds: it opens nothing from now on')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared>();
      const token = world.env['COUNTERSIGN_SCIM_TOKEN'];
      if (!token) throw new CliError(EXIT.usage, 'no_token', 'Set COUNTERSIGN_SCIM_TOKEN to the token that is to be revoked');
      const revoked = await withStore(world, (db) => revokeScimToken(db, token, world.now()));
      if (!revoked) throw new CliError(EXIT.refused, 'unknown_token', 'There is no such token, or it was revoked before');
      answer(world, options, { revoked }, () => 'The token is revoked');
    });
}
