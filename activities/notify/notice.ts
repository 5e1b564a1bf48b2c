/**
 * What the webhook says: who is asked what, until when and what comes next, in ids and in the policy's own words. Nothing that an
 * agent or a customer wrote is in it, no evidence, no parameters, no reason, no address, and no secret: whoever receives it, or reads
 * its logs, learns no more than that somebody is wanted. The link opens a page; it carries no authority.
 *
 * The same bytes in every attempt. Fields are added, never renamed. Pure: imports zod and domain.
 */
import { z } from 'zod';
import type { Instant } from '../../domain/json';
import { formatMoney } from '../../domain/money';
import type { Plan } from '../../domain/plan';
import { oneLine } from '../../domain/text';
import { approvalUrl } from './render';

const word = z.string().min(1).max(300);
const instant = z.iso.datetime();

const about = {
  tenant: word,
  approvalId: word,
  kind: z.enum(['approval', 'escalation']),
  lane: word,
  /** One sentence made of the action's type and the amount. */
  headline: word,
  /** `USD 480.00`; null where the policy measures none. */
  amount: word.nullable(),
  /** Whom it is for; `role` is under which they were asked. */
  person: z.strictObject({ id: word, name: word, role: word }),
  link: z.url().max(2000),
};
const asking = z.strictObject({ ...about, level: word, until: instant, next: z.string().max(1000) });

/** What can have happened to a request that goes on. */
export const NEWS = [
  'commented',
  'information_given',
  'question_lapsed',
  'evidence_added',
  'reassigned',
  'resolved_anew',
  'extended',
  'passed_up',
  'worked',
  'choice_made',
  'override_proposed',
  'overridden',
  'glass_broken',
  'changed',
] as const;
export type News = (typeof NEWS)[number];

/** Everything that is ever sent. A receiver takes a message whose id it has seen for the same one. */
export const NoticeSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['approval.asked', 'approval.reminded', 'approval.backup_paged']), timestamp: instant, data: asking }),
  z.strictObject({
    type: z.literal('approval.information_asked'),
    timestamp: instant,
    data: z.strictObject({ ...about, question: word, until: instant }),
  }),
  z.strictObject({ type: z.literal('approval.news'), timestamp: instant, data: z.strictObject({ ...about, news: z.enum(NEWS) }) }),
  z.strictObject({ type: z.literal('approval.taken_over'), timestamp: instant, data: z.strictObject(about) }),
  z.strictObject({ type: z.literal('approval.settled'), timestamp: instant, data: z.strictObject({ ...about, outcome: word }) }),
]);
export type Notice = z.output<typeof NoticeSchema>;

interface About {
  readonly tenant: string;
  readonly approvalId: string;
  readonly plan: Pick<Plan, 'effect' | 'lane' | 'amount'>;
  readonly actionType: string;
  readonly person: { readonly id: string; readonly name: string; readonly role: string };
  /** When it came to be owed. */
  readonly since: Instant;
  /** When it goes out, by the database's wall clock: receivers compare it with theirs, and a worker's host may be a day off. The host's if absent. */
  readonly sentAt?: Instant;
}

/** A message to a person, before it is bytes. */
export type Told = About &
  (
    | { readonly kind: 'ask' | 'remind' | 'page_backup'; readonly level: string; readonly dueAt: Instant; readonly next: string }
    /** `question` is its id: the words are read on the page. */
    | { readonly kind: 'ask_person'; readonly question: string; readonly dueAt: Instant }
    /** `outcome` is null while it goes on: then `news` says what has happened, without it that somebody has taken it over. */
    | { readonly kind: 'tell_asked'; readonly outcome: string | null; readonly news?: News | undefined }
  );

const ASKING = { ask: 'approval.asked', remind: 'approval.reminded', page_backup: 'approval.backup_paged' } as const;

export function noticeOf(told: Told, publicUrl: string): Notice {
  const { tenant, approvalId, plan, actionType, person, since: timestamp } = told;
  const kind = plan.effect === 'escalation' ? 'escalation' : 'approval';
  const amount = plan.amount === null ? null : formatMoney(plan.amount);
  const wanted = told.kind === 'ask_person' ? 'Information is needed' : kind === 'escalation' ? 'A person is needed' : 'A decision is needed';
  const data = {
    tenant,
    approvalId,
    kind,
    lane: plan.lane,
    headline: `${wanted}: ${actionType}${amount === null ? '' : `, ${amount}`}.`,
    amount,
    person: { id: person.id, name: oneLine(person.name), role: person.role },
    link: approvalUrl(publicUrl, approvalId),
  } as const;
  if (told.kind === 'ask_person') return { type: 'approval.information_asked', timestamp, data: { ...data, question: told.question, until: told.dueAt } };
  if (told.kind !== 'tell_asked')
    return { type: ASKING[told.kind], timestamp, data: { ...data, level: told.level, until: told.dueAt, next: oneLine(told.next, 1000) } };
  if (told.outcome === null && told.news !== undefined) return { type: 'approval.news', timestamp, data: { ...data, news: told.news } };
  return told.outcome === null
    ? { type: 'approval.taken_over', timestamp, data }
    : { type: 'approval.settled', timestamp, data: { ...data, outcome: told.outcome } };
}
