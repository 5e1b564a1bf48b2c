/**
 * The command `countersign`: its verbs, and what each way of failing exits with. Nothing is read at import; the world is handed in.
 */
import { Command, CommanderError } from 'commander';
import { PeopleError } from '../../activities/people';
import { RecordError } from '../../record/errors';
import { CountersignError } from '../sdk';
import { absenceCommands } from './commands/absence';
import { agentsCommands } from './commands/agents';
import { directoryCommands } from './commands/directory';
import { initCommand } from './commands/init';
import { keysCommands } from './commands/keys';
import { moveCommands } from './commands/moves';
import { operatorCommands } from './commands/operator';
import { policyCommands } from './commands/policy';
import { recordCommands } from './commands/record';
import { workCommands } from './commands/work';
import { CliError, EXIT, type Exit, type World } from './io';

const HELP = `
Exit codes: 0 done; 1 a finding, or refused; 2 wrong usage; 3 Countersign, its store or a file cannot be reached.
Environment: COUNTERSIGN_URL (${'http://localhost:8700'}), COUNTERSIGN_KEY (an agent key); for policy publish, directory, agents and record: DATABASE_URL, COUNTERSIGN_KEYS_FILE.`;

/** Runs one command; its exit code. Never throws. */
export async function run(argv: readonly string[], world: World): Promise<Exit> {
  let exit: Exit = EXIT.ok;
  const end = (code: Exit): void => {
    exit = code;
  };
  const program = new Command('countersign')
    .description('Durable approvals and escalations for AI agents')
    .option('--json', 'answer as JSON, errors too')
    .option('--url <url>', 'where Countersign is')
    .addHelpText('after', HELP)
    .configureOutput({ writeOut: world.out, writeErr: world.err })
    .exitOverride();
  initCommand(program, world);
  agentsCommands(program, world);
  directoryCommands(program, world);
  absenceCommands(program, world);
  keysCommands(program, world);
  policyCommands(program, world, end);
  recordCommands(program, world, end);
  workCommands(program, world, end);
  moveCommands(program, world, end);
  operatorCommands(program, world, end);
  inherit(program, world);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const told = tell(error);
    world.err(program.opts<{ json?: boolean }>().json ? `${JSON.stringify({ code: told.code, message: told.message })}\n` : `${told.code}: ${told.message}\n`);
    return told.exit;
  }
}

/** Subcommands end and write like the program itself. */
function inherit(command: Command, world: World): void {
  for (const child of command.commands) {
    child.exitOverride().configureOutput({ writeOut: world.out, writeErr: world.err });
    inherit(child, world);
  }
}

/** The store's ways of not being there, as its driver names them. */
const NO_STORE = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', '28P01', '28000', '3D000', '57P03'];

function tell(error: unknown): { readonly exit: Exit; readonly code: string; readonly message: string } {
  if (error instanceof CliError) return error;
  if (error instanceof PeopleError) return { exit: EXIT.refused, code: error.code, message: error.message };
  if (error instanceof CountersignError) {
    const away = error.code === 'unreachable' || error.code === 'unexpected_answer' || error.code === 'unavailable';
    const hint = error.code === 'unauthenticated' ? '; sign in again with: countersign login PERSON' : '';
    return { exit: away ? EXIT.unreachable : EXIT.refused, code: error.code, message: `${error.message}${hint}` };
  }
  if (error instanceof RecordError)
    return { exit: error.code === 'store_unreachable' ? EXIT.unreachable : EXIT.refused, code: error.code, message: error.message };
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (NO_STORE.includes(code))
    return {
      exit: EXIT.unreachable,
      code: 'store_unreachable',
      message: 'The store of DATABASE_URL does not answer or does not let you in; check that it runs and that role and password are right',
    };
  return { exit: EXIT.refused, code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
