/**
 * Ten thousand lives: every move of people, agents, operators and clocks in any order, twice, late, by the wrong person, on the wrong packet, over
 * plans and teams of every kind that change in the middle. What has to hold after each step is in test/support/model/rules.ts; here it is walked
 * there, and counted what the walk has seen, so that nothing holds by never happening. Seeded: the same walk on every machine.
 */
import fc from 'fast-check';
import { nextInstant } from '../../../domain/ladder';
import { REFUSALS } from '../../../domain/moves';
import { OUTCOMES } from '../../../domain/outcome';
import { hasEnded } from '../../../domain/state';
import { MOVE_ROWS } from '../../support/model/moves-page';
import { ground } from '../../support/model/plans';
import { checkCounts, checkStep, knocksLeft, reader } from '../../support/model/rules';
import { Stage, type Ground, type Step } from '../../support/model/stage';
import { checkUnseen } from '../../support/model/unseen';
import { play, turn, type Turn } from '../../support/model/walk';
import { AROUND, EVENT_TYPES, MOVE_TYPES, NOT_OF_THE_MACHINE, WITHOUT_PEOPLE } from '../../support/model/words';

const SEED = 20_261_123;
const LIVES = 10_000;
const life = fc.tuple(ground, fc.boolean(), fc.array(turn, { minLength: 10, maxLength: 22 }));

/** What the walk has come across. */
class Seen {
  readonly events = new Map<string, number>();
  readonly codes = new Map<string, number>();
  readonly outcomes = new Map<string, number>();
  readonly accepted = new Map<string, number>();
  /** `move code`, and `move entry`. */
  readonly refusedWith = new Set<string>();
  readonly told = new Set<string>();
  readonly counts = { steps: 0, plain: 0, sealed: 0, repeated: 0, standIns: 0 };

  step({ all, added, refusal, command, repeated }: Step): void {
    this.counts.steps += 1;
    if (repeated) this.counts.repeated += 1;
    for (const { event } of all) {
      bump(this.events, event.type);
      if (event.type === 'ended') bump(this.outcomes, event.outcome);
      if (event.type === 'signed_off' && event.for !== undefined) this.counts.standIns += 1;
    }
    if (refusal && command.type === 'move') this.refusedWith.add(`${command.body.move.type} ${refusal.code}`);
    // Whoever moves on what another one owns claims it first: that is no entry of the move itself.
    const own = added.map((e) => e.event).find((event) => event.type !== 'claimed' || !event.implicit);
    if (!refusal && command.type === 'move' && own) this.told.add(`${command.body.move.type} ${own.type}`);
    if (refusal) bump(this.codes, refusal.code);
    else if (command.type === 'move' && !repeated) bump(this.accepted, command.body.move.type);
  }
}

const bump = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

/** Plays a life to its end, and looks after every step. */
function live(on: Ground, late: boolean, turns: readonly Turn[], seen: Seen): Stage {
  const stage = new Stage(on);
  let shadow = reader(stage.record);
  const look = (step: Step): void => {
    shadow = checkStep(stage, step, shadow);
    if (checkCounts(stage, step)) seen.counts.plain += 1;
    if (checkUnseen(stage, step)) seen.counts.sealed += 1;
    seen.step(step);
  };
  // Some begin before anybody has been asked.
  if (!late || turns.length % 7 !== 0) look(stage.send({ type: 'open' }));
  for (const one of turns) {
    play(stage, one, look);
    // What became of a message is no command: who reads along reads it there.
    if (shadow.seq < stage.state.seq) shadow = reader(stage.record);
  }
  look(stage.send({ type: 'open' }));
  const bound = knocksLeft(stage.plan, stage.state);
  for (let knock = 0; knock < bound && !hasEnded(stage.state); knock += 1) {
    stage.waitsUntil(nextInstant(stage.state) ?? stage.now);
    look(stage.send({ type: 'clock' }));
  }
  if (!hasEnded(stage.state)) throw new Error(`after ${String(bound)} knocks it has not ended: ${JSON.stringify(stage.state)}`);
  return stage;
}

const missing = (words: readonly string[], seen: ReadonlyMap<string, number>): string[] => words.filter((word) => !seen.has(word));

describe('the life of an approval', () => {
  it('keeps every rule at every step, whoever moves in whatever order, and ends by itself', () => {
    const seen = new Seen();
    fc.assert(
      fc.property(life, ([on, late, turns]) => {
        live(on, late, turns, seen);
      }),
      { numRuns: LIVES, seed: SEED },
    );
    // Else the rules would hold by never being put to the test.
    expect(missing(EVENT_TYPES, seen.events).filter((type) => !(NOT_OF_THE_MACHINE as readonly string[]).includes(type))).toEqual([]);
    expect(missing(REFUSALS, seen.codes).filter((code) => !Object.hasOwn(AROUND, code))).toEqual([]);
    expect(missing(OUTCOMES, seen.outcomes)).toEqual(WITHOUT_PEOPLE);
    expect(missing(MOVE_TYPES, seen.accepted)).toEqual([]);
    // And what docs/moves.md says of each move is what was seen.
    const documented = (of: 'entries' | 'refusals') => new Set(MOVE_ROWS.flatMap((row) => row[of].map((word) => `${row.move} ${word}`)));
    expect([...seen.refusedWith].filter((pair) => !documented('refusals').has(pair))).toEqual([]);
    expect([...seen.told].filter((pair) => !documented('entries').has(pair))).toEqual([]);
    expect(Object.entries(seen.counts).filter(([, count]) => count < 30)).toEqual([]);
  });

  it('is the same twice: the same plan, people, moves and times give the same record', () => {
    fc.assert(
      fc.property(life, ([on, late, turns]) => {
        expect(live(on, late, turns, new Seen()).record).toEqual(live(on, late, turns, new Seen()).record);
      }),
      { numRuns: 100, seed: SEED },
    );
  });
});
