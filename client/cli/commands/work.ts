/**
 * The daily verbs over HTTP: login, request, list, show, wait, decide, callbacks.
 */
import { randomUUID } from 'node:crypto';
import { Argument, InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';
import { factLines } from '../../../domain/answers';
import type { JsonObject } from '../../../domain/json';
import type { Packet } from '../../../domain/packet';
import type { Plan } from '../../../domain/plan';
import { visible } from '../../../domain/text';
import { parseType } from '../../../domain/types';
import {
  ApprovalSchema,
  ApprovalsSchema,
  DeliveriesSchema,
  LoggedInSchema,
  MovedSchema,
  MoveSchema,
  PacketSchema,
  RequestStateSchema,
  StoredSchema,
  SubmittedSchema,
  TimelineSchema,
} from '../../api/schemas';
import { conditionsOf, factsOf, Unreadable } from '../../api/typed';
import { createCountersign } from '../../sdk';
import { call } from '../../sdk/http';
import { readJson } from '../files';
import { answer, CliError, EXIT, table, type Exit, type Shared, type World } from '../io';
import { anonymous, asAgent, asEither, asPerson, keep, urlOf } from '../session';

const MOVES = ['claim', 'release', 'approve', 'deny', 'take_over', 'answer', 'hand_back', 'resolve'] as const;
const path = (id: string): string => `/v1/requests/${encodeURIComponent(id)}`;

/** `name=value`, each name once. */
function pairs(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text): [string, string] => {
      const at = text.indexOf('=');
      if (at < 1) throw new CliError(EXIT.usage, 'invalid_move', `${text} is no name=value; write for example option=store_credit`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function typed<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unreadable) throw new CliError(EXIT.usage, 'invalid_move', error.message);
    throw error;
  }
}

/** Read by the types that the plan asks for; a list has commas here, because a shell has no lines. */
async function factsFor(connection: Parameters<typeof call>[0], id: string, given: readonly string[]): Promise<JsonObject> {
  const { value } = await call(connection, { method: 'GET', path: `${path(id)}/packet`, answer: PacketSchema });
  // Passed on as submit made it.
  const { asksFor = {} } = value.plan as unknown as Plan;
  const texts = Object.entries(pairs(given)).map(([name, text]): [string, string] => [
    name,
    Object.hasOwn(asksFor, name) && parseType(asksFor[name] ?? '')?.type.kind === 'list' ? text.replaceAll(',', '\n') : text,
  ]);
  return typed(() => factsOf(asksFor, Object.fromEntries(texts)));
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Give a number of seconds.');
  return value;
}

/** What may be added to a yes, and which facts are asked for. */
const demands = ({ offers = [], asksFor = {} }: Packet): string[] => [
  ...offers.map((words) => `offered: ${visible(words)}`),
  ...Object.entries(asksFor).map(([name, type]) => `asked for: ${name} (${type})`),
];

/** What was added to it since it was submitted. */
const additions = ({ added = [] }: Packet): string[] =>
  added.map(
    ({ name, title, by, at, content }) => `added ${name} by ${visible(by)} at ${at}: ${visible(title)}\n  ${visible(content).replaceAll('\n', '\n  ')}`,
  );

/** Questions that wait for an answer. */
const asked = (questions: z.output<typeof RequestStateSchema>['questions']): string[] =>
  questions
    .filter(({ status }) => status === 'open')
    .map(({ id, by, of, due_at, text }) => `question ${id} of ${visible(by)} to ${visible(of)}, until ${due_at}: ${visible(text)}`);

const Routed = z.object({ policy: z.object({ name: z.string(), version: z.string(), hash: z.string() }), rows: z.array(z.object({ id: z.string() })) });

/** Which version routed it, and where its text is: whatever holds by now. */
function policyLine(plan: unknown): string {
  const { policy, rows } = Routed.parse(plan);
  const hash = policy.hash.slice(0, 12);
  return `routed by ${visible(policy.name)} ${visible(policy.version)}, ${rows.map((row) => row.id).join(', ')}; its text: countersign policy show ${hash}`;
}

export function workCommands(program: Command, world: World, end: (code: Exit) => void): void {
  program
    .command('login <person>')
    .description('development only: sign in as anyone of the directory')
    .option('--tenant <tenant>', 'when the person is in several')
    .action(async (person: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant?: string }>();
      const body = { person, ...(options.tenant === undefined ? {} : { tenant: options.tenant }) };
      const { value } = await call(anonymous(world, options), { method: 'POST', path: '/v1/dev/login', body, answer: LoggedInSchema });
      keep(world, urlOf(world, options), { token: value.token, person: value.person });
      const { token: _secret, ...told } = value;
      answer(world, options, told, () => `Signed in as ${value.name} (${value.roles.join(', ')}) of ${value.tenant}. ${value.notice}`);
    });

  program
    .command('request <file>')
    .description('submit a request from a JSON file as the agent of COUNTERSIGN_KEY; exit 1 if the policy blocks it')
    .option('--key <key>', 'idempotency key; a new one unless given')
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { key?: string }>();
      const { value } = await call(asAgent(world, options), {
        method: 'POST',
        path: '/v1/requests',
        body: readJson(file),
        idempotencyKey: options.key ?? randomUUID(),
        answer: SubmittedSchema,
      });
      answer(world, options, value, () => `${value.approval_id}  ${value.state}  ${visible(value.headline)}\nmeanwhile: ${value.meanwhile.agent}`);
      if (value.state === 'blocked') end(EXIT.refused);
    });

  program
    .command('list')
    .description('what you may see, newest first')
    .option('--mine', 'only what waits on you')
    .option('--state <state>')
    .option('--lane <lane>')
    .option('--limit <n>', 'at most so many', '50')
    .option('--cursor <cursor>', 'go on from here')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { mine?: boolean; state?: string; lane?: string; limit: string; cursor?: string }>();
      const query = new URLSearchParams({
        limit: options.limit,
        ...(options.mine ? { mine: 'true' } : {}),
        ...(options.state ? { state: options.state } : {}),
        ...(options.lane ? { lane: options.lane } : {}),
        ...(options.cursor ? { cursor: options.cursor } : {}),
      });
      const { value } = await call(asPerson(world, options), { method: 'GET', path: `/v1/approvals?${query.toString()}`, answer: ApprovalsSchema });
      answer(world, options, value, () =>
        value.items.length === 0
          ? 'Nothing.'
          : `${table(
              ['id', 'state', 'lane', 'owner', 'due', 'what'],
              value.items.map((a) => [a.approval_id, a.state, a.lanes.join(', '), a.owners.join(', '), a.due_at ?? '', a.headline]),
            )}${value.next_cursor === null ? '' : `\nmore: --cursor ${value.next_cursor}`}`,
      );
    });

  program
    .command('show <id>')
    .description('where it stands, what it rests on, and what happened')
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared>();
      const connection = asEither(world, options);
      const { value: approval } = await call(connection, { method: 'GET', path: path(id), answer: RequestStateSchema });
      const { value: packet } = await call(connection, { method: 'GET', path: `${path(id)}/packet`, answer: PacketSchema });
      const { value: timeline } = await call(connection, { method: 'GET', path: `${path(id)}/timeline`, answer: TimelineSchema });
      answer(world, options, { approval, packet: packet.packet, plan: packet.plan, timeline: timeline.entries }, () =>
        [
          visible(approval.headline),
          `${approval.state}${approval.owners.length === 0 ? '' : `, waits on ${approval.owners.join(' and ')} until ${approval.due_at ?? 'nobody knows'}`}`,
          `packet ${approval.packet_digest}`,
          policyLine(packet.plan),
          approval.page,
          ...demands(packet.packet as unknown as Packet),
          ...additions(packet.packet as unknown as Packet),
          ...asked(approval.questions),
          '',
          ...timeline.entries.map((e) => `${e.at}  ${visible(e.text)}`),
        ].join('\n'),
      );
    });

  program
    .command('wait <id>')
    .description('wait for the end; exit 0 if the action may be executed, 1 if not')
    .option('--timeout <seconds>', 'give up after so long; never unless given', seconds)
    .action(async (id: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { timeout?: number }>();
      const result = await createCountersign(asEither(world, options)).wait(id, options.timeout === undefined ? {} : { timeoutMs: options.timeout * 1000 });
      answer(world, options, result, () =>
        [`${result.outcome}: ${visible(result.reason)}`, `next: ${visible(result.next.path)}`, ...factLines(result.next.facts ?? {}).map(visible)].join('\n'),
      );
      if (!['allowed', 'approved', 'approved_with_conditions'].includes(result.outcome)) end(EXIT.refused);
    });

  program
    .command('decide <id>')
    .description('make a move as the person who signed in')
    .addArgument(new Argument('<move>').choices(MOVES))
    .option('--reason <text>', 'with approve, deny, take_over', '')
    .option('--instructions <text>', 'with hand_back: how the agent should go on', '')
    .option('--result <text>', 'with resolve: what was done', '')
    .option(
      '--condition <name=value...>',
      'with approve, only what is offered (see show): amount_at_most="200.00 USD", only_recipients=a@example.com,b@example.com, expires_at=2h or an instant, option=NAME',
    )
    .option('--facts <name=value...>', 'with answer, those that are asked for (see show): order_total="120.00 USD" intent=refund; a list with commas')
    .option('--packet <digest>', 'the packet you read (see show); the present one unless given')
    .option('--key <key>', 'idempotency key: the same key is the same move')
    .action(async (id: string, type: (typeof MOVES)[number], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<
        Shared & { reason: string; instructions: string; result: string; condition?: string[]; facts?: string[]; packet?: string; key?: string }
      >();
      const connection = asPerson(world, options);
      const { value: approval } = await call(connection, { method: 'GET', path: path(id), answer: ApprovalSchema });
      const text = type === 'hand_back' ? { instructions: options.instructions } : type === 'resolve' ? { result: options.result } : { reason: options.reason };
      if (options.condition && type !== 'approve')
        throw new CliError(EXIT.usage, 'invalid_move', 'Conditions are added to a yes; --condition goes with approve');
      if (options.facts && type !== 'answer')
        throw new CliError(EXIT.usage, 'invalid_move', 'Facts are the answer to an escalation that asks for them; --facts goes with answer');
      const added =
        type === 'answer'
          ? { facts: await factsFor(connection, id, options.facts ?? []) }
          : options.condition
            ? { ...text, conditions: typed(() => conditionsOf(pairs(options.condition ?? []), new Date().toISOString())) }
            : text;
      const body = type === 'claim' || type === 'release' ? { type } : { type, ...added, packet_digest: options.packet ?? approval.packet_digest };
      const move = MoveSchema.safeParse(body);
      if (!move.success) throw new CliError(EXIT.usage, 'invalid_move', `The move is not well-formed: ${move.error.issues[0]?.message ?? 'check its options'}`);
      const { value } = await call(connection, {
        method: 'POST',
        path: `/v1/approvals/${encodeURIComponent(id)}/moves`,
        body: move.data,
        idempotencyKey: options.key ?? randomUUID(),
        answer: z.union([MovedSchema, StoredSchema]),
      });
      answer(world, options, value, () =>
        'state' in value ? `${type}: on the record; it is now ${value.state}` : `Stored as ${value.command_id} and not answered yet; it need not be sent again`,
      );
    });

  const callbacks = program.command('callbacks').description('what agents are owed');
  callbacks
    .command('list')
    .description('callbacks and how they stand')
    .option('--status <status>', 'such as failed_for_good')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { status?: string }>();
      const query = new URLSearchParams({ kind: 'callback', limit: '200', ...(options.status ? { status: options.status } : {}) });
      const { value } = await call(asPerson(world, options), { method: 'GET', path: `/v1/deliveries?${query.toString()}`, answer: DeliveriesSchema });
      answer(world, options, value, () =>
        value.items.length === 0
          ? 'Nothing.'
          : table(
              ['approval', 'to', 'status', 'attempts', 'last'],
              value.items.map((d) => [d.approval_id, d.target, d.reached ?? d.status.replaceAll('_', ' '), String(d.attempts), d.last_detail]),
            ),
      );
    });
}
