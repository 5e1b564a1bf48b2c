/**
 * Reads of PostgreSQL's error codes that callers act on.
 * Imports nothing.
 */
const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const constraintOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'constraint' in error && typeof error.constraint === 'string' ? error.constraint : undefined;

/** Whether a unique constraint (of that name, if given) refused the row. */
export const isUniqueViolation = (error: unknown, constraint?: string): boolean =>
  codeOf(error) === '23505' && (constraint === undefined || constraintOf(error) === constraint);

/** SQLSTATE that the append-only triggers raise. */
export const APPEND_ONLY_STATE = 'CS001';

export const isAppendOnlyViolation = (error: unknown): boolean => codeOf(error) === APPEND_ONLY_STATE;

/** PostgreSQL: insufficient_privilege. */
export const isPrivilegeViolation = (error: unknown): boolean => codeOf(error) === '42501';
