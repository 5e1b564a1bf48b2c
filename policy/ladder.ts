/**
 * Ladders and sign-offs of a row, compiled: who is asked first, for how long, who is asked next.
 * Pure.
 */
import type { Channel, Level, Tier } from '../domain/plan';
import { placeOf, type At, type Declared, type DeclaredRow } from './declare';
import type { CompiledSignOff } from './model';
import type { Path } from './parse';
import type { Place, Report } from './report';
import type { LevelDocument, SignOffDocument } from './schema';
import { parseDuration } from './units';

const DAY_MS = 24 * 3_600_000;
const ROLE = /^[a-z][a-z0-9_]{0,63}$/;

/** A role and not a person: `finance_manager`, never `anna@example.com` or `Anna Berg`. */
export function checkRole(role: string, at: Place, row: string | null, report: Report): string {
  if (!ROLE.test(role))
    report.error(
      'person_owner',
      at,
      row,
      `${role} is not a role: people change, roles stay; name a role such as finance_manager and put the person into the directory`,
    );
  return role;
}

const inWords = (role: string): string => role.replaceAll('_', ' ');

function channelsOf(names: readonly string[] | undefined, at: At, path: Path, row: string | null, report: Report): Channel[] {
  if (names === undefined) return ['email'];
  const own = names.filter((n) => n === 'email');
  const shared = names.filter((n) => /^#|[:@]|channel|team|group|shared/.test(n));
  if (own.length === 0 && shared.length === names.length) {
    report.error(
      'shared_channel',
      placeOf(at, ...path),
      row,
      'This level reaches nobody in particular: a shared channel has no owner; add email, which goes to the person asked',
    );
  } else {
    for (const [i, name] of names.entries()) {
      if (name !== 'email') report.error('unknown_channel', placeOf(at, ...path, i), row, `${name} is no channel that messages go out on; use email`);
    }
  }
  return ['email'];
}

/** Compiles the levels at `path` under `at`. A level that is wrong is reported and stands in as well as it can. */
function compileLadder(levels: readonly LevelDocument[], at: At, path: Path, row: string | null, report: Report): { ladder: Level[]; levelsAt: Place[] } {
  const ladder: Level[] = [];
  const levelsAt: Place[] = [];
  for (const [i, level] of levels.entries()) {
    const here = [...path, i];
    const name = level.name ?? inWords(level.role);
    const withinMs = level.within === undefined ? undefined : parseDuration(level.within);
    if (level.within === undefined)
      report.error('missing_deadline', placeOf(at, ...here), row, `The level ${name} has no deadline, so it could wait for ever; add within: "30m"`);
    else if (withinMs === undefined)
      report.error('bad_duration', placeOf(at, ...here, 'within'), row, `${level.within} is no duration; write for example 30m, 2h or 1h30m`);
    else if (withinMs > DAY_MS)
      report.warn(
        'long_deadline',
        placeOf(at, ...here, 'within'),
        row,
        `The level ${name} may wait more than 24 hours; an agent that waits that long is usually forgotten`,
      );
    const role = checkRole(level.role, placeOf(at, ...here, 'role'), row, report);
    if (ladder.some((l) => l.name === name))
      report.error('duplicate_level', placeOf(at, ...here), row, `Two levels are called ${name}; give each a name of its own`);
    if (ladder[i - 1]?.role === role)
      report.error('same_fallback', placeOf(at, ...here, 'role'), row, `The fallback is ${role} again, who has just not answered; name another role`);
    const reminders = level.reminders ?? [];
    if (reminders.some((r, n) => !(r > 0 && r < 1) || r <= (reminders[n - 1] ?? 0))) {
      report.error(
        'bad_reminder',
        placeOf(at, ...here, 'reminders'),
        row,
        'Reminders are fractions of the time, ascending, each above 0 and below 1, such as [0.5, 0.8]',
      );
    }
    ladder.push({
      name,
      role,
      withinMs: withinMs ?? 1000,
      calendar: null,
      channels: channelsOf(level.channels, at, [...here, 'channels'], row, report),
      reminders,
    });
    levelsAt.push(placeOf(at, ...here, 'role'));
  }
  if (ladder.length > 2)
    report.warn('many_levels', placeOf(at, ...path, 2), row, `${ladder.length} levels: after two, a request is usually better ended than asked again`);
  return { ladder, levelsAt };
}

/** The sign-offs a row asks for: those it lists, or the one its lane and ladder imply. */
export function compileSignOffs(declared: Declared, row: DeclaredRow, lane: string, tier: Tier, report: Report): CompiledSignOff[] {
  const { doc, at, id } = row;
  const listed: readonly { readonly doc: SignOffDocument; readonly path: Path }[] = doc.sign_offs
    ? doc.sign_offs.map((signOff, i) => ({ doc: signOff, path: ['sign_offs', i] }))
    : [{ doc: {}, path: [] }];
  if (doc.ladder && doc.sign_offs?.[0]?.ladder) {
    report.error('decorative_key', placeOf(at, 'ladder'), id, 'The first sign-off has a ladder of its own, so this one is never used; remove one of the two');
  }
  return listed.flatMap(({ doc: signOff, path }, i) => {
    const signLane = signOff.lane ?? lane;
    if (!declared.lanes.has(signLane)) {
      report.error(
        'unknown_lane',
        placeOf(at, ...path, 'lane'),
        id,
        `There is no lane ${signLane}; declare it under lanes, or use one of ${[...declared.lanes.keys()].join(', ')}`,
      );
    }
    const fromLane = declared.lanes.get(signLane);
    const found = signOff.ladder
      ? compileLadder(signOff.ladder, at, [...path, 'ladder'], id, report)
      : doc.ladder && i === 0
        ? compileLadder(doc.ladder, at, ['ladder'], id, report)
        : fromLane?.ladder && fromLane.at
          ? compileLadder(fromLane.ladder, fromLane.at, ['ladder'], id, report)
          : null;
    const first = found?.ladder[0];
    if (!found || !first) {
      report.error('missing_ladder', placeOf(at, ...path), id, `Nobody is asked: add ladder: with a role and within:, here or to the lane ${signLane}`);
      return [];
    }
    const role = signOff.role ?? first.role;
    if (role !== first.role)
      report.error(
        'contradiction',
        placeOf(at, ...path, 'role'),
        id,
        `The sign-off is by ${role}, but its ladder asks ${first.role} first; name the same role in both`,
      );
    const quorum = signOff.quorum ?? (tier === 'dual' ? 2 : 1);
    if (tier === 'dual' && quorum < 2)
      report.error(
        'bad_quorum',
        placeOf(at, ...path, 'quorum'),
        id,
        'Tier dual is two different people, so the quorum is at least 2; raise it, or choose tier strong',
      );
    if (signOff.only !== undefined) {
      if (i === 0)
        report.error(
          'contradiction',
          placeOf(at, ...path, 'only'),
          id,
          'The first sign-off has none before it whose authority could be exceeded; remove only:',
        );
      if (doc.amount === undefined)
        report.error('contradiction', placeOf(at, ...path, 'only'), id, 'only: above_authority needs an amount to measure; add amount: to the row');
    }
    return [{ lane: signLane, role, quorum, ladder: found.ladder, levelsAt: found.levelsAt, onlyAbove: signOff.only !== undefined, at: placeOf(at, ...path) }];
  });
}
