/** The page of an approval to each of those involved: the forms of the moves that they may make and no others, and the words of others as theirs. */
import { questionsOf } from '../../../client/api/questions';
import type { ApprovalRow } from '../../../client/api/reads';
import { approvalPage } from '../../../client/page/approval';
import { after } from '../../../domain/json';
import type { Move } from '../../../domain/moves';
import { buildPacket, packetWith } from '../../../domain/packet';
import type { Plan } from '../../../domain/plan';
import { apply } from '../../../domain/state';
import { RequestSchema } from '../../../domain/request';
import { actionOf } from '../../support/requests';
import { directoryOf, HOUR, LADDER, MINUTE, person, Play, planOf, signOff, START, TEAM } from '../../support/approval-play';

const HOSTILE = '<script>alert(1)</script><img src=x> \u202Epay';
const PEOPLE = [...TEAM, person('ops', ['operator']), person('aud', ['auditor']), person('ida', [])];
const OPERATORS: Plan['operators'] = {
  roles: ['operator'],
  extendAtMostMs: HOUR,
  override: { roles: ['operator'], may: ['deny'], reasons: { wrong_order: 'It is the wrong order' }, secondPerson: true },
  breakGlass: { roles: ['operator'], review: { queue: 'reviews', owner: 'cfo', title: 'Review it' } },
};
const plan = planOf({ questions: { clock: 'pauses', withinMs: 4 * HOUR, atMost: 5 }, operators: OPERATORS, takeoverAtMostMs: 4 * HOUR });

const started = (of: Plan = plan): Play => {
  const play = new Play(of).directory(directoryOf(PEOPLE));
  return play.open();
};

/** What `who` sees. */
function page(play: Play, who: string, of: Plan = plan): string {
  const directory = directoryOf(PEOPLE);
  const viewed = directory.people[who];
  if (!viewed) throw new Error(`nobody is called ${who}`);
  const { state, record } = play;
  const approval: ApprovalRow = {
    tenant: 'acme',
    approvalId: 'ap_1',
    agent: 'clerk',
    state: state.state,
    ended: state.ended !== null,
    headline: 'Change it',
    lane: 'finance',
    lanes: ['finance'],
    tier: of.tier,
    level: '',
    owner: 'fay',
    owners: ['fay'],
    dueAt: null,
    seq: state.seq,
    packetDigest: state.packetDigest,
    actionDigest: '',
    plan: of,
    packet: packetWith(buildPacket(RequestSchema.parse(actionOf('config.change')), of, 'clerk'), state.supplements),
    result: null,
    requesters: ['rita'],
    involved: [],
    questions: questionsOf(record, state.questions),
    createdAt: START,
    updatedAt: START,
  };
  const viewer = { tenant: 'acme', person: viewed, directory, signedInAt: START, session: 's' };
  return approvalPage({ approval, entries: record, state, directory, viewer, now: play.now, formToken: 't', nonce: 'n', answer: null }).text;
}

/** The moves that have a form, each once. */
const forms = (html: string): string[] => [...new Set([...html.matchAll(/name="type" value="(\w+)"/g)].map(([, type]) => type ?? ''))].sort();
const textOf = (html: string): string => html.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
const formOf = (html: string, type: string): string => html.split('<form').find((part) => part.includes(`name="type" value="${type}"`)) ?? '';

const says = (play: Play, who: string, move: Move): Play => {
  const decision = play.says(who, move);
  if (!('events' in decision)) throw new Error(`${decision.refusal.code}: ${decision.refusal.message}`);
  return play;
};

describe('the forms of the page', () => {
  it.each([
    ['fay', ['approve', 'ask', 'claim', 'comment', 'deny', 'pass_up', 'reassign', 'take_over']],
    ['finn', ['approve', 'ask', 'claim', 'comment', 'deny', 'pass_up', 'reassign', 'take_over']],
    // Of a later level: involved, and nothing waits on them.
    ['cleo', ['comment']],
    ['ops', ['break_glass', 'comment', 'extend', 'override', 'reassign', 'take_over']],
    ['aud', []],
    ['ida', []],
    ['rita', []],
  ])('are, for %s while the first level is open: %j', (who, expected) => {
    expect(forms(page(started(), who))).toEqual(expected);
  });

  it('are none that the machine refuses: each that is shown is accepted with words in it, each that is not shown is refused', () => {
    const moves: readonly Move[] = [
      { type: 'claim' },
      { type: 'release' },
      { type: 'approve', reason: 'r' },
      { type: 'deny', reason: 'r' },
      { type: 'take_over', reason: 'r' },
      { type: 'hand_back', instructions: 'r' },
      { type: 'resolve', result: 'r' },
      { type: 'abandon', reason: 'r' },
      { type: 'update', status: 'working', note: 'r' },
      { type: 'comment', text: 'r' },
      { type: 'ask', of: 'agent', question: 'r' },
      { type: 'pass_up', reason: 'r' },
      { type: 'reassign', to: 'finn', reason: 'r' },
      { type: 'extend', minutes: 5, reason: 'r' },
      { type: 'override', decision: 'deny', because: 'wrong_order', reason: 'r' },
      { type: 'break_glass', reason: 'r' },
    ];
    const lives: readonly (readonly [string, () => Play])[] = [
      ['open', () => started()],
      ['claimed', () => says(started(), 'fay', { type: 'claim' })],
      ['taken over', () => says(started(), 'fay', { type: 'take_over', reason: 'mine' })],
      ['asked', () => says(started(), 'fay', { type: 'ask', of: 'ida', question: 'Which?' })],
    ];
    for (const [name, life] of lives)
      for (const who of ['fay', 'cleo', 'ops', 'aud', 'rita']) {
        const shown = forms(page(life(), who)).filter((type) => type !== 'reply');
        const accepted = moves
          .filter((move) => {
            const decision = life().says(who, move);
            return 'events' in decision && decision.events.length > 0;
          })
          .map(({ type }) => type)
          .sort();
        expect([name, who, shown]).toEqual([name, who, accepted]);
      }
  });

  it('give it only to those who can be asked, and say to whom a question can go', () => {
    const html = page(started(), 'fay');
    expect([...formOf(html, 'reassign').matchAll(/<option value="(\w+)"/g)].map(([, id]) => id)).toEqual(['finn']);
    const asked = [...formOf(html, 'ask').matchAll(/<option value="(\w+)"/g)].map(([, id]) => id);
    expect(asked).toEqual(expect.arrayContaining(['agent', 'ida', 'rita']));
    expect(asked).not.toContain('fay');
  });

  it('of an operator say what the policy lets: how long, with what, because of what, and with whom', () => {
    const html = page(started(), 'ops');
    expect(formOf(html, 'extend')).toContain('max="60"');
    expect(formOf(html, 'override')).toContain('It is the wrong order');
    expect(formOf(html, 'override')).not.toContain('value="approve"');
    expect(html).toContain('A second person has to say the same');
    for (const type of ['extend', 'override', 'break_glass', 'take_over', 'reassign']) expect(formOf(html, type)).toContain('required></textarea>');
    // What the policy does not let is no form.
    const without = planOf({ operators: { roles: ['operator'] } });
    expect(forms(page(started(without), 'ops', without))).toEqual(['comment', 'reassign', 'take_over']);
  });

  it('of who has taken it over are those of the work, and a form to abandon it', () => {
    const play = started();
    says(play, 'fay', { type: 'take_over', reason: 'mine' });
    expect(forms(page(play, 'fay'))).toEqual(['abandon', 'ask', 'comment', 'hand_back', 'resolve', 'update']);
    says(play, 'fay', { type: 'update', status: 'blocked', note: 'The bank is closed' });
    const seen = textOf(page(play, 'finn'));
    expect(seen).toMatch(/Taken over by Fay \(finance_manager\) .*Where it stands blocked/);
  });
});

describe('questions on the page', () => {
  it('are shown as the words of who asks, with a form for whoever is asked and for nobody else', () => {
    const play = started();
    says(play, 'fay', { type: 'ask', of: 'ida', question: `Did it arrive? ${HOSTILE}` });
    for (const who of ['fay', 'cleo', 'ida']) {
      const html = page(play, who);
      expect(html).not.toMatch(/<script|<img|\u202E/);
      expect(textOf(html)).toMatch(/q1, to Ida Written by Fay Did it arrive\? &lt;script&gt;/);
      expect(textOf(html)).toMatch(/Until the clock stands still for q1, until .* at the latest/);
      expect(forms(html).includes('reply')).toBe(who === 'ida');
    }
    expect(forms(page(play, 'ida'))).toEqual(['comment', 'reply']);
    expect(formOf(page(play, 'ida'), 'reply')).toContain('name="question" value="q1"');
  });

  it('of the requester’s side: only the answer is theirs', () => {
    const play = started();
    says(play, 'fay', { type: 'ask', of: 'rita', question: 'Which order?' });
    const html = page(play, 'rita');
    expect(forms(html)).toEqual(['reply']);
    expect(html).toContain('someone else decides it');
  });

  it('answered, stand with the answer as the words of who gave it; evidence that was added stands with the rest', () => {
    const play = started();
    says(play, 'fay', { type: 'ask', of: 'agent', question: 'Which order?' });
    const said = play.says('', { type: 'reply', question: 'q1', text: `Order 7 ${HOSTILE}` }, { agent: 'clerk' });
    expect('events' in said).toBe(true);
    play.says('', { type: 'add_evidence', name: 'receipt', title: 'The receipt', content: `Shop ${HOSTILE}` }, { agent: 'clerk' });
    const html = page(play, 'fay');
    expect(html).not.toMatch(/<script|<img|\u202E/);
    const seen = textOf(html);
    expect(seen).toMatch(/Answer to q1 Written by the agent Order 7/);
    expect(seen).toMatch(/Added 2026-11-23 09:00 UTC: The receipt \(receipt\) Written by the agent Shop/);
    // The answer stands once, with its question, and the line of the timeline does not repeat it.
    expect(seen.split('Order 7')).toHaveLength(2);
    expect(html).toContain(`name="packet_digest" value="${play.state.packetDigest}"`);
  });

  it('comments stand in boxes of their own', () => {
    const play = started();
    says(play, 'cleo', { type: 'comment', text: `I know them ${HOSTILE}` });
    const html = page(play, 'fay');
    expect(textOf(html)).toMatch(/2026-11-23 09:00 UTC, as cfo Written by Cleo I know them &lt;script&gt;/);
    expect(html).not.toMatch(/<script|<img/);
    expect(textOf(html)).toContain('Cleo (cfo) commented');
  });
});

describe('two who choose unseen', () => {
  const dual = planOf({
    tier: 'dual',
    signOffs: [signOff('1', LADDER, 2)],
    operators: OPERATORS,
    offers: { amountAtMost: { param: 'amount', atMost: { minor: 900, currency: 'USD' } } },
  });

  it.each(['approve', 'deny'] as const)('are told that one has chosen and not what: %s', (choice) => {
    const play = started(dual);
    says(
      play,
      'fay',
      choice === 'approve'
        ? { type: 'approve', reason: 'Receipt is there', conditions: { amount_at_most: { minor: 700, currency: 'USD' } } }
        : { type: 'deny', reason: 'Receipt is missing' },
    );
    for (const who of ['finn', 'cleo', 'ops', 'aud']) {
      const seen = textOf(page(play, who, dual));
      expect(seen).toContain('Chosen unseen 1 of 2 has chosen');
      expect(seen).not.toMatch(/Receipt is|said yes|said no|Given by|7\.00/);
    }
    expect(forms(page(play, 'finn', dual))).toEqual(expect.arrayContaining(['approve', 'deny']));
    const own = page(play, 'fay', dual);
    expect(textOf(own)).toContain('You have chosen');
    expect(forms(own)).toEqual(['comment']);
    says(play, 'finn', { type: 'deny', reason: 'No order' });
    expect(textOf(page(play, 'cleo', dual))).toContain('Receipt is');
  });
});

describe('who is asked and why', () => {
  it('says what came before: who did not answer, and that it was given to somebody else', () => {
    const play = started();
    play.passes(15 * MINUTE);
    play.passes(15 * MINUTE);
    const seen = textOf(page(play, 'cleo'));
    expect(seen).toMatch(/Asked Cleo \(cfo\) .*As CFO, level 2 of 2 Before finance manager \(Fay\) did not answer by/);
    const given = started();
    says(given, 'fay', { type: 'reassign', to: 'finn', reason: 'I am on a train' });
    expect(textOf(page(given, 'finn'))).toMatch(/Asked Finn \(finance_manager\) .*Before Fay \(finance_manager\) gave it to Finn: I am on a train/);
  });

  it('says for whom a deputy is asked', () => {
    const away = { ...person('fay', ['finance_manager']), absences: [{ from: START, to: after(START, HOUR), deputy: 'ida' }] };
    const play = new Play(plan).directory(directoryOf([away, ...PEOPLE.filter(({ id }) => id !== 'fay')])).open();
    expect(textOf(page(play, 'finn'))).toContain('Asked Ida (finance_manager, for Fay, who is absent)');
  });
});

it('what was given up can be tried again by an operator, also after the end, and by nobody else', () => {
  const givingUp = (play: Play, kind: 'ask' | 'callback'): Play => {
    const debt = play.state.owed.find(({ owed }) => owed.kind === kind);
    if (!debt) throw new Error(`no ${kind} is owed`);
    const event = {
      type: 'attempted',
      owedId: debt.id,
      kind,
      to: 'somebody',
      attempt: 1,
      status: 'failed_for_good',
      httpStatus: null,
      latencyMs: 1,
      detail: 'No',
      retryAt: null,
    } as const;
    const entry = { seq: play.state.seq + 1, at: play.now, event };
    play.record.push(entry);
    play.state = apply(play.state, entry);
    return play;
  };
  const open = givingUp(started(), 'ask');
  expect(forms(page(open, 'ops'))).toContain('reopen_delivery');
  expect(forms(page(open, 'fay'))).not.toContain('reopen_delivery');
  const over = started();
  over.withdrawn();
  givingUp(over, 'callback');
  const debt = over.state.owed.find(({ owed }) => owed.kind === 'callback');
  expect(forms(page(over, 'ops'))).toEqual(['reopen_delivery']);
  expect(formOf(page(over, 'ops'), 'reopen_delivery')).toContain(`name="owed_id" value="${debt?.id ?? ''}"`);
  expect(forms(page(over, 'fay'))).toEqual([]);
});
