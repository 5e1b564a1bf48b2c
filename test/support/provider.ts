/**
 * What a team would put behind a provider: it verifies signature and time with a library that is not ours, holds every question to the
 * documented schema, keeps a journal, and answers what it knows. Tests may have it answer otherwise, hold back, hang, or be down.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { FactsAskedSchema, type FactsAsked } from '../../activities/providers';

/** Of the provider, and of nobody else. */
export const PROVIDER_SECRET = 'whsec_cHJvdmlkZXItc2VjcmV0LXByb3ZpZGVyLXNlY3JldC0x';

export interface Provider {
  readonly url: string;
  /** Every genuine question, in order. */
  readonly asked: FactsAsked['data'][];
  /** The status that each call was answered with. */
  readonly statuses: number[];
  /** Answers from now on like this; unless told, nothing is known. */
  answers(with_: Answers): void;
  /** From now on calls wait; answers how many do. `release` lets all of them go, and those after them. */
  hold(): { readonly waiting: () => number; readonly release: () => void };
  stop(): Promise<void>;
}

/** A body as an object or as it is; a status alone; `hang`: no answer ever; `cut`: the connection breaks off amid the body. */
export type Answers =
  | { readonly body: (data: FactsAsked['data']) => unknown }
  | { readonly text: string; readonly status?: number; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  | 'cut';

export async function startProvider(secret: string = PROVIDER_SECRET): Promise<Provider> {
  const asked: Provider['asked'] = [];
  const statuses: number[] = [];
  let answers: Answers = { body: () => ({}) };
  let gate: { waiting: number; readonly open: Promise<void> } | null = null;

  function respond(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
    statuses.push(status);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    let genuine: unknown;
    try {
      genuine = new Webhook(secret).verify(Buffer.concat(parts).toString('utf8'), request.headers as Record<string, string>);
    } catch {
      return respond(response, 401, '{}');
    }
    const question = FactsAskedSchema.safeParse(genuine);
    if (!question.success) return respond(response, 422, '{}');
    asked.push(question.data.data);
    if (gate) {
      gate.waiting += 1;
      await gate.open;
    }
    if (answers === 'hang') return;
    if (answers === 'cut') {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"facts": {"customer_tier"');
      setImmediate(() => response.destroy());
      return;
    }
    if ('text' in answers) return respond(response, answers.status ?? 200, answers.text, answers.headers);
    respond(response, 200, JSON.stringify(answers.body(question.data.data)));
  }

  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/facts`,
    asked,
    statuses,
    answers: (next) => void (answers = next),
    hold() {
      let release = (): void => undefined;
      const held = { waiting: 0, open: new Promise<void>((resolve) => (release = resolve)) };
      gate = held;
      return {
        waiting: () => held.waiting,
        release: () => {
          gate = null;
          release();
        },
      };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
