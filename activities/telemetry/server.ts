/**
 * The port for those who watch: `/healthz` (the process runs), `/readyz` (it can do its work, or what keeps it from it) and `/metrics`.
 * Promises: served only where the operator set a port, on an address of their choice (this machine's own, unless told), and never on
 * the port that agents and people use; answers nothing else. Must not know whose health it tells.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { ConfigError, systemCode } from '../config';

/** By what is needed: null when it is there, else what is wrong with it, in a few words. */
export type Checks = Readonly<Record<string, string | null>>;

export interface ServeTelemetry {
  readonly host: string;
  readonly port: number;
  /** The setting that names the port, for the sentence about a port in use. */
  readonly setting: string;
  /** Absent where readiness is served elsewhere. */
  readonly ready?: () => Promise<Checks>;
  readonly metrics: () => Promise<string>;
}

export interface TelemetryServer {
  close(): Promise<void>;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

async function answer(path: string, { ready, metrics }: ServeTelemetry, response: ServerResponse): Promise<void> {
  if (path === '/healthz') return json(response, 200, { status: 'ok' });
  if (path === '/metrics') {
    const text = await metrics();
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    return;
  }
  if (path === '/readyz' && ready) {
    const checks = await ready();
    const bad = Object.values(checks).some((why) => why !== null);
    return json(response, bad ? 503 : 200, {
      status: bad ? 'not_ready' : 'ready',
      checks: Object.fromEntries(Object.entries(checks).map(([k, v]) => [k, v ?? 'ok'])),
    });
  }
  json(response, 404, { status: 'not_found' });
}

export async function serveTelemetry(options: ServeTelemetry): Promise<TelemetryServer> {
  const { host, port, setting } = options;
  const server: Server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(response, 405, { status: 'method_not_allowed' });
    answer((request.url ?? '').split('?', 1)[0] ?? '', options, response).catch(() => json(response, 500, { status: 'failed' }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new ConfigError([
          `${setting} names port ${String(port)} of ${host}, which cannot be listened on (${systemCode(cause)}): set it to a free port, or leave it out`,
        ]),
      );
    });
    server.listen(port, host, resolve);
  });
  return {
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
