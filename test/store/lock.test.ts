/**
 * Who waits for an approval behind a slow holder judges by what holds when the lock is free: the time, and the directory.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { sql } from 'kysely';
import { lockAgain, lockApproval, readApproval, type Loaded } from '../../activities/approvals';
import { createCore } from '../../activities/core';
import { databaseClock } from '../../domain/clock';
import { registerAgent } from '../../record/store/agents';
import { databaseTime, type Trx } from '../../record/store/database';
import { activeHashes } from '../../record/store/policies';
import { AGENT, TENANT, publish } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { refund } from '../support/requests';
import { useStore } from '../support/store';

const store = useStore();
let approvalId: string;

beforeEach(async () => {
  const { db, keys } = store;
  const log = pino({ level: 'silent' });
  const core = createCore({ db, clock: databaseClock, keys, log, publicUrl: 'http://localhost:8700', development: true, allowLoopback: false });
  await publish(store, DESK_POLICY, DESK_DIRECTORY);
  await registerAgent(db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
  ({ approvalId } = await core.submit(AGENT, randomUUID(), refund(48_000)));
});

/** Whether a session of the application waits for a lock. */
async function isWaited(): Promise<boolean> {
  const { rows } = await sql`select 1 from pg_stat_activity where application_name = 'test-app' and wait_event_type = 'Lock'`.execute(store.adminDb);
  return rows.length > 0;
}

/** Takes the lock behind a holder, during whose time `meanwhile` happens; with the time at which the holder still had it. */
async function behindAHolder(take: (trx: Trx) => Promise<Loaded>, meanwhile: () => Promise<void>): Promise<{ loaded: Loaded; heldAt: string }> {
  let taking: Promise<Loaded> | undefined;
  const heldAt = await store.adminDb.transaction().execute(async (holder) => {
    await holder.selectFrom('approvals').select('head').where('approval_id', '=', approvalId).forUpdate().execute();
    taking = store.db.transaction().execute(take);
    while (!(await isWaited()));
    await meanwhile();
    return await databaseTime(holder);
  });
  if (!taking) throw new Error('Nobody waited');
  return { loaded: await taking, heldAt };
}

test('a commit that waited takes the time, and the directory that holds, after the wait', async () => {
  const before = (await activeHashes(store.db, TENANT)).directory;
  const { loaded, heldAt } = await behindAHolder(
    (trx) => lockApproval(trx, TENANT, approvalId),
    () => publish(store, DESK_POLICY, `${DESK_DIRECTORY}\n# Somebody left.\n`),
  );
  const now = (await activeHashes(store.db, TENANT)).directory;
  expect(now).not.toBe(before);
  expect(loaded.directoryHash).toBe(now);
  expect(loaded.readAt >= heldAt).toBe(true);
});

test('an attempt that waited is recorded at the time after the wait', async () => {
  const read = await readApproval(store.db, TENANT, approvalId);
  if (!read) throw new Error('It is not there');
  const { loaded, heldAt } = await behindAHolder(
    (trx) => lockAgain(trx, read),
    () => Promise.resolve(),
  );
  expect(loaded.readAt >= heldAt).toBe(true);
  expect(loaded.head).toEqual(read.head);
});

test('an approval that nobody holds is locked and read in one statement, and one that is not there is said to be so', async () => {
  await store.db.transaction().execute(async (trx) => {
    expect((await lockApproval(trx, TENANT, approvalId)).approvalId).toBe(approvalId);
    const { rows } = await sql`select 1 from approvals where approval_id = ${approvalId} for update skip locked`.execute(store.adminDb);
    expect(rows).toEqual([]);
  });
  await expect(store.db.transaction().execute((trx) => lockApproval(trx, TENANT, 'ap_never'))).rejects.toMatchObject({ code: 'not_submitted' });
});
