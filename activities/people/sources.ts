/**
 * The sources there are: the file of a small team, what an identity provider has sent, absences that people set, calendars of duty.
 * They read what the store holds of each, and never a file or the network: who brings it there is ./watch and client/api/scim.
 */
import { parseDirectory, type DirectoryDocument } from '../../policy';
import { absencesOf, feedsOf, fileOf, peopleState } from '../../record/store/people';
import { personsEver, providedBy, type ScimUser } from '../../record/store/scim';
import type { Db, Trx } from '../../record/store/database';
import { CalendarError, rosterAt } from './calendar';
import { PeopleError } from './errors';
import { turnAt } from './rotation';
import type { Away, PeopleSource, Shift } from './source';

/** The file as it was last taken; null where there is none. What it says was checked when it was taken. */
export async function documentOf(db: Db | Trx, tenant: string): Promise<{ readonly text: string; readonly document: DirectoryDocument } | null> {
  const file = await fileOf(db, tenant);
  if (file?.text == null) return null;
  const elsewhere = await personsEver(db, tenant);
  const { document, findings } = parseDirectory(file.text, 'directory.yaml', (id) => elsewhere.has(id));
  if (!document)
    throw new PeopleError('directory_broken', `The directory's file as it was last taken cannot be read: ${findings[0]?.message ?? ''}; publish it again`);
  return { text: file.text, document };
}

/** Instants are compared as text, so all of them are written alike. */
const utc = (instant: string): string => new Date(instant).toISOString();

const fileSource: PeopleSource = {
  name: 'the file',
  async read(trx, tenant, now) {
    const file = await documentOf(trx, tenant);
    if (!file) return null;
    const { people, duty, owners, rotations, feeds } = file.document;
    const absences = Object.entries(people).flatMap(([person, { absences: some }]) =>
      some.map(({ from, to, deputy }): Away => ({ person, from: utc(from), to: utc(to), ...(deputy === undefined ? {} : { deputy }) })),
    );
    const shifts = Object.entries(rotations).map(([role, rotation]): Shift => {
      const { order, until } = turnAt(rotation, now);
      return { role, who: order, until };
    });
    // A role that only a calendar has duty for is composed even while the calendar says nothing.
    const named = Object.keys(feeds).map((role): Shift => ({ role, who: [], until: null }));
    return {
      people: Object.entries(people).map(([id, { name, email, roles }]) => ({ id, name, email, roles })),
      absences,
      duty,
      owners,
      shifts: [...named, ...shifts],
      text: file.text,
    };
  },
};

/** `Countersign Finance Lead` with the prefix `countersign` is the role `finance_lead`. Null: it is none. */
export function roleOfGroup(name: string, prefix: string): string | null {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  const [all, begin] = [plain(name), plain(prefix)];
  if (!all.startsWith(begin)) return null;
  const role = all.slice(begin.length).replace(/^_+|_+$/g, '');
  return /^[a-z][a-z0-9_]{0,63}$/.test(role) ? role : null;
}

/** What pages and mails call a user: as the provider shows them, else by their names. */
const nameOf = ({ name, givenName, familyName, userName }: ScimUser): string => (name || `${givenName} ${familyName}`.trim() || userName).slice(0, 200);

const scimSource: PeopleSource = {
  name: 'the identity provider',
  async read(trx, tenant) {
    const { users, groups } = await providedBy(trx, tenant);
    const ever = await personsEver(trx, tenant);
    if (ever.size === 0 && groups.length === 0) return null;
    const { rolePrefix } = await peopleState(trx, tenant);
    const notes: string[] = [];
    const rolesOf = new Map<string, string[]>();
    for (const { name, members } of groups) {
      const role = roleOfGroup(name, rolePrefix);
      if (role === null) notes.push(`The group ${name} is no role${rolePrefix === '' ? ': its name is none' : `: its name does not begin with ${rolePrefix}`}`);
      else for (const member of members) rolesOf.set(member, [...(rolesOf.get(member) ?? []), role]);
    }
    return {
      people: users
        .filter((user) => user.isActive)
        .map((user) => ({ id: user.person, name: nameOf(user), email: user.email, roles: rolesOf.get(user.id) ?? [] })),
      gone: [
        ...users.filter((user) => !user.isActive).map(({ person, email }) => ({ id: person, email })),
        ...[...ever].flatMap(([id, { isDeleted }]) => (isDeleted ? [{ id, email: null }] : [])),
      ],
      notes,
    };
  },
};

const absenceSource: PeopleSource = {
  name: 'absences that people set',
  async read(trx, tenant, now) {
    const set = await absencesOf(trx, tenant, now);
    if (set.length === 0) return null;
    return { absences: set.map(({ person, from, to, deputy }): Away => ({ person, from, to, ...(deputy === null ? {} : { deputy }) })) };
  },
};

const feedSource: PeopleSource = {
  name: 'calendars of duty',
  async read(trx, tenant, now) {
    const feeds = Object.entries((await documentOf(trx, tenant))?.document.feeds ?? {});
    if (feeds.length === 0) return null;
    const kept = await feedsOf(trx, tenant);
    const notes: string[] = [];
    const shifts = feeds.flatMap(([role, { url, zone = 'UTC' }]): Shift[] => {
      const known = kept.get(role);
      const text = known?.address === url ? known.text : null;
      const failing = known?.address === url && known.failedAt !== null ? known : null;
      if (failing) notes.push(failing.why);
      if (text === null) {
        if (!failing) notes.push(`The calendar of ${role} has not been read yet`);
        return [];
      }
      try {
        const { who, until } = rosterAt(text, { now, zone });
        return [{ role, who, until }];
      } catch (error) {
        if (!(error instanceof CalendarError)) throw error;
        notes.push(`The calendar of ${role} ${error.message}`);
        return [];
      }
    });
    return { shifts, notes };
  },
};

/** In this order: of two that know the same person the later one's word holds. */
export const SOURCES: readonly PeopleSource[] = [fileSource, scimSource, absenceSource, feedSource];
