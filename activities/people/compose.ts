/**
 * One directory of what all sources say.
 * Promises: the same contributions give the same text; who is gone by any source is not in it and holds nothing; a name that leads to
 * nobody is left out and said, so that somebody who leaves never stops the others; what contradicts itself is refused.
 * Pure.
 */
import { stringify } from 'yaml';
import type { Directory } from '../../domain/directory';
import { ms, type Instant } from '../../domain/json';
import { formatFindings, parseDirectory } from '../../policy';
import { PeopleError } from './errors';
import type { Away, Contribution, KnownPerson } from './source';

export interface Composed {
  readonly text: string;
  readonly directory: Directory;
  /** When it is to be composed anew at the latest; null: when a source changes. */
  readonly nextAt: Instant | null;
  readonly notes: readonly string[];
}

const HEAD = '# Composed of everything that says who people are here. Change those: this is published anew whenever one of them changes.\n';

interface Written extends Omit<KnownPerson, 'id'> {
  readonly absences?: readonly Omit<Away, 'person'>[];
}

export function compose(contributions: readonly Contribution[]): Composed {
  const alone = contributions.length === 1 ? contributions[0] : undefined;
  const text = alone?.text !== undefined && !alone.shifts?.length ? alone.text : null;
  const { document, notes, nextAt } = merge(contributions);
  const published = text ?? HEAD + stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 });
  const { directory, findings } = parseDirectory(published, 'directory.yaml');
  if (!directory) {
    const errors = findings.filter((finding) => finding.severity === 'error');
    throw new PeopleError(
      'directory_broken',
      text === null
        ? `What the sources say of people contradicts itself: ${errors[0]?.message ?? 'it cannot be read'}`
        : `The directory cannot be read: ${formatFindings(errors.slice(0, 1)).trim()}`,
    );
  }
  return { text: published, directory, nextAt, notes };
}

function merge(contributions: readonly Contribution[]): { readonly document: object; readonly notes: readonly string[]; readonly nextAt: Instant | null } {
  const notes = contributions.flatMap(({ notes: said = [] }) => said);
  const people = presentIn(contributions, notes);
  const relative = new Set(contributions.flatMap(({ owners = {} }) => Object.keys(owners)));
  const written = Object.fromEntries(
    [...people.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, name, email, roles }): [string, Written] => {
        const held = [...new Set(roles)].filter((role) => !relative.has(role)).sort();
        for (const role of new Set(roles)) if (relative.has(role)) notes.push(`${id} does not hold ${role}: whose it is depends on what a request is about`);
        const absences = absencesIn(contributions, id, people, notes);
        return [id, { name, email, roles: held, ...(absences.length > 0 ? { absences } : {}) }];
      }),
  );
  const rolesOf = (id: string): readonly string[] => (Object.hasOwn(written, id) ? (written[id]?.roles ?? []) : []);
  const byEmail = new Map([...people.values()].map(({ id, email }) => [email.toLowerCase(), id]));
  const idOf = (word: string): string | null => (people.has(word) ? word : (byEmail.get(word.toLowerCase()) ?? null));
  const shifts = [...contributions].reverse().flatMap(({ shifts: some = [] }) => some);
  const orders = new Map<string, string[]>();
  const line = (role: string, words: readonly string[]): void => {
    const ids = words.flatMap((word) => {
      const id = idOf(word);
      if (id !== null && rolesOf(id).includes(role)) return [id];
      notes.push(
        id === null
          ? `${word} has no duty for ${role}: nobody here is known by that id or address`
          : `${id} has no duty for ${role}, because ${id} does not hold it`,
      );
      return [];
    });
    orders.set(role, [...new Set([...(orders.get(role) ?? []), ...ids])]);
  };
  for (const { role, who } of shifts) line(role, who);
  for (const { duty = {} } of contributions) for (const [role, ids] of Object.entries(duty)) line(role, ids);
  const owners = Object.fromEntries(
    contributions
      .flatMap(({ owners: owned = {} }) => Object.entries(owned))
      .map(([role, things]): [string, object] => [
        role,
        Object.fromEntries(
          Object.entries(things).flatMap(([of, ids]): [string, readonly string[]][] => {
            const there = ids.filter((id) => people.has(id));
            for (const id of ids) if (!people.has(id)) notes.push(`${id} is ${role} of ${of} no more: nobody here is known by that id`);
            return there.length > 0 ? [[of, there]] : [];
          }),
        ),
      ]),
  );
  const duty = Object.fromEntries([...orders].filter(([, ids]) => ids.length > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
  const changes = shifts.flatMap(({ until }) => (until === null ? [] : [until])).sort((a, b) => ms(a) - ms(b));
  return { document: { people: written, duty, owners }, notes: [...new Set(notes)], nextAt: changes[0] ?? null };
}

/** Everyone who is there: the last source that knows somebody says who they are, and one that knows them to be gone has the last word. */
function presentIn(contributions: readonly Contribution[], notes: string[]): ReadonlyMap<string, KnownPerson> {
  const people = new Map(contributions.flatMap(({ people: some = [] }) => some.map((person): [string, KnownPerson] => [person.id, person])));
  for (const { id, email } of contributions.flatMap(({ gone = [] }) => gone)) {
    const also = email === null ? undefined : [...people.values()].find((person) => person.email.toLowerCase() === email.toLowerCase());
    for (const person of [people.get(id), also]) {
      if (!person || !people.delete(person.id)) continue;
      notes.push(
        `${person.id} is not among people, whatever the file says: the identity provider has deactivated or deleted ${person.id === id ? 'them' : id}`,
      );
    }
  }
  return people;
}

function absencesIn(contributions: readonly Contribution[], id: string, people: ReadonlyMap<string, KnownPerson>, notes: string[]): Omit<Away, 'person'>[] {
  return contributions
    .flatMap(({ absences = [] }) => absences.filter(({ person }) => person === id))
    .map(({ from, to, deputy }) => {
      if (deputy === undefined || people.has(deputy)) return { from, to, ...(deputy === undefined ? {} : { deputy }) };
      notes.push(`${deputy} does not stand in for ${id}: nobody here is known by that id`);
      return { from, to };
    });
}
