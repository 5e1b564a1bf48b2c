/**
 * What an agent may send, validated. A request names an action, the facts about it, who asks and why;
 * never a lane, a role, a person, a tier or a deadline: the policy decides those.
 * Pure: imports zod and types. Workflow code must not import it (no zod in the sandbox), only its types.
 */
import { z } from 'zod';
import type { JsonObject } from './json';

/** The whole request as UTF-8 JSON: larger artifacts go by digest. */
export const REQUEST_BYTES_MAX = 128 * 1024;

const jsonObject = z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>;
const sentence = (max: number) => z.string().trim().min(1).max(max);
const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'use lower-case letters, digits and _');

export const ActionSchema = z
  .strictObject({
    type: z
      .string()
      .max(100)
      .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/, 'use dotted lower-case words, such as refund.issue'),
    summary: sentence(300).describe('One plain sentence: what will happen'),
    params: jsonObject.describe('Typed by the policy; money is {minor, currency}'),
    system: sentence(100).describe('The system touched'),
    reversibility: z.enum(['easy', 'hard', 'none']),
    audience: z.strictObject({
      reach: z.enum(['internal', 'one_customer', 'many', 'public']),
      count: z.int().min(0).max(1_000_000_000),
    }),
    data: z.array(name).max(20).default([]).describe('Data classes touched'),
    artifacts: z
      .array(z.strictObject({ name: sentence(200), media_type: sentence(100), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
      .max(20)
      .default([]),
  })
  .meta({ id: 'Action' });

export const EvidenceSchema = z
  .strictObject({
    name,
    title: sentence(200),
    /** Who wrote it; what an agent or a customer wrote is shown as such. */
    source: z.enum(['agent', 'customer', 'system']),
    content: z.string().max(64 * 1024),
  })
  .meta({ id: 'Evidence' });

export const ResumeSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('callback'), url: z.string().max(2000) }),
    z.strictObject({ type: z.literal('workflow'), workflow_id: sentence(500) }),
    z.strictObject({ type: z.literal('poll') }),
  ])
  .meta({ id: 'Resume' });

export const RequestSchema = z
  .strictObject({
    action: ActionSchema,
    facts: jsonObject.default({}).describe('What the agent claims; a fact that the policy computes or a provider gives is refused here'),
    run: sentence(200).describe('The run of the agent that pauses'),
    on_behalf_of: sentence(200).optional().describe('The person, if any, whose wish this is; may not decide on it'),
    customer: z.strictObject({ id: sentence(200), name: sentence(200).optional(), email: z.email().max(320).optional() }).optional(),
    case: sentence(200).optional().describe('The ticket or case it belongs to'),
    reason: sentence(2000).describe("The agent's justification"),
    exception: z
      .strictObject({ of: sentence(100).describe('The approval that ended as blocked or denied'), justification: sentence(2000) })
      .meta({ id: 'Exception' })
      .optional()
      .describe('Asks for an exception to an earlier refusal; the policy says whether there can be one, and who decides'),
    follows: sentence(100).optional().describe('The answered escalation of this agent that it goes on from; facts from there are claimed like any other'),
    evidence: z.array(EvidenceSchema).max(30).default([]),
    resume: ResumeSchema,
  })
  .meta({ id: 'Request' });

export type ActionInput = z.output<typeof ActionSchema>;
export type Evidence = z.output<typeof EvidenceSchema>;
export type Resume = z.output<typeof ResumeSchema>;
export type RequestInput = z.output<typeof RequestSchema>;
/** A request as an agent writes it: what has a default may be left out. */
export type RequestDraft = z.input<typeof RequestSchema>;

/** The agent as the store knows it, found by its key. */
export interface AgentIdentity {
  readonly tenant: string;
  readonly agent: string;
  /** The person who answers for the agent; may not decide on its requests. */
  readonly owner: string | null;
}
