/**
 * The policy held against the directory: a rule that nobody can answer is refused before it is published.
 * Pure.
 */
import type { Directory } from '../domain/directory';
import type { CompiledPolicy, CompiledRow, CompiledSignOff } from './model';
import { Report, type Finding } from './report';

const holders = (directory: Directory, role: string): string[] =>
  Object.values(directory.people)
    .filter((p) => p.roles.includes(role))
    .map((p) => p.id);

/** Who is asked when all are present: duty first, as the domain asks. */
const firstOf = (directory: Directory, role: string): string | undefined =>
  (Object.hasOwn(directory.duty, role) ? directory.duty[role]?.[0] : undefined) ?? holders(directory, role).sort()[0];

export function checkAgainstDirectory(policy: CompiledPolicy, directory: Directory): readonly Finding[] {
  const report = new Report();
  const rows = [...policy.rows, policy.defaultRow];
  for (const row of rows) {
    checkOwner(row, directory, report);
    for (const signOff of row.signOffs) checkLevels(row, signOff, directory, report);
    const hold = row.onTimeout.hold;
    if (hold && holders(directory, hold.role).length === 0)
      report.error(
        'role_unheld',
        row.at,
        row.id,
        `Nobody holds ${hold.role}, who is paged when the request is held; give the role to a person in the directory`,
      );
  }
  checkBackups(policy, rows, directory, report);
  return report.findings;
}

function checkOwner(row: CompiledRow, directory: Directory, report: Report): void {
  if (Object.hasOwn(directory.people, row.owner))
    report.error('person_owner', row.ownerAt, row.id, `${row.owner} is a person: people change, roles stay; name a role that ${row.owner} holds`);
  else if (holders(directory, row.owner).length === 0)
    report.warn('role_unheld', row.ownerAt, row.id, `Nobody holds ${row.owner}, who owns this row; give the role to a person in the directory`);
}

function checkLevels(row: CompiledRow, signOff: CompiledSignOff, directory: Directory, report: Report): void {
  for (const [i, level] of signOff.ladder.entries()) {
    const at = signOff.levelsAt[i] ?? signOff.at;
    const who = holders(directory, level.role);
    if (Object.hasOwn(directory.people, level.role))
      report.error('person_owner', at, row.id, `${level.role} is a person: people change, roles stay; name a role that ${level.role} holds`);
    else if (who.length === 0)
      report.error('role_unheld', at, row.id, `Nobody holds ${level.role}, who is asked here; give the role to a person in the directory`);
    else if (who.length < signOff.quorum)
      report.error(
        'not_enough_people',
        at,
        row.id,
        `${signOff.quorum} people have to say yes but only ${who.length} hold ${level.role}; give the role to more people`,
      );
    const before = signOff.ladder[i - 1];
    // With several holders the next asked may be another; where the first in line is the same, the fallback is none.
    if (before && who.length > 0 && firstOf(directory, before.role) === firstOf(directory, level.role)) {
      report.error(
        'same_person_fallback',
        at,
        row.id,
        `The fallback ${level.role} is ${firstOf(directory, level.role) ?? ''}, who has just not answered as ${before.role}; put another person on duty for one of the two`,
      );
    }
  }
}

function checkBackups(policy: CompiledPolicy, rows: readonly CompiledRow[], directory: Directory, report: Report): void {
  const asked = new Map<string, { lane: string; row: CompiledRow; signOff: CompiledSignOff }>();
  for (const row of rows)
    for (const signOff of row.signOffs)
      for (const level of signOff.ladder) if (!asked.has(level.role)) asked.set(level.role, { lane: signOff.lane, row, signOff });
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
