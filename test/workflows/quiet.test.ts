/**
 * A week in which nobody does anything, on the engine that skips time: nothing but its timer is in the history of an approval.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startTimeSkipping } from '../../workers/engine';
import { approvalWorkflowId } from '../../workflows/protocol';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { TRIOS_POLICY, withTrios } from '../support/trios-policy';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, type World } from '../support/world';

let env: TestWorkflowEnvironment;
let world: World;
afterAll(async () => {
  await world.close();
  await env.teardown();
});
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  world = await openWorld({ store, skipping: env, policy: TRIOS_POLICY, directory: withTrios(DESK_DIRECTORY) });
});

it('a quiet week adds nothing to a history, and its end no more than the timer and what follows from it', async () => {
  const { approvalId } = await world.ask(actionOf('shift.swap'));
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted'), 'somebody is asked');
  const handle = world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
  const history = async () => (await handle.fetchHistory()).events ?? [];
  const lengthOf = async (): Promise<number> => (await history()).length;
  // The timer is set by the completion of the task that the message rode in.
  await until(async () => (await history()).some((e) => e.timerStartedEventAttributes), 'its timer is set');
  const length = await lengthOf();
  const entries = (await world.story(approvalId)).length;
  const from = await env.currentTimeMs();
  await env.sleep('7 days');
  expect((await env.currentTimeMs()) - from).toBeGreaterThanOrEqual(7 * 24 * 3_600_000);
  expect([await lengthOf(), (await world.story(approvalId)).length]).toEqual([length, entries]);

  expect((await world.result(approvalId)).outcome).toBe('expired');
  const events = await history();
  expect(events[length]?.timerFiredEventAttributes).toBeTruthy();
  expect(events.filter((e) => e.timerStartedEventAttributes)).toHaveLength(1);
});
