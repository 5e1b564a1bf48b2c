/**
 * Turns whatever was thrown into the problem the caller reads. What nobody foresaw becomes a reference that the log explains.
 * Must not leak a stack, a query or an engine's own words.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { CommitError, IntakeError, SubmitError } from '../../activities/errors';
import { PeopleError, type PeopleCode } from '../../activities/people';
import { RecordError } from '../../record/errors';
import { ApiError, type ProblemCode } from './problems';

/** The faults of a text that is not JSON as it was meant; other errors of the record are ours. */
const JSON_FAULTS: { readonly [code: string]: ProblemCode } = {
  syntax: 'invalid_json',
  not_json: 'invalid_json',
  duplicate_key: 'duplicate_key',
  integer_too_large: 'integer_too_large',
  lone_surrogate: 'lone_surrogate',
  nul_character: 'nul_character',
  too_deep: 'too_deep',
};

const FRAMEWORK: { readonly [code: string]: readonly [ProblemCode, string] } = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', 'The body is larger than this route takes; name larger artifacts by digest'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body as application/json'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as its Content-Length says'],
  FST_ERR_BAD_URL: ['invalid_query', 'The address cannot be read'],
};

const PEOPLE: Readonly<Record<PeopleCode, ProblemCode>> = {
  absence_invalid: 'absence_invalid',
  deputy_invalid: 'deputy_invalid',
  unknown_person: 'unknown_person',
  directory_busy: 'busy',
  directory_broken: 'no_directory',
  directory_unfit: 'no_directory',
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function validationError(error: {
  readonly validation: readonly { readonly instancePath: string; readonly message?: string | undefined }[];
  readonly validationContext?: string | undefined;
}): ApiError {
  const issues = error.validation.map((v) => ({
    code: 'invalid',
    path: v.instancePath.replace(/^\//, '').replaceAll('/', '.'),
    message: v.message ?? 'is not valid',
  }));
  const first = issues[0];
  const what = `${first?.path || 'the whole'}: ${first?.message ?? 'is not valid'}${issues.length > 1 ? ` (and ${String(issues.length - 1)} more)` : ''}`;
  return error.validationContext === 'body'
    ? new ApiError('invalid_request', `The body is not well-formed: ${what}`, { issues })
    : new ApiError('invalid_query', `The address or a header is not well-formed: ${what}`, { issues });
}

export function toApiError(error: unknown, log: FastifyBaseLogger): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof SubmitError) return new ApiError(error.code, error.message, error.issues.length > 0 ? { issues: error.issues } : {}, { cause: error });
  if (error instanceof IntakeError) return new ApiError(error.code, error.message, {}, { cause: error });
  if (error instanceof CommitError && error.code === 'no_directory') return new ApiError('no_directory', error.message, {}, { cause: error });
  if (error instanceof PeopleError) return new ApiError(PEOPLE[error.code], error.message, {}, { cause: error });
  if (error instanceof RecordError && Object.hasOwn(JSON_FAULTS, error.code))
    return new ApiError(JSON_FAULTS[error.code] ?? 'invalid_json', error.message, {}, { cause: error });
  // Requests have been in the middle of routing for long; the record's own sentence says so.
  if (error instanceof RecordError && error.code === 'store_busy') return new ApiError('busy', error.message, {}, { cause: error });
  if (hasZodFastifySchemaValidationErrors(error)) return validationError(error);
  const code = typeof error === 'object' && error !== null && 'code' in error ? textOf(error.code) : '';
  const known = Object.hasOwn(FRAMEWORK, code) ? FRAMEWORK[code] : undefined;
  if (known) return new ApiError(known[0], known[1], {}, { cause: error });
  const reference = randomUUID();
  log.error({ err: loggable(error), reference }, 'unforeseen error');
  return new ApiError(
    'internal',
    `Something went wrong on this side; nothing was allowed by it. Tell the operator the reference ${reference}`,
    { reference },
    { cause: error },
  );
}

/** Without the fields in which a database quotes the values of a row: they may be personal. */
function loggable(error: unknown): { readonly name: string; readonly code: string; readonly message: string; readonly stack: string } {
  if (!(error instanceof Error)) return { name: typeof error, code: '', message: '', stack: '' };
  return { name: error.name, code: 'code' in error ? textOf(error.code) : '', message: error.message, stack: error.stack ?? '' };
}
