/**
 * What a team would put behind the webhook: it verifies signature and time with a library that is not ours, holds every body to the
 * documented schema, bounds the rate, acts once per message id, and keeps a journal. Tests may step in as a network does.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { NoticeSchema, type Notice } from '../../activities/notify/notice';
import { mishap, type Mishap } from './reference-agent';

export interface WebhookCall {
  readonly id: string;
  readonly approvalId: string;
  readonly type: string;
  /** 1 for the first call with this id. */
  readonly nth: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WebhookReceiver {
  readonly url: string;
  /** Every call that came, with how it was answered; null while it has not been. */
  readonly calls: (WebhookCall & { status: number | null })[];
  /** Every message it acted on, once each. */
  readonly acts: Notice[];
  stop(): Promise<void>;
}

export interface WebhookReceiverOptions {
  readonly secret: string;
  /** So many calls in the window, then 429. */
  readonly rate?: { readonly calls: number; readonly perMs: number };
  /** Before it looks at the call; null lets it. */
  readonly before?: (call: WebhookCall) => Answer | Mishap | null;
  /** After it has acted, before the answer leaves. */
  readonly after?: (call: WebhookCall) => Promise<Mishap | null> | Mishap | null;
}

export async function startWebhookReceiver({ secret, rate, before, after }: WebhookReceiverOptions): Promise<WebhookReceiver> {
  const calls: WebhookReceiver['calls'] = [];
  const acts: Notice[] = [];
  const seen = new Set<string>();
  let window: number[] = [];

  /** What a real one checks, in its order. */
  function judge(body: string, headers: IncomingMessage['headers']): Answer {
    const now = Date.now();
    window = window.filter((at) => at > now - (rate?.perMs ?? 0));
    if (rate && window.length >= rate.calls) return { status: 429, headers: { 'retry-after': String(Math.ceil(rate.perMs / 1000)) } };
    window.push(now);
    let genuine: unknown;
    try {
      genuine = new Webhook(secret).verify(body, headers as Record<string, string>);
    } catch {
      return { status: 401 };
    }
    const notice = NoticeSchema.safeParse(genuine);
    if (!notice.success) return { status: 422 };
    const id = String(headers['webhook-id']);
    if (!seen.has(id)) acts.push(notice.data);
    seen.add(id);
    return { status: 200 };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString('utf8');
    const id = String(request.headers['webhook-id']);
    const call = { id, ...subjectOf(body), nth: calls.filter((c) => c.id === id).length + 1, status: null as number | null };
    calls.push(call);
    const early = before?.(call) ?? null;
    if (typeof early === 'string') return mishap(early, request);
    const answer = early ?? judge(body, request.headers);
    const late = (await after?.(call)) ?? null;
    if (late !== null) return mishap(late, request);
    call.status = answer.status;
    response.writeHead(answer.status, answer.headers).end();
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/countersign`,
    calls,
    acts,
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function subjectOf(body: string): Pick<WebhookCall, 'approvalId' | 'type'> {
  try {
    const message = JSON.parse(body) as { readonly type?: string; readonly data?: { readonly approvalId?: string } };
    return { type: message.type ?? '', approvalId: message.data?.approvalId ?? '' };
  } catch {
    return { type: '', approvalId: '' };
  }
}
