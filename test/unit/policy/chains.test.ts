/** Over generated policies: no chain is shortened, no level skipped or compressed, and every path has an owner, a deadline and an end. */
import fc from 'fast-check';
import { EXECUTABLE } from '../../../domain/outcome';
import type { ApprovalEvent } from '../../../domain/events';
import { nextInstant } from '../../../domain/ladder';
import { ms } from '../../../domain/json';
import type { Plan } from '../../../domain/plan';
import { hasEnded, openSignOffs } from '../../../domain/state';
import { resolve } from '../../../policy';
import { silenceOf } from '../../../policy/silence';
import { approve, directoryOf, person, Play, START } from '../../support/approval-play';
import { anyRow, inputs } from './generators';
import { policyOf, type Row } from './sample';

/** Plans that ask somebody. */
const plans: fc.Arbitrary<Plan> = fc
  .tuple(fc.array(anyRow, { minLength: 1, maxLength: 4 }), inputs)
  .map(([rows, input]) => resolve(policyOf(rows.map((r, i): Row => ({ id: `row_${String(i)}`, ...r }))), input))
  .filter((resolved) => resolved.ok && resolved.plan.signOffs.length > 0)
  .map((resolved) => (resolved.ok ? resolved.plan : never()));

const rolesOf = (plan: Plan): string[] => [...new Set(plan.signOffs.flatMap((s) => s.ladder.map((l) => l.role)))];
/** So many people for each role that nobody has to sign twice. */
const staffed = (plan: Plan) =>
  directoryOf(
    rolesOf(plan).flatMap((role) => Array.from({ length: 12 }, (_, i) => person(`${role}_${String(i)}`, [role]))),
    {},
  );
const eventsOf = (play: Play): readonly ApprovalEvent[] => play.record.map((r) => r.event);
const RUNS = { numRuns: 60 };

describe('a plan of a generated policy', () => {
  it('that nobody answers opens every level of the stage it stands in, for all of its time, with an owner, and ends', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const play = new Play(plan, { directory: staffed(plan), requesters: [] }).open();
        for (let at = nextInstant(play.state), n = 0; at !== null && n < 200; at = nextInstant(play.state), n += 1) play.comes(at);
        expect(hasEnded(play.state)).toBe(true);
        const opened = play.record.flatMap((r) => (r.event.type === 'level_opened' ? [{ ...r.event, opens: r.at }] : []));
        for (const one of opened) {
          const level = plan.signOffs.find((s) => s.id === one.signOff)?.ladder[one.level];
          expect(ms(one.dueAt) - ms(one.opens)).toBe(level?.withinMs);
          expect(one.owner).not.toBe('');
        }
        // The ladder that ran out was gone through to its end.
        const [first] = plan.signOffs;
        const stage = plan.signOffs.filter((s) => s === first || (s.stage !== undefined && s.stage === first?.stage));
        expect(stage.some((s) => opened.filter((o) => o.signOff === s.id).length === s.ladder.length)).toBe(true);
        // And what is foretold is what happens.
        const foretold = silenceOf(plan, staffed(plan), START);
        expect(foretold).toMatchObject({ outcome: play.state.state, endsAt: play.state.ended?.at });
      }),
      RUNS,
    );
  });

  it('is approved by every one of its sign-offs, each with its quorum, stage after stage, and by nothing less', () => {
    const lengths = new Set<number>();
    const stages = new Set<boolean>();
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat(100)), (plan, choice) => {
        fc.pre(plan.effect === 'approval' && plan.amount === null);
        const play = new Play(plan, { directory: staffed(plan), requesters: [] }).open();
        const needed = plan.signOffs.reduce((sum, s) => sum + s.quorum, 0);
        for (let n = 0; n < needed; n += 1) {
          expect(hasEnded(play.state)).toBe(false);
          const open = openSignOffs(play.state);
          const { owner } = open[(choice.next().value as number) % open.length] ?? never();
          play.says(owner ?? '', approve(), { signedInAgo: 0 });
        }
        expect(play.state.state).toBe('approved');
        const yes = eventsOf(play).filter((e) => e.type === 'signed_off');
        for (const s of plan.signOffs) expect(yes.filter((e) => e.signOff === s.id)).toHaveLength(s.quorum);
        // None of a later stage before the last of an earlier one.
        const stageAt = (id: string): number => {
          const i = plan.signOffs.findIndex((s) => s.id === id);
          const { stage } = plan.signOffs[i] ?? never();
          return stage === undefined ? i : plan.signOffs.findIndex((s) => s.stage === stage);
        };
        const order = yes.map((e) => stageAt(e.signOff));
        expect(order).toEqual([...order].sort((a, b) => a - b));
        lengths.add(plan.signOffs.length);
        stages.add(plan.signOffs.some((s) => s.stage !== undefined));
      }),
      RUNS,
    );
    expect(Math.max(...lengths)).toBeGreaterThan(2);
    expect([...stages].sort()).toEqual([false, true]);
  });

  it('is not brought to a yes by anything that an agent, or the clock, can send after it was submitted', () => {
    const sent = fc.oneof(
      fc.constant({ type: 'open' } as const),
      fc.constant({ type: 'clock' } as const),
      fc.record({ type: fc.constant('withdraw' as const), by: fc.string(), reason: fc.string() }),
    );
    fc.assert(
      fc.property(plans, fc.array(fc.tuple(sent, fc.nat(100_000_000)), { maxLength: 12 }), (plan, messages) => {
        const play = new Play(plan, { directory: staffed(plan), requesters: [] });
        for (const [command, later] of messages) {
          play.passes(later);
          play.send(command);
          expect(EXECUTABLE).not.toContain(play.state.state);
        }
        expect(eventsOf(play).some((e) => e.type === 'signed_off')).toBe(false);
      }),
      RUNS,
    );
  });

  it('opens the same levels until the same instants however often an agent or the clock knocks in between', () => {
    const knocks = fc.array(fc.tuple(fc.constantFrom('open' as const, 'clock' as const), fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 4 });
    const levels = (play: Play) => eventsOf(play).flatMap((e) => (e.type === 'level_opened' ? [[e.signOff, e.level, e.dueAt]] : []));
    fc.assert(
      fc.property(plans, fc.infiniteStream(knocks), (plan, between) => {
        const [silent, noisy] = [plan, plan].map((one) => new Play(one, { directory: staffed(one), requesters: [] }).open());
        if (!silent || !noisy) return never();
        for (let at = nextInstant(silent.state), n = 0; at !== null && n < 200; at = nextInstant(silent.state), n += 1) {
          const [from, span] = [noisy.now, ms(at) - ms(noisy.now)];
          const some = [...(between.next().value as readonly (readonly ['open' | 'clock', number])[])].sort(([, a], [, b]) => a - b);
          for (const [type, part] of some) {
            noisy.passes(ms(from) + Math.floor(span * part) - ms(noisy.now));
            noisy.send({ type });
          }
          silent.comes(at);
          noisy.comes(at);
        }
        expect(levels(noisy)).toEqual(levels(silent));
        expect(noisy.state.state).toBe(silent.state.state);
        expect(noisy.state.ended?.at).toBe(silent.state.ended?.at);
      }),
      RUNS,
    );
  });

  it('whoever is there, ends: with nobody at all, with one person for everything, with too few', () => {
    fc.assert(
      fc.property(plans, fc.constantFrom(0, 1, 2), (plan, people) => {
        const few = directoryOf(
          Array.from({ length: people }, (_, i) => person(`p${String(i)}`, rolesOf(plan))),
          {},
        );
        const { outcome, endsAt } = silenceOf(plan, few, START);
        expect(['expired', 'denied']).toContain(outcome);
        expect(endsAt).not.toBeNull();
      }),
      RUNS,
    );
  });
});

function never(): never {
  throw new Error('this cannot be');
}
