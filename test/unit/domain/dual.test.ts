/** Dual control: two people choose unseen. What the first chose has no effect, and shows nowhere, before the second has chosen. */
import fc from 'fast-check';
import { isSealed, missingOf, sealedOf, unsealedFor } from '../../../domain/dual';
import { nextInstant } from '../../../domain/ladder';
import type { Move } from '../../../domain/moves';
import type { Plan } from '../../../domain/plan';
import { hasEnded, openSignOff } from '../../../domain/state';
import { viewOf } from '../../../domain/view';
import {
  addEvidence,
  approve,
  ask,
  comment,
  deny,
  directoryOf,
  HOUR,
  LADDER,
  level,
  MINUTE,
  passUp,
  Play,
  planOf,
  reassign,
  refusal,
  signOff,
  takeOver,
  types,
} from '../../support/approval-play';

const two = (patch: Partial<Plan> = {}): Plan => planOf({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)], ...patch });
const opened = (patch: Partial<Plan> = {}): Play => new Play(two(patch)).open();
const seen = (play: Play, plan = two()) => viewOf(play.state, plan, directoryOf(), play.now, null);

describe('the first choice', () => {
  it.each<[string, Move, string]>([
    ['a yes', approve(), 'signed_off'],
    ['a no', deny(), 'said_no'],
  ])('%s ends nothing, and leaves it to the other', (_, move, type) => {
    const play = opened();
    expect(types(play.says('fay', move))).toEqual([type]);
    expect(play.state.state).toBe('waiting');
    expect(openSignOff(play.state)).toMatchObject({ owner: 'finn', claimedBy: null });
    expect(sealedOf(play.state, two())).toEqual([{ signOff: '1', chosen: 1, of: 2 }]);
    expect(missingOf(play.state, signOff('1', LADDER, 2), two())).toBe(1);
  });

  it('looks the same from outside, whatever it was', () => {
    const [yes, no] = [opened(), opened()];
    yes.says('fay', approve('yes, I saw the invoice'));
    no.says('fay', deny('no, the invoice is wrong'));
    expect(seen(yes)).toEqual(seen(no));
    expect(seen(yes).details).toBe('**waiting** on **Finn** (finance manager)\n- until 2026-11-23 09:30 UTC\n- then CFO is asked\n- 1 of 2 has chosen');
  });

  it('is reminded of only to who has not chosen yet', () => {
    for (const move of [approve(), deny()]) {
      const play = opened();
      play.says('fay', move);
      expect(play.passes(15 * MINUTE)).toEqual(['reminded']);
      expect(play.last('reminded').owed).toMatchObject([{ to: { person: 'finn' } }]);
    }
  });

  it('is made once', () => {
    for (const first of [approve(), deny()]) {
      const play = opened();
      play.says('fay', first);
      for (const again of [approve(), deny(), takeOver(), ask(), passUp()]) {
        expect(refusal(play.says('fay', again))).toEqual({
          code: 'already_chosen',
          message: 'You have chosen already; another person has to choose, without knowing what you chose',
        });
      }
      expect(types(play.says('fay', comment()))).toEqual(['commented']);
    }
  });

  it('needs what the tier asks, a no as well', () => {
    expect(refusal(opened().says('fay', deny(), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
    expect(refusal(opened().says('fay', deny(' '))).code).toBe('reason_required');
  });
});

describe('the second choice', () => {
  it('of two who say yes approves it, and names both', () => {
    const play = opened();
    play.says('fay', approve());
    expect(types(play.says('finn', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('signed_off').complete).toBe(true);
    expect(play.last('ended')).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }, { person: 'finn' }] });
  });

  it('yes after a no: the no holds, with its reason', () => {
    const play = opened();
    play.says('fay', deny('the parcel arrived'));
    expect(types(play.says('finn', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('signed_off').complete).toBe(false);
    const ended = play.last('ended');
    expect(ended).toMatchObject({ outcome: 'denied', end: null, why: 'Denied by Fay (finance_manager): the parcel arrived' });
    expect(ended.deciders.map((d) => d.person)).toEqual(['fay']);
    expect(ended.deciders[0]).not.toHaveProperty('reason');
    expect(ended.owed.filter((o) => o.kind === 'tell_asked').map((o) => o.to.person)).toEqual(['fay']);
  });

  it('no after a yes denies it', () => {
    const play = opened();
    play.says('fay', approve());
    expect(types(play.says('finn', deny('not in stock')))).toEqual(['denied', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', deciders: [{ person: 'finn' }], why: 'Denied by Finn (finance_manager): not in stock' });
  });

  it('no after a no denies it in the name of both', () => {
    const play = opened();
    play.says('fay', deny('the parcel arrived'));
    play.says('finn', deny('not in stock'));
    expect(play.last('ended')).toMatchObject({
      deciders: [{ person: 'fay' }, { person: 'finn' }],
      why: 'Denied by Fay (finance_manager): the parcel arrived and by Finn (finance_manager): not in stock',
    });
  });

  it('that does not come in time: a no that was made holds at once, a yes asks one more at the next level', () => {
    const no = opened();
    no.says('fay', deny());
    expect(no.passes(30 * MINUTE)).toEqual(['level_timed_out', 'ended']);
    expect(no.last('ended')).toMatchObject({ outcome: 'denied', end: null, deciders: [{ person: 'fay' }] });
    const yes = opened();
    yes.says('fay', approve());
    expect(yes.passes(30 * MINUTE)).toEqual(['level_timed_out', 'level_opened']);
    expect(yes.last('level_opened').asked).toEqual([{ person: 'cleo', role: 'cfo' }]);
    expect(types(yes.says('cleo', deny()))).toEqual(['denied', 'ended']);
  });

  it('that does not come while it is held either: the same', () => {
    const plan = { signOffs: [signOff('1', LADDER.slice(0, 1), 2)], onTimeout: { end: 'hold', hold: { role: 'cfo', forMs: HOUR, then: 'expire' } } } as const;
    const play = opened(plan);
    play.says('fay', approve());
    expect(play.passes(30 * MINUTE)).toEqual(['level_timed_out', 'held']);
    expect(play.last('held').asked).toEqual([{ person: 'cleo', role: 'cfo' }]);
    expect(isSealed(play.state, two(plan))).toBe(true);
    expect(play.passes(HOUR)).toEqual(['ended']);
    expect(play.state.state).toBe('expired');
  });

  it('is of another person also when the request was handed on meanwhile', () => {
    const play = opened();
    play.says('fay', deny());
    play.says('finn', passUp());
    expect(play.last('level_opened').asked).toEqual([{ person: 'cleo', role: 'cfo' }]);
    expect(refusal(play.says('cleo', reassign('fay')))).toMatchObject({
      code: 'assignee_unfit',
      message: expect.stringContaining('Fay has had their word on it') as string,
    });
    play.says('cleo', approve());
    expect(play.state.state).toBe('denied');
  });

  it('under conditions is not told what the first one said; what cannot hold together is no yes', () => {
    const offers = { options: { credit: 'Store credit', cash: 'Money back' } };
    const apart = opened({ offers });
    apart.says('fay', { type: 'approve', reason: 'r', conditions: { option: 'credit' } });
    expect(types(apart.says('finn', { type: 'approve', reason: 'r', conditions: { option: 'cash' } }))).toEqual(['signed_off', 'ended']);
    expect(apart.last('ended')).toMatchObject({
      outcome: 'denied',
      why: 'Fay and Finn said yes under conditions that cannot hold together',
      deciders: [{ person: 'fay' }, { person: 'finn' }],
    });
    const together = opened({ offers });
    together.says('fay', { type: 'approve', reason: 'r', conditions: { option: 'cash' } });
    together.says('finn', { type: 'approve', reason: 'r', conditions: { option: 'cash' } });
    expect(together.state.state).toBe('approved_with_conditions');
  });

  it('keeps to what an earlier sign-off of the chain said, which is known', () => {
    const offers = { options: { credit: 'Store credit', cash: 'Money back' } };
    const play = opened({ offers, signOffs: [signOff('1', [level('CFO', 'cfo', 60)]), signOff('2', LADDER, 2)] });
    play.says('cleo', { type: 'approve', reason: 'r', conditions: { option: 'credit' } });
    play.says('fay', { type: 'approve', reason: 'r', conditions: { option: 'credit' } });
    expect(refusal(play.says('finn', { type: 'approve', reason: 'r', conditions: { option: 'cash' } })).code).toBe('condition_not_offered');
  });
});

describe('what is sealed', () => {
  it('is shown to who chose it, and to everyone once all have chosen', () => {
    const play = opened();
    play.says('fay', deny());
    const choice = play.last('said_no');
    const may = (who: string | null) => unsealedFor(who, play.state, two())(choice);
    expect([may('fay'), may('finn'), may('omar'), may(null)]).toEqual([true, false, false, false]);
    play.says('finn', approve());
    expect([may('finn'), may('omar'), may(null)]).toEqual([true, true, true]);
    expect(isSealed(play.state, two())).toBe(false);
  });

  it('is nothing else on the record', () => {
    const play = opened();
    play.says('fay', approve());
    play.says('cleo', comment());
    play.says('', addEvidence(), { agent: 'clerk' });
    const hidden = play.record.filter(({ event }) => !unsealedFor('finn', play.state, two())(event)).map(({ event }) => event.type);
    expect(hidden).toEqual(['signed_off']);
  });

  it('is nothing where one yes is enough, in another tier, or in an escalation', () => {
    for (const plan of [two({ signOffs: [signOff('1', LADDER)] }), two({ tier: 'strong' }), two({ effect: 'escalation' })]) {
      const play = new Play(plan).open();
      if (plan.effect === 'approval') play.says('fay', approve());
      expect(isSealed(play.state, plan)).toBe(false);
    }
    const strong = new Play(two({ tier: 'strong' })).open();
    expect(types(strong.says('fay', deny()))).toEqual(['denied', 'ended']);
  });

  it('is each sign-off by itself, where a chain of two asks one each', () => {
    const plan = two({ signOffs: [signOff('1', LADDER), signOff('2', [level('CFO', 'cfo', 60)])] });
    const play = new Play(plan).open();
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'level_opened']);
    expect(types(play.says('cleo', deny()))).toEqual(['denied', 'ended']);
  });

  it('never shows in the view, whoever moves and however time passes: a yes and a no look the same until all have chosen', () => {
    const step = fc.oneof(
      fc.record({
        who: fc.constantFrom('finn', 'cleo', 'carl', 'omar'),
        move: fc.constantFrom<Move>(comment(), ask(), ask('sam'), { type: 'claim' }, passUp()),
      }),
      fc.integer({ min: 0, max: 40 }).map((minutes) => ({ minutes })),
    );
    const questions = { clock: 'pauses', withinMs: 2 * HOUR, atMost: 5 } as const;
    let compared = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.string({ minLength: 1 }), (steps, reason) => {
        const plan = two({ questions, onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } } });
        const [yes, no] = [new Play(plan).open(), new Play(plan).open()];
        yes.says('fay', approve(`yes ${reason}`));
        no.says('fay', deny(`no ${reason}`));
        for (const one of steps) {
          for (const play of [yes, no]) {
            if ('minutes' in one) play.passes(one.minutes * MINUTE);
            else play.says(one.who, one.move);
          }
          // Where time is over for a no, it ends: nothing is sealed any more.
          if (hasEnded(no.state) || hasEnded(yes.state) || openSignOff(yes.state)?.level !== openSignOff(no.state)?.level) return;
          compared += 1;
          expect(viewOf(yes.state, plan, directoryOf(), yes.now, null)).toEqual(viewOf(no.state, plan, directoryOf(), no.now, null));
          expect(nextInstant(yes.state)).toBe(nextInstant(no.state));
        }
      }),
      { numRuns: 300, seed: 20_261_123 },
    );
    expect(compared).toBeGreaterThan(300);
  });
});
