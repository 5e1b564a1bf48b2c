/**
 * The directory file: people, the roles they hold, who is on duty and who backs them up, absences with their deputies, and who owns what.
 * Duty that changes with time (rotations, calendars) is read here and worked out where it is composed (activities/people): a directory
 * that is published says who has duty, and knows no clock.
 * Pure: text in, domain/directory.ts out.
 */
import { z } from 'zod';
import type { Directory, Person } from '../domain/directory';
import { isZone } from './calendar';
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
const zone = z.string().refine(isZone, 'name a zone of the IANA list, such as Europe/Madrid');

const SHIFT = /^([1-9]\d{0,2})(h|d|w)$/;
const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/;

const RotationSchema = z.strictObject({
  people: z.array(text(64)).min(1).max(50),
  shift: z.string().regex(SHIFT, 'write hours, days or weeks, such as 12h, 1d or 1w'),
  start: z
    .string()
    .regex(LOCAL, 'write the first handover as 2026-01-05T09:00, in the time of its zone')
    .refine((local) => !Number.isNaN(Date.parse(`${local}:00Z`)), 'there is no such day or hour'),
  zone,
});

const FeedSchema = z.strictObject({
  url: z.string().regex(/^https?:\/\/\S{1,1900}$/, 'write the address of a calendar as https://…'),
  zone: zone.optional(),
});

export const DirectorySchema = z.strictObject({
  people: z.record(
    personId,
    z.strictObject({
      name: text(200),
      email: z.email().max(320),
      roles: z.array(role).max(50).default([]),
      absences: z
        .array(z.strictObject({ from: at, to: at, deputy: text(64).optional() }))
        .max(100)
        .default([]),
    }),
  ),
  duty: z.record(role, z.array(text(64)).min(1).max(50)).default({}),
  /** For each relative role of the policy, by what is owned: `account_lead: { acme-42: [tom, ann] }`. */
  owners: z.record(role, z.record(text(200), z.array(text(64)).min(1).max(50))).default({}),
  /** Duty in turns: shifts of one length, handed over at the same hour of the zone. */
  rotations: z.record(role, RotationSchema).default({}),
  /** Duty from a calendar (RFC 5545) that is kept elsewhere. */
  feeds: z.record(role, FeedSchema).default({}),
});
/** The file as it was written, with what was left out. */
export type DirectoryDocument = z.output<typeof DirectorySchema>;
export type Rotation = z.output<typeof RotationSchema>;
type Document = DirectoryDocument;

interface ParsedDirectory {
  readonly directory: Directory | null;
  /** Null where the directory is. */
  readonly document: DirectoryDocument | null;
  readonly findings: readonly Finding[];
}

/** Whom another source of people knows, the identity provider: the file may name them, and says nothing of their roles. */
type Known = (id: string) => boolean;
const NOBODY: Known = () => false;

export function parseDirectory(fileText: string, path: string, elsewhere: Known = NOBODY): ParsedDirectory {
  const report = new Report();
  const file = { path, text: fileText };
  const source = parseYaml(file, report);
  const doc = source && shaped(DirectorySchema, source, report);
  if (!source || !doc) return { directory: null, document: null, findings: report.findings };
  checkPeople(doc, source, report, elsewhere);
  checkDuty(doc, source, report, elsewhere);
  checkOwners(doc, source, report, elsewhere);
  const people = Object.fromEntries(
    Object.entries(doc.people).map(([id, person]): [string, Person] => [
      id,
      {
        id,
        ...person,
        absences: person.absences.map(({ from, to, deputy }) => ({ from: utc(from), to: utc(to), ...(deputy === undefined ? {} : { deputy }) })),
      },
    ]),
  );
  // Who comes when depends on the time, which nobody tells here: who takes turns, in their order.
  const turns = Object.entries(doc.rotations).map(([name, rotation]): [string, readonly string[]] => [
    name,
    [...new Set([...rotation.people, ...(Object.hasOwn(doc.duty, name) ? (doc.duty[name] ?? []) : [])])],
  ]);
  const duty = { ...doc.duty, ...Object.fromEntries(turns) };
  const directory: Directory = { hash: contentHash('directory', [{ path: 'directory.yaml', text: fileText }]), people, duty, owners: doc.owners };
  return report.broken ? { directory: null, document: null, findings: report.findings } : { directory, document: doc, findings: report.findings };
}

/** Instants are stored in UTC with milliseconds, so that they sort as text. */
const utc = (instant: string): string => new Date(instant).toISOString();

function checkPeople(doc: Document, source: Source, report: Report, elsewhere: Known): void {
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
    for (const [i, { from, to, deputy }] of person.absences.entries()) {
      const place = source.at(['people', id, 'absences', i]);
      if (Date.parse(from) >= Date.parse(to)) report.error('bad_absence', place, null, `The absence of ${id} ends before it begins; swap from and to`);
      if (deputy === undefined) continue;
      const named = source.at(['people', id, 'absences', i, 'deputy']);
      if (deputy === id) report.error('bad_absence', named, null, `${id} is away and cannot be the deputy; name another person`);
      else if (!Object.hasOwn(doc.people, deputy) && !elsewhere(deputy))
        report.error('unknown_person', named, null, `${deputy} stands in for ${id} but is not among people; add the person, or mend the id`);
    }
  }
  for (const [i, circle] of circlesOf(doc))
    report.error(
      'bad_absence',
      source.at(['people', circle[0] ?? '', 'absences', i, 'deputy']),
      null,
      `${[...circle, circle[0]].join(' → ')}: each stands in for the one before while they are away as well, and nobody is left; name another deputy`,
    );
}

/** Far more than any team's absences need; what is more entangled counts as a circle. */
const STEPS_MAX = 100_000;

/** People who are away at the same time and stand in for each other: of each circle who is in it, and which absence of the first it begins with. */
function circlesOf({ people }: Document): (readonly [number, readonly string[]])[] {
  const found: (readonly [number, readonly string[]])[] = [];
  const away = (id: string) => (Object.hasOwn(people, id) ? (people[id]?.absences ?? []) : []);
  let steps = 0;
  const walk = (path: readonly string[], from: number, to: number): readonly string[] | null => {
    for (const { deputy, ...absence } of away(path[path.length - 1] ?? '')) {
      const [since, until] = [Math.max(from, Date.parse(absence.from)), Math.min(to, Date.parse(absence.to))];
      if (deputy === undefined || since >= until) continue;
      if (deputy === path[0] || (steps += 1) > STEPS_MAX) return path;
      // A circle that does not lead back here is found from one of its own.
      const circle = path.includes(deputy) ? null : walk([...path, deputy], since, until);
      if (circle) return circle;
    }
    return null;
  };
  for (const id of Object.keys(people).sort())
    for (const [i, { deputy, from, to }] of away(id).entries()) {
      if (deputy === undefined || deputy === id || found.some(([, circle]) => circle.includes(id))) continue;
      const circle = walk([id, deputy], Date.parse(from), Date.parse(to));
      if (circle) found.push([i, circle]);
    }
  return found;
}

function checkDuty(doc: Document, source: Source, report: Report, elsewhere: Known): void {
  const check = (dutyRole: string, ids: readonly string[], path: readonly (string | number)[]): void => {
    for (const [i, id] of ids.entries()) {
      const place = source.at([...path, i]);
      const person = Object.hasOwn(doc.people, id) ? doc.people[id] : undefined;
      if (!elsewhere(id)) {
        if (!person) report.error('unknown_person', place, null, `${id} has duty for ${dutyRole} but is not among people; add the person, or mend the id`);
        else if (!person.roles.includes(dutyRole))
          report.error('role_not_held', place, null, `${id} has duty for ${dutyRole} but does not hold it; add the role to the person`);
      }
      if (ids.indexOf(id) !== i) report.error('duplicate_person', place, null, `${id} is listed twice for ${dutyRole}; a backup is another person`);
    }
  };
  for (const [dutyRole, ids] of Object.entries(doc.duty)) check(dutyRole, ids, ['duty', dutyRole]);
  for (const [dutyRole, { people }] of Object.entries(doc.rotations)) check(dutyRole, people, ['rotations', dutyRole, 'people']);
}

function checkOwners(doc: Document, source: Source, report: Report, elsewhere: Known): void {
  for (const [ownerRole, owned] of Object.entries(doc.owners)) {
    for (const [of, ids] of Object.entries(owned)) {
      for (const [i, id] of ids.entries()) {
        const place = source.at(['owners', ownerRole, of, i]);
        if (!Object.hasOwn(doc.people, id) && !elsewhere(id))
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
    for (const key of ['duty', 'rotations', 'feeds'] as const)
      if (Object.hasOwn(doc[key], ownerRole))
        report.error('relative_role_held', source.keyAt([key, ownerRole]), null, `${ownerRole} is asked in the order of its owners; remove it from ${key}`);
  }
}
