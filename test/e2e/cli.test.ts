/**
 * The command against the real API and store: what it prints, and what it exits with.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { run } from '../../client/cli/program';
import { keysToJson } from '../../record/keys';
import { agentByName } from '../../record/store/agents';
import { sequence } from '../../record/store/sequencer';
import { openApi, type ApiWorld } from '../support/api';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

let world: ApiWorld;
let url: string;
let dir: string;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});
const store = useStore();
beforeAll(async () => {
  world = await openApi({ store });
  url = await world.app.listen({ host: '127.0.0.1', port: 0 });
  dir = mkdtempSync(join(tmpdir(), 'countersign-cli-'));
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(keysToJson(store.keys)));
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function countersign(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await run(argv, {
    env: { COUNTERSIGN_URL: url, COUNTERSIGN_KEYS_FILE: join(dir, 'keys.json'), DATABASE_URL: store.appUrl, ...env },
    configDir: join(dir, 'config'),
    fetch: globalThis.fetch,
    now: () => new Date().toISOString(),
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}

function file(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const asAgent = () => ({ COUNTERSIGN_KEY: world.keys.own });

describe('policy explain', () => {
  const policyDir = (): string => {
    const path = join(dir, 'explained');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'policy.yaml'), DESK_POLICY);
    writeFileSync(join(path, 'directory.yaml'), DESK_DIRECTORY);
    return path;
  };
  const at = ['--at', '2026-11-23T09:00:00Z'];

  it('says which rows apply and which parts of a trigger held, the plan, and the timeline of silence, by the same rules', async () => {
    const { code, out } = await countersign(['policy', 'explain', policyDir(), '--request', file('r.json', refund(148_000)), ...at]);
    expect(code).toBe(0);
    for (const part of [
      'refund_over_250 (approval) applies\n    yes: action.type ("refund.issue") == "refund.issue"\n    yes: action.params.amount (USD 1,480.00) > usd(250)',
      'invoice (approval) does not apply\n    no: action.type ("refund.issue") == "invoice.pay"',
      'sign-off 1 in finance: finance manager, then CFO',
      '2026-11-23T09:00:00.000Z  Fay Okafor (finance manager) is asked until 2026-11-23T09:30:00.000Z; then CFO is asked',
      '2026-11-23T09:15:00.000Z  a reminder is sent',
      '2026-11-23T09:30:00.000Z  Cleo Marsh (CFO) is asked until 2026-11-23T11:30:00.000Z',
      'it ends as expired',
    ])
      expect(out).toContain(part);
    const plan = (
      JSON.parse((await countersign(['policy', 'explain', policyDir(), '--json', '--request', join(dir, 'r.json'), ...at])).out) as {
        resolved: { plan: unknown };
      }
    ).resolved.plan;
    expect(plan).toEqual((await world.core.submit({ tenant: 'acme', agent: 'refund-bot', owner: 'rita' }, 'explained', refund(148_000))).plan);
  });

  it('exits 1 with the reason where a request cannot be routed', async () => {
    const { code, out } = await countersign(['policy', 'explain', policyDir(), '--request', file('r2.json', actionOf('nothing.known'))]);
    expect([code, out.trim()]).toEqual([1, expect.stringContaining('unknown_action action.type: The policy knows no action nothing.known')]);
  });
});

describe('policy check', () => {
  it('passes a good policy, fails a broken one with file, line and column, and says when there is none', async () => {
    const good = mkdtempSync(join(dir, 'good-'));
    writeFileSync(join(good, 'policy.yaml'), DESK_POLICY);
    writeFileSync(join(good, 'directory.yaml'), DESK_DIRECTORY);
    expect(await countersign(['policy', 'check', good])).toMatchObject({ code: 0, out: expect.stringContaining('desk 1: ') as string });
    writeFileSync(join(good, 'policy.yaml'), DESK_POLICY.replace('usd(250)', 'usd(250'));
    expect(await countersign(['policy', 'check', good])).toMatchObject({ code: 1, out: expect.stringMatching(/policy\.yaml:\d+:\d+/) as string });
    expect(JSON.parse((await countersign(['policy', 'check', good, '--json'])).out)).toMatchObject({ ok: false, findings: [{ code: 'cel_syntax' }] });
    expect(await countersign(['policy', 'check', join(dir, 'nowhere')])).toMatchObject({
      code: 3,
      err: expect.stringContaining('file_unreadable: ') as string,
    });
    expect((await countersign(['policy', 'publish', good, '--tenant', 'new', '--by', 'omar'])).code).toBe(1);
    writeFileSync(join(good, 'policy.yaml'), DESK_POLICY);
    expect(await countersign(['policy', 'publish', good, '--tenant', 'new', '--by', 'omar'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('holds from now on') as string,
    });
    expect((await countersign(['policy', 'publish', good, '--tenant', 'new', '--by', 'omar'])).out).toContain('held already');
  });
});

describe('agents', () => {
  it('registers one with a key that opens the API until it is revoked, and gives one more', async () => {
    const me = async (key: string): Promise<number> => (await fetch(`${url}/v1/me`, { headers: { authorization: `Bearer ${key}` } })).status;
    const add = ['agents', 'add', 'export-bot', '--tenant', 'acme', '--owner', 'rita', '--callback-host', 'agents.example.com', '--json'];
    const added = await countersign(add);
    expect(added).toMatchObject({ code: 0, err: '' });
    const { key, callback_secret: secret } = JSON.parse(added.out) as { key: string; callback_secret: string };
    expect(await agentByName(store.db, 'acme', 'export-bot')).toEqual({
      tenant: 'acme',
      agent: 'export-bot',
      owner: 'rita',
      callbackHosts: ['agents.example.com'],
      callbackSecrets: [secret],
    });
    expect(await me(key)).toBe(200);
    expect(await countersign(add)).toMatchObject({ code: 1, out: '', err: expect.stringContaining('agent_exists') as string });
    const [, second = ''] = /^COUNTERSIGN_KEY=(csk_\S+)$/m.exec((await countersign(['agents', 'key', 'export-bot', '--tenant', 'acme'])).out) ?? [];
    expect(await countersign(['agents', 'revoke'], { COUNTERSIGN_KEY: key })).toMatchObject({ code: 0 });
    expect([await me(key), await me(second)]).toEqual([401, 200]);
    expect(await countersign(['agents', 'revoke'], { COUNTERSIGN_KEY: key })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^unknown_key: /) as string,
    });
  });

  it('refuses a name that is none, an agent that is not there, and a store that is not named', async () => {
    expect(await countersign(['agents', 'add', 'Export Bot', '--tenant', 'acme'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^bad_name: /) as string,
    });
    expect(await countersign(['agents', 'key', 'nobody', '--tenant', 'acme'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^unknown_agent: /) as string,
    });
    expect(await countersign(['agents', 'add', 'x', '--tenant', 'acme'], { DATABASE_URL: '' })).toMatchObject({ code: 2 });
  });
});

describe('the record', () => {
  it('verifies in the store and offline, and fails when a row was changed', async () => {
    await world.core.submit({ tenant: 'acme', agent: 'refund-bot', owner: 'rita' }, 'for-verify', refund(48_000));
    await sequence(store.db, store.keys, new Date().toISOString());
    expect(await countersign(['record', 'verify', '--tenant', 'acme'])).toMatchObject({ code: 0, out: expect.stringContaining('acme: whole.') as string });
    const path = join(dir, 'record.jsonl');
    expect((await countersign(['record', 'export', path, '--tenant', 'acme'])).code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await countersign(['record', 'verify', '--export', path], { DATABASE_URL: '' })).code).toBe(0);
    await store.adminDb.transaction().execute(async (trx) => {
      await sql`alter table entries disable trigger all`.execute(trx);
      await sql`update entries set at = at + interval '1 hour' where seq = 2 and tenant = 'acme'`.execute(trx);
    });
    expect(await countersign(['record', 'verify', '--tenant', 'acme'])).toMatchObject({ code: 1, out: expect.stringContaining('entry_changed') as string });
  });

  it('says when the store is not there', async () => {
    expect(await countersign(['record', 'verify'], { DATABASE_URL: 'postgresql://app:secret@127.0.0.1:1/none' })).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^store_unreachable: /) as string,
    });
  });
});

describe('asking and deciding', () => {
  it('signs in, keeps the session where only its owner reads it, and shows what waits', async () => {
    expect((await countersign(['list'])).err).toContain('run: countersign login PERSON');
    const login = await countersign(['login', 'fay', '--tenant', 'acme']);
    expect(login).toMatchObject({ code: 0, out: expect.stringContaining('Development login') as string });
    expect(statSync(join(dir, 'config', 'session.json')).mode & 0o777).toBe(0o600);
    const { out } = await countersign(['request', file('refund.json', refund(48_000)), '--json'], asAgent());
    const { approval_id: id } = JSON.parse(out) as { approval_id: string };
    expect((await countersign(['list'])).out).toContain(id);
    expect(await countersign(['show', id])).toMatchObject({ code: 0, out: expect.stringContaining('refund-bot asked: Refund order o1') as string });
    // The engine is away: the move is kept.
    expect(await countersign(['decide', id, 'approve', '--reason', 'fine'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('need not be sent again') as string,
    });
    expect(await countersign(['wait', id, '--timeout', '0.1'])).toMatchObject({ code: 1, err: expect.stringContaining('wait_timed_out') as string });
    await world.core.commit({
      tenant: 'acme',
      approvalId: id,
      seq: 0,
      command: { type: 'withdraw', by: 'refund-bot', reason: 'paid' },
      workflowTime: Date.now(),
    });
    expect(await countersign(['wait', id])).toMatchObject({ code: 1, out: expect.stringContaining('withdrawn: ') as string });
    expect(JSON.parse((await countersign(['decide', id, 'approve', '--json'])).err)).toMatchObject({ code: 'already_decided' });
    expect((await countersign(['callbacks', 'list'])).out).toBe('Nothing.\n');
  });

  it('exits by outcome: 0 when allowed, 1 when blocked or refused, 2 when misused, 3 when nobody answers', async () => {
    expect((await countersign(['request', file('small.json', refund(100))], asAgent())).code).toBe(0);
    expect((await countersign(['request', file('secret.json', actionOf('secret.reveal'))], asAgent())).code).toBe(1);
    expect(await countersign(['request', file('unknown.json', actionOf('space.launch'))], asAgent())).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^unknown_action: /) as string,
    });
    expect(await countersign(['request', file('twice.json', '{"a":1,"a":2}')], asAgent())).toMatchObject({
      code: 1,
      err: expect.stringContaining('appears twice') as string,
    });
    expect((await countersign(['decide', 'x', 'destroy'])).code).toBe(2);
    expect((await countersign(['nonsense'])).code).toBe(2);
    expect(await countersign(['list', '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 2 });
    expect(await countersign(['show', 'x', '--url', 'http://127.0.0.1:1'], asAgent())).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^unreachable: /) as string,
    });
    expect(await countersign(['show', 'x'], { COUNTERSIGN_KEY: 'csk_unknown' })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^unauthenticated: /) as string,
    });
  });
});
