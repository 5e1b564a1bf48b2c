/**
 * Two lanes that sign at the same time, on the engine that skips time, over a real store: one clock each, one life. What the engine's
 * list, the store's list and the record say of it is the same.
 */
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { listApprovals } from '../../client/api/reads';
import type { Move } from '../../domain/moves';
import { startTimeSkipping } from '../../workers/engine';
import { VIEW_QUERY, approvalWorkflowId, type ApprovalView } from '../../workflows/protocol';
import { until } from '../support/processes';
import { SIDE_POLICY } from '../support/side-policy';
import { useStore } from '../support/store';
import { TENANT, actionOf, openWorld, type World } from '../support/world';

const MINUTE = 60_000;
const yes: Move = { type: 'approve', reason: 'Looked at it' };

let env: TestWorkflowEnvironment;
let world: World;

afterAll(async () => {
  await world.close();
  await env.teardown();
});
const store = useStore();
beforeAll(async () => {
  env = await startTimeSkipping();
  world = await openWorld({ store, skipping: env, policy: SIDE_POLICY });
});

const handle = (approvalId: string) => world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId));
const view = async (approvalId: string): Promise<ApprovalView | null> => await handle(approvalId).query<ApprovalView | null>(VIEW_QUERY);
/** Whom it waits on, as the engine shows it, once it is these. */
const waitsOn = async (approvalId: string, ...people: string[]): Promise<ApprovalView> =>
  await until(
    async () => {
      const seen = await view(approvalId).catch(() => null);
      return seen && seen.attributes.owners.join() === people.join() ? seen : null;
    },
    `it waits on ${people.join(' and ')}`,
  );
const story = async (approvalId: string) => (await world.story(approvalId)).filter((e) => e.type !== 'attempted');
const ask = async (): Promise<string> => {
  const { approvalId } = await world.ask(actionOf('config.change'));
  await waitsOn(approvalId, 'fay', 'sam');
  return approvalId;
};
const signedInAs = (id: string, roles: readonly string[]) => ({
  tenant: TENANT,
  person: { id, name: id, email: `${id}@example.com`, roles, absences: [] },
  directory: { hash: '', people: {}, duty: {}, owners: {} },
  signedInAt: new Date().toISOString(),
  session: 's',
});
const mine = async (id: string, role: string): Promise<string[]> =>
  (await listApprovals(store.db, signedInAs(id, [role]), { mine: true, limit: 50 })).items.map((a) => a.approvalId);

it('both are asked at once, and the engine, the lists and the people see both', async () => {
  const approvalId = await ask();
  expect((await view(approvalId))?.attributes).toMatchObject({ level: 'finance manager, security officer', lanes: ['finance', 'security'] });
  const attributes = (await handle(approvalId).describe()).raw.workflowExecutionInfo?.searchAttributes?.indexedFields ?? {};
  const shown = (name: string): unknown => JSON.parse(Buffer.from(attributes[name]?.data ?? []).toString('utf8'));
  expect(shown('ApprovalOwner')).toEqual(['fay', 'sam']);
  expect(shown('ApprovalLane')).toEqual(['finance', 'security']);
  expect(await mine('fay', 'finance_manager')).toEqual([approvalId]);
  expect(await mine('sam', 'security_officer')).toEqual([approvalId]);
  const list = await listApprovals(store.db, signedInAs('sam', ['security_officer']), { mine: false, lane: 'security', limit: 50 });
  expect(list.items).toMatchObject([{ approvalId, lanes: ['finance', 'security'], owners: ['fay', 'sam'] }]);
  await until(
    () => ['fay', 'sam'].every((id) => world.mail.mails().some((m) => m.to.includes(`${id}@example.com`) && JSON.stringify(m).includes(approvalId))),
    'both have mail',
  );

  expect(await world.move(approvalId, 'sam', yes)).toMatchObject({ accepted: true, state: 'waiting' });
  expect(await mine('sam', 'security_officer')).toEqual([]);
  expect(await world.move(approvalId, 'fay', yes)).toMatchObject({ accepted: true, state: 'approved' });
  const result = await world.result(approvalId);
  expect(result).toMatchObject({ outcome: 'approved', reason: 'Approved by Sam Ito (security_officer) and Fay Okafor (finance_manager)' });
  expect(result.deciders.map((d) => d.person)).toEqual(['sam', 'fay']);
  expect(await mine('fay', 'finance_manager')).toEqual([]);
});

it('one times out and the next level is asked, while the other signs', async () => {
  const approvalId = await ask();
  await env.sleep(31 * MINUTE);
  await waitsOn(approvalId, 'cleo', 'sam');
  expect(await world.move(approvalId, 'fay', yes)).toMatchObject({ accepted: false, refusal: { code: 'role_not_held' } });
  expect(await world.move(approvalId, 'sam', yes)).toMatchObject({ accepted: true });
  expect(await world.move(approvalId, 'cleo', yes)).toMatchObject({ accepted: true, state: 'approved' });
  expect((await story(approvalId)).map((e) => e.type)).toEqual([
    'requested',
    'routed',
    'level_opened',
    'level_opened',
    'reminded',
    'level_timed_out',
    'level_opened',
    'reminded',
    'refused',
    'signed_off',
    'signed_off',
    'ended',
  ]);
});

it('one runs out and is held for its backup, whose yes counts for it; the other goes on', async () => {
  const approvalId = await ask();
  await env.sleep(61 * MINUTE);
  // Cleo has the first in hand, so the hold of the second goes to Carl.
  const held = await waitsOn(approvalId, 'cleo', 'carl');
  expect(held).toMatchObject({ state: 'held', attributes: { level: 'CFO, held for cfo' } });
  expect(await world.move(approvalId, 'carl', yes)).toMatchObject({ accepted: true, state: 'waiting' });
  expect(await world.move(approvalId, 'cleo', yes)).toMatchObject({ accepted: true, state: 'approved' });
  expect((await story(approvalId)).flatMap((e) => (e.type === 'signed_off' ? [[e.signOff, e.by]] : []))).toEqual([
    ['2', 'carl'],
    ['1', 'cleo'],
  ]);
});

it('nobody answers: the hold is bounded, and one end is the end of both', async () => {
  const approvalId = await ask();
  await env.sleep(61 * MINUTE);
  await waitsOn(approvalId, 'cleo', 'carl');
  await env.sleep(61 * MINUTE);
  expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied', reason: 'Held for cfo and nobody decided', deciders: [] });
  expect((await story(approvalId)).filter((e) => e.type === 'ended')).toHaveLength(1);
  // Nobody is asked any more.
  const open = await store.db
    .selectFrom('deliveries')
    .select('owed_id')
    .where('approval_id', '=', approvalId)
    .where('status', 'in', ['owed', 'failed_for_now'])
    .execute();
  expect(open).toEqual([]);
});

it('moves of four people at once on both leave two signatures and one end', async () => {
  const approvalId = await ask();
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => world.move(approvalId, ['fay', 'sam', 'finn', 'sue'][i % 4] ?? '', yes).catch(() => null)),
  );
  expect(answers.filter((a) => a?.accepted)).toHaveLength(2);
  await world.result(approvalId);
  const signed = (await story(approvalId)).flatMap((e) => (e.type === 'signed_off' ? [e.signOff] : []));
  expect([...signed].sort()).toEqual(['1', '2']);
  expect((await story(approvalId)).filter((e) => e.type === 'ended')).toHaveLength(1);
});
