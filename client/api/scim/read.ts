/**
 * Users and groups as identity providers send them, whole or in parts (PATCH, RFC 7644 section 3.5.2), to what is kept of them.
 * Providers differ from the standard and from each other: names of attributes and operations in any case, booleans as texts ("False"),
 * values wrapped in lists, paths as keys, members removed by a list. All of that is read; what is not kept is passed over.
 * Promises: nothing is set under a name that came from outside; what is removed is what was named, and never more.
 * Pure.
 */
import { z } from 'zod';
import type { GroupFields, UserFields } from '../../../record/store/scim';
import { invalid, ScimError } from './errors';
import { attributeOf } from './filter';
import { GROUP_SCHEMA, USER_SCHEMA } from './resources';

const OPERATIONS_MAX = 1_000;
const TEXT_MAX = 200;
const NAME_MAX = 320;
const MEMBERS_MAX = 10_000;
const Email = z.email().max(NAME_MAX);

type Value = unknown;
type Attributes = ReadonlyMap<string, Value>;

const isObject = (value: Value): value is Readonly<Record<string, Value>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The attributes of an object, by their names in lower case. */
function attributesOf(value: Value, what: string): Attributes {
  if (!isObject(value)) throw new ScimError(400, 'invalidSyntax', `${what} must be a JSON object`);
  const found = new Map<string, Value>();
  for (const [name, each] of Object.entries(value)) {
    const key = attributeOf(name);
    if (found.has(key)) throw new ScimError(400, 'invalidSyntax', `${what} names ${name} twice`);
    found.set(key, each);
  }
  return found;
}

function text(value: Value, name: string, max = TEXT_MAX): string {
  const plain = unwrapped(value);
  if (plain === null || plain === undefined) return '';
  if (typeof plain !== 'string') throw invalid(`${name} must be a text`);
  const trimmed = plain.trim();
  if (trimmed.length > max) throw invalid(`${name} has more than ${String(max)} characters`);
  return trimmed;
}

/** `[{ "value": x }]` and `{ "value": x }` are x, as one provider writes single values in a PATCH. */
function unwrapped(value: Value): Value {
  const one: Value = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return isObject(one) && Object.hasOwn(one, 'value') ? one['value'] : value;
}

function truth(value: Value, name: string): boolean {
  const plain = unwrapped(value);
  const word = typeof plain === 'string' ? plain.trim().toLowerCase() : plain;
  if (word === true || word === 'true') return true;
  if (word === false || word === 'false') return false;
  throw invalid(`${name} must be true or false`);
}

interface UserDraft {
  userName: string;
  externalId: string | null;
  display: string;
  formatted: string;
  givenName: string;
  familyName: string;
  email: string;
  isActive: boolean;
}

/** The address that counts: the primary one, else that of work, else the first. */
function emailIn(value: Value): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return text(value, 'emails', NAME_MAX);
  const all = (Array.isArray(value) ? value : [value]).map((one: Value) =>
    typeof one === 'string' ? new Map([['value', one as Value]]) : attributesOf(one, 'emails'),
  );
  const isPrimary = (one: Attributes): boolean => one.has('primary') && truth(one.get('primary'), 'emails.primary');
  const chosen = all.find(isPrimary) ?? all.find((one) => one.get('type') === 'work') ?? all[0];
  return text(chosen?.get('value'), 'emails.value', NAME_MAX);
}

/** One attribute of a user. Whether it is one that is kept. */
function setUser(draft: UserDraft, attribute: string, value: Value): boolean {
  switch (attribute) {
    case 'username':
      draft.userName = text(value, 'userName', NAME_MAX);
      return true;
    case 'externalid':
      draft.externalId = text(value, 'externalId') || null;
      return true;
    case 'displayname':
      draft.display = text(value, 'displayName');
      return true;
    case 'name': {
      const parts = attributesOf(value, 'name');
      for (const [part, each] of parts) setUser(draft, `name.${part}`, each);
      return true;
    }
    case 'name.formatted':
      draft.formatted = text(value, 'name.formatted');
      return true;
    case 'name.givenname':
      draft.givenName = text(value, 'name.givenName');
      return true;
    case 'name.familyname':
      draft.familyName = text(value, 'name.familyName');
      return true;
    case 'active':
      draft.isActive = truth(value, 'active');
      return true;
    case 'emails':
      draft.email = emailIn(value);
      return true;
    case 'emails.value':
      draft.email = text(value, 'emails.value', NAME_MAX);
      return true;
    default:
      return false;
  }
}

const draftOf = (user: UserFields | null): UserDraft => ({
  userName: user?.userName ?? '',
  externalId: user?.externalId ?? null,
  display: user?.name ?? '',
  formatted: '',
  givenName: user?.givenName ?? '',
  familyName: user?.familyName ?? '',
  // Where the name is the address, it follows the name.
  email: user && user.email !== user.userName ? user.email : '',
  isActive: user?.isActive ?? true,
});

function settled({ display, formatted, ...draft }: UserDraft): UserFields {
  if (draft.userName === '') throw invalid('userName is required');
  const email = draft.email || draft.userName;
  if (!Email.safeParse(email).success)
    throw invalid(`${draft.userName} has no address at which people can be asked: send emails[type eq "work"].value, or a userName that is an address`);
  return { ...draft, email, name: display || formatted };
}

function checkSchemas(attributes: Attributes, schema: string): void {
  const schemas = attributes.get('schemas');
  if (schemas !== undefined && !(Array.isArray(schemas) && schemas.some((one: Value) => String(one).toLowerCase() === schema.toLowerCase())))
    throw new ScimError(400, 'invalidSyntax', `schemas must name ${schema}`);
}

const PATCH_SCHEMA = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** A whole user. `before`: whom it replaces; who was deactivated stays so until it is said otherwise. */
export function readUser(body: Value, before: UserFields | null): UserFields {
  const attributes = attributesOf(body, 'The user');
  checkSchemas(attributes, USER_SCHEMA);
  const draft: UserDraft = { ...draftOf(null), isActive: before?.isActive ?? true };
  for (const [attribute, value] of attributes) setUser(draft, attribute, value);
  return settled(draft);
}

function memberIds(value: Value): string[] {
  if (value === null || value === undefined) return [];
  const all = Array.isArray(value) ? value : [value];
  if (all.length > MEMBERS_MAX) throw new ScimError(413, null, `members has more than ${String(MEMBERS_MAX)} entries`);
  return all.map((one: Value) => {
    if (typeof one === 'string') return one;
    const member = attributesOf(one, 'members');
    if (text(member.get('type'), 'members.type').toLowerCase() === 'group') throw invalid('Groups within groups are not taken; send their people');
    const id = member.get('value');
    if (typeof id !== 'string' || id === '') throw invalid('members.value must be the id of a user');
    return id;
  });
}

interface GroupDraft {
  name: string;
  externalId: string | null;
  members: readonly string[];
}

const settledGroup = (draft: GroupDraft): GroupFields => {
  if (draft.name === '') throw invalid('displayName is required');
  return { ...draft, members: [...new Set(draft.members)] };
};

export function readGroup(body: Value): GroupFields {
  const attributes = attributesOf(body, 'The group');
  checkSchemas(attributes, GROUP_SCHEMA);
  return settledGroup({
    name: text(attributes.get('displayname'), 'displayName'),
    externalId: text(attributes.get('externalid'), 'externalId') || null,
    members: memberIds(attributes.get('members')),
  });
}

interface Operation {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string | null;
  readonly value: Value;
}

function operationsOf(body: Value): Operation[] {
  const attributes = attributesOf(body, 'The patch');
  checkSchemas(attributes, PATCH_SCHEMA);
  const operations = attributes.get('operations');
  if (!Array.isArray(operations) || operations.length === 0) throw new ScimError(400, 'invalidSyntax', 'Operations must be a list with at least one operation');
  if (operations.length > OPERATIONS_MAX) throw new ScimError(413, 'tooMany', `More than ${String(OPERATIONS_MAX)} operations at once`);
  return operations.map((each: Value) => {
    const operation = attributesOf(each, 'An operation');
    const op = text(operation.get('op'), 'op').toLowerCase();
    if (op !== 'add' && op !== 'remove' && op !== 'replace') throw new ScimError(400, 'invalidSyntax', 'op must be add, remove or replace');
    const path = operation.get('path') ?? null;
    if (path !== null && (typeof path !== 'string' || path.length > 500)) throw new ScimError(400, 'invalidPath', 'path must be a text');
    if (op === 'remove' && path === null) throw new ScimError(400, 'noTarget', 'To remove, name what: path is missing');
    return { op, path: path === '' ? null : path, value: operation.get('value') };
  });
}

interface Target {
  /** In lower case, with its part after the dot; whatever is in brackets left out. */
  readonly attribute: string;
  /** The comparison in brackets. */
  readonly where: { readonly attribute: string; readonly value: string } | null;
}

const PATH = /^([a-z$]{1,40})(?:\[\s*([a-z.]{1,40})\s+eq\s+("(?:[^"\\]|\\.){0,200}"|true|false)\s*\])?(?:\.([a-z$]{1,40}))?$/i;

/** Null: an attribute of an extension, which is not kept. */
function targetOf(path: string): Target | null {
  const own = path.replace(/^urn:ietf:params:scim:schemas:core:2\.0:(?:User|Group):/i, '');
  if (/^urn:[A-Za-z0-9:._-]{1,300}$/.test(own)) return null;
  const [all, attribute = '', by, literal = '', sub] = PATH.exec(own) ?? [];
  if (all === undefined) throw new ScimError(400, 'invalidPath', 'path cannot be read; write attribute, attribute.part or attribute[part eq "value"].part');
  const name = [attribute, ...(sub === undefined ? [] : [sub])].join('.').toLowerCase();
  if (by === undefined) return { attribute: name, where: null };
  let value: unknown;
  try {
    value = JSON.parse(literal);
  } catch {
    throw new ScimError(400, 'invalidPath', 'path compares with a text that is not written as JSON writes texts');
  }
  return { attribute: name, where: { attribute: by.toLowerCase(), value: String(value) } };
}

/** Without a path the value holds attributes; some providers write paths as their names. */
function spread({ op, path, value }: Operation): readonly (Operation & { readonly path: string })[] {
  if (path !== null) return [{ op, path, value }];
  if (!isObject(value)) throw invalid('Without a path, value must be an object of attributes');
  return Object.entries(value).map(([name, each]) => ({ op, path: name, value: each }));
}

export function patchUser(user: UserFields, body: Value): UserFields {
  const draft = draftOf(user);
  for (const operation of operationsOf(body).flatMap(spread)) {
    const target = targetOf(operation.path);
    if (!target) continue;
    const { attribute, where } = target;
    // Other addresses than the one that counts are not kept.
    const isOther =
      attribute.startsWith('emails') && where !== null && !(where.attribute === 'type' && where.value === 'work') && where.attribute !== 'primary';
    if (isOther) continue;
    if (operation.op !== 'remove') setUser(draft, attribute, operation.value);
    else if (['username', 'active', 'emails', 'emails.value'].includes(attribute))
      throw new ScimError(400, 'mutability', `${operation.path} is required and cannot be removed; replace it`);
    else setUser(draft, attribute === 'name' ? 'name.formatted' : attribute, null);
  }
  return settled(draft);
}

export function patchGroup(group: GroupFields, body: Value): GroupFields {
  const draft: GroupDraft = { name: group.name, externalId: group.externalId, members: group.members };
  for (const { op, path, value } of operationsOf(body).flatMap(spread)) {
    const target = targetOf(path);
    if (target?.attribute === 'displayname') draft.name = op === 'remove' ? '' : text(value, 'displayName');
    else if (target?.attribute === 'externalid') draft.externalId = op === 'remove' ? null : text(value, 'externalId') || null;
    else if (target && (target.attribute === 'members' || target.attribute === 'members.value')) draft.members = membersAfter(draft.members, op, target, value);
  }
  return settledGroup(draft);
}

function membersAfter(members: readonly string[], op: Operation['op'], { where }: Target, value: Value): readonly string[] {
  if (where !== null && where.attribute !== 'value') throw new ScimError(400, 'invalidPath', 'Members are named by their value: members[value eq "id"]');
  if (op === 'remove') {
    // Without brackets and without a value all are meant; a list of values means those.
    const named = where ? [where.value] : value === undefined || value === null ? null : memberIds(value);
    return named === null ? [] : members.filter((id) => !named.includes(id));
  }
  const given = where ? [where.value] : memberIds(value);
  return op === 'replace' && !where ? given : [...members, ...given];
}
