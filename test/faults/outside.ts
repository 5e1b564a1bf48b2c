/**
 * The world outside, as a program that is not killed with the rest: a mail server that takes everything, and agents that are called back.
 * Each tenant's agent has a journal and a memory of its own, both forced to the disk: it writes down each call before it looks at it, and each
 * action as it acts. Should it die between acting and remembering, its journal tells it that it had acted.
 *
 * OUTSIDE_DIR: where the journals lie, one `<tenant>.receiver.jsonl` each. OUTSIDE_JWKS: the keys that decisions verify with. Where it is
 * reached stands in `address.json` there when it says that it is ready; an agent is called back at `<callbackUrl>/<tenant>`.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { createReceiver, fileStore, type Receiver } from '../../client/receiver';
import { EXECUTABLE } from '../../domain/outcome';
import type { ReceiverLine } from '../support/checker';
import { AGENT, SECRET } from '../support/desk';
import { openJournal, readJournal, type Journal } from './journal';

/** Where it is reached. */
export interface Address {
  readonly smtpUrl: string;
  readonly callbackUrl: string;
}

const DIR = process.env['OUTSIDE_DIR'] ?? '';
const keys = JSON.parse(process.env['OUTSIDE_JWKS'] ?? '{"keys":[]}') as { keys: [] };

interface Agent {
  readonly journal: Journal<ReceiverLine>;
  readonly receiver: Receiver;
}

const agents = new Map<string, Agent>();

function agentOf(tenant: string): Agent {
  const known = agents.get(tenant);
  if (known) return known;
  const path = join(DIR, `${tenant}.receiver.jsonl`);
  const acted = new Set(readJournal<ReceiverLine>(path).flatMap((line) => (line.wrote === 'acted' ? [line.approvalId] : [])));
  const journal = openJournal<ReceiverLine>(path);
  const receiver = createReceiver({
    secrets: [SECRET],
    keys,
    expect: { agent: AGENT.agent, tenant },
    store: fileStore(join(DIR, `${tenant}.seen.jsonl`)),
    async onOutcome({ result: { approvalId, outcome, token }, claims, again }) {
      if (again && acted.has(approvalId)) return;
      await journal.write({ wrote: 'acted', approvalId, outcome, executed: EXECUTABLE.includes(claims.outcome), token });
      acted.add(approvalId);
    },
  });
  const agent = { journal, receiver };
  agents.set(tenant, agent);
  return agent;
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function approvalIn(body: Buffer): string {
  try {
    return (JSON.parse(body.toString('utf8')) as { readonly data?: { readonly approvalId?: string } }).data?.approvalId ?? '';
  } catch {
    return '';
  }
}

const called = createServer((request, response) => {
  void (async () => {
    const body = await bodyOf(request);
    const agent = agentOf(/^\/([a-z0-9-]+)$/.exec(request.url ?? '')?.[1] ?? 'nobody');
    await agent.journal.write({ wrote: 'called', approvalId: approvalIn(body), messageId: String(request.headers['webhook-id']) });
    const { status, body: told } = await agent.receiver.handle(body, request.headers);
    response.writeHead(status, { 'content-type': 'application/json' }).end(told);
    // A caller that was killed in the middle is called for again.
  })().catch(() => response.destroy());
});
called.keepAliveTimeout = 60_000;

const mail = new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  onData(stream, _session, callback) {
    stream.on('end', () => callback());
    stream.resume();
  },
});
mail.on('error', () => undefined);

called.listen(0, '127.0.0.1', () =>
  mail.listen(0, '127.0.0.1', () => {
    const port = (server: { address(): unknown }): string => String((server.address() as AddressInfo).port);
    const address: Address = { smtpUrl: `smtp://127.0.0.1:${port(mail.server)}`, callbackUrl: `http://127.0.0.1:${port(called)}` };
    writeFileSync(join(DIR, 'address.json'), JSON.stringify(address));
    process.send?.({ ready: true });
  }),
);
process.once('SIGTERM', () => process.exit(0));
// It does not outlive who started it.
process.once('disconnect', () => process.exit(0));
