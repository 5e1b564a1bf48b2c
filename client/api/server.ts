/**
 * The HTTP API and the page, as one Fastify server built from what it is handed.
 * Promises: every route says who may call it, or the server does not start; identity is known before a body is read;
 * bodies are read strictly; every error is a problem with a stable code.
 */
import { createHash } from 'node:crypto';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyRequest } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject, serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { parseStrict } from '../../record/canonical';
import { pageRoutes } from '../page/routes';
import { BUSY_SECONDS } from './admission';
import { authenticate, type App, type Context } from './app';
import type { ApiDeps } from './deps';
import { toApiError } from './errors';
import { createIdentify } from './identity';
import { createMakeMove } from './moves';
import { ApiError, notFound, problemOf } from './problems';
import { absenceRoutes } from './routes/absences';
import { approvalRoutes } from './routes/approvals';
import { codecRoutes } from './routes/codec';
import { metaRoutes } from './routes/meta';
import { operatorRoutes } from './routes/operator';
import { requestRoutes } from './routes/requests';
import { sessionRoutes } from './routes/session';
import { scimRoutes } from './scim/routes';
import { watchRequests } from './telemetry';

const BODY_MAX = 32 * 1024;
const RATE_PER_MINUTE = 3_000;

/** One caller, without keeping what it showed. */
const callerKey = (request: FastifyRequest): string =>
  createHash('sha256')
    .update(`${request.ip} ${request.headers.authorization ?? ''}`)
    .digest('base64url');

export async function buildApi(deps: ApiDeps): Promise<App> {
  const loggerInstance: FastifyBaseLogger = deps.log;
  const app: App = Fastify({
    loggerInstance,
    bodyLimit: BODY_MAX,
    // Our own line for each request (./telemetry.ts) names no address and no header.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    genReqId: () => crypto.randomUUID(),
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  app.decorate('routeTable', []);
  app.decorateRequest('caller', null);
  app.decorate(
    'families',
    watchRequests(app, () => deps.draining?.() ?? false),
  );
  app.addHook('onRoute', (route) => {
    const who = route.config?.who;
    if (who === undefined) throw new Error(`The route ${String(route.method)} ${route.url} does not say who may call it`);
    for (const method of [route.method].flat()) app.routeTable.push({ method, url: route.url, who });
  });

  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemOf(toApiError(error, request.log));
    if (problem.code === 'busy' || problem.code === 'fact_unavailable') reply.header('retry-after', String(BUSY_SECONDS));
    await reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });
  app.setNotFoundHandler(async (_request, reply) => {
    const problem = problemOf(notFound('page or route'));
    await reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });

  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, parseStrict(String(text)));
    } catch (error) {
      done(error instanceof Error ? error : new Error('The body cannot be read', { cause: error }));
    }
  });

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], styleSrc: ["'self'"], formAction: ["'self'"], baseUri: ["'none'"], frameAncestors: ["'none'"] },
    },
    strictTransportSecurity: deps.publicUrl.startsWith('https:'),
    // Links to an approval are not told to other sites; a form of ours still names its origin.
    referrerPolicy: { policy: 'same-origin' },
  });
  await app.register(rateLimit, {
    max: deps.rateLimit ?? RATE_PER_MINUTE,
    timeWindow: '1 minute',
    keyGenerator: callerKey,
    allowList: (request) => request.url === '/healthz' || request.url === '/readyz',
    errorResponseBuilder: (_request, { after }) => new ApiError('rate_limited', `More requests than one caller may send in a minute; try again in ${after}`),
  });
  await app.register(cookie);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Countersign',
        version: '1',
        description: 'Durable approvals and escalations for AI agents. Errors are RFC 9457 problems with a stable `code`.',
      },
      servers: [{ url: deps.publicUrl }],
      components: {
        securitySchemes: {
          agentKey: { type: 'http', scheme: 'bearer', description: 'An agent key' },
          session: { type: 'http', scheme: 'bearer', description: "A person's session token" },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });

  const identify = createIdentify(deps);
  const context: Context = { deps, identify, ...createMakeMove(deps) };
  app.addHook('onRequest', async (request) => {
    await authenticate(request, identify);
  });
  app.addHook('onSend', async (request, reply) => {
    if (!reply.hasHeader('cache-control') && !request.url.startsWith('/assets/')) reply.header('cache-control', 'no-store');
  });
  await app.register(async (routes: App) => {
    requestRoutes(routes, context);
    approvalRoutes(routes, context);
    operatorRoutes(routes, context);
    sessionRoutes(routes, context);
    absenceRoutes(routes, context);
    metaRoutes(routes, context);
    codecRoutes(routes, context);
    await pageRoutes(routes, context);
    await scimRoutes(routes, context);
  });
  await app.ready();
  return app;
}
