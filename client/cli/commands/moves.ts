/**
 * One verb for each move beside the decisions themselves (`decide`): say and ask something, give it to somebody else, take it over and
 * work on it; what operators do; and one act on several.
 */
import { randomUUID } from 'node:crypto';
import { Argument, Option, type Command } from 'commander';
import { z } from 'zod';
import { after } from '../../../domain/json';
import { WORK_STATUSES, type MoveType } from '../../../domain/moves';
import { visible } from '../../../domain/text';
import { parseDuration } from '../../../policy';
import { ApprovalSchema, BulkMovedSchema, BulkSchema, EvidenceSchema, MovedSchema, MoveSchema, ReplySchema, StoredSchema } from '../../api/schemas';
import { call, type Connection } from '../../sdk/http';
import { readText } from '../files';
import { answer, CliError, EXIT, table, type Exit, type Shared, type World } from '../io';
import { asAgent, asPerson } from '../session';

const path = (id: string): string => `/v1/requests/${encodeURIComponent(id)}`;
const Answer = z.union([MovedSchema, StoredSchema]);

/** The same key is the same move. */
type Keyed = Shared & { readonly key?: string };
type Said = Keyed & { readonly reason: string };
type Which = { readonly signOff?: string };

const parsed = <T extends z.ZodType>(schema: T, body: unknown): z.output<T> => {
  const { data, error } = schema.safeParse(body);
  const issue = error?.issues[0];
  if (issue) throw new CliError(EXIT.usage, 'invalid_move', `The move is not well-formed: ${issue.path.join('.') || 'it'}: ${issue.message}`);
  return data as z.output<T>;
};

/** What is sent of a move, and how its answer is told. */
async function send(world: World, options: Keyed, connection: Connection, to: string, body: unknown, what: string): Promise<void> {
  const { value } = await call(connection, { method: 'POST', path: to, body, idempotencyKey: options.key ?? randomUUID(), answer: Answer });
  answer(world, options, value, () =>
    'state' in value ? `${what}: on the record; it is now ${value.state}` : `Stored as ${value.command_id} and not answered yet; it need not be sent again`,
  );
}

const move = (world: World, options: Keyed, id: string, body: { readonly type: MoveType; readonly [field: string]: unknown }): Promise<void> =>
  send(world, options, asPerson(world, options), `/v1/approvals/${encodeURIComponent(id)}/moves`, parsed(MoveSchema, body), body.type);

/** The packet that a deciding move names: the one that was read, or the present one. */
async function saw(world: World, options: Shared & { readonly packet?: string }, id: string): Promise<{ readonly packet_digest: string }> {
  if (options.packet !== undefined) return { packet_digest: options.packet };
  const { value } = await call(asPerson(world, options), { method: 'GET', path: path(id), answer: ApprovalSchema });
  return { packet_digest: value.packet_digest };
}

const which = ({ signOff }: Which): object => (signOff === undefined ? {} : { sign_off: signOff });

/** An instant, or how long from now. */
function instantOf(text: string, now: string): string {
  const duration = parseDuration(text);
  if (duration !== undefined) return after(now, duration);
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new CliError(EXIT.usage, 'invalid_move', `${text} is no time; write an instant such as 2026-11-21T15:30Z, or a duration such as 2h`);
  return new Date(at).toISOString();
}

/** `90`, or a duration such as `2h`. */
function minutes(text: string): number {
  const ms = parseDuration(text);
  const value = ms === undefined ? Number(text) : ms / 60_000;
  if (!Number.isInteger(value) || value < 1)
    throw new CliError(EXIT.usage, 'invalid_move', `${text} is no time to extend by; write whole minutes, or a duration such as 2h`);
  return value;
}

const KEY = ['--key <key>', 'idempotency key: the same key is the same move'] as const;
const REASON = ['--reason <text>', 'why: it is on the record'] as const;
const PACKET = ['--packet <digest>', 'the packet you read (see show); the present one unless given'] as const;
const SIGN_OFF = ['--sign-off <id>', 'which, where several sign-offs are open'] as const;

export function moveCommands(program: Command, world: World, end: (code: Exit) => void): void {
  words(program, world);
  handing(program, world);
  takeover(program, world);
  operating(program, world);
  many(program, world, end);
}

function words(program: Command, world: World): void {
  program
    .command('comment <id> <text>')
    .description('say something to everyone who sees it; decides nothing')
    .option(...KEY)
    .action(async (id: string, text: string, _options: unknown, command: Command) => {
      await move(world, command.optsWithGlobals<Keyed>(), id, { type: 'comment', text });
    });

  program
    .command('ask <id> <of> <question>')
    .description('ask the agent (of: agent) or a person, by id, for information; the policy says whether the clock stands still')
    .option(...SIGN_OFF)
    .option(...KEY)
    .action(async (id: string, of: string, question: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Keyed & Which>();
      await move(world, options, id, { type: 'ask', of, question, ...which(options) });
    });

  program
    .command('reply <id> <question> <text>')
    .description('answer a question that was asked of you: as the agent of COUNTERSIGN_KEY, else as who signed in')
    .option(...KEY)
    .action(async (id: string, question: string, text: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Keyed>();
      if (world.env['COUNTERSIGN_KEY'])
        await send(world, options, asAgent(world, options), `${path(id)}/replies`, parsed(ReplySchema, { question, text }), 'reply');
      else await move(world, options, id, { type: 'reply', question, text });
    });

  program
    .command('evidence <id> <name> <file>')
    .description('as the agent of COUNTERSIGN_KEY: add a text to what the approver decides from')
    .option('--title <title>', 'what it is, for people; its name unless given')
    .option(...KEY)
    .action(async (id: string, name: string, file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Keyed & { title?: string }>();
      const evidence = parsed(EvidenceSchema, { name, title: options.title ?? name, content: readText(file) });
      await send(world, options, asAgent(world, options), `${path(id)}/evidence`, evidence, 'evidence');
    });
}

function handing(program: Command, world: World): void {
  program
    .command('reassign <id> <person>')
    .description('give it to another person who may be asked; its deadline stays')
    .option(...REASON, '')
    .option(...SIGN_OFF)
    .option(...KEY)
    .action(async (id: string, to: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & Which>();
      await move(world, options, id, { type: 'reassign', to, reason: options.reason, ...which(options) });
    });

  program
    .command('pass-up <id>')
    .description('have the next level asked now')
    .option(...REASON, '')
    .option(...KEY)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said>();
      await move(world, options, id, { type: 'pass_up', reason: options.reason });
    });
}

function takeover(program: Command, world: World): void {
  program
    .command('take-over <id>')
    .description('do it yourself; the agent stands down')
    .option(...REASON, '')
    .option(...PACKET)
    .option(...KEY)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & { packet?: string }>();
      await move(world, options, id, { type: 'take_over', reason: options.reason, ...(await saw(world, options, id)) });
    });

  program
    .command('update <id>')
    .description('say where your takeover stands, and until when the next word comes')
    .addArgument(new Argument('<status>').choices(WORK_STATUSES))
    .option('--note <text>', 'what to know about it', '')
    .option('--next <when>', 'the next word comes by then: an instant, or a duration such as 2h')
    .option(...KEY)
    .action(async (id: string, status: (typeof WORK_STATUSES)[number], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Keyed & { note: string; next?: string }>();
      const next = options.next === undefined ? {} : { next_update_at: instantOf(options.next, world.now()) };
      await move(world, options, id, { type: 'update', status, note: options.note, ...next });
    });

  program
    .command('abandon <id>')
    .description('end what you took over: neither done nor to be done')
    .option(...REASON, '')
    .option(...PACKET)
    .option(...KEY)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & { packet?: string }>();
      await move(world, options, id, { type: 'abandon', reason: options.reason, ...(await saw(world, options, id)) });
    });
}

function operating(program: Command, world: World): void {
  program
    .command('extend <id> <minutes>')
    .description('of an operator: more time for who is asked now, as far as the policy goes; minutes, or a duration such as 2h')
    .option(...REASON, '')
    .option(...SIGN_OFF)
    .option(...KEY)
    .action(async (id: string, time: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & Which>();
      await move(world, options, id, { type: 'extend', minutes: minutes(time), reason: options.reason, ...which(options) });
    });

  program
    .command('override <id>')
    .description("of an operator whom the policy lets: decide in place of who is asked, for one of the policy's named reasons")
    .addArgument(new Argument('<decision>').choices(['approve', 'deny'] as const))
    .addOption(new Option('--because <name>', "one of the policy's named reasons").makeOptionMandatory())
    .option(...REASON, '')
    .option(...PACKET)
    .option(...KEY)
    .action(async (id: string, decision: 'approve' | 'deny', _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & { because: string; packet?: string }>();
      await move(world, options, id, { type: 'override', decision, because: options.because, reason: options.reason, ...(await saw(world, options, id)) });
    });

  program
    .command('break-glass <id>')
    .description('in an emergency, of the roles that the policy names: allow it at once; everybody is told and a review is opened')
    .option(...REASON, '')
    .option(...PACKET)
    .option(...KEY)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & { packet?: string }>();
      await move(world, options, id, { type: 'break_glass', reason: options.reason, ...(await saw(world, options, id)) });
    });

  program
    .command('reopen <id> <delivery>')
    .description('of an operator: have a delivery that was given up tried again (its id: see stuck); also after the end')
    .option(...REASON, '')
    .option(...KEY)
    .action(async (id: string, owed: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said>();
      await move(world, options, id, { type: 'reopen_delivery', owed_id: owed, reason: options.reason });
    });
}

const MANY = ['claim', 'release', 'approve', 'deny', 'comment'] as const;
/** A whole act may take as long as one move, and a little. */
const MANY_MS = 30_000;

function many(program: Command, world: World, end: (code: Exit) => void): void {
  program
    .command('bulk')
    .description('one act on several approvals of one kind; exit 1 if any of them was not accepted')
    .addArgument(new Argument('<move>').choices(MANY))
    .argument('<id...>', 'ID, or ID=DIGEST for the packet that you read')
    .option('--reason <text>', 'with approve, deny', '')
    .option('--text <text>', 'with comment', '')
    .option(...KEY)
    .action(async (type: (typeof MANY)[number], ids: readonly string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Said & { text: string }>();
      const connection = asPerson(world, options);
      const named = ids.map((text): [string, string | undefined] => {
        const [id = '', digest] = text.split('=', 2);
        return [id, digest];
      });
      const items = await Promise.all(
        named.map(async ([id, digest]) => ({
          approval_id: id,
          packet_digest: digest ?? (await call(connection, { method: 'GET', path: path(id), answer: ApprovalSchema })).value.packet_digest,
        })),
      );
      const said = type === 'comment' ? { text: options.text } : type === 'approve' || type === 'deny' ? { reason: options.reason } : {};
      const body = parsed(BulkSchema, { move: { type, ...said }, items });
      const key = options.key ?? randomUUID();
      const { value } = await call(connection, {
        method: 'POST',
        path: '/v1/approvals/bulk',
        body,
        idempotencyKey: key,
        answer: BulkMovedSchema,
        waitMs: MANY_MS,
      });
      answer(world, options, value, () =>
        table(
          ['id', 'answer', 'state', 'why'],
          value.items.map((i) => [i.approval_id, i.status.replaceAll('_', ' '), i.state ?? '', visible(i.problem?.detail ?? '')]),
        ),
      );
      if (value.items.some(({ status }) => status === 'refused' || status === 'not_sent')) end(EXIT.refused);
    });
}
