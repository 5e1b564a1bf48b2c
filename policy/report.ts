/**
 * Findings: what is wrong or doubtful in a policy or a directory, where, and how to mend it.
 * Pure: imports nothing. Every finding has a code of this closed union, so that a test or an editor can rely on it.
 */
export type FindingCode =
  // reading
  | 'yaml_syntax'
  | 'yaml_alias'
  | 'unknown_key'
  | 'bad_shape'
  | 'too_large'
  | 'duplicate_declaration'
  | 'no_files'
  // what a policy must have
  | 'missing_name'
  | 'missing_version'
  | 'missing_default'
  | 'duplicate_row'
  | 'missing_trigger'
  | 'missing_examples'
  | 'missing_owner'
  | 'missing_lane'
  | 'missing_urgency'
  | 'missing_risk'
  | 'missing_tier'
  | 'missing_meanwhile_agent'
  | 'missing_meanwhile_operator'
  | 'missing_evidence'
  | 'missing_ladder'
  | 'missing_deadline'
  | 'missing_on_timeout'
  | 'missing_on_deny'
  | 'missing_terminal_outcome'
  | 'missing_instruction'
  // what its words must mean
  | 'unknown_lane'
  | 'unknown_row'
  | 'unknown_action_type'
  | 'unknown_fact'
  | 'unknown_name'
  | 'supersedes_itself'
  | 'contradiction'
  | 'expedite_loosens'
  | 'decorative_key'
  | 'bad_type'
  | 'bad_money'
  | 'bad_duration'
  | 'bad_calendar'
  | 'unknown_calendar'
  | 'bad_reminder'
  | 'bad_quorum'
  | 'duplicate_level'
  | 'conflicting_param'
  | 'missing_provider'
  | 'unknown_provider'
  | 'bad_owner_path'
  | 'person_owner'
  | 'shared_channel'
  | 'unknown_channel'
  | 'duplicate_channel'
  | 'same_fallback'
  | 'role_without_authority'
  // conditions
  | 'cel_syntax'
  | 'cel_type'
  | 'cel_too_long'
  | 'cel_too_complex'
  | 'cel_nested'
  | 'cel_forbidden'
  | 'cel_enum'
  | 'cel_int_double'
  | 'cel_has'
  | 'cel_has_provided'
  | 'cel_constant'
  // examples
  | 'example_bad'
  | 'example_fails'
  | 'example_unevaluable'
  // scenarios
  | 'scenario_bad'
  | 'scenario_fails'
  // doubts
  | 'long_deadline'
  | 'many_levels'
  | 'urgent_on_hours'
  | 'unused_calendar'
  | 'webhook_only'
  | 'confidence_only'
  | 'risk_owned_by_manager'
  | 'authority_gap'
  | 'unused_provider'
  | 'unused_relative_role'
  | 'claimed_owner'
  | 'unused_fact'
  | 'unused_recent'
  | 'unguarded_param'
  // the directory
  | 'duplicate_person'
  | 'duplicate_email'
  | 'unknown_person'
  | 'role_not_held'
  | 'bad_absence'
  | 'role_unheld'
  | 'not_enough_people'
  | 'same_person_fallback'
  | 'one_person_behind_all'
  | 'no_backup'
  | 'role_without_duty'
  | 'relative_role_held'
  | 'no_owners'
  | 'unused_owners';

type Severity = 'error' | 'warning';

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The row it concerns, if it concerns one. */
  readonly row: string | null;
  /** One sentence: what, where, how to mend it. */
  readonly message: string;
}

/** A place in a file; every declaration carries one, so that no function has to be handed positions apart. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Collects findings: all of them, never the first only. */
export class Report {
  readonly #findings: Finding[] = [];

  error(code: FindingCode, at: Place, row: string | null, message: string): void {
    this.#add({ code, severity: 'error', ...at, row, message });
  }

  warn(code: FindingCode, at: Place, row: string | null, message: string): void {
    this.#add({ code, severity: 'warning', ...at, row, message });
  }

  /** What stands in the defaults or in a lane is looked at once per row that uses it, and reported once. */
  #add(finding: Finding): void {
    const same = (f: Finding): boolean =>
      f.code === finding.code && f.file === finding.file && f.line === finding.line && f.column === finding.column && f.message === finding.message;
    if (!this.#findings.some(same)) this.#findings.push(finding);
  }

  get broken(): boolean {
    return this.#findings.some((f) => f.severity === 'error');
  }

  /** In the order a reader meets them. */
  get findings(): readonly Finding[] {
    return [...this.#findings].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  }
}

/** `policy.yaml:12:5 error missing_owner (refund_over_250): …`, one finding a line, as editors and CI understand it. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.file}:${f.line}:${f.column} ${f.severity} ${f.code}${f.row === null ? '' : ` (${f.row})`}: ${f.message}`).join('\n');
}
