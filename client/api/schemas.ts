/**
 * The shapes of the HTTP API, from which the OpenAPI document is made. The envelope is snake_case like the request;
 * plans, packets and results are the domain's own objects, the same here, in the callback and in the child's result.
 * Pure: imports zod and the request's schema.
 */
import { z } from 'zod';
import type { JsonObject } from '../../domain/json';
import { DECIDING, WORK_STATUSES } from '../../domain/moves';
import { INTAKE_OPEN, INTAKE_SCOPES } from '../../record/admin';
import { BULK_MAX, EVIDENCE_CONTENT_MAX, EXTENSION_MINUTES_MAX, QUESTION_MAX, TEXT_MAX } from './limits';
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
/** What the policy does meanwhile by itself (a credential that it pauses) is none of the agent's business. */
const Meanwhile = z
  .object({
    agent: z.string(),
    operator: z.string(),
    retryAfterMs: z.int().optional().describe('For retry_once: how long to wait before'),
    alternative: z
      .object({ type: z.string(), params: z.looseObject({}) as unknown as z.ZodType<JsonObject>, summary: z.string() })
      .optional()
      .describe('For degrade: the declared safe path'),
    toPercent: z.number().optional().describe('For reduce_throughput: to how much of the usual'),
  })
  .meta({ id: 'Meanwhile' });

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

export const QuestionSchema = z
  .object({
    id: z.string(),
    of: z.string().describe('`agent`, or the id of the person who is asked'),
    by: z.string().describe('Who asked'),
    text: z.string(),
    asked_at: z.string(),
    due_at: z.string(),
    status: z.enum(['open', 'answered', 'lapsed']),
    answer: z.string().nullable(),
  })
  .meta({ id: 'Question', description: 'Information that somebody needs before they decide' });

export const RequestStateSchema = ApprovalSchema.extend({ questions: z.array(QuestionSchema) }).meta({
  id: 'RequestState',
  description: 'An approval, and what was asked about it',
});

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
      kind: z.string().describe('ticket, case or incident'),
      queue: z.string(),
      owner: z.string(),
      title: z.string(),
      evidence: z.array(z.object({ name: z.string(), sha256: z.string() })).describe('Of a case: what there is to look at, each by the SHA-256 of its content'),
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

const reason = words.default('');
/** Of several sign-offs that are open at the same time: which one. */
const which = { sign_off: z.string().min(1).max(20).optional().describe('Where several sign-offs are open: which one') };
const text = z.string().max(TEXT_MAX).default('');
const questionId = z.string().min(1).max(20).describe('The id of the question, such as q1');

export const MoveSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('claim') }),
    z.strictObject({ type: z.literal('release') }),
    z.strictObject({ type: z.literal('approve'), reason, conditions: ConditionsSchema.optional(), ...saw }),
    z.strictObject({ type: z.literal('deny'), reason, ...saw }),
    z.strictObject({ type: z.literal('take_over'), reason, ...saw }),
    z.strictObject({
      type: z.literal('answer'),
      facts: (z.record(z.string().max(64), z.json()) as unknown as z.ZodType<JsonObject>).describe('Those that the plan asks for, each of its type'),
      ...saw,
    }),
    z.strictObject({ type: z.literal('hand_back'), instructions: words.default(''), ...saw }),
    z.strictObject({ type: z.literal('resolve'), result: words.default(''), ...saw }),
    z.strictObject({ type: z.literal('abandon'), reason, ...saw }),
    z.strictObject({
      type: z.literal('update'),
      status: z.enum(WORK_STATUSES),
      note: words.default(''),
      next_update_at: z.iso.datetime().optional().describe('When the next word comes; the usual time from now unless said'),
    }),
    z.strictObject({ type: z.literal('comment'), text }),
    z.strictObject({
      type: z.literal('ask'),
      of: z.string().min(1).max(200).describe("`agent`, or a person's id"),
      question: z.string().max(QUESTION_MAX).default(''),
      ...which,
    }),
    z.strictObject({ type: z.literal('reply'), question: questionId, text }),
    z.strictObject({ type: z.literal('reassign'), to: z.string().min(1).max(200).describe("A person's id"), reason, ...which }),
    z.strictObject({ type: z.literal('pass_up'), reason }),
    z.strictObject({ type: z.literal('extend'), minutes: z.int().min(1).max(EXTENSION_MINUTES_MAX), reason, ...which }),
    z.strictObject({
      type: z.literal('override'),
      decision: z.enum(['approve', 'deny']),
      because: z.string().min(1).max(100).describe("The name of one of the policy's reasons"),
      reason,
      ...saw,
    }),
    z.strictObject({ type: z.literal('break_glass'), reason, ...saw }),
    z.strictObject({ type: z.literal('reopen_delivery'), owed_id: z.string().min(1).max(40).describe('As the list of deliveries names it'), reason }),
  ])
  .meta({ id: 'Move', description: `Moves that decide (${DECIDING.join(', ')}) name the packet that they decide from` });
export type MoveInput = z.output<typeof MoveSchema>;
export const ReplySchema = z.strictObject({ question: questionId, text }).meta({ id: 'Reply', description: "The agent's answer to a question" });
export const EvidenceSchema = z
  .strictObject({
    name: z.string().max(64).describe('[a-z][a-z0-9_]*, not used before in this request'),
    title: z.string().max(200),
    content: z.string().max(EVIDENCE_CONTENT_MAX).describe('At most 64 KiB'),
  })
  .meta({ id: 'AddEvidence', description: 'More to decide from; the packet has another digest afterwards' });

export const BulkSchema = z
  .strictObject({
    move: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('claim') }),
      z.strictObject({ type: z.literal('release') }),
      z.strictObject({ type: z.literal('approve'), reason }),
      z.strictObject({ type: z.literal('deny'), reason }),
      z.strictObject({ type: z.literal('comment'), text }),
    ]),
    items: z
      .array(z.strictObject({ approval_id: z.string().min(1).max(200), ...saw }))
      .min(1)
      .max(BULK_MAX)
      .describe('Of one action type, matched by the same rows, each with the packet that was read'),
  })
  .meta({ id: 'Bulk', description: 'One act on several similar approvals' });
export type BulkInput = z.output<typeof BulkSchema>;

export const BulkMovedSchema = z
  .object({
    bulk: z.string().describe('Names this act in every entry that it makes'),
    items: z.array(
      z.object({
        approval_id: z.string(),
        command_id: z.string().nullable(),
        status: z.enum(['accepted', 'refused', 'stored', 'not_sent']).describe('stored: safe and not answered yet; not_sent: nothing was done with it'),
        state: z.string().nullable(),
        seq: z.int().nullable(),
        problem: z.object({ code: z.string(), detail: z.string() }).nullable(),
      }),
    ),
  })
  .meta({ id: 'BulkMoved', description: 'An answer for each, in the order that was sent' });

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

export const STUCK_KINDS = ['overdue', 'routing', 'unowned', 'held', 'question', 'dead_letter', 'retrying'] as const;
export const StuckSchema = z
  .object({
    items: z.array(
      z
        .object({
          kind: z.enum(STUCK_KINDS),
          approval_id: z.string(),
          headline: z.string(),
          state: z.string(),
          why: z.string().describe('One sentence: what hangs, and what helps'),
          since: z.string(),
          owner: z.string().nullable(),
          owed_id: z.string().nullable().describe('Of a delivery: what reopen_delivery names'),
          page: z.string(),
        })
        .meta({ id: 'StuckItem' }),
    ),
    found: z.record(z.enum(STUCK_KINDS), z.int()).describe('How many there are of each kind; the list names the oldest of each'),
  })
  .meta({ id: 'Stuck', description: 'What does not get on by itself, the oldest first' });

export const IntakeMoveSchema = z
  .strictObject({
    action: z.enum(['pause', 'resume']),
    scope: z.enum(INTAKE_SCOPES).describe('Everything of the tenant, what one agent asks, or what one lane would have to judge'),
    name: z.string().max(100).default('').describe('Of the agent or the lane'),
    reason: z.string().trim().min(1).max(2000).describe('Agents are told'),
    open: z.enum(INTAKE_OPEN).default('run').describe('With pause: what is open already runs on, or is withdrawn'),
  })
  .meta({ id: 'IntakeMove', description: 'The kill switch: a request that it is about is refused with intake_paused' });

const paused = z
  .array(
    z.object({
      scope: z.enum(INTAKE_SCOPES),
      name: z.string().describe('Empty for the tenant'),
      reason: z.string(),
      open: z.enum(INTAKE_OPEN),
      by: z.string(),
      at: z.string(),
      seq: z.int().describe("The entry of the tenant's own record that says so"),
    }),
  )
  .describe('The pauses that hold, oldest first');
export const IntakeSchema = z.object({ paused }).meta({ id: 'Intake', description: 'Which requests are not taken now' });
export const IntakeMovedSchema = z
  .object({
    seq: z.int().nullable().describe('The entry that says so; null where there was nothing to resume'),
    withdrawn: z.int().describe('How many open approvals were withdrawn'),
    paused,
  })
  .meta({ id: 'IntakeMoved' });

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

const absence = { from: z.string(), to: z.string(), deputy: z.string().nullable() };
export const AbsenceInputSchema = z
  .strictObject({
    from: z.iso.datetime({ offset: true }).optional().describe('The first instant away; now unless given'),
    to: z.iso.datetime({ offset: true }).describe('The first instant back'),
    deputy: z.string().min(1).max(64).optional().describe('Who stands in meanwhile'),
  })
  .meta({ id: 'SetAbsence', description: 'Away from one instant to another' });
export const AbsenceSchema = z
  .object({
    person: z.string(),
    set: z
      .object({ ...absence, set_by: z.string(), set_at: z.string() })
      .nullable()
      .describe('The one that was set here; another takes its place'),
    absences: z.array(z.object(absence)).describe('All that are not over, those of the directory too'),
  })
  .meta({ id: 'Absence' });

export const HealthSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

export const ApprovalParams = z.object({ id: z.string().min(1).max(200) });
export const PagingQuery = { cursor: z.string().max(1000).optional(), limit: z.coerce.number().int().min(1).max(200).default(50) };

/** What every route may answer besides its own success. */
export const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema } as const;
