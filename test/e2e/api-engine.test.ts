/**
 * The API with a real engine and a real worker: from a request to a resumed agent, and what racing people are told.
 */
import { randomUUID } from 'node:crypto';
import { createAgentActivities } from '../../client/sdk/activities';
import { createCountersign } from '../../client/sdk';
import { PATIENCE } from '../../client/api/deps';
import { approvalWorkflowId } from '../../workflows/protocol';
import { API_DIRECTORY, openApi, type ApiWorld } from '../support/api';
import { engineAddress, workflowBundle } from '../support/engine';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';
import { openWorld, type World } from '../support/world';

const RACERS = 50;
const CROWD = Array.from({ length: RACERS }, (_, i) => `racer${String(i)}`);
const DIRECTORY = API_DIRECTORY.replace(
  'duty:\n',
  `${CROWD.map((id) => `  ${id}: { name: ${id}, email: ${id}@example.com, roles: [finance_manager] }\n`).join('')}duty:\n`,
);

let world: World;
let api: ApiWorld;
let url: string;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await api.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), bundle: workflowBundle() });
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, directory: DIRECTORY, patience: PATIENCE });
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});

const countersign = () => createCountersign({ url, key: api.keys.own });

async function move(id: string, person: string, body: object, key?: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/v1/approvals/${id}/moves`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      authorization: `Bearer ${await api.signIn(person)}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('an agent asks, the person on duty says yes right away, and the waiting agent gets the outcome with its token', async () => {
  const agent = countersign();
  const { approvalId, packetDigest, meanwhile } = await agent.submit(refund(48_000), { idempotencyKey: randomUUID() });
  expect(meanwhile.agent).toBe('freeze_decision');
  const waiting = agent.wait(approvalId);
  // At once: the first level is still being opened.
  expect(await move(approvalId, 'fay', { type: 'approve', packet_digest: packetDigest })).toMatchObject({ status: 200, body: { state: 'approved' } });
  const result = await waiting;
  expect(result).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay', role: 'finance_manager' }] });
  expect(result.token.split('.')).toHaveLength(3);
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
});

it('the same move under the same key is one move, and gets the same answer again', async () => {
  const { approvalId, packetDigest } = await countersign().submit(refund(48_000), { idempotencyKey: randomUUID() });
  const body = { type: 'approve', packet_digest: packetDigest };
  const first = await move(approvalId, 'fay', body, 'k1');
  expect(await move(approvalId, 'fay', body, 'k1')).toEqual(first);
  expect((await world.story(approvalId)).filter((e) => e.type === 'signed_off')).toHaveLength(1);
});

it('each refused move gets its code, and the approval stays decidable', async () => {
  const { approvalId, packetDigest } = await countersign().submit(refund(48_000), { idempotencyKey: randomUUID() });
  const approve = { type: 'approve', packet_digest: packetDigest };
  const codes = [];
  for (const [person, body] of [
    ['ada', approve],
    ['rita', approve],
    ['cleo', approve],
    ['fay', { type: 'approve', packet_digest: '0'.repeat(64) }],
    ['fay', { type: 'deny', packet_digest: packetDigest }],
    ['fay', { type: 'resolve', result: 'x', packet_digest: packetDigest }],
  ] as const) {
    const { status, body: problem } = await move(approvalId, person, body);
    codes.push(`${String(status)} ${String(problem['code'])}`);
  }
  expect(codes).toEqual([
    '403 role_not_held',
    '403 requester_may_not_decide',
    '403 role_not_held',
    '409 stale_packet',
    '422 reason_required',
    '409 not_taken_over',
  ]);
  expect(await move(approvalId, 'finn', approve)).toMatchObject({ status: 200 });
  expect(await move(approvalId, 'fay', approve)).toMatchObject({ status: 409, body: { code: 'already_decided', state: 'approved' } });
});

it('of fifty people who decide at once one stands, and each of the others is told which', async () => {
  const { approvalId, packetDigest } = await countersign().submit(refund(48_000), { idempotencyKey: randomUUID() });
  const answers = await Promise.all(
    CROWD.map((person, i) =>
      move(approvalId, person, i % 2 === 0 ? { type: 'approve', packet_digest: packetDigest } : { type: 'deny', reason: 'no', packet_digest: packetDigest }),
    ),
  );
  const accepted = answers.filter((a) => a.status === 200);
  expect(accepted).toHaveLength(1);
  const { outcome } = await countersign().wait(approvalId);
  expect(accepted[0]?.body['state']).toBe(outcome);
  const others = answers.filter((a) => a.status !== 200);
  expect(others).toHaveLength(RACERS - 1);
  for (const { status, body } of others)
    expect({ status, code: body['code'], state: body['state'] }).toEqual({ status: 409, code: 'already_decided', state: outcome });
  const story = await world.story(approvalId);
  expect(story.filter((e) => e.type === 'ended')).toHaveLength(1);
  expect(story.filter((e) => e.type === 'refused')).toHaveLength(RACERS - 1);
});

it('the agent withdraws, and the workflow ends with it', async () => {
  const { approvalId } = await countersign().submit(refund(48_000), { idempotencyKey: randomUUID() });
  const approval = await countersign().withdraw(approvalId, 'the customer paid');
  expect(approval).toMatchObject({ state: 'withdrawn', ended: true });
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'withdrawn' });
});

it('a person takes over, and hands back with instructions', async () => {
  const { approvalId, packetDigest } = await countersign().submit(actionOf('talk.transfer'), { idempotencyKey: randomUUID() });
  expect(await move(approvalId, 'lea', { type: 'approve', packet_digest: packetDigest })).toMatchObject({
    status: 422,
    body: { code: 'approval_needs_takeover' },
  });
  expect(await move(approvalId, 'lea', { type: 'take_over', packet_digest: packetDigest })).toMatchObject({ status: 200, body: { state: 'taken_over' } });
  expect(await move(approvalId, 'lea', { type: 'hand_back', instructions: 'offer a call', packet_digest: packetDigest })).toMatchObject({
    status: 200,
    body: { state: 'handed_back' },
  });
  expect((await countersign().wait(approvalId)).next.path).toBe('offer a call');
});

it('a person decides on the page, and the page then shows who decided', async () => {
  const { approvalId } = await countersign().submit(refund(48_000), { idempotencyKey: randomUUID() });
  await move(approvalId, 'fay', { type: 'claim' });
  const cookie = `countersign_session=${await api.signIn('fay')}`;
  const page = await (await fetch(`${url}/approvals/${approvalId}`, { headers: { cookie } })).text();
  const form = page.split('<form').find((part) => part.includes('name="type" value="approve"')) ?? '';
  const fields = [...form.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]): [string, string] => [name ?? '', value ?? '']);
  const after = await fetch(`${url}/approvals/${approvalId}/moves`, {
    method: 'POST',
    headers: { cookie },
    body: new URLSearchParams([...fields, ['reason', 'looks right']]),
    redirect: 'manual',
  });
  expect(after.status).toBe(303);
  const told = await (await fetch(`${url}${after.headers.get('location') ?? ''}`, { headers: { cookie } })).text();
  for (const words of ['Your move is on the record', 'Approved by Fay Okafor (finance_manager)', 'Decided by', 'looks right']) expect(told).toContain(words);
  expect(told).not.toContain('<button>Approve</button>');
});

it('a request whose agent waits in a child workflow is not started by the API', async () => {
  const { approvalId, tenant, needsWorkflow } = await createAgentActivities({ url, key: api.keys.own }).submitApprovalRequest({
    idempotencyKey: 'an agent’s workflow/step 1',
    request: refund(48_000, { resume: { type: 'workflow', workflow_id: 'agent-1' } }),
  });
  expect(needsWorkflow).toBe(true);
  await expect(world.client.workflow.getHandle(approvalWorkflowId(tenant, approvalId)).describe()).rejects.toThrow();
});

it('the activity of an agent fails for good when the request is refused, with the code as its type', async () => {
  const submit = createAgentActivities({ url, key: api.keys.own }).submitApprovalRequest({ idempotencyKey: randomUUID(), request: actionOf('space.launch') });
  await expect(submit).rejects.toMatchObject({ type: 'unknown_action', nonRetryable: true });
});
