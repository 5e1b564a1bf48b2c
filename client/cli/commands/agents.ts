/**
 * `countersign agents`: register an agent in the store, give it a key, take a key back. For who runs the installation: it needs the
 * store itself, not the API. A key is told once and kept as a hash.
 */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { agentByName, issueKey, registerAgent, revokeKey } from '../../../record/store/agents';
import { withStore } from '../files';
import { answer, CliError, EXIT, type Shared, type World } from '../io';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const SECRET_BYTES = 32;

export function agentsCommands(program: Command, world: World): void {
  const agents = program.command('agents').description('register agents, give and take their keys');

  agents
    .command('add <agent>')
    .description('register an agent; its key and its callback secret are told this once')
    .requiredOption('--tenant <tenant>', 'whose agent it is')
    .option('--owner <person>', 'who answers for it, and so may not decide for it')
    .option('--callback-host <host...>', 'where its callbacks may go; none unless given')
    .action(async (agent: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant: string; owner?: string; callbackHost?: string[] }>();
      const { tenant, owner, callbackHost } = options;
      for (const [what, name] of [
        ['agent', agent],
        ['tenant', tenant],
      ] as const) {
        if (!NAME.test(name))
          throw new CliError(EXIT.usage, 'bad_name', `The ${what} ${name} cannot be named so; use small letters, digits, - and _, at most 63`);
      }
      const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
      const key = await withStore(world, async (db) => {
        if (await agentByName(db, tenant, agent))
          throw new CliError(
            EXIT.refused,
            'agent_exists',
            `Agent ${agent} of ${tenant} is registered already; for another key run: countersign agents key ${agent} --tenant ${tenant}`,
          );
        return await db.transaction().execute(async (trx) => {
          await registerAgent(trx, { tenant, agent, owner: owner ?? null, callbackHosts: callbackHost ?? [], callbackSecrets: [secret] });
          return await issueKey(trx, { tenant, agent, at: world.now() });
        });
      });
      answer(world, options, { tenant, agent, key, callback_secret: secret }, () =>
        [
          `Agent ${agent} of ${tenant} is registered. Keep these two; they are not shown again.`,
          `COUNTERSIGN_KEY=${key}`,
          `COUNTERSIGN_CALLBACK_SECRET=${secret}`,
        ].join('\n'),
      );
    });

  agents
    .command('key <agent>')
    .description('one more key for an agent, told this once; the others hold until they are revoked')
    .requiredOption('--tenant <tenant>', 'whose agent it is')
    .action(async (agent: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant: string }>();
      const { tenant } = options;
      const key = await withStore(world, (db) => issueKey(db, { tenant, agent, at: world.now() }));
      answer(world, options, { tenant, agent, key }, () => `COUNTERSIGN_KEY=${key}`);
    });

  agents
    .command('revoke')
    .description('take back the key that COUNTERSIGN_KEY holds: it opens nothing from now on')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared>();
      const key = world.env['COUNTERSIGN_KEY'];
      if (!key) throw new CliError(EXIT.usage, 'no_key', 'Set COUNTERSIGN_KEY to the key that is to be revoked');
      const revoked = await withStore(world, (db) => revokeKey(db, key, world.now()));
      if (!revoked) throw new CliError(EXIT.refused, 'unknown_key', 'There is no such key, or it was revoked before');
      answer(world, options, { revoked }, () => 'The key is revoked');
    });
}
