/**
 * What the API tells about itself: a line in the log for each request, and what it counts.
 * Promises: a line names the route's pattern, never the address, a header or a body; labels of counts are closed words.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createCounts, type Family } from '../../activities/telemetry/exposition';
import type { App } from './app';

/** Ids as we make them; whatever else stands in their place is not repeated. */
const ID = /^ap_[0-9a-f]{24}$/;
/** Asked every few seconds by machines: counted, and not worth a line. */
const UNWORTHY: readonly string[] = ['/healthz', '/readyz', '/assets/page.css'];
/** The routes whose answer is a person's move. */
const MOVES: readonly string[] = ['/v1/approvals/:id/moves', '/approvals/:id/moves'];

/** The caller went away before the answer. */
const GONE = 499;

const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'unknown';

function idIn(request: FastifyRequest): string | undefined {
  const { params } = request;
  const id: unknown = typeof params === 'object' && params !== null && 'id' in params ? params.id : undefined;
  return typeof id === 'string' && ID.test(id) ? id : undefined;
}

/** Hooks that watch every request; gives what was counted. `draining`: answers then ask for the connection to be closed. */
export function watchRequests(app: App, draining: () => boolean): () => readonly Family[] {
  const requests = createCounts('countersign_api_requests_total', 'Requests by method, route and status');
  const seconds = createCounts('countersign_api_request_seconds_total', 'Time spent on requests, by route');
  let [inFlight, moves] = [0, 0];

  app.addHook('onRequest', (request, reply, done) => {
    inFlight += 1;
    if (MOVES.includes(routeOf(request))) moves += 1;
    // Closed comes once for each, answered or not.
    reply.raw.once('close', () => over(request, reply, reply.raw.writableFinished ? reply.statusCode : GONE));
    done();
  });
  app.addHook('onSend', async (_request, reply) => {
    if (draining()) reply.header('connection', 'close');
  });
  const over = (request: FastifyRequest, reply: FastifyReply, status: number): void => {
    const route = routeOf(request);
    inFlight -= 1;
    if (MOVES.includes(route)) moves -= 1;
    const ms = Math.round(reply.elapsedTime);
    requests.add({ method: request.method, route, status: String(status) });
    seconds.add({ route }, reply.elapsedTime / 1000);
    if (UNWORTHY.includes(route) && status < 500) return;
    const { caller } = request;
    const approvalId = idIn(request);
    request.log.info(
      {
        method: request.method,
        route,
        status,
        ms,
        caller: caller?.kind ?? 'none',
        ...(caller ? { tenant: caller.tenant } : {}),
        ...(approvalId === undefined ? {} : { approvalId }),
      },
      'request answered',
    );
  };

  return () => [
    requests.family(),
    seconds.family(),
    { name: 'countersign_api_in_flight', type: 'gauge', help: 'Requests that are being answered', samples: [{ value: inFlight }] },
    { name: 'countersign_api_moves_waiting', type: 'gauge', help: 'Moves of people that wait for their answer', samples: [{ value: moves }] },
  ];
}
