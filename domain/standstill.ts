/**
 * Questions and the clock: a level may stand still while its person waits for information. What was left of it is kept as working time on
 * the level's own calendar, and runs on from the answer, or from the instant at which the question lapsed.
 * Pure: imports only from domain. Must not import ladder.ts, which uses this.
 */
import { ownersOf, tellOne } from './channels';
import type { Left, Resumed } from './events';
import { ms, type Instant } from './json';
import { QUESTIONS, type Limit, type SignOff } from './plan';
import { openQuestions, type ApprovalState, type QuestionState, type SignOffState } from './state';
import { nameOf, type Context, type Story } from './story';

/** The earlier of two instants, where there are two. */
export const earlier = (a: Instant | null, b: Instant | null): Instant | null => (a === null ? b : b === null || a <= b ? a : b);

/** When the first open question of a sign-off lapses (of a takeover: ''). */
export const questionDue = (state: ApprovalState, signOff: string): Instant | null =>
  openQuestions(state)
    .filter((q) => q.signOff === signOff)
    .reduce<Instant | null>((first, q) => earlier(first, q.dueAt), null);

/** What is left of a level when a question is asked; null where its clock does not stand still for it: held, or still already. */
export function leftOf(open: SignOffState, signOff: SignOff, context: Context): Left | null {
  const { now, plan, workingBetween } = context;
  const { dueAt, hold, paused, reminders } = open;
  if ((plan.questions ?? QUESTIONS).clock === 'runs' || dueAt === null || hold !== null || paused) return null;
  const { calendar } = rulingLimit(open, signOff, context);
  return { dueMs: workingBetween(now, dueAt, calendar), reminderMs: reminders.map((at) => workingBetween(now, at, calendar)), calendar };
}

/** Of several deadlines of a level the one that was the earliest when it opened. */
function rulingLimit({ level, openedAt }: SignOffState, signOff: SignOff, { now, dueAt }: Context): Limit {
  const rung = signOff.ladder[level];
  const limits = rung?.limits ?? (rung ? [rung] : []);
  const end = ({ withinMs, calendar }: Limit): number => ms(dueAt(openedAt ?? now, withinMs, calendar));
  return [...limits].sort((a, b) => end(a) - end(b))[0] ?? { withinMs: 0, calendar: null };
}

/** How a clock runs on from an instant once this question is over; null where none stood still for it, or goes on to for another. */
export function resumedFrom(state: ApprovalState, question: QuestionState, from: Instant, { dueAt }: Context): Resumed | null {
  const left = state.signOffs.find((s) => s.paused?.question === question.id)?.paused?.left;
  if (!left || openQuestions(state).some((q) => q.id !== question.id && q.signOff === question.signOff)) return null;
  return { dueAt: dueAt(from, left.dueMs, left.calendar), reminders: left.reminderMs.map((r) => dueAt(from, r, left.calendar)) };
}

/** Questions that nobody answered in time are over, the earliest first; a clock runs on from when they were, however late this is noticed. */
export function lapseQuestions(story: Story, context: Context): void {
  const { now, plan, directory } = context;
  const due = openQuestions(story.state)
    .filter((q) => ms(q.dueAt) <= ms(now))
    .sort((a, b) => ms(a.dueAt) - ms(b.dueAt));
  for (const question of due) {
    const { id, of, by, dueAt } = question;
    const resumed = resumedFrom(story.state, question, dueAt, context);
    const who = of === 'agent' ? 'The agent' : nameOf(directory, of);
    const owed = ownersOf(story.state, plan)
      .filter((owner) => owner.person === by)
      .map((to) => tellOne(story.state, plan, to, `${who} has not answered in time (question ${id})`));
    story.tell({ type: 'question_lapsed', question: id, of, dueAt, resumed, owed });
  }
}

/** Until when a level has, if its clock ran on now. */
export const dueNow = ({ dueAt, paused }: SignOffState, context: Context): Instant | null =>
  paused ? context.dueAt(context.now, paused.left.dueMs, paused.left.calendar) : dueAt;
