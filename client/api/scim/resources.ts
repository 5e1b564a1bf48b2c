/**
 * What the SCIM service answers: users and groups as resources, and what it says of itself (RFC 7643, sections 5 to 7).
 * Pure. Only what is kept is shown.
 */
import type { ScimGroup, ScimUser } from '../../../record/store/scim';
import { ScimError } from './errors';

export const USER_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP_SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
const COUNT_MAX = 200;

export type Resource = Readonly<Record<string, unknown>>;

const metaOf = (base: string, type: 'User' | 'Group', { id, version, createdAt, updatedAt }: ScimUser | ScimGroup): Resource => ({
  resourceType: type,
  created: createdAt,
  lastModified: updatedAt,
  location: `${base}/${type}s/${id}`,
  version: `W/"${String(version)}"`,
});

export function userResource(base: string, user: ScimUser, groups: readonly ScimGroup[]): Resource {
  const { id, userName, externalId, name, givenName, familyName, email, isActive } = user;
  const formatted = `${givenName} ${familyName}`.trim();
  const within = groups.filter(({ members }) => members.includes(id));
  return {
    schemas: [USER_SCHEMA],
    id,
    ...(externalId === null ? {} : { externalId }),
    userName,
    ...(name === '' ? {} : { displayName: name }),
    name: { ...(formatted === '' ? {} : { formatted }), ...(givenName === '' ? {} : { givenName }), ...(familyName === '' ? {} : { familyName }) },
    emails: [{ value: email, type: 'work', primary: true }],
    active: isActive,
    groups: within.map((group) => ({ value: group.id, display: group.name, $ref: `${base}/Groups/${group.id}`, type: 'direct' })),
    meta: metaOf(base, 'User', user),
  };
}

export function groupResource(base: string, group: ScimGroup, users: ReadonlyMap<string, ScimUser>): Resource {
  const { id, externalId, name, members } = group;
  return {
    schemas: [GROUP_SCHEMA],
    id,
    ...(externalId === null ? {} : { externalId }),
    displayName: name,
    members: members.flatMap((member) => {
      const user = users.get(member);
      return user ? [{ value: member, display: user.userName, $ref: `${base}/Users/${member}`, type: 'User' }] : [];
    }),
    meta: metaOf(base, 'Group', group),
  };
}

export interface Shown {
  readonly attributes?: string | undefined;
  readonly excludedAttributes?: string | undefined;
}

/** As much of a resource as was asked for; its id and schemas always. */
export function shown(resource: Resource, { attributes, excludedAttributes }: Shown): Resource {
  const names = (list: string): string[] =>
    list.split(',').map((name) =>
      (
        name
          .trim()
          .replace(/^urn:.*:/i, '')
          .split('.')[0] ?? ''
      ).toLowerCase(),
    );
  const always = ['schemas', 'id'];
  const [only, without] = [attributes ? names(attributes) : null, excludedAttributes ? names(excludedAttributes) : []];
  return Object.fromEntries(
    Object.entries(resource).filter(([name]) => always.includes(name) || (only ? only.includes(name.toLowerCase()) : !without.includes(name.toLowerCase()))),
  );
}

export const listOf = (resources: readonly Resource[], total: number, startIndex: number): Resource => ({
  schemas: [LIST],
  totalResults: total,
  startIndex,
  itemsPerPage: resources.length,
  Resources: resources,
});

/** `startIndex` counts from 1, and nothing is before the first; a negative count is none (RFC 7644, section 3.4.2.4). */
export function windowOf(query: { readonly startIndex?: string | undefined; readonly count?: string | undefined }): {
  readonly startIndex: number;
  readonly skip: number;
  readonly take: number;
} {
  const number = (text: string | undefined, preset: number, name: string): number => {
    if (text === undefined || text === '') return preset;
    if (!/^-?\d{1,9}$/.test(text)) throw new ScimError(400, 'invalidValue', `${name} must be a whole number`);
    return Number(text);
  };
  const startIndex = Math.max(1, number(query.startIndex, 1, 'startIndex'));
  return { startIndex, skip: startIndex - 1, take: Math.min(COUNT_MAX, Math.max(0, number(query.count, COUNT_MAX, 'count'))) };
}

const unsupported = { supported: false } as const;

export const serviceProviderConfig = (base: string): Resource => ({
  schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
  patch: { supported: true },
  bulk: { ...unsupported, maxOperations: 0, maxPayloadSize: 0 },
  filter: { supported: true, maxResults: COUNT_MAX },
  changePassword: unsupported,
  sort: unsupported,
  etag: unsupported,
  authenticationSchemes: [
    { type: 'oauthbearertoken', name: 'Bearer token', description: 'A token that was made for this tenant; it is kept as a hash', primary: true },
  ],
  meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
});

export const resourceTypes = (base: string): Resource[] =>
  (
    [
      ['User', 'People who may be asked', USER_SCHEMA],
      ['Group', 'Groups; those whose names are roles give them to their members', GROUP_SCHEMA],
    ] as const
  ).map(([name, description, schema]) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id: name,
    name,
    endpoint: `/${name}s`,
    description,
    schema,
    schemaExtensions: [],
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  }));

type Characteristics = Partial<Record<'required' | 'caseExact' | 'multiValued', boolean>> & { readonly mutability?: string; readonly uniqueness?: string };

const attribute = (
  name: string,
  type: string,
  description: string,
  more: Characteristics & { readonly subAttributes?: readonly Resource[] } = {},
): Resource => ({
  name,
  type,
  multiValued: false,
  description,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
  ...more,
});

export const schemas = (base: string): Resource[] =>
  [
    {
      id: USER_SCHEMA,
      name: 'User',
      description: 'A person, as far as it is kept; other attributes are passed over',
      attributes: [
        attribute('userName', 'string', 'Unique among the users of the tenant', { required: true, uniqueness: 'server' }),
        attribute('displayName', 'string', 'What pages and mails call the person'),
        attribute('name', 'complex', 'The parts of the name', {
          subAttributes: [
            attribute('formatted', 'string', 'The whole name'),
            attribute('givenName', 'string', 'The given name'),
            attribute('familyName', 'string', 'The family name'),
          ],
        }),
        attribute('emails', 'complex', 'One address is kept: the primary one, else that of work', {
          multiValued: true,
          subAttributes: [
            attribute('value', 'string', 'The address'),
            attribute('type', 'string', 'work'),
            attribute('primary', 'boolean', 'Whether it is the one that counts'),
          ],
        }),
        attribute('active', 'boolean', 'Who is not active holds nothing and may do nothing'),
        attribute('groups', 'complex', 'Groups that the person is in', {
          multiValued: true,
          mutability: 'readOnly',
          subAttributes: [
            attribute('value', 'string', 'The id of the group', { mutability: 'readOnly' }),
            attribute('display', 'string', 'Its name', { mutability: 'readOnly' }),
          ],
        }),
      ],
    },
    {
      id: GROUP_SCHEMA,
      name: 'Group',
      description: 'People who hold one role',
      attributes: [
        attribute('displayName', 'string', 'Unique among the groups of the tenant; which role it is', { required: true, uniqueness: 'server' }),
        attribute('members', 'complex', 'The users in it', {
          multiValued: true,
          subAttributes: [attribute('value', 'string', 'The id of a user', { mutability: 'immutable' })],
        }),
      ],
    },
  ].map((schema) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    ...schema,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${schema.id}` },
  }));
