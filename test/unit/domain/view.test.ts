/** What the workflow and its operator see of a state: who, until when, what next, and what is to be done. */
import type { ApprovalResult } from '../../../domain/outcome';
import type { Plan } from '../../../domain/plan';
import { viewOf, type ApprovalView } from '../../../domain/view';
import { approve, ask, claim, deny, directoryOf, HOUR, level, MINUTE, Play, planOf, signOff, takeOver } from '../../support/approval-play';

const seen = (play: Play, plan: Plan, result: ApprovalResult | null = null): ApprovalView => viewOf(play.state, plan, directoryOf(), play.now, result);

describe('while a level waits', () => {
  const plan = planOf();
  const play = new Play(plan).open();
  const view = seen(play, plan);

  it('wakes for the reminder first, and names level and person', () => {
    expect(view.wake).toEqual({ at: '2026-11-23T09:15:00.000Z', label: 'Remind finance manager (Fay) until 2026-11-23 09:30 UTC, then CFO is asked' });
  });

  it('wakes for the end of the level when the reminders are given', () => {
    const later = new Play(plan).open();
    later.passes(15 * MINUTE);
    expect(seen(later, plan).wake).toEqual({ at: '2026-11-23T09:30:00.000Z', label: 'finance manager (Fay) until 2026-11-23 09:30 UTC, then CFO is asked' });
  });

  it('puts state, level, lane, owner and due time into the search attributes', () => {
    expect(view.attributes).toEqual({ state: 'waiting', level: 'finance manager', lanes: ['finance'], owners: ['fay'], due: '2026-11-23T09:30:00.000Z' });
  });

  it('says who is asked, until when and what comes next', () => {
    expect(view.details).toBe('**waiting** on **Fay** (finance manager)\n- until 2026-11-23 09:30 UTC\n- then CFO is asked');
  });

  it('has the question to send, by an id that stays', () => {
    expect(view.todo).toEqual([{ id: '3-0', kind: 'ask', summary: 'Ask Fay (finance_manager) by email' }]);
  });

  it('shows who claimed it as the owner', () => {
    const claimed = new Play(plan).open();
    claimed.says('finn', claim);
    expect(seen(claimed, plan).attributes.owners).toEqual(['finn']);
  });
});

describe('of a chain', () => {
  it('says which sign-off of how many', () => {
    const plan = planOf({ signOffs: [signOff('1', [level('manager', 'finance_manager', 30)]), signOff('2', [level('CFO', 'cfo', 30)])] });
    const play = new Play(plan).open();
    play.says('fay', approve());
    expect(seen(play, plan).details).toBe('**waiting** (sign-off 2 of 2) on **Cleo** (CFO)\n- until 2026-11-23 09:30 UTC\n- then the request expires');
  });
});

describe('taken over', () => {
  it('shows who has it and until when', () => {
    const plan = planOf({ effect: 'escalation' });
    const play = new Play(plan).open();
    play.says('finn', takeOver());
    const view = seen(play, plan);
    expect(view.attributes).toEqual({ state: 'taken_over', level: 'taken over', lanes: ['finance'], owners: ['finn'], due: '2026-11-23T10:00:00.000Z' });
    expect(view.wake).toEqual({ at: '2026-11-23T10:00:00.000Z', label: 'taken over (Finn) until 2026-11-23 10:00 UTC' });
    expect(view.todo.map((t) => t.summary)).toContain('Tell Fay (finance_manager) by email');
  });
});

describe('while information is asked for', () => {
  const questions = { clock: 'pauses', withinMs: 4 * HOUR, atMost: 5 } as const;

  it('shows who waits for whom until when, and that the clock stands still', () => {
    const plan = planOf({ questions });
    const play = new Play(plan).open();
    play.passes(5 * MINUTE);
    play.says('fay', ask('sam'));
    const view = seen(play, plan);
    expect(view.attributes).toEqual({ state: 'asked', level: 'finance manager', lanes: ['finance'], owners: ['fay'], due: '2026-11-23T13:05:00.000Z' });
    expect(view.wake).toEqual({ at: '2026-11-23T13:05:00.000Z', label: 'finance manager (Fay) waits for Sam (q1) until 2026-11-23 13:05 UTC' });
    expect(view.details).toBe('**asked** on **Fay** (finance manager)\n- waits for Sam (q1) until 2026-11-23 13:05 UTC; its clock stands still');
    expect(view.todo.map((t) => t.summary)).toContain('Ask Sam for information by email');
  });

  it('goes on to wake for the level where its clock runs', () => {
    const plan = planOf({ questions: { ...questions, clock: 'runs', withinMs: 10 * MINUTE } });
    const play = new Play(plan).open();
    play.says('fay', ask());
    const view = seen(play, plan);
    expect(view.wake).toEqual({ at: '2026-11-23T09:10:00.000Z', label: 'finance manager (Fay) waits for the agent (q1) until 2026-11-23 09:10 UTC' });
    expect(view.attributes).toMatchObject({ state: 'asked', due: '2026-11-23T09:30:00.000Z' });
    expect(view.details).toBe(
      '**asked** on **Fay** (finance manager)\n- until 2026-11-23 09:30 UTC\n- then CFO is asked\n- waits for the agent (q1) until 2026-11-23 09:10 UTC',
    );
    expect(view.todo.map((t) => t.summary)).toContain('Ask the agent for information');
  });

  it('of two that are open says which one waits', () => {
    const [one, two] = [
      { ...signOff('1', [level('manager', 'finance_manager', 30)]), stage: 1 },
      { ...signOff('2', [level('CFO', 'cfo', 60)]), stage: 1 },
    ];
    const plan = planOf({ questions, signOffs: [one, two] });
    const play = new Play(plan).open();
    play.says('fay', ask());
    const view = seen(play, plan);
    expect(view.details).toBe(
      '**asked** on **Fay** (manager) and **Cleo** (CFO)\n- manager (Fay) waits for the agent (q1) until 2026-11-23 13:00 UTC; its clock stands still\n- CFO (Cleo) until 2026-11-23 10:00 UTC, then the request expires',
    );
    expect(view.wake?.at).toBe('2026-11-23T10:00:00.000Z');
  });
});

describe('work on what was taken over', () => {
  it('shows where it stands', () => {
    const plan = planOf({ effect: 'escalation' });
    const play = new Play(plan).open();
    play.says('finn', takeOver());
    play.says('finn', { type: 'update', status: 'waiting_for_others', note: 'the carrier rings back' });
    expect(seen(play, plan).details).toBe('**taken_over** on **Finn** (taken over)\n- until 2026-11-23 10:00 UTC\n- waiting for others');
    expect(seen(play, plan).details).not.toContain('carrier');
  });
});

describe('held', () => {
  const plan = planOf({
    signOffs: [signOff('1', [level('manager', 'finance_manager', 30)])],
    onTimeout: { end: 'hold', hold: { role: 'operations', forMs: HOUR, then: 'expire' } },
  });

  it('shows the paged backup, and pages them', () => {
    const play = new Play(plan).open();
    play.passes(30 * MINUTE);
    const view = seen(play, plan);
    expect(view.attributes).toEqual({ state: 'held', level: 'held for operations', lanes: ['finance'], owners: ['omar'], due: '2026-11-23T10:30:00.000Z' });
    expect(view.todo.map((t) => t.summary)).toContain('Page Omar (operations) by email');
  });
});

describe('at the end', () => {
  const plan = planOf({ onDeny: { path: 'stop', tellRequester: true, tellCustomer: { subject: 's', text: 't' } } });

  it('wakes no more, is owned by nobody, and shows the outcome with its reason', () => {
    const play = new Play(plan).open();
    play.says('fay', deny());
    const view = seen(play, plan);
    expect(view.wake).toBeNull();
    expect(view.attributes).toEqual({ state: 'denied', level: '', lanes: ['finance'], owners: [], due: null });
    expect(view.details).toBe('**denied**: Denied by Fay (finance_manager): the parcel arrived');
  });

  it('asks nobody any more, and resumes the agent first', () => {
    const play = new Play(plan).open();
    play.says('finn', deny());
    expect(seen(play, plan).todo.map((t) => t.summary)).toEqual([
      'Resume the agent by signed callback',
      'Tell the customer',
      'Tell the requester',
      'Tell Fay (finance_manager) by email',
    ]);
  });

  it('names the workflow to signal', () => {
    const play = new Play(plan, { resume: { type: 'workflow', workflowId: 'agent-7' } });
    play.withdrawn();
    expect(seen(play, plan).todo).toEqual([{ id: '3-0', kind: 'signal_workflow', summary: 'Resume the agent workflow', workflowId: 'agent-7' }]);
  });

  it('has nothing to do once all is delivered, and keeps trying what failed for now', () => {
    const play = new Play(plan, { resume: { type: 'poll' } }).open();
    play.says('finn', approve());
    const owed = play.state.owed;
    expect(owed.map((o) => [o.owed.kind, o.status])).toEqual([
      ['ask', 'done'],
      ['tell_asked', 'owed'],
    ]);
    const attempted = (status: 'failed_for_now' | 'done') =>
      viewOf({ ...play.state, owed: owed.map((o) => (o.status === 'owed' ? { ...o, status } : o)) }, plan, directoryOf(), play.now, null).todo;
    expect(attempted('failed_for_now').map((t) => t.kind)).toEqual(['tell_asked']);
    expect(attempted('done')).toEqual([]);
  });
});
