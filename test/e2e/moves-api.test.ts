/**
 * Everything that people, the agent and operators can do beside a plain yes and no, over the API with a real engine and a real worker.
 */
import { randomUUID } from 'node:crypto';
import { createCountersign } from '../../client/sdk';
import { PATIENCE } from '../../client/api/deps';
import type { RequestDraft } from '../../domain/request';
import { openApi, type ApiWorld } from '../support/api';
import { publish } from '../support/desk';
import { engineAddress, workflowBundle } from '../support/engine';
import { MOVES_DIRECTORY, MOVES_POLICY } from '../support/moves-policy';
import { until } from '../support/processes';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';
import { openWorld, type World } from '../support/world';

let world: World;
let api: ApiWorld;
let url: string;
/** Addresses that the mail server does not know. */
const unknown = new Set<string>();
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await api.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), bundle: workflowBundle(), refuseMail: (address) => (unknown.has(address) ? 550 : null) });
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, patience: PATIENCE });
  await publish(store, MOVES_POLICY, MOVES_DIRECTORY);
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function send(method: 'GET' | 'POST', path: string, token: string, payload?: object, key?: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, ...(key === undefined ? {} : { 'idempotency-key': key }) };
  const response = await api.app.inject({ method, url: path, headers, ...(payload ? { payload } : {}) });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

const as = async (person: string, method: 'GET' | 'POST', path: string, payload?: object): Promise<Answer> =>
  await send(method, path, await api.signIn(person), payload);

const move = (id: string, person: string, body: object): Promise<Answer> => as(person, 'POST', `/v1/approvals/${id}/moves`, body);

const agent = () => createCountersign({ url, key: api.keys.own });

async function ask(request: RequestDraft): Promise<{ id: string; digest: string }> {
  const { approvalId, packetDigest } = await agent().submit(request, { idempotencyKey: randomUUID() });
  return { id: approvalId, digest: packetDigest };
}

interface Shown {
  readonly state: string;
  readonly owner: string | null;
  readonly level: string;
  readonly due_at: string | null;
  readonly packet_digest: string;
  readonly questions: readonly { readonly id: string; readonly text: string; readonly status: string; readonly answer: string | null }[];
  readonly result: { readonly outcome: string; readonly reason: string; readonly next: { readonly path: string } } | null;
}

const shown = async (id: string, person = 'ada'): Promise<Shown> => (await as(person, 'GET', `/v1/requests/${id}`)).body as unknown as Shown;

const told = async (id: string, person: string): Promise<string> => JSON.stringify((await as(person, 'GET', `/v1/requests/${id}/timeline`)).body);

const sees = async (id: string, person: string): Promise<{ direct: boolean; listed: boolean }> => ({
  direct: (await as(person, 'GET', `/v1/requests/${id}`)).status === 200,
  listed: JSON.stringify((await as(person, 'GET', '/v1/approvals?limit=200')).body).includes(id),
});

const code = ({ status, body }: Answer): string => (status === 200 ? 'ok' : `${String(status)} ${String(body['code'])}`);

describe('asking before deciding', () => {
  it('a question to the agent stops the clock, its answer and new evidence change the packet, and only who has read them decides', async () => {
    const { id, digest } = await ask(refund(48_000));
    expect(code(await move(id, 'fay', { type: 'comment', text: 'Seen this shop before' }))).toBe('ok');
    expect(code(await move(id, 'fay', { type: 'ask', of: 'agent', question: 'Was it tracked?' }))).toBe('ok');
    expect(await shown(id)).toMatchObject({ state: 'asked', questions: [{ id: 'q1', of: 'agent', by: 'fay', text: 'Was it tracked?', status: 'open' }] });
    expect(await agent().questions(id)).toMatchObject([{ id: 'q1', text: 'Was it tracked?' }]);
    expect(code(await send('GET', `/v1/requests/${id}`, api.keys.other))).toBe('404 not_found');
    expect(code(await send('POST', `/v1/requests/${id}/replies`, api.keys.other, { question: 'q1', text: 'No' }))).toBe('404 not_found');

    await agent().reply(id, { question: 'q1', text: 'Yes, it was lost on the way' }, { idempotencyKey: 'reply-1' });
    await agent().reply(id, { question: 'q1', text: 'Yes, it was lost on the way' }, { idempotencyKey: 'reply-1' });
    const answered = await shown(id);
    expect(answered).toMatchObject({ state: 'waiting', questions: [{ status: 'answered', answer: 'Yes, it was lost on the way' }] });
    expect(answered.packet_digest).not.toBe(digest);
    expect(await agent().questions(id)).toEqual([]);
    expect((await world.story(id)).filter((e) => e.type === 'information_given')).toHaveLength(1);

    const stale = await move(id, 'fay', { type: 'approve', packet_digest: digest });
    expect(stale).toMatchObject({ status: 409, body: { code: 'stale_packet', detail: expect.stringContaining('an answer from the agent (q1)') as string } });
    await agent().addEvidence(id, { name: 'tracking', title: 'Where it was lost', content: 'Depot 7' }, { idempotencyKey: 'evidence-1' });
    const again = await move(id, 'fay', { type: 'approve', packet_digest: answered.packet_digest });
    expect(again.body).toMatchObject({ code: 'stale_packet', detail: expect.stringContaining('evidence tracking from the agent') as string });

    const { body } = await as('fay', 'GET', `/v1/requests/${id}/packet`);
    expect(body).toMatchObject({ packet: { added: [{ name: 'q1' }, { name: 'tracking', content: 'Depot 7', source: 'agent' }] } });
    const listed = (await as('fay', 'GET', '/v1/approvals?limit=200')).body['items'] as readonly { approval_id: string; packet_digest: string }[];
    expect(listed.find((a) => a.approval_id === id)?.packet_digest).toBe(body['packet_digest']);
    expect(await move(id, 'fay', { type: 'approve', packet_digest: body['packet_digest'] })).toMatchObject({ status: 200, body: { state: 'approved' } });
    const late = agent().addEvidence(id, { name: 'photo', title: 'A photo', content: 'x' }, { idempotencyKey: 'evidence-2' });
    await expect(late).rejects.toMatchObject({ code: 'already_decided', status: 409 });
  });

  it('who is asked sees the request from then on, and nobody else answers for them', async () => {
    const { id } = await ask(refund(48_000));
    await until(async () => (await shown(id)).state === 'waiting', 'the first level is open');
    expect(await sees(id, 'mia')).toEqual({ direct: false, listed: false });
    expect(code(await move(id, 'fay', { type: 'ask', of: 'mia', question: 'Is it on your shelf?' }))).toBe('ok');
    expect(await sees(id, 'mia')).toEqual({ direct: true, listed: true });
    expect(code(await move(id, 'mia', { type: 'approve', packet_digest: (await shown(id)).packet_digest }))).toBe('403 role_not_held');
    expect(code(await move(id, 'finn', { type: 'reply', question: 'q1', text: 'No' }))).toBe('403 not_asked');
    expect(code(await move(id, 'mia', { type: 'reply', question: 'q7', text: 'No' }))).toBe('409 unknown_question');
    expect(code(await move(id, 'mia', { type: 'reply', question: 'q1', text: 'No, it left on Monday' }))).toBe('ok');
    expect((await shown(id)).questions).toMatchObject([{ status: 'answered', answer: 'No, it left on Monday' }]);
    expect(await sees(id, 'mia')).toEqual({ direct: true, listed: true });
  });

  it('evidence has a form, a size and a name of its own', async () => {
    const { id } = await ask(refund(48_000));
    const add = async (body: object): Promise<string> => code(await send('POST', `/v1/requests/${id}/evidence`, api.keys.own, body));
    expect(await add({ name: 'photo', title: 'A photo', content: 'x'.repeat(64 * 1024) })).toBe('ok');
    expect(await add({ name: 'photo', title: 'Another', content: 'y' })).toBe('422 evidence_invalid');
    expect(await add({ name: 'More Photos', title: 'Another', content: 'y' })).toBe('422 evidence_invalid');
    expect(await add({ name: 'long', title: 'Too long', content: 'x'.repeat(64 * 1024 + 1) })).toBe('422 invalid_request');
    expect(await add({ name: 'wide', title: 'Too long in bytes', content: 'ü'.repeat(40 * 1024) })).toBe('409 too_much_evidence');
    expect(code(await as('fay', 'POST', `/v1/requests/${id}/evidence`, { name: 'mine', title: 'Mine', content: 'x' }))).toBe('403 forbidden');
    expect(code(await move(id, 'fay', { type: 'add_evidence', name: 'mine', title: 'Mine', content: 'x' }))).toBe('422 invalid_request');
  });
});

it('one hands it to another, who passes it up; who cannot be asked gets nothing', async () => {
  const { id } = await ask(refund(48_000));
  expect(code(await move(id, 'fay', { type: 'reassign', to: 'sam', reason: 'away' }))).toBe('422 assignee_unfit');
  expect(code(await move(id, 'fay', { type: 'reassign', to: 'finn', reason: 'He knows the shop' }))).toBe('ok');
  expect(await shown(id)).toMatchObject({ owner: 'finn' });
  expect(code(await move(id, 'finn', { type: 'pass_up', reason: 'A matter of principle' }))).toBe('ok');
  expect(await shown(id)).toMatchObject({ owner: 'cleo', level: 'CFO' });
  expect(code(await move(id, 'finn', { type: 'approve', packet_digest: (await shown(id)).packet_digest }))).toBe('403 role_not_held');
});

it('of two who choose unseen neither learns what the other chose, nor does an operator, until both have', async () => {
  const { id, digest } = await ask(actionOf('export.send', { rows: 10 }));
  expect(await move(id, 'sam', { type: 'deny', reason: 'A secret no', packet_digest: digest })).toMatchObject({ status: 200, body: { state: 'waiting' } });
  for (const person of ['sue', 'omar', 'ada']) {
    expect(await told(id, person)).toContain('A choice was made unseen (1 of 2 has chosen)');
    expect(await told(id, person)).not.toMatch(/A secret no|said_no|said no/);
    expect(JSON.stringify(await shown(id, person))).not.toContain('secret');
  }
  const agents = await send('GET', `/v1/requests/${id}/timeline`, api.keys.own);
  expect(JSON.stringify(agents.body)).not.toMatch(/A secret no|said_no/);
  expect(await told(id, 'sam')).toContain('A secret no');
  expect(code(await move(id, 'sam', { type: 'approve', reason: 'After all', packet_digest: digest }))).toBe('409 already_chosen');
  expect(await move(id, 'sue', { type: 'approve', reason: 'Fine by me', packet_digest: digest })).toMatchObject({ status: 200, body: { state: 'denied' } });
  expect(await told(id, 'omar')).toContain('A secret no');
});

it('an operator takes it over, says where it stands, and abandons it; the agent learns that nothing is to be done', async () => {
  const { id, digest } = await ask(refund(48_000));
  expect(code(await move(id, 'omar', { type: 'take_over', reason: 'The shop called', packet_digest: digest }))).toBe('ok');
  expect(await shown(id)).toMatchObject({ state: 'taken_over', owner: 'omar' });
  expect(code(await move(id, 'fay', { type: 'update', status: 'blocked', note: 'Not mine' }))).toBe('409 taken_over_by_another');
  expect(code(await move(id, 'omar', { type: 'update', status: 'waiting_for_others', note: 'They look for it' }))).toBe('ok');
  const tooLate = new Date(Date.now() + 9 * 3_600_000).toISOString();
  expect(code(await move(id, 'omar', { type: 'update', status: 'blocked', note: 'No word', next_update_at: tooLate }))).toBe('422 update_too_late');
  expect(code(await move(id, 'omar', { type: 'abandon', reason: 'The shop is gone', packet_digest: digest }))).toBe('ok');
  expect(await agent().wait(id)).toMatchObject({ outcome: 'resolved_by_person', next: { path: 'do not execute; it was abandoned' } });
});

it('an operator extends a deadline as far as the policy goes, and nobody else does', async () => {
  const { id } = await ask(refund(48_000));
  await until(async () => (await shown(id)).due_at !== null, 'the first level is open');
  const before = Date.parse((await shown(id)).due_at ?? '');
  expect(code(await move(id, 'fay', { type: 'extend', minutes: 30, reason: 'Lunch' }))).toBe('403 not_an_operator');
  expect(code(await move(id, 'omar', { type: 'extend', minutes: 30, reason: '' }))).toBe('422 reason_required');
  expect(code(await move(id, 'omar', { type: 'extend', minutes: 30, reason: 'The shop is asked' }))).toBe('ok');
  expect(Date.parse((await shown(id)).due_at ?? '') - before).toBe(30 * 60_000);
  expect(code(await move(id, 'omar', { type: 'extend', minutes: 91, reason: 'More' }))).toBe('422 extension_too_long');
});

it('an override takes two whom the policy lets, who say the same for a reason that it names', async () => {
  const { id, digest } = await ask(refund(48_000));
  const override = (person: string, because = 'outage') =>
    move(id, person, { type: 'override', decision: 'approve', because, reason: 'Nobody is there', packet_digest: digest });
  expect(code(await override('omar'))).toBe('403 override_not_allowed');
  expect(code(await override('rob', 'whim'))).toBe('422 override_reason_unknown');
  expect(await override('rob')).toMatchObject({ status: 200, body: { state: 'waiting' } });
  expect(await override('rae')).toMatchObject({ status: 200, body: { state: 'approved' } });
  expect((await shown(id)).result?.reason).toContain('Overridden by Rob Hale');
});

it('a broken glass allows at once, and leaves a review behind', async () => {
  const { id, digest } = await ask(refund(148_000));
  expect(code(await move(id, 'omar', { type: 'break_glass', reason: 'Now', packet_digest: digest }))).toBe('403 break_glass_not_allowed');
  expect(await move(id, 'ida', { type: 'break_glass', reason: 'The site is down', packet_digest: digest })).toMatchObject({
    status: 200,
    body: { state: 'approved' },
  });
  expect((await shown(id)).result?.reason).toContain('Glass broken by Ida Krog');
  const reviews = async () => (await as('omar', 'GET', '/v1/tickets?limit=200')).body['items'] as readonly { approval_id: string; queue: string }[];
  await until(async () => (await reviews()).some((t) => t.approval_id === id && t.queue === 'reviews'), 'the review is opened');
});

describe('one act on several', () => {
  const bulk = (person: string, body: object) => as(person, 'POST', '/v1/approvals/bulk', body);
  const item = ({ id, digest }: { id: string; digest: string }) => ({ approval_id: id, packet_digest: digest });

  it('answers each by itself, and all entries name the act', async () => {
    const asked = await Promise.all([48_000, 48_100, 48_200].map((minor) => ask(refund(minor))));
    const items = asked.map(item).map((one, i) => (i === 2 ? { ...one, packet_digest: '0'.repeat(64) } : one));
    const { status, body } = await bulk('fay', { move: { type: 'approve', reason: 'All from the lost van' }, items });
    expect({ status, items: body['items'] }).toMatchObject({
      status: 200,
      items: [
        { approval_id: asked[0]?.id, status: 'accepted', state: 'approved' },
        { approval_id: asked[1]?.id, status: 'accepted', state: 'approved' },
        { approval_id: asked[2]?.id, status: 'refused', problem: { code: 'stale_packet' } },
      ],
    });
    const commands = await store.db
      .selectFrom('commands')
      .select('body')
      .where(
        'approval_id',
        'in',
        asked.map(({ id }) => id),
      )
      .execute();
    expect(commands.map((c) => c.body['bulk'])).toEqual([body['bulk'], body['bulk'], body['bulk']]);
  });

  it('is refused whole where they are not alike, or one is not to be seen', async () => {
    const [one, other, export_] = [await ask(refund(48_000)), await ask(actionOf('talk.transfer')), await ask(actionOf('export.send', { rows: 1 }))];
    const yes = { type: 'approve', reason: 'Why not' };
    expect(code(await bulk('ada', { move: yes, items: [one, other].map(item) }))).toBe('422 mixed_batch');
    expect(code(await bulk('fay', { move: yes, items: [one, other].map(item) }))).toBe('404 not_found');
    expect((await world.story(one.id)).map((e) => e.type)).not.toContain('refused');
    const { body } = await bulk('sam', { move: yes, items: [item(export_)] });
    expect(body['items']).toMatchObject([{ status: 'refused', problem: { code: 'bulk_not_allowed' } }]);
  });

  it('the same key is the same act', async () => {
    const asked = await ask(refund(48_000));
    const body = { move: { type: 'comment', text: 'Noted' }, items: [item(asked)] };
    const token = await api.signIn('fay');
    const [first, second] = [await send('POST', '/v1/approvals/bulk', token, body, 'act-1'), await send('POST', '/v1/approvals/bulk', token, body, 'act-1')];
    expect(second).toEqual(first);
    expect((await world.story(asked.id)).filter((e) => e.type === 'commented')).toHaveLength(1);
  });
});

describe('the kill switch', () => {
  const throwSwitch = (person: string, body: object) => as(person, 'POST', '/v1/operator/intake', body);

  it('stops the requests of one agent until it is resumed; what is open runs on, and only operators throw it', async () => {
    const { id, digest } = await ask(refund(48_000));
    const pause = { action: 'pause', scope: 'agent', name: 'refund-bot', reason: 'It repeats itself' };
    expect(code(await throwSwitch('fay', pause))).toBe('403 forbidden');
    expect(code(await throwSwitch('omar', { ...pause, name: 'refund-bott' }))).toBe('422 unknown_scope');
    expect(code(await throwSwitch('omar', pause))).toBe('ok');
    const refusedSubmit = agent().submit(refund(48_000), { idempotencyKey: randomUUID() });
    await expect(refusedSubmit).rejects.toMatchObject({ code: 'intake_paused', status: 503, retryable: false });
    const other = createCountersign({ url, key: api.keys.other });
    await expect(other.submit(refund(48_000), { idempotencyKey: randomUUID() })).resolves.toMatchObject({ replayed: false });
    expect((await as('ada', 'GET', '/v1/operator/intake')).body).toMatchObject({ paused: [{ scope: 'agent', name: 'refund-bot', by: 'omar' }] });
    expect(await move(id, 'fay', { type: 'approve', packet_digest: digest })).toMatchObject({ body: { state: 'approved' } });
    expect(code(await throwSwitch('omar', { ...pause, action: 'resume', reason: 'It was mended' }))).toBe('ok');
    await ask(refund(48_000));
  });

  it('withdraws what is open where that is said', async () => {
    const { id } = await ask(actionOf('talk.transfer'));
    const pause = { action: 'pause', scope: 'lane', name: 'customer', reason: 'Nobody is there', open: 'withdraw' };
    const { body } = await throwSwitch('omar', pause);
    expect(body['withdrawn']).toBeGreaterThan(0);
    expect(await shown(id)).toMatchObject({ state: 'withdrawn' });
    expect(code(await throwSwitch('omar', { action: 'resume', scope: 'lane', name: 'customer', reason: 'They are back' }))).toBe('ok');
  });
});

it('what was given up is listed as stuck, and tried again when an operator says so, also after the end', async () => {
  unknown.add('rita@example.com');
  const { id, digest } = await ask(refund(48_000));
  expect(await move(id, 'fay', { type: 'deny', reason: 'Not lost at all', packet_digest: digest })).toMatchObject({ body: { state: 'denied' } });
  interface Item {
    readonly approval_id: string;
    readonly kind: string;
    readonly owed_id: string;
    readonly why: string;
  }
  const stuck = async (person: string) =>
    ((await as(person, 'GET', '/v1/operator/stuck')).body['items'] as readonly Item[]).filter((i) => i.approval_id === id);
  const given = await until(async () => (await stuck('omar')).find((i) => i.kind === 'dead_letter'), 'the message to the requester is given up');
  expect(given.why).toContain('Tell requester to the requester by email was given up');
  expect(await stuck('fay')).toEqual([]);
  expect(code(await move(id, 'omar', { type: 'reopen_delivery', owed_id: '99-9', reason: 'Again' }))).toBe('422 unknown_delivery');
  expect(code(await move(id, 'fay', { type: 'reopen_delivery', owed_id: given.owed_id, reason: 'Again' }))).toBe('403 not_an_operator');
  unknown.clear();
  expect(code(await move(id, 'omar', { type: 'reopen_delivery', owed_id: given.owed_id, reason: 'The address is right now' }))).toBe('ok');
  await world.mail.waitFor((mail) => mail.to.includes('rita@example.com') && mail.text.includes('Not lost at all'), 60_000);
  await until(async () => (await stuck('omar')).length === 0, 'nothing of it is stuck any more');
});

it('a question that waits is listed for who operates', async () => {
  const { id } = await ask(refund(48_000));
  expect(code(await move(id, 'fay', { type: 'ask', of: 'mia', question: 'Is it there?' }))).toBe('ok');
  const { body } = await as('omar', 'GET', '/v1/operator/stuck');
  expect(body['items']).toContainEqual(
    expect.objectContaining({
      approval_id: id,
      kind: 'question',
      why: expect.stringMatching(/^Fay Okafor asked Mia Frost for information and waits/) as string,
    }),
  );
});
