/** An identity provider for a test: one tenant's SCIM service over the real API, in the words that providers send. */
import type { App } from '../../client/api/app';
import { issueScimToken } from '../../record/store/scim';
import type { TestStore } from './store';

export interface Answer {
  readonly status: number;
  /** Of resources and lists the parts that tests read by name. */
  readonly body: {
    readonly id: string;
    readonly totalResults: number;
    readonly Resources: readonly { readonly id: string }[];
    readonly [name: string]: unknown;
  };
  readonly text: string;
}

export interface Provider {
  readonly token: string;
  call(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
  /** The id of a new user. */
  addUser(userName: string, more?: object): Promise<string>;
  /** The id of a new group. */
  addGroup(displayName: string, members?: readonly string[]): Promise<string>;
  patch(path: string, ...operations: object[]): Promise<Answer>;
}

export async function openProvider(app: App, store: TestStore, tenant: string): Promise<Provider> {
  const token = await issueScimToken(store.db, { tenant, at: new Date().toISOString(), by: 'omar' });
  const provider: Provider = {
    token,
    call: (method, path, body) => callScim(app, token, method, path, body),
    async addUser(userName, more = {}) {
      const { status, body, text } = await provider.call('POST', '/Users', {
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
        userName,
        active: true,
        ...more,
      });
      if (status !== 201) throw new Error(text);
      return body.id;
    },
    async addGroup(displayName, members = []) {
      const { status, body, text } = await provider.call('POST', '/Groups', {
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
        displayName,
        members: members.map((value) => ({ value })),
      });
      if (status !== 201) throw new Error(text);
      return body.id;
    },
    patch: (path, ...Operations) => provider.call('PATCH', path, { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations }),
  };
  return provider;
}

export async function callScim(app: App, token: string, method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
  const response = await app.inject({
    method,
    url: `/scim/v2${path}`,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/scim+json; charset=utf-8' }) },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.statusCode, text: response.body, body: response.body === '' ? { id: '', totalResults: 0, Resources: [] } : response.json() };
}
