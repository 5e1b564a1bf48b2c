/**
 * The directory file: people, the roles they hold, who is on duty and who backs them up, absences, and who owns what.
 * Pure: text in, domain/directory.ts out.
 */
import { z } from 'zod';
import type { Directory, Person } from '../domain/directory';
import { contentHash } from './hash';
import { parseYaml, type Source } from './parse';
import { Report, type Finding } from './report';
import { shaped } from './shape';

const text = (max: number) => z.string().trim().min(1).max(max);
const role = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'use lower-case letters, digits and _');
const personId = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{0,63}$/, 'use lower-case letters, digits, dot, - and _')
  .refine((id) => id !== 'constructor' && id !== 'prototype', 'choose another id');
/** Sent as text, so that YAML's own dates, which differ by reader, stay out. */
const at = z.iso.datetime({ offset: true });

export const DirectorySchema = z.strictObject({
  people: z.record(
    personId,
    z.strictObject({
      name: text(200),
      email: z.email().max(320),
      roles: z.array(role).max(50).default([]),
      absences: z
        .array(z.strictObject({ from: at, to: at }))
        .max(100)
        .default([]),
    }),
  ),
  duty: z.record(role, z.array(text(64)).min(1).max(50)).default({}),
  /** For each relative role of the policy, by what is owned: `account_lead: { acme-42: [tom, ann] }`. */
  owners: z.record(role, z.record(text(200), z.array(text(64)).min(1).max(50))).default({}),
});
type Document = z.output<typeof DirectorySchema>;

export function parseDirectory(fileText: string, path: string): { readonly directory: Directory | null; readonly findings: readonly Finding[] } {
  const report = new Report();
  const file = { path, text: fileText };
  const source = parseYaml(file, report);
  const doc = source && shaped(DirectorySchema, source, report);
  if (!source || !doc) return { directory: null, findings: report.findings };
  checkPeople(doc, source, report);
  checkDuty(doc, source, report);
  checkOwners(doc, source, report);
  const people = Object.fromEntries(
    Object.entries(doc.people).map(([id, person]): [string, Person] => [
      id,
      { id, ...person, absences: person.absences.map(({ from, to }) => ({ from: utc(from), to: utc(to) })) },
    ]),
  );
  const directory: Directory = { hash: contentHash('directory', [{ path: 'directory.yaml', text: fileText }]), people, duty: doc.duty, owners: doc.owners };
  return { directory: report.broken ? null : directory, findings: report.findings };
}

/** Instants are stored in UTC with milliseconds, so that they sort as text. */
const utc = (instant: string): string => new Date(instant).toISOString();

function checkPeople(doc: Document, source: Source, report: Report): void {
  const emails = new Map<string, string>();
  for (const [id, person] of Object.entries(doc.people)) {
    const other = emails.get(person.email.toLowerCase());
    if (other)
      report.error(
        'duplicate_email',
        source.at(['people', id, 'email']),
        null,
        `${id} and ${other} share the address ${person.email}; two sign-offs are two people: give each an inbox of their own`,
      );
    emails.set(person.email.toLowerCase(), id);
    for (const [i, { from, to }] of person.absences.entries()) {
      if (Date.parse(from) >= Date.parse(to))
        report.error('bad_absence', source.at(['people', id, 'absences', i]), null, `The absence of ${id} ends before it begins; swap from and to`);
    }
  }
}

function checkDuty(doc: Document, source: Source, report: Report): void {
  for (const [dutyRole, ids] of Object.entries(doc.duty)) {
    for (const [i, id] of ids.entries()) {
      const place = source.at(['duty', dutyRole, i]);
      const person = Object.hasOwn(doc.people, id) ? doc.people[id] : undefined;
      if (!person) report.error('unknown_person', place, null, `${id} has duty for ${dutyRole} but is not among people; add the person, or mend the id`);
      else if (!person.roles.includes(dutyRole))
        report.error('role_not_held', place, null, `${id} has duty for ${dutyRole} but does not hold it; add the role to the person`);
      if (ids.indexOf(id) !== i) report.error('duplicate_person', place, null, `${id} is listed twice for ${dutyRole}; a backup is another person`);
    }
  }
}

function checkOwners(doc: Document, source: Source, report: Report): void {
  for (const [ownerRole, owned] of Object.entries(doc.owners)) {
    for (const [of, ids] of Object.entries(owned)) {
      for (const [i, id] of ids.entries()) {
        const place = source.at(['owners', ownerRole, of, i]);
        if (!Object.hasOwn(doc.people, id))
          report.error('unknown_person', place, null, `${id} owns ${of} as ${ownerRole} but is not among people; add the person, or mend the id`);
        if (ids.indexOf(id) !== i) report.error('duplicate_person', place, null, `${id} is listed twice for ${of}; who stands in is another person`);
      }
    }
    // Who holds it depends on the request: held plainly, it would be held for everything.
    for (const [id, person] of Object.entries(doc.people))
      if (person.roles.includes(ownerRole))
        report.error(
          'relative_role_held',
          source.at(['people', id, 'roles']),
          null,
          `${id} holds ${ownerRole} whatever a request is about, but it is owned by what stands under owners; list ${id} there, and remove the role`,
        );
    if (Object.hasOwn(doc.duty, ownerRole))
      report.error('relative_role_held', source.keyAt(['duty', ownerRole]), null, `${ownerRole} is asked in the order of its owners; remove it from duty`);
  }
}
