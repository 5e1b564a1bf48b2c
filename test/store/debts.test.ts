/**
 * What a request owes beside its messages to approvers, over the real store, a real mail server and real receivers: a case with the
 * evidence, an incident, a credential that is paused and works again, questions to people and to the agent; each tried until it is done
 * or given up, each on the record, none of them in the way of the end.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pino from 'pino';
import { createAttempt } from '../../activities/attempt';
import { createCallback } from '../../activities/callback';
import { issueCommand } from '../../activities/commands';
import { createCore } from '../../activities/core';
import { createCredentialHook } from '../../activities/credential';
import { createEgress } from '../../activities/egress';
import { createEmail } from '../../activities/notify/email';
import { createWebhook } from '../../activities/notify/webhook';
import { createReceiver, memoryStore, nodeHandler, type AskedQuestion } from '../../client/receiver';
import { engineClock } from '../../domain/clock';
import type { OwedKind } from '../../domain/events';
import { instant } from '../../domain/json';
import type { Move } from '../../domain/moves';
import type { RequestDraft } from '../../domain/request';
import { textHash } from '../../record/hash';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import { startMailSink, type MailSink } from '../../workers/mail-sink';
import type { Asking } from '../../workflows/protocol';
import { startCredentialReceiver, type CredentialReceiver } from '../support/credential-receiver';
import { AGENT, SECRET, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { refund } from '../support/requests';
import { useStore } from '../support/store';

const HOOK_SECRET = `whsec_${Buffer.alloc(32, 61).toString('base64')}`;
const MINUTE = 60_000;

/** The desk, with everything that can be done while a refund waits, and questions for which the clock stands still. */
const POLICY = DESK_POLICY.replace(
  '    provision: Refunds over USD 250.00 are signed by finance.\n',
  `    provision: Refunds over USD 250.00 are signed by finance.
    questions: { clock: pauses, within: 4h, at_most: 5 }
    meanwhile:
      agent: park_item
      operator: look at the queue
      effects:
        open_case: { queue: cases, owner: finance_manager, title: Look at the refund }
        raise_incident: { queue: incidents, owner: cfo, title: A refund waits }
        pause_credential: { credential: ledger-write, reason: A refund waits for a person }
`,
);
const evidence = [{ name: 'mail', title: 'Mail of the customer', source: 'customer', content: 'Where is my parcel?' }] as const;

let mail: MailSink;
let hook: CredentialReceiver;
let hookAnswers: number | null = null;
let agent: Server;
let agentUrl = '';
const heard: AskedQuestion[] = [];
const signals: { readonly workflowId: string; readonly message: Asking }[] = [];
let agentGone = false;
const closing: (() => void | Promise<void>)[] = [];

afterAll(async () => {
  for (const close of closing) await close();
  await mail.stop();
  await hook.stop();
  agent.closeAllConnections();
  await new Promise((resolve) => agent.close(resolve));
});
const store = useStore();
beforeAll(async () => {
  mail = await startMailSink({ httpPort: null });
  hook = await startCredentialReceiver(HOOK_SECRET, () => hookAnswers);
  const receiver = createReceiver({
    secrets: [SECRET],
    keys: { keys: [] },
    expect: AGENT,
    store: memoryStore(),
    onOutcome: () => undefined,
    onQuestion: ({ again: _, ...asked }) => void heard.push(asked),
  });
  agent = createServer(nodeHandler(receiver));
  await new Promise<void>((resolve) => agent.listen(0, '127.0.0.1', resolve));
  agentUrl = `http://127.0.0.1:${String((agent.address() as AddressInfo).port)}/callback`;
  await publish(store, POLICY, DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
});
beforeEach(() => {
  hookAnswers = null;
  agentGone = false;
});

/** One request from its submission on, with time as an argument. `configured`: this installation has a hook. */
async function life({ configured = true, ...draft }: { readonly configured?: boolean } & Partial<RequestDraft> = {}) {
  const publicUrl = 'http://localhost:8700';
  const log = pino({ level: 'silent' });
  const core = createCore({ db: store.db, clock: engineClock, keys: store.keys, log, publicUrl, development: true, allowLoopback: true });
  const egress = createEgress({ allowLoopback: true });
  const callback = createCallback({ egress });
  const email = createEmail({ transportUrl: mail.smtpUrl, from: 'approvals@example.com', publicUrl });
  closing.push(
    () => email.close(),
    () => egress.close(),
  );
  const attempt = createAttempt({
    ...core.deps,
    active: core.active,
    pace: core.pace,
    email,
    callback,
    webhook: createWebhook({ settings: null, callback, publicUrl }),
    credentialHook: createCredentialHook({ settings: configured ? { url: hook.url, secrets: [HOOK_SECRET] } : null, callback }),
    signalOutcome: () => Promise.resolve('done'),
    signalPause: () => Promise.resolve('done'),
    signalQuestion: (workflowId, message) => {
      signals.push({ workflowId, message });
      return Promise.resolve(agentGone ? 'gone' : 'done');
    },
  });
  const { approvalId } = await core.submit(AGENT, randomUUID(), refund(30_000, { evidence: [...evidence], ...draft }));
  const start = Date.now() + 1_000;
  let passed = 0;
  const commit = (command: Parameters<typeof core.commit>[0]['command']) =>
    core.commit({ tenant: TENANT, approvalId, seq: 0, command, workflowTime: start + passed });
  const story = async () => (await readEvents(store.db, TENANT, approvalId)).map(({ event }) => event);
  /** The ids of what is owed of a kind, in order. */
  const owed = async (kind: OwedKind): Promise<readonly string[]> =>
    (await readEvents(store.db, TENANT, approvalId)).flatMap(({ seq, event }) =>
      'owed' in event ? event.owed.flatMap((one, n) => (one.kind === kind ? [`${String(seq)}-${String(n)}`] : [])) : [],
    );
  const tryOnce = (owedId: string) => attempt({ tenant: TENANT, approvalId, owedId, workflowTime: start + passed });
  await commit({ type: 'open' });
  return {
    approvalId,
    start,
    commit,
    story,
    owed,
    tryOnce,
    passes: (ms: number) => void (passed += ms),
    async move(person: string, move: Move, by?: { readonly agent: string }) {
      const now = instant(start + passed);
      const commandId = randomUUID();
      await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, ...by, move, packetDigest: null, signedInAt: now, now });
      const { answer } = await commit({ type: 'command', commandId });
      if (!answer?.accepted) throw new Error(JSON.stringify(answer?.refusal));
    },
    /** The first attempt at the only debt of a kind. */
    async first(kind: OwedKind) {
      const [owedId = ''] = await owed(kind);
      return await tryOnce(owedId);
    },
    attempts: async (kind: OwedKind) => (await story()).filter((e) => e.type === 'attempted').filter((e) => e.kind === kind),
    delivery: (kind: OwedKind) =>
      store.db
        .selectFrom('deliveries')
        .select(['status', 'target', 'last_detail', 'next_at'])
        .where('approval_id', '=', approvalId)
        .where('kind', '=', kind)
        .executeTakeFirst(),
    deliveryOf: (owedId: string) =>
      store.db.selectFrom('deliveries').select('status').where('approval_id', '=', approvalId).where('owed_id', '=', owedId).executeTakeFirst(),
    tickets: () => store.db.selectFrom('tickets').selectAll().where('approval_id', '=', approvalId).orderBy('kind').execute(),
  };
}

describe('what is done while a request is open', () => {
  it('opens a case that names the evidence by its digest, and raises an incident, each once', async () => {
    const { first, tickets, attempts } = await life();
    expect(await first('open_case')).toMatchObject({ status: 'done', detail: 'A case is open in cases' });
    expect(await first('raise_incident')).toMatchObject({ status: 'done', detail: 'An incident is open in incidents' });
    await first('open_case');
    const opened = await tickets();
    expect(opened).toMatchObject([
      {
        kind: 'case',
        queue: 'cases',
        owner: 'finance_manager',
        title: 'Look at the refund',
        evidence: [{ name: 'mail', sha256: textHash('Where is my parcel?') }],
      },
      { kind: 'incident', queue: 'incidents', owner: 'cfo', title: 'A refund waits', evidence: [] },
    ]);
    // What it says stays where it is kept: a queue has readers of its own.
    expect(JSON.stringify(opened)).not.toContain('Where is my parcel');
    expect(await attempts('open_case')).toHaveLength(1);
  });

  it('pauses the credential, and lets it work again at the end; a hook that fails is told again, and is in no way of the end', async () => {
    const { first, passes, delivery, commit, approvalId, attempts } = await life();
    hookAnswers = 503;
    expect(await first('pause_credential')).toMatchObject({ status: 'failed_for_now' });
    expect(await delivery('pause_credential')).toMatchObject({ status: 'failed_for_now', target: 'ledger-write', next_at: expect.any(String) as string });
    hookAnswers = null;
    passes(MINUTE);
    expect(await first('pause_credential')).toMatchObject({ status: 'done' });
    passes(MINUTE);
    const { view } = await commit({ type: 'withdraw', by: 'refund-bot', reason: 'done by hand' });
    expect(view.state).toBe('withdrawn');
    expect(await first('resume_credential')).toMatchObject({ status: 'done' });
    const told = hook.orders.filter(({ data }) => data.approvalId === approvalId);
    expect(told.map(({ type, data }) => [type, data.credential, data.agent])).toEqual([
      ['credential.pause', 'ledger-write', AGENT.agent],
      ['credential.resume', 'ledger-write', AGENT.agent],
    ]);
    expect((await attempts('pause_credential')).map(({ status }) => status)).toEqual(['failed_for_now', 'done']);
  });

  it('pauses nothing any more once it has ended', async () => {
    const { first, commit, delivery, approvalId } = await life();
    await commit({ type: 'withdraw', by: 'refund-bot', reason: 'done by hand' });
    expect(await first('pause_credential')).toMatchObject({ status: 'done', detail: 'It was settled before' });
    expect(await delivery('pause_credential')).toMatchObject({ status: 'superseded' });
    expect(hook.calls.filter((call) => call.approvalId === approvalId)).toEqual([]);
  });

  it('where no hook is configured fails in plain sight, and the request goes on', async () => {
    const { first, delivery, commit } = await life({ configured: false });
    expect(await first('pause_credential')).toMatchObject({ status: 'failed_for_good' });
    expect(await delivery('pause_credential')).toMatchObject({
      status: 'failed_for_good',
      last_detail: expect.stringContaining('pause it by hand, and set COUNTERSIGN_CREDENTIAL_HOOK') as string,
    });
    expect((await commit({ type: 'clock' })).view.state).toBe('waiting');
  });
});

describe('a question to a person', () => {
  it('is mailed in the words of who asks, with a link, and no evidence; answered, it is asked no more', async () => {
    const { move, first, story, approvalId, tryOnce, owed } = await life();
    await move('fay', { type: 'ask', of: 'lea', question: 'Did the parcel come back?' });
    expect(await first('ask_person')).toMatchObject({ status: 'done' });
    const sent = mail.mails().find((m) => m.to.includes('lea@example.com') && m.text.includes(approvalId));
    expect(sent?.subject).toMatch(/^A question to you about: Refund order o1/);
    expect(sent?.text).toContain('[ Written by Fay Okafor: the question ]\n| Did the parcel come back?');
    expect(sent?.text).toContain(`http://localhost:8700/approvals/${approvalId}`);
    expect(sent?.text).not.toContain('Where is my parcel?');
    await move('fay', { type: 'ask', of: 'lea', question: 'And when?' });
    await move('lea', { type: 'reply', question: 'q2', text: 'On Monday' });
    const [, second = ''] = await owed('ask_person');
    expect(await tryOnce(second)).toMatchObject({ status: 'done', detail: 'Nobody needs to be asked this any more' });
    expect(mail.mails().filter((m) => m.to.includes('lea@example.com') && m.text.includes(approvalId))).toHaveLength(1);
    expect((await story()).some((e) => e.type === 'information_given' && e.by === 'lea')).toBe(true);
  });

  it('who has asked is told that it was answered, and not what: that is on the page', async () => {
    const { move, owed, tryOnce, approvalId } = await life();
    await move('fay', { type: 'ask', of: 'lea', question: 'Did the parcel come back?' });
    await move('lea', { type: 'reply', question: 'q1', text: 'No, never, it is at the harbour' });
    for (const owedId of await owed('tell_asked')) await tryOnce(owedId);
    const news = mail.mails().filter((m) => m.to.includes('fay@example.com') && m.text.includes(approvalId));
    expect(news.map((m) => m.subject)).toEqual([expect.stringMatching(/^News about: /)]);
    expect(news[0]?.text).not.toContain('harbour');
  });

  it('news of a comment is no news once it has ended', async () => {
    const { move, first, commit, owed, deliveryOf } = await life();
    await move('cleo', { type: 'comment', text: 'I know this customer' });
    await commit({ type: 'withdraw', by: 'refund-bot', reason: 'done by hand' });
    expect(await first('tell_asked')).toMatchObject({ status: 'done', detail: 'Nobody needs to be asked this any more' });
    const [news = ''] = await owed('tell_asked');
    expect(await deliveryOf(news)).toMatchObject({ status: 'superseded' });
  });
});

describe('a question to the agent', () => {
  it('with a callback is a signed message of its own, the same however often it is sent; the answer becomes part of the packet', async () => {
    const { move, first, tryOnce, owed, approvalId, attempts, commit, story } = await life({ resume: { type: 'callback', url: agentUrl } });
    await move('fay', { type: 'ask', of: 'agent', question: 'Which order is it?' });
    expect(await first('ask_agent')).toMatchObject({ status: 'done' });
    const [owedId = ''] = await owed('ask_agent');
    expect(await tryOnce(owedId)).toMatchObject({ detail: 'It was settled before' });
    const asked = (await story()).find((e) => e.type === 'information_asked');
    expect(heard.filter((q) => q.approvalId === approvalId)).toEqual([
      { tenant: TENANT, approvalId, question: 'q1', text: 'Which order is it?', due: asked?.dueAt },
    ]);
    expect(await attempts('ask_agent')).toMatchObject([{ status: 'done', reached: 'delivered', httpStatus: 200 }]);
    await move('', { type: 'reply', question: 'q1', text: 'Order o1' }, { agent: AGENT.agent });
    expect((await commit({ type: 'clock' })).view.state).toBe('waiting');
  });

  it('with a workflow is a knock that holds ids and nothing of what was asked; an agent that is gone is shown', async () => {
    const { move, owed, tryOnce, approvalId, attempts, commit } = await life({ resume: { type: 'workflow', workflow_id: 'agent-7' } });
    await move('fay', { type: 'ask', of: 'agent', question: 'Which order is it?' });
    const [first = ''] = await owed('ask_agent');
    expect(await tryOnce(first)).toMatchObject({ status: 'done' });
    expect(signals.filter(({ message }) => message.approvalId === approvalId)).toEqual([{ workflowId: 'agent-7', message: { approvalId, question: 'q1' } }]);
    agentGone = true;
    await move('fay', { type: 'ask', of: 'agent', question: 'Are you there?' });
    const [, second = ''] = await owed('ask_agent');
    expect(await tryOnce(second)).toMatchObject({ status: 'failed_for_good' });
    expect((await attempts('ask_agent')).map(({ status, detail }) => [status, detail])).toEqual([
      ['done', 'The agent workflow was told that it is asked'],
      ['failed_for_good', 'The agent workflow is no longer open, so it cannot answer'],
    ]);
    expect((await commit({ type: 'clock' })).view.state).toBe('asked');
  });

  it('that has lapsed is asked no more', async () => {
    const { move, first, commit, passes, delivery, approvalId } = await life({ resume: { type: 'callback', url: agentUrl } });
    await move('fay', { type: 'ask', of: 'agent', question: 'Which order is it?' });
    passes(4 * 60 * MINUTE + MINUTE);
    await commit({ type: 'clock' });
    expect(await first('ask_agent')).toMatchObject({ status: 'done', detail: 'Nobody needs to be asked this any more' });
    expect(await delivery('ask_agent')).toMatchObject({ status: 'superseded' });
    expect(heard.filter((q) => q.approvalId === approvalId)).toEqual([]);
  });
});

describe('a question whose deadline has moved', () => {
  it('is still the same question, and is asked', async () => {
    const { move, first, approvalId } = await life();
    // The clock stands still and runs on: what is left ends at another instant than was said.
    await move('fay', { type: 'ask', of: 'lea', question: 'Did the parcel come back?' });
    await move('lea', { type: 'reply', question: 'q1', text: 'No' });
    expect(await first('ask')).toMatchObject({ status: 'done', detail: 'The mail server accepted the message.' });
    expect(mail.mails().some((m) => m.to.includes('fay@example.com') && m.subject.startsWith('Decision needed') && m.text.includes(approvalId))).toBe(true);
  });

  it('of somebody it was taken from is not', async () => {
    const { move, owed, tryOnce, approvalId } = await life();
    await move('fay', { type: 'reassign', to: 'finn', reason: 'I am on a train' });
    const [before = '', now = ''] = await owed('ask');
    expect(await tryOnce(before)).toMatchObject({ detail: 'Nobody needs to be asked this any more' });
    expect(await tryOnce(now)).toMatchObject({ status: 'done' });
    const asked = mail.mails().filter((m) => m.subject.startsWith('Decision needed') && m.text.includes(approvalId));
    expect(asked.flatMap((m) => m.to)).toEqual(['finn@example.com']);
  });
});
