/**
 * Parking one item never stops its siblings: the sample queue agent (examples/queue-agent) with 500 items over the real API, one of which
 * waits for a person. The other 499 are done while it waits, and it is done after the yes.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createCountersign } from '../../client/sdk';
import { tokenCheck, workQueue, type Item, type Step } from '../../examples/queue-agent/agent';
import { openApi, type ApiWorld } from '../support/api';
import { insist } from '../support/approver';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { AGENT, TENANT, openWorld, publish, type World } from '../support/world';

const ITEMS = 500;
/** In the midst of the others. */
const PARKED = 250;

const policy = (agent: string): string => DESK_POLICY.replace('agent: freeze_decision', `agent: ${agent}`);

let world: World;
let api: ApiWorld;
let url = '';

afterAll(async () => {
  await api.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress() });
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, rateLimit: 100_000 });
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${String((api.app.server.address() as AddressInfo).port)}`;
});

/** `large`: for which a person is asked. */
const queueOf = (length: number, large: number): readonly Item[] => {
  const run = randomUUID();
  return Array.from({ length }, (_, i) => ({ key: `${run}/${String(i)}`, request: refund(i === large ? 48_000 : 100, { run }) }));
};

function working(items: readonly Item[], hands: number) {
  const steps: Step[] = [];
  const performed: string[] = [];
  const over = workQueue(items, {
    countersign: createCountersign({ url, key: api.keys.own }),
    check: tokenCheck(url, { tenant: TENANT, agent: AGENT.agent }),
    perform: ({ key }) => Promise.resolve(void performed.push(key)),
    onStep: (step) => steps.push(step),
    hands,
  });
  let failed: Error | undefined;
  over.catch((error: unknown) => (failed = error instanceof Error ? error : new Error('The queue has failed')));
  const parked = (done: number) => {
    if (failed !== undefined) throw failed;
    return performed.length >= done ? steps.find((step) => step.did === 'parked') : undefined;
  };
  return { performed, over, parked };
}

it('of 500 items, 499 are done while one waits for a person, and it is done after the yes, each once', async () => {
  await publish(store, policy('park_item'), DESK_DIRECTORY);
  const items = queueOf(ITEMS, PARKED);
  const { performed, over, parked } = working(items, 8);
  const { approvalId, key } = await until(() => parked(ITEMS - 1), 'all but one are done', 240_000);
  expect(key).toBe(items[PARKED]?.key);
  expect(performed).not.toContain(key);
  const standing = await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
  expect(['routing', 'waiting']).toContain(standing.state);

  await insist(world, approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' });
  const steps = await over;
  expect(performed.at(-1)).toBe(key);
  expect(new Set(performed)).toEqual(new Set(items.map((item) => item.key)));
  expect(performed).toHaveLength(ITEMS);
  expect(steps.filter(({ did }) => did === 'done')).toHaveLength(ITEMS);
  expect(steps.filter((step) => step.key === key).map(({ did }) => did)).toEqual(['parked', 'done']);
}, 300_000);

it('where the policy stops the job instead, what comes after waits with it; a no leaves the one, and the others are done', async () => {
  await publish(store, policy('pause_job'), DESK_DIRECTORY);
  const items = queueOf(6, 2);
  const { performed, over, parked } = working(items, 1);
  const { approvalId, key } = await until(() => parked(2), 'one waits');
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'level_opened'), 'somebody is asked');
  expect(performed).toEqual(items.slice(0, 2).map((item) => item.key));
  await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
  expect((await over).filter((step) => step.key === key)).toMatchObject([{ did: 'parked' }, { did: 'left', outcome: 'denied' }]);
  expect(performed).toEqual(items.filter((item) => item.key !== key).map((item) => item.key));
});
