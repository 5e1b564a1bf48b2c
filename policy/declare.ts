/**
 * The files of a directory read into one set of declarations: each thing declared once, whichever file it stands in.
 * Pure. Compiles nothing; whatever is wrong with a single file or between files is found here.
 */
import type { Money } from '../domain/money';
import type { FactSource } from './model';
import { inOrder, type PolicyFile } from './hash';
import { parseYaml, type Path, type Source } from './parse';
import type { Place, Report } from './report';
import {
  FileSchema,
  type CalendarDocument,
  type DefaultsDocument,
  type LevelDocument,
  type OperatorsDocument,
  type PolicyDocument,
  type ProviderDocument,
  type RecentDocument,
  type RelativeRoleDocument,
  type RowDocument,
} from './schema';
import { shaped } from './shape';
import { parseMoney, parseType, TYPE_HELP, type Field } from './units';

/** A part of a file, with the means to name the place of each of its own parts. */
export interface At {
  readonly source: Source;
  readonly base: Path;
}

export const placeOf = ({ source, base }: At, ...path: Path): Place => source.at([...base, ...path]);

interface DeclaredFact {
  readonly field: Field;
  readonly source: FactSource;
  readonly value: string | null;
  /** Who gives it, as written; null where none is named. */
  readonly provider: string | null;
  readonly requiredFor: readonly string[];
  readonly at: At;
}

export interface DeclaredRow {
  readonly id: string;
  readonly doc: RowDocument;
  readonly isDefault: boolean;
  readonly at: At;
}

interface DeclaredLane {
  readonly owner: string | null;
  /** The calendar of its levels, where they name none of their own. */
  readonly calendar: string | null;
  readonly ladder: readonly LevelDocument[] | null;
  readonly at: At | null;
}

export interface Declared {
  readonly name: string;
  readonly version: string;
  readonly at: Place;
  readonly lanes: ReadonlyMap<string, DeclaredLane>;
  readonly recent: ReadonlyMap<string, { readonly doc: RecentDocument; readonly at: At }>;
  readonly providers: ReadonlyMap<string, { readonly doc: ProviderDocument; readonly at: At }>;
  /** Facts about the systems. */
  readonly system: ReadonlyMap<string, { readonly field: Field; readonly provider: string; readonly at: At }>;
  readonly relativeRoles: ReadonlyMap<string, { readonly doc: RelativeRoleDocument; readonly at: At }>;
  readonly calendars: ReadonlyMap<string, { readonly doc: CalendarDocument; readonly at: At }>;
  /** How far each role's yes reaches; null is unlimited. */
  readonly authority: ReadonlyMap<string, { readonly limit: Money | null; readonly at: At }>;
  readonly actions: ReadonlyMap<string, { readonly params: ReadonlyMap<string, Field>; readonly at: At }>;
  readonly facts: ReadonlyMap<string, DeclaredFact>;
  readonly operators: { readonly doc: OperatorsDocument; readonly at: At } | null;
  readonly defaults: { readonly doc: DefaultsDocument; readonly at: At } | null;
  readonly rows: readonly DeclaredRow[];
  readonly defaultRow: DeclaredRow | null;
}

/** Lanes every policy has; it may say more about them, and define others. */
const LANES = ['manager', 'security', 'finance', 'engineering', 'customer'] as const;

/** Names that a JavaScript object has already. */
const RESERVED = ['constructor', 'prototype'];

interface Read {
  readonly source: Source;
  readonly doc: PolicyDocument;
}

export function declare(files: readonly PolicyFile[], report: Report): Declared | null {
  const read: Read[] = [];
  for (const file of inOrder(files)) {
    const source = parseYaml(file, report);
    const doc = source && shaped(FileSchema, source, report);
    if (source && doc) read.push({ source, doc });
  }
  const first = inOrder(files)[0];
  if (!first) {
    report.error('no_files', { file: 'policy', line: 1, column: 1 }, null, 'There is no policy file; put at least one .yaml file into the directory');
    return null;
  }
  const start: Place = { file: first.path, line: 1, column: 1 };
  const once = new Once(report);
  const name = pick(read, 'name', once);
  const version = pick(read, 'version', once);
  // A file that could not be read may hold what seems to be missing: say only what is known.
  const complete = read.length === files.length;
  if (complete && name === null) report.error('missing_name', start, null, 'The policy has no name; add name: at the top of one file');
  if (complete && version === null) report.error('missing_version', start, null, 'The policy has no version; add version: "1" at the top of one file');
  const operators = pick(read, 'operators', once);
  const defaults = pick(read, 'defaults', once);
  const rows = rowsOf(read, report);
  const byDefault = pick(read, 'default', once);
  if (complete && byDefault === null) {
    report.error('missing_default', start, null, 'There is no default row: say under default: what happens to a request that no row speaks of');
  }
  return {
    name: name?.value ?? '',
    version: version?.value ?? '',
    at: name ? placeOf(name.at) : start,
    lanes: lanesOf(read, once),
    recent: new Map([...entries(read, 'recent', (doc) => doc.recent, once)].map(([name, doc, at]) => [name, { doc, at }])),
    providers: new Map([...entries(read, 'providers', (doc) => doc.providers, once)].map(([name, doc, at]) => [name, { doc, at }])),
    system: systemOf(read, once, report),
    relativeRoles: new Map([...entries(read, 'relative_roles', (doc) => doc.relative_roles, once)].map(([role, doc, at]) => [role, { doc, at }])),
    calendars: new Map([...entries(read, 'calendars', (doc) => doc.calendars, once)].map(([calendar, doc, at]) => [calendar, { doc, at }])),
    authority: authorityOf(read, once, report),
    actions: actionsOf(read, once, report),
    facts: factsOf(read, once, report),
    operators: operators ? { doc: operators.value, at: operators.at } : null,
    defaults: defaults ? { doc: defaults.value, at: defaults.at } : null,
    rows,
    defaultRow: byDefault ? { id: 'default', doc: { ...byDefault.value, id: 'default' }, isDefault: true, at: byDefault.at } : null,
  };
}

/** Notes what was declared where, and reports the second declaration. */
class Once {
  readonly #seen = new Map<string, Place>();
  constructor(private readonly report: Report) {}

  /** Whether this is the first declaration of `what`. */
  take(what: string, at: Place): boolean {
    const before = this.#seen.get(what);
    if (!before) {
      this.#seen.set(what, at);
      return true;
    }
    this.report.error('duplicate_declaration', at, null, `${what} is declared a second time (first in ${before.file}:${before.line}); remove one of the two`);
    return false;
  }
}

function pick<K extends 'name' | 'version' | 'operators' | 'defaults' | 'default'>(
  read: readonly Read[],
  key: K,
  once: Once,
): { value: NonNullable<PolicyDocument[K]>; at: At } | null {
  let found: { value: NonNullable<PolicyDocument[K]>; at: At } | null = null;
  for (const { source, doc } of read) {
    const value = doc[key];
    if (value !== undefined && once.take(key, source.keyAt([key]))) found = { value, at: { source, base: [key] } };
  }
  return found;
}

/** Every entry of a section over all files, each declared once. */
function* entries<T>(
  read: readonly Read[],
  section: 'lanes' | 'calendars' | 'recent' | 'authority' | 'actions' | 'facts' | 'providers' | 'system' | 'relative_roles',
  get: (doc: PolicyDocument) => Record<string, T> | undefined,
  once: Once,
): Generator<[string, T, At]> {
  for (const { source, doc } of read) {
    for (const [name, value] of Object.entries(get(doc) ?? {})) {
      if (once.take(`${section}.${name}`, source.keyAt([section, name]))) yield [name, value, { source, base: [section, name] }];
    }
  }
}

function lanesOf(read: readonly Read[], once: Once): Declared['lanes'] {
  const lanes = new Map<string, DeclaredLane>(LANES.map((lane) => [lane, { owner: null, calendar: null, ladder: null, at: null }]));
  for (const [name, { owner = null, calendar = null, ladder = null }, at] of entries(read, 'lanes', (doc) => doc.lanes, once))
    lanes.set(name, { owner, calendar, ladder, at });
  return lanes;
}

function authorityOf(read: readonly Read[], once: Once, report: Report): Declared['authority'] {
  const authority = new Map<string, { limit: Money | null; at: At }>();
  for (const [role, { up_to: upTo }, at] of entries(read, 'authority', (doc) => doc.authority, once)) {
    const limit = upTo === 'unlimited' ? null : parseMoney(upTo);
    if (limit === undefined || (limit !== null && limit.minor < 0))
      report.error('bad_money', placeOf(at, 'up_to'), null, `${upTo} is no limit for ${role}; write for example 1000.00 USD, or unlimited`);
    else authority.set(role, { limit, at });
  }
  return authority;
}

function fieldOf(name: string, text: string, at: Place, report: Report): Field | null {
  const field = RESERVED.includes(name) ? undefined : parseType(text);
  if (!field)
    report.error(
      'bad_type',
      at,
      null,
      RESERVED.includes(name) ? `${name} cannot be used as a name; choose another` : `${text} is no type for ${name}; use ${TYPE_HELP}`,
    );
  return field ?? null;
}

function actionsOf(read: readonly Read[], once: Once, report: Report): Declared['actions'] {
  const actions = new Map<string, { params: ReadonlyMap<string, Field>; at: At }>();
  for (const [type, { params }, at] of entries(read, 'actions', (doc) => doc.actions, once)) {
    const fields = new Map<string, Field>();
    for (const [name, text] of Object.entries(params)) {
      const field = fieldOf(name, text, placeOf(at, 'params', name), report);
      if (field) fields.set(name, field);
    }
    actions.set(type, { params: fields, at });
  }
  return actions;
}

function factsOf(read: readonly Read[], once: Once, report: Report): Declared['facts'] {
  const facts = new Map<string, DeclaredFact>();
  for (const [name, fact, at] of entries(read, 'facts', (doc) => doc.facts, once)) {
    const field = fieldOf(name, fact.type, placeOf(at, 'type'), report);
    if (field)
      facts.set(name, { field, source: fact.source, value: fact.value ?? null, provider: fact.provider ?? null, requiredFor: fact.required_for ?? [], at });
  }
  return facts;
}

function systemOf(read: readonly Read[], once: Once, report: Report): Declared['system'] {
  const system = new Map<string, { field: Field; provider: string; at: At }>();
  for (const [name, { type, provider }, at] of entries(read, 'system', (doc) => doc.system, once)) {
    const field = fieldOf(name, type, placeOf(at, 'type'), report);
    if (field) system.set(name, { field, provider, at });
  }
  return system;
}

function rowsOf(read: readonly Read[], report: Report): DeclaredRow[] {
  const rows: DeclaredRow[] = [];
  for (const { source, doc } of read) {
    for (const [index, row] of (doc.rows ?? []).entries()) {
      const at: At = { source, base: ['rows', index] };
      const before = rows.find((r) => r.id === row.id);
      if (before || row.id === 'default') {
        const where = before ? placeOf(before.at) : undefined;
        report.error(
          'duplicate_row',
          placeOf(at, 'id'),
          row.id,
          `There is already a row ${row.id}${where ? ` (${where.file}:${where.line})` : ''}; give each row an id of its own`,
        );
        continue;
      }
      rows.push({ id: row.id, doc: row, isDefault: false, at });
    }
  }
  return rows;
}
