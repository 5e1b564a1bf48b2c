/**
 * The credential hook, through the real worker, store and engine, with a fast clock: what is said to the operator's receiver, that it
 * acts once however often it is told, and that a hook which fails, or is not there, keeps no approval from its end.
 */
import { createCallback } from '../../activities/callback';
import { createCredentialHook } from '../../activities/credential';
import { createEgress } from '../../activities/egress';
import { createGauges } from '../../activities/telemetry/gauges';
import { listDeliveries } from '../../client/api/reads';
import { scaledClock } from '../../domain/clock';
import type { ApprovalResult } from '../../domain/outcome';
import type { Plan } from '../../domain/plan';
import { startCredentialReceiver, type CredentialReceiver } from '../support/credential-receiver';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { SIDE_POLICY } from '../support/side-policy';
import { useStore } from '../support/store';
import { AGENT, TENANT, actionOf, openWorld, type World } from '../support/world';

const SECRET = `whsec_${Buffer.alloc(32, 51).toString('base64')}`;
const ROTATING = `whsec_${Buffer.alloc(32, 52).toString('base64')}`;

/** A quarter of an hour in a second and a half. */
const SCALE = 600;

let receiver: CredentialReceiver;
let world: World;
/** What the receiver answers instead of looking at the call; null lets it look. */
let failing: number | null = null;

afterAll(async () => {
  await world.close();
  await receiver.stop();
});
const store = useStore();
beforeAll(async () => {
  receiver = await startCredentialReceiver(SECRET, () => failing);
  world = await openWorld({
    store,
    address: engineAddress(),
    clock: scaledClock(new Date().toISOString(), SCALE),
    policy: SIDE_POLICY,
    calls: { credentialHook: { url: receiver.url, secrets: [ROTATING, SECRET] }, callTimeoutMs: 2_000 },
  });
});
beforeEach(() => {
  failing = null;
});

const customer = { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' };
const attempts = async (approvalId: string) =>
  (await world.story(approvalId)).filter((e) => e.type === 'attempted').filter((e) => e.kind === 'disable_credential');
const debt = async (approvalId: string) =>
  await store.db.selectFrom('deliveries').selectAll().where('approval_id', '=', approvalId).where('kind', '=', 'disable_credential').executeTakeFirstOrThrow();
const tickets = (approvalId: string) => store.db.selectFrom('tickets').select('queue').where('approval_id', '=', approvalId).execute();
const calls = (approvalId: string) => receiver.calls.filter((call) => call.approvalId === approvalId);
/** Nobody answers a request for access until its ladder has run to its end. */
async function silence(): Promise<{ readonly approvalId: string; readonly plan: Plan; readonly result: ApprovalResult }> {
  const { approvalId, plan } = await world.ask(actionOf('access.widen', {}, { customer }));
  const result = await until(async () => {
    const row = await store.db.selectFrom('approvals').select('result').where('approval_id', '=', approvalId).executeTakeFirst();
    return row?.result as unknown as ApprovalResult | null | undefined;
  }, 'it has ended');
  return { approvalId, plan, result };
}
const settled = async (approvalId: string) =>
  await until(async () => {
    const row = await debt(approvalId).catch(() => null);
    return row !== null && ['done', 'failed_for_good'].includes(row.status) ? row : null;
  }, 'the credential is settled');

it('is told which credential of which agent to disable and why, signed, once, beside everything else that silence does', async () => {
  const { approvalId, plan, result } = await silence();
  expect(result).toMatchObject({ outcome: 'expired', next: { pause: { reason: 'Nobody answered about access that this agent wants' } } });
  await settled(approvalId);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toEqual([
    { tenant: TENANT, approvalId, agent: AGENT.agent, credential: 'crm-export', reason: 'Nobody answered about wider access', policy: plan.policy },
  ]);
  expect(calls(approvalId)).toMatchObject([{ status: 204 }]);
  expect(await attempts(approvalId)).toMatchObject([
    { to: 'crm-export', status: 'done', reached: 'delivered', httpStatus: 204, detail: 'The credential hook accepted the call (204).' },
  ]);
  await until(async () => (await tickets(approvalId)).length > 0, 'a ticket is open');
  expect(await tickets(approvalId)).toEqual([{ queue: 'access-review' }]);
  await until(() => world.mail.mails().some((m) => m.to.includes('kim@example.com') && m.subject === 'Your access is under review'), 'the customer is told');
});

it('that fails is told again under the same id until it has taken it; the end has long been told', async () => {
  failing = 503;
  const { approvalId, result } = await silence();
  expect(result).toMatchObject({ outcome: 'expired' });
  await until(async () => (await debt(approvalId)).status === 'failed_for_now', 'the first attempt is on the record');
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
  expect(await settled(approvalId)).toMatchObject({ status: 'done', attempts: calls(approvalId).length, reached: 'delivered' });
  const answers = calls(approvalId).map(({ status }) => status);
  expect(answers.length).toBeGreaterThan(1);
  expect(answers).toEqual([...answers.slice(1).map(() => 503), 204]);
  expect(new Set(calls(approvalId).map(({ id }) => id)).size).toBe(1);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toHaveLength(1);
});

it('is not told again once it has taken it, and a repetition from a process that died before it could say so disables nothing twice', async () => {
  const { approvalId } = await silence();
  const { owed_id: owedId } = await settled(approvalId);
  const again = await world.activities.disableCredential({ tenant: TENANT, approvalId, owedId, workflowTime: Date.now() });
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
  expect(await hook.tell('disable', { ...what, since: new Date().toISOString() })).toMatchObject({ status: 'done' });
  expect(calls(approvalId)).toHaveLength(2);
  expect(receiver.disabled.filter((d) => d.approvalId === approvalId)).toHaveLength(1);
});

it('that wants no more of it (410) is a dead letter, shown, and the end stands', async () => {
  failing = 410;
  const { approvalId, result } = await silence();
  expect(result).toMatchObject({ outcome: 'expired' });
  expect(await settled(approvalId)).toMatchObject({ status: 'failed_for_good', last_detail: 'The credential hook no longer wants calls here (410).' });
});

it('that is not configured fails at once, with a sentence on the record, and the end stands', async () => {
  await world.close();
  world = await openWorld({ store, address: engineAddress(), clock: scaledClock(new Date().toISOString(), SCALE), policy: SIDE_POLICY });
  const { approvalId, result } = await silence();
  expect(result).toMatchObject({ outcome: 'expired' });
  expect(await settled(approvalId)).toMatchObject({ status: 'failed_for_good', attempts: 1 });
  expect(await attempts(approvalId)).toMatchObject([
    {
      status: 'failed_for_good',
      httpStatus: null,
      detail:
        'The policy disables the credential crm-export, but no credential hook is configured here; disable it by hand, and set COUNTERSIGN_CREDENTIAL_HOOK and COUNTERSIGN_CREDENTIAL_HOOK_SECRETS.',
    },
  ]);
  await until(async () => (await tickets(approvalId)).length > 0, 'a ticket is open all the same');
});
