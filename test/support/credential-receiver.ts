/**
 * What an operator would put behind the credential hook: it verifies signature and time with a library that is not ours, holds every body
 * to the documented schema, does each thing once per message id, and keeps a journal. Tests may have it fail first.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { z } from 'zod';
import { CredentialSchema } from '../../activities/credential';

type Order = z.output<typeof CredentialSchema>;

export interface CredentialReceiver {
  readonly url: string;
  /** Every call that came, with how it was answered. */
  readonly calls: { readonly id: string; readonly approvalId: string; readonly status: number }[];
  /** Everything it was told and did, once each, in order. */
  readonly orders: Order[];
  /** What it disabled, once each. */
  readonly disabled: Order['data'][];
  stop(): Promise<void>;
}

/** `before`: a status to answer with instead of looking at the call; null lets it. */
export async function startCredentialReceiver(secret: string, before: (credential: string) => number | null = () => null): Promise<CredentialReceiver> {
  const calls: CredentialReceiver['calls'] = [];
  const orders: Order[] = [];
  const disabled: Order['data'][] = [];
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const id = String(request.headers['webhook-id'] ?? '');
      const answer = (status: number, approvalId = ''): void => {
        calls.push({ id, approvalId, status });
        response.writeHead(status).end();
      };
      let genuine: unknown;
      try {
        genuine = new Webhook(secret).verify(body, request.headers as Record<string, string>);
      } catch {
        return answer(401);
      }
      const parsed = CredentialSchema.safeParse(genuine);
      if (!parsed.success) return answer(400);
      const { data } = parsed.data;
      const failing = before(data.credential);
      if (failing !== null) return answer(failing, data.approvalId);
      if (!seen.has(id)) orders.push(parsed.data);
      if (!seen.has(id) && parsed.data.type === 'credential.disable') disabled.push(data);
      seen.add(id);
      answer(204, data.approvalId);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/disable`,
    calls,
    orders,
    disabled,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
