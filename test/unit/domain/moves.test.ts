/** What people may do, one refusal code at a time. */
import { after } from '../../../domain/json';
import type { Move } from '../../../domain/moves';
import type { Money } from '../../../domain/money';
import type { Plan, Tier } from '../../../domain/plan';
import { openSignOff } from '../../../domain/state';
import {
  approve,
  claim,
  deny,
  directoryOf,
  handBack,
  HOUR,
  LADDER,
  level,
  MINUTE,
  PACKET,
  person,
  Play,
  planOf,
  refusal,
  release,
  resolve,
  signOff,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';

const usd = (minor: number): Money => ({ minor, currency: 'USD' });
const opened = (patch: Partial<Plan> = {}): Play => new Play(planOf(patch)).open();
const manager = [level('manager', 'finance_manager', 30)];
const cfo = [level('CFO', 'cfo', 60)];
const chain = (patch: Partial<Plan> = {}): Play => opened({ signOffs: [signOff('1', manager), signOff('2', cfo)], ...patch });
const dual = (): Play => opened({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)] });
const EVERY: readonly Move[] = [claim, release, approve(), deny(), takeOver(), handBack(), resolve()];

describe('approve', () => {
  it('ends a plan of one sign-off, with who decided, as what and when', () => {
    const play = opened();
    play.passes(5 * MINUTE);
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('signed_off')).toMatchObject({
      signOff: '1',
      by: 'fay',
      role: 'finance_manager',
      authority: 'full',
      reason: 'the parcel is lost',
      complete: true,
      directory: directoryOf().hash,
    });
    expect(play.last('ended')).toMatchObject({
      outcome: 'approved',
      why: 'Approved by Fay (finance_manager)',
      end: null,
      deciders: [{ person: 'fay', role: 'finance_manager', at: '2026-11-23T09:05:00.000Z' }],
      next: { path: 'execute the action exactly as approved' },
    });
  });

  it('copies the signature of the command into the entry', () => {
    const play = opened();
    play.says('fay', approve());
    expect(play.last('signed_off').proof).toEqual({
      commandId: 'command-1',
      packetDigest: PACKET,
      signedInAt: '2026-11-23T08:59:00.000Z',
      issuedAt: '2026-11-23T09:00:00.000Z',
      expiresAt: '2026-11-23T09:01:00.000Z',
      signature: 'signature-1',
      keyId: 'key-1',
    });
  });

  it('by another holder than the owner claims it first, on the record', () => {
    const play = opened();
    expect(types(play.says('finn', approve()))).toEqual(['claimed', 'signed_off', 'ended']);
    expect(play.last('claimed')).toMatchObject({ by: 'finn', implicit: true });
  });

  it('is for the role of the open level: the fallback waits for its turn, and the first may no longer answer after it', () => {
    const play = opened();
    expect(refusal(play.says('cleo', approve()))).toEqual({ code: 'role_not_held', message: 'Cleo does not hold finance_manager, who is asked now' });
    play.passes(30 * MINUTE);
    expect(refusal(play.says('fay', approve())).code).toBe('role_not_held');
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
  });
});

describe('deny', () => {
  it('ends it with the reason and the path on no', () => {
    const play = opened({ onDeny: { path: 'log and stop', tellRequester: true, tellCustomer: { subject: 'Sorry', text: 'No refund.' } } });
    expect(types(play.says('fay', deny()))).toEqual(['denied', 'ended']);
    const ended = play.last('ended');
    expect(ended).toMatchObject({
      outcome: 'denied',
      end: null,
      why: 'Denied by Fay (finance_manager): the parcel arrived',
      next: { path: 'log and stop' },
      deciders: [{ person: 'fay' }],
    });
    expect(ended.owed.map((o) => o.kind)).toEqual(['callback', 'tell_customer', 'tell_requester']);
  });

  it('opens no ticket: that is for silence', () => {
    const play = opened({
      onTimeout: { end: 'expire', ticket: { queue: 'review', owner: 'operations', title: 'Review' }, tellCustomer: { subject: 's', text: 't' } },
    });
    play.says('fay', deny());
    expect(play.last('ended').owed.map((o) => o.kind)).toEqual(['callback', 'tell_requester']);
  });

  it('needs no authority over the amount', () => {
    expect(types(opened({ amount: usd(999_999), authority: {} }).says('fay', deny()))).toEqual(['denied', 'ended']);
  });

  it.each(['', '   '])('says why: %p is no reason', (reason) => {
    expect(refusal(opened().says('fay', deny(reason))).code).toBe('reason_required');
  });

  it('of the second sign-off ends the whole chain', () => {
    const play = chain();
    play.says('fay', approve());
    play.says('cleo', deny());
    expect(play.state.state).toBe('denied');
  });
});

describe('sign-offs in sequence', () => {
  it('opens the second when the first is given, and names both at the end', () => {
    const play = chain();
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'level_opened']);
    expect(play.last('level_opened')).toMatchObject({ signOff: '2', level: 0, owner: 'cleo' });
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.last('ended').why).toBe('Approved by Fay (finance_manager) and Cleo (cfo)');
  });

  const oneHat = directoryOf([person('both', ['controller', 'treasurer']), person('tess', ['treasurer'])], {
    controller: ['both'],
    treasurer: ['both', 'tess'],
  });
  const hats = (patch: Partial<Plan> = {}): Play =>
    new Play(planOf({ signOffs: [signOff('1', [level('controller', 'controller', 30)]), signOff('2', [level('treasurer', 'treasurer', 30)])], ...patch }), {
      directory: oneHat,
    }).open();

  it('are two people: who gave the first is not asked for the second, and may not give it', () => {
    const play = hats();
    play.says('both', approve());
    expect(play.last('level_opened').asked).toEqual([{ person: 'tess', role: 'treasurer' }]);
    expect(refusal(play.says('both', approve())).code).toBe('same_person');
    expect(types(play.says('tess', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('are two people also when a fallback stepped in for the first', () => {
    const play = opened({ signOffs: [signOff('1', LADDER), signOff('2', cfo)] });
    play.passes(30 * MINUTE);
    play.says('cleo', approve());
    expect(play.last('level_opened')).toMatchObject({ signOff: '2', owner: 'carl' });
    expect(refusal(play.says('cleo', approve())).code).toBe('same_person');
    expect(types(play.says('carl', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('may be one person where a row says so', () => {
    const play = hats({ samePersonAllowed: true });
    play.says('both', approve());
    expect(play.last('level_opened').asked).toEqual([{ person: 'both', role: 'treasurer' }]);
    expect(types(play.says('both', approve()))).toEqual(['signed_off', 'ended']);
  });
});

describe('dual control', () => {
  it('asks two people, and waits for the second yes', () => {
    const play = dual();
    expect(play.last('level_opened').asked.map((a) => a.person)).toEqual(['fay', 'finn']);
    expect(types(play.says('fay', approve()))).toEqual(['signed_off']);
    expect(play.last('signed_off').complete).toBe(false);
    expect(play.state.state).toBe('waiting');
    expect(openSignOff(play.state)?.owner).toBe('finn');
    expect(types(play.says('finn', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('counts a person once', () => {
    const play = dual();
    play.says('fay', approve());
    // Whether it was a yes or a no is sealed until both have chosen.
    expect(refusal(play.says('fay', approve())).code).toBe('already_chosen');
  });

  it('asks one more person at the next level when one yes is given', () => {
    const play = dual();
    play.says('finn', approve());
    play.passes(30 * MINUTE);
    expect(play.last('level_opened').asked).toEqual([{ person: 'cleo', role: 'cfo' }]);
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('does not let one claim shut the other out once the claimant has signed', () => {
    const play = dual();
    play.says('fay', claim);
    expect(refusal(play.says('finn', approve())).code).toBe('claimed_by_another');
    play.says('fay', approve());
    expect(types(play.says('finn', approve()))).toEqual(['signed_off', 'ended']);
  });
});

describe('authority', () => {
  const limited = { finance_manager: usd(100_000), cfo: null };

  it.each<[string, number, 'full' | 'authority_exceeded']>([
    ['a cent below the limit', 99_999, 'full'],
    ['the limit itself, which is within', 100_000, 'full'],
    ['a cent above the limit', 100_001, 'authority_exceeded'],
  ])('%s', (_, minor, expected) => {
    const play = opened({ amount: usd(minor), authority: limited });
    const decision = play.says('fay', approve());
    if (expected === 'full') expect(play.last('signed_off').authority).toBe('full');
    else expect(refusal(decision).code).toBe(expected);
  });

  it('says what the limit is and who goes on', () => {
    expect(refusal(opened({ amount: usd(125_000), authority: limited }).says('fay', approve())).message).toBe(
      'USD 1,250.00 is above what finance_manager may sign for (up to USD 1,000.00); it has to go to a role whose authority reaches it',
    );
  });

  it('above the limit endorses, when a later sign-off reaches the amount', () => {
    const play = chain({ amount: usd(125_000), authority: limited });
    play.says('fay', approve());
    expect(play.last('signed_off').authority).toBe('endorsement');
    play.says('cleo', approve());
    expect(play.last('signed_off').authority).toBe('full');
    expect(play.state.state).toBe('approved');
  });

  it('endorses nothing when a level of the later ladder would not reach', () => {
    const play = opened({
      amount: usd(125_000),
      authority: limited,
      signOffs: [signOff('1', manager), signOff('2', [...cfo, level('desk', 'operations', 30)])],
    });
    expect(refusal(play.says('fay', approve())).code).toBe('authority_exceeded');
  });

  it('does not lean on a yes about something else than money, before or after', () => {
    const security = [level('security', 'operations', 60)];
    const other = { amount: usd(125_000), authority: { finance_manager: usd(100_000), operations: null }, unmeasured: ['operations'] };
    const later = opened({ ...other, signOffs: [signOff('1', manager), signOff('2', security)] });
    expect(refusal(later.says('fay', approve())).code).toBe('authority_exceeded');
    const earlier = opened({ ...other, signOffs: [signOff('1', security), signOff('2', manager)] });
    const [guard] = earlier.last('level_opened').asked;
    earlier.says(guard?.person ?? '', approve());
    expect(earlier.last('signed_off')).toMatchObject({ role: 'operations', authority: 'full', complete: true });
    expect(refusal(earlier.says('fay', approve())).code).toBe('authority_exceeded');
  });

  it('does not come from a role that the policy gives none', () => {
    expect(refusal(opened({ amount: usd(1), authority: { cfo: null } }).says('fay', approve())).code).toBe('authority_exceeded');
  });

  it('is not inherited from the names of objects', () => {
    const play = new Play(planOf({ amount: usd(1), authority: {}, signOffs: [signOff('1', [level('trick', 'constructor', 30)])] }), {
      directory: directoryOf([person('eve', ['constructor'])], {}),
    }).open();
    expect(refusal(play.says('eve', approve())).code).toBe('authority_exceeded');
  });

  it('in another currency reaches nothing', () => {
    const decision = opened({ amount: { minor: 100, currency: 'EUR' }, authority: limited }).says('fay', approve());
    expect(refusal(decision)).toEqual({ code: 'authority_exceeded', message: 'The authority of finance_manager is in another currency than EUR 1.00' });
  });
});

describe('claim and release', () => {
  it('makes a holder the owner, and shuts other holders out until it is released', () => {
    const play = opened();
    expect(types(play.says('finn', claim))).toEqual(['claimed']);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'finn', claimedBy: 'finn' });
    for (const move of [claim, approve(), deny(), takeOver(), release]) expect(refusal(play.says('fay', move)).code).toBe('claimed_by_another');
    expect(types(play.says('finn', release))).toEqual(['released']);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'fay', claimedBy: null });
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'ended']);
  });

  it('twice is once', () => {
    const play = opened();
    play.says('fay', claim);
    expect(types(play.says('fay', claim))).toEqual([]);
  });

  it('does not stop the clock: the next level opens free of it', () => {
    const play = opened();
    play.says('fay', claim);
    play.passes(30 * MINUTE);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'cleo', claimedBy: null });
  });

  it('needs no packet: it decides nothing', () => {
    expect(types(opened().says('fay', claim, { packetDigest: null }))).toEqual(['claimed']);
  });

  it('cannot be released by who has not claimed it', () => {
    expect(refusal(opened().says('fay', release)).code).toBe('not_claimed');
  });
});

describe('takeover', () => {
  const escalation = (): Play => opened({ effect: 'escalation' });

  it('gives one person the time that the plan says, and tells the others', () => {
    const play = escalation();
    expect(types(play.says('finn', takeOver()))).toEqual(['claimed', 'taken_over']);
    expect(play.state).toMatchObject({ state: 'taken_over', takeover: { by: 'finn', role: 'finance_manager', dueAt: '2026-11-23T10:00:00.000Z' } });
    expect(play.last('taken_over').owed).toEqual([
      { kind: 'tell_asked', to: { person: 'fay', role: 'finance_manager' }, channel: 'email', what: 'Finn (finance_manager) has taken it over' },
    ]);
  });

  it('is not told to its maker', () => {
    const play = escalation();
    play.says('fay', takeOver());
    expect(play.last('taken_over').owed).toEqual([]);
  });

  it('ends by handing back: the agent goes on with the instructions', () => {
    const play = escalation();
    play.says('fay', takeOver());
    expect(types(play.says('fay', handBack()))).toEqual(['handed_back', 'ended']);
    expect(play.last('ended')).toMatchObject({
      outcome: 'handed_back',
      next: { path: 'offer a voucher' },
      deciders: [{ person: 'fay', role: 'finance_manager' }],
    });
  });

  it('ends by doing it by hand: the agent does not', () => {
    const play = escalation();
    play.says('fay', takeOver());
    expect(types(play.says('fay', resolve()))).toEqual(['resolved', 'ended']);
    expect(play.last('ended')).toMatchObject({
      outcome: 'resolved_by_person',
      why: 'Done by hand by Fay (finance_manager): refunded by hand',
      next: { path: 'do not execute; it was done by hand' },
    });
  });

  it('lapses when its time is over, and ends as silence does', () => {
    const play = escalation();
    play.says('fay', takeOver());
    expect(play.passes(HOUR - 1)).toEqual([]);
    expect(play.passes(1)).toEqual(['takeover_lapsed', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'expired', why: 'The person who took over did not finish in time', end: 'expire' });
  });

  it('that lapses is not held again', () => {
    const play = opened({ effect: 'escalation', onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } } });
    play.says('fay', takeOver());
    expect(play.passes(HOUR)).toEqual(['takeover_lapsed', 'ended']);
    expect(play.last('ended')).toMatchObject({ outcome: 'denied', end: 'deny' });
  });

  it('out of a hold ends the hold', () => {
    const play = opened({
      effect: 'escalation',
      signOffs: [signOff('1', manager)],
      onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } },
    });
    play.passes(30 * MINUTE);
    play.says('omar', takeOver());
    expect(play.state).toMatchObject({ state: 'taken_over', signOffs: [{ hold: null }], takeover: { by: 'omar', role: 'operations' } });
    expect(types(play.says('omar', resolve()))).toEqual(['resolved', 'ended']);
  });

  it('belongs to its maker: nobody else moves', () => {
    const play = escalation();
    play.says('fay', takeOver());
    for (const move of EVERY) expect(refusal(play.says('finn', move)).code).toBe('taken_over_by_another');
    for (const move of [claim, release, approve(), deny(), takeOver()]) expect(refusal(play.says('fay', move)).code).toBe('taken_over_by_another');
  });

  it.each([handBack(' '), resolve('')])('says how it goes on: $type without words', (move) => {
    const play = escalation();
    play.says('fay', takeOver());
    expect(refusal(play.says('fay', move)).code).toBe('reason_required');
  });

  it('is not kept by who lost the role meanwhile', () => {
    const play = escalation();
    play.says('fay', takeOver());
    play.directory(directoryOf(TEAM.map((p) => (p.id === 'fay' ? person('fay', []) : p))));
    expect(refusal(play.says('fay', resolve())).code).toBe('role_not_held');
  });

  it('comes before handing back and resolving', () => {
    for (const move of [handBack(), resolve()]) expect(refusal(escalation().says('fay', move)).code).toBe('not_taken_over');
  });

  it('is what an escalation asks for: a yes is refused', () => {
    expect(refusal(escalation().says('fay', approve())).code).toBe('approval_needs_takeover');
  });
});

describe('who may not move at all', () => {
  it.each(EVERY)('the requester: $type', (move) => {
    expect(refusal(opened().says('rita', move)).code).toBe('requester_may_not_decide');
  });

  it.each(EVERY)('someone who is not in the directory: $type', (move) => {
    expect(refusal(opened().says('mallory', move)).code).toBe('not_a_person');
  });

  it.each(['constructor', '__proto__', 'toString'])('the name of an object is nobody: %s', (name) => {
    expect(refusal(opened().says(name, approve())).code).toBe('not_a_person');
  });

  it.each(EVERY)('someone without the role: $type', (move) => {
    expect(refusal(opened().says('sam', move)).code).toBe('role_not_held');
  });

  it('who lost the role since they were asked', () => {
    const play = opened().directory(directoryOf(TEAM.map((p) => (p.id === 'fay' ? person('fay', ['operations']) : p))));
    expect(refusal(play.says('fay', approve())).code).toBe('role_not_held');
  });
});

describe('when no move counts', () => {
  it.each(EVERY)('before anyone was asked: $type', (move) => {
    expect(refusal(new Play().says('fay', move)).code).toBe('not_open');
  });

  it.each(EVERY)('after the end: $type gets the outcome that stands', (move) => {
    const play = opened();
    play.says('fay', deny());
    expect(refusal(play.says('finn', move))).toEqual({
      code: 'already_decided',
      message: 'It ended as denied: Denied by Fay (finance_manager): the parcel arrived',
    });
  });

  it.each([approve(), deny(), takeOver()])('on another packet than the current one: $type', (move) => {
    expect(refusal(opened().says('fay', move, { packetDigest: '0'.repeat(64) })).code).toBe('stale_packet');
    expect(refusal(opened().says('fay', move, { packetDigest: null })).code).toBe('stale_packet');
  });

  it('at the instant the command expires, and after it', () => {
    const play = opened();
    expect(refusal(play.says('fay', approve(), { expiresAt: play.now })).code).toBe('command_expired');
    expect(types(play.says('fay', approve(), { expiresAt: after(play.now, 1) }))).toEqual(['signed_off', 'ended']);
  });

  it('and nothing changes by a refusal', () => {
    const play = opened();
    const before = play.state;
    play.says('sam', approve());
    expect(play.state).toBe(before);
  });
});

describe('what the tier asks', () => {
  it.each<[Tier, string]>([
    ['strong', 'reason_required'],
    ['dual', 'reason_required'],
    ['lightweight', 'none'],
  ])('%s: a yes without a reason', (tier, expected) => {
    const decision = opened({ tier }).says('fay', approve(' '));
    if (expected === 'none') expect(types(decision)).toEqual(['signed_off', 'ended']);
    else expect(refusal(decision).code).toBe(expected);
  });

  it.each([approve(), deny(), takeOver()])('strong: a sign-in of more than 15 minutes ago does not $type', (move) => {
    expect(refusal(opened({ tier: 'strong' }).says('fay', move, { signedInAgo: 15 * MINUTE + 1 })).code).toBe('sign_in_too_old');
    expect(types(opened({ tier: 'strong' }).says('fay', move, { signedInAgo: 15 * MINUTE })).length).toBeGreaterThan(0);
  });

  it('strong: a sign-in that was fresh when the command was made counts, however long the command lay', () => {
    const play = opened({ tier: 'strong' });
    expect(types(play.says('fay', approve(), { signedInAgo: 20 * MINUTE, issuedAgo: 6 * MINUTE }))).toEqual(['signed_off', 'ended']);
  });

  it('strong: an old sign-in may still claim', () => {
    expect(types(opened({ tier: 'strong' }).says('fay', claim, { signedInAgo: 8 * HOUR }))).toEqual(['claimed']);
  });

  it('strong: an old sign-in does not finish a takeover', () => {
    const play = opened({ tier: 'strong', effect: 'escalation' });
    play.says('fay', takeOver());
    expect(refusal(play.says('fay', resolve(), { signedInAgo: HOUR })).code).toBe('sign_in_too_old');
    expect(types(play.says('fay', resolve()))).toEqual(['resolved', 'ended']);
  });

  it('lightweight: any sign-in will do', () => {
    expect(types(opened().says('fay', approve(), { signedInAgo: 8 * HOUR }))).toEqual(['signed_off', 'ended']);
  });
});
