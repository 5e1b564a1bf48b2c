/**
 * Messages that come twice, out of order and late, as networks, retries and impatient people send them: starts, commands as updates
 * and as signals, knocks, withdrawals, callbacks. Seeded: a failing order is printed and comes again with COUNTERSIGN_FAULT_SEED.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { issueCommand } from '../../activities/commands';
import { readAnswer } from '../../activities/commit';
import { signalCommand, startApproval } from '../../activities/engine';
import type { Move } from '../../domain/moves';
import { canonical } from '../../record/canonical';
import type { Json } from '../../domain/json';
import { COMMAND_UPDATE, NUDGE_SIGNAL, approvalWorkflowId, type CommandAnswer, type CommandMessage } from '../../workflows/protocol';
import { chance, seedOfRun, shuffled } from '../support/chance';
import { contradictions } from '../support/oracle';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { engineAddress } from '../support/engine';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

const SEED = seedOfRun();
let world: World;
let agent: ReferenceAgent;
afterAll(async () => {
  await world.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress() });
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
});

const handle = (approvalId: string) => world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
const asUpdate = async (approvalId: string, commandId: string): Promise<CommandAnswer> =>
  await handle(approvalId).executeUpdate<CommandAnswer, [CommandMessage]>(COMMAND_UPDATE, { args: [{ commandId }] });

/** Stores a move of a person, as the API does before it sends anything. */
async function stored(approvalId: string, person: string, move: Move, at: string): Promise<string> {
  const { packet_digest: packetDigest } = await store.db
    .selectFrom('requests')
    .select('packet_digest')
    .where('approval_id', '=', approvalId)
    .executeTakeFirstOrThrow();
  const commandId = randomUUID();
  await issueCommand(world.core.deps, { tenant: TENANT, approvalId, commandId, person, move, packetDigest, signedInAt: at, now: at });
  return commandId;
}

/** Everything that may be sent about one approval, some of it several times, in an order of chance. */
async function storm(i: number, next: () => number): Promise<{ approvalId: string; answers: CommandAnswer[] }> {
  const key = `storm-${String(SEED)}-${String(i)}`;
  const request = refund(48_000 + i, { resume: { type: 'callback', url: agent.url } });
  const asked = await Promise.all(Array.from({ length: 4 }, () => world.submit(request, key)));
  const { approvalId, plan, headline } = asked[0] as (typeof asked)[number];
  expect(new Set(asked.map((a) => a.approvalId))).toEqual(new Set([approvalId]));
  const start = () => startApproval(world.client, { taskQueue: world.taskQueue, timeScale: 1 }, { tenant: TENANT, approvalId, lane: plan.lane, headline });
  await Promise.all([start(), start(), start()]);
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'level_opened'), 'somebody is asked');
  const now = new Date().toISOString();
  const yes = await stored(approvalId, 'fay', { type: 'approve', reason: 'ok' }, now);
  const no = await stored(approvalId, 'finn', { type: 'deny', reason: 'No receipt' }, now);
  const stale = await stored(approvalId, 'finn', { type: 'deny', reason: 'An hour ago' }, new Date(Date.now() - 3600_000).toISOString());
  const nothing = async (work: Promise<unknown>): Promise<null> => {
    await work.catch(() => null); // Whether it still found an open run is not what counts.
    return null;
  };
  const messages: (() => Promise<CommandAnswer | null>)[] = shuffled(
    [
      ...[yes, no, stale].flatMap((id) => [
        () => asUpdate(approvalId, id).catch(() => null),
        () => asUpdate(approvalId, id).catch(() => null),
        () => nothing(signalCommand(world.client, TENANT, approvalId, id)),
        () => nothing(signalCommand(world.client, TENANT, approvalId, id)),
      ]),
      ...Array.from({ length: 3 }, () => () => nothing(handle(approvalId).signal(NUDGE_SIGNAL))),
      () => nothing(start()),
      () => nothing(asUpdate(approvalId, randomUUID())),
    ],
    next,
  );
  const answers: CommandAnswer[] = [];
  // At most 8 at once, as the API keeps it.
  for (let from = 0; from < messages.length; from += 8)
    for (const answer of await Promise.all(messages.slice(from, from + 8).map((send) => send()))) if (answer) answers.push(answer);
  await world.result(approvalId);
  // Late: the run has closed, and the record answers as it did.
  for (const id of [yes, no]) {
    const late = await world.core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId: id }, workflowTime: Date.now() });
    const known = await readAnswer(store.db, TENANT, id);
    expect(late.answer).toEqual(known?.answer);
    if (late.answer) answers.push(late.answer);
  }
  return { approvalId, answers };
}

describe(`messages twice, out of order and late (seed ${String(SEED)})`, () => {
  it('one approval, one decision, one act of the agent; every repetition gets the answer that stands', async () => {
    const next = chance(SEED);
    const storms = await Promise.all(Array.from({ length: 12 }, (_, i) => storm(i, next)));
    for (const { approvalId, answers } of storms) {
      const byCommand = new Map<string, Set<string>>();
      for (const { commandId, ...rest } of answers) byCommand.set(commandId, (byCommand.get(commandId) ?? new Set()).add(canonical(rest as unknown as Json)));
      expect([...byCommand.values()].every((said) => said.size === 1)).toBe(true);
      const story = await world.story(approvalId);
      expect(story.filter((e) => e.type === 'signed_off' || e.type === 'denied')).toHaveLength(1);
      expect(story.filter((e) => e.type === 'refused' && e.code === 'command_expired').length).toBeLessThanOrEqual(1);
    }
    const approvals = storms.map((s) => s.approvalId);
    const acknowledged = storms.flatMap((s) => s.answers.map((answer) => ({ approvalId: s.approvalId, answer })));
    expect(acknowledged.filter((a) => a.answer.accepted).length).toBeGreaterThanOrEqual(12);
    expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals, acknowledged, agent })).toEqual([]);
  });
});

interface Copy {
  readonly body: string;
  readonly headers: Record<string, string>;
}

/** Takes callbacks and keeps them, as a network might. */
async function startHold(): Promise<{ readonly url: string; readonly held: Copy[]; stop(): Promise<void> }> {
  const held: Copy[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const named = ['webhook-id', 'webhook-timestamp', 'webhook-signature', 'content-type'];
      held.push({ body, headers: Object.fromEntries(named.map((name) => [name, String(request.headers[name])])) });
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    held,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe('callbacks twice, out of order and late', () => {
  it('the agent acts once on each, whichever copy comes first', async () => {
    const hold = await startHold();
    try {
      const approvals: string[] = [];
      for (const minor of [48_100, 48_200, 48_300]) {
        const { approvalId } = await world.ask(refund(minor, { resume: { type: 'callback', url: hold.url } }));
        await until(async () => (await world.story(approvalId)).some((e) => e.type === 'level_opened'), 'somebody is asked');
        await world.move(approvalId, 'fay', { type: 'approve', reason: 'ok' });
        await world.result(approvalId);
        approvals.push(approvalId);
      }
      expect(hold.held).toHaveLength(3);
      const before = agent.acts.length;
      for (const { body, headers } of shuffled([...hold.held, ...hold.held, ...hold.held], chance(SEED)))
        expect((await fetch(agent.url, { method: 'POST', body, headers })).status).toBeLessThan(300);
      const acted = agent.acts.slice(before).map((act) => act.approvalId);
      expect(acted.sort()).toEqual([...approvals].sort());
    } finally {
      await hold.stop();
    }
  });
});
