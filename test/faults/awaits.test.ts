/**
 * Killed at every await of the decision path. The product's own worker and API run under ./mortal, which counts from the outside what they
 * await; for every piece of work they die at its first point, at its second, and so on, until one comes to its end alive. So the list of
 * points is never written down, and cannot go stale. Several workers and APIs share one store and one engine, as in production: each death
 * also hits whatever else the process had in hand.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueKey } from '../../record/store/agents';
import { freePort } from '../../workers/engine/port';
import { insist, type Told } from '../support/approver';
import { violations, type AgentLine, type PersonLine } from '../support/checker';
import { collect, contradictions } from '../support/oracle';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { AGENT, TENANT, refund } from '../support/world';
import { readJournal } from './journal';
import { agentsJournal, openOutsiders, peopleJournal, type Outsiders } from './outsiders';
import { openStage, supervise, type Stage, type Supervised } from './stage';

const MORTAL = join(__dirname, 'mortal.ts');
const WORKER = join(__dirname, '..', '..', 'workers', 'main.ts');
const API = join(__dirname, '..', '..', 'client', 'api', 'main.ts');
const QUEUE = 'awaits';
const WORKERS = 3;
/** How many deaths of one kind of work are tried at once, before it is known how many there are. */
const AT_ONCE = 4;
/** More than any piece of work has; one that goes beyond is not counted right. */
const POINTS_MAX = 60;

jest.setTimeout(400_000);
let stage: Stage;
let agent: ReferenceAgent;
let faults: string;
let outsiders: Outsiders;
let workers: Supervised[];
let api: Supervised;
afterAll(async () => {
  outsiders.close();
  await Promise.all([...workers.map((worker) => worker.stop()), api.stop()]);
  await agent.stop();
  await stage.close();
  rmSync(faults, { recursive: true, force: true });
});
const store = useStore();
beforeAll(async () => {
  stage = await openStage(store);
  agent = await startReferenceAgent({ jwks: stage.world.core.tokens.jwks() });
  faults = mkdtempSync(join(tmpdir(), 'countersign-awaits-'));
  mkdirSync(join(faults, 'armed'));
  const mortal = (program: string, more: NodeJS.ProcessEnv = {}): Promise<Supervised> =>
    supervise(
      MORTAL,
      stage.workerEnv(QUEUE, {
        COUNTERSIGN_TEST_PROGRAM: program,
        COUNTERSIGN_TEST_FAULTS: join(faults, 'armed'),
        COUNTERSIGN_WORKFLOW_BUNDLE: process.env['COUNTERSIGN_TEST_BUNDLE'],
        ...more,
      }),
    );
  const port = await freePort('127.0.0.1');
  [api, ...workers] = await Promise.all([mortal(API, { COUNTERSIGN_API_PORT: String(port) }), ...Array.from({ length: WORKERS }, () => mortal(WORKER))]);
  const agentKey = await issueKey(store.db, { tenant: TENANT, agent: AGENT.agent, at: new Date().toISOString() });
  outsiders = openOutsiders({ dir: faults, tenant: TENANT, agentKey, apiUrl: `http://127.0.0.1:${String(port)}` });
});

/** Where one piece of work dies: in whose, in which, at which of its points. */
function arm(whose: string, work: string, point: number): () => boolean {
  const file = join(faults, 'armed', whose);
  writeFileSync(file, `${work} ${String(point)}`);
  return () => {
    const alive = existsSync(file);
    rmSync(file, { force: true });
    return !alive;
  };
}

interface Played {
  readonly died: boolean;
  readonly wrong: readonly string[];
}

/**
 * Every point of one kind of work, a few at a time, until the next few are all beyond its last. Returns at how many it died: a point that
 * another's death took away from it is not counted and ends nothing.
 */
async function everyPoint(play: (point: number) => Promise<Played>): Promise<number> {
  let deaths = 0;
  for (let first = 1; first <= POINTS_MAX; first += AT_ONCE) {
    const some = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => play(first + i)));
    expect(some.flatMap(({ wrong }) => wrong)).toEqual([]);
    const died = some.filter((each) => each.died).length;
    if (died === 0) return deaths;
    deaths += died;
  }
  throw new Error(`There are more than ${String(POINTS_MAX)} points`);
}

const question = (n: number) => refund(48_000 + n, { resume: { type: 'callback', url: agent.url } });
const isDelivered = async (approvalId: string): Promise<boolean> =>
  (await store.db.selectFrom('deliveries').select('status').where('approval_id', '=', approvalId).where('kind', '=', 'ask').execute()).some(
    ({ status }) => status === 'done',
  );
const say = (work: string, points: number): void => void process.stderr.write(`awaits: ${work}: killed at each of ${String(points)} points\n`);

describe.each([
  ['the commit that opens an approval', 'commit', 'open'],
  ['the message to who is asked', 'ask', 'open'],
  ["the commit of a person's decision", 'commit', 'decide'],
  ['the callback to the agent', 'resumeAgent', 'decide'],
] as const)('the worker: %s', (title, activity, phase) => {
  it('killed at each of its awaits: nothing is lost and nothing happens twice', async () => {
    const { world } = stage;
    const points = await everyPoint(async (point) => {
      const { approvalId, start } = await stage.submit(QUEUE, question(point));
      const early = phase === 'open' ? arm(approvalId, activity, point) : null;
      await start();
      // Until the message is out: a question that was answered is not asked any more.
      await until(async () => await isDelivered(approvalId), `${approvalId} is asked`);
      const late = phase === 'decide' ? arm(approvalId, activity, point) : null;
      const told: Told = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
      const again = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' }, told.answer.commandId);
      await world.result(approvalId);
      const wrong = await contradictions({
        store,
        client: world.client,
        tenant: TENANT,
        approvals: [approvalId],
        acknowledged: [told, again],
        agent,
        verify: false,
      });
      return { died: (early ?? late)?.() ?? false, wrong };
    });
    say(title, points);
    expect(points).toBeGreaterThan(3);
  });
});

describe('the API', () => {
  /** One request and its decision, from the agent's question on. */
  async function played(key: string, n: number, prepare: (approvalId: string) => void): Promise<string[]> {
    const asked = await outsiders.ask(key, question(n));
    // So that each move awaits the same: it does not wait for the level to open.
    await stage.untilAsked(asked.approvalId);
    prepare(asked.approvalId);
    await outsiders.race(asked, [{ person: 'fay', move: 'approve' }]);
    await stage.world.result(asked.approvalId);
    const mine = <Line extends AgentLine | PersonLine>(lines: readonly Line[]): Line[] =>
      lines.filter((line) => line.key === key || ('approvalId' in line && line.approvalId === asked.approvalId));
    return violations({
      ...(await collect({ db: store.db, keys: store.keys, client: stage.world.client, tenant: TENANT }, [], { only: [asked.approvalId], verify: false })),
      agents: mine(readJournal<AgentLine>(agentsJournal(faults, TENANT))),
      people: mine(readJournal<PersonLine>(peopleJournal(faults, TENANT))),
      receivers: null,
      allReachable: true,
    });
  }

  it('killed at each await of a submission: acknowledged once under its key, with one workflow', async () => {
    const points = await everyPoint(async (point) => {
      const key = `submit-${String(point)}`;
      const died = arm(key, 'submit', point);
      return { wrong: await played(key, point, () => undefined), died: died() };
    });
    say('a submission', points);
    expect(points).toBeGreaterThan(3);
  });

  it("killed at each await of a person's move: it counts once, and the person learns what came of it", async () => {
    const points = await everyPoint(async (point) => {
      let died = (): boolean => false;
      const wrong = await played(`move-${String(point)}`, point, (approvalId) => (died = arm(`${approvalId}-fay-1`, 'move', point)));
      return { wrong, died: died() };
    });
    say("a person's move", points);
    expect(points).toBeGreaterThan(3);
  });
});

it('the worker: killed in the middle of a sweep, which another takes up at once: a request without a workflow is not left waiting', async () => {
  const { world } = stage;
  const { approvalId } = await stage.submit(QUEUE, question(1));
  const died = arm('sweep', 'reconcile', 3);
  await until(() => !existsSync(join(faults, 'armed', 'sweep')), 'the sweep was killed');
  expect(died()).toBe(true);
  await stage.untilAsked(approvalId);
  const told = await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
  await world.result(approvalId);
  expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [approvalId], acknowledged: [told], agent, verify: false })).toEqual(
    [],
  );
});

it('after all of that, the record verifies', async () => {
  const { findings, approvals } = await collect({ db: store.db, keys: store.keys, client: stage.world.client, tenant: TENANT }, []);
  expect(findings).toEqual([]);
  expect(approvals.length).toBeGreaterThan(20);
});
