/**
 * The worker as a real process, killed with SIGKILL while approvals wait, in the middle of a callback, and again and again; and brought back.
 * Afterwards a judge compares what people were told, what the agent did, the record and the workflows' results. (Every single await: ./awaits.)
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { scaledClock } from '../../domain/clock';
import { approvalWorkflowId } from '../../workflows/protocol';
import { insist, type Told } from '../support/approver';
import { contradictions } from '../support/oracle';
import { startProgram, until } from '../support/processes';
import { startReferenceAgent, type Call, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { TENANT, refund } from '../support/world';
import { openStage, supervise, type Stage, type Supervised } from './stage';

const MAIN = join(__dirname, '..', '..', 'workers', 'main.ts');

jest.setTimeout(240_000);
let stage: Stage;
let agent: ReferenceAgent;
/** What the network does to the agent's calls, by approval. */
const before = new Map<string, (call: Call) => 'hang' | null>();
const after = new Map<string, (call: Call) => 'hang' | null>();
afterAll(async () => {
  await agent.stop();
  await stage.close();
});
const store = useStore();
beforeAll(async () => {
  stage = await openStage(store);
  agent = await startReferenceAgent({
    jwks: stage.world.core.tokens.jwks(),
    before: (call) => before.get(call.approvalId)?.(call) ?? null,
    after: (call) => after.get(call.approvalId)?.(call) ?? null,
  });
});

interface Played {
  readonly approvalId: string;
  readonly told: Told;
  readonly again: Told;
  readonly deaths: number;
}

/** One approval from the question to the agent's resumption, with a worker that dies once on the way. */
async function play(prepare: (approvalId: string, worker: Supervised) => void): Promise<Played> {
  const { world } = stage;
  const taskQueue = `faults-${randomUUID()}`;
  const worker = await supervise(MAIN, stage.workerEnv(taskQueue));
  try {
    const approvalId = await stage.ask(taskQueue, refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    prepare(approvalId, worker);
    await stage.untilAsked(approvalId);
    const told = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
    const again = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' }, told.answer.commandId);
    await world.result(approvalId);
    return { approvalId, told, again, deaths: worker.deaths() };
  } finally {
    await worker.stop();
  }
}

const judge = async ({ approvalId, told }: Played): Promise<string[]> =>
  await contradictions({ store, client: stage.world.client, tenant: TENANT, approvals: [approvalId], acknowledged: [told], agent });

describe('killed while approvals wait', () => {
  /** A level of half an hour takes seven and a half seconds. */
  const SCALE = 240;

  it('the engine keeps their timers: the next worker goes on where the record stands, for a decision as for silence', async () => {
    const origin = new Date().toISOString();
    const clock = scaledClock(origin, SCALE);
    const scaled = await openStage(store, { clock });
    const { world } = scaled;
    try {
      const taskQueue = `faults-${randomUUID()}`;
      const env = scaled.workerEnv(taskQueue, { COUNTERSIGN_CLOCK: 'scaled', COUNTERSIGN_CLOCK_ORIGIN: origin, COUNTERSIGN_TIME_SCALE: String(SCALE) });
      const first = await startProgram(MAIN, env);
      const decided = await scaled.ask(taskQueue, refund(48_000));
      const silent = await scaled.ask(taskQueue, refund(49_000));
      await until(
        async () => (await has(world, decided, 'timerStartedEventAttributes')) && (await has(world, silent, 'timerStartedEventAttributes')),
        'both wait',
      );
      expect(await first.kill()).toEqual({ code: null, signal: 'SIGKILL' });

      // Nobody works while the first level runs out; then the next worker finds the timers fired.
      const levels = async (id: string) => (await world.story(id)).flatMap((e) => (e.type === 'level_opened' ? [e.name] : []));
      await until(
        async () => (await has(world, decided, 'timerFiredEventAttributes')) && (await has(world, silent, 'timerFiredEventAttributes')),
        'the engine has fired the timers',
      );
      expect(await levels(silent)).toEqual(['finance manager']);
      const second = await startProgram(MAIN, env);
      await until(async () => (await levels(decided)).length === 2, 'the CFO is asked');
      const told = await insist(world, decided, 'cleo', { type: 'approve', reason: 'ok' });
      expect(told.answer).toMatchObject({ accepted: true, state: 'approved' });
      expect(await world.result(silent)).toMatchObject({ outcome: 'expired', reason: 'Nobody answered in time' });
      await world.result(decided);
      expect(await second.stop()).toEqual({ code: 0, signal: null });
      expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [decided, silent], acknowledged: [told] })).toEqual([]);
    } finally {
      await scaled.close();
    }
  });
});

/** Why the second attempt at an activity was made: which limit of the first one had passed. */
async function whyAgain(approvalId: string, activity: string): Promise<temporal.api.enums.v1.TimeoutType | null | undefined> {
  const { events } = await stage.world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).fetchHistory();
  const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity)?.eventId;
  const started = events?.find((event) => event.activityTaskStartedEventAttributes?.scheduledEventId?.eq(scheduled ?? 0));
  return started?.activityTaskStartedEventAttributes?.lastFailure?.timeoutFailureInfo?.timeoutType;
}

/** Whether a run's history holds an event of this kind. */
async function has({ client }: Stage['world'], approvalId: string, kind: 'timerStartedEventAttributes' | 'timerFiredEventAttributes'): Promise<boolean> {
  const { events } = await client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).fetchHistory();
  return events?.some((event) => event[kind]) ?? false;
}

describe('killed in the middle of a callback', () => {
  it.each([
    ['before the agent has looked at it', before, 1],
    ['after the agent has acted and before its answer arrives', after, 1],
  ] as const)('%s: the agent acts once, on one message id', async (_, hands, deaths) => {
    const one = await play((approvalId, worker) =>
      hands.set(approvalId, () => {
        hands.delete(approvalId);
        worker.kill();
        return 'hang';
      }),
    );
    expect(one.deaths).toBe(deaths);
    expect(agent.calls.filter((call) => call.approvalId === one.approvalId)).toHaveLength(2);
    // Long before the call itself could have come to its end.
    expect(await whyAgain(one.approvalId, 'resumeAgent')).toBe(temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT);
    expect(await judge(one)).toEqual([]);
  });
});

describe('killed again and again', () => {
  it('while twelve approvals are asked, decided and resumed: the record, the people, the agent and the engine agree', async () => {
    const { world } = stage;
    const taskQueue = `faults-${randomUUID()}`;
    const worker = await supervise(MAIN, stage.workerEnv(taskQueue));
    const entries = async (): Promise<number> =>
      Number(
        (
          await store.db
            .selectFrom('entries')
            .select((e) => e.fn.countAll().as('n'))
            .executeTakeFirstOrThrow()
        ).n,
      );
    const start = await entries();
    const one = async (i: number): Promise<Told[]> => {
      const approvalId = await stage.ask(taskQueue, refund(i % 3 === 0 ? 148_000 : 48_000, { resume: { type: 'callback', url: agent.url } }));
      await stage.untilAsked(approvalId);
      if (i % 3 === 1) return [await insist(world, approvalId, 'finn', { type: 'deny', reason: 'No receipt' })];
      const yes = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
      return i % 3 === 0 ? [yes, await insist(world, approvalId, 'cleo', { type: 'approve', reason: 'ok' })] : [yes];
    };
    const deciding = Promise.all(Array.from({ length: 12 }, (_, i) => one(i)));
    // By what is on the record, not by the clock: the same on a slow machine.
    for (const more of [26, 40, 55, 70]) {
      const { deaths } = worker;
      const died = deaths();
      await until(async () => (await entries()) >= start + more, `${more} entries`, 120_000);
      worker.kill();
      await until(() => deaths() > died, 'the worker has died');
    }
    const told = (await deciding).flat();
    const approvals = [...new Set(told.map((t) => t.approvalId))];
    await Promise.all(approvals.map((id) => world.result(id)));
    await worker.stop();
    expect(told.every((t) => t.answer.accepted)).toBe(true);
    expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals, acknowledged: told, agent })).toEqual([]);
  });
});
