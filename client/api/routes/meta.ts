/**
 * What the API says about itself: health, readiness, its document, the public keys of tokens, the meaning of its codes.
 */
import { sql } from 'kysely';
import { z } from 'zod';
import type { App, Context } from '../app';
import { PATIENCE } from '../deps';
import { ApiError, notFound, PROBLEM_CODES, statusOf, titleOf } from '../problems';
import { HealthSchema, problems } from '../schemas';

const open = { tags: ['meta'], security: [] };
const anything = z.looseObject({});

export function metaRoutes(app: App, { deps }: Context): void {
  app.get(
    '/healthz',
    { config: { who: 'public' }, schema: { ...open, operationId: 'health', summary: 'The process runs', response: { 200: HealthSchema } } },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    { config: { who: 'public' }, schema: { ...open, operationId: 'ready', summary: 'Store and engine answer', response: { 200: HealthSchema, ...problems } } },
    async () => {
      if (deps.draining?.()) throw new ApiError('unavailable', 'Not ready: this process is stopping; send new requests to another');
      const [store, engine] = await Promise.all([
        sql`select 1`.execute(deps.db).then(
          () => true,
          () => false,
        ),
        deps.gateway.ready((deps.patience ?? PATIENCE).engineMs),
      ]);
      if (!store || !engine) {
        throw new ApiError('unavailable', `Not ready: ${[...(store ? [] : ['the store']), ...(engine ? [] : ['the engine'])].join(' and ')} does not answer`);
      }
      return { status: 'ok' as const };
    },
  );

  app.get(
    '/.well-known/jwks.json',
    {
      config: { who: 'public' },
      schema: {
        ...open,
        operationId: 'jwks',
        summary: 'Public keys of decision tokens',
        response: { 200: z.object({ keys: z.array(anything) }).meta({ id: 'Jwks' }) },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return { keys: deps.jwks().keys.map((key) => ({ ...key })) };
    },
  );

  app.get(
    '/openapi.json',
    { config: { who: 'public' }, schema: { ...open, operationId: 'openapi', summary: 'This document', response: { 200: anything } } },
    () => ({ ...app.swagger() }),
  );

  app.get(
    '/problems/:code',
    {
      config: { who: 'public' },
      schema: {
        ...open,
        operationId: 'explainProblem',
        summary: 'What a code means',
        params: z.object({ code: z.string().max(100) }),
        response: { 200: z.object({ code: z.string(), title: z.string(), status: z.int() }).meta({ id: 'ProblemKind' }), ...problems },
      },
    },
    (request) => {
      const code = PROBLEM_CODES.find((known) => known === request.params.code);
      if (!code) throw notFound('code');
      return { code, title: titleOf(code), status: statusOf(code) };
    },
  );
}
