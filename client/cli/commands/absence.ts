/**
 * `countersign absence`: when you are away and who stands in, over HTTP; an operator says it of others with --person.
 */
import type { Command } from 'commander';
import type { z } from 'zod';
import { visible } from '../../../domain/text';
import { AbsenceSchema } from '../../api/schemas';
import { call } from '../../sdk/http';
import { answer, CliError, EXIT, type Shared, type World } from '../io';
import { asPerson } from '../session';

interface Options extends Shared {
  readonly person?: string;
}

const pathOf = ({ person }: Options): string => (person === undefined ? '/v1/me/absence' : `/v1/people/${encodeURIComponent(person)}/absence`);

/** `2026-12-24T09:00:00Z`, or with an offset; a time without one would mean another instant on another machine. */
function instantOf(text: string, name: string): string {
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text).toISOString();
  throw new CliError(EXIT.usage, 'bad_instant', `${name} ${text} is no instant; write it as 2026-12-24T09:00:00Z or 2026-12-24T09:00:00+01:00`);
}

export function absenceCommands(program: Command, world: World): void {
  const absence = program.command('absence').description('when you are away, and who stands in');

  const said = (options: Options, value: z.output<typeof AbsenceSchema>): void =>
    answer(world, options, value, () =>
      value.absences.length === 0
        ? `${visible(value.person)} is not away.`
        : value.absences
            .map(({ from, to, deputy }) => `${visible(value.person)} is away from ${from} to ${to}${deputy === null ? '' : `; ${visible(deputy)} stands in`}`)
            .join('\n'),
    );

  absence
    .command('set')
    .description('be away until an instant, in place of the absence that was set before')
    .requiredOption('--to <instant>', 'the first instant back, such as 2027-01-02T09:00:00+01:00')
    .option('--from <instant>', 'the first instant away; now unless given')
    .option('--deputy <person>', 'who stands in meanwhile')
    .option('--person <person>', 'for operators: whose absence it is')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & { to: string; from?: string; deputy?: string }>();
      const { to, from, deputy } = options;
      const body = {
        to: instantOf(to, '--to'),
        ...(from === undefined ? {} : { from: instantOf(from, '--from') }),
        ...(deputy === undefined ? {} : { deputy }),
      };
      said(options, (await call(asPerson(world, options), { method: 'PUT', path: pathOf(options), body, answer: AbsenceSchema })).value);
    });

  for (const [name, method, what] of [
    ['show', 'GET', 'when you are away'],
    ['clear', 'DELETE', 'be back: the absence that was set ends'],
  ] as const)
    absence
      .command(name)
      .description(what)
      .option('--person <person>', 'for operators: whose absence it is')
      .action(async (_options: unknown, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        said(options, (await call(asPerson(world, options), { method, path: pathOf(options), answer: AbsenceSchema })).value);
      });
}
