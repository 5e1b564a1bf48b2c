/** What is said without deciding: comments, questions and answers, evidence of the agent; and the clock that stands still for a question. */
import fc from 'fast-check';
import { ADDED_BYTES_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_MAX, QUESTION_MAX, TEXT_MAX } from '../../../domain/asking';
import { after, instant, ms, type Instant } from '../../../domain/json';
import { isPastDeadline, nextInstant } from '../../../domain/ladder';
import type { Calendar, Plan, Questions } from '../../../domain/plan';
import { openSignOff, openSignOffs } from '../../../domain/state';
import { workingTimeAfter, workingTimeBetween } from '../../../policy';
import {
  addEvidence,
  approve,
  ask,
  claim,
  comment,
  deny,
  directoryOf,
  HOUR,
  LADDER,
  level,
  MINUTE,
  PACKET,
  person,
  Play,
  planOf,
  refusal,
  reply,
  signOff,
  START,
  takeOver,
  TEAM,
  types,
  handBack,
} from '../../support/approval-play';

const PAUSES: Questions = { clock: 'pauses', withinMs: 4 * HOUR, atMost: 3 };
const RUNS: Questions = { ...PAUSES, clock: 'runs' };
const opened = (patch: Partial<Plan> = {}): Play => new Play(planOf({ questions: PAUSES, ...patch })).open();
const AGENT = { agent: 'clerk', packetDigest: null };
/** Fay has 30 minutes, a reminder after 15, and asks after 5. */
const asked = (patch: Partial<Plan> = {}, of = 'agent'): Play => {
  const play = opened(patch);
  play.passes(5 * MINUTE);
  play.says('fay', ask(of), { packetDigest: null });
  return play;
};

describe('a comment', () => {
  it('is told to who has it, without its words, and moves nothing', () => {
    const play = opened();
    expect(types(play.says('cleo', comment(), { packetDigest: null }))).toEqual(['commented']);
    expect(play.last('commented')).toMatchObject({ by: 'cleo', role: 'cfo', text: 'the customer has called again' });
    expect(play.last('commented').owed).toEqual([
      { kind: 'tell_asked', to: { person: 'fay', role: 'finance_manager' }, channel: 'email', what: 'Cleo has commented on it' },
    ]);
    expect(openSignOff(play.state)).toMatchObject({ owner: 'fay', claimedBy: null, dueAt: after(START, 30 * MINUTE) });
    expect(play.state.state).toBe('waiting');
  });

  it('of who has it is told to nobody', () => {
    const play = opened();
    play.says('fay', comment());
    expect(play.last('commented').owed).toEqual([]);
  });

  it('goes to who has taken it over, and may come from whoever else was asked', () => {
    const play = opened();
    play.says('fay', takeOver());
    play.says('finn', comment());
    expect(play.last('commented').owed).toMatchObject([{ to: { person: 'fay' } }]);
  });

  it('may come from an operator, and from a person who was asked for information', () => {
    const team = directoryOf([...TEAM, person('olga', ['operator'])]);
    const play = new Play(planOf({ questions: RUNS }), { directory: team }).open();
    play.says('olga', comment());
    expect(play.last('commented').role).toBe('operator');
    play.says('fay', ask('sam'));
    play.says('sam', comment());
    expect(play.last('commented').role).toBe('asked for information');
  });

  it('is not for somebody who has no part in it', () => {
    expect(refusal(opened().says('sam', comment()))).toEqual({
      code: 'not_involved',
      message: 'Sam holds no role that this request can ask, and was not asked; only who takes part comments',
    });
    expect(refusal(opened().says('rita', comment())).code).toBe('requester_may_not_decide');
  });

  it.each(['', ' ', 'x'.repeat(TEXT_MAX + 1)])('needs words, and not too many', (text) => {
    expect(refusal(opened().says('fay', comment(text))).code).toBe('text_required');
  });
});

describe('a question', () => {
  it('claims it for who asks, and its clock stands still', () => {
    const play = opened();
    play.passes(5 * MINUTE);
    expect(types(play.says('finn', ask(), { packetDigest: null }))).toEqual(['claimed', 'information_asked']);
    expect(play.last('information_asked')).toMatchObject({
      signOff: '1',
      question: 'q1',
      by: 'finn',
      of: 'agent',
      text: 'which parcel?',
      dueAt: after(START, 4 * HOUR + 5 * MINUTE),
      left: { dueMs: 25 * MINUTE, reminderMs: [10 * MINUTE], calendar: null },
    });
    expect(play.state.state).toBe('asked');
    expect(nextInstant(play.state)).toBe(after(START, 4 * HOUR + 5 * MINUTE));
    expect(isPastDeadline(play.state, after(START, 3 * HOUR))).toBe(false);
    expect(play.passes(3 * HOUR)).toEqual([]);
  });

  it('goes to the agent as it resumes, and to a person as who asks was asked', () => {
    expect(asked().last('information_asked').owed).toEqual([
      { kind: 'ask_agent', question: 'q1', dueAt: after(START, 4 * HOUR + 5 * MINUTE), resume: { type: 'callback', url: 'https://agent.example/resume' } },
    ]);
    expect(asked({}, 'sam').last('information_asked').owed).toEqual([
      { kind: 'ask_person', to: { person: 'sam', role: 'security_lead' }, channel: 'email', question: 'q1', dueAt: after(START, 4 * HOUR + 5 * MINUTE) },
    ]);
    const polling = new Play(planOf({ questions: PAUSES }), { resume: { type: 'poll' } }).open();
    polling.says('fay', ask());
    expect(polling.last('information_asked').owed).toEqual([]);
  });

  it('that is answered becomes part of the packet, and the clock runs on with what was left', () => {
    const play = asked();
    play.passes(2 * HOUR);
    expect(types(play.says('', reply(), AGENT))).toEqual(['information_given']);
    const given = play.last('information_given');
    expect(given).toMatchObject({ question: 'q1', by: 'clerk', byAgent: true, text: 'the second one' });
    expect(given.resumed).toEqual({ dueAt: after(play.now, 25 * MINUTE), reminders: [after(play.now, 10 * MINUTE)] });
    expect(given.owed).toEqual([
      { kind: 'tell_asked', to: { person: 'fay', role: 'finance_manager' }, channel: 'email', what: 'The agent has answered your question (q1)' },
    ]);
    expect(play.state).toMatchObject({ state: 'waiting', packetDigest: given.packetDigest });
    expect(given.packetDigest).not.toBe(PACKET);
    expect(play.state.supplements).toMatchObject([
      { kind: 'reply', name: 'q1', title: 'which parcel?', content: 'the second one', source: 'agent', by: 'clerk' },
    ]);
    expect(play.passes(10 * MINUTE)).toEqual(['reminded']);
    expect(play.passes(15 * MINUTE - 1)).toEqual([]);
    expect(play.passes(1)).toEqual(['level_timed_out', 'level_opened']);
  });

  it('may be put to anybody of the directory, who need not hold a role, and may be on the asking side', () => {
    const play = asked({}, 'rita');
    expect(types(play.says('rita', reply(), { packetDigest: null }))).toEqual(['information_given']);
    expect(play.last('information_given')).toMatchObject({ by: 'rita', byAgent: false });
    expect(play.state.supplements[0]?.source).toBe('person');
  });

  it('that nobody answers lapses: the clock runs on from then, and who asked is told', () => {
    const play = asked();
    expect(play.passes(4 * HOUR)).toEqual(['question_lapsed']);
    expect(play.last('question_lapsed')).toMatchObject({
      question: 'q1',
      of: 'agent',
      resumed: { dueAt: after(START, 4 * HOUR + 30 * MINUTE) },
      owed: [{ to: { person: 'fay' }, what: 'The agent has not answered in time (question q1)' }],
    });
    expect(play.state).toMatchObject({ state: 'waiting', questions: [{ status: 'lapsed' }] });
    expect(refusal(play.says('', reply(), AGENT)).message).toContain('its time is over');
  });

  it('that lapsed long before the clock noticed gives nobody more time', () => {
    const play = asked();
    expect(isPastDeadline(play.state, after(START, 5 * HOUR))).toBe(true);
    expect(play.passes(5 * HOUR)).toEqual(['question_lapsed', 'level_timed_out', 'level_opened']);
  });

  it('where the row says so leaves the clock running, and has no longer than who asks', () => {
    const play = asked({ questions: RUNS });
    expect(play.last('information_asked')).toMatchObject({ left: null, dueAt: after(START, 30 * MINUTE) });
    expect(play.state.state).toBe('asked');
    expect(play.passes(10 * MINUTE)).toEqual(['reminded']);
    expect(play.passes(15 * MINUTE)).toEqual(['question_lapsed', 'level_timed_out', 'level_opened']);
    expect(play.last('question_lapsed').resumed).toBeNull();
  });

  it('without a word of the row leaves the clock running', () => {
    const play = new Play(planOf()).open();
    play.says('fay', ask());
    expect(play.last('information_asked').left).toBeNull();
  });

  it('does not keep anybody from deciding, which ends it', () => {
    for (const move of [approve(), deny()]) {
      const play = asked();
      expect(types(play.says('fay', move)).slice(-1)).toEqual(['ended']);
      expect(play.state.questions).toMatchObject([{ status: 'lapsed' }]);
      expect(play.state.owed.find((o) => o.owed.kind === 'ask_agent')?.status).toBe('done');
      expect(nextInstant(play.state)).toBeNull();
    }
  });

  it('of the level before is not open any more at the next one', () => {
    const play = asked({ questions: { ...RUNS, withinMs: HOUR } });
    play.passes(25 * MINUTE);
    expect(play.state.state).toBe('waiting');
    expect(refusal(play.says('', reply(), AGENT)).code).toBe('unknown_question');
  });

  it('of a sign-off that is given is over, and leaves those of others open', () => {
    const [one, two] = [
      { ...signOff('1', [level('manager', 'finance_manager', 30)]), stage: 1 },
      { ...signOff('2', [level('CFO', 'cfo', 60)]), stage: 1 },
    ];
    const play = opened({ signOffs: [one, two] });
    play.says('fay', ask());
    play.says('cleo', ask('sam'));
    play.says('fay', approve());
    expect(play.state.questions.map((q) => q.status)).toEqual(['lapsed', 'open']);
    expect(play.state.state).toBe('asked');
    expect(openSignOffs(play.state)).toMatchObject([{ id: '2', paused: { question: 'q2' } }]);
  });

  it('beside another one: the clock stands still until the last of them is over', () => {
    const play = asked();
    play.passes(HOUR);
    play.says('fay', ask('sam'));
    expect(play.last('information_asked')).toMatchObject({ question: 'q2', left: null, dueAt: after(play.now, 4 * HOUR) });
    play.says('', reply('q1'), AGENT);
    expect(play.last('information_given').resumed).toBeNull();
    expect(openSignOff(play.state)?.paused).toMatchObject({ question: 'q2', left: { dueMs: 25 * MINUTE } });
    play.passes(HOUR);
    play.says('sam', reply('q2'));
    expect(play.last('information_given').resumed?.dueAt).toBe(after(play.now, 25 * MINUTE));
    expect(openSignOff(play.state)).toMatchObject({ dueAt: after(play.now, 25 * MINUTE) });
    expect(openSignOff(play.state)?.paused).toBeUndefined();
  });

  it('never stops a hold, nor a takeover, of which it asks as well', () => {
    const hold = opened({ signOffs: [signOff('1', LADDER.slice(0, 1))], onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } } });
    hold.passes(30 * MINUTE);
    hold.says('omar', ask());
    expect(hold.last('information_asked')).toMatchObject({ left: null, dueAt: after(START, 90 * MINUTE) });
    expect(hold.passes(HOUR)).toEqual(['question_lapsed', 'ended']);

    const taken = opened();
    taken.says('fay', takeOver());
    expect(types(taken.says('fay', ask('sam')))).toEqual(['information_asked']);
    expect(taken.last('information_asked')).toMatchObject({ signOff: '', left: null, dueAt: after(START, HOUR) });
    expect(taken.state.state).toBe('taken_over');
    expect(refusal(taken.says('finn', ask())).code).toBe('taken_over_by_another');
    expect(types(taken.says('sam', reply()))).toEqual(['information_given']);
    expect(types(taken.says('fay', handBack()))).toEqual(['handed_back', 'ended']);
  });

  it('of a takeover that nobody answers lapses before the takeover does', () => {
    const play = opened({ questions: { ...PAUSES, withinMs: 10 * MINUTE } });
    play.says('fay', takeOver());
    play.says('fay', ask());
    expect(nextInstant(play.state)).toBe(after(START, 10 * MINUTE));
    expect(play.passes(10 * MINUTE)).toEqual(['question_lapsed']);
    expect(play.passes(50 * MINUTE)).toEqual(['takeover_lapsed', 'ended']);
  });
});

describe('who may ask, and answer', () => {
  it('only who may decide it asks', () => {
    expect(refusal(opened().says('cleo', ask())).code).toBe('role_not_held');
    expect(refusal(opened().says('rita', ask())).code).toBe('requester_may_not_decide');
    const play = opened();
    play.says('finn', claim);
    expect(refusal(play.says('fay', ask())).code).toBe('claimed_by_another');
  });

  it('of the sign-off that they name, where several are open', () => {
    expect(refusal(opened().says('fay', ask('agent', 'which?', '2')))).toEqual({
      code: 'not_open',
      message: 'Sign-off 2 is not open; leave it out, or name one of 1',
    });
    expect(types(opened().says('fay', ask('agent', 'which?', '1')))).toEqual(['information_asked']);
  });

  it('somebody of the directory, and not themselves', () => {
    expect(refusal(opened().says('fay', ask('mallory'))).code).toBe('unknown_person');
    expect(refusal(opened().says('fay', ask('constructor'))).code).toBe('unknown_person');
    expect(refusal(opened().says('fay', ask('fay'))).code).toBe('unknown_person');
  });

  it.each(['', ' ', 'x'.repeat(QUESTION_MAX + 1)])('with words, and not too many', (text) => {
    expect(refusal(opened().says('fay', ask('agent', text))).code).toBe('text_required');
  });

  it('as often as the row says', () => {
    const play = opened();
    for (const _ of [1, 2, 3]) expect(types(play.says('fay', ask()))).toEqual(['information_asked']);
    expect(refusal(play.says('fay', ask()))).toEqual({
      code: 'too_many_questions',
      message: '3 questions may be asked about one request, and were; decide, comment, or take it over',
    });
  });

  it('only who was asked answers, once, and with words', () => {
    const play = asked({}, 'sam');
    expect(refusal(play.says('finn', reply()))).toEqual({ code: 'not_asked', message: 'q1 was asked of Sam, who answers it' });
    expect(refusal(play.says('', reply(), AGENT)).code).toBe('not_asked');
    expect(refusal(play.says('sam', reply('q2')))).toEqual({ code: 'unknown_question', message: 'There is no question q2; open are q1' });
    expect(refusal(play.says('sam', reply('q1', ' '))).code).toBe('text_required');
    play.says('sam', reply());
    expect(refusal(play.says('sam', reply()))).toEqual({ code: 'unknown_question', message: 'Question q1 is answered already' });
    expect(refusal(asked().says('sam', reply())).code).toBe('not_asked');
  });

  it('a person who is called as the agent is here does not answer for it', () => {
    const play = asked();
    play.directory(directoryOf([...TEAM, person('agent', [])]));
    expect(refusal(play.says('agent', reply())).code).toBe('not_asked');
  });
});

describe('the agent', () => {
  it('adds evidence, which is told to who has it', () => {
    const play = opened();
    expect(types(play.says('', addEvidence(), AGENT))).toEqual(['evidence_added']);
    const added = play.last('evidence_added');
    expect(added).toMatchObject({ by: 'clerk', name: 'invoice', title: 'The invoice', content: 'no 42' });
    expect(added.owed).toMatchObject([{ kind: 'tell_asked', to: { person: 'fay' }, what: 'The agent has added evidence (invoice): read the packet again' }]);
    expect(play.state.packetDigest).toBe(added.packetDigest);
    expect(added.packetDigest).not.toBe(PACKET);
  });

  it('makes nothing of a yes that was given before', () => {
    const play = opened({ signOffs: [signOff('1', LADDER.slice(0, 1)), signOff('2', [level('CFO', 'cfo', 60)])] });
    play.says('fay', approve());
    play.says('', addEvidence(), AGENT);
    expect(types(play.says('cleo', approve()))).toEqual(['signed_off', 'ended']);
    expect(play.record.flatMap(({ event }) => (event.type === 'signed_off' ? [event.proof.packetDigest] : []))).toEqual([PACKET, play.state.packetDigest]);
  });

  it('is the one that made the request, and no other, and no person', () => {
    expect(refusal(opened().says('', addEvidence(), { ...AGENT, agent: 'other' })).code).toBe('not_the_agent');
    expect(refusal(asked().says('', reply(), { ...AGENT, agent: 'other' })).code).toBe('not_the_agent');
    expect(refusal(opened().says('fay', addEvidence())).code).toBe('not_the_agent');
  });

  it.each([approve(), deny(), claim, takeOver(), comment(), ask()])('does nothing else: $type', (move) => {
    expect(refusal(opened().says('', move, { agent: 'clerk' })).code).toBe('not_a_person');
  });

  it.each([
    ['a name in capitals', addEvidence('Invoice')],
    ['no name', addEvidence('')],
    ['a long name', addEvidence('i'.repeat(65))],
    ['no title', addEvidence('invoice', 'no 42', ' ')],
    ['a long title', addEvidence('invoice', 'no 42', 'x'.repeat(201))],
    ['nothing in it', addEvidence('invoice', '')],
  ])('sends evidence that can be read: %s', (_, move) => {
    expect(refusal(opened().says('', move, AGENT)).code).toBe('evidence_invalid');
  });

  it('replaces no evidence under the same name', () => {
    const play = opened();
    play.says('', addEvidence(), AGENT);
    expect(refusal(play.says('', addEvidence('invoice', 'no 43'), AGENT)).code).toBe('evidence_invalid');
  });

  it('adds so much and no more: of one piece, in number, and together', () => {
    expect(refusal(opened().says('', addEvidence('big', '€'.repeat(EVIDENCE_BYTES_MAX / 2)), AGENT)).code).toBe('too_much_evidence');
    const many = opened();
    for (let i = 0; i < EVIDENCE_MAX; i += 1) expect(types(many.says('', addEvidence(`piece_${String(i)}`), AGENT))).toEqual(['evidence_added']);
    expect(refusal(many.says('', addEvidence('more'), AGENT)).code).toBe('too_much_evidence');
    const large = opened();
    const piece = 'x'.repeat(EVIDENCE_BYTES_MAX);
    for (let i = 0; i < ADDED_BYTES_MAX / EVIDENCE_BYTES_MAX; i += 1) large.says('', addEvidence(`piece_${String(i)}`, piece), AGENT);
    expect(refusal(large.says('', addEvidence('more', 'x'), AGENT)).code).toBe('too_much_evidence');
  });

  it('adds nothing after the end', () => {
    const play = opened();
    play.says('fay', deny());
    expect(refusal(play.says('', addEvidence(), AGENT)).code).toBe('already_decided');
  });
});

describe('a decision on a packet to which something was added since', () => {
  it('does not count, and is told what was added', () => {
    const play = asked({}, 'sam');
    play.says('sam', reply());
    const between = play.state.packetDigest;
    play.says('', addEvidence(), AGENT);
    const at = play.now;
    expect(refusal(play.says('fay', approve(), { packetDigest: PACKET }))).toEqual({
      code: 'stale_packet',
      message: `Since you read the packet this was added: an answer from Sam (q1) at ${at}; evidence invoice from the agent at ${at}; read it again and decide anew`,
    });
    expect(refusal(play.says('fay', approve(), { packetDigest: between })).message).toBe(
      `Since you read the packet this was added: evidence invoice from the agent at ${at}; read it again and decide anew`,
    );
    expect(refusal(play.says('fay', approve(), { packetDigest: '0'.repeat(64) })).message).toContain('no longer current');
    expect(types(play.says('fay', approve()))).toEqual(['signed_off', 'ended']);
  });
});

describe('many at once', () => {
  const bulk = { bulk: 'bulk-1' };

  it('are claimed, released, decided and commented on where the tier allows it', () => {
    const play = opened();
    for (const move of [claim, comment(), { type: 'release' } as const, approve()]) expect(types(play.says('fay', move, bulk)).length).toBeGreaterThan(0);
    expect(types(opened().says('fay', deny(), bulk))).toEqual(['denied', 'ended']);
  });

  it.each(['strong', 'dual'] as const)('are not decided in tier %s', (tier) => {
    expect(refusal(opened({ tier }).says('fay', approve(), bulk)).code).toBe('bulk_not_allowed');
  });

  it('are not taken over, asked about or passed on', () => {
    for (const move of [takeOver(), ask()]) expect(refusal(opened().says('fay', move, bulk)).code).toBe('bulk_not_allowed');
  });
});

describe('properties', () => {
  const office: Calendar = {
    zone: 'Europe/Berlin',
    week: [...Array.from({ length: 5 }, () => [[540, 720] as const, [780, 1020] as const]), [], []],
    closed: ['2026-11-25'],
    region: null,
  };
  const onCalendar = {
    dueAt: (from: Instant, withinMs: number, calendar: string | null) => workingTimeAfter(calendar === null ? null : office, from, withinMs),
    workingBetween: (from: Instant, to: Instant, calendar: string | null) => workingTimeBetween(calendar === null ? null : office, from, to),
  };
  const worked = (from: Instant, to: Instant): number => workingTimeBetween(office, from, to);
  const minutes = (max: number) => fc.integer({ min: 0, max }).map((m) => m * MINUTE);

  it('a clock that stood still loses no working time, whenever it was stopped and however long', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 30, max: 1200 }),
        fc.array(fc.tuple(minutes(400), minutes(4000), fc.boolean()), { minLength: 1, maxLength: 4 }),
        (within, waits) => {
          const rung = { ...level('manager', 'finance_manager', within, [0.5]), calendar: 'office' };
          const questions: Questions = { clock: 'pauses', withinMs: 1000 * MINUTE, atMost: 20 };
          const play = new Play(planOf({ signOffs: [signOff('1', [rung])], questions, calendars: { office } }), onCalendar).open();
          let used = 0;
          let from = play.now;
          for (const [before, during, answers] of waits) {
            const due = openSignOff(play.state)?.dueAt ?? '';
            const asksAt = after(play.now, before);
            if (asksAt >= due) break;
            play.comes(asksAt);
            used += worked(from, asksAt);
            play.says('fay', ask());
            const lapses = after(asksAt, questions.withinMs);
            const ends = answers && after(asksAt, during) < lapses ? after(asksAt, during) : lapses;
            play.comes(ends);
            if (ends !== lapses) play.says('', reply(`q${String(play.state.questions.length)}`), AGENT);
            from = ends;
          }
          const due = openSignOff(play.state)?.dueAt;
          if (play.state.state !== 'waiting' || due == null) return;
          expect(used + worked(from, due)).toBe(within * MINUTE);
          play.comes(instant(ms(due) - 1));
          expect(play.state.state).toBe('waiting');
          play.comes(due);
          expect(play.state.state).toBe('expired');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('what is added always gives the packet another digest, and an earlier one is never current again', () => {
    const piece = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9_]{0,5}$/), fc.string({ minLength: 1, maxLength: 5 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const play = opened({ questions: { ...PAUSES, atMost: 20 } });
        const digests = [play.state.packetDigest];
        for (const [name, content, answers] of pieces) {
          if (answers) play.says('fay', ask());
          const move = answers ? reply(`q${String(play.state.questions.length)}`, content.trim() || 'yes') : addEvidence(name, content);
          const decision = play.says('', move, AGENT);
          if ('events' in decision) digests.push(play.state.packetDigest);
        }
        expect(new Set(digests).size).toBe(digests.length);
        for (const old of digests.slice(0, -1)) expect(refusal(play.says('fay', approve(), { packetDigest: old })).code).toBe('stale_packet');
      }),
      { numRuns: 200 },
    );
  });
});
