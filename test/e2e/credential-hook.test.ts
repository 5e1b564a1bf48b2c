/**
 * The credential hook, through the real worker and store, on the engine that skips time: what is said to the operator's receiver, that it
 * acts once however often it is told, and that a hook which fails, or is not there, keeps no approval from its end.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { createCallback } from '../../activities/callback';
import { createCredentialHook } from '../../activities/credential';
import { createEgress } from '../../activities/egress';
import { createGauges } from '../../activities/telemetry/gauges';
import { listDeliveries } from '../../client/api/reads';
import { startTimeSkipping } from '../../workers/engine';
import { deliveryWorkflowId } from '../../workflows/protocol';
import { startCredentialReceiver, type CredentialReceiver } from '../support/credential-receiver';
import { until } from '../support/processes';
import { SIDE_POLICY } from '../support/side-policy';
import { useStore } from '../support/store';
import { AGENT, TENANT, actionOf, openWorld, type World } from '../support/world';

const SECRET = `whsec_${Buffer.alloc(32, 51).toString('base64')}`;
const ROTATING = `whsec_${Buffer.alloc(32, 52).toString('base64')}`;

let env: TestWorkflowEnvironment;
let receiver: CredentialReceiver;
let world: World;
let without: World;
/** What the receiver answers instead of looking at the call; null lets it look. */
let failing: number | null = null;

afterAll(async () => {
  await world.close();
  await without.close();
  await receiver.stop();
  await env.teardown();
});
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  receiver = await startCredentialReceiver(SECRET, () => failing);
  world = await openWorld({
    store,
    skipping: env,
    policy: SIDE_POLICY,
    calls: { credentialHook: { url: receiver.url, secrets: [ROTATING, SECRET] }, callTimeoutMs: 2_000 },
  });
  without = await openWorld({ store, skipping: env, policy: SIDE_POLICY });
});
beforeEach(() => {
  failing = null;
});

const customer = { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' };
const attempts = async (approvalId: string) =>
  (await world.story(approvalId)).filter((e) => e.type === 'attempted').filter((e) => e.kind === 'disable_credential');
const debt = async (approvalId: string) =>
  await store.db.selectFrom('deliveries').selectAll().where('approval_id', '=', approvalId).where('kind', '=', 'disable_credential').executeTakeFirstOrThrow();
const calls = (approvalId: string) => receiver.calls.filter((call) => call.approvalId === approvalId);
const settled = async (approvalId: string) =>
  await until(async () => {
    const row = await debt(approvalId).catch(() => null);
    return row !== null && ['done', 'failed_for_good'].includes(row.status) ? row : null;
  }, 'the credential is settled');

it('is told which credential of which agent to disable and why, signed, once, beside everything else that silence does', async () => {
  const { approvalId, plan } = await world.ask(actionOf('access.widen', {}, { customer }));
  const result = await world.result(approvalId);
  expect(result).toMatchObject({ outcome: 'expired', next: { pause: { reason: 'Nobody answered about access that this agent wants' } } });
  await settled(approvalId);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toEqual([
    { tenant: TENANT, approvalId, agent: AGENT.agent, credential: 'crm-export', reason: 'Nobody answered about wider access', policy: plan.policy },
  ]);
  expect(calls(approvalId)).toMatchObject([{ status: 204 }]);
  expect(await attempts(approvalId)).toMatchObject([
    { to: 'crm-export', status: 'done', reached: 'delivered', httpStatus: 204, detail: 'The credential hook accepted the call (204).' },
  ]);
  const tickets = await store.db.selectFrom('tickets').select('queue').where('approval_id', '=', approvalId).execute();
  expect(tickets).toEqual([{ queue: 'access-review' }]);
  await until(() => world.mail.mails().some((m) => m.to.includes('kim@example.com') && m.subject === 'Your access is under review'), 'the customer is told');
});

it('says nothing where somebody decided', async () => {
  const { approvalId } = await world.ask(actionOf('access.widen', {}, { customer }));
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'level_opened'), 'somebody is asked');
  await world.move(approvalId, 'sam', { type: 'deny', reason: 'No need' });
  expect((await world.result(approvalId)).next).not.toHaveProperty('pause');
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toEqual([]);
});

it('that fails is told again under the same id until it has taken it; the end has long been told', async () => {
  failing = 503;
  const { approvalId } = await world.ask(actionOf('access.widen', {}, { customer }));
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'expired' });
  expect(await debt(approvalId)).toMatchObject({ status: 'failed_for_now', attempts: 1 });
  // Operators see what is owed, why it is still owed, and when it is tried again.
  const operator = { tenant: TENANT, person: { id: 'omar', name: 'Omar', email: 'o@example.com', roles: ['operator'], absences: [] } };
  const viewer = { ...operator, directory: { hash: '', people: {}, duty: {}, owners: {} }, signedInAt: new Date().toISOString(), session: 's' };
  const shown = await listDeliveries(store.db, viewer, { kind: 'disable_credential', status: 'failed_for_now', limit: 10 });
  expect(shown.items).toMatchObject([
    { approval_id: approvalId, target: 'crm-export', last_detail: 'The credential hook is busy or down (503); it is asked again later.' },
  ]);
  const pending = (await createGauges(world.core.deps)()).find(({ name }) => name === 'countersign_deliveries_pending');
  expect(pending?.samples).toEqual(expect.arrayContaining([{ labels: { kind: 'disable_credential' }, value: 1 }]));

  failing = null;
  const { owed_id: owedId } = await debt(approvalId);
  await world.client.workflow.getHandle(deliveryWorkflowId(TENANT, approvalId, owedId)).result();
  expect(await debt(approvalId)).toMatchObject({ status: 'done', attempts: 2, reached: 'delivered' });
  expect(calls(approvalId).map(({ status }) => status)).toEqual([503, 204]);
  expect(new Set(calls(approvalId).map(({ id }) => id)).size).toBe(1);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toHaveLength(1);
});

it('is not told again once it has taken it, and a repetition from a process that died before it could say so disables nothing twice', async () => {
  const { approvalId } = await world.ask(actionOf('access.widen', {}, { customer }));
  await world.result(approvalId);
  const { owed_id: owedId } = await settled(approvalId);
  const again = await world.activities.disableCredential({ tenant: TENANT, approvalId, owedId, workflowTime: await env.currentTimeMs() });
  expect(again).toMatchObject({ status: 'done', detail: 'It was settled before' });
  expect(calls(approvalId)).toHaveLength(1);
  // The very call of before, as one who died in the middle of it would make it once more.
  const hook = createCredentialHook({
    settings: { url: receiver.url, secrets: [SECRET] },
    callback: createCallback({ egress: createEgress({ allowLoopback: true }), words: { receiver: 'The credential hook', what: 'call' } }),
  });
  const row = await store.db.selectFrom('requests').select('plan').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
  const { policy } = row.plan as unknown as { readonly policy: { readonly name: string; readonly version: string; readonly hash: string } };
  const what = { tenant: TENANT, approvalId, owedId, agent: AGENT.agent, credential: 'crm-export', reason: 'Nobody answered about wider access', policy };
  expect(await hook.disable({ ...what, since: new Date().toISOString() })).toMatchObject({ status: 'done' });
  expect(calls(approvalId)).toHaveLength(2);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toHaveLength(1);
});

it('that wants no more of it (410) is a dead letter, shown, and the end stands', async () => {
  failing = 410;
  const { approvalId } = await world.ask(actionOf('access.widen', {}, { customer }));
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'expired' });
  expect(await settled(approvalId)).toMatchObject({ status: 'failed_for_good', last_detail: 'The credential hook no longer wants calls here (410).' });
});

it('that is not configured fails at once, with a sentence on the record, and the end stands', async () => {
  const { approvalId } = await without.ask(actionOf('access.widen', {}, { customer }));
  expect(await without.result(approvalId)).toMatchObject({ outcome: 'expired' });
  expect(await settled(approvalId)).toMatchObject({ status: 'failed_for_good', attempts: 1 });
  expect(await attempts(approvalId)).toMatchObject([
    {
      status: 'failed_for_good',
      httpStatus: null,
      detail:
        'The policy disables the credential crm-export, but no credential hook is configured here; disable it by hand, and set COUNTERSIGN_CREDENTIAL_HOOK and COUNTERSIGN_CREDENTIAL_HOOK_SECRETS.',
    },
  ]);
  const tickets = await store.db.selectFrom('tickets').select('queue').where('approval_id', '=', approvalId).execute();
  expect(tickets).toEqual([{ queue: 'access-review' }]);
});
