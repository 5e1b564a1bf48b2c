/**
 * What is owed and needs no answer any more is settled, so that the sweep does not take it for a delivery that was lost.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { createAttempt } from '../../activities/attempt';
import { createCallback } from '../../activities/callback';
import { createCore } from '../../activities/core';
import { createCredentialHook } from '../../activities/credential';
import { createEgress } from '../../activities/egress';
import { createEmail } from '../../activities/notify/email';
import { createWebhook } from '../../activities/notify/webhook';
import { createGauges } from '../../activities/telemetry/gauges';
import { engineClock } from '../../domain/clock';
import { registerAgent } from '../../record/store/agents';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { refund } from '../support/requests';
import { useStore } from '../support/store';

const MINUTE = 60_000;
const closing: (() => void | Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});
const store = useStore();

it('a question that could not be sent is superseded once its level has passed', async () => {
  const publicUrl = 'http://localhost:8700';
  const log = pino({ level: 'silent' });
  const core = createCore({ db: store.db, clock: engineClock, keys: store.keys, log, publicUrl, development: true, allowLoopback: true });
  const egress = createEgress({ allowLoopback: true });
  const callback = createCallback({ egress });
  // Nobody listens on the discard port of this machine.
  const email = createEmail({ transportUrl: 'smtp://127.0.0.1:9', from: 'approvals@example.com', publicUrl });
  closing.push(
    () => email.close(),
    () => egress.close(),
  );
  const webhook = createWebhook({ settings: null, callback, publicUrl });
  const signalOutcome = () => Promise.resolve('gone' as const);
  const signals = { signalOutcome, signalPause: signalOutcome, signalQuestion: signalOutcome };
  const credentialHook = createCredentialHook({ settings: null, callback });
  const attempt = createAttempt({ ...core.deps, active: core.active, email, webhook, callback, pace: core.pace, ...signals, credentialHook });
  await publish(store, DESK_POLICY, DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
  const { approvalId } = await core.submit(AGENT, randomUUID(), refund(30_000));
  const start = Date.now() + 1_000;
  const commit = (type: 'open' | 'clock', afterMs: number) =>
    core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type }, workflowTime: start + afterMs });
  const { view } = await commit('open', 0);
  const owedId = view.todo.find(({ kind }) => kind === 'ask')?.id ?? '';
  const tryAt = (afterMs: number) => attempt({ tenant: TENANT, approvalId, owedId, workflowTime: start + afterMs });
  const delivery = () =>
    store.db.selectFrom('deliveries').select(['status', 'next_at']).where('approval_id', '=', approvalId).where('owed_id', '=', owedId).executeTakeFirst();

  expect(await tryAt(1_000)).toMatchObject({ status: 'failed_for_now' });
  expect(await delivery()).toMatchObject({ status: 'failed_for_now', next_at: expect.any(String) as string });
  await commit('clock', 31 * MINUTE);
  expect(await tryAt(32 * MINUTE)).toMatchObject({ status: 'done' });
  expect(await delivery()).toEqual({ status: 'superseded', next_at: null });
  // The one that the next level owes, and not this one as well.
  const pending = (await createGauges(core.deps)()).find(({ name }) => name === 'countersign_deliveries_pending');
  expect(pending?.samples).toEqual([{ labels: { kind: 'ask' }, value: 1 }]);
});
