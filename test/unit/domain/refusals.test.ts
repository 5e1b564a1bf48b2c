/**
 * Every code that a move can be refused with, each by the smallest scene that produces it and says in a sentence what is wrong and how to mend
 * it. What only the commit around the machine refuses is pointed at the test that shows it, by name. The compiler asks for every code.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from '../../../domain/json';
import { REFUSALS, type Move, type Refusal, type RefusalCode } from '../../../domain/moves';
import type { Plan } from '../../../domain/plan';
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
  person,
  Play,
  planOf,
  refusal,
  release,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
} from '../../support/approval-play';
import { AROUND, type AroundCode } from '../../support/model/words';

/** The finance team, and Otto and Olga who operate, of whom Olga may also override and break the glass. */
const PEOPLE = [...TEAM, person('otto', ['operator']), person('olga', ['operator', 'chair']), person('oskar', ['chair'])];
const OPERATORS: NonNullable<Plan['operators']> = {
  roles: ['operator'],
  extendAtMostMs: HOUR,
  override: { roles: ['chair'], may: ['approve', 'deny'], reasons: { outage: 'Nobody can be reached' }, secondPerson: false },
  breakGlass: { roles: ['chair'], review: { queue: 'glass', owner: 'cfo', title: 'Review it' } },
};
const opened = (patch: Partial<Plan> = {}): Play => new Play(planOf(patch), { directory: directoryOf(PEOPLE) }).open();
const manager = [level('manager', 'finance_manager', 30)];
const dual = (patch: Partial<Plan> = {}): Play => opened({ tier: 'dual', signOffs: [signOff('1', LADDER, 2)], ...patch });
const escalated = (patch: Partial<Plan> = {}): Play => opened({ effect: 'escalation', ...patch });
const usd = (minor: number) => ({ minor, currency: 'USD' });
const ask = (of = 'agent', question = 'Which order is it?'): Move => ({ type: 'ask', of, question });
const reply = (question = 'q1', text = 'Order 7'): Move => ({ type: 'reply', question, text });
const evidence = (name: string, content = 'a photo of the parcel'): Move => ({ type: 'add_evidence', name, title: 'A photo', content });
const reassign = (to: string): Move => ({ type: 'reassign', to, reason: 'she knows the case' });
const passUp: Move = { type: 'pass_up', reason: 'beyond me' };
const extend = (minutes: number): Move => ({ type: 'extend', minutes, reason: 'the bank answers in the afternoon' });
const override = (because = 'outage', decision: 'approve' | 'deny' = 'approve'): Move => ({
  type: 'override',
  decision,
  because,
  reason: 'the office is closed',
});
const breakGlass: Move = { type: 'break_glass', reason: 'the plant is on fire' };
const reopen = (owed_id: string): Move => ({ type: 'reopen_delivery', owed_id, reason: 'their server is back' });
const comment = (text: string): Move => ({ type: 'comment', text });

/** What is tried, and how it is answered: a part of the sentence that says how to mend it, or what stands. */
type Scene = readonly [tried: () => Refusal, says: RegExp];
const by = (play: Play, who: string, move: Move, how: Parameters<Play['says']>[2] = {}): Refusal => refusal(play.says(who, move, how));
const having = (play: Play, ...moves: readonly (readonly [string, Move])[]): Play => {
  for (const [who, move] of moves) {
    const decision = play.says(who, move);
    if ('refusal' in decision) throw new Error(`${who} could not ${move.type}: ${decision.refusal.message}`);
  }
  return play;
};

const SCENES: Readonly<Record<Exclude<RefusalCode, AroundCode>, Scene>> = {
  command_expired: [() => by(opened(), 'fay', approve(), { expiresAt: START }), /send it again/],
  already_decided: [() => by(having(opened(), ['fay', deny()]), 'finn', approve()), /ended as denied: Denied by Fay/],
  not_a_person: [() => by(opened(), 'nobody', approve()), /nobody is not in the directory/],
  role_not_held: [() => by(opened(), 'cleo', approve()), /Cleo does not hold finance_manager, who is asked now/],
  authority_exceeded: [
    () => by(opened({ amount: usd(500), authority: { finance_manager: usd(100) } }), 'fay', approve()),
    /has to go to a role whose authority reaches it/,
  ],
  requester_may_not_decide: [() => by(opened(), 'rita', approve()), /someone else decides it/],
  same_person: [
    () => {
      const hats = directoryOf([person('both', ['a', 'b']), person('tess', ['b'])], {});
      const two = planOf({ signOffs: [signOff('1', [level('a', 'a', 30)]), signOff('2', [level('b', 'b', 30)])] });
      return by(having(new Play(two, { directory: hats }).open(), ['both', approve()]), 'both', approve());
    },
    /two sign-offs are two people/,
  ],
  stale_packet: [
    () => {
      const play = opened();
      const seen = play.state.packetDigest;
      expect(types(play.says('', evidence('photo'), { agent: 'clerk' }))).toEqual(['evidence_added']);
      return by(play, 'fay', approve(), { packetDigest: seen });
    },
    /evidence photo from the agent .* read it again/,
  ],
  claimed_by_another: [() => by(having(opened(), ['finn', claim]), 'fay', approve()), /Finn has claimed it; it can be released/],
  not_claimed: [() => by(opened(), 'fay', release), /You have not claimed it/],
  already_signed: [
    () => by(having(opened({ signOffs: [signOff('1', LADDER, 2)] }), ['fay', approve()]), 'fay', approve()),
    /another person has to give the next one/,
  ],
  not_taken_over: [() => by(opened(), 'fay', handBack()), /Take it over first/],
  taken_over_by_another: [() => by(having(opened(), ['fay', takeOver()]), 'finn', approve()), /Fay has taken this over/],
  reason_required: [() => by(opened(), 'fay', deny('  ')), /Say why not/],
  sign_in_too_old: [() => by(opened({ tier: 'strong' }), 'fay', approve(), { signedInAgo: HOUR }), /sign in again/],
  approval_needs_takeover: [() => by(escalated(), 'fay', approve()), /take it over, then resolve it or hand it back/],
  condition_not_offered: [() => by(opened(), 'fay', { type: 'approve', reason: 'ok', conditions: { option: 'cash' } }), /leave it out/],
  condition_required: [
    () => by(opened({ offers: { options: { cash: 'As money', voucher: 'As a voucher' } } }), 'fay', approve()),
    /which of the options .* cash, voucher/,
  ],
  answer_not_asked: [() => by(escalated(), 'fay', { type: 'answer', facts: { total: 1 } }), /take it over, then resolve it or hand it back/],
  answer_invalid: [() => by(escalated({ asksFor: { total: 'int' } }), 'fay', { type: 'answer', facts: { total: 'much' } }), /total has to be int/],
  refuser_may_not_grant: [
    () => by(opened({ exception: { of: 'apr-0', outcome: 'denied', rows: ['refund'], by: [{ person: 'finn', role: 'finance_manager' }] } }), 'finn', claim),
    /another person grants it/,
  ],
  not_open: [() => by(new Play(planOf(), { directory: directoryOf(PEOPLE) }), 'fay', approve()), /try again in a moment/],
  text_required: [() => by(opened(), 'fay', comment('  ')), /Write what you want to say/],
  not_involved: [() => by(opened(), 'sam', comment('I have seen it')), /only who takes part comments/],
  not_an_operator: [() => by(opened({ operators: OPERATORS }), 'fay', extend(10)), /is no operator of this policy; ask somebody who is \(operator\)/],
  not_the_agent: [() => by(opened(), '', evidence('photo'), { agent: 'another' }), /only the agent that did adds to it/],
  unknown_person: [() => by(opened(), 'fay', ask('nobody')), /nobody is not in the directory; ask the agent/],
  unknown_question: [() => by(opened(), '', reply('q7'), { agent: 'clerk' }), /There is no question q7; none is open/],
  too_many_questions: [
    () => by(having(opened({ questions: { clock: 'runs', withinMs: HOUR, atMost: 1 } }), ['fay', ask()]), 'fay', ask('cleo')),
    /may be asked .*; decide, comment, or take it over/,
  ],
  not_asked: [() => by(having(opened(), ['fay', ask('cleo')]), 'finn', reply()), /q1 was asked of Cleo, who answers it/],
  evidence_invalid: [() => by(opened(), '', evidence('A Photo'), { agent: 'clerk' }), /use lower-case letters, digits and _/],
  too_much_evidence: [
    () => by(opened(), '', evidence('photo', 'x'.repeat(64 * 1024 + 1)), { agent: 'clerk' }),
    /at most 65536 go in one piece, larger ones by digest/,
  ],
  assignee_unfit: [() => by(opened(), 'fay', reassign('sam')), /Sam does not hold finance_manager.*; name somebody else who may be asked/],
  nobody_above: [() => by(opened({ signOffs: [signOff('1', manager)] }), 'fay', passUp), /decide it, reassign it, or take it over/],
  extension_not_allowed: [() => by(opened(), 'otto', extend(10)), /reassign it, or take it over/],
  extension_too_long: [() => by(having(opened({ operators: OPERATORS }), ['otto', extend(50)]), 'otto', extend(11)), /of which 50 were given; give 1 to 10/],
  override_not_allowed: [() => by(opened({ operators: OPERATORS }), 'otto', override()), /reassign it, or ask somebody whom it lets/],
  override_reason_unknown: [() => by(opened({ operators: OPERATORS }), 'olga', override('whim')), /whim is no reason .* it names outage/],
  break_glass_not_allowed: [() => by(opened({ operators: OPERATORS }), 'otto', breakGlass), /ask somebody whom it lets, or take it over/],
  unknown_delivery: [() => by(opened(), 'otto', reopen('99-0')), /Nothing with the id 99-0 is owed/],
  delivery_not_given_up: [() => by(opened(), 'otto', reopen('3-0')), /3-0 is still being tried; only what was given up is opened again/],
  update_too_late: [
    () =>
      by(having(opened(), ['fay', takeOver()]), 'fay', {
        type: 'update',
        status: 'working',
        note: 'I call the customer',
        next_update_at: after(START, HOUR + MINUTE),
      }),
    /say an instant in between, or finish it/,
  ],
  bulk_not_allowed: [() => by(opened({ tier: 'strong' }), 'fay', approve(), { bulk: 'act-1' }), /look at this one by itself/],
  already_chosen: [() => by(having(dual(), ['fay', deny()]), 'fay', approve()), /another person has to choose/],
};

describe('a move that is refused', () => {
  const entries = Object.entries(SCENES) as [RefusalCode, Scene][];

  it.each(entries)('with %s says what is wrong and how to mend it', (code, [tried, says]) => {
    const told = tried();
    expect(told.code).toBe(code);
    expect(told.message).toMatch(says);
    // One sentence, in the words of who reads it.
    expect(told.message).toMatch(/^\S.*\S$/);
    expect(told.message).not.toMatch(/undefined|null|NaN|\[object|\n|[.]$/);
  });

  it.each(Object.entries(AROUND))('with %s is shown where a commit is made around the machine', (code, [file, test]) => {
    const text = readFileSync(join(__dirname, '../../..', file), 'utf8');
    expect(text).toContain(`it('${test}'`);
    expect(text).toContain(code);
  });

  it('has every code there is, here or there', () => {
    expect([...Object.keys(SCENES), ...Object.keys(AROUND)].sort()).toEqual([...REFUSALS].sort());
  });
});
