/**
 * The one structured log of the worker and the API: lines of JSON, each about one thing, with the tenant and the approval it concerns.
 * Promises: no secret, no packet and no text of a request or a person is in it, at any level: fields that hold them are cut out by
 * name, errors lose the fields in which others quote values, and what looks like a credential in a sentence is struck.
 */
import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../config';

const CUT = '[cut]';

/** What is never logged, whatever it says, at the top of a line and two levels below. */
const NEVER = [
  'apiKey',
  'authorization',
  'body',
  'cookie',
  'customer',
  'email',
  'evidence',
  'facts',
  'form',
  'headers',
  'idempotencyKey',
  'packet',
  'params',
  'password',
  'payload',
  'payloads',
  'privateKey',
  'query',
  'reason',
  'result',
  'secret',
  'secrets',
  'session',
  'signature',
  'summary',
  'text',
  'token',
] as const;

/** Credentials as they look in the middle of a sentence: a password in a URL, a bearer, our secrets and keys, a signed token. */
const CREDENTIALS = [
  [/(\w+:\/\/[^\s:/@]*):[^\s/@]+@/g, `$1:${CUT}@`],
  [/\bbearer\s+\S+/gi, `Bearer ${CUT}`],
  [/\b(whsec_|csk_)[\w+/=-]+/g, `$1${CUT}`],
  [/\bey[\w-]{8,}\.[\w-]+\.[\w-]*/g, CUT],
] as const;

export const strike = (text: string): string => CREDENTIALS.reduce((kept, [pattern, instead]) => kept.replace(pattern, instead), text);

interface Loggable {
  readonly type: string;
  readonly code?: string | number;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

/** Causes deeper than this say nothing new. */
const DEPTH = 4;

/** Name, code, message, stack and causes: other fields of an error are where a database or a mail server quotes what it was given. */
function loggable(error: unknown, depth = 0): Loggable | string {
  if (!isError(error)) return strike(typeof error === 'string' ? error : typeof error);
  const { name, message, stack, cause } = error;
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? error.code : undefined;
  return {
    type: name,
    ...(code === undefined ? {} : { code }),
    message: strike(message),
    ...(stack === undefined ? {} : { stack: strike(stack) }),
    ...(cause === undefined || depth >= DEPTH ? {} : { cause: loggable(cause, depth + 1) }),
  };
}

/** By its fields: errors cross realms. */
const isError = (value: unknown): value is Error =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string' && 'name' in value && typeof value.name === 'string';

/** `name`: which program. `to`: elsewhere than standard output, in tests. */
export function createLog(name: string, level: LogLevel, to?: DestinationStream): Logger {
  const options = {
    name,
    level,
    serializers: { err: (error: unknown) => loggable(error), error: (error: unknown) => loggable(error) },
    redact: { paths: NEVER.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: CUT },
  };
  return to === undefined ? pino(options) : pino(options, to);
}
