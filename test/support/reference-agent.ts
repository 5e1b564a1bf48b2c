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

export interface ReferenceAgentOptions {
  readonly jwks: Parameters<typeof createReceiver>[0]['keys'];
  /** Before the agent looks at a call; a status answers in its place, `hang` leaves the caller without an answer. */
  readonly before?: (call: Call) => Promise<number | 'hang' | null> | number | 'hang' | null;
  /** After the agent has acted and before its answer is sent; `hang` keeps the answer back. */
  readonly after?: (call: Call) => Promise<'hang' | null> | 'hang' | null;
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
  const answer = async (request: IncomingMessage): Promise<{ status: number; body: string } | null> => {
    const body = await bodyOf(request);
    const call = { messageId: String(request.headers['webhook-id']), approvalId: approvalIn(body) };
    calls.push(call);
    const early = (await options.before?.(call)) ?? null;
    if (early === 'hang') return null;
    if (early !== null) return { status: early, body: '' };
    const told = await receiver.handle(body, request.headers);
    return (await options.after?.(call)) === 'hang' ? null : told;
  };
  const server = createServer((request, response) => {
    void answer(request).then((told) => {
      if (told) response.writeHead(told.status, { 'content-type': 'application/json' }).end(told.body);
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

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function approvalIn(body: Buffer): string {
  const message = JSON.parse(body.toString('utf8')) as { readonly data?: { readonly approvalId?: string } };
  return message.data?.approvalId ?? '';
}
