/**
 * Lives as they were before people could ask, hand on, pass up or stand in for each other: where plan and people use none of it, every entry has
 * exactly the fields that it had then, so that records and readers of both kinds understand each other; and a state folds from them alone.
 */
import fc from 'fast-check';
import type { EventType } from '../../../domain/events';
import { fold, hasEnded } from '../../../domain/state';
import { ground } from '../../support/model/plans';
import { Stage, type Ground } from '../../support/model/stage';
import { play, turn, type Act, type Turn } from '../../support/model/walk';

/** What each entry held, beside what it might leave out then. */
const FIELDS: Partial<Readonly<Record<EventType, readonly string[]>>> = {
  level_opened: ['signOff', 'level', 'name', 'role', 'lane', 'owner', 'asked', 'dueAt', 'reminders', 'next', 'directory', 'owed'],
  level_skipped: ['signOff', 'level', 'name', 'role', 'why', 'directory'],
  reminded: ['signOff', 'level', 'at', 'owed'],
  level_timed_out: ['signOff', 'level', 'name', 'role', 'owner', 'dueAt'],
  claimed: ['by', 'role', 'implicit', 'proof'],
  released: ['by', 'role', 'proof'],
  signed_off: ['signOff', 'by', 'role', 'authority', 'reason', 'complete', 'directory', 'proof'],
  denied: ['signOff', 'by', 'role', 'reason', 'directory', 'proof'],
  taken_over: ['by', 'role', 'reason', 'dueAt', 'directory', 'owed', 'proof'],
  answered: ['by', 'role', 'facts', 'directory', 'proof'],
  handed_back: ['by', 'role', 'instructions', 'proof'],
  resolved: ['by', 'role', 'result', 'proof'],
  takeover_lapsed: ['by', 'dueAt'],
  held: ['role', 'owner', 'asked', 'dueAt', 'then', 'owed'],
  ended: ['outcome', 'why', 'end', 'deciders', 'conditions', 'next', 'owed'],
  refused: ['code', 'message', 'by', 'move', 'commandId'],
};
const MAY_LACK: readonly string[] = ['signOff', 'conditions'];
const OWED: readonly string[] = [
  'to',
  'level',
  'dueAt',
  'next',
  'channel',
  'then',
  'what',
  'subject',
  'text',
  'queue',
  'owner',
  'title',
  'url',
  'workflowId',
  'credential',
  'reason',
  'kind',
];
const MOVES: readonly Act[] = [
  'claim',
  'release',
  'approve',
  'deny',
  'take_over',
  'answer',
  'hand_back',
  'resolve',
  'open',
  'wake',
  'late',
  'passes',
  'withdraw',
];

/** Nobody is away, no level moves up on a no, and nobody operates. */
function before({ plan, directory, ...rest }: Ground): Ground {
  const { questions: _q, operators: _o, takeoverAtMostMs: _t, meanwhile, onDeny, ...old } = plan;
  const people = Object.values(directory.people).map((p) => [p.id, { ...p, roles: p.roles.filter((r) => r !== 'operator'), absences: [] }] as const);
  return {
    ...rest,
    directory: { ...directory, people: Object.fromEntries(people), duty: { ...directory.duty, operator: [] } },
    plan: {
      ...old,
      tier: plan.tier === 'dual' ? 'strong' : plan.tier,
      meanwhile: { agent: meanwhile.agent, operator: meanwhile.operator },
      onDeny: { path: onDeny.path, tellRequester: onDeny.tellRequester },
    },
  };
}

/** Of a takeover half of the moves are read as what only its holder does: among them some that there were not. */
const isOld = (drawn: Turn): boolean => 'act' in drawn && drawn.odd < 90 && drawn.which % 2 === 1 && MOVES.includes(drawn.act);

it('writes what it always wrote', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(ground, fc.array(turn, { minLength: 10, maxLength: 40 }), (on, turns) => {
      const stage = new Stage(before(on));
      stage.send({ type: 'open' });
      for (const one of turns.filter(isOld)) if (!hasEnded(stage.state)) play(stage, one, () => undefined);
      for (const { event } of stage.record.slice(2)) {
        const fields = FIELDS[event.type];
        const { type, ...said } = event;
        // Who has signed one of two that were asked side by side is paged for the other no more: that is found out since.
        if (type === 'resolved_anew') continue;
        expect({ type, unknown: Object.keys(said).filter((key) => !fields?.includes(key) && !MAY_LACK.includes(key)) }).toEqual({ type, unknown: [] });
        expect({ type, missing: fields?.filter((key) => !(key in said)) }).toEqual({ type, missing: [] });
        if ('asked' in event) for (const asked of event.asked) expect(Object.keys(asked).sort()).toEqual(['person', 'role']);
        if ('owed' in event) for (const debt of event.owed) expect(Object.keys(debt).filter((key) => !OWED.includes(key))).toEqual([]);
        seen.add(type);
      }
      expect(fold(stage.record)).toEqual(stage.state);
    }),
    { numRuns: 600, seed: 20_261_123 },
  );
  expect(Object.keys(FIELDS).filter((type) => !seen.has(type))).toEqual([]);
});
