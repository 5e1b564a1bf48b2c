/**
 * What a replay answers: a form that programs may rely on. Fields are added, never renamed.
 * Pure: imports zod.
 */
import { z } from 'zod';

export const REPLAY_FORMAT = 'countersign.policy-replay/1';

const n = z.int().min(0);
const ids = z.array(z.string()).describe('Some of the approvals, the earliest first');
const ref = z.object({ name: z.string(), version: z.string(), hash: z.string() });
const effect = z.enum(['allow', 'approval', 'escalation', 'block']);
const both = { before: n, after: n };
const busiest = z.object({ day: z.string(), requests: n }).nullable();
const load = { ...both, busiest_before: busiest, busiest_after: busiest };

export const ReplaySchema = z
  .object({
    format: z.literal(REPLAY_FORMAT),
    tenant: z.string(),
    window: z.object({
      since: z.string().nullable().describe('Null: from the first request on'),
      until: z.string(),
      limit: n.nullable(),
      first: z.string().nullable().describe('When the first of the requests was made'),
      last: z.string().nullable(),
    }),
    candidate: ref,
    routed_by: z.array(ref.extend({ requests: n })).describe('The versions that routed them'),
    requests: n,
    unchanged: n.describe('The same plan to the last detail, apart from which version made it'),
    reworded: n.describe('Only what people read differs: a text, a trigger as it is written'),
    changed: n,
    refused: n.describe('Would not be taken'),
    less_asked: n.describe('A milder effect, tier or meanwhile, fewer signatures, less evidence, or a no that no longer ends it'),
    outcomes: z
      .array(
        z.object({
          was: z.object({ effect, outcome: z.string().describe('How it ended, or open') }),
          now: z.union([effect, z.literal('refused')]),
          requests: n,
          examples: ids,
        }),
      )
      .describe('Requests whose effect changes, by how they really ended'),
    tiers: z.array(z.object({ was: z.string(), now: z.string(), requests: n, examples: ids })),
    ends: z.array(z.object({ was: z.string(), now: z.string(), requests: n, examples: ids })).describe('How silence ends'),
    aspects: z.array(z.object({ what: z.string(), requests: n, examples: ids })).describe('What else differs in plans whose effect stays'),
    refusals: z.array(
      z.object({ code: z.string(), requests: n, paths: z.array(z.object({ path: z.string(), requests: n })), message: z.string(), examples: ids }),
    ),
    load: z.object({
      sign_offs: z.object(load).describe('People asked for a yes: each sign-off as many times as its quorum'),
      lanes: z.array(z.object({ lane: z.string(), ...load })),
      roles: z.array(z.object({ role: z.string(), ...load })).describe('By the role that is asked first'),
      days: z.array(z.object({ day: z.string(), role: z.string(), ...both })).describe('By day (UTC) and role'),
    }),
    deadlines: z.object({
      compared: n.describe('Answers of people, each against the deadline of its sign-off'),
      passed_on: z.object(both).describe('Answered when the first level had passed, and the next was asked'),
      missed: z.object(both).describe('Answered when silence would have ended it'),
      examples: z.array(z.object({ approval: z.string(), sign_off: z.string(), role: z.string(), due: z.string(), answered: z.string() })),
      unanswered: n.describe('Ended by silence then: nobody can say what other deadlines would have done'),
      more_sign_offs: n.describe('Approved then, and the candidate asks for further sign-offs, of whose time nothing is known'),
    }),
    rows: z
      .array(z.object({ row: z.string(), effect: effect.nullable().describe('Null: the candidate has no such row'), ...both, unevaluated: n }))
      .describe('How often each row applied; unevaluated: because its trigger could not be evaluated'),
    never: z.array(z.string()).describe('Rows of the candidate that apply to none of them'),
    unknown: z
      .array(z.object({ path: z.string(), requests: n }))
      .describe('What the candidate reads and nobody noted then: conditions that read it count in the strict direction'),
    counted_again: z.array(z.string()).describe('Counts and sums that were not noted then, or meant something else, counted again from the record'),
  })
  .meta({ id: 'PolicyReplay' });

export type ReplayReport = z.output<typeof ReplaySchema>;
