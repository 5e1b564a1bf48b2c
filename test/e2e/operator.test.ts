/**
 * What an operator sees of an approval without any tool of ours: lists by attribute, a summary that makes sense alone, who is
 * asked, until when and what comes next, a name on every timer and activity; and the Temporal UI's own page of a waiting run.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { chromium } from 'playwright-core';
import { startEngine, type Engine } from '../../workers/engine';
import { approvalWorkflowId } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, refund, sharedBundle, type World } from '../support/world';

const CHROMIUM = '/usr/bin/chromium';
const IMAGE = join(__dirname, '..', '..', 'docs', 'images', 'temporal-ui-waiting.png');

let engine: Engine;
let world: World;
afterAll(async () => {
  await world.close();
  await engine.stop();
});
const store = useStore();
beforeAll(async () => {
  engine = await startEngine({ port: await holdPort(), uiPort: await holdPort() });
  const bundle = sharedBundle();
  world = await openWorld({ store, address: engine.address, taskQueue: 'countersign', ...(bundle ? { bundle } : {}) });
});

const handle = (approvalId: string) => world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));

async function listed(query: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { workflowId } of world.client.workflow.list({ query })) found.push(workflowId);
  return found;
}

/** Visibility is a moment behind the run. */
const untilListed = async (query: string, approvalId: string): Promise<unknown> =>
  await until(async () => (await listed(query)).includes(approvalWorkflowId(TENANT, approvalId)), `${approvalId} is listed under ${query}`);

async function waiting(): Promise<string> {
  const { approvalId } = await world.ask(refund(148_000));
  await world.mail.waitFor((mail) => mail.text.includes(approvalId), 90_000);
  return approvalId;
}

/** An instant as the views show it. */
const minuteOf = (at: string | null): string => `${String(at).slice(0, 16).replace('T', ' ')} UTC`;

interface Metadata {
  readonly currentDetails?: string;
}

/** As the UI asks for it. */
const detailsOf = async (approvalId: string): Promise<string> =>
  (await handle(approvalId).query<Metadata>('__temporal_workflow_metadata')).currentDetails ?? '';

/** The names that the history's timers and activities carry. */
async function named(approvalId: string): Promise<string[]> {
  const { events } = await handle(approvalId).fetchHistory();
  return (events ?? []).flatMap((event) => {
    const summary = event.userMetadata?.summary;
    const kind = temporal.api.enums.v1.EventType[event.eventType ?? 0]?.replace('EVENT_TYPE_', '').toLowerCase() ?? '';
    return summary ? [`${kind}: ${defaultPayloadConverter.fromPayload<string>(summary)}`] : [];
  });
}

describe('an operator', () => {
  it('lists what waits by state, owner, lane, level, due time and tenant', async () => {
    const approvalId = await waiting();
    const transfer = (await world.ask(actionOf('talk.transfer'))).approvalId;
    const inTwoHours = new Date(Date.now() + 2 * 3600_000).toISOString();
    for (const query of [
      'ApprovalState = "waiting"',
      'ApprovalOwner = "fay"',
      'ApprovalLane = "finance"',
      'ApprovalLevel = "finance manager"',
      `ApprovalDue < "${inTwoHours}"`,
      `ApprovalTenant = "${TENANT}"`,
      `ApprovalState = "waiting" AND ApprovalOwner = "fay" AND ApprovalLane = "finance" AND ApprovalTenant = "${TENANT}" AND ApprovalDue < "${inTwoHours}"`,
    ]) {
      await untilListed(query, approvalId);
    }
    await untilListed('ApprovalOwner = "lea" AND ApprovalLane = "customer"', transfer);
    expect(await listed('ApprovalOwner = "fay"')).not.toContain(approvalWorkflowId(TENANT, transfer));

    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await untilListed('ApprovalState = "waiting" AND ApprovalOwner = "cleo" AND ApprovalLevel = "CFO"', approvalId);
    await insist(world, approvalId, 'cleo', { type: 'approve', reason: 'ok' });
    await world.result(approvalId);
    await untilListed('ApprovalState = "approved" AND ExecutionStatus = "Completed"', approvalId);
    expect(await listed('ApprovalOwner = "cleo"')).not.toContain(approvalWorkflowId(TENANT, approvalId));
  });

  it('reads what is asked, who is asked, until when, and what comes next', async () => {
    const approvalId = await waiting();
    const { due_at } = await store.db.selectFrom('approvals').select('due_at').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    expect(await (await handle(approvalId).describe()).staticSummary()).toBe(
      'Refund order o1 to the customer (USD 1,480.00, affects one customer, is hard to undo, case T-100).',
    );
    const details = await detailsOf(approvalId);
    for (const text of ['Fay Okafor', 'finance manager', minuteOf(due_at), 'CFO is asked']) expect(details).toContain(text);

    await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
    await until(async () => (await detailsOf(approvalId)).includes('Cleo Marsh'), 'the CFO is shown');
    await insist(world, approvalId, 'cleo', { type: 'deny', reason: 'No receipt' });
    await world.result(approvalId);
    const names = await named(approvalId);
    expect(names[0]).toBe('workflow_execution_started: Refund order o1 to the customer (USD 1,480.00, affects one customer, is hard to undo, case T-100).');
    expect(names).toEqual(
      expect.arrayContaining([expect.stringMatching(/^timer_started: .*Fay Okafor/), expect.stringMatching(/^timer_started: .*Cleo Marsh/)]),
    );
    expect(names).toEqual(expect.arrayContaining(['activity_task_scheduled: Ask Cleo Marsh (cfo) by email', 'activity_task_scheduled: Tell the requester']));
    // Every timer and every activity has a name, on the way as at the end.
    const { events } = await handle(approvalId).fetchHistory();
    expect((events ?? []).filter((e) => (e.timerStartedEventAttributes || e.activityTaskScheduledEventAttributes) && !e.userMetadata?.summary)).toEqual([]);
  });
});

(existsSync(CHROMIUM) ? describe : describe.skip)(`the Temporal UI (needs ${CHROMIUM})`, () => {
  it('shows on the page of a waiting run who is asked, until when, and what comes next', async () => {
    const approvalId = await waiting();
    const run = await handle(approvalId).describe();
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1400, height: 800 }, timezoneId: 'UTC' });
      await page.goto(`${engine.uiUrl ?? ''}/namespaces/default/workflows/${encodeURIComponent(run.workflowId)}/${run.runId}/history`);
      const { due_at } = await store.db.selectFrom('approvals').select('due_at').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
      const dueMinute = minuteOf(due_at);
      // The history names the waiting timer; the tab beside it says the same at length.
      await page.getByText(`Remind finance manager (Fay Okafor) until ${dueMinute}, then CFO is asked`).first().waitFor({ timeout: 30_000 });
      await page.getByText('User Metadata').first().click();
      // What is written in Markdown stands in frames of its own.
      const shown = async (): Promise<string> => (await Promise.all(page.frames().map((frame) => frame.locator('body').innerText()))).join('\n');
      const wanted = ['Refund order o1 to the customer (USD 1,480.00', 'Fay Okafor', 'finance manager', dueMinute, 'then CFO is asked'];
      await until(
        async () => {
          const text = await shown();
          return wanted.every((part) => text.includes(part));
        },
        `the page shows ${wanted.join(', ')}`,
        30_000,
      );
      const image = await page.screenshot();
      expect(image.subarray(1, 4).toString()).toBe('PNG');
      // For the documents, when somebody wants a new one.
      if (process.env['COUNTERSIGN_WRITE_IMAGES'] === '1') writeFileSync(IMAGE, image);
    } finally {
      await browser.close();
    }
  });
});
