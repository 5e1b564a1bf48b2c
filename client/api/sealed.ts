/**
 * The timeline as one caller may read it: what two people choose unseen is told to nobody but whoever chose it, until all of them have.
 * Operators, auditors and the agent are no exception: what they know, those who may still choose can come to know. Pure.
 */
import type { z } from 'zod';
import { sealedOf, sealedWords, unsealedFor } from '../../domain/dual';
import type { Plan } from '../../domain/plan';
import { fold, type ApprovalState, type Recorded } from '../../domain/state';
import { sentence } from './present';
import type { TimelineSchema } from './schemas';

type Entry = z.output<typeof TimelineSchema>['entries'][number];

const LATER = 'it is shown when all of them have';

/** What is said instead of an entry that somebody may not read yet; null where they may. `person` is null for who is nobody of the directory. */
export function sealedFrom(person: string | null, state: ApprovalState, plan: Plan): ({ event }: Pick<Recorded, 'event'>) => string | null {
  const isShown = unsealedFor(person, state, plan);
  const sealed = sealedOf(state, plan);
  return ({ event }) => {
    if (isShown(event)) return null;
    const one = 'signOff' in event ? sealed.find(({ signOff }) => signOff === event.signOff) : undefined;
    return one ? `A choice was made unseen (${sealedWords(one)}); ${LATER}` : 'A move of somebody who chooses unseen was refused';
  };
}

/** `name` turns a person's id into a name. */
export function timelineFor(entries: readonly Recorded[], plan: Plan, person: string | null, name: (id: string) => string): Entry[] {
  const wordsFor = sealedFrom(person, fold(entries), plan);
  return entries.map((entry): Entry => {
    const { seq, at, event } = entry;
    const words = wordsFor(entry);
    return words === null
      ? { seq, at, type: event.type, text: sentence(event, name), event: { ...event } }
      : { seq, at, type: 'sealed', text: words, event: { type: 'sealed', ...('signOff' in event ? { signOff: event.signOff } : {}) } };
  });
}
