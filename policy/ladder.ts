/**
 * Ladders and sign-offs of a row, compiled: who is asked first, for how long, who is asked next.
 * Pure.
 */
import { CHANNELS, type Channel, type Level, type Tier } from '../domain/plan';
import { placeOf, type At, type Declared, type DeclaredRow } from './declare';
import type { CompiledSignOff } from './model';
import type { Path } from './parse';
import type { Place, Report } from './report';
import type { LevelDocument, SignOffDocument, Urgency } from './schema';
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

/** `who` begins the sentence. */
export function doubtLong(ms: number | undefined, who: string, at: Place, row: string | null, report: Report): void {
  if (ms !== undefined && ms > DAY_MS) report.warn('long_deadline', at, row, `${who} more than 24 hours; an agent that waits that long is usually forgotten`);
}

const inWords = (role: string): string => role.replaceAll('_', ' ');

function channelsOf(names: readonly string[] | undefined, at: At, path: Path, row: string | null, report: Report): Channel[] {
  if (names === undefined) return ['email'];
  const own = CHANNELS.filter((channel) => names.includes(channel)).sort((a, b) => names.indexOf(a) - names.indexOf(b));
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
      const here = placeOf(at, ...path, i);
      if (!own.some((channel) => channel === name))
        report.error('unknown_channel', here, row, `${name} is no channel that messages go out on; use ${CHANNELS.join(' or ')}`);
      else if (names.indexOf(name) !== i)
        report.error('duplicate_channel', here, row, `${name} is named twice, but a channel that failed is not taken again; name each once, in order`);
    }
    if (own.length === 1 && own[0] === 'webhook')
      report.warn(
        'webhook_only',
        placeOf(at, ...path),
        row,
        'Where no webhook is configured, or its receiver is down, nobody is asked at this level; write channels: [webhook, email]',
      );
  }
  return own.length > 0 ? own : ['email'];
}

/** How long the levels of each class have that say nothing: the first, and those after it. */
const WITHIN_MS: { readonly [U in Urgency]: readonly [number, number] } = {
  immediate: [2 * 60_000, 5 * 60_000],
  urgent: [5 * 60_000, 15 * 60_000],
  soon: [30 * 60_000, 2 * 3_600_000],
  routine: [4 * 3_600_000, DAY_MS],
};

/** What a ladder takes from the row and the lane that it stands in. */
interface Setting {
  readonly declared: Declared;
  readonly lane: string;
  /** Undefined where the row says none, which is a finding of its own. */
  readonly urgency: Urgency | undefined;
}

/** What a level says instead of a calendar when its lane has one and it does not want it. */
const ELAPSED = 'elapsed';

function calendarOf(declared: Declared, name: string | null, at: Place, row: string | null, report: Report): string | null {
  if (name === null || name === ELAPSED) return null;
  if (declared.calendars.has(name)) return name;
  const known = [...declared.calendars.keys(), ELAPSED].join(', ');
  report.error('unknown_calendar', at, row, `There is no calendar ${name}; declare it under calendars, or use one of ${known}`);
  return null;
}

/** Compiles the levels at `path` under `at`. A level that is wrong is reported and stands in as well as it can. */
function compileLadder(
  levels: readonly LevelDocument[],
  at: At,
  path: Path,
  row: string | null,
  report: Report,
  { declared, lane, urgency }: Setting,
): { ladder: Level[]; levelsAt: Place[] } {
  const ladder: Level[] = [];
  const levelsAt: Place[] = [];
  for (const [i, level] of levels.entries()) {
    const here = [...path, i];
    const name = level.name ?? inWords(level.role);
    const withinMs = level.within === undefined ? urgency && WITHIN_MS[urgency][i === 0 ? 0 : 1] : parseDuration(level.within);
    if (level.within === undefined && withinMs === undefined)
      report.error('missing_deadline', placeOf(at, ...here), row, `The level ${name} has no deadline, so it could wait for ever; add within: "30m"`);
    else if (level.within !== undefined && withinMs === undefined)
      report.error('bad_duration', placeOf(at, ...here, 'within'), row, `${level.within} is no duration; write for example 30m, 2h or 1h30m`);
    else doubtLong(withinMs, `The level ${name} may wait`, placeOf(at, ...here, 'within'), row, report);
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
      calendar: calendarOf(declared, level.calendar ?? declared.lanes.get(lane)?.calendar ?? null, placeOf(at, ...here, 'calendar'), row, report),
      channels: channelsOf(level.channels, at, [...here, 'channels'], row, report),
      reminders,
    });
    levelsAt.push(placeOf(at, ...here, 'role'));
  }
  if (ladder.length > 2)
    report.warn('many_levels', placeOf(at, ...path, 2), row, `${ladder.length} levels: after two, a request is usually better ended than asked again`);
  return { ladder, levelsAt };
}

/** Whether the sign-offs of a row are asked for all at once. */
export const isParallel = ({ doc }: DeclaredRow): boolean => doc.order === 'parallel' && (doc.sign_offs?.length ?? 0) > 1;

/** The sign-offs a row asks for: those it lists, or the one its lane and ladder imply. */
export function compileSignOffs(declared: Declared, row: DeclaredRow, lane: string, tier: Tier, report: Report): CompiledSignOff[] {
  const { doc, at, id } = row;
  const urgency = urgencyOf(declared, row);
  const listed: readonly { readonly doc: SignOffDocument; readonly path: Path }[] = doc.sign_offs
    ? doc.sign_offs.map((signOff, i) => ({ doc: signOff, path: ['sign_offs', i] }))
    : [{ doc: {}, path: [] }];
  if (doc.ladder && doc.sign_offs?.[0]?.ladder) {
    report.error('decorative_key', placeOf(at, 'ladder'), id, 'The first sign-off has a ladder of its own, so this one is never used; remove one of the two');
  }
  if (doc.order !== undefined && (doc.sign_offs?.length ?? 0) < 2)
    report.error('decorative_key', placeOf(at, 'order'), id, 'With one sign-off there is no order; remove order:, or list several sign_offs');
  const signatures = new Set<string>();
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
      ? compileLadder(signOff.ladder, at, [...path, 'ladder'], id, report, { declared, lane: signLane, urgency })
      : doc.ladder && i === 0
        ? compileLadder(doc.ladder, at, ['ladder'], id, report, { declared, lane: signLane, urgency })
        : fromLane?.ladder && fromLane.at
          ? compileLadder(fromLane.ladder, fromLane.at, ['ladder'], id, report, { declared, lane: signLane, urgency })
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
    // The plan unites what is of one lane and role, as it does for two rows: the second signature would be gone.
    const signature = `${signLane} ${role}`;
    if (signatures.has(signature))
      report.error(
        'duplicate_sign_off',
        placeOf(at, ...path),
        id,
        `There is already a sign-off by ${role} in the lane ${signLane}, and the two would be one signature; write quorum: 2 on one of them, or name another role or lane`,
      );
    signatures.add(signature);
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
      if (isParallel(row))
        report.error(
          'contradiction',
          placeOf(at, ...path, 'only'),
          id,
          'Sign-offs asked for at once have none before them whose authority could be exceeded; remove only:, or say order: sequence',
        );
      if (doc.amount === undefined)
        report.error('contradiction', placeOf(at, ...path, 'only'), id, 'only: above_authority needs an amount to measure; add amount: to the row');
    }
    return [{ lane: signLane, role, quorum, ladder: found.ladder, levelsAt: found.levelsAt, onlyAbove: signOff.only !== undefined, at: placeOf(at, ...path) }];
  });
}

const urgencyOf = (declared: Declared, { doc }: DeclaredRow): Urgency | undefined => doc.urgency ?? declared.defaults?.doc.urgency;

/**
 * The ladder of a row when time presses. It may only tighten: each of its roles is on the first sign-off's own ladder, has no more time
 * there, and the first to be asked stays the first.
 */
export function compileExpedited(declared: Declared, row: DeclaredRow, [usual]: readonly CompiledSignOff[], report: Report): Level[] {
  const { doc, at, id } = row;
  if (!doc.expedite || !usual) return [];
  const path = ['expedite', 'ladder'];
  const { ladder, levelsAt } = compileLadder(doc.expedite.ladder, at, path, id, report, { declared, lane: usual.lane, urgency: urgencyOf(declared, row) });
  for (const [i, level] of ladder.entries()) {
    const before = usual.ladder.find(({ role }) => role === level.role);
    const place = levelsAt[i] ?? placeOf(at, ...path);
    if (!before) report.error('expedite_loosens', place, id, `${level.role} is not asked where time does not press; name only roles of the usual ladder`);
    else if (i === 0 && level.role !== usual.ladder[0]?.role)
      report.error('expedite_loosens', place, id, `Where time presses ${usual.role} is still asked first; begin the ladder with that role`);
    else if (before.calendar === level.calendar && level.withinMs > before.withinMs)
      report.error('expedite_loosens', place, id, `${level.name} would have more time where time presses than where it does not; shorten within:`);
  }
  return ladder;
}
