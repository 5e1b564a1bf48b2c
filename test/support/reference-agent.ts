/**
 * The reference agent of the tests: a real HTTP server behind our receiver, which acts once per decision and keeps a journal of
 * every call it got and every time it acted. Tests may step in between the call and the answer, as a network does.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReceiver, memoryStore, type Receiver } from '../../client/receiver';
import type { ApprovalResult } from '../../domain/outcome';
import { AGENT, SECRET } from './desk';

export interface Call {
  readonly messageId: string;
  readonly approvalId: string;
}

export interface ReferenceAgent {
  readonly url: string;
  /** Every call, answered or not. */
  readonly calls: Call[];
  /** Every time it acted. */
  readonly acts: ApprovalResult[];
  stop(): Promise<void>;
}

/** What may come instead of an answer: nothing at all; the connection reset in the midst of the status line, or of the body after it. */
export type Mishap = 'hang' | 'reset' | 'reset_after_status';

export interface ReferenceAgentOptions {
  readonly jwks: Parameters<typeof createReceiver>[0]['keys'];
  /** Before the agent looks at a call; a status answers in its place. */
  readonly before?: (call: Call) => Promise<number | Mishap | null> | number | Mishap | null;
  /** After the agent has acted and before its answer is sent. */
  readonly after?: (call: Call) => Promise<Mishap | null> | Mishap | null;
}

export async function startReferenceAgent(options: ReferenceAgentOptions): Promise<ReferenceAgent> {
  const calls: Call[] = [];
  const acts: ApprovalResult[] = [];
  const receiver: Receiver = createReceiver({
    secrets: [SECRET],
    keys: options.jwks,
    expect: { agent: AGENT.agent, tenant: AGENT.tenant },
    store: memoryStore(),
    onOutcome: ({ result }) => void acts.push(result),
  });
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: string } | Mishap> => {
    const body = await bodyOf(request);
    const call = { messageId: String(request.headers['webhook-id']), approvalId: approvalIn(body) };
    calls.push(call);
    const early = (await options.before?.(call)) ?? null;
    if (typeof early === 'string') return early;
    if (early !== null) return { status: early, body: '' };
    const told = await receiver.handle(body, request.headers);
    return (await options.after?.(call)) ?? told;
  };
  const server = createServer((request, response) => {
    void answer(request).then((told) => {
      if (typeof told === 'string') mishap(told, request);
      else response.writeHead(told.status, { 'content-type': 'application/json' }).end(told.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/resume`,
    calls,
    acts,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export function mishap(what: Mishap, { socket }: IncomingMessage): void {
  if (what === 'hang') return;
  socket.write(what === 'reset' ? 'HTTP/1.1 2' : 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf', () => socket.resetAndDestroy());
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function approvalIn(body: Buffer): string {
  const message = JSON.parse(body.toString('utf8')) as { readonly data?: { readonly approvalId?: string } };
  return message.data?.approvalId ?? '';
}
