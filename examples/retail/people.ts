/**
 * The scripted people: each looks now and then at what is open and theirs to see, and does what the table says, once.
 */
import { personAt, sleep, type Approval, type PersonAtWork } from '../support/people';
import type { Act } from './behaviour';

const LOOK_EVERY_MS = 500;

export interface Crew {
  /** From now on the people know what to do about this approval. */
  brief(approvalId: string, acts: readonly Act[]): void;
  /** How long each decision took from click to answer, in milliseconds. */
  readonly tookMs: readonly number[];
  /** Moves that were refused, and anything else that went wrong. */
  readonly troubles: readonly string[];
  stop(): Promise<void>;
}

export async function startCrew(apiUrl: string, everyone: readonly string[]): Promise<Crew> {
  const todo = new Map<string, Act[]>();
  const tookMs: number[] = [];
  const troubles: string[] = [];
  let stopped = false;

  const isAt = ({ state, level }: Approval, { at }: Act): boolean => (at === 'held' ? state === 'held' : state === 'waiting' && level === at);

  async function look(person: PersonAtWork): Promise<void> {
    const mine = [...todo.values()].flat().filter(({ who }) => who === person.id);
    if (mine.length === 0) return;
    const states = new Set(mine.map(({ at }) => (at === 'held' ? ('held' as const) : ('waiting' as const))));
    for (const state of states) {
      for (const approval of await person.open(state)) {
        const [next, ...rest] = todo.get(approval.approval_id) ?? [];
        if (next?.who !== person.id || !isAt(approval, next)) continue;
        todo.set(approval.approval_id, rest);
        for (const move of next.moves) await timed(() => person.decide(approval, move));
      }
    }
  }

  async function timed(work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await work();
    tookMs.push(performance.now() - began);
  }

  const people = await Promise.all(everyone.map((id) => personAt(apiUrl, id)));
  const loops = people.map(async (person) => {
    while (!stopped) {
      await look(person).catch((error: unknown) => troubles.push(`${person.id}: ${error instanceof Error ? error.message : String(error)}`));
      await sleep(LOOK_EVERY_MS);
    }
  });
  return {
    brief: (approvalId, acts) => void todo.set(approvalId, [...acts]),
    tookMs,
    troubles,
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}
