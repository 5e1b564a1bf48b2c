/**
 * Files to policy: parse, declare, compile, check. All findings are collected; with an error among them there is no policy.
 * Pure: no clock, no I/O; the same files always give the same policy, whose identity is the hash of their content.
 */
import { checkPolicy } from './check';
import { declare, type Declared } from './declare';
import { compileCalendar } from './hours';
import { contentHash, type PolicyFile } from './hash';
import type { CompiledPolicy } from './model';
import { compileOperators } from './operators';
import { compileProviders } from './providers';
import { compileRecent } from './recent';
import { checkRelative, compileRelative } from './relative';
import { Report, type Finding } from './report';
import { compileRow } from './row';
import { vocabularyOf } from './vocabulary';

export function compilePolicy(files: readonly PolicyFile[]): { readonly policy: CompiledPolicy | null; readonly findings: readonly Finding[] } {
  const report = new Report();
  const declared = declare(files, report);
  const policy = declared && assemble(declared, files, report);
  if (policy) {
    checkPolicy(policy, declared, report);
    checkRelative(policy, declared, report);
  }
  return { policy: report.broken ? null : policy, findings: report.findings };
}

function assemble(declared: Declared, files: readonly PolicyFile[], report: Report): CompiledPolicy | null {
  const vocabulary = vocabularyOf(declared, report);
  const rows = declared.rows.map((row) => compileRow(declared, vocabulary, row, report));
  const defaultRow = declared.defaultRow && compileRow(declared, vocabulary, declared.defaultRow, report);
  if (!defaultRow) return null;
  return {
    name: declared.name,
    version: declared.version,
    hash: contentHash('policy', files),
    lanes: Object.fromEntries([...declared.lanes].map(([name, { owner, at }]) => [name, { owner, at: at ? at.source.keyAt(at.base) : null }])),
    authority: Object.fromEntries([...declared.authority].map(([role, { limit }]) => [role, limit])),
    actions: Object.fromEntries([...declared.actions].map(([type, { params }]) => [type, { params: Object.fromEntries(params) }])),
    facts: vocabulary.facts,
    recent: Object.fromEntries([...declared.recent].map(([name, { doc, at }]) => [name, compileRecent(name, doc, at, declared, report)])),
    providers: compileProviders(declared, report),
    system: vocabulary.system,
    relativeRoles: compileRelative(declared, vocabulary.names, report),
    calendars: Object.fromEntries([...declared.calendars].map(([name, { doc, at }]) => [name, compileCalendar(name, doc, at, report)])),
    operators: compileOperators(declared, report),
    rows,
    defaultRow,
    names: vocabulary.names,
    engine: vocabulary.engine,
    at: declared.at,
  };
}
