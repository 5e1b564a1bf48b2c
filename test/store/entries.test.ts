import { NO_HEAD } from '../../record/entry';
import { append, readEvents, readTimeline } from '../../record/store/entries';
import { databaseTime } from '../../record/store/database';
import { useStore } from '../support/store';

const store = useStore();
const at = '2026-11-21T09:30:00.000Z';
const started = { type: 'engine', what: 'started', why: 'submitted' } as const;

test('what was appended is read back as it was told', async () => {
  const denied = { type: 'takeover_lapsed', by: 'maria', dueAt: '2026-11-21T10:00:00.000Z' } as const;
  const { head, entries } = await append(store.db, {
    tenant: 'acme',
    approvalId: 'a1',
    head: NO_HEAD,
    at,
    items: [
      { event: started, commandId: null },
      { event: denied, commandId: 'command-1' },
    ],
    context: { agent: 'invoices', personal: { customer: 'Ada' } },
    record: store.keys.record,
  });
  expect(head).toEqual({ seq: 2, hash: entries[1]?.leaf });
  expect(await readEvents(store.db, 'acme', 'a1')).toEqual([
    { seq: 1, at, event: started },
    { seq: 2, at, event: denied },
  ]);
  const timeline = await readTimeline(store.db, 'acme', 'a1');
  expect(timeline[0]?.fields).toEqual({ what: 'started', why: 'submitted', 'context.agent': 'invoices', 'context.personal': { customer: 'Ada' } });
});

test('of two writers from the same head one succeeds', async () => {
  const write = (why: string) =>
    append(store.db, {
      tenant: 'acme',
      approvalId: 'a2',
      head: NO_HEAD,
      at,
      items: [{ event: { ...started, why }, commandId: null }],
      context: {},
      record: store.keys.record,
    });
  const outcomes = await Promise.allSettled([write('one'), write('two')]);
  expect(outcomes.filter((o) => o.status === 'fulfilled')).toHaveLength(1);
  expect(outcomes.find((o) => o.status === 'rejected')).toMatchObject({ reason: { code: 'stale_head' } });
  expect(await readEvents(store.db, 'acme', 'a2')).toHaveLength(1);
});

test('one command gets one entry', async () => {
  const write = (head: { seq: number; hash: string }) =>
    append(store.db, {
      tenant: 'acme',
      approvalId: 'a3',
      head,
      at,
      items: [{ event: started, commandId: 'command-3' }],
      context: {},
      record: store.keys.record,
    });
  const { head } = await write(NO_HEAD);
  await expect(write(head)).rejects.toMatchObject({ code: 'stale_head', message: expect.stringContaining('already has its entry') });
});

test('what could not be read back alike is refused before it is on the record', async () => {
  const write = (why: string) =>
    append(store.db, {
      tenant: 'acme',
      approvalId: 'a4',
      head: NO_HEAD,
      at,
      items: [{ event: { ...started, why }, commandId: null }],
      context: {},
      record: store.keys.record,
    });
  await expect(write('a\u0000b')).rejects.toMatchObject({ code: 'nul_character' });
  await expect(write('\ud800')).rejects.toMatchObject({ code: 'lone_surrogate' });
  expect(await readEvents(store.db, 'acme', 'a4')).toEqual([]);
});

test('the store tells the time as an instant', async () => {
  expect(await databaseTime(store.db)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
