/**
 * The shape of a policy file. Shape only: which keys there are and what kind of value each takes; what a row must have is checked
 * later, where the message can say why it matters. Strict: an unknown key is refused, nothing is decorative.
 * Pure: imports zod.
 */
import { z } from 'zod';
import { MEANWHILE, TIERS, TIMEOUT_ENDS } from '../domain/plan';

export const RISKS = ['low', 'medium', 'high', 'critical'] as const;
export const URGENCIES = ['routine', 'soon', 'urgent', 'immediate'] as const;
/** How the sign-offs of a row are asked for: one after the other, or all at once. */
const ORDERS = ['sequence', 'parallel'] as const;
/** Whose requests are counted together. */
export const RECENT_PER = ['agent', 'customer', 'tenant'] as const;
/** The looser first: with `pauses` a deadline moves. */
export const CLOCKS = ['pauses', 'runs'] as const;
const OVERRIDES = ['approve', 'deny'] as const;
export type Urgency = (typeof URGENCIES)[number];

export const text = (max: number) => z.string().trim().min(1).max(max);
export const id = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'use lower-case letters, digits and _');
const actionType = z.string().regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/, 'use dotted lower-case words, such as refund.issue');
/** A role by its place, not yet by its form: that a person stands there gets a finding of its own. */
const role = text(100);

const notice = z.strictObject({ subject: text(200), text: text(4000) });

const level = z.strictObject({
  name: text(100).optional(),
  role,
  within: text(20).optional(),
  calendar: id.optional(),
  channels: z.array(text(100)).max(10).optional(),
  reminders: z.array(z.number()).max(5).optional(),
});
/** Hours by day or range of days: `mon-fri: 09:00-12:30, 13:30-18:00`. */
const calendar = z.strictObject({
  about: text(500).optional(),
  zone: text(100),
  hours: z.record(text(10), text(200)),
  holidays: z.strictObject({ region: text(20).optional(), dates: z.array(text(10)).max(500).optional() }).optional(),
});

const ladder = z.array(level).min(1).max(10);

const signOff = z.strictObject({
  lane: id.optional(),
  role: role.optional(),
  quorum: z.int().min(1).max(10).optional(),
  ladder: ladder.optional(),
  only: z.literal('above_authority').optional(),
});

/** A name that the operator's credential hook knows; never the credential itself. */
const credentialName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,199}$/, 'use the name of a credential: letters, digits, _ . : / and -');

/** A declared action that the agent does instead. */
const alternative = z.strictObject({ type: actionType, params: z.record(z.string(), z.json()).default({}), summary: text(300) });
/** Something for a role to look at. */
const task = z.strictObject({ queue: text(100), owner: role, title: text(200) });
const credential = z.strictObject({ credential: credentialName, reason: text(500) });

const meanwhile = z.strictObject({
  agent: z.enum(MEANWHILE).optional(),
  operator: text(500).optional(),
  retry_after: text(20).optional(),
  alternative: alternative.optional(),
  to_percent: z.int().min(1).max(99).optional(),
  effects: z
    .strictObject({
      tell_customer: notice.optional(),
      open_case: task.optional(),
      raise_incident: task.optional(),
      pause_credential: credential.optional(),
    })
    .optional(),
});

/** How people ask for information, and whether the time of who asked stands still meanwhile. */
const questions = z.strictObject({
  clock: z.enum(CLOCKS).optional(),
  within: text(20).optional(),
  at_most: z.int().min(0).max(100).optional(),
});

const onTimeout = z.strictObject({
  end: z.enum(TIMEOUT_ENDS).optional(),
  hold: z.strictObject({ role, for: text(20), then: z.enum(['expire', 'deny']) }).optional(),
  alternative: alternative.optional(),
  ticket: task.optional(),
  tell_customer: notice.optional(),
  pause_workflow: z.strictObject({ reason: text(500) }).optional(),
  disable_credential: credential.optional(),
});

const onDeny = z.strictObject({
  path: text(500),
  one_no: z.literal('next_level').optional(),
  tell_requester: z.boolean().default(false),
  tell_customer: notice.optional(),
});

const roles = z.array(role).min(1).max(20);

/** What operators may do; a glass that is broken without a review cannot be written. */
const operators = z.strictObject({
  roles,
  extend_at_most: text(20).optional(),
  override: z
    .strictObject({ roles, may: z.array(z.enum(OVERRIDES)).min(1).max(2), reasons: z.record(id, text(300)), second_person: z.boolean().default(false) })
    .optional(),
  break_glass: z.strictObject({ roles, review: task }).optional(),
});

/** A count or a sum over recent requests, the one that is asked about included. */
const recent = z.strictObject({
  about: text(500).optional(),
  of: z.array(text(100)).min(1).max(50),
  per: z.enum(RECENT_PER),
  within: text(20),
  sum: id.optional(),
  count: z.literal(true).optional(),
});

/** An action with what an example or a scenario is about, and no more. */
export const partialAction = z.strictObject({
  type: text(100),
  params: z.record(z.string(), z.json()).default({}),
  system: text(100).optional(),
  reversibility: z.enum(['easy', 'hard', 'none']).optional(),
  audience: z.strictObject({ reach: z.enum(['internal', 'one_customer', 'many', 'public']).optional(), count: z.int().min(0).optional() }).optional(),
  data: z.array(text(100)).optional(),
});

/** What examples and scenarios say of the world beside the request: by name, as conditions read it. */
export const world = {
  recent: z.record(z.string(), z.json()).default({}),
  /** What providers say of the request. */
  provided: z.record(z.string(), z.json()).default({}),
  /** What they say of the systems. */
  system: z.record(z.string(), z.json()).default({}),
};

const example = z.strictObject({
  action: partialAction,
  facts: z.record(z.string(), z.json()).default({}),
  ...world,
  evidence: z.array(text(100)).default([]),
  requester: z.strictObject({ agent: text(200).optional(), run: text(200).optional(), on_behalf_of: text(200).optional() }).default({}),
  tenant: text(100).optional(),
  /** For rows with excepts: what was refused before, and which roles said no. */
  exception: z.strictObject({ outcome: z.enum(['blocked', 'denied']), by: z.array(text(100)).max(10).default([]) }).optional(),
});

/** What an approver may add to a yes; of `options` exactly one is chosen. */
const offers = z.strictObject({
  amount_at_most: z.strictObject({ param: id, at_most: text(40).optional() }).optional(),
  only_recipients: z.strictObject({ param: id }).optional(),
  expires_within: text(20).optional(),
  options: z.record(id, text(300)).optional(),
});

/** What a row may inherit from `defaults`. */
const inherited = {
  lane: id.optional(),
  owner: role.optional(),
  tier: z.enum(TIERS).optional(),
  risk: z.enum(RISKS).optional(),
  urgency: z.enum(URGENCIES).optional(),
  meanwhile: meanwhile.optional(),
  evidence: z.array(id).max(30).optional(),
  on_timeout: onTimeout.optional(),
  on_deny: onDeny.optional(),
  takeover_within: text(20).optional(),
  takeover_at_most: text(20).optional(),
  questions: questions.optional(),
};

const body = {
  ...inherited,
  why: text(1000).optional(),
  kind: z.enum(['approval', 'escalation']).optional(),
  effect: z.literal('block').optional(),
  amount: text(1000).optional(),
  ladder: ladder.optional(),
  sign_offs: z.array(signOff).min(1).max(10).optional(),
  order: z.enum(ORDERS).optional(),
  same_person_allowed: z.boolean().optional(),
  expedite: z.strictObject({ when: z.string().min(1).max(100_000), ladder }).optional(),
  offers: offers.optional(),
  asks_for: z.record(id, text(200)).optional(),
  provision: text(4000).optional(),
  instruction: text(4000).optional(),
};

const RowSchema = z.strictObject({
  id,
  ...body,
  when: z.string().min(1).max(100_000).optional(),
  unless: z.string().min(1).max(100_000).optional(),
  supersedes: z.array(id).max(100).optional(),
  excepts: z.array(id).min(1).max(100).optional(),
  refuser_allowed: z.boolean().optional(),
  examples: z.strictObject({ match: z.array(example).max(50).default([]), no_match: z.array(example).max(50).default([]) }).optional(),
});

export const FileSchema = z.strictObject({
  name: text(100).optional(),
  version: text(100).optional(),
  about: text(4000).optional(),
  lanes: z.record(id, z.strictObject({ about: text(500).optional(), owner: role.optional(), calendar: id.optional(), ladder: ladder.optional() })).optional(),
  calendars: z.record(id, calendar).optional(),
  authority: z.record(id, z.strictObject({ up_to: text(40) })).optional(),
  actions: z.record(actionType, z.strictObject({ about: text(500).optional(), params: z.record(id, text(1000)).default({}) })).optional(),
  facts: z
    .record(
      id,
      z.strictObject({
        about: text(500).optional(),
        type: text(1000),
        source: z.enum(['action', 'agent', 'provider'], {
          error: ({ input }) =>
            input === 'record'
              ? 'no fact comes from the record by itself; declare what is counted or summed under recent:, and read it as recent.name'
              : 'use action, agent or provider',
        }),
        value: text(1000).optional(),
        provider: id.optional(),
        required_for: z.array(text(100)).optional(),
      }),
    )
    .optional(),
  providers: z.record(id, z.strictObject({ about: text(500).optional(), within: text(20).optional() })).optional(),
  system: z.record(id, z.strictObject({ about: text(500).optional(), type: text(1000), provider: id })).optional(),
  relative_roles: z.record(id, z.strictObject({ about: text(500).optional(), of: text(200), backup: role })).optional(),
  recent: z.record(id, recent).optional(),
  operators: operators.optional(),
  defaults: z.strictObject(inherited).optional(),
  default: z.strictObject(body).optional(),
  rows: z.array(RowSchema).max(1000).optional(),
});

export type PolicyDocument = z.output<typeof FileSchema>;
export type RowDocument = z.output<typeof RowSchema>;
export type DefaultsDocument = NonNullable<PolicyDocument['defaults']>;
export type MeanwhileDocument = z.output<typeof meanwhile>;
export type OperatorsDocument = z.output<typeof operators>;
export type LevelDocument = z.output<typeof level>;
export type RecentDocument = z.output<typeof recent>;
export type ProviderDocument = NonNullable<PolicyDocument['providers']>[string];
export type RelativeRoleDocument = NonNullable<PolicyDocument['relative_roles']>[string];
export type CalendarDocument = z.output<typeof calendar>;
export type SignOffDocument = z.output<typeof signOff>;
export type ExampleDocument = z.output<typeof example>;
