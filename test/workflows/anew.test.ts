/**
 * People and calendars change while somebody waits: the sweep finds whom that changes something for, and the record says what. And a
 * delivery that was given up is tried again when an operator says so, while the request is open and after its end.
 */
import { randomUUID } from 'node:crypto';
import { startDelivery } from '../../activities/engine';
import { instant } from '../../domain/json';
import type { OwedKind } from '../../domain/events';
import { RECONCILE_WORKFLOW, approvalWorkflowId, type ReconcileReport } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { DESK_DIRECTORY } from '../support/desk-policy';
import { engineAddress } from '../support/engine';
import { TRIOS_POLICY } from '../support/trios-policy';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, openWorld, publish, refund, type World } from '../support/world';

/** Addresses that the mail server does not take just now. */
const refused = new Set<string>();
/** An office that is open around the clock, and one that opens for an hour a day. */
const CALENDAR = (hours: string): string =>
  TRIOS_POLICY.replace('lanes:\n', `calendars:\n  office: { zone: UTC, hours: { mon-sun: "${hours}" } }\nlanes:\n`).replace(
    '- { name: finance manager, role: finance_manager, within: 30m, reminders: [0.5] }',
    '- { name: finance manager, role: finance_manager, within: 30m, calendar: office }',
  );

let world: World;
afterAll(async () => world.close());
const store = useStore();
beforeAll(async () => {
  world = await openWorld({
    store,
    address: engineAddress(),
    policy: TRIOS_POLICY,
    directory: DESK_DIRECTORY,
    refuseMail: (address) => (refused.has(address) ? 550 : null),
  });
});
afterEach(async () => publish(store, TRIOS_POLICY, DESK_DIRECTORY));

const sweep = async (): Promise<ReconcileReport> =>
  (await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] })) as ReconcileReport;
const row = async (approvalId: string) => await store.db.selectFrom('approvals').selectAll().where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
const anew = async (approvalId: string) => (await world.story(approvalId)).filter((e) => e.type === 'resolved_anew');
const historyOf = async (approvalId: string): Promise<number> =>
  (await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe()).historyLength;

/** As the schedule does: again and again, since one that is busy is left for the next. */
const swept = async (approvalId: string): Promise<unknown> =>
  await until(async () => {
    await sweep();
    return (await anew(approvalId)).length > 0;
  }, 'it is found out who is there');
const unsettled = async (approvalId: string): Promise<number> =>
  (await store.db.selectFrom('deliveries').select('owed_id').where('approval_id', '=', approvalId).where('status', 'in', ['owed', 'failed_for_now']).execute())
    .length;

/** Asked, and the message is out, so that nothing of its own makes its history longer. */
async function waiting(): Promise<string> {
  const { approvalId } = await world.ask(refund(48_000));
  await until(async () => (await world.story(approvalId)).some((e) => e.type === 'attempted' && e.kind === 'ask'), 'somebody is asked');
  return approvalId;
}

describe('who is there now', () => {
  it('is found out by the sweep after a directory was published: who has left is replaced, and nobody else hears of it', async () => {
    const [theirs, claimed] = [await waiting(), await waiting()];
    expect((await insist(world, claimed, 'finn', { type: 'claim' })).answer).toMatchObject({ accepted: true });
    const without = DESK_DIRECTORY.replace(
      'name: Fay Okafor, email: fay@example.com, roles: [finance_manager]',
      'name: Fay Okafor, email: fay@example.com, roles: []',
    ).replace('finance_manager: [fay, finn]', 'finance_manager: [finn]');
    await publish(store, TRIOS_POLICY, without);
    await swept(theirs);
    expect(await anew(theirs)).toMatchObject([{ owner: 'finn', asked: [{ person: 'finn', role: 'finance_manager' }] }]);
    await until(async () => (await world.story(theirs)).some((e) => e.type === 'attempted' && e.kind === 'ask' && e.to === 'finn'), 'Finn is asked');
    // A directory that changes nothing for them: the look is remembered, and neither record nor engine hear of it.
    const { directory_hash: held } = await store.db.selectFrom('active').select('directory_hash').where('tenant', '=', TENANT).executeTakeFirstOrThrow();
    await publish(store, TRIOS_POLICY, without.replace('name: Sue Lind', 'name: Susan Lind'));
    await until(
      async () => (await unsettled(theirs)) === 0 && (await row(theirs)).adopted === (await row(theirs)).head,
      'all is out, and its workflow has seen it',
    );
    const before = [(await row(theirs)).head, await historyOf(theirs)];
    await sweep();
    const seen = await row(theirs);
    expect([seen.head, await historyOf(theirs)]).toEqual(before);
    expect(seen.looked_directory).not.toBe(held);
    expect((await row(claimed)).looked_directory).toBe(seen.looked_directory);
  });

  it('is found out when somebody’s absence begins, though nothing was published', async () => {
    // Long enough to be asked before it on any machine, and not waited for: the sweep asks again and again.
    const from = instant(Date.now() + 8_000);
    await publish(
      store,
      TRIOS_POLICY,
      DESK_DIRECTORY.replace('roles: [finance_manager] }', `roles: [finance_manager], absences: [{ from: "${from}", to: "2099-01-01T00:00:00.000Z" }] }`),
    );
    const { approvalId } = await world.ask(refund(48_000));
    await until(async () => (await row(approvalId)).state === 'waiting', 'somebody is asked');
    const asked = (await world.story(approvalId)).flatMap((e) => (e.type === 'level_opened' ? e.asked.map((a) => a.person) : []));
    // On a machine that took longer than that, Finn is asked at once, and there is nothing to find out.
    if (asked[0] === 'fay') {
      // Nothing that happens meanwhile makes it forgotten.
      expect((await row(approvalId)).anew_at).toBe(from);
      await swept(approvalId);
      expect(await anew(approvalId)).toMatchObject([{ owner: 'finn' }]);
    } else expect(asked).toEqual(['finn']);
  });

  it('and until when: a calendar that was published since counts from when the level opened', async () => {
    await publish(store, CALENDAR('00:00-24:00'), DESK_DIRECTORY);
    const approvalId = await waiting();
    const due = (await row(approvalId)).due_at ?? '';
    await publish(store, CALENDAR('00:00-00:10'), DESK_DIRECTORY);
    await swept(approvalId);
    const [event] = await anew(approvalId);
    // Half an hour in days of ten minutes.
    expect(event && Date.parse(event.dueAt) - Date.parse(due)).toBeGreaterThan(24 * 3_600_000);
    expect((await row(approvalId)).due_at).toBe(event?.dueAt);
    expect(await anew(approvalId)).toHaveLength(1);
  });
});

describe('a delivery that was given up', () => {
  const debts = async (approvalId: string, kind: string) =>
    await store.db.selectFrom('deliveries').selectAll().where('approval_id', '=', approvalId).where('kind', '=', kind).execute();

  it('is tried again by the workflow of an open request, and by a delivery of its own after the end', async () => {
    refused.add('fay@example.com').add('rita@example.com');
    const { approvalId } = await world.ask(refund(48_000));
    await until(async () => (await debts(approvalId, 'ask'))[0]?.status === 'failed_for_good', 'the message to Fay is given up');
    const [ask] = await debts(approvalId, 'ask');
    const again = (owedId: string) => ({ type: 'reopen_delivery', owed_id: owedId, reason: 'Her mailbox is back' }) as const;
    expect((await insist(world, approvalId, 'fay', again(ask?.owed_id ?? ''))).answer).toMatchObject({ refusal: { code: 'not_an_operator' } });
    expect((await insist(world, approvalId, 'omar', again('99-0'))).answer).toMatchObject({ refusal: { code: 'unknown_delivery' } });
    refused.delete('fay@example.com');
    expect((await insist(world, approvalId, 'omar', again(ask?.owed_id ?? ''))).answer).toMatchObject({ accepted: true });
    await until(async () => (await debts(approvalId, 'ask'))[0]?.status === 'done', 'Fay has the message');
    expect((await insist(world, approvalId, 'omar', again(ask?.owed_id ?? ''))).answer).toMatchObject({ refusal: { code: 'delivery_not_given_up' } });

    expect((await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' })).answer).toMatchObject({ accepted: true });
    expect((await world.result(approvalId)).outcome).toBe('denied');
    await until(async () => (await debts(approvalId, 'tell_requester'))[0]?.status === 'failed_for_good', 'the message to Rita is given up');
    const [told] = await debts(approvalId, 'tell_requester');
    refused.delete('rita@example.com');
    const owedId = told?.owed_id ?? '';
    expect((await insist(world, approvalId, 'omar', again(owedId))).answer).toMatchObject({ accepted: true, state: 'denied' });
    expect((await debts(approvalId, 'tell_requester'))[0]).toMatchObject({ status: 'owed', next_at: null });
    // As the API does; the sweep starts it where the API could not.
    const about = { tenant: TENANT, approvalId, owedId, kind: 'tell_requester' as OwedKind, summary: 'Tell the requester' };
    await startDelivery(world.client, { taskQueue: world.taskQueue, timeScale: 1 }, about);
    await until(async () => (await debts(approvalId, 'tell_requester'))[0]?.status === 'done', 'Rita has the message');
    expect((await world.story(approvalId)).filter((e) => e.type === 'delivery_reopened')).toHaveLength(2);
  });
});
