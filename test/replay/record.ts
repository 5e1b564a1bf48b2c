/**
 * Records what the histories of approvals look like today, one file per kind of life, for replay.test.ts to hold every later
 * version of the workflows to. Run it when a kind of life is new or a change under `patched()` has been made:
 *
 *   node --import tsx test/replay/record.ts [first] [moves]
 *
 * Of `first` people are quick and silence passes at once; in `moves` nobody is in a hurry. Without either it records both.
 * A file that exists is never written again: a history that was is a promise.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { startApproval } from '../../activities/engine';
import { issueCommand } from '../../activities/commands';
import { pauseIntake, resumeIntake } from '../../activities/intake';
import { scaledClock } from '../../domain/clock';
import { instant } from '../../domain/json';
import type { Move } from '../../domain/moves';
import type { Outcome } from '../../domain/outcome';
import type { RequestDraft } from '../../domain/request';
import { startEngine } from '../../workers/engine';
import { COMMAND_SIGNAL, NUDGE_SIGNAL, RECONCILE_WORKFLOW, approvalWorkflowId, deliveryWorkflowId } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { startCredentialReceiver } from '../support/credential-receiver';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { TRIOS_POLICY, withTrios } from '../support/trios-policy';
import { until } from '../support/processes';
import { startReferenceAgent } from '../support/reference-agent';
import { SIDE_POLICY } from '../support/side-policy';
import { openTestStore, type TestStore } from '../support/store';
import { AGENT, TENANT, actionOf, openWorld, publish, refund, type World } from '../support/world';

const HISTORIES = join(__dirname, 'histories');
/** Half an hour in a second and a half: people of a script are quick. */
const SCALE = 1200;

const HOOK_SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;

/** Nothing of the machine that recorded: names of processes and hosts become one word. */
const impersonal = (json: string): string =>
  json.replace(new RegExp(`\\d+@${hostname()}`, 'g'), 'recorder').replaceAll(hostname().length > 3 ? hostname() : '\u0000', 'recorder');

async function keep(world: World, name: string, workflowId: string, runId?: string): Promise<void> {
  const path = join(HISTORIES, `${name}.json`);
  if (existsSync(path)) return void process.stdout.write(`${name}: kept as it is\n`);
  const history: unknown = JSON.parse(impersonal(historyToJSON(await world.client.workflow.getHandle(workflowId, runId).fetchHistory())));
  writeFileSync(path, `${JSON.stringify({ workflowId, history }, null, 1)}\n`);
  process.stdout.write(`${name}: recorded\n`);
}

async function record(world: World, agent: { readonly url: string; refuseOnce(approvalId: string): void }): Promise<void> {
  const { client, taskQueue, core } = world;
  const handle = (id: string) => client.workflow.getHandle(approvalWorkflowId(TENANT, id));
  const stateOf = async (id: string): Promise<string> =>
    (await core.deps.db.selectFrom('approvals').select('state').where('approval_id', '=', id).executeTakeFirstOrThrow()).state;
  const reach = async (id: string, state: string): Promise<unknown> => await until(async () => (await stateOf(id)) === state, `${id} is ${state}`);
  const ask = async (request: RequestDraft): Promise<string> => {
    const { approvalId } = await world.ask(request);
    await reach(approvalId, 'waiting');
    return approvalId;
  };
  const end = async (name: string, id: string, outcome: Outcome): Promise<void> => {
    const result = await world.result(id);
    if (result.outcome !== outcome) throw new Error(`${name} ended as ${result.outcome}: the machine was too slow for the script; run it again`);
    await keep(world, name, approvalWorkflowId(TENANT, id));
  };
  const callback = { resume: { type: 'callback', url: agent.url } } as const;

  const approved = await ask(refund(48_000, callback));
  await insist(world, approved, 'fay', { type: 'approve', reason: 'ok' });
  await end('approved', approved, 'approved');

  const two = await ask(refund(148_000));
  await insist(world, two, 'finn', { type: 'claim' });
  await insist(world, two, 'fay', { type: 'approve', reason: 'refused: claimed by another' });
  await insist(world, two, 'finn', { type: 'approve', reason: 'ok' });
  await insist(world, two, 'cleo', { type: 'approve', reason: 'ok' });
  await end('approved-by-two', two, 'approved');

  const denied = await ask(refund(48_000));
  await insist(world, denied, 'fay', { type: 'deny', reason: 'No receipt' });
  await end('denied', denied, 'denied');

  const back = await ask(actionOf('talk.transfer'));
  await insist(world, back, 'lea', { type: 'take_over', reason: 'mine' });
  await insist(world, back, 'lea', { type: 'hand_back', instructions: 'Offer a voucher' });
  await end('handed-back', back, 'handed_back');

  const byHand = await ask(actionOf('talk.transfer'));
  await insist(world, byHand, 'lea', { type: 'take_over', reason: 'mine' });
  await insist(world, byHand, 'lea', { type: 'resolve', result: 'Called' });
  await end('resolved-by-person', byHand, 'resolved_by_person');

  const cancelled = await ask(refund(48_000));
  await handle(cancelled).cancel();
  await end('withdrawn-by-cancel', cancelled, 'withdrawn');

  const signalled = await ask(refund(48_000));
  const { packet_digest: packetDigest } = await core.deps.db
    .selectFrom('requests')
    .select('packet_digest')
    .where('approval_id', '=', signalled)
    .executeTakeFirstOrThrow();
  const now = core.deps.clock.now({ database: instant(Date.now()), workflowTime: null });
  const commandId = randomUUID();
  await issueCommand(core.deps, {
    tenant: TENANT,
    approvalId: signalled,
    commandId,
    person: 'fay',
    move: { type: 'approve', reason: 'ok' },
    packetDigest,
    signedInAt: now,
    now,
  });
  await handle(signalled).signal(COMMAND_SIGNAL, { commandId });
  await end('approved-by-signal', signalled, 'approved');

  const later = await ask(refund(48_000, callback));
  agent.refuseOnce(later);
  await insist(world, later, 'fay', { type: 'approve', reason: 'ok' });
  await end('callback-later', later, 'approved');
  const { owed_id: owedId } = await core.deps.db
    .selectFrom('deliveries')
    .select('owed_id')
    .where('approval_id', '=', later)
    .where('kind', '=', 'callback')
    .executeTakeFirstOrThrow();
  await client.workflow.getHandle(deliveryWorkflowId(TENANT, later, owedId)).result();
  await keep(world, 'delivery', deliveryWorkflowId(TENANT, later, owedId));

  const expired = await ask(refund(48_000, { customer: { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' } }));
  await end('expired', expired, 'expired');

  const invoice = { evidence: [{ name: 'invoice', title: 'Invoice', source: 'system' as const, content: 'USD 5' }] };
  const held = await ask(actionOf('invoice.pay', { amount: { minor: 500, currency: 'USD' }, invoice: 'i1' }, invoice));
  await end('held-then-denied', held, 'denied');

  const lost = await world.submit(refund(48_000));
  const sweep = `sweep-${randomUUID()}`;
  await client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: sweep, taskQueue, args: [] });
  await reach(lost.approvalId, 'waiting');
  await keep(world, 'reconcile', sweep);
  await handle(lost.approvalId).terminate('recorded');
  await startApproval(
    client,
    { taskQueue, timeScale: SCALE },
    { tenant: TENANT, approvalId: lost.approvalId, lane: lost.plan.lane, headline: lost.headline, again: true },
  );
  await until(async () => (await handle(lost.approvalId).describe()).historyLength > 5, 'it runs again');
  await insist(world, lost.approvalId, 'cleo', { type: 'approve', reason: 'ok' });
  await insist(world, lost.approvalId, 'fay', { type: 'approve', reason: 'ok' });
  await end('restarted', lost.approvalId, 'approved');

  await withMore(world, ask, end);
  await sideBySide(world, ask, end);
  await sideDoors(world, ask, end);
}

/** A yes with conditions, by two people, one of whose first tries is not offered; and an escalation that is answered. */
async function withMore(world: World, ask: (request: RequestDraft) => Promise<string>, end: (name: string, id: string, outcome: Outcome) => Promise<void>) {
  const gift = await ask(actionOf('gift.send', { amount: { minor: 48_000, currency: 'USD' }, recipients: ['kim', 'lee'] }));
  const amount = (minor: number) => ({ amount_at_most: { minor, currency: 'USD' }, option: 'voucher' });
  await insist(world, gift, 'fay', { type: 'approve', reason: 'too much', conditions: amount(30_000) });
  await insist(world, gift, 'fay', { type: 'approve', reason: 'ok', conditions: amount(20_000) });
  await insist(world, gift, 'lea', { type: 'approve', reason: 'ok', conditions: { option: 'voucher', only_recipients: ['kim'] } });
  await end('approved-with-conditions', gift, 'approved_with_conditions');

  const draft = await ask(actionOf('draft.send'));
  await insist(world, draft, 'lea', { type: 'answer', facts: { order_total: 12, intent: 'refund' } });
  await insist(world, draft, 'lea', { type: 'answer', facts: { order_total: { minor: 12_000, currency: 'USD' }, intent: 'refund' } });
  await end('answered', draft, 'answered');
}

/** Two lanes at the same time: one moves up while the other signs; one is held for its backup; and silence that stops the agent. */
async function sideBySide(world: World, ask: (request: RequestDraft) => Promise<string>, end: (name: string, id: string, outcome: Outcome) => Promise<void>) {
  const { db } = world.core.deps;
  const owners = async (id: string): Promise<unknown> =>
    (await db.selectFrom('approvals').select('owners').where('approval_id', '=', id).executeTakeFirstOrThrow()).owners;
  const waitsOn = async (id: string, ...people: string[]): Promise<unknown> =>
    await until(async () => JSON.stringify(await owners(id)) === JSON.stringify(people), `${id} waits on ${people.join(' and ')}`);

  const both = await ask(actionOf('config.change'));
  await waitsOn(both, 'cleo', 'sam');
  await insist(world, both, 'sam', { type: 'claim' });
  await insist(world, both, 'sam', { type: 'approve', reason: 'ok' });
  await insist(world, both, 'cleo', { type: 'approve', reason: 'ok' });
  await end('side-by-side', both, 'approved');

  const held = await ask(actionOf('config.change'));
  await waitsOn(held, 'cleo', 'carl');
  await insist(world, held, 'carl', { type: 'approve', reason: 'ok' });
  await insist(world, held, 'cleo', { type: 'approve', reason: 'ok' });
  await end('side-by-side-held', held, 'approved');

  const resume = { type: 'workflow', workflow_id: 'an agent that is gone' } as const;
  const stopped = await ask(actionOf('access.widen', {}, { resume, customer: { id: 'c-7', name: 'Kim Doe', email: 'kim@example.com' } }));
  await end('paused-and-disabled', stopped, 'expired');
  const { owed_id: owedId } = await db
    .selectFrom('deliveries')
    .select('owed_id')
    .where('approval_id', '=', stopped)
    .where('kind', '=', 'disable_credential')
    .executeTakeFirstOrThrow();
  await world.client.workflow.getHandle(deliveryWorkflowId(TENANT, stopped, owedId)).result();
  await keep(world, 'delivery-of-a-disabling', deliveryWorkflowId(TENANT, stopped, owedId));
}

/** What operators and strangers do to a run; see docs/side-doors.md. */
async function sideDoors(world: World, ask: (request: RequestDraft) => Promise<string>, end: (name: string, id: string, outcome: Outcome) => Promise<void>) {
  const { client, taskQueue } = world;
  const handle = (id: string) => client.workflow.getHandle(approvalWorkflowId(TENANT, id));
  const entries = async (id: string, type: string): Promise<number> => (await world.story(id)).filter((e) => e.type === type).length;

  const stray = await ask(refund(48_000));
  await handle(stray).signal('approve', { by: 'cleo' });
  await handle(stray).signal(COMMAND_SIGNAL, { approve: true });
  await handle(stray)
    .executeUpdate('approve')
    .catch(() => undefined);
  await until(async () => (await entries(stray, 'refused')) === 3, 'all are refused on the record');
  await insist(world, stray, 'fay', { type: 'deny', reason: 'No receipt' });
  await end('strange-messages', stray, 'denied');

  const nudged = await ask(refund(48_000));
  await Promise.all(Array.from({ length: 40 }, () => handle(nudged).signal(NUDGE_SIGNAL)));
  await insist(world, nudged, 'fay', { type: 'deny', reason: 'No receipt' });
  await end('nudged-many-times', nudged, 'denied');

  const reset = await ask(refund(48_000));
  const first = await until(
    async () => (await handle(reset).fetchHistory()).events?.find((e) => e.workflowTaskCompletedEventAttributes)?.eventId,
    'its first task is done',
  );
  await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: approvalWorkflowId(TENANT, reset) },
    reason: 'recorded',
    workflowTaskFinishEventId: first,
    requestId: randomUUID(),
  });
  await until(async () => (await entries(reset, 'engine')) === 1, 'the new run has looked');
  await insist(world, reset, 'fay', { type: 'deny', reason: 'No receipt' });
  await end('reset', reset, 'denied');

  for (const [name, approvalId, workflowId] of [
    ['never-submitted', 'ap_never', approvalWorkflowId(TENANT, 'ap_never')],
    ['invented-start', 'ap_never', 'approval/by-hand'],
  ] as const) {
    const run = await client.workflow.start('approval', { workflowId, taskQueue, args: [{ tenant: TENANT, approvalId, timeScale: 1 }] });
    await run.result().catch(() => undefined);
    await keep(world, name, workflowId);
  }

  const sweep = `sweep-${randomUUID()}`;
  await client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: sweep, taskQueue, args: [] });
  await keep(world, 'reconcile-with-cursor', sweep);
}

/** What else people, agents and operators do. Nothing here waits for a clock, so that a slow machine records the same. */
async function moves(world: World, refused: Set<string>, store: TestStore): Promise<void> {
  const { client, core } = world;
  const { db } = core.deps;
  const stateOf = async (id: string): Promise<string> =>
    (await db.selectFrom('approvals').select('state').where('approval_id', '=', id).executeTakeFirstOrThrow()).state;
  const ask = async (request: RequestDraft): Promise<string> => {
    const { approvalId } = await world.ask(request);
    await until(async () => (await stateOf(approvalId)) === 'waiting', `${approvalId} waits`);
    return approvalId;
  };
  const does = async (id: string, person: string, move: Move, agent?: string): Promise<void> => {
    const { answer } = await insist(world, id, person, move, randomUUID(), agent);
    if (!answer.accepted) throw new Error(`${move.type} of ${person} was refused: ${answer.refusal?.message ?? ''}`);
  };
  const end = async (name: string, id: string, outcome: Outcome): Promise<void> => {
    const result = await world.result(id);
    if (result.outcome !== outcome) throw new Error(`${name} ended as ${result.outcome}`);
    await keep(world, name, approvalWorkflowId(TENANT, id));
  };
  const knock = (id: string): Promise<void> => client.workflow.getHandle(approvalWorkflowId(TENANT, id)).signal(NUDGE_SIGNAL);
  const no = { type: 'deny', reason: 'No receipt' } as const;

  const asked = await ask(refund(48_000));
  await does(asked, 'fay', { type: 'ask', of: 'agent', question: 'Which order?' });
  await does(asked, 'fay', { type: 'ask', of: 'cleo', question: 'May we?' });
  await does(asked, '', { type: 'reply', question: 'q1', text: 'Number 7' }, AGENT.agent);
  await does(asked, 'cleo', { type: 'reply', question: 'q2', text: 'We may' });
  await does(asked, '', { type: 'add_evidence', name: 'receipt', title: 'The receipt', content: 'USD 480' }, AGENT.agent);
  await does(asked, 'fay', { type: 'approve', reason: 'ok' });
  await end('asked-and-answered', asked, 'approved');

  const handed = await ask(actionOf('rule.bend'));
  await does(handed, 'c0', { type: 'comment', text: 'I know them' });
  await does(handed, 'a0', { type: 'reassign', to: 'b0', reason: 'Hers' });
  await does(handed, 'b0', { type: 'pass_up', reason: 'Above me' });
  await does(handed, 'omar', { type: 'extend', minutes: 30, reason: 'A meeting' });
  await does(handed, 'a1', no);
  await end('handed-on-and-passed-up', handed, 'denied');

  const left = await ask(refund(48_000));
  await does(left, 'fay', { type: 'take_over', reason: 'By hand' });
  await does(left, 'fay', { type: 'update', status: 'blocked', note: 'The bank is closed' });
  await does(left, 'fay', { type: 'abandon', reason: 'Moot' });
  await end('abandoned', left, 'resolved_by_person');

  const over = await ask(actionOf('rule.bend'));
  await does(over, 'omar', { type: 'override', decision: 'deny', because: 'outage', reason: 'Nobody can be reached' });
  await end('overridden', over, 'denied');
  const forced = await ask(actionOf('rule.bend'));
  await does(forced, 'omar', { type: 'break_glass', reason: 'Fire' });
  await end('glass-broken', forced, 'approved');

  refused.add('fay@example.com');
  const again = await ask(refund(48_000));
  const debt = async () => await db.selectFrom('deliveries').selectAll().where('approval_id', '=', again).where('kind', '=', 'ask').executeTakeFirstOrThrow();
  await until(async () => (await debt()).status === 'failed_for_good', 'the message is given up');
  refused.clear();
  await does(again, 'omar', { type: 'reopen_delivery', owed_id: (await debt()).owed_id, reason: 'It is back' });
  await until(async () => (await debt()).status === 'done', 'the message is out');
  await does(again, 'fay', no);
  await end('delivery-opened-again', again, 'denied');

  const stopped = await ask(refund(48_000));
  const intake = { tenant: TENANT, scope: 'agent', name: AGENT.agent, by: 'omar', reason: 'It refunds twice' } as const;
  const deps = { ...core.deps, active: core.active, commit: core.commit, nudge: (_: string, id: string) => knock(id) };
  await pauseIntake(deps, { ...intake, open: 'withdraw' });
  await end('withdrawn-by-intake', stopped, 'withdrawn');
  await resumeIntake(deps, intake);

  const moved = await ask(refund(48_000));
  const without = withTrios(DESK_DIRECTORY).replace(
    'name: Fay Okafor, email: fay@example.com, roles: [finance_manager]',
    'name: Fay Okafor, email: fay@example.com, roles: []',
  );
  await publish(store, TRIOS_POLICY, without.replace('finance_manager: [fay, finn]', 'finance_manager: [finn]'));
  await knock(moved);
  await until(async () => (await world.story(moved)).some((e) => e.type === 'resolved_anew'), 'it is asked anew');
  await does(moved, 'finn', no);
  await end('resolved-anew', moved, 'denied');
}

/** A run that became long, and the one that it continued as. */
async function outgrown(world: World): Promise<void> {
  const { approvalId } = await world.ask(refund(48_000));
  const workflowId = approvalWorkflowId(TENANT, approvalId);
  const runOf = async (): Promise<string> => (await world.client.workflow.getHandle(workflowId).describe()).runId;
  const first = await runOf();
  for (let n = 0; (await runOf()) === first; n += 1) await insist(world, approvalId, 'finn', { type: 'comment', text: `Number ${String(n)}` });
  await keep(world, 'outgrown', workflowId, first);
  await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
  await world.result(approvalId);
  await keep(world, 'continued', workflowId);
}

async function recordMoves(): Promise<void> {
  const store = await openTestStore();
  const people = { store, taskQueue: 'countersign', policy: TRIOS_POLICY, directory: withTrios(DESK_DIRECTORY) };
  const usual = await startEngine();
  const eager = await startEngine({ settings: ['limit.historyCount.suggestContinueAsNew=60'] });
  const refused = new Set<string>();
  const world = await openWorld({ ...people, address: usual.address, refuseMail: (address) => (refused.has(address) ? 550 : null) });
  const long = await openWorld({ ...people, address: eager.address });
  try {
    await moves(world, refused, store);
    await publish(store, TRIOS_POLICY, people.directory);
    await outgrown(long);
  } finally {
    await world.close();
    await long.close();
    await usual.stop();
    await eager.stop();
    await store.close();
  }
}

async function main(): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  const wanted = process.argv.slice(2);
  if (wanted.length === 0 || wanted.includes('first')) await recordFirst();
  if (wanted.length === 0 || wanted.includes('moves')) await recordMoves();
}

async function recordFirst(): Promise<void> {
  const store = await openTestStore();
  const engine = await startEngine();
  let failures = 1;
  const hook = await startCredentialReceiver(HOOK_SECRET, () => (failures-- > 0 ? 503 : null));
  const world = await openWorld({
    store,
    address: engine.address,
    taskQueue: 'countersign',
    policy: SIDE_POLICY,
    clock: scaledClock(new Date().toISOString(), SCALE),
    calls: { credentialHook: { url: hook.url, secrets: [HOOK_SECRET] } },
  });
  const refuse = new Set<string>();
  const agent = await startReferenceAgent({ jwks: world.core.tokens.jwks(), before: ({ approvalId }) => (refuse.delete(approvalId) ? 503 : null) });
  try {
    await record(world, { url: agent.url, refuseOnce: (id) => void refuse.add(id) });
  } finally {
    await agent.stop();
    await hook.stop();
    await world.close();
    await engine.stop();
    await store.close();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
