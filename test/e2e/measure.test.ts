/**
 * What one approval asks of the engine, exactly: history events, bytes and billable actions of a happy approval as an HTTP agent
 * sees it (a packet of 4 KB, one person asked by mail, one yes, one signed callback). Printed and asserted, so that a change that
 * costs more is seen. The counts do not depend on the machine; the bytes do by a little, and are bounded.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { approvalWorkflowId, RECONCILE_WORKFLOW } from '../../workflows/protocol';
import { countActions } from '../support/billing';
import { engineAddress } from '../support/engine';
import { until } from '../support/processes';
import { startReferenceAgent, type ReferenceAgent } from '../support/reference-agent';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

const { EventType } = temporal.api.enums.v1;
const PACKET_BYTES = 4096;

let world: World;
let agent: ReferenceAgent;
// Registered before the store's own, so that the worker goes before its store.
afterAll(async () => {
  await world.close();
  await agent.stop();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress() });
  agent = await startReferenceAgent({ jwks: world.core.tokens.jwks() });
});

/** A request whose packet has the size that one expects of a real one. */
async function askWithPacketOf(bytes: number): Promise<string> {
  const evidence = (length: number) => [
    { name: 'thread', title: 'What the customer wrote', source: 'customer' as const, content: 'The parcel never came. '.repeat(300).slice(0, length) },
  ];
  const { approvalId } = await world.ask(refund(48_000, { evidence: evidence(bytes - 1100), resume: { type: 'callback', url: agent.url } }));
  return approvalId;
}

/** Without the tasks that a busy machine's worker did not take in time, and that were scheduled again. */
function withoutTimeouts(events: readonly temporal.api.history.v1.IHistoryEvent[]): temporal.api.history.v1.IHistoryEvent[] {
  const late = events.flatMap((event) => {
    const { scheduledEventId, startedEventId } = event.workflowTaskTimedOutEventAttributes ?? {};
    return event.workflowTaskTimedOutEventAttributes ? [event.eventId, scheduledEventId, startedEventId].map(String) : [];
  });
  return events.filter(({ eventId }) => !late.includes(String(eventId)));
}

describe('a happy approval', () => {
  let events: temporal.api.history.v1.IHistoryEvent[] = [];
  let bytes = 0;
  let packetBytes = 0;
  const count = (type: temporal.api.enums.v1.EventType): number => events.filter((e) => e.eventType === type).length;

  beforeAll(async () => {
    const approvalId = await askWithPacketOf(PACKET_BYTES);
    await world.mail.waitFor((mail) => mail.text.includes(approvalId), 90_000);
    expect(await world.move(approvalId, 'fay', { type: 'approve', reason: 'Receipt checked' })).toMatchObject({ accepted: true });
    expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
    expect(agent.acts.map((result) => result.outcome)).toEqual(['approved']);
    const handle = world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
    events = withoutTimeouts((await handle.fetchHistory()).events ?? []);
    bytes = await until(async () => (await handle.describe()).historySize, 'the size of the history');
    const { packet } = await store.db.selectFrom('requests').select('packet').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    packetBytes = Buffer.byteLength(JSON.stringify(packet));
  });

  it('takes at most 25 events, 16 KB and these billable actions', () => {
    const actions = countActions(events);
    const names = events.map((e) => EventType[e.eventType ?? 0]?.replace('EVENT_TYPE_', '').toLowerCase());
    process.stdout.write(
      `A happy approval with a packet of ${packetBytes} bytes: ${events.length} events, ${bytes} bytes, ${actions.total} billable actions ${JSON.stringify(actions.byAction)}\n  ${names.join(', ')}\n`,
    );
    expect(packetBytes).toBeGreaterThanOrEqual(PACKET_BYTES);
    expect(events).toHaveLength(23);
    expect(bytes).toBeLessThanOrEqual(16 * 1024);
    expect(actions).toEqual({
      total: 8,
      byAction: { 'workflow started': 1, 'timer started': 1, update: 1, 'activity attempt': 1, 'markers of a workflow task': 2, 'search attribute upsert': 2 },
    });
  });

  it('commits in local activities: markers, and no scheduled commit', () => {
    expect(count(EventType.EVENT_TYPE_MARKER_RECORDED)).toBeGreaterThanOrEqual(2);
    const scheduled = events.flatMap((e) => e.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
    expect(scheduled).toEqual(['resumeAgent']);
  });

  it('carries no packet, no reason and no name of the customer', () => {
    const text = JSON.stringify(events, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value));
    for (const private_ of ['The parcel never came', 'Receipt checked', 'Kim Doe', 'kim@example.com']) expect(text).not.toContain(private_);
  });
});

describe('a sweep', () => {
  it('costs its workflow and its activity, beside what its schedule costs: docs/billing.md reckons with the two', async () => {
    const handle = await world.client.workflow.start(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] });
    await handle.result();
    expect(countActions((await handle.fetchHistory()).events ?? [])).toEqual({ total: 2, byAction: { 'workflow started': 1, 'activity attempt': 1 } });
    const page = readFileSync(join(__dirname, '..', '..', 'docs', 'billing.md'), 'utf8');
    const day = 24 * 3600;
    const rows = [...page.matchAll(/^\| (\d+)(?:, unless told)? \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$/gm)].map((row) =>
      row.slice(1).map((cell) => Number(cell.replaceAll(',', ''))),
    );
    expect(rows.map(([seconds]) => seconds)).toEqual([5, 10, 30, 60]);
    for (const [seconds = 0, ...told] of rows) expect(told).toEqual([1, 4, 120].map((times) => (times * day) / seconds));
  });
});
