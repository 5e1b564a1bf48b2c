/**
 * Conditional yeses and answers on the engine that skips time: a yes that runs out while the next signer is waited for, and an escalation
 * that is answered late.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { instant } from '../../domain/json';
import { startTimeSkipping } from '../../workers/engine';
import { approvalWorkflowId } from '../../workflows/protocol';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, type World } from '../support/world';

let env: TestWorkflowEnvironment;
let world: World;
afterAll(async () => {
  await world.close();
  await env.teardown();
});
// After our own hook, so that it runs before: the worker stops before its store does.
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  world = await openWorld({ store, skipping: env });
});

const usd = (minor: number) => ({ minor, currency: 'USD' });
const MINUTE = 60_000;

async function waiting(request: Parameters<World['ask']>[0]): Promise<string> {
  const { approvalId } = await world.ask(request);
  while ((await world.story(approvalId)).every((e) => e.type !== 'level_opened')) await new Promise((resolve) => setTimeout(resolve, 20));
  return approvalId;
}

const gift = () => actionOf('gift.send', { amount: usd(48_000), recipients: ['kim', 'lee'] });

it('a yes with an end counts until then, and is no approval afterwards', async () => {
  const approvalId = await waiting(gift());
  const expiresAt = instant((await env.currentTimeMs()) + 30 * MINUTE);
  const conditions = { option: 'cash', expires_at: expiresAt };
  expect(await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok', conditions })).toMatchObject({ accepted: true, state: 'waiting' });
  await env.sleep('30m');
  expect(await world.move(approvalId, 'lea', { type: 'approve', reason: 'ok', conditions: { option: 'cash' } })).toMatchObject({
    accepted: false,
    refusal: { code: 'condition_not_offered' },
  });
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'expired', conditions: {} });
});

it('in time it is an approval with conditions, also as the result of the workflow', async () => {
  const approvalId = await waiting(gift());
  const conditions = { option: 'cash', amount_at_most: usd(20_000) };
  await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok', conditions });
  await env.sleep('30m');
  expect(await world.move(approvalId, 'lea', { type: 'approve', reason: 'ok', conditions: { option: 'cash' } })).toMatchObject({
    accepted: true,
    state: 'approved_with_conditions',
  });
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved_with_conditions' });
  const { status } = await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe();
  expect(status.name).toBe('COMPLETED');
});

it('an escalation can be answered by who took it over, until that lapses', async () => {
  const approvalId = await waiting(actionOf('draft.send'));
  await world.move(approvalId, 'lea', { type: 'take_over', reason: 'I ask the customer' });
  await env.sleep('3h');
  const facts = { order_total: usd(12_000), intent: 'exchange' };
  expect(await world.move(approvalId, 'lea', { type: 'answer', facts })).toMatchObject({ accepted: true, state: 'answered' });
  const late = await waiting(actionOf('draft.send'));
  await world.move(late, 'lea', { type: 'take_over', reason: 'I ask the customer' });
  await env.sleep('4h');
  expect(await world.move(late, 'lea', { type: 'answer', facts }).catch(() => null)).not.toMatchObject({ accepted: true });
  expect((await world.story(late)).filter((e) => e.type === 'ended')).toMatchObject([{ outcome: 'expired' }]);
});
