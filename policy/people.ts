/**
 * The policy held against the directory: a rule that nobody can answer is refused before it is published.
 * Pure.
 */
import { boundTo, type Directory } from '../domain/directory';
import type { CompiledPolicy, CompiledRow, CompiledSignOff } from './model';
import { Report, type Finding, type Place } from './report';

const holders = (directory: Directory, role: string): string[] =>
  Object.values(directory.people)
    .filter((p) => p.roles.includes(role))
    .map((p) => p.id);

/** Who a relative role is asked of where nobody owns what a request is about: its backup, who has to do for that. */
function atLeast(policy: CompiledPolicy, directory: Directory): Directory {
  const relative = Object.entries(policy.relativeRoles).map(([role, { backup }]) => [role, { of: null, backup }] as const);
  return boundTo(directory, Object.fromEntries(relative));
}

/** Who is asked when all are present: duty first, as the domain asks. */
const lineOf = (directory: Directory, role: string): string[] => [
  ...new Set([...((Object.hasOwn(directory.duty, role) ? directory.duty[role] : undefined) ?? []), ...holders(directory, role).sort()]),
];
const firstOf = (directory: Directory, role: string): string | undefined => lineOf(directory, role)[0];

export function checkAgainstDirectory(policy: CompiledPolicy, people: Directory): readonly Finding[] {
  const report = new Report();
  const rows = [...policy.rows, policy.defaultRow];
  checkRelative(policy, people, report);
  const directory = atLeast(policy, people);
  for (const row of rows) {
    checkOwner(row, directory, report);
    for (const signOff of row.signOffs) checkLevels(policy, row, signOff, directory, report);
    const hold = row.onTimeout.hold;
    if (hold) checkHold(policy, row, hold.role, directory, report);
    if (hold && holders(directory, hold.role).length === 0)
      report.error(
        'role_unheld',
        row.at,
        row.id,
        `Nobody holds ${hold.role}, who is paged when the request is held; give the role to a person in the directory`,
      );
  }
  checkBackups(policy, rows, directory, report);
  checkOperators(policy, people, report);
  return report.findings;
}

/** Whether there are people for what operators may do, and for what takes two of them. */
function checkOperators({ operators }: CompiledPolicy, directory: Directory, report: Report): void {
  if (!operators) return;
  const { said, at, reviewAt } = operators;
  const people = (roles: readonly string[]): string[] => [...new Set(roles.flatMap((role) => holders(directory, role)))];
  const held = (roles: readonly string[], place: Place, who: string): void => {
    const nobody = roles.every((role) => holders(directory, role).length === 0);
    for (const role of roles) {
      if (Object.hasOwn(directory.people, role))
        report.error('person_owner', place, null, `${role} is a person: people change, roles stay; name a role that ${role} holds`);
      else if (holders(directory, role).length === 0)
        // One of several is a doubt; where it is all of them, nobody can do what the policy counts on.
        report[nobody ? 'error' : 'warn']('role_unheld', place, null, `Nobody holds ${role}, who ${who}; give the role to a person in the directory`);
    }
  };
  held(said.roles, at.roles, 'is an operator');
  const { override, breakGlass } = said;
  if (override) {
    held(override.roles, at.override, 'may override');
    const able = people(override.roles);
    if (override.secondPerson && able.length === 1)
      report.error(
        'not_enough_people',
        at.override,
        null,
        `Overriding takes two people but only ${able[0] ?? ''} may; give one of the roles to a second person, or say second_person: false`,
      );
  }
  if (!breakGlass) return;
  held(breakGlass.roles, at.breakGlass, 'may break the glass');
  held([breakGlass.review.owner], reviewAt, 'reviews a broken glass');
  const reviewers = holders(directory, breakGlass.review.owner);
  const [only] = reviewers;
  if (only !== undefined && reviewers.length === 1 && people(breakGlass.roles).includes(only))
    report.warn(
      'own_glass',
      reviewAt,
      null,
      `Only ${only} holds ${breakGlass.review.owner}, and may break the glass as well, so that nobody else would review it; give the role to a second person`,
    );
}

/** Whose the relative roles are, and that somebody stands in. */
function checkRelative(policy: CompiledPolicy, directory: Directory, report: Report): void {
  const owners = directory.owners ?? {};
  for (const [role, { of, backup, at }] of Object.entries(policy.relativeRoles)) {
    if (holders(directory, backup).length === 0)
      report.error(
        'role_unheld',
        at,
        null,
        `Nobody holds ${backup}, who is asked where nobody is ${role} of what a request is about; give the role to a person in the directory`,
      );
    for (const id of holders(directory, role))
      report.error(
        'relative_role_held',
        at,
        null,
        `${id} holds ${role} in the directory, but whose it is depends on ${of}; list ${id} under owners: { ${role}: … }, and remove the role`,
      );
    if (!Object.hasOwn(owners, role))
      report.warn('no_owners', at, null, `The directory lists nobody under owners: { ${role}: … }, so ${backup} is always asked; list who owns what`);
  }
  for (const role of Object.keys(owners))
    if (!Object.hasOwn(policy.relativeRoles, role))
      report.warn(
        'unused_owners',
        policy.at,
        null,
        `The directory lists owners of ${role}, which the policy does not declare under relative_roles; declare it, or remove them`,
      );
}

function checkOwner(row: CompiledRow, directory: Directory, report: Report): void {
  if (Object.hasOwn(directory.people, row.owner))
    report.error('person_owner', row.ownerAt, row.id, `${row.owner} is a person: people change, roles stay; name a role that ${row.owner} holds`);
  else if (holders(directory, row.owner).length === 0)
    report.warn('role_unheld', row.ownerAt, row.id, `Nobody holds ${row.owner}, who owns this row; give the role to a person in the directory`);
}

function checkLevels(policy: CompiledPolicy, row: CompiledRow, signOff: CompiledSignOff, directory: Directory, report: Report): void {
  const isRelative = (role: string): boolean => Object.hasOwn(policy.relativeRoles, role);
  // Nobody is asked twice for one signature.
  const asked = new Set<string>();
  for (const [i, level] of signOff.ladder.entries()) {
    const at = signOff.levelsAt[i] ?? signOff.at;
    const who = holders(directory, level.role);
    const left = isRelative(level.role) ? null : lineOf(directory, level.role).filter((id) => !asked.has(id));
    if (left && left.length < signOff.quorum && who.length >= signOff.quorum)
      report.warn(
        'same_person_fallback',
        at,
        row.id,
        `${level.name} would be skipped: ${left.length === 0 ? `everybody who holds ${level.role} has been asked before` : `of those who hold ${level.role} only ${left.join(', ')} has not been asked before, and ${signOff.quorum} are needed`}; give the role to more people`,
      );
    for (const id of left?.slice(0, signOff.quorum) ?? []) asked.add(id);
    if (Object.hasOwn(directory.people, level.role))
      report.error('person_owner', at, row.id, `${level.role} is a person: people change, roles stay; name a role that ${level.role} holds`);
    else if (who.length === 0) {
      // Of a relative role that is said once, where it is declared.
      if (!isRelative(level.role))
        report.error('role_unheld', at, row.id, `Nobody holds ${level.role}, who is asked here; give the role to a person in the directory`);
    } else if (who.length < signOff.quorum)
      report.error(
        'not_enough_people',
        at,
        row.id,
        `${signOff.quorum} people have to say yes but only ${who.length} hold ${level.role}; give the role to more people`,
      );
    const before = signOff.ladder[i - 1];
    const same = before && sameAgain(policy, directory, before.role, level.role);
    if (same) report.error(same.code, at, row.id, same.message);
  }
}

/** A hold is one level more, after the last of each sign-off. Where it reaches nobody new for some of them it still serves the others. */
function checkHold(policy: CompiledPolicy, row: CompiledRow, role: string, directory: Directory, report: Report): void {
  const lasts = row.signOffs.flatMap(({ ladder }) => ladder.slice(-1));
  // Of the same role that is said without people.
  const found = lasts.map((last) => (last.role === role ? null : sameAgain(policy, directory, last.role, role)));
  const all = lasts.every((last, i) => last.role === role || found[i] !== null);
  for (const same of found)
    if (same && all) report.error(same.code, row.at, row.id, same.message);
    else if (same) report.warn(same.code, row.at, row.id, same.message);
}

/** `ann+duty@shop.example` is what `ann@shop.example` reads: two people of the directory, one inbox. */
const inboxOf = (email: string): string => email.toLowerCase().replace(/\+[^@]*@/, '@');

interface SameAgain {
  readonly code: 'same_person_fallback' | 'same_inbox_fallback';
  readonly message: string;
}

/**
 * Whether a fallback reaches who has just not answered. With several holders the next asked may be another; where the first in line is the
 * same, the fallback is none.
 */
function sameAgain(policy: CompiledPolicy, directory: Directory, before: string, fallback: string): SameAgain | null {
  const isRelative = (role: string): boolean => Object.hasOwn(policy.relativeRoles, role);
  const [first, next] = [firstOf(directory, before), firstOf(directory, fallback)].map((id) => (id === undefined ? undefined : directory.people[id]));
  if (!first || !next) return null;
  if (first.id === next.id) {
    // Who owns what is seldom who stands in for them.
    if (isRelative(before) || isRelative(fallback)) return null;
    return {
      code: 'same_person_fallback',
      message: `The fallback ${fallback} is ${next.id}, who has just not answered as ${before}; put another person on duty for one of the two`,
    };
  }
  if (inboxOf(first.email) !== inboxOf(next.email)) return null;
  return {
    code: 'same_inbox_fallback',
    message: `The fallback ${fallback} is ${next.id}, who reads the inbox of ${first.id} (${inboxOf(next.email)}), which has just not answered; give one of the two an inbox of their own`,
  };
}

function checkBackups(policy: CompiledPolicy, rows: readonly CompiledRow[], directory: Directory, report: Report): void {
  const asked = new Map<string, { lane: string; row: CompiledRow; signOff: CompiledSignOff }>();
  for (const row of rows)
    for (const signOff of row.signOffs)
      for (const level of signOff.ladder) {
        const role = policy.relativeRoles[level.role]?.backup ?? level.role;
        if (!asked.has(role)) asked.set(role, { lane: signOff.lane, row, signOff });
      }
  for (const [role, { row, signOff }] of asked) {
    const who = holders(directory, role);
    if (who.length === 1)
      report.warn('no_backup', signOff.at, row.id, `Only ${who[0] ?? ''} holds ${role}: nobody stands in during an absence; give the role to a second person`);
    if (who.length > 1 && !Object.hasOwn(directory.duty, role))
      report.warn('role_without_duty', signOff.at, row.id, `Nobody has duty for ${role}, so the first by id is asked; list the role under duty`);
  }
  const lanes = new Map<string, Set<string>>();
  for (const row of rows) {
    for (const signOff of row.signOffs) {
      const people = lanes.get(signOff.lane) ?? new Set<string>();
      for (const level of signOff.ladder) for (const person of holders(directory, level.role)) people.add(person);
      lanes.set(signOff.lane, people);
    }
  }
  const sets = [...lanes.values()];
  const [only] = sets[0] ?? [];
  if (sets.length > 1 && only !== undefined && sets.every((s) => s.size === 1 && s.has(only))) {
    report.warn('one_person_behind_all', policy.at, null, `${only} stands behind every lane; spread the roles, or one absence stops everything`);
  }
}
