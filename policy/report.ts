/**
 * Findings: what is wrong or doubtful in a policy or a directory, where, and how to mend it.
 * Pure: imports nothing. Every finding has a code of this closed union, so that a test or an editor can rely on it.
 */
/** Every code, with what it means in one sentence. */
export const FINDINGS = {
  // reading
  yaml_syntax: 'The text is not YAML that can be read, or it is nested too deeply.',
  yaml_alias: 'An alias hides what a row says.',
  unknown_key: 'A key does not exist at this place.',
  bad_shape: 'A value is of the wrong kind, or of a form that is not taken here.',
  too_large: 'A file has more characters than are read.',
  duplicate_declaration: 'The same thing is declared twice, in one file or in two.',
  no_files: 'There is no policy file.',
  // what a policy must have
  missing_name: 'The policy has no name.',
  missing_version: 'The policy has no version.',
  missing_default: 'It is not said what happens to a request that no row speaks of.',
  duplicate_row: 'Two rows have one id.',
  missing_trigger: 'A row does not say when it holds.',
  missing_examples: 'A row lacks an example that matches, or one that does not.',
  missing_owner: 'No role answers for a row.',
  missing_lane: 'A row does not say which kind of judgment it is.',
  missing_urgency: 'A row does not say how urgent it is.',
  missing_risk: 'A row does not say how much is at stake.',
  missing_tier: 'A row does not say how strong the yes has to be.',
  missing_meanwhile_agent: 'A row does not say what the agent does while it waits.',
  missing_meanwhile_operator: 'A row does not say what the operator does first.',
  missing_meanwhile_detail: 'A row does not say what its directive to the agent cannot be acted on without.',
  missing_evidence: 'A row does not say what has to be attached.',
  missing_ladder: 'A sign-off asks nobody.',
  missing_deadline: 'A level could wait for ever.',
  missing_on_timeout: 'A row does not say what happens when nobody answers.',
  missing_on_deny: 'A row does not say what the agent does on no.',
  missing_terminal_outcome: '`on_timeout` does not say how it ends.',
  // what its words must mean
  unknown_lane: 'A lane is named that is not declared.',
  unknown_row: 'A row is named that does not exist.',
  unknown_action_type: 'An action is named that is not declared.',
  unknown_fact: 'A fact is named that is not declared.',
  unknown_name: 'A condition reads what does not exist, or what no condition can read.',
  supersedes_itself: 'A row supersedes itself, directly or in a circle.',
  contradiction: 'Two keys of a row cannot both be meant.',
  expedite_loosens: 'The ladder for when time presses would ask others, or give more time.',
  decorative_key: 'A key could have no effect where it stands.',
  bad_type: 'A type is none of the language, or a name cannot be used.',
  bad_money: 'An amount of money cannot be read, or is not exact.',
  bad_duration: 'A duration cannot be read.',
  bad_calendar: 'Hours, a zone or a holiday of a calendar cannot be read.',
  unknown_calendar: 'A calendar is named that is not declared.',
  bad_reminder: 'Reminders are no ascending fractions of the time.',
  bad_quorum: 'Fewer people would have to agree than the tier demands.',
  duplicate_level: 'Two levels of a ladder have one name.',
  duplicate_sign_off: 'Two sign-offs of a row are of one lane and role, and so one signature.',
  conflicting_param: 'One param has different types in two actions.',
  missing_provider: 'A fact does not say which provider gives it.',
  unknown_provider: 'A provider is named that is not declared.',
  bad_owner_path: 'What a relative role goes by is no text that is declared.',
  person_owner: 'A person stands where a role has to.',
  shared_channel: 'A level reaches only a shared channel, and so nobody in particular.',
  unknown_channel: 'A channel is named that messages do not go out on.',
  duplicate_channel: 'A level names one channel twice.',
  same_fallback: 'The fallback is the role that has just not answered.',
  role_without_authority: 'A role is asked about an amount, or may override what is measured by one, but has no authority.',
  same_channel_fallback: 'A level and its fallback are reached by the webhook alone.',
  // what rows must be side by side
  never_holds: 'A condition contradicts itself or the declared types, so that it never holds.',
  always_excused: '`unless` holds wherever the trigger does, so that the row never applies.',
  always_superseded: 'Another row holds wherever this one does, and supersedes it.',
  excepts_nothing: 'An exception is made to a row that never refuses.',
  amount_gap: 'Between the bands of one amount there is a hole, of which no row speaks.',
  amount_overlap: 'Two rows of one lane cover the same band with different owners.',
  // conditions
  cel_syntax: 'A condition cannot be parsed.',
  cel_type: 'The types in a condition do not fit.',
  cel_too_long: 'A condition has too many characters.',
  cel_too_complex: 'A condition has too many parts, or is nested too deeply.',
  cel_nested: 'A list is walked inside the walk over another one.',
  cel_forbidden: 'A condition uses what is not part of the policy language.',
  cel_enum: 'A condition compares with a text that the value never is.',
  cel_int_double: 'A whole number and a decimal are compared with `==`.',
  cel_has: '`has()` asks for what is declared nowhere, or for no name at all.',
  cel_has_provided: '`has()` asks whether a provider gave a fact, which would let go of a request while it is down.',
  cel_constant: 'An amount in a condition is not exact, or its currency is none.',
  // examples
  example_bad: 'An example is no request that could be made.',
  example_fails: 'An example does not do what the list it stands in says.',
  example_unevaluable: 'A trigger cannot be evaluated for an example.',
  // scenarios
  scenario_bad: 'A scenario cannot be read or run.',
  scenario_fails: 'A scenario ends otherwise than it expects.',
  // doubts
  long_deadline: 'A level, a hold, a question or who took over may take more than 24 hours.',
  long_question: 'A question may stop the clock for longer than the whole ladder runs.',
  long_extension: 'Operators may extend a level by more than seven days.',
  own_glass: 'Who may break the glass would review it as well, or be the only one who is told of it.',
  many_levels: 'A ladder has more than two levels.',
  urgent_on_hours: 'Urgent work waits for opening hours.',
  unused_calendar: 'No level uses a calendar.',
  unused_lane: 'No row uses a declared lane.',
  unused_authority: 'Nobody asks a role that has an authority.',
  webhook_only: 'A level reaches people by the webhook alone.',
  confidence_only: 'A trigger reads nothing but how sure the agent says it is.',
  risk_owned_by_manager: 'The manager owns a risk of data, permissions, money, production or outside messages.',
  authority_gap: 'Nobody who is asked last may sign for every amount.',
  unused_provider: 'No fact comes from a provider.',
  unused_relative_role: 'No row names a relative role.',
  claimed_owner: 'The agent itself claims what decides who is asked.',
  unused_fact: 'No row reads a fact.',
  unused_recent: 'No row reads a count or a sum.',
  unguarded_param: 'A trigger reads a param that some action does not have, and counts as met there.',
  part_never_holds: 'One side of an `||` never holds.',
  // the directory
  duplicate_person: 'A person is listed twice for one duty.',
  duplicate_email: 'Two people share an address.',
  unknown_person: 'A person is named who is not in the directory.',
  role_not_held: 'Somebody has duty for a role without holding it.',
  bad_absence: 'An absence ends before it begins, or its deputy cannot stand in.',
  role_unheld: 'Nobody holds a role that is asked, paged, owns a row, or is one of the operators.',
  not_enough_people: 'Fewer people hold a role than have to say yes.',
  same_person_fallback: 'The fallback is the person who has just not answered.',
  same_inbox_fallback: 'The fallback reads the same inbox as who has just not answered.',
  one_person_behind_all: 'One person stands behind every lane.',
  no_backup: 'Only one person holds a role, so that nobody stands in.',
  role_without_duty: 'Several people hold a role and none has duty for it.',
  relative_role_held: 'A person holds a relative role outright.',
  no_owners: 'The directory does not say whose a relative role is.',
  unused_owners: 'The directory lists owners for what is no relative role of the policy.',
} as const;

export type FindingCode = keyof typeof FINDINGS;

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
  readonly #findings = new Map<string, Finding>();

  error(code: FindingCode, at: Place, row: string | null, message: string): void {
    this.#add({ code, severity: 'error', ...at, row, message });
  }

  warn(code: FindingCode, at: Place, row: string | null, message: string): void {
    this.#add({ code, severity: 'warning', ...at, row, message });
  }

  /** What stands in the defaults or in a lane is looked at once per row that uses it, and reported once. */
  #add(finding: Finding): void {
    const { code, file, line, column, message } = finding;
    const key = JSON.stringify([code, file, line, column, message]);
    if (!this.#findings.has(key)) this.#findings.set(key, finding);
  }

  get broken(): boolean {
    return [...this.#findings.values()].some((f) => f.severity === 'error');
  }

  /** In the order a reader meets them. */
  get findings(): readonly Finding[] {
    return [...this.#findings.values()].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column));
  }
}

/** `policy.yaml:12:5 error missing_owner (refund_over_250): …`, one finding a line, as editors and CI understand it. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map((f) => `${f.file}:${f.line}:${f.column} ${f.severity} ${f.code}${f.row === null ? '' : ` (${f.row})`}: ${f.message}`).join('\n');
}
