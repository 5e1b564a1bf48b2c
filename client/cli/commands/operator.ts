/**
 * What operators look at and switch beside single approvals: what does not get on by itself, and whether requests are taken at all.
 */
import { Argument, type Command } from 'commander';
import { visible } from '../../../domain/text';
import { INTAKE_SCOPES, type IntakeOpen, type IntakeScope } from '../../../record/admin';
import { IntakeMovedSchema, IntakeSchema, StuckSchema } from '../../api/schemas';
import { call } from '../../sdk/http';
import { answer, CliError, EXIT, table, type Exit, type Shared, type World } from '../io';
import { asPerson } from '../session';

const PATH = '/v1/operator/intake';
/** Withdrawing what is open takes a while where it is much. */
const WITHDRAW_MS = 120_000;

/** `everything`, `the agent refund-bot`. */
const called = (scope: string, name: string): string => (scope === 'tenant' ? 'everything' : `the ${scope} ${name}`);

/** What a scope is called by; the tenant has no name beside. */
function nameOf(scope: IntakeScope, name: string | undefined): string {
  if (scope === 'tenant' && name !== undefined) throw new CliError(EXIT.usage, 'invalid_move', 'The tenant is the one you signed in to; give no name');
  if (scope !== 'tenant' && !name) throw new CliError(EXIT.usage, 'invalid_move', `Say which ${scope}`);
  return name ?? '';
}

export function operatorCommands(program: Command, world: World, end: (code: Exit) => void): void {
  program
    .command('stuck')
    .description('what does not get on by itself, the oldest first; exit 1 if there is anything')
    .option('--limit <n>', 'name at most so many of each kind', '50')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { limit: string }>();
      const query = new URLSearchParams({ limit: options.limit });
      const { value } = await call(asPerson(world, options), { method: 'GET', path: `/v1/operator/stuck?${query.toString()}`, answer: StuckSchema });
      answer(world, options, value, () =>
        value.items.length === 0
          ? 'Nothing.'
          : value.items
              .map(
                (i) => `${i.since}  ${i.approval_id}${i.owed_id === null ? '' : ` delivery ${i.owed_id}`}  ${i.kind.replaceAll('_', ' ')}: ${visible(i.why)}`,
              )
              .join('\n'),
      );
      if (value.items.length > 0) end(EXIT.refused);
    });

  const intake = program.command('intake').description('whether requests are taken: the kill switch of an agent, a lane or the tenant');
  const scope = (): Argument => new Argument('<scope>', 'tenant, agent or lane').choices(INTAKE_SCOPES);

  intake
    .command('pause')
    .description('take no requests from now on; what is open runs on unless told')
    .addArgument(scope())
    .argument('[name]', 'of the agent or the lane')
    .requiredOption('--reason <text>', 'why: it is on the record, and agents are told')
    .option('--withdraw-open', 'withdraw what is open, each on its own record')
    .action(async (which: IntakeScope, name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { reason: string; withdrawOpen?: boolean }>();
      const open: IntakeOpen = options.withdrawOpen ? 'withdraw' : 'run';
      const body = { action: 'pause', scope: which, name: nameOf(which, name), reason: options.reason, open };
      const { value } = await call(asPerson(world, options), { method: 'POST', path: PATH, body, answer: IntakeMovedSchema, waitMs: WITHDRAW_MS });
      answer(
        world,
        options,
        value,
        () =>
          `Requests of ${called(which, name ?? '')} are not taken from now on; ${open === 'run' ? 'what is open runs on' : `${String(value.withdrawn)} open were withdrawn`}`,
      );
    });

  intake
    .command('resume')
    .description('take requests again')
    .addArgument(scope())
    .argument('[name]', 'of the agent or the lane')
    .requiredOption('--reason <text>', 'why: it is on the record')
    .action(async (which: IntakeScope, name: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { reason: string }>();
      const body = { action: 'resume', scope: which, name: nameOf(which, name), reason: options.reason };
      const { value } = await call(asPerson(world, options), { method: 'POST', path: PATH, body, answer: IntakeMovedSchema });
      answer(world, options, value, () => `Requests of ${called(which, name ?? '')} ${value.seq === null ? 'were not paused' : 'are taken again'}`);
    });

  intake
    .command('list')
    .description('which requests are not taken now, since when, and why')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared>();
      const { value } = await call(asPerson(world, options), { method: 'GET', path: PATH, answer: IntakeSchema });
      answer(world, options, value, () =>
        value.paused.length === 0
          ? 'Nothing is paused.'
          : table(
              ['what', 'since', 'by', 'open requests', 'why'],
              value.paused.map((p) => [called(p.scope, p.name), p.at, p.by, p.open === 'run' ? 'run on' : 'were withdrawn', p.reason]),
            ),
      );
    });
}
