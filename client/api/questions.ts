/**
 * What was asked about an approval, told from its entries. Pure.
 */
import type { Instant } from '../../domain/json';
import type { QuestionState, Recorded } from '../../domain/state';

export interface Question {
  readonly id: string;
  /** `agent`, or a person's id. */
  readonly of: string;
  readonly by: string;
  readonly text: string;
  readonly askedAt: Instant;
  readonly dueAt: Instant;
  readonly status: QuestionState['status'];
  readonly answer: string | null;
}

/** In the order in which they were asked; `states` are those of the fold. Who may see the approval may see them. */
export function questionsOf(entries: readonly Recorded[], states: readonly QuestionState[]): Question[] {
  const answers = new Map(entries.flatMap(({ event }) => (event.type === 'information_given' ? [[event.question, event.text] as const] : [])));
  return entries.flatMap(({ at, event }): Question[] => {
    if (event.type !== 'information_asked') return [];
    const { question: id, of, by, text, dueAt } = event;
    return [{ id, of, by, text, askedAt: at, dueAt, status: states.find((q) => q.id === id)?.status ?? 'lapsed', answer: answers.get(id) ?? null }];
  });
}
