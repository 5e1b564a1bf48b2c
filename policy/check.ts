/**
 * What can only be seen with all rows side by side: names that must exist, circles, authority that ends too early, doubts.
 * Pure. What a single row must say is demanded in row.ts.
 */
import type { Json } from '../domain/json';
import type { Calendar, Level } from '../domain/plan';
import type { Reading } from './cel/names';
import { checkBands } from './check-bands';
import { checkReach } from './check-reach';
import type { Declared } from './declare';
import { checkOneNo } from './ends';
import { checkExamples } from './examples';
import { checkMeanwhile } from './meanwhile';
import type { CompiledPolicy, CompiledRow } from './model';
import { checkAsked } from './offers';
import { checkOperators } from './operators';
import type { Report } from './report';
import type { FieldType } from './units';

export function checkPolicy(policy: CompiledPolicy, declared: Declared, report: Report): void {
  const byId = new Map(policy.rows.map((r) => [r.id, r]));
  const sampleOfType = samples(policy);
  for (const row of [...policy.rows, policy.defaultRow]) {
    checkSupersedes(row, byId, report);
    checkAuthority(row, policy, report);
    checkChannels(row, report);
    checkDoubts(row, report);
    checkGuards(row, policy, sampleOfType, report);
  }
  const sources = new Map(declared.rows.map((r) => [r.id, r]));
  for (const row of policy.rows) {
    const source = sources.get(row.id);
    if (source) checkExamples(policy, row, source, report);
  }
  checkBands(policy, checkReach(policy, declared, report), report);
  checkAsked([...policy.rows, policy.defaultRow], report);
  checkMeanwhile(declared, [...policy.rows, policy.defaultRow], report);
  checkOneNo(declared, [...policy.rows, policy.defaultRow], report);
  checkOperators(policy, declared, report);
  checkUnusedFacts(policy, declared, report);
  checkUnusedRoles(policy, declared, report);
  checkCalendars(policy, declared, report);
}

/** Urgent work that waits for opening hours, and hours that nobody keeps. */
function checkCalendars(policy: CompiledPolicy, declared: Declared, report: Report): void {
  const used = new Set<string | null>();
  for (const row of [...policy.rows, policy.defaultRow]) {
    for (const signOff of row.signOffs) {
      for (const [i, level] of signOff.ladder.entries()) {
        used.add(level.calendar);
        const calendar = level.calendar === null ? undefined : policy.calendars[level.calendar];
        if (calendar && (row.urgency === 'urgent' || row.urgency === 'immediate') && !isAlwaysOpen(calendar))
          report.warn(
            'urgent_on_hours',
            signOff.levelsAt[i] ?? signOff.at,
            row.id,
            `The row ${row.id} is ${row.urgency}, but ${level.name} answers on the hours of ${level.calendar ?? ''}, so over a night or a weekend nobody is late; write calendar: elapsed, and have somebody on duty`,
          );
      }
    }
  }
  for (const [name, { at }] of declared.calendars)
    if (!used.has(name))
      report.warn('unused_calendar', at.source.keyAt(at.base), null, `No level uses the calendar ${name}; remove it, or name it in a level or a lane`);
}

const isAlwaysOpen = ({ week, closed, region }: Calendar): boolean =>
  closed.length === 0 && region === null && week.every((spans) => spans.length === 1 && spans[0]?.[0] === 0 && spans[0][1] === 1440);

function checkSupersedes(row: CompiledRow, rows: ReadonlyMap<string, CompiledRow>, report: Report): void {
  for (const id of row.supersedes) {
    if (!rows.has(id)) report.error('unknown_row', row.at, row.id, `The row ${row.id} supersedes ${id}, which does not exist; name a row of this policy`);
  }
  const reached = new Set<string>();
  const queue = [...row.supersedes];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    queue.push(...(rows.get(id)?.supersedes ?? []));
  }
  if (reached.has(row.id)) report.error('supersedes_itself', row.at, row.id, `The row ${row.id} supersedes itself, directly or in a circle; break the circle`);
}

/** Whoever is asked about money must have an authority, and the last who is asked must reach every amount. */
function checkAuthority(row: CompiledRow, policy: CompiledPolicy, report: Report): void {
  if (!row.amount) return;
  const has = (role: string): boolean => Object.hasOwn(policy.authority, role);
  for (const signOff of row.signOffs) {
    for (const [i, level] of signOff.ladder.entries()) {
      if (!has(level.role)) {
        report.error(
          'role_without_authority',
          signOff.levelsAt[i] ?? signOff.at,
          row.id,
          `${level.role} is asked about an amount but has no authority, so its yes would be refused; add authority: { ${level.role}: { up_to: … } }`,
        );
      }
    }
  }
  const hold = row.onTimeout.hold;
  if (hold && !has(hold.role)) {
    report.error(
      'role_without_authority',
      row.at,
      row.id,
      `${hold.role} is paged about an amount but has no authority, so its yes would be refused; add authority: { ${hold.role}: { up_to: … } }`,
    );
  }
  const last = row.signOffs[row.signOffs.length - 1];
  if (last && last.ladder.every((l) => has(l.role) && policy.authority[l.role] !== null)) {
    report.warn(
      'authority_gap',
      last.at,
      row.id,
      `Nobody whom the row ${row.id} asks last may sign for every amount: one above their authority can only be denied or expire; end with a role that is unlimited`,
    );
  }
}

/** The webhook is one receiver for all: a fallback that it alone reaches hears nothing where the level before heard nothing. */
function checkChannels(row: CompiledRow, report: Report): void {
  const byWebhook = ({ channels }: Level): boolean => channels.length === 1 && channels[0] === 'webhook';
  for (const signOff of row.signOffs)
    for (const [i, level] of signOff.ladder.entries()) {
      const before = signOff.ladder[i - 1];
      if (before && byWebhook(before) && byWebhook(level))
        report.error(
          'same_channel_fallback',
          signOff.levelsAt[i] ?? signOff.at,
          row.id,
          `${before.name} and its fallback ${level.name} are both reached by the webhook alone, so where that fails nobody is asked; add email to one of them`,
        );
    }
}

const DOMAIN_RISK = /\b(data|permission|access|credential|export|money|amount|refund|payment|production|deploy|publish|outside|email|message)/i;

function checkDoubts(row: CompiledRow, report: Report): void {
  const text = row.when?.text ?? '';
  const reads = [...text.matchAll(/\b(?:facts|action\.params)\.([a-z0-9_]+)/g)].map((m) => m[1] ?? '');
  if (
    reads.length > 0 &&
    reads.every((name) => /confidence|score|probability|certainty/.test(name)) &&
    !/action\.(type|data|audience|system|reversibility)/.test(text)
  ) {
    report.warn('confidence_only', row.at, row.id, 'The trigger reads nothing but how sure the agent says it is; add what is at stake');
  }
  const asks = row.effect === 'approval' || row.effect === 'escalation';
  if (asks && row.lane === 'manager' && (row.amount !== null || DOMAIN_RISK.test(text))) {
    report.warn(
      'risk_owned_by_manager',
      row.ownerAt,
      row.id,
      'A risk of data, permissions, money, production or outside messages lies with the manager; give it to the lane that knows the domain',
    );
  }
}

/** A trigger that reads a param which some action does not have catches every request of that action: strict, but seldom meant. */
function checkGuards(row: CompiledRow, policy: CompiledPolicy, sampleOfType: (type: string) => Reading, report: Report): void {
  // What allows and what makes an exception count as not met there, which is what is meant.
  if (row.effect === 'allow' || row.excepts.length > 0 || !row.when) return;
  const admitted = row.when.admits('action.type');
  for (const [type, { params }] of Object.entries(policy.actions)) {
    if (admitted && !admitted.has(type)) continue;
    const result = row.when.evaluate(sampleOfType(type));
    const param = result.ok ? undefined : /No such key: (\w+)/.exec(result.why)?.[1];
    if (param === undefined || Object.hasOwn(params, param) || !policy.names.has(`action.params.${param}`)) continue;
    report.warn(
      'unguarded_param',
      row.whenAt,
      row.id,
      `${type} has no param ${param}, so the trigger cannot be evaluated there and counts as met; begin it with action.type == "…" &&, or has(action.params.${param}) &&`,
    );
  }
}

/** Each made once, however many rows ask for it. */
function samples(policy: CompiledPolicy): (type: string) => Reading {
  const made = new Map<string, Reading>();
  return (type) => {
    const sample = made.get(type) ?? sampleReading(policy, type);
    made.set(type, sample);
    return sample;
  };
}

/** A request of `type` that lacks nothing it could have. */
function sampleReading(policy: CompiledPolicy, type: string): Reading {
  const declared = policy.actions[type]?.params ?? {};
  const reading = new Map<string, Json>();
  for (const [path, field] of policy.names) {
    const param = path.startsWith('action.params.') ? path.slice('action.params.'.length) : null;
    if (param === null || Object.hasOwn(declared, param)) reading.set(path, sampleOf(field));
  }
  return reading.set('action.type', type);
}

function sampleOf(type: FieldType): Json {
  switch (type.kind) {
    case 'int':
    case 'double':
      return 0;
    case 'bool':
      return false;
    case 'money':
      return { minor: 0, currency: 'USD' };
    case 'list':
      return [];
    case 'enum':
      return type.values[0] ?? '';
    case 'string':
    case 'any':
      return '';
  }
}

function checkUnusedFacts(policy: CompiledPolicy, declared: Declared, report: Report): void {
  const read = policy.rows
    .concat(policy.defaultRow)
    .flatMap((r) => [r.when?.text ?? '', r.unless?.text ?? '', r.amount?.text ?? '', r.expedite?.when.text ?? ''])
    .concat(Object.values(policy.relativeRoles).map(({ of }) => of))
    .join('\n');
  const isRead = (root: string, name: string): boolean => new RegExp(`\\b${root}\\s*\\.\\s*${name}\\b`).test(read);
  for (const [name, { at }] of declared.facts)
    if (!isRead('facts', name)) report.warn('unused_fact', at.source.keyAt(at.base), null, `No row reads the fact ${name}; remove it, or use it`);
  for (const [name, { at }] of declared.system)
    if (!isRead('system', name)) report.warn('unused_fact', at.source.keyAt(at.base), null, `No row reads system.${name}; remove it, or use it`);
  for (const [name, { at }] of declared.recent)
    if (!isRead('recent', name)) report.warn('unused_recent', at.source.keyAt(at.base), null, `No row reads recent.${name}; remove it, or use it`);
}

/** What is said of a lane or a role that no row turns to. */
function checkUnusedRoles(policy: CompiledPolicy, declared: Declared, report: Report): void {
  const rows = [...policy.rows, policy.defaultRow];
  const lanes = new Set(rows.flatMap(({ lane, signOffs }) => [lane, ...signOffs.map((signOff) => signOff.lane)]));
  for (const [name, { at }] of declared.lanes)
    if (at && !lanes.has(name)) report.warn('unused_lane', at.source.keyAt(at.base), null, `No row uses the lane ${name}; remove it, or name it in a row`);
  const asked = new Set(
    rows.flatMap(({ signOffs, onTimeout }) => [...signOffs.flatMap(({ ladder }) => ladder.map(({ role }) => role)), onTimeout.hold?.role ?? '']),
  );
  for (const role of policy.operators?.said.override?.roles ?? []) asked.add(role);
  for (const [role, { at }] of declared.authority)
    if (!asked.has(role))
      report.warn(
        'unused_authority',
        at.source.keyAt(at.base),
        null,
        `No row asks or pages ${role}, and it overrides nothing, so its authority reaches nothing; remove it, or ask the role`,
      );
}
