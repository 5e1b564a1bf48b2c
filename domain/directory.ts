/**
 * The directory: who holds which role, who is on duty for it right now, and who stands in for whom.
 * Promises: standing in never leads through or to somebody who is excluded, is at most three steps long, and lasts as long as the absence.
 * Pure: the instant is an argument; imports only from domain.
 */
import { ms, type Instant } from './json';
import type { Plan } from './plan';

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly roles: readonly string[];
  /** From (inclusive) to (exclusive): not asked, and not on duty. The deputy, a person's id, stands in for them. */
  readonly absences: readonly Absence[];
}

export interface Absence {
  readonly from: Instant;
  readonly to: Instant;
  readonly deputy?: string;
}

/** Who may be asked, and whom they stand in for; without `for` they hold the role themselves. As in an {@link Asked}. */
export interface Seat {
  readonly person: string;
  readonly for?: string;
}

/** From who is absent to who is there: not further. */
const DEPUTIES_MAX = 3;

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

const isNow = ({ from, to }: Absence, now: Instant): boolean => ms(from) <= ms(now) && ms(now) < ms(to);

export const isAbsent = (person: Person, now: Instant): boolean => person.absences.some((one) => isNow(one, now));

/**
 * Who stands in for a person who is absent: their deputy, or that one's while the deputy is absent too. Nobody where the way leads to
 * somebody excluded, in a circle, out of the directory, or too far.
 */
export function standInFor(directory: Directory, absent: Person, now: Instant, excluded: readonly string[]): string | null {
  const way = [absent];
  for (;;) {
    const last = way[way.length - 1];
    if (!last || excluded.includes(last.id)) return null;
    if (!isAbsent(last, now)) return way.length > 1 ? last.id : null;
    const deputy = last.absences.find((one) => isNow(one, now) && one.deputy !== undefined)?.deputy;
    const next = deputy === undefined ? undefined : personOf(directory, deputy);
    if (!next || way.includes(next) || way.length > DEPUTIES_MAX) return null;
    way.push(next);
  }
}

/** The holders of a role, present or not: duty first, then its backups, then the others by id. */
function holdersOf(directory: Directory, role: string): Person[] {
  const listed = Object.hasOwn(directory.duty, role) ? (directory.duty[role] ?? []) : [];
  const others = Object.keys(directory.people)
    .sort()
    .filter((id) => !listed.includes(id));
  return [...listed, ...others]
    .map((id) => personOf(directory, id))
    .filter((person): person is Person => person !== undefined)
    .filter((person) => person.roles.includes(role));
}

/**
 * Everyone who may be asked for `role` now, in the order of {@link holdersOf}, each once; the deputy in the place of who is absent.
 * Whoever holds the role themselves stands in for nobody.
 */
export function rosterOf(directory: Directory, role: string, now: Instant, excluded: readonly string[]): Seat[] {
  const seats = holdersOf(directory, role).flatMap((holder): Seat[] => {
    if (!isAbsent(holder, now)) return excluded.includes(holder.id) ? [] : [{ person: holder.id }];
    const person = standInFor(directory, holder, now, excluded);
    if (person === null) return [];
    return [holds(directory, person, role) ? { person } : { person, for: holder.id }];
  });
  return seats.filter(({ person }, i) => seats.findIndex((one) => one.person === person) === i);
}

/**
 * As whom a person acts in `role` now: as themselves, who hold it, also while they are absent; or for a holder who is absent.
 * Null where they may not. `excluded`: for whom nobody may act either, as in {@link rosterOf}.
 */
export function actsAs(directory: Directory, id: string, role: string, now: Instant, excluded: readonly string[] = []): { readonly for?: string } | null {
  if (holds(directory, id, role)) return {};
  const absent = holdersOf(directory, role).find((holder) => isAbsent(holder, now) && standInFor(directory, holder, now, excluded) === id);
  return absent ? { for: absent.id } : null;
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
