/**
 * What the moves change about who reads what: people who are drawn in, deputies, whom the policy lets operate; and the list of what does
 * not get on by itself. Over the API and a real store.
 */
import { randomUUID } from 'node:crypto';
import type { RequestDraft } from '../../domain/request';
import { openApi, type ApiWorld } from '../support/api';
import { commitsAtOnce } from '../support/at-once';
import { publish } from '../support/desk';
import { MOVES_DIRECTORY, MOVES_POLICY } from '../support/moves-policy';
import { refund } from '../support/requests';
import { useStore } from '../support/store';

const POLICY = MOVES_POLICY.replace('  roles: [operator]\n', '  roles: [operator, desk_lead]\n');
const PEOPLE = `  dan: { name: Dan Ross, email: dan@example.com, roles: [desk_lead] }
  kim: { name: Kim Holt, email: kim@example.com, roles: [clerk] }
duty:
`;
const DIRECTORY = MOVES_DIRECTORY.replace('duty:\n', PEOPLE);
/** Fay is away, and Kim stands in for her. */
const WITHOUT_FAY = DIRECTORY.replace(
  /fay: \{(.*) roles: \[finance_manager\] \}/,
  "fay: {$1 roles: [finance_manager], absences: [{ from: '2026-01-01T00:00:00Z', to: '2199-01-01T00:00:00Z', deputy: kim }] }",
);

let api: ApiWorld;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await api.close();
});
const store = useStore();
beforeAll(async () => {
  api = await openApi({ store, gateway: commitsAtOnce, patience: { engineMs: 60_000, moveMs: 60_000, tryMs: 60_000, openMs: 60_000, waitMs: 0 } });
  await publish(store, POLICY, DIRECTORY);
});

async function as(person: string, method: 'GET' | 'POST', url: string, payload?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const headers = { authorization: `Bearer ${await api.signIn(person)}` };
  const response = await api.app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

async function ask(request: RequestDraft): Promise<string> {
  const headers = { authorization: `Bearer ${api.keys.own}`, 'idempotency-key': randomUUID() };
  const response = await api.app.inject({ method: 'POST', url: '/v1/requests', headers, payload: request });
  return response.json<{ approval_id: string }>().approval_id;
}

async function move(id: string, person: string, body: object): Promise<void> {
  expect(await as(person, 'POST', `/v1/approvals/${id}/moves`, body)).toMatchObject({ status: 200 });
}

/** Directly, in the list, and among the deliveries: the same answer everywhere, or the test fails. */
async function sees(id: string, person: string): Promise<boolean> {
  const direct = (await as(person, 'GET', `/v1/requests/${id}`)).status === 200;
  const listed = JSON.stringify((await as(person, 'GET', '/v1/approvals?limit=200')).body).includes(id);
  const owed = JSON.stringify((await as(person, 'GET', '/v1/deliveries?limit=200')).body).includes(id);
  expect({ person, listed, owed }).toEqual({ person, listed: direct, owed: direct });
  return direct;
}

const seeing = async (id: string, people: readonly string[]): Promise<boolean[]> => {
  const seen: boolean[] = [];
  for (const person of people) seen.push(await sees(id, person));
  return seen;
};

it('who is asked for information sees it from then on, and not who is asked about another one', async () => {
  const [id, other] = [await ask(refund(48_000)), await ask(refund(48_000))];
  expect(await seeing(id, ['mia', 'kim'])).toEqual([false, false]);
  await move(id, 'fay', { type: 'ask', of: 'mia', question: 'Is it there?' });
  await move(other, 'fay', { type: 'ask', of: 'agent', question: 'Is it there?' });
  expect(await seeing(id, ['mia', 'kim'])).toEqual([true, false]);
  expect(await seeing(other, ['mia', 'kim'])).toEqual([false, false]);
});

it('whom the policy lets operate, override or break the glass sees it', async () => {
  const id = await ask(refund(48_000));
  expect(await seeing(id, ['dan', 'rob', 'ida', 'omar', 'ada', 'mia'])).toEqual([true, true, true, true, true, false]);
});

it('a deputy sees what the absent would see, and goes on seeing what they were asked when the other is back', async () => {
  const before = await ask(refund(48_000));
  await publish(store, POLICY, WITHOUT_FAY);
  const asked = await ask(refund(48_000));
  expect((await as('ada', 'GET', `/v1/requests/${asked}`)).body).toMatchObject({ owner: 'kim' });
  expect(await seeing(before, ['kim', 'mia'])).toEqual([true, false]);
  expect(await seeing(asked, ['kim', 'mia'])).toEqual([true, false]);
  await publish(store, POLICY, DIRECTORY);
  expect(await seeing(before, ['kim'])).toEqual([false]);
  expect(await seeing(asked, ['kim'])).toEqual([true]);
});

describe('what does not get on by itself', () => {
  interface Item {
    readonly approval_id: string;
    readonly kind: string;
    readonly why: string;
    readonly owed_id: string | null;
  }
  const stuck = async (person: string, id: string): Promise<Item[]> =>
    ((await as(person, 'GET', '/v1/operator/stuck?limit=200')).body['items'] as Item[]).filter((item) => item.approval_id === id);
  const ago = new Date(Date.now() - 3_600_000).toISOString();

  it('is empty for what waits as it should, and for who operates nothing', async () => {
    const id = await ask(refund(48_000));
    expect(await stuck('omar', id)).toEqual([]);
    await store.adminDb.updateTable('approvals').set({ wake_at: ago }).where('approval_id', '=', id).execute();
    expect(await stuck('fay', id)).toEqual([]);
    for (const person of ['omar', 'dan'])
      expect(await stuck(person, id)).toMatchObject([{ kind: 'overdue', why: expect.stringContaining('has not; look') as string }]);
  });

  it.each([
    ['routing', { state: 'routing', created_at: ago, wake_at: null }, /^It was submitted at .* nobody has been asked yet/],
    ['unowned', { owner: null }, /^It waits on nobody by name/],
    ['held', { state: 'held' }, /^Nobody answered in time; it is held for Fay Okafor until /],
  ] as const)('%s', async (kind, changed, why) => {
    const id = await ask(refund(48_000));
    await store.adminDb.updateTable('approvals').set(changed).where('approval_id', '=', id).execute();
    const items = await stuck('omar', id);
    expect(items).toEqual([expect.objectContaining({ kind, why: expect.stringMatching(why) as string })]);
  });

  it('names a question until it is answered', async () => {
    const id = await ask(refund(48_000));
    await move(id, 'fay', { type: 'ask', of: 'mia', question: 'Is it there?' });
    expect(await stuck('omar', id)).toMatchObject([{ kind: 'question', why: expect.stringMatching(/^Fay Okafor asked Mia Frost for information/) as string }]);
    await move(id, 'mia', { type: 'reply', question: 'q1', text: 'No' });
    expect(await stuck('omar', id)).toEqual([]);
  });

  it('names deliveries that fail, and by which id they are tried again', async () => {
    const id = await ask(refund(48_000));
    const fails = (status: string) =>
      store.adminDb
        .updateTable('deliveries')
        .set({ status, attempts: 3, last_detail: 'no such mailbox' })
        .where('approval_id', '=', id)
        .returning('owed_id')
        .executeTakeFirstOrThrow();
    const { owed_id: owed } = await fails('failed_for_good');
    expect(await stuck('omar', id)).toMatchObject([
      { kind: 'dead_letter', owed_id: owed, why: expect.stringContaining('was given up after 3 attempts (no such mailbox)') as string },
    ]);
    await fails('failed_for_now');
    expect(await stuck('omar', id)).toMatchObject([{ kind: 'retrying', owed_id: owed }]);
  });
});
