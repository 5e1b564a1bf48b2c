/**
 * Every route, as everyone. The routes come from the server itself: one that is not in the table fails the test,
 * so that nobody adds a route without saying who may call it.
 */
import { randomUUID } from 'node:crypto';
import { openApi, OTHER_TENANT, type ApiWorld } from '../support/api';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

const CALLERS = ['anonymous', 'forged', 'own', 'other', 'foreign', 'asked', 'elsewhere', 'requester', 'auditor', 'operator', 'stranger'] as const;
type CallerName = (typeof CALLERS)[number];

/**
 * `own`: the agent that asked. `other`: another agent of its tenant. `foreign`: the agent of the same name in another tenant.
 * `asked`: holds a role the plan asks. `elsewhere`: holds a role it does not. `requester`: answers for the agent and holds the role.
 * `stranger`: an auditor of another tenant.
 */
const OPEN: Row = all(200);
const AGENTS: Row = { ...all(403), ...nobody(), own: 200, other: 200, foreign: 200 };
const PEOPLE: Row = { ...all(200), ...nobody(), own: 403, other: 403, foreign: 403 };
/** Whose operators and auditors they are is for what they read, not for whether they may ask. */
const WATCHERS: Row = { ...all(403), ...nobody(), auditor: 200, operator: 200, stranger: 200 };
/** What operators do to others of their tenant. */
const TENANTS_OPERATORS: Row = { ...all(403), ...nobody(), operator: 200 };
const SEES: Row = { ...all(200), ...nobody(), other: 404, foreign: 404, elsewhere: 404, stranger: 404 };

type Row = Readonly<Record<CallerName, number>>;
function all(status: number): Row {
  return Object.fromEntries(CALLERS.map((caller) => [caller, status])) as Row;
}
function nobody(): Pick<Row, 'anonymous' | 'forged'> {
  return { anonymous: 401, forged: 401 };
}

interface Ask {
  readonly url: string;
  readonly payload?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Ids {
  readonly approval: string;
  readonly command: string;
  readonly digest: string;
}

const TABLE: Readonly<Record<string, { readonly ask: (ids: Ids) => Ask; readonly expect: Row }>> = {
  'POST /v1/requests': {
    ask: () => ({ url: '/v1/requests', payload: refund(100), headers: { 'idempotency-key': randomUUID() } }),
    expect: { ...AGENTS, own: 201, other: 201, foreign: 201 },
  },
  'GET /v1/requests/{id}': { ask: ({ approval }) => ({ url: `/v1/requests/${approval}` }), expect: SEES },
  'GET /v1/requests/{id}/timeline': { ask: ({ approval }) => ({ url: `/v1/requests/${approval}/timeline` }), expect: SEES },
  'GET /v1/requests/{id}/packet': { ask: ({ approval }) => ({ url: `/v1/requests/${approval}/packet` }), expect: SEES },
  'POST /v1/requests/{id}/withdraw': {
    ask: ({ approval }) => ({ url: `/v1/requests/${approval}/withdraw`, payload: { reason: 'no longer' } }),
    expect: { ...AGENTS, other: 404, foreign: 404 },
  },
  // There is no such question: the answer to the agent that asked is the commit's, on the record.
  'POST /v1/requests/{id}/replies': {
    ask: ({ approval }) => ({ url: `/v1/requests/${approval}/replies`, payload: { question: 'q1', text: 'yes' } }),
    expect: { ...AGENTS, own: 202, other: 404, foreign: 404 },
  },
  'POST /v1/requests/{id}/evidence': {
    ask: ({ approval }) => ({ url: `/v1/requests/${approval}/evidence`, payload: { name: 'photo', title: 'A photo', content: 'x' } }),
    expect: { ...AGENTS, own: 202, other: 404, foreign: 404 },
  },
  'GET /v1/approvals': { ask: () => ({ url: '/v1/approvals' }), expect: PEOPLE },
  // Whoever sees it may try: the answer to those without the role or the right is the commit's, on the record.
  'POST /v1/approvals/{id}/moves': {
    ask: ({ approval }) => ({ url: `/v1/approvals/${approval}/moves`, payload: { type: 'claim' } }),
    expect: { ...PEOPLE, asked: 202, requester: 202, auditor: 202, operator: 202, elsewhere: 404, stranger: 404 },
  },
  'POST /v1/approvals/bulk': {
    ask: ({ approval, digest }) => ({
      url: '/v1/approvals/bulk',
      payload: { move: { type: 'claim' }, items: [{ approval_id: approval, packet_digest: digest }] },
    }),
    expect: { ...PEOPLE, elsewhere: 404, stranger: 404 },
  },
  'GET /v1/operator/stuck': { ask: () => ({ url: '/v1/operator/stuck' }), expect: PEOPLE },
  'GET /v1/operator/intake': { ask: () => ({ url: '/v1/operator/intake' }), expect: WATCHERS },
  'POST /v1/operator/intake': {
    ask: () => ({ url: '/v1/operator/intake', payload: { action: 'resume', scope: 'tenant', reason: 'nothing is paused' } }),
    expect: TENANTS_OPERATORS,
  },
  'GET /v1/commands/{id}': {
    ask: ({ command }) => ({ url: `/v1/commands/${command}` }),
    expect: { ...PEOPLE, requester: 404, elsewhere: 404, auditor: 404, operator: 404, stranger: 404 },
  },
  'GET /v1/tickets': { ask: () => ({ url: '/v1/tickets' }), expect: PEOPLE },
  'GET /v1/deliveries': { ask: () => ({ url: '/v1/deliveries?status=failed_for_good' }), expect: PEOPLE },
  'POST /codec/decode': { ask: () => ({ url: '/codec/decode', payload: { payloads: [] } }), expect: WATCHERS },
  'POST /codec/encode': { ask: () => ({ url: '/codec/encode', payload: { payloads: [] } }), expect: WATCHERS },
  'GET /v1/me/absence': { ask: () => ({ url: '/v1/me/absence' }), expect: PEOPLE },
  'PUT /v1/me/absence': { ask: () => ({ url: '/v1/me/absence', payload: { from: '2199-01-01T00:00:00Z', to: '2199-01-02T00:00:00Z' } }), expect: PEOPLE },
  'DELETE /v1/me/absence': { ask: () => ({ url: '/v1/me/absence' }), expect: PEOPLE },
  'GET /v1/people/{id}/absence': { ask: () => ({ url: '/v1/people/fay/absence' }), expect: TENANTS_OPERATORS },
  'PUT /v1/people/{id}/absence': {
    ask: () => ({ url: '/v1/people/fay/absence', payload: { from: '2199-01-01T00:00:00Z', to: '2199-01-02T00:00:00Z' } }),
    expect: TENANTS_OPERATORS,
  },
  'DELETE /v1/people/{id}/absence': { ask: () => ({ url: '/v1/people/fay/absence' }), expect: TENANTS_OPERATORS },
  'GET /v1/me': { ask: () => ({ url: '/v1/me' }), expect: { ...all(200), ...nobody() } },
  'POST /v1/dev/login': { ask: () => ({ url: '/v1/dev/login', payload: { person: 'fay', tenant: 'acme' } }), expect: OPEN },
  'GET /healthz': { ask: () => ({ url: '/healthz' }), expect: OPEN },
  'GET /readyz': { ask: () => ({ url: '/readyz' }), expect: all(503) },
  'GET /.well-known/jwks.json': { ask: () => ({ url: '/.well-known/jwks.json' }), expect: OPEN },
  'GET /openapi.json': { ask: () => ({ url: '/openapi.json' }), expect: OPEN },
  'GET /problems/{code}': { ask: () => ({ url: '/problems/role_not_held' }), expect: OPEN },
};

/** Pages know people by their cookie alone: without one, and for every bearer, they lead to the sign-in or refuse. */
const PAGES: Readonly<Record<string, number>> = {
  'GET /': 303,
  'GET /approvals/:id': 303,
  'POST /approvals/:id/moves': 303,
  'GET /login': 200,
  'POST /login': 404,
  'POST /logout': 303,
  'GET /assets/page.css': 200,
};

let world: ApiWorld;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await world.close();
});
const store = useStore();
const tokens = new Map<CallerName, string>();
beforeAll(async () => {
  world = await openApi({ store });
  const { own, other, foreign } = world.keys;
  const [header, payload] = (await world.signIn('fay')).split('.');
  const pairs: readonly (readonly [CallerName, string])[] = [
    ['forged', `${header ?? ''}.${payload ?? ''}.AAAA`],
    ['own', own],
    ['other', other],
    ['foreign', foreign],
    ['asked', await world.signIn('fay')],
    ['elsewhere', await world.signIn('sam')],
    ['requester', await world.signIn('rita')],
    ['auditor', await world.signIn('ada')],
    ['operator', await world.signIn('omar')],
    ['stranger', await world.signIn('ada', OTHER_TENANT)],
  ];
  for (const [name, token] of pairs) tokens.set(name, token);
});

const bearer = (caller: CallerName): Record<string, string> => {
  const token = tokens.get(caller);
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
};

async function newIds(): Promise<Ids> {
  const submitted = await world.app.inject({
    method: 'POST',
    url: '/v1/requests',
    headers: { ...bearer('own'), 'idempotency-key': randomUUID() },
    payload: refund(48_000),
  });
  const { approval_id: approval, packet_digest: digest } = submitted.json<{ approval_id: string; packet_digest: string }>();
  const moved = await world.app.inject({
    method: 'POST',
    url: `/v1/approvals/${approval}/moves`,
    headers: bearer('asked'),
    payload: { type: 'approve', packet_digest: digest },
  });
  return { approval, digest, command: moved.json<{ command_id: string }>().command_id };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
const methodOf = (route: string): Method => (['POST', 'PUT', 'PATCH', 'DELETE'] as const).find((method) => route.startsWith(method)) ?? 'GET';

/** Method and path of every operation in the OpenAPI document. */
async function operations(): Promise<string[]> {
  const { paths } = (await world.app.inject({ url: '/openapi.json' })).json<{ paths: Record<string, object> }>();
  return Object.entries(paths)
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

it('the table names every operation of the OpenAPI document, and no other', async () => {
  expect(await operations()).toEqual(Object.keys(TABLE).sort());
});

it('every route of the server is in the document or is a page', async () => {
  const served = world.app.routeTable.filter(({ method }) => !['HEAD', 'OPTIONS'].includes(method));
  const documented = served.filter(({ who }) => who !== 'page' && who !== 'scim').map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
  expect(documented.sort()).toEqual(await operations());
  expect(
    served
      .filter(({ who }) => who === 'page')
      .map(({ method, url }) => `${method} ${url}`)
      .sort(),
  ).toEqual(Object.keys(PAGES).sort());
});

it('the routes of identity providers open to none of them', async () => {
  const routes = world.app.routeTable.filter(({ who, method }) => who === 'scim' && method !== 'HEAD');
  expect(new Set(routes.map(({ url }) => url.split('/')[3]))).toEqual(new Set(['ServiceProviderConfig', 'ResourceTypes', 'Schemas', 'Users', 'Groups']));
  for (const { method, url } of routes)
    for (const caller of CALLERS) {
      const body = method === 'GET' || method === 'DELETE' ? {} : { payload: {} };
      const response = await world.app.inject({ method: methodOf(method), url: url.replace(':id', 'any'), headers: bearer(caller), ...body });
      expect({ method, url, caller, status: response.statusCode }).toEqual({ method, url, caller, status: 401 });
    }
});

describe.each(Object.entries(TABLE))('%s', (route, { ask, expect: expected }) => {
  it('answers everyone as the table says', async () => {
    const ids = await newIds();
    const method = methodOf(route);
    const got: Record<string, number> = {};
    for (const caller of CALLERS) {
      const { url, payload, headers } = ask(ids);
      const response = await world.app.inject({ method, url, headers: { ...bearer(caller), ...headers }, ...(payload ? { payload } : {}) });
      got[caller] = response.statusCode;
    }
    expect(got).toEqual(expected);
  });
});

describe('what a caller may not see', () => {
  const hidden = Object.entries(TABLE).filter(([route]) => route.includes('{id}'));
  it.each(hidden)('%s answers exactly as what does not exist', async (route, { ask, expect: expected }) => {
    const ids = await newIds();
    const none: Ids = { approval: 'ap_000000000000000000000000', command: randomUUID(), digest: ids.digest };
    const method = methodOf(route);
    for (const caller of CALLERS.filter((c) => expected[c] === 404)) {
      const [there, nowhere] = await Promise.all(
        [ask(ids), ask(none)].map((a) => world.app.inject({ method, url: a.url, headers: bearer(caller), ...(a.payload ? { payload: a.payload } : {}) })),
      );
      expect({ caller, status: there?.statusCode, body: there?.body }).toEqual({ caller, status: nowhere?.statusCode, body: nowhere?.body });
    }
  });

  it('is in no list either', async () => {
    const { approval } = await newIds();
    const transfer = await world.app.inject({
      method: 'POST',
      url: '/v1/requests',
      headers: { ...bearer('own'), 'idempotency-key': randomUUID() },
      payload: actionOf('talk.transfer'),
    });
    const escalation = transfer.json<{ approval_id: string }>().approval_id;
    const listed = async (caller: CallerName): Promise<string> => (await world.app.inject({ url: '/v1/approvals?limit=200', headers: bearer(caller) })).body;
    for (const caller of ['elsewhere', 'stranger'] as const) expect(await listed(caller)).not.toContain(approval);
    expect(await listed('asked')).toContain(approval);
    expect(await listed('asked')).not.toContain(escalation);
    expect(await listed('auditor')).toContain(escalation);
  });

  it('is closed to a key that was revoked and to a person who left the directory', async () => {
    const gone = await world.signIn('nobody-any-more');
    expect((await world.app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${gone}` } })).statusCode).toBe(401);
    await store.adminDb.updateTable('agent_keys').set({ revoked_at: new Date().toISOString() }).where('agent', '=', 'other-bot').execute();
    expect((await world.app.inject({ url: '/v1/me', headers: bearer('other') })).statusCode).toBe(401);
  });
});

describe('pages', () => {
  it.each(Object.entries(PAGES))('%s does not take a bearer for a sign-in', async (route, status) => {
    const { approval } = await newIds();
    const [method, path = '/'] = route.split(' ');
    const response = await world.app.inject({
      method: method === 'POST' ? 'POST' : 'GET',
      url: path.replace(':id', approval),
      headers: { ...bearer('asked'), 'content-type': 'application/x-www-form-urlencoded' },
      ...(method === 'POST' ? { payload: 'type=claim' } : {}),
    });
    expect(response.statusCode).toBe(status);
  });
});
