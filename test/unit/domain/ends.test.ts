/** How silence ends, each end by its name, and what is done besides: every effect combines with every end, once. */
import type { Context } from '../../../domain/ladder';
import { describeEnd } from '../../../domain/ladder';
import type { OwedKind } from '../../../domain/events';
import type { Instant } from '../../../domain/json';
import type { Outcome } from '../../../domain/outcome';
import type { OnTimeout } from '../../../domain/plan';
import { directoryOf, HOUR, level, MINUTE, Play, planOf, signOff, takeOver, TEAM } from '../../support/approval-play';

const alternative = { type: 'voucher.offer', params: { percent: 10 }, summary: 'offer a voucher' };
const LADDER = [level('finance manager', 'finance_manager', 30), level('CFO', 'cfo', 60)];

/** The plan's one ladder is silent from the first level to the last, and so is its backup. */
function silent(onTimeout: OnTimeout, patch: Partial<Context> = {}): Play {
  const play = new Play(planOf({ onTimeout, signOffs: [signOff('1', LADDER)] }), patch).open();
  play.passes(30 * MINUTE);
  play.passes(60 * MINUTE);
  if (play.state.state === 'held') play.passes(onTimeout.hold?.forMs ?? 0);
  return play;
}

interface Row {
  readonly onTimeout: OnTimeout;
  readonly outcome: Outcome;
  readonly path: string;
}

const ENDS: Readonly<Record<string, Row>> = {
  'expire and require resubmission': { onTimeout: { end: 'expire' }, outcome: 'expired', path: 'take no action; submit again if it is still wanted' },
  deny: { onTimeout: { end: 'deny' }, outcome: 'denied', path: 'log the reason and end the run' },
  'hold and notify the backup, then expire': {
    onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } },
    outcome: 'expired',
    path: 'take no action; submit again if it is still wanted',
  },
  'hold and notify the backup, then deny': {
    onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } },
    outcome: 'denied',
    path: 'log the reason and end the run',
  },
  'the declared safe alternative': { onTimeout: { end: 'safe_alternative', alternative }, outcome: 'expired', path: 'take the declared safe alternative' },
};

const EFFECTS = {
  ticket: { ticket: { queue: 'review', owner: 'operations', title: 'Review it' } },
  'tell the customer': { tellCustomer: { subject: 'Under review', text: 'We are looking at it.' } },
  'pause the workflow': { pauseWorkflow: { reason: 'Nobody answered' } },
  'disable the credential': { disableCredentials: [{ credential: 'crm-export', reason: 'Nobody answered' }] },
} as const satisfies Readonly<Record<string, Partial<OnTimeout>>>;
const KINDS: Readonly<Record<keyof typeof EFFECTS, OwedKind>> = {
  ticket: 'open_ticket',
  'tell the customer': 'tell_customer',
  'pause the workflow': 'pause_workflow',
  'disable the credential': 'disable_credential',
};
const NAMES = Object.keys(EFFECTS) as (keyof typeof EFFECTS)[];
/** Every choice of effects: none, each, any two, all. */
const CHOICES = Array.from({ length: 2 ** NAMES.length }, (_, bits) => NAMES.filter((_name, i) => (bits >> i) % 2 === 1));

describe.each(Object.entries(ENDS))('%s', (_, { onTimeout, outcome, path }) => {
  it('means what it says', () => {
    const play = silent(onTimeout);
    expect(play.state.state).toBe(outcome);
    expect(play.last('ended')).toMatchObject({ outcome, next: { path }, deciders: [], end: onTimeout.hold?.then ?? onTimeout.end });
    expect(play.last('ended').next.alternative).toEqual(onTimeout.alternative);
    expect(play.record.filter(({ event }) => event.type === 'held')).toHaveLength(onTimeout.end === 'hold' ? 1 : 0);
  });

  it.each(CHOICES.map((chosen) => [chosen.join(' and ') || 'nothing', chosen] as const))('with %s besides, once each', (_words, chosen) => {
    const besides = Object.assign({}, ...chosen.map((name) => EFFECTS[name])) as Partial<OnTimeout>;
    const play = silent({ ...onTimeout, ...besides }, { resume: { type: 'workflow', workflowId: 'agent-1' } });
    const plain = silent(onTimeout, { resume: { type: 'workflow', workflowId: 'agent-1' } });
    expect(play.state.state).toBe(outcome);
    const kinds = play.state.owed.map(({ owed }) => owed.kind).filter((kind) => Object.values(KINDS).includes(kind));
    expect([...kinds].sort()).toEqual(chosen.map((name) => KINDS[name]).sort());
    // Nothing else about the end is any different, and none of it is owed before the end.
    expect(play.record.map(({ at, event }) => [at, event.type])).toEqual(plain.record.map(({ at, event }) => [at, event.type]));
    expect(play.last('ended')).toMatchObject({ outcome, end: plain.last('ended').end, why: plain.last('ended').why });
    expect(play.last('ended').next).toEqual({
      ...plain.last('ended').next,
      ...(chosen.includes('pause the workflow') ? { pause: { reason: 'Nobody answered' } } : {}),
    });
    const seq = String(play.state.ended?.seq);
    expect(play.state.owed.filter(({ owed }) => Object.values(KINDS).includes(owed.kind)).every(({ id }) => id.startsWith(`${seq}-`))).toBe(true);
  });
});

describe('the named fallback', () => {
  it('is a level: asked when the one before has had all of its time, by name, before any end', () => {
    const play = new Play(planOf({ onTimeout: { end: 'expire' }, signOffs: [signOff('1', LADDER)] })).open();
    expect(play.passes(30 * MINUTE - 1)).toEqual([]);
    expect(play.passes(1)).toEqual(['level_timed_out', 'level_opened']);
    expect(play.last('level_opened')).toMatchObject({ name: 'CFO', role: 'cfo', owner: 'cleo' });
    expect(play.state.state).toBe('waiting');
  });
});

describe('a hold', () => {
  const hold: OnTimeout = { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'deny' } };

  it('pages as many backups as signatures are missing, where there are so many', () => {
    const two = directoryOf([...TEAM, { ...(TEAM.find((p) => p.id === 'omar') ?? never()), id: 'oda', name: 'Oda', email: 'oda@example.com' }]);
    const play = new Play(planOf({ tier: 'dual', onTimeout: hold, signOffs: [signOff('1', [level('finance manager', 'finance_manager', 30)], 2)] }), {
      directory: two,
    }).open();
    play.passes(30 * MINUTE);
    expect(play.last('held')).toMatchObject({ owner: 'oda', asked: [{ person: 'oda' }, { person: 'omar' }] });
    expect(play.last('held').owed.map((o) => o.kind)).toEqual(['page_backup', 'page_backup']);
  });
});

describe('the effects', () => {
  const all = Object.assign({ end: 'expire' }, ...Object.values(EFFECTS)) as OnTimeout;

  it('are for silence alone: a no, a takeover that ends well and a withdrawal pause and disable nothing', () => {
    const denied = new Play(planOf({ onTimeout: all })).open();
    denied.says('fay', { type: 'deny', reason: 'no' });
    const withdrawn = new Play(planOf({ onTimeout: all })).open();
    withdrawn.withdrawn();
    for (const play of [denied, withdrawn]) {
      expect(play.last('ended').next.pause).toBeUndefined();
      expect(play.state.owed.map(({ owed }) => owed.kind)).not.toEqual(expect.arrayContaining(['pause_workflow']));
      expect(play.state.owed.map(({ owed }) => owed.kind)).not.toEqual(expect.arrayContaining(['disable_credential']));
    }
  });

  it('come also where somebody took over and did not finish', () => {
    const play = new Play(planOf({ onTimeout: all, takeoverMs: HOUR }), { resume: { type: 'workflow', workflowId: 'agent-1' } }).open();
    play.says('fay', takeOver());
    play.passes(HOUR);
    expect(play.state.owed.map(({ owed }) => owed.kind)).toEqual(expect.arrayContaining(Object.values(KINDS)));
  });

  it.each(['callback', 'poll'] as const)('an agent that resumes by %s has no workflow to pause: its result tells it', (type) => {
    const resume = type === 'callback' ? ({ type, url: 'https://agent.example/resume' } as const) : ({ type } as const);
    const play = silent(all, { resume });
    expect(play.last('ended').next.pause).toEqual({ reason: 'Nobody answered' });
    expect(play.state.owed.some(({ owed }) => owed.kind === 'pause_workflow')).toBe(false);
  });

  it('pause the workflow before it is told how it ended', () => {
    const play = silent(all, { resume: { type: 'workflow', workflowId: 'agent-1' } });
    const kinds = play.last('ended').owed.map((o) => o.kind);
    expect(kinds.indexOf('pause_workflow')).toBeLessThan(kinds.indexOf('signal_workflow'));
  });

  it('are in the words of what comes next, which people read before it does', () => {
    expect(describeEnd('expire', planOf({ onTimeout: all }))).toBe(
      'the request expires and a ticket opens for manual review; the agent is paused; the credential crm-export is disabled',
    );
  });

  it('are owed once, however often the clock knocks afterwards', () => {
    const play = silent(all);
    const owed = play.state.owed.length;
    const at: Instant = play.now;
    expect(play.passes(HOUR)).toEqual([]);
    expect(play.comes(at)).toEqual([]);
    expect(play.state.owed).toHaveLength(owed);
  });
});

function never(): never {
  throw new Error('nobody is called omar');
}
