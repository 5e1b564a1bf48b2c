/**
 * Fifty people decide one approval at once, half of them yes, half of them no: one decision stands, everybody is told which, and
 * the record is what tells them. Once as the API does it, at most eight in flight, and once straight at Temporal without restraint.
 */
import { createLimiter, IN_FLIGHT_MAX } from '../../client/api/limiter';
import type { Move } from '../../domain/moves';
import { insist, type Told } from '../support/approver';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { engineAddress } from '../support/engine';
import { contradictions } from '../support/oracle';
import { until } from '../support/processes';
import { useStore } from '../support/store';
import { TENANT, openWorld, refund, type World } from '../support/world';

const APPROVERS = Array.from({ length: 50 }, (_, i) => `p${String(i).padStart(2, '0')}`);
const directory = DESK_DIRECTORY.replace(
  'people:\n',
  `people:\n${APPROVERS.map((id) => `  ${id}: { name: Person ${id}, email: ${id}@example.com, roles: [finance_manager] }\n`).join('')}`,
);

let world: World;
afterAll(async () => world.close());
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), policy: DESK_POLICY, directory });
});

const moveOf = (i: number): Move => (i % 2 === 0 ? { type: 'approve', reason: `yes from ${i}` } : { type: 'deny', reason: `no from ${i}` });

async function open(): Promise<string> {
  const { approvalId } = await world.ask(refund(48_000));
  await until(
    async () => (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state === 'waiting',
    'it waits',
  );
  return approvalId;
}

async function expectOneStands(approvalId: string, told: readonly Told[]): Promise<void> {
  const result = await world.result(approvalId);
  const story = await world.story(approvalId);
  expect(story.filter((e) => e.type === 'ended')).toHaveLength(1);
  const accepted = told.filter((t) => t.answer.accepted);
  expect(accepted).toHaveLength(1);
  const winner = APPROVERS.indexOf(accepted[0]?.person ?? '');
  expect(result.outcome).toBe(winner % 2 === 0 ? 'approved' : 'denied');
  // Everybody else is told which one stands, and every answer has its entry.
  for (const { answer } of told.filter((t) => !t.answer.accepted))
    expect(answer).toMatchObject({ state: result.outcome, refusal: { code: 'already_decided' } });
  expect(told.filter((t) => t.answer.refusal?.message.startsWith(`It ended as ${result.outcome}: `))).toHaveLength(APPROVERS.length - 1);
  expect(story.filter((e) => e.type === 'refused')).toHaveLength(APPROVERS.length - 1);
  expect(new Set(told.map((t) => t.answer.seq)).size).toBe(APPROVERS.length);
  expect(await contradictions({ store, client: world.client, tenant: TENANT, approvals: [approvalId], acknowledged: told })).toEqual([]);
}

describe('fifty approvers at once', () => {
  it('as the API does it, at most eight in flight: one stands and each is told which', async () => {
    const approvalId = await open();
    const limiter = createLimiter(IN_FLIGHT_MAX);
    const told = await Promise.all(APPROVERS.map((person, i) => limiter.run(approvalId, () => insist(world, approvalId, person, moveOf(i)))));
    await expectOneStands(approvalId, told);
  });

  it('straight at Temporal, without restraint: errors are resolved from the record, and still one stands', async () => {
    const approvalId = await open();
    const told = await Promise.all(APPROVERS.map((person, i) => insist({ ...world, patienceMs: 10_000 }, approvalId, person, moveOf(i))));
    process.stdout.write(`Fifty at once without restraint: ${told.reduce((sum, t) => sum + t.errors, 0)} errors of the engine, all resolved from the record\n`);
    await expectOneStands(approvalId, told);
  });
});
