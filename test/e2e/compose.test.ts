/**
 * Every service of docker-compose.yml as a process of this machine (test/support/compose/stack.ts says what is mapped): Temporal's own
 * server on PostgreSQL, its schema tool and its UI, the store, migrations, the mail catcher, the API and the worker, from the
 * settings that `countersign init` makes. They start in the file's order, carry an approval from an agent's key to the agent's answer,
 * survive a restart of each, and Countersign behaves on PostgreSQL as it does on the development server.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import pino from 'pino';
import { readConfig } from '../../activities/config';
import { dataConverterOf, engineAccess } from '../../activities/connect';
import { openCore, type Opened } from '../../activities/open';
import { run } from '../../client/cli/program';
import { createReceiver, memoryStore, nodeHandler, verifyDecisionToken, type Outcome } from '../../client/receiver';
import { createCountersign } from '../../client/sdk';
import { scaledClock } from '../../domain/clock';
import { instant } from '../../domain/json';
import { openDatabase } from '../../record/store/database';
import { repositoryRoot } from '../../workers/engine/cache';
import { ensureReconcileSchedule } from '../../workers/worker';
import { approvalWorkflowId, RECONCILE_WORKFLOW, reconcileScheduleId } from '../../workflows/protocol';
import { insist } from '../support/approver';
import { loadProject, type Project } from '../support/compose/project';
import { layOutInstallation, openStack, type Stack } from '../support/compose/stack';
import { composeCheck, go, temporalPrograms } from '../support/compose/tools';
import { AGENT, TENANT } from '../support/desk';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { until } from '../support/processes';
import { refund } from '../support/requests';
import type { TestStore } from '../support/store';
import { openWorld, type World } from '../support/world';

/** An address that nobody calls: a proxy in front of the API would answer there. */
const PUBLIC_URL = 'https://approvals.example.com';

/** Ten services on a busy machine: each has its own limit, and says of itself why it was not there within it. */
const BOOT_MS = 900_000;
const SHORT_RETENTION = `
system.namespaceMinRetentionLocal: [{ value: 1s }]
history.retentionTimerJitterDuration: [{ value: 0s }]
`;

let dir: string;
let stack: Stack;
let check: string;

(go === null ? describe.skip : describe)('the services of docker-compose.yml as processes (needs Go)', () => {
  let agentKey: string;
  let callbackSecret: string;
  /** What the API opens with its own settings: for a person's move, while nobody can sign in. */
  let opened: Opened;
  let client: Client;
  const closing: (() => Promise<void>)[] = [];

  const api = (path: string): string => `http://127.0.0.1:${String(stack.port('api', 8700))}${path}`;
  const countersign = () => createCountersign({ url: api(''), key: agentKey });
  const mails = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${String(stack.port('mail', 8726))}/`)).text();
  const waits = async (approvalId: string): Promise<unknown> =>
    await until(async () => (await countersign().get(approvalId)).state === 'waiting', `${approvalId} waits`);

  beforeAll(async () => {
    check = await composeCheck();
    const temporal = await temporalPrograms();
    dir = layOutInstallation(repositoryRoot);
    const world = { env: {}, configDir: dir, out: () => undefined, err: () => undefined, fetch: globalThis.fetch, now: () => '' };
    expect(await run(['init', dir, '--public-url', PUBLIC_URL], world)).toBe(0);
    // Nothing in front of the API looks at its readiness here.
    appendFileSync(join(dir, '.env'), 'COUNTERSIGN_DRAIN_SECONDS=0\n');
    // An operator's file: as shipped, and with what lets a test wait for the end of a retention.
    appendFileSync(join(dir, 'deploy', 'temporal', 'dynamicconfig.yaml'), SHORT_RETENTION);
    closing.push(() => Promise.resolve(rmSync(dir, { recursive: true, force: true })));
    stack = await openStack(load(), temporal);
    closing.push(stack.close);
    await stack.up();
  }, BOOT_MS);
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });

  function load(): Project {
    const { project, said } = loadProject({ check, file: join(dir, 'docker-compose.yml'), envFile: join(dir, '.env') });
    if (project === null) throw new Error(said);
    return project;
  }

  it('start in the order of the file, and each becomes healthy by its own check', async () => {
    const before = (first: string, then: string): void => {
      expect([first, then, stack.story.includes(first)]).toEqual([first, then, true]);
      expect(stack.story.indexOf(first)).toBeLessThan(stack.story.indexOf(then));
    };
    before('temporal-db healthy', 'temporal-schema starts');
    before('temporal-schema finished', 'temporal starts');
    before('temporal healthy', 'temporal-namespace starts');
    before('store healthy', 'migrate starts');
    before('migrate finished', 'api starts');
    before('temporal-namespace finished', 'worker starts');
    before('mail healthy', 'worker starts');
    for (const name of ['store', 'temporal-db', 'temporal', 'temporal-ui', 'mail', 'worker', 'api']) expect(stack.story).toContain(`${name} healthy`);
    const ui = `http://127.0.0.1:${String(stack.port('temporal-ui', 8080))}`;
    expect(await (await fetch(`${ui}/api/v1/namespaces/default`)).json()).toMatchObject({ config: { workflowExecutionRetentionTtl: '2592000s' } });
    expect(await (await fetch(`${ui}/api/v1/settings`)).json()).toMatchObject({
      DisableWriteActions: true,
      Codec: { Endpoint: `${PUBLIC_URL}/codec`, IncludeCredentials: true },
    });
    for (const [name, port] of [
      ['worker', 9464],
      ['api', 9465],
    ] as const)
      expect(await (await fetch(`http://127.0.0.1:${String(stack.port(name, port))}/metrics`)).text()).toMatch(/^countersign_/m);
  });

  it('running the one-shots again changes nothing, and without what they need they say so in one sentence', async () => {
    const { services } = load();
    const again = async (name: string, env: Readonly<Record<string, string>> = {}) => await stack.run(name, services[name]?.command ?? [], env);
    const [schema, migrate, namespace] = await Promise.all([again('temporal-schema'), again('migrate'), again('temporal-namespace')]);
    expect([schema.code, migrate, namespace]).toEqual([
      0,
      { code: 0, output: 'The store is up to date.\n' },
      { code: 0, output: expect.stringMatching(/^Namespace default at \S+ is ready: closed runs are kept for 30 days\.\n$/) as string },
    ]);
    const refused: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
      ['migrate', { DATABASE_ADMIN_URL: '' }, /^bad_settings: The settings cannot be used: DATABASE_ADMIN_URL is required[^\n]*\n$/],
      ['migrate', { DATABASE_ADMIN_URL: 'postgresql://nobody:none@127.0.0.1:1/none' }, /^store_unreachable: [^\n]*\n$/],
      ['temporal-namespace', { COUNTERSIGN_RETENTION_DAYS: '0' }, /^bad_settings: [^\n]*COUNTERSIGN_RETENTION_DAYS must be 1 to 365[^\n]*\n$/],
      ['temporal-namespace', { TEMPORAL_ADDRESS: '127.0.0.1:1' }, /^engine_unreachable: No Temporal server answers at 127\.0\.0\.1:1[^\n]*\n$/],
    ];
    const ran = await Promise.all(refused.map(([name, env]) => again(name, env)));
    expect(ran).toEqual(refused.map(([, , output]) => ({ code: 1, output: expect.stringMatching(output) as string })));
  });

  it('take a first policy, its people and an agent, by the command of the image', async () => {
    const policy = mkdtempSync(join(tmpdir(), 'countersign-policy-'));
    writeFileSync(join(policy, 'policy.yaml'), DESK_POLICY);
    writeFileSync(join(policy, 'directory.yaml'), DESK_DIRECTORY);
    expect(await stack.run('api', ['countersign', 'policy', 'publish', policy, '--tenant', TENANT, '--by', 'omar'])).toMatchObject({ code: 0 });
    rmSync(policy, { recursive: true, force: true });
    const add = ['countersign', 'agents', 'add', AGENT.agent, '--tenant', TENANT, '--owner', 'rita', '--callback-host', '127.0.0.1', '--json'];
    const added = await stack.run('api', add);
    expect(added.code).toBe(0);
    ({ key: agentKey, callback_secret: callbackSecret } = JSON.parse(added.output) as { key: string; callback_secret: string });
    expect(await stack.run('api', add)).toMatchObject({ code: 1, output: expect.stringContaining('agent_exists') as string });
  });

  it('carry an approval from the agent over a mail and a decision to a token that the published keys verify', async () => {
    const config = readConfig(stack.environment('api'), 'api');
    opened = openCore(config, pino({ level: 'silent' }), 'test');
    closing.push(() => opened.db.destroy());
    const dataConverter = dataConverterOf(config);
    const connection = await Connection.connect(engineAccess(config));
    closing.push(() => connection.close());
    client = new Client({ connection, ...(dataConverter ? { dataConverter } : {}) });

    const { approvalId } = await countersign().submit(refund(48_000), { idempotencyKey: 'first' });
    await until(async () => (await mails()).includes('fay@example.com'), 'the mail to fay');
    expect((await fetch(api('/v1/dev/login'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"person":"fay"}' })).status).toBe(404);
    // In production nobody can sign in yet: the command is stored and signed as the API does it for a person who did.
    expect((await insist({ core: opened.core, client }, approvalId, 'fay', { type: 'approve', reason: 'fine' })).answer).toMatchObject({ accepted: true });
    const result = await countersign().wait(approvalId, { timeoutMs: 90_000 });
    expect(result).toMatchObject({ outcome: 'approved', deciders: [{ person: 'fay' }] });
    const jwks = (await (await fetch(api('/.well-known/jwks.json'))).json()) as Parameters<typeof verifyDecisionToken>[1];
    const claims = await verifyDecisionToken(result.token, jwks, { tenant: TENANT, agent: AGENT.agent, issuer: PUBLIC_URL, now: new Date() });
    expect(claims).toMatchObject({ outcome: 'approved' });
  });

  it('keep no packet, password or key in what they say', () => {
    const env = readFileSync(join(dir, '.env'), 'utf8');
    const secrets = [...env.matchAll(/PASSWORD=(\w+)/g)].map(([, value]) => value ?? '');
    expect(secrets).toHaveLength(3);
    for (const name of Object.keys(load().services))
      for (const secret of [...secrets, agentKey, callbackSecret, 'The parcel never came'])
        expect([name, stack.logs(name).includes(secret)]).toEqual([name, false]);
  });

  it('go on with what is open after each of them was stopped, in its grace period, and started again', async () => {
    const { approvalId } = await countersign().submit(refund(48_000), { idempotencyKey: 'restarts' });
    await waits(approvalId);
    for (const name of ['mail', 'temporal-ui', 'api', 'worker', 'temporal', 'temporal-db', 'store']) {
      await stack.stop(name);
      await stack.up([name]);
    }
    expect((await insist({ core: opened.core, client }, approvalId, 'fay', { type: 'deny', reason: 'no receipt' })).answer).toMatchObject({ accepted: true });
    expect(await countersign().wait(approvalId, { timeoutMs: 90_000 })).toMatchObject({ outcome: 'denied' });
    // Each of the two is one run, and the engine on PostgreSQL lists them by what an operator looks for.
    const listed = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { workflowId } of client.workflow.list({ query: `ApprovalTenant = "${TENANT}" AND ApprovalState = "denied"` })) found.push(workflowId);
      return found;
    };
    await until(async () => (await listed()).length > 0, 'the denied run is listed');
    expect(await listed()).toEqual([approvalWorkflowId(TENANT, approvalId)]);
  });

  it('with COUNTERSIGN_ENV=development: a person signs in and decides over the API, and the agent is called back', async () => {
    const outcomes: Outcome[] = [];
    writeFileSync(join(dir, '.env'), `${readFileSync(join(dir, '.env'), 'utf8')}COUNTERSIGN_ENV=development\nCOUNTERSIGN_ALLOW_LOOPBACK=true\n`);
    stack.settle(load());
    await Promise.all([stack.stop('api'), stack.stop('worker')]);
    await stack.up();

    const keys = (await (await fetch(api('/.well-known/jwks.json'))).json()) as Parameters<typeof createReceiver>[0]['keys'];
    const expectation = { agent: AGENT.agent, tenant: TENANT };
    const receiver = createReceiver({
      secrets: [callbackSecret],
      keys,
      expect: expectation,
      store: memoryStore(),
      onOutcome: (outcome) => void outcomes.push(outcome),
    });
    const server = createServer(nodeHandler(receiver));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/resume`;
      const { approvalId, packetDigest } = await countersign().submit(refund(48_000, { resume: { type: 'callback', url } }), { idempotencyKey: 'callback' });
      await waits(approvalId);
      const post = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
        await fetch(api(path), { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
      const { token } = (await (await post('/v1/dev/login', { person: 'fay', tenant: TENANT })).json()) as { token: string };
      const headers = { authorization: `Bearer ${token}`, 'idempotency-key': randomUUID() };
      const moved = await post(`/v1/approvals/${approvalId}/moves`, { type: 'approve', reason: 'fine', packet_digest: packetDigest }, headers);
      expect(moved.status).toBeLessThan(300);
      await until(() => outcomes.length > 0, 'the signed callback');
      expect(outcomes.map(({ result }) => [result.approvalId, result.outcome])).toEqual([[approvalId, 'approved']]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  describe('Countersign with its engine on PostgreSQL', () => {
    let store: TestStore;
    let world: World;
    beforeAll(async () => {
      // Its own worker and sweep would work on the same record.
      await Promise.all([stack.stop('api'), stack.stop('worker')]);
      const [appUrl = '', adminUrl = ''] = [stack.environment('api')['DATABASE_URL'], stack.environment('migrate')['DATABASE_ADMIN_URL']];
      const { keys } = opened.core.deps;
      store = { db: openDatabase(appUrl), adminDb: openDatabase(adminUrl), appUrl, adminUrl, keys };
      await stack.up(['temporal']);
      world = await openWorld({ store, address: address() });
    });
    afterAll(async () => {
      await world.close();
      await Promise.all([store.db.destroy(), store.adminDb.destroy()]);
    });
    const address = (): string => `127.0.0.1:${String(stack.port('temporal', 7233))}`;
    const listed = async (query: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { workflowId } of world.client.workflow.list({ query })) found.push(workflowId);
      return found;
    };
    const untilListed = async (query: string, approvalId: string): Promise<unknown> =>
      await until(async () => (await listed(query)).includes(approvalWorkflowId(TENANT, approvalId)), `${approvalId} is listed under ${query}`);

    const isForgotten = async (approvalId: string): Promise<boolean> => {
      try {
        await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).describe();
        return false;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return true;
        throw error;
      }
    };

    it('asks two people in turn, and an operator lists the run by every attribute as it goes on', async () => {
      const { approvalId } = await world.ask(refund(148_000));
      const soon = new Date(Date.now() + 3 * 3600_000).toISOString();
      const all = `ApprovalTenant = "${TENANT}" AND ApprovalLane = "finance" AND ApprovalDue < "${soon}"`;
      await untilListed(`${all} AND ApprovalState = "waiting" AND ApprovalOwner = "fay" AND ApprovalLevel = "finance manager"`, approvalId);
      await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' });
      await untilListed(`${all} AND ApprovalState = "waiting" AND ApprovalOwner = "cleo" AND ApprovalLevel = "CFO"`, approvalId);
      await insist(world, approvalId, 'cleo', { type: 'approve', reason: 'ok' });
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'approved' });
      await untilListed('ApprovalState = "approved" AND ExecutionStatus = "Completed"', approvalId);
      expect(await listed('ApprovalOwner = "cleo"')).not.toContain(approvalWorkflowId(TENANT, approvalId));
    });

    it('takes a no, and refuses a person of the side that asks', async () => {
      const { approvalId } = await world.ask(refund(48_000));
      expect((await insist(world, approvalId, 'rita', { type: 'approve', reason: 'mine' })).answer).toMatchObject({ accepted: false });
      expect((await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' })).answer).toMatchObject({ accepted: true });
      expect(await world.result(approvalId)).toMatchObject({ outcome: 'denied' });
    });

    it('lets silence run through both levels to its end', async () => {
      const scaled = await openWorld({ store, address: address(), clock: scaledClock(instant(Date.now()), 3_600) });
      try {
        const { approvalId } = await scaled.ask(refund(48_000));
        expect(await scaled.result(approvalId)).toMatchObject({ outcome: 'expired' });
        const levels = (await scaled.story(approvalId)).flatMap((event) => (event.type === 'level_opened' ? [event.name] : []));
        expect(levels).toEqual(['finance manager', 'CFO']);
      } finally {
        await scaled.close();
      }
    });

    it('starts by its schedule what is on the record without a workflow', async () => {
      await ensureReconcileSchedule(world.client, world.taskQueue, 1);
      try {
        const { approvalId } = await world.submit(refund(48_000));
        await world.mail.waitFor((mail) => mail.text.includes(approvalId), 90_000);
        expect((await insist(world, approvalId, 'fay', { type: 'approve', reason: 'ok' })).answer).toMatchObject({ accepted: true, state: 'approved' });
      } finally {
        await world.client.schedule.getHandle(reconcileScheduleId(world.taskQueue)).delete();
      }
    });

    it('forgets an ended run after the retention, and the record answers for it', async () => {
      await world.client.workflowService.updateNamespace({ namespace: 'default', config: { workflowExecutionRetentionTtl: msToTs(1_000) } });
      const ended: { readonly approvalId: string; readonly key: string }[] = [];
      // The server hears of a new retention within seconds: what ended before keeps the old one.
      const gone = await until(
        async () => {
          const key = randomUUID();
          const { approvalId } = await world.ask(refund(48_000), key);
          await insist(world, approvalId, 'fay', { type: 'deny', reason: 'No receipt' });
          await world.result(approvalId);
          ended.push({ approvalId, key });
          for (const each of ended) if (await isForgotten(each.approvalId)) return each;
          return null;
        },
        'a run is forgotten',
        120_000,
      );
      expect(await listed(`WorkflowId = "${approvalWorkflowId(TENANT, gone.approvalId)}"`)).toEqual([]);
      expect(await world.submit(refund(48_000), gone.key)).toMatchObject({ approvalId: gone.approvalId, replayed: true, result: { outcome: 'denied' } });
      const sweep = await world.client.workflow.execute(RECONCILE_WORKFLOW, { workflowId: `sweep-${randomUUID()}`, taskQueue: world.taskQueue, args: [] });
      expect(sweep).toMatchObject({ started: 0, restarted: 0, failed: 0 });
    });
  });
});
