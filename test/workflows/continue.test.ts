/**
 * A run that has become long continues as another one: in the middle of whatever it waits for, and while updates, signals and nudges come
 * in. On a server that suggests it after a few dozen events, so that each state meets it; and a busy life by the workflow's own measure.
 */
import { randomUUID } from 'node:crypto';
import { issueCommand } from '../../activities/commands';
import { instant, ms } from '../../domain/json';
import type { Move } from '../../domain/moves';
import type { RequestDraft } from '../../domain/request';
import { startEngine, type Engine } from '../../workers/engine';
import { COMMAND_SIGNAL, NUDGE_SIGNAL, VIEW_QUERY, approvalWorkflowId, type ApprovalView } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { TRIOS_POLICY, TEN, trioOf, withTrios } from '../support/trios-policy';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, refund, type World } from '../support/world';

/** How many events the server thinks are many. */
const SUGGESTED = 60;
/** What an approval's history may come to, in bytes. */
const SIZE_MAX = 1_000_000;

let eager: Engine;
let usual: Engine;
let world: World;
let busy: World;
afterAll(async () => {
  await world.close();
  await busy.close();
  await eager.stop();
  await usual.stop();
});
const store = useStore();
beforeAll(async () => {
  eager = await startEngine({ port: await holdPort(), settings: [`limit.historyCount.suggestContinueAsNew=${String(SUGGESTED)}`] });
  usual = await startEngine({ port: await holdPort() });
  const people = { store, policy: TRIOS_POLICY, directory: withTrios(DESK_DIRECTORY) };
  world = await openWorld({ ...people, address: eager.address });
  busy = await openWorld({ ...people, address: usual.address });
});

const handle = ({ client }: World, approvalId: string, runId?: string) => client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId), runId);
const view = async (approvalId: string) => await handle(world, approvalId).query<ApprovalView | null>(VIEW_QUERY);
const stateOf = async (approvalId: string): Promise<string> =>
  (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state;
const reaches = async (approvalId: string, state: string): Promise<unknown> =>
  await until(async () => (await stateOf(approvalId)) === state, `${approvalId} is ${state}`);
const runOf = async (approvalId: string): Promise<string> => (await handle(world, approvalId).describe()).runId;
const does = async (approvalId: string, person: string, move: Move): Promise<void> =>
  expect((await insist(world, approvalId, person, move)).answer).toMatchObject({ accepted: true });

/** A command that nobody waits for. */
async function bySignal(approvalId: string, person: string, text: string): Promise<string> {
  const commandId = randomUUID();
  const now = instant(Date.now());
  const stored = { tenant: TENANT, approvalId, commandId, person, move: { type: 'comment', text } as const, packetDigest: null, signedInAt: now, now };
  await issueCommand(world.core.deps, stored);
  await handle(world, approvalId).signal(COMMAND_SIGNAL, { commandId });
  return text;
}

/** People talk, by update and by signal, and the engine is knocked at, until another run has taken over; returns what was said. */
async function hurry(approvalId: string): Promise<string[]> {
  const first = await runOf(approvalId);
  const said: string[] = [];
  for (let round = 0; (await runOf(approvalId)) === first; round += 1) {
    const say = (person: string, how: string): string => `${how} of ${person} in round ${String(round)}`;
    const updates = ['fay', 'finn', 'cleo', 'carl', 'omar'].map(async (person) => {
      const text = say(person, 'update');
      const { answer } = await insist(world, approvalId, person, { type: 'comment', text });
      expect([text, answer.refusal]).toEqual([text, null]);
      return text;
    });
    const signals = ['fay', 'omar'].map((person) => bySignal(approvalId, person, say(person, 'signal')));
    const nudges = Array.from({ length: 10 }, () => handle(world, approvalId).signal(NUDGE_SIGNAL));
    said.push(...(await Promise.all([...updates, ...signals])));
    await Promise.all(nudges);
    // Nobody talks without a pause.
    for (let looks = 0; looks < 40 && (await runOf(approvalId)) === first; looks += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return said;
}

/** The instant at which the one timer rings that the current run has set and not taken back; waits until a run that has just begun has set it. */
const ringsAt = async (approvalId: string): Promise<number> =>
  await until(async () => {
    const { events } = await handle(world, approvalId, await runOf(approvalId)).fetchHistory();
    const open = new Map<string, number>();
    for (const { eventTime, timerStartedEventAttributes: started, timerCanceledEventAttributes: canceled, timerFiredEventAttributes: fired } of events ?? []) {
      const from = Number(eventTime?.seconds ?? 0) * 1000;
      if (started?.timerId) open.set(started.timerId, from + Number(started.startToFireTimeout?.seconds ?? 0) * 1000);
      for (const gone of [canceled?.timerId, fired?.timerId]) if (gone) open.delete(gone);
    }
    return open.size === 1 ? [...open.values()][0] : null;
  }, 'one timer is set');

interface Waiting {
  readonly name: string;
  readonly request: RequestDraft;
  readonly state: string;
  /** Leads there. */
  readonly begin: (approvalId: string) => Promise<void>;
  /** What still holds, and how it ends. */
  readonly end: (approvalId: string) => Promise<void>;
  readonly outcome: string;
}

const approve = { type: 'approve', reason: 'ok' } as const;
const WAITING: readonly Waiting[] = [
  {
    name: 'routing: all of it comes before the first task',
    request: refund(48_000),
    state: 'waiting',
    begin: () => Promise.resolve(),
    end: (id) => does(id, 'fay', approve),
    outcome: 'approved',
  },
  {
    name: 'waiting, claimed by one of two',
    request: refund(48_000),
    state: 'waiting',
    begin: (id) => does(id, 'finn', { type: 'claim' }),
    end: async (id) => {
      expect((await insist(world, id, 'fay', approve)).answer).toMatchObject({ accepted: false, refusal: { code: 'claimed_by_another' } });
      await does(id, 'finn', approve);
    },
    outcome: 'approved',
  },
  {
    name: 'asked for information, its clock standing still',
    request: refund(48_000),
    state: 'asked',
    begin: (id) => does(id, 'fay', { type: 'ask', of: 'cleo', question: 'Is there a receipt?' }),
    end: async (id) => {
      await does(id, 'cleo', { type: 'reply', question: 'q1', text: 'There is' });
      await reaches(id, 'waiting');
      await does(id, 'fay', { type: 'deny', reason: 'It is another one' });
    },
    outcome: 'denied',
  },
  {
    name: 'taken over',
    request: refund(48_000),
    state: 'taken_over',
    begin: (id) => does(id, 'fay', { type: 'take_over', reason: 'Mine' }),
    end: (id) => does(id, 'fay', { type: 'resolve', result: 'Paid by hand' }),
    outcome: 'resolved_by_person',
  },
  {
    name: 'held for the backup',
    request: actionOf('case.close'),
    state: 'held',
    begin: (id) => reaches(id, 'held').then(() => undefined),
    end: (id) => does(id, 'cleo', approve),
    outcome: 'approved',
  },
  {
    name: 'side by side, one of two given',
    request: actionOf('config.change'),
    state: 'waiting',
    begin: (id) => does(id, 'sam', approve),
    end: (id) => does(id, 'fay', approve),
    outcome: 'approved',
  },
];

describe('a run that continues as another one in the middle of', () => {
  it.each(WAITING)('$name: no update, signal, claim or clock is lost', async ({ request, state, begin, end, outcome }) => {
    const { approvalId } = await world.ask(request);
    if (begin !== WAITING[0]?.begin) await until(async () => (await stateOf(approvalId)) !== 'routing', 'somebody is asked');
    await begin(approvalId);
    const said = await hurry(approvalId);
    await reaches(approvalId, state);

    // Everything that was said is on the record, once.
    await until(async () => (await world.story(approvalId)).filter((e) => e.type === 'commented').length >= said.length, 'all is said');
    const story = await world.story(approvalId);
    expect(story.flatMap((e) => (e.type === 'commented' ? [e.text] : [])).sort()).toEqual(said.sort());
    expect(story.filter((e) => e.type === 'refused')).toEqual([]);
    // The clock is set for the same instant, by the run that is there now.
    const seen = await until(async () => await view(approvalId), 'the run that is there now has looked');
    expect(seen.state).toBe(state);
    const wake = seen.wake?.at;
    const { wake_at: due } = await store.db.selectFrom('approvals').select('wake_at').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    expect(wake).toBe(due);
    // A clock that was lost sets no timer, and one that began anew would be later by what has passed; a machine may be slow.
    expect(Math.abs((await ringsAt(approvalId)) - ms(wake ?? ''))).toBeLessThan(5 * 60_000);

    await end(approvalId);
    expect((await world.result(approvalId)).outcome).toBe(outcome);
  });
});

describe('a busy life', () => {
  it('of a hundred comments, twenty reassignments and ten levels stays below a megabyte in each of its runs', async () => {
    const { approvalId } = await busy.ask(actionOf('rule.bend'));
    const { client, core } = busy;
    const acts = async (person: string, move: Move): Promise<void> =>
      expect((await insist({ core, client }, approvalId, person, move)).answer).toMatchObject({ accepted: true });
    await reaches(approvalId, 'waiting');
    for (const i of TEN) {
      const [first, second, third] = trioOf(i);
      // As long as they come: what is said is read from the record, and is not in any history.
      for (let n = 0; n < 5; n += 1) await acts(second, { type: 'comment', text: `${String(n)} ${'x'.repeat(3_000)}` });
      await acts(first, { type: 'reassign', to: second, reason: 'Hers' });
      await acts(second, { type: 'reassign', to: third, reason: 'Not mine either' });
      for (let n = 0; n < 5; n += 1) await acts(first, { type: 'comment', text: `${String(n)} ${'y'.repeat(3_000)}` });
      await acts(third, i === TEN.length - 1 ? approve : { type: 'pass_up', reason: 'Above me' });
    }
    expect((await busy.result(approvalId)).outcome).toBe('approved');

    const story = await busy.story(approvalId);
    const count = (type: string): number => story.filter((e) => e.type === type).length;
    expect([count('commented'), count('reassigned'), count('level_opened')]).toEqual([100, 20, 10]);
    const runs: number[] = [];
    for (let runId: string | undefined = (await handle(busy, approvalId).describe()).runId; runId;) {
      const run = handle(busy, approvalId, runId);
      runs.unshift(Number((await run.describe()).raw.workflowExecutionInfo?.historySizeBytes ?? SIZE_MAX));
      const [began] = (await run.fetchHistory()).events ?? [];
      runId = began?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
    }
    process.stdout.write(`A busy life: ${runs.map((bytes) => `${String(Math.round(bytes / 1000))} kB`).join(', ')}\n`);
    expect(runs.length).toBeGreaterThan(1);
    expect(Math.max(...runs)).toBeLessThan(SIZE_MAX);
  });
});
