/**
 * Why people, absences or duty are not taken. One class, a closed union of codes; the message is one sentence that says how to mend it.
 * Imports nothing.
 */
export type PeopleCode =
  /** The file cannot be read, or what is composed of it and the others contradicts itself. */
  | 'directory_broken'
  /** The policy that holds could not be answered any more. */
  | 'directory_unfit'
  /** An absence that ends before it begins, or is over. */
  | 'absence_invalid'
  /** A deputy who is nobody, who is the absent person, or who would lead back to them. */
  | 'deputy_invalid'
  | 'unknown_person'
  /** What was published changed again and again meanwhile. */
  | 'directory_busy';

export class PeopleError extends Error {
  override readonly name = 'PeopleError';

  constructor(
    readonly code: PeopleCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
