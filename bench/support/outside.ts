/**
 * The world outside, as a program: a mail server and the agents that are called back, for both sides of a comparison alike.
 * It verifies every callback, and tells its parent of each mail and each verified callback, with the time.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { createReceiver, memoryStore } from '../../client/receiver';
import { AGENT, SECRET } from '../../test/support/desk';
import { nowMs } from './numbers';

export type Heard =
  | { readonly ready: true; readonly smtpUrl: string; readonly httpUrl: string; readonly refused: 0 }
  | { readonly kind: 'mail' | 'callback'; readonly id: string; readonly at: number }
  | { readonly kind: 'refused'; readonly status: number };

const tell = (message: Heard): void => void process.send?.(message);

/** Ids are found in the text of the mail, whose long lines are folded. */
const ID = /\b(?:ap_[0-9a-f]{24}|plain-[0-9a-f-]{36})\b/;

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function startMail(): Promise<string> {
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData(stream, _session, callback) {
      bodyOf(stream).then(
        (raw) => {
          callback();
          const id = ID.exec(raw.toString('utf8').replaceAll('=\r\n', ''))?.[0];
          if (id !== undefined) tell({ kind: 'mail', id, at: nowMs() });
        },
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
      );
    },
  });
  smtp.on('error', () => undefined);
  return new Promise((resolve) => smtp.listen(0, '127.0.0.1', () => resolve(`smtp://127.0.0.1:${String((smtp.server.address() as AddressInfo).port)}`)));
}

/** `/countersign` is Countersign's own receiver; `/plain` does what such a receiver has to: signature, age, and acting once. */
function startAgents(): Promise<string> {
  const receiver = createReceiver({
    secrets: [SECRET],
    keys: JSON.parse(process.env['BENCH_JWKS'] ?? '{"keys":[]}') as { keys: [] },
    expect: { agent: AGENT.agent, tenant: AGENT.tenant },
    store: memoryStore(),
    onOutcome: ({ result }) => tell({ kind: 'callback', id: result.approvalId, at: nowMs() }),
  });
  const webhook = new Webhook(SECRET);
  const seen = new Set<string>();
  const plain = (body: Buffer, headers: IncomingMessage['headers']): number => {
    try {
      const message = webhook.verify(body, headers as Record<string, string>) as { readonly data: { readonly id: string } };
      const messageId = String(headers['webhook-id']);
      if (!seen.has(messageId)) tell({ kind: 'callback', id: message.data.id, at: nowMs() });
      seen.add(messageId);
      return 200;
    } catch {
      return 400;
    }
  };
  const server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      const status = request.url === '/plain' ? plain(body, request.headers) : (await receiver.handle(body, request.headers)).status;
      if (status !== 200) tell({ kind: 'refused', status });
      response.writeHead(status).end();
    })();
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`)));
}

async function main(): Promise<void> {
  const [smtpUrl, httpUrl] = await Promise.all([startMail(), startAgents()]);
  process.once('SIGTERM', () => process.exit(0));
  tell({ ready: true, smtpUrl, httpUrl, refused: 0 });
}

void main();
