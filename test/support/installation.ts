/**
 * A production installation in small: the worker and the API as real processes over a real store and a real engine, reached only as
 * agents, people and operators reach them. Its ports are its own; what was started is stopped by `close`.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSessions } from '../../client/api/sessions';
import type { RequestDraft } from '../../domain/request';
import { keysToJson } from '../../record/keys';
import { issueKey, registerAgent } from '../../record/store/agents';
import { startMailSink, type MailSink } from '../../workers/mail-sink';
import { AGENT, SECRET, TENANT, publish } from './desk';
import { DESK_DIRECTORY, DESK_POLICY } from './desk-policy';
import { holdPort, holdPorts } from './ports';
import { startProgram, until, type Program } from './processes';
import type { TestStore } from './store';

const ROOT = join(__dirname, '..', '..');

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface RunningApi extends Program {
  readonly url: string;
  readonly metricsUrl: string;
}

export interface RunningWorker extends Program {
  readonly metricsUrl: string;
}

export interface Installation {
  readonly dir: string;
  readonly taskQueue: string;
  readonly mail: MailSink;
  /** An agent's key. */
  readonly key: string;
  /** What both processes are given. */
  readonly env: NodeJS.ProcessEnv;
  startWorker(more?: NodeJS.ProcessEnv): Promise<RunningWorker>;
  startApi(more?: NodeJS.ProcessEnv): Promise<RunningApi>;
  signIn(person: string): Promise<string>;
  ask(api: Pick<RunningApi, 'url'>, request: RequestDraft, idempotencyKey?: string): Promise<{ readonly approvalId: string; readonly packetDigest: string }>;
  move(api: Pick<RunningApi, 'url'>, approvalId: string, person: string, body: object, idempotencyKey?: string): Promise<Answer>;
  stateOf(approvalId: string): Promise<string>;
  untilState(approvalId: string, state: string): Promise<void>;
  close(): Promise<void>;
}

export async function openInstallation(store: TestStore, address: string): Promise<Installation> {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-installation-'));
  const keysFile = join(dir, 'keys.json');
  writeFileSync(keysFile, JSON.stringify(keysToJson(store.keys)), { mode: 0o600 });
  const mail = await startMailSink({ httpPort: null });
  const taskQueue = `installation-${randomUUID()}`;
  await publish(store, DESK_POLICY, DESK_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: ['127.0.0.1'], callbackSecrets: [SECRET] });
  const key = await issueKey(store.db, { tenant: TENANT, agent: AGENT.agent, at: new Date().toISOString() });
  const sessions = createSessions(store.keys.command.privateKey);
  const started: Program[] = [];
  const env: NodeJS.ProcessEnv = {
    COUNTERSIGN_ENV: 'development',
    DATABASE_URL: store.appUrl,
    TEMPORAL_ADDRESS: address,
    COUNTERSIGN_TASK_QUEUE: taskQueue,
    COUNTERSIGN_KEYS_FILE: keysFile,
    COUNTERSIGN_ALLOW_LOOPBACK: 'true',
    COUNTERSIGN_WORKFLOW_BUNDLE: process.env['COUNTERSIGN_TEST_BUNDLE'],
    SMTP_URL: mail.smtpUrl,
  };
  const run = async (file: string, more: NodeJS.ProcessEnv): Promise<Program> => {
    const program = await startProgram(file, { ...env, ...more });
    started.push(program);
    return program;
  };
  const stateOf = async (approvalId: string): Promise<string> =>
    (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', approvalId).executeTakeFirstOrThrow()).state;
  const post = async (url: string, token: string, body: object, idempotencyKey: string): Promise<Answer> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
  };
  const signIn = (person: string): Promise<string> => sessions.issue({ tenant: TENANT, person, signedInAt: new Date().toISOString() });
  return {
    dir,
    taskQueue,
    mail,
    key,
    env,
    async startWorker(more = {}) {
      const port = await holdPort();
      const program = await run(join(ROOT, 'workers', 'main.ts'), { COUNTERSIGN_METRICS_PORT: String(port), ...more });
      return { ...program, metricsUrl: `http://127.0.0.1:${String(port)}` };
    },
    async startApi(more = {}) {
      const [port, metricsPort] = await holdPorts(2);
      const program = await run(join(ROOT, 'client', 'api', 'main.ts'), {
        COUNTERSIGN_API_PORT: String(port),
        COUNTERSIGN_API_METRICS_PORT: String(metricsPort),
        ...more,
      });
      return { ...program, url: `http://127.0.0.1:${String(port)}`, metricsUrl: `http://127.0.0.1:${String(metricsPort)}` };
    },
    signIn,
    async ask(api, request, idempotencyKey = randomUUID()) {
      const { status, body } = await post(`${api.url}/v1/requests`, key, request, idempotencyKey);
      if (status >= 300) throw new Error(`The request was not taken: ${JSON.stringify(body)}`);
      return { approvalId: String(body['approval_id']), packetDigest: String(body['packet_digest']) };
    },
    move: async (api, approvalId, person, body, idempotencyKey = randomUUID()) =>
      await post(`${api.url}/v1/approvals/${approvalId}/moves`, await signIn(person), body, idempotencyKey),
    stateOf,
    untilState: async (approvalId, state) => void (await until(async () => (await stateOf(approvalId)) === state, `${approvalId} is ${state}`)),
    async close() {
      await Promise.all(started.map((program) => program.kill()));
      await mail.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
