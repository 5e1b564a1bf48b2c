/**
 * What an agent's workflow is asked while it waits, with its own worker, its key and the real API: it is knocked at with ids, reads the
 * question itself, and answers in its own words; it adds evidence, and hears what it is to do meanwhile. One that knows of no questions
 * goes on as before.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { Move } from '../../domain/moves';
import type { ApprovalEvent } from '../../domain/events';
import { fold } from '../../domain/state';
import { readEvents } from '../../record/store/entries';
import { QUESTION_SIGNAL } from '../../workflows/protocol';
import { openAgentWorker, type AgentWorker } from '../support/agent-worker';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import type { answeringAgent, Heard, silentAgent } from '../support/workflows/answering';
import { TENANT, openWorld, publish, type World } from '../support/world';

const QUESTION = 'What became of the parcel?';

let world: World;
let agents: AgentWorker;

afterAll(async () => {
  await agents.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  world = await openWorld({ store, address });
  agents = await openAgentWorker({ store, address, world, workflowsPath: require.resolve('../support/workflows/answering') });
  await publish(store, DESK_POLICY.replace('agent: freeze_decision', 'agent: park_item'), DESK_DIRECTORY);
});

type Agent = WorkflowHandle<typeof answeringAgent>;

const start = async (type: 'answeringAgent' | 'silentAgent' = 'answeringAgent', workflowId = `agent-${randomUUID()}`): Promise<Agent> =>
  await world.client.workflow.start<typeof answeringAgent | typeof silentAgent>(type, {
    workflowId,
    taskQueue: agents.taskQueues[0] ?? '',
    args: ['o7', world.taskQueue],
  });
const heard = (agent: Agent) => agent.query<Heard>('heard');
const digestOf = async (approvalId: string) => fold(await readEvents(store.db, TENANT, approvalId)).packetDigest;
/** A move that is accepted, on the packet as it is now. */
async function move(approvalId: string, person: string, said: Move): Promise<void> {
  const decides = said.type === 'approve' || said.type === 'deny';
  const { refusal } = await world.move(approvalId, person, said, { packetDigest: decides ? await digestOf(approvalId) : null });
  if (refusal) throw new Error(`${refusal.code}: ${refusal.message}`);
}
const said = async <T extends ApprovalEvent['type']>(approvalId: string, type: T): Promise<Extract<ApprovalEvent, { type: T }>[]> =>
  (await world.story(approvalId)).filter((e): e is Extract<ApprovalEvent, { type: T }> => e.type === type);

describe('an agent that answers', () => {
  it('is knocked at with ids, reads the question with its key, and its answer becomes part of what is decided from', async () => {
    const agent = await start();
    const approvalId = await agents.asked(agent);
    const before = await digestOf(approvalId);
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: QUESTION });
    const [answer] = await until(async () => {
      const given = await said(approvalId, 'information_given');
      return given.length > 0 ? given : null;
    }, 'the agent has answered');
    expect(answer).toMatchObject({ question: 'q1', by: 'refund-bot', byAgent: true, text: 'The parcel of o7 was lost' });
    expect(await digestOf(approvalId)).not.toBe(before);
    expect(await heard(agent)).toEqual({ questions: [`refund q1: ${QUESTION}`], meanwhile: 'parked', refused: [] });
    // What Countersign left in its history is the two ids.
    const knocks = ((await agent.fetchHistory()).events ?? []).flatMap((e) => e.workflowExecutionSignaledEventAttributes ?? []);
    expect(knocks.map(({ signalName }) => signalName)).toEqual([QUESTION_SIGNAL]);
    expect(JSON.parse(Buffer.from(knocks[0]?.input?.payloads?.[0]?.data ?? []).toString('utf8'))).toEqual({ approvalId, question: 'q1' });
    await move(approvalId, 'fay', { type: 'approve', reason: 'Lost indeed' });
    expect(await agent.result()).toMatchObject({ outcome: 'approved', approvalId });
  });

  it('says nothing to what it does not know, and one that it cannot take stops nothing', async () => {
    const agent = await start();
    const approvalId = await agents.asked(agent);
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: 'Tell me a secret' });
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: 'A broken one' });
    await until(async () => (await heard(agent)).questions.length === 2, 'it has heard both');
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: QUESTION });
    await until(async () => (await said(approvalId, 'information_given')).length > 0, 'the third is answered');
    expect((await said(approvalId, 'information_given')).map(({ question }) => question)).toEqual(['q3']);
    await move(approvalId, 'fay', { type: 'deny', reason: 'Too many secrets' });
    expect(await agent.result()).toMatchObject({ outcome: 'denied' });
  });

  it('believes no signal: what is not on the record is no question', async () => {
    const agent = await start();
    const approvalId = await agents.asked(agent);
    await agent.signal(QUESTION_SIGNAL, { approvalId: 'made_up', question: 'q1', text: 'Send me the key' });
    await agent.signal(QUESTION_SIGNAL, { approvalId, question: 'q7', text: 'Send me the key' });
    await agent.signal(QUESTION_SIGNAL, 'Send me the key');
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: QUESTION });
    await until(async () => (await said(approvalId, 'information_given')).length > 0, 'the true one is answered');
    expect((await heard(agent)).questions).toEqual([`refund q1: ${QUESTION}`]);
    await move(approvalId, 'fay', { type: 'approve', reason: '' });
    expect(await agent.result()).toMatchObject({ outcome: 'approved' });
  });

  it('run again from the start, answers what its lost run was asked', async () => {
    const first = await start();
    const approvalId = await agents.asked(first);
    await first.terminate('the machine room was rebuilt');
    // Nobody is there to be knocked at.
    await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: QUESTION });
    await until(async () => (await said(approvalId, 'attempted')).some(({ kind }) => kind === 'ask_agent'), 'the knock has failed');
    expect((await said(approvalId, 'attempted')).filter(({ kind }) => kind === 'ask_agent')).toMatchObject([{ status: 'failed_for_good' }]);
    const second = await start('answeringAgent', first.workflowId);
    await until(async () => (await said(approvalId, 'information_given')).length > 0, 'it is answered');
    await move(approvalId, 'fay', { type: 'approve', reason: '' });
    expect(await second.result()).toMatchObject({ outcome: 'approved', approvalId });
  });

  it('adds evidence, which changes the packet: who decided on the one before is told what was added; the same name is added once', async () => {
    const agent = await start();
    const approvalId = await agents.asked(agent);
    const before = await digestOf(approvalId);
    await agent.signal('receipt', 'Shop 7, USD 480.00');
    await until(async () => (await said(approvalId, 'evidence_added')).length > 0, 'it is added');
    expect(await said(approvalId, 'evidence_added')).toMatchObject([
      { by: 'refund-bot', name: 'receipt', title: 'The receipt', content: 'Shop 7, USD 480.00' },
    ]);
    const { refusal } = await world.move(approvalId, 'fay', { type: 'approve', reason: '' }, { packetDigest: before });
    expect(refusal).toMatchObject({ code: 'stale_packet', message: expect.stringContaining('evidence receipt from the agent') as string });
    await agent.signal('receipt', 'Another shop');
    await until(async () => (await heard(agent)).refused.length > 0, 'the second is refused');
    expect((await heard(agent)).refused).toEqual(['key_reused']);
    await move(approvalId, 'fay', { type: 'approve', reason: '' });
    expect(await agent.result()).toMatchObject({ outcome: 'approved' });
    expect(await said(approvalId, 'evidence_added')).toHaveLength(1);
  });
});

it('an agent that knows of no questions goes on as before: it does nothing more than it did, and a person decides without its answer', async () => {
  const agent = await start('silentAgent');
  const approvalId = await agents.asked(agent);
  const activitiesOf = async () => ((await agent.fetchHistory()).events ?? []).flatMap((e) => e.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
  await move(approvalId, 'fay', { type: 'ask', of: 'agent', question: QUESTION });
  await until(async () => (await said(approvalId, 'attempted')).some(({ kind }) => kind === 'ask_agent'), 'it was knocked at');
  await move(approvalId, 'fay', { type: 'approve', reason: '' });
  expect(await agent.result()).toMatchObject({ outcome: 'approved' });
  expect(await activitiesOf()).toEqual(['submitApprovalRequest', 'readApprovalResult']);
});
