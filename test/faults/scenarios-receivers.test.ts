/**
 * Agents that receive badly: they hang, reset the connection, answer late, or never come back. Nothing is lost, the same decision is
 * the same message, the agent acts once, and however many calls a dead agent is owed, the others do not wait for it.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BERTHS } from '../../activities/berths';
import { scaledClock } from '../../domain/clock';
import type { ApprovalEvent } from '../../domain/events';
import { insist } from '../support/approver';
import { engineAddress } from '../support/engine';
import { contradictions } from '../support/oracle';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent, type ReferenceAgentOptions } from '../support/reference-agent';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

/** Real milliseconds: what takes longer has not answered. */
const CALL_TIMEOUT_MS = 600;
/** Domain time: five seconds between attempts are a twelfth of one, and a level of half an hour is half a minute. */
const SCALE = 60;
/** Three days in three seconds. */
const DAYS_SCALE = 100_000;

const hands: { before: NonNullable<ReferenceAgentOptions['before']>; after: NonNullable<ReferenceAgentOptions['after']> } = {
  before: () => null,
  after: () => null,
};
let world: World;
let agent: ReferenceAgent;

/** On the development server, in domain time so many times as fast. */
const open = async (scale: number): Promise<World> =>
  await openWorld({ store, address: engineAddress(), clock: scaledClock(new Date().toISOString(), scale), calls: { callTimeoutMs: CALL_TIMEOUT_MS } });

afterAll(async () => {
  await world.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  world = await open(SCALE);
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks(), before: (call) => hands.before(call), after: (call) => hands.after(call) });
});
beforeEach(() => {
  hands.before = () => null;
  hands.after = () => null;
});

type Attempted = Extract<ApprovalEvent, { type: 'attempted' }>;
const attempts = async (approvalId: string): Promise<Attempted[]> =>
  (await world.story(approvalId)).filter((e) => e.type === 'attempted').filter((e) => e.kind === 'callback');
const stateOf = async (approvalId: string): Promise<string | undefined> =>
  (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirst())?.state;

/** Asks, and says yes; the agent is told at once. */
async function decide(url: string): Promise<string> {
  const { approvalId } = await world.ask(refund(48_000, { resume: { type: 'callback', url } }));
  await until(async () => (await stateOf(approvalId)) === 'waiting', 'it is asked');
  expect((await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' })).answer).toMatchObject({ accepted: true });
  return approvalId;
}

jest.setTimeout(600_000);

describe('an agent that receives badly at first', () => {
  const once = <T>(what: T) => {
    const seen = new Set<string>();
    return ({ messageId }: { readonly messageId: string }): T | null => (seen.has(messageId) ? null : (seen.add(messageId), what));
  };
  const lateOnce = () => {
    const late = once(2 * CALL_TIMEOUT_MS);
    return async (call: { readonly messageId: string }): Promise<null> => {
      const wait = late(call);
      if (wait !== null) await new Promise((resolve) => setTimeout(resolve, wait));
      return null;
    };
  };

  it.each([
    ['hangs before it has looked', () => (hands.before = once('hang' as const))],
    ['hangs after it has acted', () => (hands.after = once('hang' as const))],
    ['resets the connection before it has looked', () => (hands.before = once('reset' as const))],
    ['resets the connection after it has acted', () => (hands.after = once('reset' as const))],
    ['looks late', () => (hands.before = lateOnce())],
    ['answers late', () => (hands.after = lateOnce())],
    ['is down', () => (hands.before = once(503))],
  ])('%s: it is told again under the same id, acts once, and the record has both attempts', async (_, arrange) => {
    arrange();
    const approvalId = await decide(agent.url);
    await until(async () => (await attempts(approvalId)).length === 2, 'the second attempt is on the record');
    expect((await attempts(approvalId)).map(({ attempt, status, reached }) => [attempt, status, reached ?? null])).toEqual([
      [1, 'failed_for_now', null],
      [2, 'done', 'delivered'],
    ]);
    await world.result(approvalId);
    expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [approvalId], acknowledged: [], agent })).toEqual([]);
  });

  it('resets the connection after it has said yes: that is a yes, and it is not told again', async () => {
    hands.after = once('reset_after_status' as const);
    const approvalId = await decide(agent.url);
    await world.result(approvalId);
    expect((await attempts(approvalId)).map(({ status, httpStatus }) => [status, httpStatus])).toEqual([['done', 200]]);
    expect(agent.calls.filter((call) => call.approvalId === approvalId)).toHaveLength(1);
  });
});

describe('an agent that never comes back', () => {
  it('is told ten times over three days under one id; then it is a dead letter, and how it ended stands', async () => {
    hands.before = () => 'hang';
    const days = await open(DAYS_SCALE);
    const { approvalId } = await days.ask(refund(48_000, { resume: { type: 'callback', url: agent.url } }));
    const dead = async () => (await attempts(approvalId)).some(({ status }) => status === 'failed_for_good');
    await until(dead, 'it is a dead letter', 90_000);
    const result = await days.result(approvalId);
    await days.close();
    const made = await attempts(approvalId);
    expect(made.map(({ status }) => status)).toEqual([...(Array(9).fill('failed_for_now') as string[]), 'failed_for_good']);
    expect(new Set(agent.calls.filter((call) => call.approvalId === approvalId).map(({ messageId }) => messageId)).size).toBe(1);
    expect(agent.acts.filter((act) => act.approvalId === approvalId)).toEqual([]);
    const row = await store.db
      .selectFrom('deliveries')
      .selectAll()
      .where('approval_id', '=', approvalId)
      .where('kind', '=', 'callback')
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({ status: 'failed_for_good', attempts: 10, next_at: null, last_detail: 'The callback host did not answer in time.' });
    expect(result.outcome).toBe('expired');
  });
});

describe('a dead agent that is owed more calls than the worker has hands', () => {
  /** The worker runs a hundred activities at once. */
  const OWED = 110;
  let alive = false;
  let connections = 0;
  let most = 0;
  let calling = 0;

  it('delays no other approval, gets few hands at once, and everything it is owed when it is back', async () => {
    const back = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
    const dead = createServer((request, response) => {
      connections += 1;
      calling += 1;
      most = Math.max(most, calling);
      response.once('close', () => (calling -= 1));
      if (alive) forward(back.url, request, response);
    });
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    const deadUrl = `http://127.0.0.1:${String((dead.address() as AddressInfo).port)}/resume`;
    const healthy = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
    try {
      const owed: string[] = [];
      let left = OWED;
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (; left > 0;) {
            left -= 1;
            owed.push(await decide(deadUrl));
          }
        }),
      );
      const started = performance.now();
      const other = await decide(healthy.url);
      await until(() => healthy.acts.some((act) => act.approvalId === other), 'the other agent has acted');
      process.stdout.write(
        `beside a dead agent that is owed ${String(OWED)} calls: asked, decided and resumed in ${String(Math.round(performance.now() - started))} ms\n`,
      );
      expect(most).toBeLessThanOrEqual(BERTHS);
      expect(back.acts).toEqual([]);

      alive = true;
      // Who was tried several times while it was dead waits for its next gap.
      await until(() => back.acts.length >= OWED, 'it has everything it was owed', 400_000);
      expect(new Set(back.acts.map((act) => act.approvalId))).toEqual(new Set(owed));
      expect(back.acts).toHaveLength(OWED);
      const waiting = async (): Promise<number> =>
        (
          await store.db
            .selectFrom('deliveries')
            .select('owed_id')
            .where('approval_id', 'in', owed)
            .where('kind', '=', 'callback')
            .where('status', '<>', 'done')
            .execute()
        ).length;
      await until(async () => (await waiting()) === 0, 'all of it is on the record');
      expect(connections).toBeGreaterThanOrEqual(OWED);
    } finally {
      dead.closeAllConnections();
      await new Promise<void>((resolve) => dead.close(() => resolve()));
      await healthy.stop();
      await back.stop();
    }
  });
});

/** What a proxy does: the same call, to where the agent is now. */
function forward(url: string, request: IncomingMessage, response: ServerResponse): void {
  const onward = httpRequest(url, { method: 'POST', headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  request.pipe(onward);
}
