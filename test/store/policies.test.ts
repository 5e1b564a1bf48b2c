import { ADMIN_APPROVAL } from '../../record/admin';
import { agentByName, findAgentByKey, issueKey, registerAgent, revokeKey } from '../../record/store/agents';
import { readTimeline } from '../../record/store/entries';
import { activeDirectory, activeHashes, activePolicy, policyByHash, publishDirectory, publishPolicy } from '../../record/store/policies';
import { useStore } from '../support/store';

const store = useStore();
const at = '2026-11-21T09:30:00.000Z';
const policy = (hash: string) => ({ hash, name: 'finance', version: hash, files: [{ path: 'matrix.yaml', text: `rows: # ${hash}\n` }] });
const meta = (tenant: string) => ({ tenant, by: 'maria', at, record: store.keys.record });

describe('publishing', () => {
  test('before the first publication nothing holds', async () => {
    expect(await activePolicy(store.db, 'none')).toBeNull();
    expect(await activeDirectory(store.db, 'none')).toBeNull();
  });

  test('the newest policy holds, the older ones stay readable, and each publication is on the record', async () => {
    const done = [];
    for (const hash of ['p1', 'p2', 'p2', 'p1']) done.push((await publishPolicy(store.db, policy(hash), meta('acme'))).seq);
    expect(done).toEqual([1, 2, null, 3]);
    expect(await activePolicy(store.db, 'acme')).toEqual({ ...policy('p1'), publishedAt: at, publishedBy: 'maria' });
    expect((await policyByHash(store.db, 'acme', 'p2'))?.files).toEqual(policy('p2').files);
    const timeline = await readTimeline(store.db, 'acme', ADMIN_APPROVAL);
    expect(timeline.map((e) => [e.type, e.fields['hash'], e.fields['context.replaces']])).toEqual([
      ['policy_published', 'p1', null],
      ['policy_published', 'p2', 'p1'],
      ['policy_published', 'p1', 'p2'],
    ]);
  });

  test('publications at once come one after the other', async () => {
    const hashes = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(
      hashes.flatMap((hash) => [publishPolicy(store.db, policy(hash), meta('busy')), publishDirectory(store.db, { hash, text: hash }, meta('busy'))]),
    );
    const timeline = await readTimeline(store.db, 'busy', ADMIN_APPROVAL);
    expect(timeline.map((e) => e.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const last = (type: string) => timeline.findLast((e) => e.type === type)?.fields['hash'];
    expect(await activeHashes(store.db, 'busy')).toEqual({ policy: last('policy_published'), directory: last('directory_published') });
  });

  test('one tenant does not see what another published', async () => {
    await publishPolicy(store.db, policy('secret'), meta('one'));
    expect(await policyByHash(store.db, 'two', 'secret')).toBeNull();
  });
});

describe('agents', () => {
  test('a key opens its agent until it is revoked, and is kept only as a hash', async () => {
    const agent = { tenant: 'acme', agent: 'invoices', owner: 'maria', callbackHosts: ['agent.example'], callbackSecrets: ['whsec_x'] };
    await registerAgent(store.db, agent);
    await registerAgent(store.db, { ...agent, owner: 'tom' });
    const key = await issueKey(store.db, { tenant: 'acme', agent: 'invoices', at });
    expect(await findAgentByKey(store.db, key)).toEqual({ tenant: 'acme', agent: 'invoices', owner: 'tom' });
    expect(await agentByName(store.db, 'acme', 'invoices')).toEqual({ ...agent, owner: 'tom' });
    const kept = await store.db.selectFrom('agent_keys').selectAll().execute();
    expect(JSON.stringify(kept)).not.toContain(key.slice(4));
    expect(await revokeKey(store.db, key, at)).toBe(true);
    expect(await revokeKey(store.db, key, at)).toBe(false);
    expect(await findAgentByKey(store.db, key)).toBeNull();
  });

  test('a key for an agent that is not registered is refused', async () => {
    await expect(issueKey(store.db, { tenant: 'acme', agent: 'nobody', at })).rejects.toMatchObject({ code: 'unknown_agent' });
  });
});
