/**
 * The signed webhook as a channel, through the real worker and store, on the engine that skips time: what is said to whom, when the
 * next channel has its turn, and what a hostile receiver can do.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { createEgress } from '../../activities/egress';
import { createCallback, sign } from '../../activities/callback';
import type { ApprovalEvent } from '../../domain/events';
import { startTimeSkipping } from '../../workers/engine';
import { DESK_POLICY } from '../support/desk-policy';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { startWebhookReceiver, type Answer, type WebhookCall, type WebhookReceiver } from '../support/webhook-receiver';
import { TENANT, actionOf, openWorld, refund, type World } from '../support/world';

const SECRET = `whsec_${Buffer.alloc(32, 41).toString('base64')}`;
const ROTATING = `whsec_${Buffer.alloc(32, 42).toString('base64')}`;
/** Real milliseconds: what hangs for longer has not answered. Whoever answers at once does so well within it on a busy machine, too. */
const CALL_TIMEOUT_MS = 5_000;

/** Refunds are asked by webhook and then by mail, invoices the other way round, transfers by webhook alone. */
const POLICY = DESK_POLICY.replace('within: 30m, reminders: [0.5] }', 'within: 30m, reminders: [0.5], channels: [webhook, email] }')
  .replace(
    '{ name: finance manager, role: finance_manager, within: 1h }',
    '{ name: finance manager, role: finance_manager, within: 1h, channels: [email, webhook] }',
  )
  .replace('{ name: support lead, role: support_lead, within: 15m }', '{ name: support lead, role: support_lead, within: 15m, channels: [webhook] }');
const INVOICE = actionOf(
  'invoice.pay',
  { amount: { minor: 500, currency: 'USD' }, invoice: 'i1' },
  { evidence: [{ name: 'invoice', title: 'Invoice', source: 'system', content: 'USD 5' }] },
);

type Step = NonNullable<Parameters<typeof startWebhookReceiver>[0]['before']>;
type Late = NonNullable<Parameters<typeof startWebhookReceiver>[0]['after']>;

let env: TestWorkflowEnvironment;
let receiver: WebhookReceiver;
let world: World;
const hands: { before: Step; after: Late } = { before: () => null, after: () => null };
const refused = new Map<string, number>();

afterAll(async () => {
  await world.close();
  await receiver.stop();
  await env.teardown();
});
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  receiver = await startWebhookReceiver({ secret: SECRET, before: (call) => hands.before(call), after: (call) => hands.after(call) });
  world = await openWorld({
    store,
    skipping: env,
    policy: POLICY,
    calls: { webhook: { url: receiver.url, secrets: [ROTATING, SECRET] }, callTimeoutMs: CALL_TIMEOUT_MS },
    refuseMail: (address) => refused.get(address) ?? null,
  });
});
beforeEach(() => {
  hands.before = () => null;
  hands.after = () => null;
  refused.clear();
});

type Attempted = Extract<ApprovalEvent, { type: 'attempted' }>;
const attempts = async (approvalId: string): Promise<Attempted[]> => (await world.story(approvalId)).filter((e) => e.type === 'attempted');
const questions = async (approvalId: string) => (await attempts(approvalId)).filter((e) => e.kind === 'ask');
/** Each attempt as the record has it: over what, how it went, how far it came, what is next. */
const told = (events: readonly Attempted[]) => events.map((e) => [e.channel, e.status, e.reached ?? null, e.fallsTo ?? null]);
const calls = (approvalId: string) => receiver.calls.filter((call) => call.approvalId === approvalId);
const acts = (approvalId: string) => receiver.acts.filter(({ data }) => data.approvalId === approvalId);
const mailsTo = (address: string, approvalId: string) => world.mail.mails().filter((m) => m.to.includes(address) && JSON.stringify(m).includes(approvalId));
/** Until the first question has come to its end on the record, without letting time pass by itself. */
const asked = async (approvalId: string): Promise<Attempted[]> =>
  await until(async () => {
    const seen = await questions(approvalId);
    return seen.some((e) => e.status !== 'failed_for_now') ? seen : null;
  }, 'the question has reached somebody, or nobody');

describe('what goes out', () => {
  it('a question, its reminder and its end, each signed, in the documented shape, once, and delivered on the record', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await world.result(approvalId);
    expect(acts(approvalId).map(({ type }) => type)).toEqual(['approval.asked', 'approval.reminded', 'approval.settled']);
    const opened = (await world.story(approvalId)).find((e) => e.type === 'level_opened');
    const about = {
      tenant: TENANT,
      approvalId,
      kind: 'approval',
      lane: 'finance',
      headline: 'A decision is needed: refund.issue, USD 480.00.',
      amount: 'USD 480.00',
      person: { id: 'fay', name: 'Fay Okafor', role: 'finance_manager' },
      link: `http://localhost:8700/approvals/${approvalId}`,
    };
    const asking = { ...about, level: 'finance manager', until: opened?.type === 'level_opened' ? opened.dueAt : '', next: 'CFO is asked' };
    expect(acts(approvalId).map(({ data }) => data)).toEqual([asking, asking, { ...about, outcome: 'expired' }]);
    // Nothing of what the agent or the customer wrote.
    expect(JSON.stringify(acts(approvalId))).not.toMatch(/parcel|order o1|Kim|T-100|c-7/);
    const [first] = await questions(approvalId);
    expect(first).toMatchObject({ to: 'fay', channel: 'webhook', reached: 'delivered', httpStatus: 200, detail: 'The receiver accepted the webhook (200).' });
    const ids = calls(approvalId).map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    const rows = await store.db.selectFrom('deliveries').select(['kind', 'target', 'channel', 'reached']).where('approval_id', '=', approvalId).execute();
    expect(rows).toEqual(
      expect.arrayContaining([
        { kind: 'ask', target: 'fay by webhook', channel: 'webhook', reached: 'delivered' },
        { kind: 'ask', target: 'cleo by email', channel: 'email', reached: 'sent' },
        { kind: 'tell_asked', target: 'fay by webhook', channel: 'webhook', reached: 'delivered' },
        { kind: 'tell_customer', target: 'the customer by email', channel: 'email', reached: 'sent' },
      ]),
    );
  });

  it('an escalation says so', async () => {
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await asked(approvalId);
    expect(acts(approvalId)).toMatchObject([
      { type: 'approval.asked', data: { kind: 'escalation', amount: null, headline: 'A person is needed: talk.transfer.', person: { id: 'lea' } } },
    ]);
  });

  it('whoever was asked hears that another has taken it over, and how it ended, without a word of what anyone wrote', async () => {
    const { approvalId } = await world.ask(refund(48_000));
    await asked(approvalId);
    expect(await world.move(approvalId, 'finn', { type: 'take_over', reason: 'It is my customer' })).toMatchObject({ accepted: true });
    expect(await world.move(approvalId, 'finn', { type: 'resolve', result: 'Called Kim' })).toMatchObject({ accepted: true });
    await world.result(approvalId);
    expect(acts(approvalId).map(({ type, data }) => [type, data.person.id, 'outcome' in data ? data.outcome : null])).toEqual([
      ['approval.asked', 'fay', null],
      ['approval.taken_over', 'fay', null],
      ['approval.settled', 'fay', 'resolved_by_person'],
    ]);
    expect(JSON.stringify(acts(approvalId))).not.toMatch(/customer|Called|Kim/);
  });

  it('the page to the backup goes out as the last question did', async () => {
    const { approvalId } = await world.ask(INVOICE);
    await world.result(approvalId);
    const paged = (await world.story(approvalId)).flatMap((e) => (e.type === 'held' ? e.owed : []));
    expect(paged).toMatchObject([{ kind: 'page_backup', to: { person: 'cleo' }, channel: 'email', then: ['webhook'] }]);
  });
});

describe('the next channel has its turn', () => {
  it.each([
    ['410 ends it at once', { status: 410 }],
    ['429 asks for more time than the person can lose', { status: 429, headers: { 'retry-after': '3600' } }],
  ] as const)('%s: the mail goes out, and the webhook is not tried again', async (_, answer: Answer) => {
    hands.before = () => answer;
    const { approvalId } = await world.ask(refund(48_000));
    const seen = await asked(approvalId);
    expect(told(seen)).toEqual([
      ['webhook', 'failed_for_now', null, 'email'],
      ['email', 'done', 'sent', null],
    ]);
    expect(calls(approvalId)).toHaveLength(1);
    expect(mailsTo('fay@example.com', approvalId)).toHaveLength(1);
    await world.move(approvalId, 'finn', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    // Whom the mail reached is told by mail.
    expect((await attempts(approvalId)).find((e) => e.kind === 'tell_asked')).toMatchObject({ to: 'fay', channel: 'email', reached: 'sent' });
  });

  it.each([
    ['500 again and again', { status: 500 }],
    ['redirects, which are not followed', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['401: it does not know the secret', { status: 401 }],
    ['a receiver that never answers', 'hang'],
    ['a connection that is reset in the midst of the answer', 'reset'],
  ] as const)('%s: three tries within two minutes, always the same id, then the mail', async (_, answer) => {
    hands.before = () => answer;
    const started = await env.currentTimeMs();
    const { approvalId } = await world.ask(refund(48_000));
    await until(async () => ((await questions(approvalId)).length > 0 ? true : null), 'the first try has failed');
    await env.sleep('2m');
    const seen = await asked(approvalId);
    expect(told(seen)).toEqual([
      ['webhook', 'failed_for_now', null, null],
      ['webhook', 'failed_for_now', null, null],
      ['webhook', 'failed_for_now', null, 'email'],
      ['email', 'done', 'sent', null],
    ]);
    expect(new Set(calls(approvalId).map(({ id }) => id)).size).toBe(1);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    expect((await env.currentTimeMs()) - started).toBeLessThan(4 * 60_000);
    await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
  });

  it('the other way round: an address that the mail server refuses is asked over the webhook', async () => {
    refused.set('fay@example.com', 550);
    const { approvalId } = await world.ask(INVOICE);
    expect(told(await asked(approvalId))).toEqual([
      ['email', 'failed_for_now', null, 'webhook'],
      ['webhook', 'done', 'delivered', null],
    ]);
    expect(acts(approvalId)).toMatchObject([{ type: 'approval.asked', data: { person: { id: 'fay', role: 'finance_manager' } } }]);
    await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
  });

  it('where none is configured the question goes to the next channel at once; where that was all, it is a dead letter and the ladder goes on', async () => {
    const bare = await openWorld({ store, skipping: env, policy: POLICY });
    try {
      const { approvalId } = await bare.ask(refund(48_000));
      const seen = await asked(approvalId);
      expect(told(seen)).toEqual([
        ['webhook', 'failed_for_now', null, 'email'],
        ['email', 'done', 'sent', null],
      ]);
      expect(seen[0]?.detail).toContain('COUNTERSIGN_WEBHOOK_URL');
      const alone = await bare.ask(actionOf('talk.transfer'));
      expect(await bare.result(alone.approvalId)).toMatchObject({ outcome: 'expired' });
      expect(told(await questions(alone.approvalId))).toEqual([['webhook', 'failed_for_good', null, null]]);
      const rows = await store.db
        .selectFrom('deliveries')
        .select(['kind', 'status', 'channel', 'reached'])
        .where('approval_id', '=', alone.approvalId)
        .execute();
      expect(rows).toContainEqual({ kind: 'ask', status: 'failed_for_good', channel: 'webhook', reached: null });
      await bare.result(approvalId);
    } finally {
      await bare.close();
    }
  });
});

describe('a receiver that answers oddly', () => {
  it('late: the message comes again under the same id, and it acts once', async () => {
    let answer: () => void = () => undefined;
    const givenUp = new Promise<void>((resolve) => (answer = resolve));
    hands.after = async ({ nth }: WebhookCall) => {
      if (nth === 1) await givenUp;
      return null;
    };
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await until(async () => ((await questions(approvalId)).length > 0 ? true : null), 'the first try was given up');
    answer();
    await env.sleep('10s');
    const seen = await asked(approvalId);
    expect(told(seen)).toEqual([
      ['webhook', 'failed_for_now', null, null],
      ['webhook', 'done', 'delivered', null],
    ]);
    expect(seen[0]?.detail).toBe('The webhook host did not answer in time.');
    await until(() => calls(approvalId).every(({ status }) => status === 200), 'both were answered in the end');
    expect(new Set(calls(approvalId).map(({ id }) => id)).size).toBe(1);
    expect(acts(approvalId)).toHaveLength(1);
  });

  it('with a connection reset after it said yes: that is a yes', async () => {
    hands.after = () => 'reset_after_status';
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    expect(told(await asked(approvalId))).toEqual([['webhook', 'done', 'delivered', null]]);
    expect(calls(approvalId)).toHaveLength(1);
  });

  it('429 with Retry-After, where there is no other channel: it waits as long as it is asked to', async () => {
    hands.before = ({ nth }) => (nth === 1 ? { status: 429, headers: { 'retry-after': '240' } } : null);
    const { approvalId } = await world.ask(actionOf('talk.transfer'));
    await until(async () => ((await questions(approvalId)).length > 0 ? true : null), 'the first try was turned away');
    const [first] = await questions(approvalId);
    const timeline = await store.db.selectFrom('deliveries').select(['next_at', 'updated_at']).where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    expect(first).toMatchObject({ status: 'failed_for_now', httpStatus: 429 });
    expect(Date.parse(timeline.next_at ?? '') - Date.parse(timeline.updated_at)).toBe(240_000);
    await env.sleep('5m');
    expect(told(await asked(approvalId))).toEqual([
      ['webhook', 'failed_for_now', null, null],
      ['webhook', 'done', 'delivered', null],
    ]);
  });
});

describe('the receiver of these tests is no pushover', () => {
  const notice = {
    type: 'approval.settled',
    timestamp: '2026-11-21T09:30:00.000Z',
    data: {
      tenant: TENANT,
      approvalId: 'apr_1',
      kind: 'approval',
      lane: 'finance',
      headline: 'A decision is needed: refund.issue.',
      amount: null,
      person: { id: 'fay', name: 'Fay', role: 'cfo' },
      link: 'https://x.example/a',
      outcome: 'denied',
    },
  };
  const egress = createEgress({ allowLoopback: true });
  const callback = createCallback({ egress });
  let strict: WebhookReceiver;
  const send = async (id: string, body: object, secret = SECRET) =>
    (await callback.send({ url: strict.url, secrets: [secret], id, timestamp: new Date().toISOString(), body: JSON.stringify(body) })).httpStatus;

  beforeAll(async () => {
    strict = await startWebhookReceiver({ secret: SECRET, rate: { calls: 8, perMs: 600_000 } });
  });
  afterAll(async () => {
    await egress.close();
    await strict.stop();
  });

  it('turns away another secret, an old time, an altered body, an unknown field, a missing one, and too high a rate', async () => {
    expect(await send('m1', notice)).toBe(200);
    expect(await send('m2', notice, ROTATING)).toBe(401);
    const old = sign({ secrets: [SECRET], id: 'm3', timestamp: new Date(Date.now() - 600_000).toISOString(), body: JSON.stringify(notice) });
    expect((await fetch(strict.url, { method: 'POST', body: JSON.stringify(notice), headers: old })).status).toBe(401);
    const fresh = sign({ secrets: [SECRET], id: 'm4', timestamp: new Date().toISOString(), body: JSON.stringify(notice) });
    expect((await fetch(strict.url, { method: 'POST', body: `${JSON.stringify(notice)} `, headers: fresh })).status).toBe(401);
    expect(await send('m5', { ...notice, data: { ...notice.data, reason: 'because' } })).toBe(422);
    expect(await send('m6', { ...notice, data: { ...notice.data, link: undefined } })).toBe(422);
    expect(await send('m7', { ...notice, type: 'approval.ended' })).toBe(422);
    expect(await send('m1', notice)).toBe(200);
    expect(await send('m8', notice)).toBe(429);
    expect(strict.acts).toHaveLength(1);
  });
});
