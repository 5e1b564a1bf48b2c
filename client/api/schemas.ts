/**
 * The shapes of the HTTP API, from which the OpenAPI document is made. The envelope is snake_case like the request;
 * plans, packets and results are the domain's own objects, the same here, in the callback and in the child's result.
 * Pure: imports zod and the request's schema.
 */
import { z } from 'zod';
import type { JsonObject } from '../../domain/json';
import { PROBLEM_CODES } from './problems';

/** An object of the domain, passed on as it is. */
const domainObject = (id: string, description: string) => z.looseObject({}).meta({ id, description });

const ProblemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('One sentence: what, where, and how to mend it'),
    code: z.enum(PROBLEM_CODES),
    issues: z.array(z.object({ code: z.string(), path: z.string(), message: z.string() })).optional(),
    reference: z.string().optional(),
    command_id: z.string().optional(),
    state: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; `code` is stable' });

const Plan = domainObject('Plan', 'What the policy decided, pinned at submit');
const Packet = domainObject('Packet', 'Everything the approver decides from');
const Result = domainObject('ApprovalResult', 'How it ended, with the decision token; null while it is open');
const Meanwhile = z.object({ agent: z.string(), operator: z.string() }).meta({ id: 'Meanwhile' });

export const SubmittedSchema = z
  .object({
    approval_id: z.string(),
    tenant: z.string(),
    replayed: z.boolean().describe('True when the same request had been submitted before under this key'),
    state: z.string(),
    headline: z.string(),
    plan: Plan,
    packet_digest: z.string(),
    action_digest: z.string(),
    meanwhile: Meanwhile,
    needs_workflow: z.boolean(),
    time_scale: z.number(),
    result: Result.nullable(),
  })
  .meta({ id: 'Submitted' });

export const ApprovalSchema = z
  .object({
    approval_id: z.string(),
    tenant: z.string(),
    agent: z.string(),
    state: z.string(),
    ended: z.boolean(),
    headline: z.string(),
    lane: z.string(),
    lanes: z.array(z.string()).describe('Of the sign-offs that are open now; several where they are asked for at the same time'),
    tier: z.string(),
    level: z.string(),
    owner: z.string().nullable().describe('The person it waits on now; of several the first'),
    owners: z.array(z.string()).describe('Everyone it waits on now, one for each sign-off that is open'),
    due_at: z.string().nullable(),
    seq: z.int(),
    packet_digest: z.string(),
    action_digest: z.string(),
    meanwhile: Meanwhile,
    result: Result.nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    page: z.string().describe('Where people see and decide it'),
  })
  .meta({ id: 'Approval' });

export const PacketSchema = z.object({ packet_digest: z.string(), packet: Packet, plan: Plan }).meta({ id: 'PacketView' });

export const TimelineSchema = z
  .object({
    approval_id: z.string(),
    entries: z.array(z.object({ seq: z.int(), at: z.string(), type: z.string(), text: z.string(), event: domainObject('Event', 'The entry as recorded') })),
  })
  .meta({ id: 'Timeline' });

const page = <T extends z.ZodType>(item: T, id: string) => z.object({ items: z.array(item), next_cursor: z.string().nullable() }).meta({ id });

export const ApprovalsSchema = page(ApprovalSchema, 'Approvals');

export const TicketsSchema = page(
  z
    .object({
      ticket_id: z.string(),
      approval_id: z.string(),
      queue: z.string(),
      owner: z.string(),
      title: z.string(),
      state: z.string(),
      created_at: z.string(),
    })
    .meta({ id: 'Ticket' }),
  'Tickets',
);

export const DeliveriesSchema = page(
  z
    .object({
      approval_id: z.string(),
      owed_id: z.string(),
      kind: z.string(),
      target: z.string(),
      status: z.string(),
      attempts: z.int(),
      last_detail: z.string(),
      next_at: z.string().nullable(),
      channel: z.string().nullable().describe('What a message goes out on now: email or webhook'),
      reached: z
        .enum(['sent', 'delivered'])
        .nullable()
        .describe('How far what is done is known to have come: sent, a mail server took it; delivered, the receiver itself accepted it'),
      created_at: z.string(),
      updated_at: z.string(),
    })
    .meta({ id: 'Delivery' }),
  'Deliveries',
);

const words = z.string().max(2000);
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');
const saw = { packet_digest: digest.describe('The digest of the packet you decide from') };

const MoneySchema = z.strictObject({ minor: z.int(), currency: z.string().regex(/^[A-Z]{3}$/, 'an ISO 4217 code, such as USD') }).meta({ id: 'Money' });

const ConditionsSchema = z
  .strictObject({
    amount_at_most: MoneySchema.optional().describe('A lower amount than was asked for'),
    only_recipients: z.array(z.string().max(2000)).max(200).optional().describe('Some of those that the request names'),
    expires_at: z.iso.datetime().optional().describe('The yes counts until then'),
    option: z.string().max(100).optional().describe('The name of one of the offered options'),
  })
  .meta({ id: 'Conditions', description: 'Only what the plan offers' });

export const MoveSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('claim') }),
    z.strictObject({ type: z.literal('release') }),
    z.strictObject({ type: z.literal('approve'), reason: words.default(''), conditions: ConditionsSchema.optional(), ...saw }),
    z.strictObject({ type: z.literal('deny'), reason: words.default(''), ...saw }),
    z.strictObject({ type: z.literal('take_over'), reason: words.default(''), ...saw }),
    z.strictObject({
      type: z.literal('answer'),
      facts: (z.record(z.string().max(64), z.json()) as unknown as z.ZodType<JsonObject>).describe('Those that the plan asks for, each of its type'),
      ...saw,
    }),
    z.strictObject({ type: z.literal('hand_back'), instructions: words.default(''), ...saw }),
    z.strictObject({ type: z.literal('resolve'), result: words.default(''), ...saw }),
  ])
  .meta({ id: 'Move' });
export type MoveInput = z.output<typeof MoveSchema>;

export const MovedSchema = z.object({ command_id: z.string(), state: z.string(), seq: z.int() }).meta({ id: 'Moved' });
export const StoredSchema = z
  .object({ command_id: z.string(), status: z.literal('stored') })
  .meta({ id: 'Stored', description: 'Safe on the record and not answered yet; look later at /v1/commands/{id}' });
export const CommandSchema = z
  .object({
    command_id: z.string(),
    approval_id: z.string(),
    status: z.enum(['stored', 'accepted', 'refused']),
    state: z.string().nullable(),
    seq: z.int().nullable(),
    refusal: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'Command' });

export const WithdrawSchema = z.strictObject({ reason: z.string().trim().min(1).max(2000).describe('Why the agent no longer asks') }).meta({ id: 'Withdraw' });

export const LoginSchema = z.strictObject({ person: z.string().min(1).max(200), tenant: z.string().min(1).max(100).optional() }).meta({ id: 'Login' });
export const LoggedInSchema = z
  .object({ token: z.string(), tenant: z.string(), person: z.string(), name: z.string(), roles: z.array(z.string()), notice: z.string() })
  .meta({ id: 'LoggedIn' });
export const MeSchema = z
  .object({
    kind: z.enum(['agent', 'person']),
    tenant: z.string(),
    id: z.string(),
    name: z.string().nullable(),
    roles: z.array(z.string()),
    signed_in_at: z.string().nullable(),
  })
  .meta({ id: 'Me' });

export const HealthSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

export const ApprovalParams = z.object({ id: z.string().min(1).max(200) });
export const PagingQuery = { cursor: z.string().max(1000).optional(), limit: z.coerce.number().int().min(1).max(200).default(50) };

/** What every route may answer besides its own success. */
export const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema } as const;
