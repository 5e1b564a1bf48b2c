/**
 * Who you are. In development anyone may sign in as anyone, and is told so; in production the route does not exist.
 */
import { personOf, type Person } from '../../../domain/directory';
import { databaseTime } from '../../../record/store/database';
import { theCaller, type App, type Context } from '../app';
import type { ApiDeps } from '../deps';
import { notFound } from '../problems';
import { LoggedInSchema, LoginSchema, MeSchema, problems } from '../schemas';
import { SESSION_COOKIE, SESSION_SECONDS } from '../sessions';
import type { FastifyReply } from 'fastify';

const DEVELOPMENT_NOTICE = 'Development login: nobody checked who you are. It does not exist in production.';

/** The one tenant whose directory knows this person, or the named one. */
async function findPerson(deps: ApiDeps, id: string, tenant: string | undefined): Promise<{ tenant: string; person: Person } | null> {
  const tenants = tenant === undefined ? (await deps.db.selectFrom('active').select('tenant').orderBy('tenant').execute()).map((row) => row.tenant) : [tenant];
  const found: { tenant: string; person: Person }[] = [];
  for (const each of tenants) {
    const directory = await deps.directoryOf(each);
    const person = directory && personOf(directory, id);
    if (person) found.push({ tenant: each, person });
  }
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** Signs a person in, in development only. */
export async function developmentLogin(deps: ApiDeps, id: string, tenant: string | undefined): Promise<{ tenant: string; person: Person; token: string }> {
  const found = await findPerson(deps, id, tenant);
  if (!found) throw notFound('person in one directory');
  // In the domain's time: strong tiers compare it with the time of the command.
  const signedInAt = deps.clock.now({ database: await databaseTime(deps.db), workflowTime: null });
  return { ...found, token: await deps.sessions.issue({ tenant: found.tenant, person: found.person.id, signedInAt }) };
}

export const setSessionCookie = (reply: FastifyReply, deps: ApiDeps, token: string): FastifyReply =>
  reply.setCookie(SESSION_COOKIE, token, {
    httpOnly: true,
    sameSite: 'strict',
    path: '/',
    secure: deps.publicUrl.startsWith('https:'),
    maxAge: SESSION_SECONDS,
  });

export function sessionRoutes(app: App, { deps }: Context): void {
  if (deps.development) {
    app.post(
      '/v1/dev/login',
      {
        config: { who: 'public' },
        schema: {
          operationId: 'developmentLogin',
          summary: 'Development only: sign in as anyone',
          tags: ['people'],
          security: [],
          body: LoginSchema,
          response: { 200: LoggedInSchema, ...problems },
        },
      },
      async (request, reply) => {
        const { tenant, person, token } = await developmentLogin(deps, request.body.person, request.body.tenant);
        return await setSessionCookie(reply, deps, token).send({
          token,
          tenant,
          person: person.id,
          name: person.name,
          roles: [...person.roles],
          notice: DEVELOPMENT_NOTICE,
        });
      },
    );
  }

  app.get(
    '/v1/me',
    {
      config: { who: 'caller' },
      schema: {
        operationId: 'getMe',
        summary: 'Who you are here',
        tags: ['agents', 'people'],
        security: [{ agentKey: [] }, { session: [] }],
        response: { 200: MeSchema, ...problems },
      },
    },
    (request) => {
      const caller = theCaller(request);
      return caller.kind === 'agent'
        ? { kind: caller.kind, tenant: caller.tenant, id: caller.agent, name: null, roles: [], signed_in_at: null }
        : {
            kind: caller.kind,
            tenant: caller.tenant,
            id: caller.person.id,
            name: caller.person.name,
            roles: [...caller.person.roles],
            signed_in_at: caller.signedInAt,
          };
    },
  );
}
