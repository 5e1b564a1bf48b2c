/**
 * What the engine's database holds of approvals: lives with a canary string in everything that a customer, an agent or a person can
 * write, on a server of its own that keeps a file; then the file is searched. The same lives without encryption show that the search
 * would find them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { sql } from 'kysely';
import { createCipher, createCodec } from '../../activities/codec/codec';
import { newPayloadKeys } from '../../activities/codec/keys';
import type { RequestDraft } from '../../domain/request';
import { startEngine } from '../../workers/engine';
import { WITHDRAW_SIGNAL, approvalWorkflowId, type WithdrawMessage } from '../../workflows/protocol';
import { canaries, found } from '../support/canary';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { workflowBundle } from '../support/engine';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';
import { TENANT, openWorld, type World } from '../support/world';

const store = useStore();

const wanted = () =>
  canaries(
    'summary',
    'param',
    'system',
    'reason',
    'customerId',
    'customerName',
    'customerEmail',
    'onBehalfOf',
    'case',
    'evidenceTitle',
    'evidence',
    'artifact',
    'run',
    'approverName',
    'approverEmail',
    'yes',
    'no',
    'instructions',
    'resolution',
    'withdrawnBy',
    'withdrawal',
    'failure',
    'callback',
  );
type Canaries = ReturnType<typeof wanted>;

const full = (c: Canaries): RequestDraft =>
  refund(48_000, {
    action: {
      type: 'refund.issue',
      summary: `Refund ${c.summary}`,
      params: { amount: { minor: 48_000, currency: 'USD' }, order: c.param },
      system: c.system,
      reversibility: 'hard',
      audience: { reach: 'one_customer', count: 1 },
      artifacts: [{ name: c.artifact, media_type: 'text/plain', sha256: 'a'.repeat(64) }],
    },
    run: c.run,
    on_behalf_of: c.onBehalfOf,
    customer: { id: c.customerId, name: c.customerName, email: `${c.customerEmail}@example.com` },
    case: c.case,
    reason: c.reason,
    evidence: [{ name: 'thread', title: c.evidenceTitle, source: 'customer', content: c.evidence }],
  });

async function asked(world: World, request: RequestDraft): Promise<string> {
  const { approvalId } = await world.ask(request);
  await world.mail.waitFor((mail) => mail.text.includes(approvalId), 90_000);
  return approvalId;
}

/** A commit that fails, with the words of a row in the error, until it is mended: what the engine keeps of failures. */
async function failing(world: World, c: Canaries): Promise<void> {
  const approvalId = await asked(world, full(c));
  await sql`create function stumble() returns trigger language plpgsql as $$ begin raise exception 'row (%)', ${sql.lit(c.failure)}; end $$`.execute(
    store.adminDb,
  );
  await sql`create trigger stumble before insert on answers for each row execute function stumble()`.execute(store.adminDb);
  const answer = world.move(approvalId, 'fay', { type: 'approve', reason: c.yes });
  await until(async () => {
    const { raw } = await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe();
    return (raw.pendingActivities?.[0]?.attempt ?? 0) > 1;
  }, 'the commit failed and is tried again');
  await sql`drop trigger stumble on answers`.execute(store.adminDb);
  await sql`drop function stumble()`.execute(store.adminDb);
  expect((await answer).accepted).toBe(true);
  await world.result(approvalId);
}

/** Every kind of end, on a server that is stopped afterwards; the canaries that its files hold. */
async function live(dataConverter?: DataConverter): Promise<string[]> {
  const c = wanted();
  const dir = mkdtempSync(join(tmpdir(), 'countersign-canary-'));
  try {
    const engine = await startEngine({ port: await holdPort(), dbFile: join(dir, 'temporal.db') });
    const directory = DESK_DIRECTORY.replace('Fay Okafor', c.approverName).replace('fay@example.com', `${c.approverEmail}@example.com`);
    const world = await openWorld({ store, address: engine.address, directory, bundle: workflowBundle(), ...(dataConverter ? { dataConverter } : {}) });
    try {
      await failing(world, c);
      // Nobody answers there: what is tried later lies in a delivery's run.
      const denied = await asked(world, { ...full(c), resume: { type: 'callback', url: `http://127.0.0.1:1/${c.callback}` } });
      await world.move(denied, 'fay', { type: 'deny', reason: c.no });
      await world.result(denied);
      const withdrawn = await asked(world, full(c));
      await world.client.workflow
        .getHandle(approvalWorkflowId(TENANT, withdrawn))
        .signal<[WithdrawMessage]>(WITHDRAW_SIGNAL, { by: c.withdrawnBy, reason: c.withdrawal });
      await world.result(withdrawn);
      const back = await asked(world, actionOf('talk.transfer'));
      await world.move(back, 'lea', { type: 'take_over', reason: c.yes });
      await world.move(back, 'lea', { type: 'hand_back', instructions: c.instructions });
      await world.result(back);
      const byHand = await asked(world, actionOf('talk.transfer'));
      await world.move(byHand, 'lea', { type: 'take_over', reason: c.yes });
      await world.move(byHand, 'lea', { type: 'resolve', result: c.resolution });
      await world.result(byHand);
    } finally {
      await world.close();
      await engine.stop();
    }
    return found(dir, c);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

it('without encryption the engine holds what people read and wrote: the search finds it', async () => {
  const held = await live();
  process.stdout.write(`In clear without encryption: ${held.join(', ')}\n`);
  expect(held).toEqual(expect.arrayContaining(['summary', 'case', 'approverName', 'no', 'instructions', 'resolution', 'withdrawnBy', 'withdrawal', 'failure']));
});

it('with encryption nothing that a customer, an agent or a person wrote lies in the database of the engine', async () => {
  expect(await live({ payloadCodecs: [createCodec(createCipher(newPayloadKeys()))] })).toEqual([]);
});
