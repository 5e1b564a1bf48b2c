/**
 * What always holds, however people move and clocks jump: random plans, random teams, random moves, thousands of times.
 * Two oracles beside the invariants: the fold over the whole record, and a reading of the events that does not use the state.
 */
import fc from 'fast-check';
import { nextInstant } from '../../../domain/ladder';
import { holds } from '../../../domain/directory';
import type { ApprovalEvent, EventType } from '../../../domain/events';
import { ms } from '../../../domain/json';
import { compareMoney } from '../../../domain/money';
import { isOutcome, OPEN_STATES } from '../../../domain/outcome';
import type { Move } from '../../../domain/moves';
import type { OnTimeout, Plan } from '../../../domain/plan';
import { fold, hasEnded, openSignOffs } from '../../../domain/state';
import { viewOf } from '../../../domain/view';
import {
  approve,
  claim,
  deny,
  directoryOf,
  handBack,
  HOUR,
  level,
  MINUTE,
  person,
  Play,
  planOf,
  release,
  resolve,
  signOff,
  takeOver,
} from '../../support/approval-play';

const ROLES = ['manager', 'chief', 'backup'] as const;
const PEOPLE = ['ada', 'ben', 'cy', 'dee', 'eli'] as const;
const REQUESTER = 'eli';
/** Whoever is to act now: without them a random walk rarely gets far. */
const OWNER = 'the owner';
const TYPES_AFTER_END: readonly EventType[] = ['refused', 'attempted'];

const team = fc.array(fc.uniqueArray(fc.constantFrom(...ROLES), { maxLength: 3 }), { minLength: PEOPLE.length, maxLength: PEOPLE.length }).map((roles) =>
  directoryOf(
    PEOPLE.map((id, i) => person(id, roles[i] ?? [])),
    {},
  ),
);

const rung = fc.record({ role: fc.constantFrom(...ROLES), minutes: fc.integer({ min: 1, max: 120 }), reminders: fc.constantFrom([], [0.5], [0.25, 0.5, 0.9]) });
const signOffs = fc
  .array(fc.record({ ladder: fc.array(rung, { minLength: 1, maxLength: 3 }), quorum: fc.integer({ min: 1, max: 2 }), beside: fc.boolean() }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((list) =>
    list.map((s, i) => ({
      ...signOff(
        String(i + 1),
        s.ladder.map((l, n) => level(`level ${n}`, l.role, l.minutes, l.reminders)),
        s.quorum,
      ),
      // Beside the one before, or in a stage of its own.
      ...(list.some((o, n) => o.beside && (n === i || n === i + 1) && n > 0)
        ? { stage: list.slice(0, i + 1).filter((o, n) => !o.beside || n === 0).length }
        : {}),
    })),
  );
const onTimeout = fc.oneof(
  fc.constantFrom<OnTimeout>({ end: 'expire' }, { end: 'deny' }, { end: 'safe_alternative', alternative: { type: 'wait', params: {}, summary: 'wait' } }),
  fc.constantFrom<OnTimeout>(
    { end: 'hold', hold: { role: 'backup', forMs: HOUR, then: 'expire' } },
    { end: 'hold', hold: { role: 'chief', forMs: HOUR, then: 'deny' } },
  ),
);
/** What happens besides, whatever the end is. */
const besides = fc.record(
  {
    pauseWorkflow: fc.constant({ reason: 'nobody answered' }),
    disableCredentials: fc.constant([{ credential: 'crm', reason: 'nobody answered' }]),
    ticket: fc.constant({ queue: 'review', owner: 'manager', title: 'Look at it' }),
  },
  { requiredKeys: [] },
);
const money = fc.integer({ min: 0, max: 3 }).map((minor) => ({ minor, currency: 'USD' }));
const plan: fc.Arbitrary<Plan> = fc
  .record({
    signOffs,
    onTimeout: fc.tuple(onTimeout, besides).map(([end, also]) => ({ ...end, ...also })),
    effect: fc.constantFrom('approval' as const, 'approval' as const, 'escalation' as const),
    tier: fc.constantFrom('lightweight' as const, 'strong' as const, 'dual' as const),
    amount: fc.option(money),
    authority: fc.record({ manager: fc.option(money), chief: fc.option(money), backup: fc.option(money) }),
    samePersonAllowed: fc.boolean(),
  })
  .map((patch) => planOf(patch));

type Step =
  | { readonly who: string; readonly move: Move; readonly stale: boolean; readonly late: boolean }
  | { readonly jump: number }
  | { readonly team: ReturnType<typeof directoryOf> }
  | 'open'
  | 'withdraw'
  | 'wake';
const aMove = fc.oneof(
  { weight: 4, arbitrary: fc.constant(approve()) },
  { weight: 5, arbitrary: fc.constantFrom<Move>(deny(), takeOver(), handBack(), resolve(), claim, release, deny(''), approve('')) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      who: fc.constantFrom(...PEOPLE, 'nobody', OWNER, OWNER, OWNER, OWNER, OWNER),
      move: aMove,
      stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      late: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 90 * MINUTE }).map((jump) => ({ jump })) },
  { weight: 3, arbitrary: fc.constant('wake' as const) },
  { weight: 1, arbitrary: team.map((t) => ({ team: t })) },
  { weight: 1, arbitrary: fc.constant('open' as const) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9 }).map((n) => (n === 0 ? ('withdraw' as const) : ('open' as const))) },
);

const wake = (play: Play): void => {
  const at = nextInstant(play.state);
  if (at !== null) play.comes(ms(at) > ms(play.now) ? at : play.now);
};

function take(play: Play, one: Step): void {
  if (one === 'open') play.open();
  else if (one === 'withdraw') play.withdrawn();
  else if (one === 'wake') wake(play);
  else if ('jump' in one) play.passes(one.jump);
  else if ('team' in one) play.directory(one.team);
  else
    play.says(
      one.who === OWNER ? (play.state.takeover?.by ?? openSignOffs(play.state).find(({ owner }) => owner !== null)?.owner ?? 'nobody') : one.who,
      one.move,
      {
        ...(one.stale ? { packetDigest: '0'.repeat(64) } : {}),
        ...(one.late ? { expiresAt: play.now } : {}),
      },
    );
}

const eventsOf = (play: Play): readonly ApprovalEvent[] => play.record.map((r) => r.event);

/** What must be true of every record at every moment. */
function check(play: Play, plan: Plan, teams: readonly ReturnType<typeof directoryOf>[]): void {
  const events = eventsOf(play);
  expect(fold(play.record)).toEqual(play.state);
  expect(play.record.map((r) => r.seq)).toEqual(play.record.map((_, i) => i + 1));

  const ends = events.flatMap((e, i) => (e.type === 'ended' ? [i] : []));
  expect(ends.length).toBeLessThanOrEqual(1);
  expect(hasEnded(play.state)).toBe(ends.length === 1);
  if (ends[0] !== undefined) expect(events.slice(ends[0] + 1).filter((e) => !TYPES_AFTER_END.includes(e.type))).toEqual([]);

  const at = nextInstant(play.state);
  expect(at === null).toBe(hasEnded(play.state) || play.state.state === 'routing');
  expect(viewOf(play.state, plan, teams[teams.length - 1] ?? directoryOf(), play.now, null).wake?.at ?? null).toBe(at);
  expect(isOutcome(play.state.state) || (OPEN_STATES as readonly string[]).includes(play.state.state)).toBe(true);

  const asked = events.flatMap((e) => (e.type === 'level_opened' || e.type === 'held' ? e.asked : []));
  expect(asked.filter((a) => a.person === REQUESTER)).toEqual([]);
  for (const e of events) if (e.type === 'level_opened' || e.type === 'held') expect(e.asked.map((a) => a.person)).toContain(e.owner);

  const yes = events.filter((e): e is Extract<ApprovalEvent, { type: 'signed_off' }> => e.type === 'signed_off');
  for (const e of yes) {
    expect(e.by).not.toBe(REQUESTER);
    expect(teams.some((t) => holds(t, e.by, e.role))).toBe(true);
    const limit = plan.authority[e.role];
    if (e.authority === 'full' && plan.amount && limit) expect(compareMoney(plan.amount, limit)).toBeLessThanOrEqual(0);
  }
  for (const s of plan.signOffs) {
    const signers = yes.filter((e) => e.signOff === s.id).map((e) => e.by);
    expect(new Set(signers).size).toBe(signers.length);
    expect(signers.length).toBeLessThanOrEqual(s.quorum);
  }
  if (!plan.samePersonAllowed) expect(new Set(yes.map((e) => e.by)).size).toBe(yes.length);

  const ended = events.find((e) => e.type === 'ended');
  if (ended?.type === 'ended' && ended.outcome === 'approved') {
    expect(plan.effect).toBe('approval');
    for (const s of plan.signOffs) expect(yes.filter((e) => e.signOff === s.id)).toHaveLength(s.quorum);
    expect(ended.deciders.map((d) => d.person).sort()).toEqual(yes.map((e) => e.by).sort());
    expect(ended.owed.some((o) => o.kind === 'disable_credential')).toBe(false);
    // Somebody's authority reached the amount, unless no amount is at stake.
    if (plan.amount) expect(yes.some((e) => e.authority === 'full')).toBe(true);
  }
  if (ended?.type === 'ended' && ended.end !== null) {
    expect(ended.deciders).toEqual([]);
    expect(ended.owed.filter((o) => o.kind === 'disable_credential')).toHaveLength(plan.onTimeout.disableCredentials?.length ?? 0);
    expect(ended.next.pause).toEqual(plan.onTimeout.pauseWorkflow);
  }
  checkChain(play, plan);
}

/**
 * No level is skipped or compressed, and no stage is opened before the one before it is given: read from the events alone, each with the
 * owner and the deadline that it had.
 */
function checkChain(play: Play, plan: Plan): void {
  const given = new Set<string>();
  const at = new Map<string, { readonly level: number; readonly due: string | null }>();
  for (const { at: now, event } of play.record) {
    if (event.type === 'level_opened' || event.type === 'level_skipped') {
      const signOff = plan.signOffs.find((s) => s.id === event.signOff);
      const before = at.get(event.signOff);
      // Those who were asked have left, and nobody else is there: their level is over before its time, and the record says so.
      const deserted = event.type === 'level_skipped' && before !== undefined && before.due !== null && event.level === before.level;
      // The next rung of the ladder, and none of them twice.
      if (!deserted) expect(event.level).toBe((before?.level ?? -1) + 1);
      // Whoever had it before had all of their time.
      if (before?.due && !deserted) expect(ms(now)).toBeGreaterThanOrEqual(ms(before.due));
      for (const earlier of plan.signOffs.slice(
        0,
        plan.signOffs.findIndex((s) => s.id === event.signOff),
      ))
        if (earlier.stage === undefined || earlier.stage !== signOff?.stage) expect(given.has(earlier.id)).toBe(true);
      if (event.type === 'level_opened') {
        expect(ms(event.dueAt) - ms(now)).toBe(signOff?.ladder[event.level]?.withinMs);
        expect(event.owner).not.toBe('');
        // A no that is sealed is a choice as well as a yes.
        const chosen = play.record.filter(
          (r) => (r.event.type === 'signed_off' || r.event.type === 'said_no') && r.event.signOff === event.signOff && r.seq < seqOf(play, event),
        );
        expect(event.asked).toHaveLength((signOff?.quorum ?? 0) - chosen.length);
      }
      at.set(event.signOff, { level: event.level, due: event.type === 'level_opened' ? event.dueAt : null });
    }
    if (event.type === 'signed_off' && event.complete) given.add(event.signOff);
  }
}

const seqOf = (play: Play, event: ApprovalEvent): number => play.record.find((r) => r.event === event)?.seq ?? 0;

describe('an approval, whatever happens', () => {
  it('keeps its invariants at every step, and ends if the clock runs on', () => {
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(plan, team, fc.array(step, { maxLength: 25 }), (aPlan, aTeam, steps) => {
        const teams = [aTeam];
        const play = new Play(aPlan, { directory: aTeam, requesters: [REQUESTER] });
        play.open();
        for (const one of steps) {
          if (typeof one === 'object' && 'team' in one) teams.push(one.team);
          const before = play.record.length;
          take(play, one);
          if (play.record.length > before) check(play, aPlan, teams);
        }
        // Every rung of every ladder, its reminders, a hold each, and a takeover: more knocks than that cannot be left.
        const bound = aPlan.signOffs.reduce((n, s) => n + s.ladder.reduce((m, l) => m + 1 + l.reminders.length, 0) + 1, 1);
        for (let knock = 0; knock < bound && !hasEnded(play.state); knock += 1) wake(play);
        expect(isOutcome(play.state.state)).toBe(true);
        expect(play.state.owed.filter((o) => o.owed.kind === 'callback')).toHaveLength(1);
        check(play, aPlan, teams);
        outcomes.add(play.state.state);
      }),
      { numRuns: 3000 },
    );
    // The walk reaches every end that this machine has; else the property would hold by never getting there.
    expect([...outcomes].sort()).toEqual(['approved', 'denied', 'expired', 'handed_back', 'resolved_by_person', 'withdrawn']);
  });

  it('is the same twice: the same plan, people, moves and times give the same record', () => {
    fc.assert(
      fc.property(plan, team, fc.array(step, { maxLength: 15 }), (aPlan, aTeam, steps) => {
        const run = (): Play => {
          const play = new Play(aPlan, { directory: aTeam, requesters: [REQUESTER] }).open();
          steps.forEach((one) => take(play, one));
          return play;
        };
        expect(run().record).toEqual(run().record);
      }),
      { numRuns: 300 },
    );
  });

  it('never takes notice of a clock that comes too early', () => {
    fc.assert(
      fc.property(plan, team, fc.array(step, { maxLength: 10 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (aPlan, aTeam, steps, fraction) => {
        const play = new Play(aPlan, { directory: aTeam, requesters: [REQUESTER] }).open();
        steps.forEach((one) => take(play, one));
        // What has changed about who is there is found out by the first clock that looks.
        play.passes(0);
        const at = nextInstant(play.state);
        if (at === null || ms(at) <= ms(play.now)) return;
        expect(play.passes(Math.floor((ms(at) - ms(play.now)) * fraction))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
