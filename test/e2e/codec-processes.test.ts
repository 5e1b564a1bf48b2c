/**
 * The worker and the API as processes with a payload keys file, and a rotation under an open approval: what the one encrypts the other
 * reads, a key that a worker was not given stops nothing for good, and what is new is encrypted with the new key.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporal } from '@temporalio/proto';
import { newPayloadKeys, payloadKeysFromJson, payloadKeysToJson, withAnotherKey, withCurrent, type PayloadKeys } from '../../activities/codec/keys';
import { parseStrict } from '../../record/canonical';
import { keysToJson } from '../../record/keys';
import { issueKey } from '../../record/store/agents';
import { approvalWorkflowId } from '../../workflows/protocol';
import { BUNDLE_VARIABLE, engineAddress } from '../support/engine';
import { holdPort } from '../support/ports';
import { startProgram, until, type Program } from '../support/processes';
import { useStore } from '../support/store';
import { AGENT, TENANT, openWorld, refund, type World } from '../support/world';

let world: World;
let dir: string;
let url: string;
let env: NodeJS.ProcessEnv;
const started: Program[] = [];
afterAll(async () => {
  await Promise.all(started.map((program) => program.stop()));
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});
const store = useStore();
beforeAll(async () => {
  const address = engineAddress();
  // Only the mailbox, the desk's policy and a client that reads what lies in the engine as it lies there.
  world = await openWorld({ store, address, withoutWorker: true });
  dir = mkdtempSync(join(tmpdir(), 'countersign-payloads-'));
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(keysToJson(store.keys)), { mode: 0o600 });
  const port = await holdPort();
  url = `http://127.0.0.1:${String(port)}`;
  env = {
    COUNTERSIGN_ENV: 'development',
    DATABASE_URL: store.appUrl,
    TEMPORAL_ADDRESS: address,
    COUNTERSIGN_TASK_QUEUE: world.taskQueue,
    COUNTERSIGN_KEYS_FILE: join(dir, 'keys.json'),
    COUNTERSIGN_PAYLOAD_KEYS_FILE: join(dir, 'payload-keys.json'),
    COUNTERSIGN_WORKFLOW_BUNDLE: process.env[BUNDLE_VARIABLE],
    COUNTERSIGN_API_PORT: String(port),
    COUNTERSIGN_PUBLIC_URL: url,
    SMTP_URL: world.mail.smtpUrl,
    LOG_LEVEL: 'warn',
  };
});

function give(keys: PayloadKeys): void {
  writeFileSync(join(dir, 'payload-keys.json'), JSON.stringify(payloadKeysToJson(keys)), { mode: 0o600 });
}

async function start(file: string): Promise<Program> {
  const program = await startProgram(file, env);
  started.push(program);
  return program;
}

async function post<T>(path: string, token: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

const historyOf = async (approvalId: string): Promise<temporal.api.history.v1.IHistory> =>
  await world.client.workflow.getHandle(approvalWorkflowId(TENANT, approvalId)).fetchHistory();

/** Ids of the keys that the payloads of a history are encrypted with, in the order of the events. */
async function keysIn(approvalId: string): Promise<string[]> {
  const found: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
    if ('metadata' in value && typeof value.metadata === 'object' && value.metadata !== null && 'encryption-key-id' in value.metadata)
      found.push(Buffer.from(value.metadata['encryption-key-id'] as Uint8Array).toString());
    for (const part of Object.values(value)) look(part);
  };
  look((await historyOf(approvalId)).events);
  return found;
}

it('a rotation under an open approval loses nothing, even when a worker is given too little', async () => {
  const first = newPayloadKeys();
  const { keys: both, added } = withAnotherKey(first);
  give(first);
  await start('client/api/main.ts');
  let worker = await start('workers/main.ts');
  const agent = await issueKey(store.db, { tenant: TENANT, agent: AGENT.agent, at: new Date().toISOString() });
  const { approval_id: id, packet_digest } = await post<{ approval_id: string; packet_digest: string }>('/v1/requests', agent, refund(48_000), {
    'idempotency-key': 'rotation',
  });
  await world.mail.waitFor((mail) => mail.text.includes(id), 90_000);
  expect(new Set(await keysIn(id))).toEqual(new Set([first.current]));
  await worker.stop();

  // A slip: the worker gets the new key without the old one. It does nothing wrong with what it cannot read.
  const onlyNew = withCurrent(both, added);
  give({ current: added, keys: new Map([...onlyNew.keys].filter(([key]) => key === added)) });
  worker = await start('workers/main.ts');
  const { token } = await post<{ token: string }>('/v1/dev/login', '', { person: 'fay', tenant: TENANT });
  const moved = post(`/v1/approvals/${id}/moves`, token, { type: 'approve', reason: 'Receipt checked', packet_digest });
  const failed = await until(
    async () => (await historyOf(id)).events?.find((e) => e.workflowTaskFailedEventAttributes)?.workflowTaskFailedEventAttributes,
    'the task failed that could not be read',
  );
  expect(failed.cause).toBe(temporal.api.enums.v1.WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE);
  expect(worker.output()).toContain(`is encrypted with the key \\"${first.current}\\", which the payload keys file does not hold; add that key`);
  await worker.stop();

  // Mended.
  give(onlyNew);
  expect(payloadKeysFromJson(parseStrict(readFileSync(join(dir, 'payload-keys.json'), 'utf8'))).current).toBe(added);
  await start('workers/main.ts');
  const state = async (): Promise<string> =>
    (await store.db.selectFrom('approvals').select('state').where('approval_id', '=', id).executeTakeFirstOrThrow()).state;
  // The API has not been told of the new key, in which it is answered: it answers from the record.
  expect(await moved).toMatchObject({ command_id: expect.any(String) as string });
  await until(async () => (await state()) === 'approved', 'the decision counts');
  await until(async () => (await historyOf(id)).events?.some((e) => e.workflowExecutionCompletedEventAttributes), 'the run has ended');
  const used = await keysIn(id);
  expect(used[0]).toBe(first.current);
  expect(used.at(-1)).toBe(added);
  const text = Buffer.from(temporal.api.history.v1.History.encode(await historyOf(id)).finish()).toString('utf8');
  for (const words of ['Refund order', 'Fay Okafor', 'Receipt checked', 'encrypted with the key']) expect(text).not.toContain(words);
});
