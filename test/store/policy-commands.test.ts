/** The commands about published policies, against a real store: what they print, what they write, what they exit with. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { sql } from 'kysely';
import { createCore, type Core } from '../../activities/core';
import { run } from '../../client/cli/program';
import type { Clock } from '../../domain/clock';
import { instant, ms } from '../../domain/json';
import type { AgentIdentity, RequestDraft } from '../../domain/request';
import { ReplaySchema, type ReplayReport } from '../../policy';
import { keysToJson } from '../../record/keys';
import { registerAgent } from '../../record/store/agents';
import { activeHashes } from '../../record/store/policies';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const store = useStore();
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'countersign-policies-'));
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(keysToJson(store.keys)));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function countersign(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let [out, err] = ['', ''];
  const code = await run(argv, {
    env: { COUNTERSIGN_KEYS_FILE: join(dir, 'keys.json'), DATABASE_URL: store.appUrl, ...env },
    configDir: dir,
    fetch: globalThis.fetch,
    now: () => new Date().toISOString(),
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { code, out, err };
}
const policy = (...argv: string[]) => countersign(['policy', ...argv]);

let wait = 0;
/** The database's clock, and so many milliseconds later. */
const later: Clock = { scale: 1, now: ({ database }) => instant(ms(database) + wait) };
const coreOf = (): Core =>
  createCore({
    db: store.db,
    clock: later,
    keys: store.keys,
    log: pino({ level: 'silent' }),
    publicUrl: 'http://localhost:8700',
    development: true,
    allowLoopback: false,
  });

const RECENT = `recent:
  refunded: { of: [refund.issue], per: customer, within: 24h, sum: amount }
`;
const MANY = `  - id: many_refunds
    when: action.type == "refund.issue" && recent.refunded > usd(500)
    examples:
      match: [{ action: { type: refund.issue, params: { amount: 10.00 USD, order: o } }, recent: { refunded: 501.00 USD } }]
      no_match: [{ action: { type: refund.issue, params: { amount: 10.00 USD, order: o } }, recent: { refunded: 500.00 USD } }]
    lane: security
    ladder: [{ role: security_officer, within: 10m }]
`;
const COUNTING = `${DESK_POLICY.replace('\nrows:\n', `\n${RECENT}rows:\n`).replace("version: '1'", "version: '3'")}${MANY}`;
const SHORTER = DESK_POLICY.replace("version: '1'", "version: '2'").replace('within: 30m', 'within: 20m');
const LOOSER = DESK_POLICY.replace("version: '1'", "version: '4'").replaceAll('usd(250)', 'usd(400)').replaceAll('25001', '40001').replaceAll('25000', '40000');

function policyDir(name: string, text: string, directory: string | null = DESK_DIRECTORY): string {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'policy.yaml'), text);
  if (directory !== null) writeFileSync(join(path, 'directory.yaml'), directory);
  return path;
}

async function newAgent(): Promise<AgentIdentity> {
  const agent = { tenant: `t-${randomUUID().slice(0, 8)}`, agent: 'refund-bot', owner: 'rita' };
  await registerAgent(store.db, { ...agent, callbackHosts: [], callbackSecrets: [] });
  return agent;
}

const publishing = (path: string, tenant: string, ...more: string[]) => policy('publish', path, '--tenant', tenant, '--by', 'maria', ...more);

async function published(path: string, tenant: string): Promise<string> {
  const { code, out, err } = await publishing(path, tenant, '--json');
  if (code !== 0) throw new Error(err);
  return (JSON.parse(out) as { policy: { hash: string } }).policy.hash;
}

describe('policy publish', () => {
  it('says what took whose place, once; publishing it again is no publication', async () => {
    const { tenant } = await newAgent();
    const [one, two] = [policyDir('one', DESK_POLICY), policyDir('two', SHORTER)];
    expect((await publishing(one, tenant)).out).toMatch(/^policy [0-9a-f]{12} holds from now on\ndirectory [0-9a-f]{12} holds from now on\n/);
    expect((await publishing(two, tenant)).out).toMatch(
      /^policy [0-9a-f]{12} holds from now on, in place of [0-9a-f]{12}\ndirectory [0-9a-f]{12} held already\n/,
    );
    expect((await publishing(two, tenant)).out).toMatch(/^policy [0-9a-f]{12} held already/);
    expect((JSON.parse((await policy('history', '--tenant', tenant, '--json')).out) as { publications: unknown[] }).publications).toHaveLength(2);
  });

  it('over what one looked at, or not at all; neither policy nor people', async () => {
    const { tenant } = await newAgent();
    const first = await published(policyDir('one', DESK_POLICY), tenant);
    await published(policyDir('two', SHORTER), tenant);
    const before = await activeHashes(store.db, tenant);
    const other = policyDir('others', LOOSER, DESK_DIRECTORY.replace('Fay Okafor', 'Fay O.'));
    const late = await publishing(other, tenant, '--expect', first.slice(0, 12));
    expect([late.code, late.err]).toEqual([1, expect.stringMatching(/^policy_moved: .*, which maria published, and .* was expected/)]);
    expect(await publishing(other, tenant, '--expect', 'none')).toMatchObject({ code: 1 });
    expect(await publishing(other, tenant, '--expect', 'nonsense')).toMatchObject({ code: 2, err: expect.stringContaining('bad_hash') as string });
    expect(await activeHashes(store.db, tenant)).toEqual(before);
    expect(await publishing(other, tenant, '--expect', before.policy?.slice(0, 8) ?? '')).toMatchObject({ code: 0 });
  });

  it('is refused where the check finds an error, also against the people who hold already; nothing is stored', async () => {
    const { tenant } = await newAgent();
    await published(policyDir('one', DESK_POLICY), tenant);
    const before = await activeHashes(store.db, tenant);
    const unheld = DESK_POLICY.replaceAll('role: cfo', 'role: treasurer').replace('  cfo: {', '  treasurer: {');
    const refused = await publishing(policyDir('unheld', unheld, null), tenant);
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/^policy_broken: .*the people who hold now[\s\S]*role_unheld/)]);
    expect(await publishing(policyDir('broken', DESK_POLICY.replace('usd(250)', 'usd(250')), tenant)).toMatchObject({ code: 1 });
    expect(await activeHashes(store.db, tenant)).toEqual(before);
    expect(await store.db.selectFrom('policies').select('hash').where('tenant', '=', tenant).execute()).toHaveLength(1);
  });

  it('says in a sentence that there is no store, or that it does not answer', async () => {
    const one = policyDir('one', DESK_POLICY);
    const nowhere = new URL(store.appUrl);
    nowhere.port = '1';
    const argv = ['policy', 'publish', one, '--tenant', 'x', '--by', 'maria'];
    expect(await countersign(argv, { DATABASE_URL: nowhere.href })).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^store_unreachable: [^\n]+\n$/) as string,
    });
    expect(await countersign(argv, { DATABASE_URL: '' })).toMatchObject({ code: 2, err: expect.stringMatching(/^no_store: [^\n]+\n$/) as string });
  });
});

describe('policy history, show and diff', () => {
  it('tell which version held when, by whom, what changed and what it routed, and give its text back years later', async () => {
    const agent = await newAgent();
    const { tenant } = agent;
    const core = coreOf();
    const ask = () => core.submit(agent, randomUUID(), refund(30_000));
    const first = await published(policyDir('one', DESK_POLICY), tenant);
    const { approvalId, plan } = await ask();
    const second = await published(policyDir('two', SHORTER), tenant);
    await ask();
    await ask();
    await published(policyDir('one', DESK_POLICY), tenant);
    await ask();

    const { out } = await policy('history', '--tenant', tenant);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(new RegExp(`^${first.slice(0, 12)}  \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d  desk 1, published by maria$`));
    expect(lines[1]).toBe('              holds now, routed 1 request; refund_over_250 changed');
    expect(lines[3]).toMatch(/held until .*, routed 2 requests; refund_over_250 changed$/);
    expect(lines[5]).toMatch(/held until .*, routed 1 request; the first$/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(100);
    const told = JSON.parse((await policy('history', '--tenant', tenant, '--json', '--limit', '2')).out) as unknown;
    expect(told).toMatchObject({
      tenant,
      more: 1,
      unknown: 0,
      publications: [
        { hash: first, by: 'maria', until: null, requests: 1, replaces: second },
        { hash: second, requests: 2 },
      ],
    });

    // The one that the request names, whatever holds now.
    expect(plan.policy.hash).toBe(first);
    expect((await policy('show', first.slice(0, 6), '--tenant', tenant, '--file', 'policy.yaml')).out.trim()).toBe(DESK_POLICY.trim());
    const shown = JSON.parse((await policy('show', 'active', '--tenant', tenant, '--json')).out) as { held: unknown[] };
    expect(shown).toMatchObject({ hash: first, name: 'desk', files: [{ path: 'policy.yaml', text: DESK_POLICY }] });
    expect(shown.held).toHaveLength(2);
    const outDir = join(dir, `written-${tenant}`);
    expect((await policy('show', second, '--tenant', tenant, '--out', outDir)).code).toBe(0);
    expect(readFileSync(join(outDir, 'policy.yaml'), 'utf8')).toBe(SHORTER);
    expect(await policy('show', second, '--tenant', tenant, '--out', outDir)).toMatchObject({ code: 1, err: expect.stringMatching(/^not_empty: /) as string });
    expect(approvalId).toMatch(/^ap_/);

    const changed = 'row refund_over_250: changed';
    for (const [old, now] of [
      [first, second.slice(0, 8)],
      [second, join(dir, 'one')],
      ['active', join(dir, 'two')],
    ])
      expect((await policy('diff', old ?? '', now ?? '', '--tenant', tenant)).out).toContain(changed);
    expect((await policy('diff', 'active', join(dir, 'one'), '--tenant', tenant)).out).toContain('the same policy');
  });

  it('refuse what is unknown, ambiguous, or not what its hash says, in a sentence', async () => {
    const { tenant } = await newAgent();
    const hash = await published(policyDir('one', DESK_POLICY), tenant);
    const refusal = async (...argv: string[]) => {
      const { code, err } = await policy(...argv, '--tenant', tenant);
      return [code, err.slice(0, err.indexOf(':'))];
    };
    const absent = hash.startsWith('0000') ? 'ffff' : '0000';
    expect(await refusal('show', absent)).toEqual([1, 'unknown_policy']);
    expect(await refusal('show', 'xyz')).toEqual([2, 'bad_hash']);
    expect(await refusal('show', hash, '--file', 'nothing.yaml')).toEqual([1, 'unknown_file']);
    expect((await policy('show', 'active')).err).toMatch(/^which_tenant: /);
    await store.adminDb.transaction().execute(async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx);
      await sql`insert into policies select tenant, ${`${hash.slice(0, 63)}${hash.endsWith('0') ? '1' : '0'}`}, name, version, files, published_at, published_by from policies where tenant = ${tenant}`.execute(
        trx,
      );
    });
    expect(await refusal('show', hash.slice(0, 10))).toEqual([1, 'ambiguous_policy']);
    expect(await refusal('show', hash)).toEqual([0, '']);
    await store.adminDb.transaction().execute(async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx);
      await sql`update policies set files = ${JSON.stringify([{ path: 'policy.yaml', text: LOOSER }])}::jsonb where tenant = ${tenant}`.execute(trx);
    });
    for (const verb of [
      ['show', hash],
      ['diff', hash, join(dir, 'one')],
    ])
      expect(await refusal(...verb)).toEqual([1, 'policy_altered']);
    expect(existsSync(join(dir, 'policy.yaml'))).toBe(false);
  });
});

describe('policy replay', () => {
  const replay = async (path: string, tenant: string, ...more: string[]): Promise<ReplayReport> => {
    const { code, out, err } = await policy('replay', path, '--tenant', tenant, '--json', ...more);
    if (code !== 0) throw new Error(err);
    return ReplaySchema.parse(JSON.parse(out));
  };
  const MINUTE = 60_000;
  /** In the order of the clock. */
  async function asked(agent: AgentIdentity, core: Core, requests: readonly (readonly [minutes: number, request: RequestDraft])[]): Promise<void> {
    for (const [minutes, request] of requests) {
      wait = minutes * MINUTE;
      await core.submit(agent, randomUUID(), request);
    }
  }
  const of = (id: string) => ({ customer: { id, name: 'Kim Doe', email: 'kim@example.com' } });

  it('of the policy that routed them says that nothing changes: sums, evidence, blocked ones, exceptions and all', async () => {
    const agent = await newAgent();
    const core = coreOf();
    await published(policyDir('counting', COUNTING), agent.tenant);
    const invoice = { evidence: [{ name: 'invoice', title: 'Invoice', source: 'agent' as const, content: 'x'.repeat(2_000) }] };
    await asked(agent, core, [
      [0, refund(20_000, of('x'))],
      [10, refund(20_000, of('y'))],
      [20, refund(20_000, of('x'))],
      [30, refund(30_000, of('x'))],
      [40, actionOf('invoice.pay', { amount: { minor: 5_000, currency: 'USD' }, invoice: 'i' }, invoice)],
      [50, actionOf('secret.reveal')],
      [60, actionOf('export.send', { rows: 10 })],
    ]);
    wait = 0;
    const until = ['--until', '2099-01-01T00:00:00Z'];
    const report = await replay(join(dir, 'counting'), agent.tenant, ...until);
    expect(report).toMatchObject({ requests: 7, unchanged: 7, changed: 0, refused: 0, outcomes: [], aspects: [], counted_again: [], unknown: [] });
    expect(report.load.sign_offs).toMatchObject({ before: report.load.sign_offs.after, after: 5 });
    expect((await policy('replay', join(dir, 'counting'), '--tenant', agent.tenant, ...until, '--fail-on', 'changed')).code).toBe(0);
  });

  it('of one that counts what nobody counted finds the split requests, whatever window it looks at', async () => {
    const agent = await newAgent();
    const core = coreOf();
    await published(policyDir('one', DESK_POLICY), agent.tenant);
    // 200 each: the third within a day takes the customer above 500.
    const times = [0, 60, 120, 180, 26 * 60];
    await asked(
      agent,
      core,
      times.map((minutes) => [minutes, refund(20_000, of('x'))]),
    );
    wait = 0;
    const counting = policyDir('counting', COUNTING);
    const until = ['--until', '2099-01-01T00:00:00Z'];
    const whole = await replay(counting, agent.tenant, ...until);
    expect(whole).toMatchObject({ requests: 5, changed: 2, unchanged: 3, counted_again: ['refunded'] });
    expect(whole.outcomes).toMatchObject([{ was: { effect: 'allow', outcome: 'allowed' }, now: 'approval', requests: 2 }]);
    // The newest three: those before them still count.
    const newest = await replay(counting, agent.tenant, ...until, '--limit', '3');
    expect(newest).toMatchObject({ requests: 3, changed: 2, unchanged: 1 });
    expect(newest.outcomes[0]?.examples).toEqual(whole.outcomes[0]?.examples);
    expect((await policy('replay', counting, '--tenant', agent.tenant, ...until, '--fail-on', 'changed')).code).toBe(1);
  });

  it('answers tables for people, and writes nothing', async () => {
    const agent = await newAgent();
    const core = coreOf();
    await published(policyDir('one', DESK_POLICY), agent.tenant);
    await asked(agent, core, [
      [0, refund(30_000)],
      [0, refund(50_000)],
      [0, refund(10_000)],
    ]);
    const before = await store.db.selectFrom('entries').select('id').execute();
    const { code, out, err } = await policy('replay', policyDir('looser', LOOSER), '--tenant', agent.tenant, '--since', '1d');
    expect([code, err]).toEqual([0, '']);
    for (const part of [
      /desk 4 \([0-9a-f]{12}\) over 3 requests/,
      /changed {5}1 \(33\.3%\)/,
      /reworded {4}1/,
      /less asked {2}1/,
      /approval +open +allow +1 +ap_/,
      /lane finance +2 +1 +2 on /,
      /refund_over_250 +2 +1/,
      /never: invoice, export, /,
    ])
      expect(out).toMatch(part);
    expect(out).not.toContain('\u001b');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(120);
    expect(await store.db.selectFrom('entries').select('id').execute()).toHaveLength(before.length);
    expect((await policy('replay', join(dir, 'looser'), '--tenant', agent.tenant, '--until', '2000-01-01T00:00:00Z')).out).toContain('there is no request');
    expect(await policy('replay', join(dir, 'looser'), '--tenant', agent.tenant, '--since', 'yesterday')).toMatchObject({ code: 2 });
  });
});
