/**
 * SCIM 2.0 (RFC 7643, RFC 7644) under /scim/v2: an identity provider fills a tenant's directory with users and groups.
 * Promises: a token opens its own tenant alone and is looked at before a body is read; each answer that says done means that the directory
 * that holds says so; who is deactivated or deleted holds nothing from then on.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { createPeople, PeopleError } from '../../../activities/people';
import { personIdFor, whoHasAddress } from '../../../activities/people/provider';
import { parseStrict } from '../../../record/canonical';
import type { Trx } from '../../../record/store/database';
import { isUniqueViolation } from '../../../record/store/errors';
import { clearAbsence } from '../../../record/store/people';
import {
  addGroup,
  addUser,
  changeGroup,
  changeUser,
  deleteGroup,
  deleteUser,
  findGroups,
  findUsers,
  providedBy,
  tenantOfScimToken,
  type GroupFields,
  type ScimGroup,
  type ScimUser,
  type UserFields,
  type Wanted,
} from '../../../record/store/scim';
import type { App, Context } from '../app';
import { toApiError } from '../errors';
import { createLimiter, LineFull } from '../limiter';
import { statusOf } from '../problems';
import { errorBody, invalid, noSuch, ScimError } from './errors';
import { readFilter } from './filter';
import { patchGroup, patchUser, readGroup, readUser } from './read';
import { groupResource, listOf, resourceTypes, schemas, serviceProviderConfig, shown, userResource, windowOf, type Resource, type Shown } from './resources';

const MEDIA = 'application/scim+json; charset=utf-8';
/** A group of some thousands, sent whole. */
const BODY_MAX = 1024 * 1024;
/** Each change waits for the one before anyway; here it keeps no connection to the store from approvals while it waits. */
const WAITING_MAX = 200;
/** As who the directory is published. */
const BY = 'identity provider';
const ONE = { skip: 0, take: 1 };

const IdParams = z.object({ id: z.string().min(1).max(200) });
const ShownQuery = { attributes: z.string().max(1_000).optional(), excludedAttributes: z.string().max(1_000).optional() };
const ListQuery = z.object({
  filter: z.string().max(2_000).optional(),
  startIndex: z.string().max(20).optional(),
  count: z.string().max(20).optional(),
  ...ShownQuery,
});

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for SCIM routes before the body is read. */
    scimTenant: string | null;
  }
}

const tenantOf = ({ scimTenant }: FastifyRequest): string => {
  if (scimTenant === null) throw new ScimError(401, null, 'Send "Authorization: Bearer" with the token of this tenant');
  return scimTenant;
};

export async function scimRoutes(app: App, { deps }: Context): Promise<void> {
  const { db } = deps;
  const people = createPeople(deps);
  const base = `${deps.publicUrl}/scim/v2`;
  const line = createLimiter(1, WAITING_MAX);
  const config = { who: 'scim' as const };
  const hide = { hide: true };

  /** One change of a tenant's people, in the shape that providers are told failures in. */
  async function change<T>(request: FastifyRequest, work: (trx: Trx, tenant: string, now: string) => Promise<T>): Promise<T> {
    const tenant = tenantOf(request);
    try {
      const { value } = await line.run('scim', () => people.change(tenant, BY, (trx, now) => work(trx, tenant, now)));
      return value;
    } catch (error) {
      if (isUniqueViolation(error, 'scim_users_name')) throw new ScimError(409, 'uniqueness', 'There is a user of that userName already', { cause: error });
      if (isUniqueViolation(error, 'scim_groups_name'))
        throw new ScimError(409, 'uniqueness', 'There is a group of that displayName already', { cause: error });
      if (error instanceof LineFull) throw new ScimError(429, null, 'Too many changes wait already; send it again later', { cause: error });
      if (error instanceof PeopleError)
        throw new ScimError(error.code === 'directory_busy' ? 503 : 400, error.code === 'directory_busy' ? null : 'invalidValue', error.message, {
          cause: error,
        });
      throw error;
    }
  }

  const theUser = async (trx: Trx, tenant: string, id: string): Promise<ScimUser> => {
    const [user] = (await findUsers(trx, tenant, { id }, ONE)).items;
    if (!user) throw noSuch('user');
    return user;
  };
  const theGroup = async (trx: Trx, tenant: string, id: string): Promise<ScimGroup> => {
    const [group] = (await findGroups(trx, tenant, { id }, ONE)).items;
    if (!group) throw noSuch('group');
    return group;
  };

  async function refuseAddress(trx: Trx, tenant: string, email: string, person: string | null): Promise<void> {
    if ((await whoHasAddress(trx, tenant, email, person)) !== null)
      throw new ScimError(409, 'uniqueness', `Somebody else has the address ${email}; two people need two inboxes`);
  }

  async function refuseStrangers(trx: Trx, tenant: string, members: readonly string[], before: readonly string[]): Promise<void> {
    const anew = members.filter((id) => !before.includes(id));
    if (anew.length === 0) return;
    const known = new Set((await providedBy(trx, tenant)).users.map(({ id }) => id));
    const stranger = anew.find((id) => !known.has(id));
    if (stranger !== undefined) throw invalid(`There is no user with the id ${stranger.slice(0, 100)}; send the user first`);
  }

  async function usersShown(trx: Trx, tenant: string, users: readonly ScimUser[]): Promise<Resource[]> {
    const { groups } = await providedBy(trx, tenant);
    return users.map((user) => userResource(base, user, groups));
  }
  async function groupsShown(trx: Trx, tenant: string, groups: readonly ScimGroup[]): Promise<Resource[]> {
    const { users } = await providedBy(trx, tenant);
    const byId = new Map(users.map((user) => [user.id, user]));
    return groups.map((group) => groupResource(base, group, byId));
  }

  const send = (reply: FastifyReply, status: number, resource: Resource): FastifyReply => reply.code(status).type(MEDIA).send(JSON.stringify(resource));
  const sendOne = (reply: FastifyReply, status: number, [resource]: readonly Resource[], asked: Shown): FastifyReply => {
    if (!resource) throw new ScimError(404, null, 'There is no such resource');
    return send(reply, status, shown(resource, asked));
  };

  const editUser = (request: FastifyRequest, id: string, edit: (user: ScimUser) => UserFields): Promise<Resource[]> =>
    change(request, async (trx, tenant, now) => {
      const before = await theUser(trx, tenant, id);
      const fields = edit(before);
      if (fields.email.toLowerCase() !== before.email.toLowerCase()) await refuseAddress(trx, tenant, fields.email, before.person);
      await changeUser(trx, tenant, id, fields, now);
      // Who comes back is there, and not away since an earlier time.
      if (before.isActive && !fields.isActive) await clearAbsence(trx, tenant, before.person, now, BY);
      return await usersShown(trx, tenant, [await theUser(trx, tenant, id)]);
    });
  const editGroup = (request: FastifyRequest, id: string, edit: (group: ScimGroup) => GroupFields): Promise<Resource[]> =>
    change(request, async (trx, tenant, now) => {
      const before = await theGroup(trx, tenant, id);
      const fields = edit(before);
      await refuseStrangers(trx, tenant, fields.members, before.members);
      await changeGroup(trx, tenant, id, fields, now);
      return await groupsShown(trx, tenant, [await theGroup(trx, tenant, id)]);
    });

  const list = async <T>(
    request: FastifyRequest,
    query: z.output<typeof ListQuery>,
    of: 'user' | 'group',
    find: (trx: Trx, tenant: string, wanted: Wanted, window: { skip: number; take: number }) => Promise<{ total: number; items: readonly T[] }>,
    show: (trx: Trx, tenant: string, items: readonly T[]) => Promise<Resource[]>,
  ): Promise<Resource> => {
    const tenant = tenantOf(request);
    const wanted = readFilter(query.filter, of);
    const { startIndex, ...window } = windowOf(query);
    return await db.transaction().execute(async (trx) => {
      const { total, items } = await find(trx, tenant, wanted, window);
      return listOf(
        (await show(trx, tenant, items)).map((resource) => shown(resource, query)),
        total,
        startIndex,
      );
    });
  };

  await app.register(
    async (scim: App) => {
      scim.decorateRequest('scimTenant', null);
      scim.addContentTypeParser('application/scim+json', { parseAs: 'string' }, (_request, text, done) => {
        try {
          done(null, parseStrict(String(text)));
        } catch (error) {
          done(error instanceof Error ? error : new Error('The body cannot be read', { cause: error }));
        }
      });
      scim.addHook('onRequest', async (request) => {
        const token = /^Bearer (csi_[A-Za-z0-9_-]{43})$/i.exec(request.headers.authorization ?? '')?.[1];
        request.scimTenant = token === undefined ? null : await tenantOfScimToken(db, token);
        tenantOf(request);
      });
      scim.setErrorHandler(async (error, request, reply) => {
        if (error instanceof ScimError) {
          if (error.status === 401) reply.header('www-authenticate', 'Bearer');
          if (error.status === 429 || error.status === 503) reply.header('retry-after', '5');
          return await reply
            .code(error.status)
            .type(MEDIA)
            .send(JSON.stringify(errorBody(error.status, error.scimType, error.message)));
        }
        const known = toApiError(error, request.log);
        const status = statusOf(known.code);
        const scimType = status === 400 || status === 422 ? ('invalidSyntax' as const) : null;
        return await reply
          .code(status === 422 ? 400 : status)
          .type(MEDIA)
          .send(JSON.stringify(errorBody(status === 422 ? 400 : status, scimType, known.message)));
      });

      scim.get('/ServiceProviderConfig', { config, schema: hide }, async (_request, reply) => await send(reply, 200, serviceProviderConfig(base)));
      for (const [path, all] of [
        ['/ResourceTypes', resourceTypes(base)],
        ['/Schemas', schemas(base)],
      ] as const) {
        scim.get(path, { config, schema: hide }, async (_request, reply) => await send(reply, 200, listOf(all, all.length, 1)));
        scim.get(`${path}/:id`, { config, schema: { ...hide, params: IdParams } }, async (request, reply) =>
          sendOne(
            reply,
            200,
            all.filter(({ id }) => id === request.params.id),
            {},
          ),
        );
      }

      const one = { config, bodyLimit: BODY_MAX, schema: { ...hide, params: IdParams, querystring: z.object(ShownQuery) } };
      const many = { config, schema: { ...hide, querystring: ListQuery } };
      const create = { config, bodyLimit: BODY_MAX, schema: { ...hide, querystring: z.object(ShownQuery) } };

      scim.get('/Users', many, async (request, reply) => await send(reply, 200, await list(request, request.query, 'user', findUsers, usersShown)));
      scim.get('/Users/:id', one, async (request, reply) => {
        const tenant = tenantOf(request);
        const found = await db.transaction().execute(async (trx) => await usersShown(trx, tenant, [await theUser(trx, tenant, request.params.id)]));
        return sendOne(reply, 200, found, request.query);
      });
      scim.post('/Users', create, async (request, reply) => {
        const fields = readUser(request.body, null);
        const made = await change(request, async (trx, tenant, now) => {
          await refuseName(trx, tenant, fields.userName);
          const person = await personIdFor(trx, tenant, fields);
          await refuseAddress(trx, tenant, fields.email, person);
          const id = randomUUID();
          await addUser(trx, tenant, { ...fields, id, person, at: now });
          return await usersShown(trx, tenant, [await theUser(trx, tenant, id)]);
        });
        return sendOne(located(reply, 'Users', made), 201, made, request.query);
      });
      scim.put('/Users/:id', one, async (request, reply) => {
        const { body } = request;
        return sendOne(reply, 200, await editUser(request, request.params.id, (user) => readUser(body, user)), request.query);
      });
      scim.patch('/Users/:id', one, async (request, reply) => {
        const { body } = request;
        return sendOne(reply, 200, await editUser(request, request.params.id, (user) => patchUser(user, body)), request.query);
      });
      scim.delete('/Users/:id', one, async (request, reply) => {
        await change(request, async (trx, tenant, now) => {
          const { id, person } = await theUser(trx, tenant, request.params.id);
          await deleteUser(trx, tenant, id, now);
          await clearAbsence(trx, tenant, person, now, BY);
        });
        return await reply.code(204).send();
      });

      scim.get('/Groups', many, async (request, reply) => await send(reply, 200, await list(request, request.query, 'group', findGroups, groupsShown)));
      scim.get('/Groups/:id', one, async (request, reply) => {
        const tenant = tenantOf(request);
        const found = await db.transaction().execute(async (trx) => await groupsShown(trx, tenant, [await theGroup(trx, tenant, request.params.id)]));
        return sendOne(reply, 200, found, request.query);
      });
      scim.post('/Groups', create, async (request, reply) => {
        const fields = readGroup(request.body);
        const made = await change(request, async (trx, tenant, now) => {
          await refuseStrangers(trx, tenant, fields.members, []);
          const id = randomUUID();
          await addGroup(trx, tenant, { ...fields, id, at: now });
          return await groupsShown(trx, tenant, [await theGroup(trx, tenant, id)]);
        });
        return sendOne(located(reply, 'Groups', made), 201, made, request.query);
      });
      scim.put('/Groups/:id', one, async (request, reply) => {
        const { body } = request;
        return sendOne(reply, 200, await editGroup(request, request.params.id, () => readGroup(body)), request.query);
      });
      scim.patch('/Groups/:id', one, async (request, reply) => {
        const { body } = request;
        return sendOne(reply, 200, await editGroup(request, request.params.id, (group) => patchGroup(group, body)), request.query);
      });
      scim.delete('/Groups/:id', one, async (request, reply) => {
        await change(request, async (trx, tenant, now) => {
          await deleteGroup(trx, tenant, (await theGroup(trx, tenant, request.params.id)).id, now);
        });
        return await reply.code(204).send();
      });
    },
    { prefix: '/scim/v2' },
  );

  function located(reply: FastifyReply, type: 'Users' | 'Groups', [made]: readonly Resource[]): FastifyReply {
    return typeof made?.['id'] === 'string' ? reply.header('location', `${base}/${type}/${made['id']}`) : reply;
  }
}

/** Said before anything else is looked at: a provider that sends a user twice wants to hear just this. */
async function refuseName(trx: Trx, tenant: string, userName: string): Promise<void> {
  if ((await findUsers(trx, tenant, { name: userName }, ONE)).total > 0) throw new ScimError(409, 'uniqueness', 'There is a user of that userName already');
}
