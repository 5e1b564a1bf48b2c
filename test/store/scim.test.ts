/**
 * The SCIM service as identity providers use it: in the shapes that Microsoft Entra ID and Okta document, and in those that mean harm.
 */
import { randomBytes } from 'node:crypto';
import { createActive } from '../../activities/active';
import type { Directory } from '../../domain/directory';
import { revokeScimToken } from '../../record/store/scim';
import { openApi, type ApiWorld } from '../support/api';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { publish } from '../support/desk';
import { callScim, openProvider, type Provider } from '../support/scim';
import { useStore } from '../support/store';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

let world: ApiWorld;
afterAll(async () => {
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openApi({ store });
});

async function heldBy(tenant: string): Promise<Directory> {
  const directory = await createActive().directoryOf(store.db, tenant);
  if (!directory) throw new Error(`${tenant} has no directory`);
  return directory;
}

describe('as Microsoft Entra ID sends it', () => {
  const tenant = 'entra';
  let provider: Provider;
  let id = '';
  beforeAll(async () => {
    provider = await openProvider(world.app, store, tenant);
  });

  it('answers the test of the connection: nobody is known by a random name', async () => {
    const { status, body } = await provider.call('GET', '/Users?filter=userName+eq+%22a1b2c3d4-0000-4000-8000-000000000000%22');
    expect({ status, body }).toEqual({
      status: 200,
      body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'], totalResults: 0, startIndex: 1, itemsPerPage: 0, Resources: [] },
    });
  });

  it('takes a user with everything that is sent, and keeps what it needs', async () => {
    const made = await provider.call('POST', '/Users', {
      schemas: [USER, ENTERPRISE],
      externalId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
      userName: 'Ana.Ruiz@acme.example',
      active: true,
      addresses: [{ primary: true, type: 'work', country: 'ES' }],
      displayName: 'Ana Ruiz',
      emails: [
        { type: 'home', value: 'ana@home.example' },
        { primary: true, type: 'work', value: 'ana.ruiz@acme.example' },
      ],
      meta: { resourceType: 'User' },
      name: { formatted: 'Ana Ruiz', familyName: 'Ruiz', givenName: 'Ana' },
      phoneNumbers: [{ primary: true, type: 'work', value: '+34 600 000 000' }],
      roles: [],
      title: 'Lead',
      [ENTERPRISE]: { department: 'Finance', manager: { value: '42' } },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      userName: 'Ana.Ruiz@acme.example',
      externalId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
      active: true,
      meta: { resourceType: 'User' },
    });
    expect(made.text).not.toContain('600 000');
    ({ id } = made.body);
    expect((await heldBy(tenant)).people).toEqual({
      'ana.ruiz': { id: 'ana.ruiz', name: 'Ana Ruiz', email: 'ana.ruiz@acme.example', roles: [], absences: [] },
    });
  });

  it.each([
    'userName eq "ana.ruiz@ACME.example"',
    'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"',
    'emails[type eq "work"].value eq "ana.ruiz@acme.example"',
    `${USER}:userName EQ "Ana.Ruiz@acme.example" and active eq true`,
  ])('finds by %s', async (filter) => {
    const { body } = await provider.call('GET', `/Users?filter=${encodeURIComponent(filter)}`);
    expect(body.Resources.map((user) => user.id)).toEqual([id]);
  });

  it('changes names and addresses by path, and stays the same person', async () => {
    const { status } = await provider.patch(
      `/Users/${id}`,
      { op: 'Replace', path: 'emails[type eq "work"].value', value: 'ana.ode@acme.example' },
      { op: 'Replace', path: 'userName', value: 'ana.ode@acme.example' },
      { op: 'Add', path: 'name.familyName', value: 'Ode' },
      { op: 'Replace', path: 'displayName', value: 'Ana Ode' },
      { op: 'Replace', path: `${ENTERPRISE}:department`, value: 'Risk' },
      { op: 'Replace', path: 'emails[type eq "home"].value', value: 'other@home.example' },
    );
    expect(status).toBe(200);
    expect((await heldBy(tenant)).people).toEqual({
      'ana.ruiz': { id: 'ana.ruiz', name: 'Ana Ode', email: 'ana.ode@acme.example', roles: [], absences: [] },
    });
  });

  it('puts people into groups and takes out those that are named, in each of its ways, and no others', async () => {
    const group = await provider.addGroup('lead');
    const others = [await provider.addUser('ben@acme.example'), await provider.addUser('cem@acme.example')];
    await provider.patch(`/Groups/${group}`, {
      op: 'Add',
      path: 'members',
      value: [{ $ref: null, value: id }, ...others.map((value) => ({ $ref: null, value }))],
    });
    const leads = async () => Object.values((await heldBy(tenant)).people).flatMap((person) => (person.roles.includes('lead') ? [person.id] : []));
    expect(await leads()).toEqual(['ana.ruiz', 'ben', 'cem']);
    await provider.patch(`/Groups/${group}`, { op: 'Remove', path: 'members', value: [{ value: others[0] }] });
    expect(await leads()).toEqual(['ana.ruiz', 'cem']);
    await provider.patch(`/Groups/${group}`, { op: 'Remove', path: `members[value eq "${others[1] ?? ''}"]` });
    expect(await leads()).toEqual(['ana.ruiz']);
    const { body, text } = await provider.call('GET', `/Groups/${group}?excludedAttributes=members`);
    expect({ id: body.id, members: text.includes('members') }).toEqual({ id: group, members: false });
    const has = await provider.call('GET', `/Groups?filter=${encodeURIComponent(`id eq "${group}" and members eq "${id}"`)}`);
    expect(has.body.totalResults).toBe(1);
  });

  it('deactivates with a text for a truth, and everything is gone at once', async () => {
    const { body } = await provider.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value: 'False' });
    expect(body).toMatchObject({ active: false });
    expect(Object.keys((await heldBy(tenant)).people)).toEqual(['ben', 'cem']);
    await provider.patch(`/Users/${id}`, { op: 'Add', path: 'active', value: [{ value: 'True' }] });
    expect((await heldBy(tenant)).people['ana.ruiz']?.roles).toEqual(['lead']);
  });

  it('deletes, and never gives the id to another', async () => {
    expect((await provider.call('DELETE', `/Users/${id}`)).status).toBe(204);
    expect((await provider.call('GET', `/Users/${id}`)).status).toBe(404);
    expect((await provider.call('DELETE', `/Users/${id}`)).status).toBe(404);
    await provider.addUser('ana.ruiz@acme.example');
    const { people } = await heldBy(tenant);
    expect(people['ana.ruiz']).toBeUndefined();
    expect(people['ana.ruiz-2']).toMatchObject({ email: 'ana.ruiz@acme.example', roles: [] });
  });
});

describe('as Okta sends it', () => {
  const tenant = 'okta';
  let provider: Provider;
  let id = '';
  beforeAll(async () => {
    provider = await openProvider(world.app, store, tenant);
  });
  const user = (more: object = {}) => ({
    schemas: [USER],
    userName: 'test.user@okta.example',
    name: { givenName: 'Test', familyName: 'User' },
    emails: [{ primary: true, value: 'test.user@okta.example', type: 'work' }],
    displayName: 'Test User',
    locale: 'en-US',
    externalId: '00ujl29u0le5T6Aj10h7',
    groups: [],
    password: '1mz050nq',
    active: true,
    ...more,
  });

  it('makes a user, and never shows or keeps a password', async () => {
    const { status, body, text } = await provider.call('POST', '/Users', user());
    expect(status).toBe(201);
    expect(text).not.toContain('1mz050nq');
    ({ id } = body);
    expect(JSON.stringify(await store.adminDb.selectFrom('scim_users').selectAll().execute())).not.toContain('1mz050nq');
  });

  it('says that a user is there already', async () => {
    const { status, body } = await provider.call('POST', '/Users', user({ userName: 'TEST.user@okta.example' }));
    expect({ status, body }).toMatchObject({
      status: 409,
      body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '409', scimType: 'uniqueness' },
    });
  });

  it('replaces a whole user, deactivates with a patch without a path, and a whole user does not bring them back unsaid', async () => {
    await provider.call('PUT', `/Users/${id}`, user({ displayName: 'Another Name' }));
    expect((await heldBy(tenant)).people['test.user']?.name).toBe('Another Name');
    await provider.patch(`/Users/${id}`, { op: 'replace', value: { active: false } });
    expect((await heldBy(tenant)).people).toEqual({});
    const { active: _active, ...unsaid } = user();
    await provider.call('PUT', `/Users/${id}`, unsaid);
    expect((await heldBy(tenant)).people).toEqual({});
    await provider.call('PUT', `/Users/${id}`, user());
    expect(Object.keys((await heldBy(tenant)).people)).toEqual(['test.user']);
  });

  it('names groups anew and replaces their members', async () => {
    const group = await provider.addGroup('Lead', [id]);
    expect((await heldBy(tenant)).people['test.user']?.roles).toEqual(['lead']);
    await provider.patch(`/Groups/${group}`, { op: 'replace', value: { id: group, displayName: 'Second Lead' } });
    expect((await heldBy(tenant)).people['test.user']?.roles).toEqual(['second_lead']);
    await provider.call('PUT', `/Groups/${group}`, { schemas: [GROUP], id: group, displayName: 'Second Lead', members: [] });
    expect((await heldBy(tenant)).people['test.user']?.roles).toEqual([]);
  });

  it('lists in pages', async () => {
    for (let n = 0; n < 4; n += 1) await provider.addUser(`page${String(n)}@okta.example`);
    const page = async (query: string) => {
      const { body } = await provider.call('GET', `/Users?${query}`);
      return { ...body, Resources: body.Resources.map((one) => one.id) };
    };
    const all = await page('startIndex=1&count=100');
    expect(all).toMatchObject({ totalResults: 5, startIndex: 1, itemsPerPage: 5 });
    const parts = [await page('startIndex=1&count=2'), await page('startIndex=3&count=2'), await page('startIndex=5&count=2')];
    expect(parts.flatMap((part) => part.Resources)).toEqual(all.Resources);
    expect(await page('startIndex=-3&count=-1')).toMatchObject({ totalResults: 5, startIndex: 1, itemsPerPage: 0 });
    expect((await provider.call('GET', '/Users?count=many')).status).toBe(400);
  });
});

describe('what it says of itself', () => {
  it.each(['/ServiceProviderConfig', '/ResourceTypes', '/ResourceTypes/User', '/Schemas', `/Schemas/${USER}`, `/Schemas/${GROUP}`])('%s', async (path) => {
    const provider = await openProvider(world.app, store, 'self');
    const { status, text } = await provider.call('GET', path);
    expect(status).toBe(200);
    expect(text).toContain('urn:ietf:params:scim:');
    expect((await provider.call('GET', '/Schemas/urn:none')).status).toBe(404);
  });
});

describe('a tenant that has a file too', () => {
  it('knows whoever stands in both by one id, and the provider has the last word on them', async () => {
    const tenant = 'both';
    await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
    const before = await heldBy(tenant);
    const fay = before.people['fay'];
    const provider = await openProvider(world.app, store, tenant);
    const id = await provider.addUser('f.okta', { emails: [{ value: fay?.email.toUpperCase(), type: 'work' }], displayName: 'Fay of the provider' });
    const held = await heldBy(tenant);
    expect(Object.keys(held.people).sort()).toEqual(Object.keys(before.people).sort());
    expect(held.people['fay']).toMatchObject({ name: 'Fay of the provider', roles: [] });
    await provider.patch(`/Users/${id}`, { op: 'replace', value: { active: false } });
    expect((await heldBy(tenant)).people['fay']).toBeUndefined();
    await provider.call('DELETE', `/Users/${id}`);
    expect((await heldBy(tenant)).people['fay']).toBeUndefined();
  });

  it('gives nobody the address of another', async () => {
    const tenant = 'inboxes';
    await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
    const provider = await openProvider(world.app, store, tenant);
    const id = await provider.addUser('zoe@acme.example');
    const taken = (await heldBy(tenant)).people['fay']?.email ?? '';
    const { status, body } = await provider.patch(`/Users/${id}`, { op: 'replace', path: 'emails', value: [{ value: taken, primary: true }] });
    expect({ status, body }).toMatchObject({ status: 409, body: { scimType: 'uniqueness' } });
    expect((await heldBy(tenant)).people['zoe']?.email).toBe('zoe@acme.example');
  });
});

describe('what means harm', () => {
  const tenant = 'harm';
  let provider: Provider;
  let id = '';
  let group = '';
  beforeAll(async () => {
    provider = await openProvider(world.app, store, tenant);
    id = await provider.addUser('ana@acme.example');
    group = await provider.addGroup('lead', [id]);
  });
  const call = (token: string, path = '/Users') => callScim(world.app, token, 'GET', path);

  it.each<[string, () => string]>([
    ['no token', () => ''],
    ['a made-up one', () => `csi_${randomBytes(32).toString('base64url')}`],
    ['one character off', () => `${provider.token.slice(0, -1)}${provider.token.endsWith('A') ? 'B' : 'A'}`],
    ['the key of an agent', () => world.keys.own],
    ['one with more behind it', () => `${provider.token}, Bearer x`],
  ])('%s opens nothing', async (_, token) => {
    const { status, body } = await call(token());
    expect({ status, body }).toMatchObject({ status: 401, body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'] } });
  });

  it('opens nothing to a person who is signed in, and nothing else to the token', async () => {
    expect((await call(await world.signIn('fay'))).status).toBe(401);
    const other = await world.app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${provider.token}` } });
    expect(other.statusCode).toBe(401);
  });

  it('a token that was revoked opens nothing more', async () => {
    const { token } = await openProvider(world.app, store, tenant);
    expect((await call(token)).status).toBe(200);
    expect(await revokeScimToken(store.db, token, new Date().toISOString())).toBe(true);
    expect((await call(token)).status).toBe(401);
  });

  it("another tenant's token sees, changes and deletes nothing of this one", async () => {
    const other = await openProvider(world.app, store, 'harm-other');
    const before = await heldBy(tenant);
    expect((await other.call('GET', `/Users/${id}`)).status).toBe(404);
    expect((await other.call('GET', '/Users')).body.totalResults).toBe(0);
    await other.addUser('own@other.example');
    expect((await other.patch(`/Users/${id}`, { op: 'replace', value: { active: false } })).status).toBe(404);
    expect((await other.patch(`/Groups/${group}`, { op: 'remove', path: 'members' })).status).toBe(404);
    expect((await other.call('DELETE', `/Users/${id}`)).status).toBe(404);
    expect((await other.call('POST', '/Groups', { displayName: 'lead', members: [{ value: id }] })).status).toBe(400);
    expect((await heldBy(tenant)).hash).toBe(before.hash);
  });

  it.each([
    `userName eq "x" or userName eq "ana@acme.example"`,
    `userName eq "x' or '1'='1"`,
    `userName eq "x\\" or userName pr \\""`,
    'userName sw "a"',
    'password eq "x"',
    'userName eq ana',
    'userName eq "a" and',
    'active eq "true"',
    '__proto__ eq "x"',
    'constructor eq "x"',
    'not (userName eq "x")',
    'userName eq "a" userName eq "b"',
    `${'('.repeat(500)}`,
    `userName eq "${'\\\\'.repeat(480)}`,
  ])('a filter finds nobody it does not name: %s', async (filter) => {
    const { status, body } = await provider.call('GET', `/Users?filter=${encodeURIComponent(filter)}`);
    expect([200, 400]).toContain(status);
    if (status === 200) expect(body.totalResults).toBe(0);
    else expect(body).toMatchObject({ scimType: 'invalidFilter' });
  });

  it.each<[string, number, () => Promise<{ status: number }>]>([
    ['a body that is too large', 413, () => provider.call('POST', '/Users', `{"userName":"${'a'.repeat(1024 * 1024)}"}`)],
    ['a body that is no JSON', 400, () => provider.call('POST', '/Users', '{')],
    ['a key twice', 400, () => provider.call('POST', '/Users', '{"userName":"a@b.example","userName":"c@d.example"}')],
    ['a key twice in another case', 400, () => provider.call('POST', '/Users', '{"userName":"a@b.example","USERNAME":"c@d.example"}')],
    ['a list', 400, () => provider.call('POST', '/Users', [])],
    ['a user without a name', 400, () => provider.call('POST', '/Users', { schemas: [USER] })],
    ['a user without an address', 400, () => provider.call('POST', '/Users', { schemas: [USER], userName: 'nobody' })],
    ['another schema', 400, () => provider.call('POST', '/Users', { schemas: [GROUP], userName: 'a@b.example' })],
    ['a name of 10,000 characters', 400, () => provider.call('POST', '/Users', { userName: 'a@b.example', displayName: 'a'.repeat(10_000) })],
    ['an active that is neither', 400, () => provider.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: 'perhaps' })],
    ['an operation that is none', 400, () => provider.patch(`/Users/${id}`, { op: 'copy', path: 'active', value: true })],
    ['a path that is none', 400, () => provider.patch(`/Users/${id}`, { op: 'replace', path: 'emails[type eq "work" or 1 eq 1].value', value: 'x' })],
    ['removing without saying what', 400, () => provider.patch(`/Users/${id}`, { op: 'remove' })],
    ['removing what is required', 400, () => provider.patch(`/Users/${id}`, { op: 'remove', path: 'active' })],
    ['no operation at all', 400, () => provider.patch(`/Users/${id}`)],
    ['a member who is nobody', 400, () => provider.patch(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value: 'nobody' }] })],
    ['a group in a group', 400, () => provider.patch(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value: group, type: 'Group' }] })],
    ['members named otherwise than by id', 400, () => provider.patch(`/Groups/${group}`, { op: 'remove', path: 'members[display eq "ana"]' })],
  ])('%s is refused, and changes nothing', async (_, status, attempt) => {
    const before = await heldBy(tenant);
    expect((await attempt()).status).toBe(status);
    expect((await heldBy(tenant)).hash).toBe(before.hash);
  });

  it('names of every object set nothing', async () => {
    const before = await heldBy(tenant);
    const { status } = await provider.call(
      'PATCH',
      `/Users/${id}`,
      `{"Operations":[{"op":"add","value":{"__proto__":{"active":false},"constructor":{"x":1},"toString":"x"}}]}`,
    );
    expect([200, 400]).toContain(status);
    expect((await heldBy(tenant)).hash).toBe(before.hash);
    expect(({} as { active?: unknown }).active).toBeUndefined();
  });

  it('two changes of one group at once lose none', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, (_, n) => provider.addUser(`r${String(n)}@acme.example`)));
    await Promise.all(ids.map((value) => provider.patch(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value }] })));
    const { people } = await heldBy(tenant);
    expect(Object.values(people).filter((person) => person.roles.includes('lead'))).toHaveLength(7);
  });
});
