/**
 * The directory: who holds which role, and who is on duty for it right now.
 * Pure: the instant is an argument; imports only from domain.
 */
import { ms, type Instant } from './json';
import type { Plan } from './plan';

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
  /** From (inclusive) to (exclusive): not asked, and not on duty. */
  readonly absences: readonly { readonly from: Instant; readonly to: Instant }[];
}

export interface Directory {
  /** SHA-256 over the content, lower-case hex. */
  readonly hash: string;
  readonly people: { readonly [id: string]: Person };
  /** For each role, who has duty first and who backs them up, in order. Every id holds the role. */
  readonly duty: { readonly [role: string]: readonly string[] };
  /** For each relative role and each thing owned, who owns it, the first to be asked first. */
  readonly owners?: { readonly [role: string]: { readonly [of: string]: readonly string[] } };
}

export const personOf = (directory: Directory, id: string): Person | undefined => (Object.hasOwn(directory.people, id) ? directory.people[id] : undefined);

export const holds = (directory: Directory, id: string, role: string): boolean => personOf(directory, id)?.roles.includes(role) ?? false;

export const isAbsent = (person: Person, now: Instant): boolean => person.absences.some(({ from, to }) => ms(from) <= ms(now) && ms(now) < ms(to));

/** Everyone who may be asked for `role` now, duty first, then its backups, then the other holders by id. */
export function rosterOf(directory: Directory, role: string, now: Instant, excluded: readonly string[]): Person[] {
  const listed = Object.hasOwn(directory.duty, role) ? (directory.duty[role] ?? []) : [];
  const others = Object.keys(directory.people)
    .sort()
    .filter((id) => !listed.includes(id));
  return [...listed, ...others]
    .map((id) => personOf(directory, id))
    .filter((person): person is Person => person !== undefined)
    .filter((person) => person.roles.includes(role) && !isAbsent(person, now) && !excluded.includes(person.id));
}

/** Who owns `of` in a relative role; nobody where the directory does not know it. */
function ownersOf({ owners }: Directory, role: string, of: string | null): readonly string[] {
  const owned = owners && Object.hasOwn(owners, role) ? owners[role] : undefined;
  return (of !== null && owned && Object.hasOwn(owned, of) ? owned[of] : undefined) ?? [];
}

/** What a person owns, by relative role. */
export const ownedBy = ({ owners = {} }: Directory, id: string): { readonly role: string; readonly of: string }[] =>
  Object.entries(owners).flatMap(([role, owned]) => Object.entries(owned).flatMap(([of, ids]) => (ids.includes(id) ? [{ role, of }] : [])));

/**
 * The directory as one plan sees it: each of its relative roles is held by the owners of what it is bound to and by the holders of its
 * backup, and by nobody else; asked in that order. Without relative roles it is the directory itself.
 */
export function boundTo(directory: Directory, relative: Plan['relative']): Directory {
  const roles = Object.entries(relative ?? {});
  if (roles.length === 0) return directory;
  const people = Object.values(directory.people).map((person): [string, Person] => {
    const plain = person.roles.filter((role) => !roles.some(([name]) => name === role));
    const bound = roles.filter(([role, { of, backup }]) => ownersOf(directory, role, of).includes(person.id) || person.roles.includes(backup));
    return [person.id, { ...person, roles: [...plain, ...bound.map(([role]) => role)] }];
  });
  const duty = roles.map(([role, { of, backup }]): [string, string[]] => {
    const listed = Object.hasOwn(directory.duty, backup) ? (directory.duty[backup] ?? []) : [];
    return [role, [...new Set([...ownersOf(directory, role, of), ...listed])]];
  });
  return { ...directory, people: Object.fromEntries(people), duty: { ...directory.duty, ...Object.fromEntries(duty) } };
}
