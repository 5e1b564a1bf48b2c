/**
 * The directory: who holds which role, and who is on duty for it right now.
 * Pure: the instant is an argument.
 */
import { ms, type Instant } from './json';

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
