/**
 * The filters that identity providers send: attributes that equal a value, several joined by `and` (RFC 7644, section 3.4.2.2). Others are
 * refused, and not guessed at. What is compared with stays data: it never becomes part of a query.
 * Pure.
 */
import type { Wanted } from '../../../record/store/scim';
import { ScimError } from './errors';

const FILTER_MAX = 1_000;
const TERM =
  /\s*((?:urn:[A-Za-z0-9:._-]{1,100}:)?[A-Za-z]{1,40}(?:\[[^\]]{0,100}\])?(?:\.[A-Za-z]{1,40})?)\s+([A-Za-z]{2})\s+("(?:[^"\\]|\\.)*"|true|false)\s*/y;
const AND = /and\s+/iy;

const refuse = (why: string): ScimError => new ScimError(400, 'invalidFilter', `The filter cannot be used: ${why}`);

type Key = keyof Wanted;

const USER: Readonly<Record<string, Key>> = {
  id: 'id',
  username: 'name',
  displayname: 'display',
  externalid: 'externalId',
  active: 'isActive',
  emails: 'email',
  'emails.value': 'email',
  'emails[type eq "work"].value': 'email',
};
const GROUP: Readonly<Record<string, Key>> = { id: 'id', displayname: 'name', externalid: 'externalId', members: 'member', 'members.value': 'member' };

/** An attribute by its own name, in lower case. */
export const attributeOf = (path: string): string => path.replace(/^urn:ietf:params:scim:schemas:core:2\.0:(?:User|Group):/i, '').toLowerCase();

export function readFilter(text: string | undefined, of: 'user' | 'group'): Wanted {
  if (text === undefined || text.trim() === '') return {};
  if (text.length > FILTER_MAX) throw refuse(`it has more than ${String(FILTER_MAX)} characters`);
  const known = of === 'user' ? USER : GROUP;
  const wanted: Record<string, string | boolean> = {};
  let at = 0;
  while (at < text.length) {
    TERM.lastIndex = at;
    const [all, path = '', operator = '', literal = ''] = TERM.exec(text) ?? [];
    if (all === undefined) throw refuse(`at character ${String(at + 1)}; write attribute eq "value", several joined by and`);
    if (operator.toLowerCase() !== 'eq') throw refuse(`${operator} is not among the operators here; use eq`);
    const attribute = attributeOf(path);
    const key = Object.hasOwn(known, attribute) ? known[attribute] : undefined;
    if (key === undefined) throw refuse(`${path} cannot be filtered by; use one of ${Object.keys(known).join(', ')}`);
    if (Object.hasOwn(wanted, key)) throw refuse(`${path} is compared twice`);
    const value = valueOf(literal);
    if ((key === 'isActive') !== (typeof value === 'boolean')) throw refuse(`${path} is compared with what it can never be`);
    wanted[key] = value;
    at += all.length;
    if (at >= text.length) break;
    AND.lastIndex = at;
    const and = AND.exec(text)?.[0];
    if (and === undefined || at + and.length >= text.length) throw refuse(`at character ${String(at + 1)}; several comparisons are joined by and`);
    at += and.length;
  }
  return wanted;
}

function valueOf(literal: string): string | boolean {
  try {
    return JSON.parse(literal) as string | boolean;
  } catch {
    throw refuse('a text in it is not written as JSON writes texts');
  }
}
